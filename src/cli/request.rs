//! `callbox request`: the ledger, every request as it came.

pub mod replay;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::Session;
use super::api::Query;
use super::args::{Moment, Paging};
use super::lookup::{self, Named};
use super::output::Output;
use super::read::{array, cell, first, items, plain, text, time};
use crate::time::Clock;

/// Commands on the ledger.
#[derive(Subcommand)]
pub enum Command {
    /// List requests, the newest first
    List(ListArgs),
    /// Show one request: headers, body, and what became of it
    #[command(after_help = "Example:\n  callbox request show req_01j9zzzzzzzzzzzzzzzzzzzzzz")]
    Show {
        /// Its id: `X-Request-Id` of the answer
        request: String,
    },
    /// Run requests again, as the service is configured now or by a draft
    Replay(Box<replay::ReplayArgs>),
}

/// What a list of requests is narrowed to.
#[derive(Args, Clone)]
pub struct Filter {
    /// Only of this integration, by name or id
    #[arg(long)]
    pub integration: Option<String>,
    /// Only with this verdict: accepted, ignored, handshake, duplicate, invalid, unauthorized, wrong_type, limited, disabled, deleted,
    /// too_large, failed
    #[arg(long)]
    pub verdict: Option<String>,
}

/// Arguments of `list`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox request list --integration prod --verdict invalid
  callbox request list --integration prod --outcome unmapped --since 2d
  callbox request list --q disk --all --output json")]
pub struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// Only with this text
    #[arg(long, value_name = "TEXT")]
    pub q: Option<String>,
    /// Only those that made an event with this outcome: unmapped, opened, stale, …
    #[arg(long)]
    pub outcome: Option<String>,
    /// Received at this time or later: 2h, 7d, or an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Moment>,
    /// Received before this time
    #[arg(long, value_name = "WHEN")]
    pub until: Option<Moment>,
    #[command(flatten)]
    paging: Paging,
}

impl Filter {
    /// The parameters that it makes.
    ///
    /// # Errors
    /// No integration has this name; what the API says.
    pub async fn to_query(&self, session: &Session) -> anyhow::Result<Query> {
        let integration = lookup::optional_id(&session.api, Named::Integration, self.integration.as_deref()).await?;
        Ok(Query::new().with("integration_id", integration).with("verdict", self.verdict.as_ref()))
    }
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(args) => list(session, args).await,
            Self::Show { request } => show(session, request).await,
            Self::Replay(args) => args.run(session).await,
        }
    }
}

async fn list(session: &Session, args: &ListArgs) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let query = args
        .filter
        .to_query(session)
        .await?
        .with("q", args.q.as_ref())
        .with("outcome", args.outcome.as_ref())
        .with("since", args.since.map(|since| since.resolve(now)))
        .with("until", args.until.map(|until| until.resolve(now)));
    let answer = session.api.list(&["requests"], &query, &args.paging).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&answer);
    }
    let rows: Vec<Vec<String>> = items(&answer).iter().map(|request| row(request, out)).collect();
    out.table(&["RECEIVED", "VERDICT", "STATUS", "ROUTE", "OUTCOMES", "MESSAGE", "ID"], &rows, "no requests")?;
    super::more(session, &answer)
}

fn row(request: &Value, out: &Output) -> Vec<String> {
    vec![
        time(request, "received_at", out),
        text(request, "verdict"),
        text(request, "status"),
        cell(request, "route", 40),
        outcomes(request),
        cell(request, "message", 100),
        text(request, "id"),
    ]
}

/// What became of a request's events: `opened, 3 updated`.
pub fn outcomes(request: &Value) -> String {
    let counts = request.get("outcomes").and_then(Value::as_object).into_iter().flatten();
    let one = |(outcome, count): (&String, &Value)| match count.as_u64() {
        Some(1) | None => outcome.clone(),
        Some(count) => format!("{count} {outcome}"),
    };
    counts.map(one).collect::<Vec<_>>().join(", ")
}

async fn show(session: &Session, id: &str) -> anyhow::Result<()> {
    let request = session.api.get(&["requests", id], &Query::new()).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&request);
    }
    // Nearly every request is a POST.
    let method = Some(text(&request, "method")).filter(|method| method != "POST").unwrap_or_default();
    let integration = lookup::described(&session.api, Named::Integration, &text(&request, "integration_id")).await;
    out.fields(&[
        ("request", text(&request, "id")),
        ("received", time(&request, "received_at", out)),
        ("integration", integration),
        ("route", text(&request, "route")),
        ("method", method),
        ("below the URL", text(&request, "subpath")),
        ("verdict", text(&request, "verdict")),
        ("status", text(&request, "status")),
        ("message", text(&request, "message")),
    ])?;
    for (title, name) in [("query", "query"), ("headers", "headers")] {
        let pairs = pairs(request.get(name).unwrap_or(&Value::Null));
        if !pairs.is_empty() {
            out.text(&format!("\n{title}:"))?;
            let pairs: Vec<(&str, String)> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            out.fields(&pairs)?;
        }
    }
    out.text(&format!("\nbody:\n{}", body(&request)))?;
    events(out, &request)
}

/// Names and values, whether the API gives them as an object (a value may be a list) or as a list of pairs.
fn pairs(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(map) => map.iter().flat_map(|(name, value)| values(value).map(|value| (name.clone(), value))).collect(),
        Value::Array(list) => list
            .iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([name, value]) => (plain(name), plain(value)),
                _ => (text(pair, "name"), text(pair, "value")),
            })
            .collect(),
        Value::String(text) => url::form_urlencoded::parse(text.as_bytes()).into_owned().collect(),
        _ => Vec::new(),
    }
}

fn values(value: &Value) -> impl Iterator<Item = String> {
    let list = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    list.iter().map(plain)
}

/// The body for people: JSON indented, other text as it is, anything else as its base64.
fn body(request: &Value) -> String {
    if request.get("body_dropped_at").is_some_and(Value::is_string) {
        return "(dropped to make room; see retention in the settings)".to_owned();
    }
    let bytes = match (request.get("body"), request.get("body_base64").and_then(Value::as_str)) {
        (Some(Value::String(text)), _) => text.clone().into_bytes(),
        (_, Some(base64)) => STANDARD.decode(base64).unwrap_or_default(),
        (Some(Value::Null) | None, None) => Vec::new(),
        (Some(json), None) => return serde_json::to_string_pretty(json).unwrap_or_default(),
    };
    if let Ok(json) = serde_json::from_slice::<Value>(&bytes) {
        return serde_json::to_string_pretty(&json).unwrap_or_default();
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.is_empty() => "(empty)".to_owned(),
        Ok(text) => text,
        Err(error) => {
            format!("({} bytes that are not text; base64)\n{}", error.as_bytes().len(), STANDARD.encode(error.as_bytes()))
        }
    }
}

/// What the request made, if anything.
fn events(out: &Output, request: &Value) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = array(request, "events")
        .iter()
        .map(|event| {
            vec![
                text(event, "action"),
                text(event, "outcome"),
                first(event, &["incident.number", "incident_number", "incident_id"]),
                cell(event, "dedup_key", 60),
                cell(event, "summary", 60),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    out.text("\nevents:")?;
    out.table(&["ACTION", "OUTCOME", "INCIDENT", "KEY", "SUMMARY"], &rows, "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_for_people() {
        assert_eq!(body(&json!({"body": "{\"a\":1}"})), "{\n  \"a\": 1\n}");
        assert_eq!(body(&json!({"body": {"a": 1}})), "{\n  \"a\": 1\n}");
        assert_eq!(body(&json!({"body_base64": STANDARD.encode("plain text")})), "plain text");
        assert_eq!(body(&json!({"body": null, "body_dropped_at": null})), "(empty)");
        assert!(body(&json!({"body": null, "body_dropped_at": "2026-01-01T00:00:00.000000Z"})).starts_with("(dropped"));
        assert_eq!(body(&json!({"body_base64": STANDARD.encode([0xff, 0xfe])})), "(2 bytes that are not text; base64)\n//4=");
    }

    #[test]
    fn outcomes_are_counted() {
        assert_eq!(outcomes(&json!({"outcomes": {"opened": 1, "updated": 3}})), "opened, 3 updated");
        assert_eq!(outcomes(&json!({})), "");
    }

    #[test]
    fn headers_in_any_form() {
        let expected = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        assert_eq!(pairs(&json!({"a": "1", "b": ["2"]})), expected);
        assert_eq!(pairs(&json!([["a", "1"], ["b", "2"]])), expected);
        assert_eq!(pairs(&json!([{"name": "a", "value": "1"}, {"name": "b", "value": "2"}])), expected);
        assert_eq!(pairs(&json!("a=1&b=2")), expected);
        assert!(pairs(&Value::Null).is_empty());
    }
}
