//! GitLab's webhooks: pipelines, jobs, deployments, incidents, alerts and vulnerabilities.
//!
//! <https://docs.gitlab.com/user/project/integrations/webhook_events/>. `object_kind` names the event. Each pipeline has an id of its own,
//! so a key is made of the project and the branch; the next pipeline that goes through resolves. It proves itself by a secret token in
//! `X-Gitlab-Token`, or, where a signing token is set, by Standard Webhooks. `Idempotency-Key` stays the same over all attempts
//! (<https://docs.gitlab.com/user/project/integrations/webhooks/#delivery-headers>).
//!
//! Order: see `runs`. What has no time that orders it is ordered by arrival.

mod issues;
mod runs;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::forge::Options;
use super::{Clock, Compiled, Item, Mapped, Meta, Normalised, OptionProblem, Provider, Request, Resolves, Unmapped, read};
use crate::signature::{self, Scheme};

/// GitLab.
pub struct GitLab;

static META: Meta = Meta {
    kind: "gitlab",
    aliases: &["gitlab-ci"],
    name: "GitLab",
    docs: "https://docs.gitlab.com/user/project/integrations/webhook_events/",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Token(signature::GITLAB),
    key_headers: &["x-gitlab-token"],
    delivery_header: Some("idempotency-key"),
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/gitlab.md"),
};

/// What a body says: an event, with another that holds only where its key is open; or nothing, and why.
type Said = Result<(Mapped, Option<Mapped>), Cow<'static, str>>;

impl Provider for GitLab {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        Options::compile(options)
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let default = Options::default();
        let context = Context { body, request, options: request.options.get().unwrap_or(&default) };
        // System hooks name some events elsewhere.
        let kind = read::first(body, &["object_kind", "event_name"]).map(|found| found.text.to_ascii_lowercase());
        let said = match kind.as_deref() {
            Some("pipeline") => runs::pipeline(&context),
            Some("build" | "job") => runs::job(&context),
            Some("deployment") => runs::deployment(&context),
            Some("merge_request") => return Ok(runs::merge_request(&context)),
            Some("issue" | "work_item" | "incident") => issues::incident(&context),
            Some("alert") => issues::alert(&context),
            Some("vulnerability") => issues::vulnerability(&context),
            Some(kind) => Err(format!("the event `{kind}` reports no state").into()),
            None => return Err(Unmapped::new("there is no `object_kind`")),
        };
        Ok(match said {
            Ok((mapped, also)) => {
                Normalised { if_open: also.into_iter().collect(), ..Normalised::one(Item::Event(Box::new(mapped))) }
            }
            Err(why) => Normalised::ignored(why),
        })
    }
}

/// What an event is read from.
struct Context<'a> {
    body: &'a Value,
    request: &'a Request<'a>,
    options: &'a Options,
}

impl<'a> Context<'a> {
    /// What tells projects apart; of older bodies not the id.
    fn project(&self) -> (Cow<'a, str>, &'static str) {
        const PATHS: &[&str] =
            &["project.id", "project_id", "object_attributes.project_id", "project.path_with_namespace", "project_name"];
        read::first(self.body, PATHS).map_or(("".into(), "default: none"), |found| (found.text, found.path))
    }

    /// What people call the project.
    fn source(&self) -> (Cow<'a, str>, &'static str) {
        const PATHS: &[&str] = &["project.path_with_namespace", "project_name", "project.name", "repository.name"];
        const ID: &str = "object_attributes.project_id";
        let named = read::first(self.body, PATHS).map(|found| (found.text, found.path));
        let numbered = || read::field(self.body, ID).map(|id| (format!("project {id}").into(), ID));
        named.or_else(numbered).unwrap_or((META.name.into(), "default: the tool"))
    }

    fn allows(&self, branch: &str) -> bool {
        let default = read::field(self.body, "project.default_branch");
        self.options.allow(branch, default.as_deref())
    }

    /// A word at a path, in lower case; empty where there is none.
    fn word(&self, path: &str) -> String {
        read::field(self.body, path).unwrap_or_default().to_ascii_lowercase()
    }

    /// The body, without what every event repeats and what may be a secret: variables; the jobs that did not fail.
    fn details(&self) -> Value {
        let Value::Object(members) = self.body else { return Value::Null };
        let shown = members.iter().filter(|(name, _)| !["project", "repository", "user", "builds"].contains(&name.as_str()));
        let mut shown: Map<String, Value> = shown.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(Value::Object(attributes)) = shown.get_mut("object_attributes") {
            attributes.remove("variables");
        }
        shown.insert("project".to_owned(), Value::String(self.source().0.into_owned()));
        if let Some(user) = read::first(self.body, &["user.username", "user.name", "user_username"]) {
            shown.insert("user".to_owned(), Value::String(user.text.into_owned()));
        }
        Value::Object(shown)
    }
}

/// A moment as GitLab writes it: ISO 8601, `2016-08-12 15:23:28 UTC`, or `2021-04-28 21:50:00 +0200`.
fn moment(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    let Some((time, zone)) = text.rsplit_once(' ').filter(|(time, _)| time.contains(' ')) else { return Some(value.clone()) };
    Some(Value::String(format!("{time}{}", if zone == "UTC" { "Z" } else { zone })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments() {
        let read =
            |text: &str| read::time(&moment(&json!(text)).unwrap()).map(|parsed| (parsed.at.to_string(), parsed.has_offset));
        let at = Some(("2021-04-28T19:50:00.000000Z".to_owned(), true));
        for text in
            ["2021-04-28 21:50:00 +0200", "2021-04-28 19:50:00 UTC", "2021-04-28T19:50:00Z", "2021-04-28T21:50:00.000+02:00"]
        {
            assert_eq!(read(text), at, "{text}");
        }
        assert_eq!(read("2021-04-28 19:50:00").map(|(_, has_offset)| has_offset), Some(false));
        assert_eq!(read("soon"), None);
    }
}
