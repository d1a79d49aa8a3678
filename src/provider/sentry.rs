//! Sentry: the webhooks of an internal integration, and of the legacy webhooks plugin before it.
//!
//! <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>. `Sentry-Hook-Resource` names the shape, which
//! the body shows too. An issue alert says when it fires and never that it is over: that says the issue's own webhook, so both have the
//! issue's id as their key. Old events carry it in their addresses alone. A metric alert's `id` is that of its incident, the same until
//! `resolved`. Assigning an issue to somebody acknowledges nothing.

use std::borrow::Cow;

use serde_json::Value;

use super::read::{self, Found};
use super::{Clock, Compiled, Item, Meta, Normalised, OptionProblem, Origin, Provider, Request, Resolves, Unmapped, labels};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::signature::{self, Scheme};
use crate::time::Timestamp;

mod fields;

use fields::{is_sample, issue_id, level, raw, source, tag};

/// Sentry.
pub struct Sentry;

static META: Meta = Meta {
    kind: "sentry",
    aliases: &[],
    name: "Sentry",
    docs: "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
    clock: Clock::Arrival,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Hmac(signature::SENTRY),
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/sentry.md"),
};

/// What an integration may set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether an issue that is merely new opens nothing (`newIssues: ignore`), because alerts say which of them matter.
    pub ignore_new_issues: bool,
}

const RESOURCE: &str = "sentry-hook-resource";

impl Provider for Sentry {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let resource = request.headers.get(RESOURCE).unwrap_or_default().to_ascii_lowercase();
        let has = |path: &str| read::at(body, path).is_some_and(Value::is_object);
        let alert = if resource == "installation" || (has("data.installation") && !has("data.issue")) {
            return Ok(ignored("the integration was installed or removed"));
        } else if resource == "comment" || read::at(body, "data.comment").is_some() {
            return Ok(ignored("a comment"));
        } else if matches!(resource.as_str(), "seer" | "preprod_artifact") {
            return Ok(ignored("the progress of an analysis"));
        } else if has("data.metric_alert") {
            metric(body)
        } else if has("data.issue") {
            match issue(body, request.options.get::<Options>().is_some_and(|options| options.ignore_new_issues)) {
                Ok(alert) => alert,
                Err(why) => return Ok(ignored(why)),
            }
        } else if has("data.event") {
            Some(event_alert(body, "data.event."))
        } else if has("data.error") {
            return Ok(ignored("a single error: issue alerts say which of them matter"));
        } else if has("event") || body.get("project").is_some() {
            Some(legacy(body))
        } else {
            None
        };
        let alert = alert.and_then(|alert| alert.item(body, request.received_at));
        alert.map(Normalised::one).ok_or(Unmapped::new("there is neither an issue, an event, nor a metric alert with an id"))
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        let members = match options {
            Value::Null => return Ok(Compiled::none()),
            Value::Object(members) => members,
            _ => return Err(vec![OptionProblem::new("options", "must be an object")]),
        };
        let mut compiled = Options::default();
        let mut problems = Vec::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            match (name.as_str(), value.as_str()) {
                ("newIssues" | "new_issues", Some("trigger")) => compiled.ignore_new_issues = false,
                ("newIssues" | "new_issues", Some("ignore")) => compiled.ignore_new_issues = true,
                ("newIssues" | "new_issues", _) => problems.push(OptionProblem::new(name, "must be `trigger` or `ignore`")),
                _ => problems.push(OptionProblem::unknown(name, &["newIssues"])),
            }
        }
        if problems.is_empty() { Ok(Compiled::new(compiled)) } else { Err(problems) }
    }
}

fn ignored(why: &'static str) -> Normalised {
    Normalised::one(Item::Ignored { at: String::new(), why: why.into() })
}

/// What the shapes have in common.
struct Alert<'a> {
    action: Action,
    action_from: &'static str,
    key: Option<(Cow<'a, str>, &'static str)>,
    summary: &'static [&'static str],
    severity: (Severity, &'static str),
    /// The object in which tags and environment are.
    event: Option<&'a Value>,
}

const PAGES: &[(&str, &str)] = &[
    ("data.issue.web_url", "Issue"),
    ("data.issue.permalink", "Issue"),
    ("data.event.web_url", "Event"),
    ("data.web_url", "Alert"),
    ("url", "Issue"),
    ("group.url", "Issue"),
];
const ISSUE_SUMMARY: &[&str] = &["data.issue.title", "data.issue.metadata.value", "data.issue.culprit", "data.issue.shortId"];
const EVENT_SUMMARY: &[&str] = &[
    "data.event.title",
    "data.event.message",
    "data.event.logentry.formatted",
    "data.event.metadata.title",
    "data.triggered_rule",
];
const METRIC_SUMMARY: &[&str] =
    &["data.description_title", "data.metric_alert.alert_rule.name", "data.metric_alert.title", "data.description_text"];
const LEGACY_SUMMARY: &[&str] =
    &["event.title", "message", "event.metadata.title", "event.logentry.formatted", "event.message", "culprit"];

fn metric(body: &Value) -> Option<Alert<'_>> {
    let word = read::field(body, "action").unwrap_or_default().to_ascii_lowercase();
    let (action, severity) = match word.as_str() {
        "resolved" => (Action::Resolve, Severity::Info),
        "critical" => (Action::Trigger, Severity::Critical),
        "warning" => (Action::Trigger, Severity::Warning),
        _ => (Action::Trigger, Severity::Error),
    };
    let id = |path: &'static str| raw(body, path).map(|id| (id, path));
    let key = id("data.metric_alert.id").map(|(id, path)| (format!("metric:{id}"), path));
    let number = || id("data.metric_alert.identifier").map(|(id, path)| (format!("metric-number:{id}"), path));
    let rule = || id("data.metric_alert.alert_rule.id").map(|(id, path)| (format!("rule:{id}"), path));
    let (key, from) = key.or_else(number).or_else(rule)?;
    Some(Alert {
        action,
        action_from: "action",
        key: Some((key.into(), from)),
        summary: METRIC_SUMMARY,
        severity: (severity, "action"),
        event: None,
    })
}

/// The error is why there is nothing to do.
fn issue(body: &Value, ignore_new: bool) -> Result<Option<Alert<'_>>, &'static str> {
    let word = read::field(body, "action").unwrap_or_default().to_ascii_lowercase();
    let action = match word.as_str() {
        "resolved" | "archived" | "ignored" => Action::Resolve,
        "created" if ignore_new => return Err("new issues are ignored by this integration's options"),
        "assigned" | "unassigned" => return Err("an issue was assigned, which acknowledges nothing"),
        _ => Action::Trigger,
    };
    Ok(Some(Alert {
        action,
        action_from: "action",
        key: issue_id(body, "data.issue."),
        summary: ISSUE_SUMMARY,
        severity: level(body, &["data.issue.level", "data.issue.priority"]),
        event: read::at(body, "data.issue"),
    }))
}

fn event_alert<'a>(body: &'a Value, place: &'static str) -> Alert<'a> {
    let event = read::at(body, "data.event");
    Alert {
        action: Action::Trigger,
        action_from: "default: trigger (an issue alert)",
        key: issue_id(body, place),
        summary: EVENT_SUMMARY,
        severity: if is_sample(event) { (Severity::Info, "a sample event") } else { level(body, &["data.event.level"]) },
        event,
    }
}

/// The plugin's body, or a service hook's: the issue's id is `id`, `group.id`, or in its address.
fn legacy(body: &Value) -> Alert<'_> {
    let event = read::at(body, "event");
    let key = issue_id(body, "group.").or_else(|| issue_id(body, ""));
    Alert {
        action: Action::Trigger,
        action_from: "default: trigger (the plugin knows no other)",
        key,
        summary: LEGACY_SUMMARY,
        severity: if is_sample(event) { (Severity::Info, "a sample event") } else { level(body, &["level", "event.level"]) },
        event,
    }
}

impl<'a> Alert<'a> {
    fn item(self, body: &'a Value, now: Timestamp) -> Option<Item> {
        let (key, key_from) = self.key?;
        let summary = read::first(body, self.summary).unwrap_or(Found { text: META.name.into(), path: "default: the tool" });
        let source = source(body, self.event);
        let mut event = Event::new(self.action, DedupKey::lenient(&key)?, &summary.text, &source.text, self.severity.0);
        event.component =
            read::first(body, &["data.issue.culprit", "data.event.culprit", "culprit"]).map(|found| found.text.into_owned());
        event.group = self.event.and_then(|inner| read::owned(inner, "environment"));
        event.group = event.group.or_else(|| tag(self.event, "environment").map(Cow::into_owned));
        event.class = read::owned(body, "data.triggered_rule").or_else(|| read::owned(body, "data.metric_alert.alert_rule.name"));
        event.client = Some(META.name.to_owned());
        for (path, text) in PAGES {
            labels::push_link(&mut event.links, read::field(body, path), text);
        }
        event.custom_details = Some(body.clone());
        let times = ["data.event.datetime", "data.metric_alert.date_started", "data.issue.lastSeen", "event.datetime"];
        let time = times.iter().find_map(|path| read::time(read::at(body, path)?));
        event.occurred_at = Timestamp::trusted(time, now);
        let origin = Origin {
            at: String::new(),
            action: self.action_from.into(),
            dedup_key: key_from.into(),
            summary: summary.path.into(),
            source: source.path.into(),
            severity: self.severity.1.into(),
        };
        Some(Item::event(event, origin))
    }
}
