//! From what people type (a name, an incident's number) to the ids that the API takes.

use std::collections::HashMap;

use serde_json::Value;

use super::Session;
use super::api::{Api, Query};
use super::args::Paging;
use super::failure::usage;
use super::read::{items, text};

/// A kind of object that has a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// `int_…`
    Integration,
    /// `svc_…`
    Service,
    /// `tok_…`
    Token,
    /// `dst_…`
    Destination,
    /// `rul_…`
    Rule,
}

impl Named {
    const fn collection(self) -> &'static str {
        match self {
            Self::Integration => "integrations",
            Self::Service => "services",
            Self::Token => "tokens",
            Self::Destination => "destinations",
            Self::Rule => "rules",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Integration => "integration",
            Self::Service => "service",
            Self::Token => "token",
            Self::Destination => "destination",
            Self::Rule => "rule",
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Integration => "int_",
            Self::Service => "svc_",
            Self::Token => "tok_",
            Self::Destination => "dst_",
            Self::Rule => "rul_",
        }
    }
}

/// Whether `text` has the form of an id: the prefix and 26 letters or digits.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 26 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The id of the object whose id or name is `wanted`.
///
/// # Errors
/// None or several have this name; what the API says.
pub async fn id(api: &Api, kind: Named, wanted: &str) -> anyhow::Result<String> {
    if is_id(wanted, kind.prefix()) {
        return Ok(wanted.to_owned());
    }
    pick(kind, &list(api, kind).await?, wanted)
}

/// As [`id`], for a filter that may be absent.
///
/// # Errors
/// As [`id`].
pub async fn optional_id(api: &Api, kind: Named, wanted: Option<&str>) -> anyhow::Result<Option<String>> {
    match wanted {
        Some(wanted) => id(api, kind, wanted).await.map(Some),
        None => Ok(None),
    }
}

/// The names of all objects of a kind, by id.
///
/// # Errors
/// What the API says.
pub async fn names(api: &Api, kind: Named) -> anyhow::Result<HashMap<String, String>> {
    Ok(list(api, kind).await?.iter().map(|object| (text(object, "id"), text(object, "name"))).collect())
}

async fn list(api: &Api, kind: Named) -> anyhow::Result<Vec<Value>> {
    let answer = api.list(&[kind.collection()], &Query::new(), &Paging { limit: 500, all: true }).await?;
    Ok(items(&answer).to_vec())
}

fn pick(kind: Named, objects: &[Value], wanted: &str) -> anyhow::Result<String> {
    let matches: Vec<String> =
        objects.iter().filter(|object| text(object, "name") == wanted).map(|object| text(object, "id")).collect();
    match matches.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(unknown(kind, objects, wanted)),
        several => Err(usage(format!(
            "{} {}s are named {wanted:?}: give one of the ids {}",
            several.len(),
            kind.word(),
            several.join(", ")
        ))),
    }
}

fn unknown(kind: Named, objects: &[Value], wanted: &str) -> anyhow::Error {
    let word = kind.word();
    let near = objects
        .iter()
        .map(|object| text(object, "name"))
        .map(|name| (strsim::jaro_winkler(&name, wanted), name))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, name)) => anyhow::anyhow!("no {word} has the id or name {wanted:?}; did you mean {name:?}?"),
        None => anyhow::anyhow!("no {word} has the id or name {wanted:?}; `callbox {word} list` shows them"),
    }
}

/// The id of the incident `wanted`: an id, `12` or `#12`.
///
/// # Errors
/// No incident has this number; what the API says.
pub async fn incident(session: &Session, wanted: &str) -> anyhow::Result<String> {
    if is_id(wanted, "inc_") {
        return Ok(wanted.to_owned());
    }
    let digits = wanted.strip_prefix('#').unwrap_or(wanted);
    let number: u64 = digits
        .parse()
        .map_err(|_| usage(format!("{wanted:?} is not an incident: give its id (inc_…) or its number (12, #12)")))?;
    incident_by_number(&session.api, number).await
}

async fn incident_by_number(api: &Api, wanted: u64) -> anyhow::Result<String> {
    let page = api.page(&["incidents"], &Query::new().with("number", [wanted]), 1, None).await?;
    match items(&page) {
        [incident, ..] => Ok(text(incident, "id")),
        [] => Err(anyhow::anyhow!("no incident has the number {wanted}")),
    }
}

/// `name (id)` of an object, for print; the id alone where the token may not see it or it is gone.
pub async fn described(api: &Api, kind: Named, id: &str) -> String {
    if id.is_empty() {
        return String::new();
    }
    match api.get(&[kind.collection(), id], &Query::new()).await {
        Ok(object) if !text(&object, "name").is_empty() => format!("{} ({id})", text(&object, "name")),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{Answer, Server};
    use super::*;

    #[test]
    fn names_are_exact_and_near_misses_are_named() {
        let objects =
            [json!({"id": "int_1", "name": "prod"}), json!({"id": "int_2", "name": "x"}), json!({"id": "int_3", "name": "x"})];
        let pick = |wanted: &str| pick(Named::Integration, &objects, wanted).map_err(|error| error.to_string());
        assert_eq!(pick("prod"), Ok("int_1".to_owned()));
        assert!(pick("x").unwrap_err().contains("int_2, int_3"));
        assert!(pick("prd").unwrap_err().contains("did you mean \"prod\"?"));
        assert!(pick("zzz").unwrap_err().contains("callbox integration list"));
    }

    #[test]
    fn the_form_of_an_id() {
        assert!(is_id("int_01j9zzzzzzzzzzzzzzzzzzzzzz", "int_"));
        assert!(!is_id("int_prod", "int_") && !is_id("svc_01j9zzzzzzzzzzzzzzzzzzzzzz", "int_"));
    }

    #[tokio::test]
    async fn an_incident_is_found_by_its_number() {
        let server = Server::start([
            Answer::json(200, r#"{"items":[{"id":"inc_a","number":12}],"next":null}"#),
            Answer::json(200, r#"{"items":[],"next":null}"#),
        ]);
        assert_eq!(incident(&server.session(), "#12").await.unwrap(), "inc_a");
        assert_eq!(server.requests()[0].line, "GET /api/v1/incidents?number=12&limit=1 HTTP/1.1");
        let error = incident(&server.session(), "99").await.unwrap_err();
        assert_eq!(error.to_string(), "no incident has the number 99");
        assert!(incident(&server.session(), "twelve").await.unwrap_err().is::<super::super::failure::Usage>());
    }

    #[tokio::test]
    async fn a_name_that_may_not_be_seen_is_an_id() {
        let server = Server::start([Answer::json(200, r#"{"name":"prod"}"#), Answer::json(403, r#"{"error":{"message":"no"}}"#)]);
        let session = server.session();
        assert_eq!(described(&session.api, Named::Service, "svc_1").await, "prod (svc_1)");
        assert_eq!(described(&session.api, Named::Service, "svc_1").await, "svc_1");
    }
}
