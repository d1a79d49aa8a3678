//! GitHub's webhooks: what its own and others' CI reports of a commit, deployments, and security alerts.
//!
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads>. `X-GitHub-Event` names the event, but the body alone tells
//! them apart, so that a replayed or relayed body needs no header. It may come as the field `payload` of a form. Each run has an id of its
//! own, so a key is made of what stays: the workflow, check or context, and the branch; the next run that goes through resolves.
//! `X-GitHub-Delivery` is the same when a delivery is sent again
//! (<https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries>).
//!
//! Order: see `runs`. What has no time that orders it is ordered by arrival.

mod alerts;
mod runs;
mod statuses;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::forge::Options;
use super::{Clock, Compiled, Item, Mapped, Meta, Normalised, OptionProblem, Provider, Request, Resolves, Unmapped, body, read};
use crate::event::DedupKey;
use crate::signature::{self, Scheme};

/// GitHub.
pub struct GitHub;

static META: Meta = Meta {
    kind: "github",
    aliases: &["github-actions"],
    name: "GitHub",
    docs: "https://docs.github.com/en/webhooks/webhook-events-and-payloads",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Hmac(signature::GITHUB),
    key_headers: &[],
    delivery_header: Some("x-github-delivery"),
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/github.md"),
};

/// What a body says: an event, with the keys of others that it ends too; or nothing, and why.
type Said = Result<(Mapped, Vec<DedupKey>), Cow<'static, str>>;

impl Provider for GitHub {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        Options::compile(options)
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = body::read(&[body::Kind::Json, body::Kind::Form], request)?.ok_or(Unmapped::new("the body is empty"))?;
        let default = Options::default();
        let options = request.options.get().unwrap_or(&default);
        match said(&Context { body: &body, request, options }) {
            Some(Ok((mapped, also))) => {
                let ended = |dedup_key| {
                    let mut ended = mapped.clone();
                    ended.event.dedup_key = dedup_key;
                    ended
                };
                let if_open = also.into_iter().map(ended).collect();
                Ok(Normalised { if_open, ..Normalised::one(Item::Event(Box::new(mapped))) })
            }
            Some(Err(why)) => Ok(Normalised::ignored(why)),
            None => other(&body, request),
        }
    }
}

/// What an event is read from.
struct Context<'a> {
    body: &'a Value,
    request: &'a Request<'a>,
    options: &'a Options,
}

impl<'a> Context<'a> {
    fn object(&self, name: &str) -> Option<&'a Value> {
        self.body.get(name).filter(|value| value.is_object())
    }

    /// The body's `action`, in lower case; empty where there is none.
    fn action(&self) -> String {
        read::field(self.body, "action").unwrap_or_default().to_ascii_lowercase()
    }

    fn has(&self, name: &str) -> bool {
        read::at(self.body, name).is_some()
    }

    /// `owner/name`.
    fn repository(&self) -> (Cow<'a, str>, &'static str) {
        match read::first(self.body, &["repository.full_name", "repository.name", "organization.login"]) {
            Some(found) => (found.text, found.path),
            None => (META.name.into(), "default: the tool"),
        }
    }

    fn allows(&self, branch: &str) -> bool {
        let default = read::field(self.body, "repository.default_branch");
        self.options.allow(branch, default.as_deref())
    }
}

/// What the body says, by the objects that it holds; a deployment's status comes with the run that made it. `None` for all that
/// reports no state.
fn said(context: &Context<'_>) -> Option<Said> {
    let object = |name| context.object(name);
    if context.has("zen") && context.has("hook_id") {
        return Some(Err("a ping".into()));
    }
    let said = if let Some(status) = object("deployment_status") {
        statuses::deployment(context, status)
    } else if let Some(job) = object("workflow_job") {
        runs::job(context, job)
    } else if let Some(run) = object("workflow_run") {
        runs::workflow(context, run)
    } else if let Some(check) = object("check_run") {
        runs::check(context, check)
    } else if let Some(suite) = object("check_suite") {
        runs::suite(context, suite)
    } else if let Some(alert) = object("alert") {
        return alerts::alert(context, alert);
    } else if context.has("context") && context.has("sha") {
        statuses::status(context)
    } else if let Some(build) = object("build") {
        statuses::pages(context, build)
    } else {
        return None;
    };
    Some(said)
}

/// Events that report no state of their own: pushes, comments, stars.
fn other(body: &Value, request: &Request<'_>) -> Result<Normalised, Unmapped> {
    if let Some(event) = request.headers.get("x-github-event").filter(|event| !event.is_empty()) {
        return Ok(Normalised::ignored(format!("the event `{event}` reports no state")));
    }
    if body.get("repository").is_some_and(Value::is_object) && body.get("sender").is_some_and(Value::is_object) {
        return Ok(Normalised::ignored("the event reports no state"));
    }
    Err(Unmapped::new("there is neither a run, a check, a status, a deployment nor an alert"))
}

/// Members that say nothing to whoever reads an incident, and credentials.
const NOT_SHOWN: [&str; 9] =
    ["repository", "head_repository", "sender", "organization", "installation", "enterprise", "node_id", "gravatar_id", "secret"];
/// Addresses for people; all others are the API's.
const SHOWN_URLS: [&str; 4] = ["html_url", "target_url", "log_url", "environment_url"];

/// The body without what every event repeats: a repository alone has 50 addresses.
fn details(context: &Context<'_>) -> Value {
    let mut shown = pruned(context.body);
    if let Value::Object(members) = &mut shown {
        members.insert("repository".to_owned(), Value::String(context.repository().0.into_owned()));
        if let Some(sender) = read::field(context.body, "sender.login") {
            members.insert("sender".to_owned(), Value::String(sender.into_owned()));
        }
    }
    shown
}

fn pruned(value: &Value) -> Value {
    let is_shown = |name: &str| {
        let url = name.ends_with("_url") && !SHOWN_URLS.contains(&name);
        !url && !NOT_SHOWN.contains(&name)
    };
    match value {
        Value::Object(members) => {
            let shown = members.iter().filter(|(name, value)| is_shown(name) && !value.is_null());
            Value::Object(shown.map(|(name, value)| (name.clone(), pruned(value))).collect::<Map<_, _>>())
        }
        Value::Array(elements) => Value::Array(elements.iter().map(pruned).collect()),
        scalar => scalar.clone(),
    }
}
