//! Jira: issues that are created, done, reopened or deleted; of Cloud, Server and Data Center, and of an automation rule's web request.
//!
//! <https://developer.atlassian.com/cloud/jira/platform/webhooks/>. Which issues are sent is decided in Jira, by a filter (JQL). The id stays,
//! the key changes when an issue moves. Whether one is done its status's category says; older servers have none, there the resolution
//! counts. That one was reopened its changelog says: the resolution was taken away, or the status that it left was one of the usual ends.
//! `timestamp` is when the event happened, and orders them. `X-Atlassian-Webhook-Identifier` is the same over all attempts.
//!
//! `changelog.items[].toString` is an ordinary member.

use std::borrow::Cow;

use serde_json::Value;

use super::alert::Alert;
use super::{Clock, Item, Mapped, Meta, Normalised, Provider, Request, Resolves, Unmapped, key, read, tokens};
use crate::event::{Action, Severity};
use crate::signature::{self, Scheme};

/// Jira.
pub struct Jira;

static META: Meta = Meta {
    kind: "jira",
    aliases: &["jira-service-management"],
    name: "Jira",
    docs: "https://developer.atlassian.com/cloud/jira/platform/webhooks/",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Hmac(signature::BITBUCKET),
    key_headers: &[],
    delivery_header: Some("x-atlassian-webhook-identifier"),
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/jira.md"),
};

/// Statuses at which work ends, where nothing says of which category they are.
const ENDS: [&str; 9] = ["Done", "Closed", "Resolved", "Completed", "Complete", "Canceled", "Cancelled", "Declined", "Won't do"];

impl Provider for Jira {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let event = read::field(body, "webhookEvent").map(|event| event.to_ascii_lowercase());
        // An automation rule sends the issue, alone or around it, and no event.
        let alone = body.get("fields").is_some_and(Value::is_object);
        let issue = if alone { Some(body) } else { body.get("issue").filter(|issue| issue.is_object()) };
        let (issue, event) = match (issue, event) {
            (Some(issue), event) => (issue, event),
            (None, Some(event)) => return Ok(Normalised::ignored(format!("the event `{event}` reports no state"))),
            (None, None) => return Err(Unmapped::new("there is neither a `webhookEvent` nor an `issue`")),
        };
        let asked = match event.as_deref().map(|event| event.strip_prefix("jira:").unwrap_or(event)) {
            None => Ok(Asked::Event(if is_done(issue) { Action::Resolve } else { Action::Trigger }, "fields.status")),
            Some("issue_created") if is_done(issue) => Err("the issue was done when it was created".into()),
            Some("issue_created") => Ok(Asked::Event(Action::Trigger, "webhookEvent")),
            Some("issue_deleted") => Ok(Asked::Event(Action::Resolve, "webhookEvent")),
            Some("issue_updated") => updated(body, issue),
            Some(other) => Err(Cow::Owned(format!("the event `{other}` reports no state"))),
        };
        Ok(match asked {
            Ok(Asked::Event(action, from)) => {
                Normalised::one(Item::Event(Box::new(mapped(body, issue, (action, from), request)?)))
            }
            Ok(Asked::IfOpen(action, from)) => Normalised {
                if_open: vec![mapped(body, issue, (action, from), request)?],
                note: Some("a change that opens nothing".into()),
                ..Normalised::default()
            },
            Err(why) => Normalised::ignored(why),
        })
    }
}

/// What an issue's event asks for.
enum Asked {
    /// This.
    Event(Action, &'static str),
    /// This, where its incident is open.
    IfOpen(Action, &'static str),
}

/// Whether work on an issue is over.
fn is_done(issue: &Value) -> bool {
    let field = |path: &str| read::field(issue, path);
    // `undefined` is Jira's word for a status without a category.
    match field("fields.status.statusCategory.key").filter(|category| !category.eq_ignore_ascii_case("undefined")) {
        Some(category) => category.eq_ignore_ascii_case("done"),
        None => {
            let status = field("fields.status.name").or_else(|| field("fields.status"));
            status.is_some_and(|status| tokens::is_one_of(&status, &ENDS))
                || field("fields.resolution.name").or_else(|| field("fields.resolution")).is_some()
        }
    }
}

fn updated(body: &Value, issue: &Value) -> Result<Asked, Cow<'static, str>> {
    let items = || body.pointer("/changelog/items").and_then(Value::as_array).into_iter().flatten();
    let changed =
        |field: &str| items().find(|item| read::field(item, "field").is_some_and(|name| name.eq_ignore_ascii_case(field)));
    let kind = read::field(body, "issue_event_type_name").unwrap_or_default();
    let is_kind = |kinds: &[&str]| tokens::is_one_of(&kind, kinds);
    let (status, resolution) = (changed("status"), changed("resolution"));
    let said = |item: &Value, name: &str| item.get(name).and_then(read::text).map(Cow::into_owned);
    if is_done(issue) || is_kind(&["issue_resolved", "issue_closed"]) {
        let moved = status.is_some() || resolution.is_some() || is_kind(&["issue_resolved", "issue_closed"]);
        let from = "fields.status.statusCategory.key";
        return Ok(if moved { Asked::Event(Action::Resolve, from) } else { Asked::IfOpen(Action::Resolve, from) });
    }
    let unresolved = resolution.is_some_and(|item| said(item, "fromString").is_some() && said(item, "toString").is_none());
    let left = status.and_then(|item| said(item, "fromString")).is_some_and(|status| tokens::is_one_of(&status, &ENDS));
    if unresolved || left || is_kind(&["issue_reopened"]) {
        return Ok(Asked::Event(Action::Trigger, "changelog"));
    }
    if changed("priority").is_some() {
        return Ok(Asked::IfOpen(Action::Trigger, "changelog"));
    }
    Err("nothing that counts has changed about the issue".into())
}

fn mapped(body: &Value, issue: &Value, action: (Action, &'static str), request: &Request<'_>) -> Result<Mapped, Unmapped> {
    let usable = |path: &str| read::field(issue, path).filter(|text| !read::unexpanded(text));
    let name = usable("key");
    let key = match (usable("id"), &name) {
        (Some(id), _) => (key::of("issue", &[id.as_ref()]), "issue.id"),
        (None, Some(name)) => (key::of("key", &[name.as_ref()]), "issue.key"),
        (None, None) => return Err(Unmapped::new("the issue has neither an `id` nor a `key`")),
    };
    let text = read::field(issue, "fields.summary").unwrap_or("an issue without a summary".into());
    let summary = name.as_ref().map_or_else(|| text.to_string(), |name| format!("{name}: {text}"));
    let project = read::first(issue, &["fields.project.name", "fields.project.key"]).map(|found| found.text);
    let project = project.or_else(|| name.as_ref()?.rsplit_once('-').map(|(project, _)| Cow::Owned(project.to_owned())));
    let source = project
        .filter(|project| !project.is_empty())
        .map_or((META.name.into(), "default: the tool"), |name| (name, "issue.fields.project"));
    let mut mapped =
        Alert { tool: META.name, action, key, summary: (summary, "issue.fields.summary"), source, severity: severity(issue) }
            .mapped();
    mapped.event.class = read::owned(issue, "fields.issuetype.name");
    mapped.event.component = issue.pointer("/fields/components/0/name").and_then(read::text).map(Cow::into_owned);
    mapped.event.custom_details = Some(details(body, issue));
    // The address of the API holds that of the site.
    let site = read::field(issue, "self").and_then(|own| Some(own.split_once("/rest/")?.0.to_owned()));
    let page = site.zip(name).map(|(site, name)| format!("{site}/browse/{name}"));
    mapped.link(&serde_json::json!({ "page": page }), &["page"], "Issue");
    mapped.since(read::at(body, "timestamp"), request);
    Ok(mapped)
}

fn severity(issue: &Value) -> (Severity, &'static str) {
    let own = |word: &str| match word.to_ascii_lowercase().as_str() {
        "highest" | "blocker" => Some(Severity::Critical),
        "lowest" | "trivial" => Some(Severity::Info),
        _ => tokens::severity(word),
    };
    let found = read::first(issue, &["fields.priority.name", "fields.priority"]);
    found.and_then(|found| Some((own(&found.text)?, found.path))).unwrap_or((Severity::Error, "default: error"))
}

/// What of the issue says something; its fields are hundreds, most of them null.
fn details(body: &Value, issue: &Value) -> Value {
    let text = |path: &str| read::owned(issue, path).map(Value::String);
    let shown = [
        ("event", read::owned(body, "webhookEvent").map(Value::String)),
        ("user", read::first(body, &["user.displayName", "user.name"]).map(|found| Value::String(found.text.into_owned()))),
        ("key", text("key")),
        ("status", text("fields.status.name")),
        ("priority", text("fields.priority.name")),
        ("resolution", text("fields.resolution.name")),
        ("assignee", text("fields.assignee.displayName")),
        ("reporter", text("fields.reporter.displayName")),
        ("description", text("fields.description")),
        ("labels", issue.pointer("/fields/labels").cloned()),
        ("changes", body.pointer("/changelog/items").cloned()),
    ];
    Value::Object(shown.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}
