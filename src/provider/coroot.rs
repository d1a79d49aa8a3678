//! Coroot's webhook: incidents, alerts and deployments, each from a template of the user's, by default `{{ json . }}`.
//!
//! <https://docs.coroot.com/alerting/webhook>. The body holds no id: that of an incident or an alert is in the query of its `url`,
//! the same when it opens, worsens and ends. A deployment is a change; one that is stuck or cancelled pages, and the next one of
//! the application that goes through ends that.

use std::borrow::Cow;

use serde_json::Value;

use super::read::{self, Found};
use super::{Clock, Item, Mapped, Meta, Normalised, Origin, Provider, Request, Resolves, Unmapped, labels, tokens};
use crate::event::{Action, ChangeEvent, DedupKey, Event, Link, SUMMARY_MAX, Severity, clip};
use crate::signature::Scheme;

/// Coroot.
pub struct Coroot;

static META: Meta = Meta {
    kind: "coroot",
    aliases: &[],
    name: "Coroot",
    docs: "https://docs.coroot.com/alerting/webhook",
    clock: Clock::Arrival,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/coroot.md"),
};

impl Provider for Coroot {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let status = read::field(body, "status").ok_or(Unmapped::new("there is no `status`"))?;
        let application = application(body);
        if let Some(stage) = stage(&status) {
            let application = application.ok_or(Unmapped::new("the deployment names no `application`"))?;
            return Ok(deployment(body, stage, &application));
        }
        let alert = read::field(body, "rule_name").is_some() || query_value(body, "alert").is_some();
        match incident(body, &status, application, alert) {
            Some(mapped) => Ok(Normalised::one(Item::Event(Box::new(mapped)))),
            None => Err(Unmapped::new("there is neither an `application` nor a `url` with an id")),
        }
    }
}

/// How far a deployment is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    InProgress,
    Deployed,
    Failed,
}

fn stage(status: &str) -> Option<Stage> {
    let is = |words: &[&str]| tokens::is_one_of(status, words);
    if is(&["Deployed"]) {
        Some(Stage::Deployed)
    } else if is(&["Stuck", "Cancelled"]) {
        Some(Stage::Failed)
    } else if is(&["In-progress", "In progress", "In_progress"]) {
        Some(Stage::InProgress)
    } else {
        None
    }
}

/// `cluster:namespace:Kind:name` as Coroot writes it, or the same from an object that a template built.
fn application(body: &Value) -> Option<Cow<'_, str>> {
    let application = body.get("application")?;
    if let Some(text) = read::text(application) {
        return Some(text).filter(|text| !read::unexpanded(text));
    }
    let part = |names: &[&'static str]| read::first(application, names).map(|found| found.text);
    let parts = [
        part(&["cluster_id", "ClusterId", "cluster"]),
        part(&["namespace", "Namespace"]),
        part(&["kind", "Kind"]),
        part(&["name", "Name"]),
    ];
    let joined = parts.iter().flatten().map(Cow::as_ref).collect::<Vec<_>>().join(":");
    (!joined.is_empty()).then_some(Cow::Owned(joined))
}

/// The value of `name` in the query of the body's `url`.
fn query_value(body: &Value, name: &str) -> Option<String> {
    let url = read::field(body, "url")?;
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next().unwrap_or(query);
    let found = url::form_urlencoded::parse(query.as_bytes()).find(|(have, _)| have == name);
    found.map(|(_, value)| value.into_owned()).filter(|value| !value.trim().is_empty() && !read::unexpanded(value))
}

fn incident(body: &Value, status: &str, application: Option<Cow<'_, str>>, alert: bool) -> Option<Mapped> {
    let (dedup_key, key_from) = dedup_key(body, application.as_deref(), alert)?;
    let action = if tokens::is_one_of(status, &["OK", "RESOLVED"]) { Action::Resolve } else { Action::Trigger };
    let (severity, severity_from) = severity(body, status);
    let source = application.unwrap_or(Cow::Borrowed(META.name));
    let said = if alert { alert_summary(body) } else { report_summary(body) };
    let (text, summary_from) = said.unwrap_or_else(|| (format!("status {status}"), "status"));
    let mut event = Event::new(action, dedup_key, &format!("{source}: {text}"), &source, severity);
    event.class = if alert {
        read::owned(body, "rule_name")
    } else {
        body.pointer("/reports/0/check").and_then(read::text).map(Cow::into_owned)
    };
    event.group = read::owned(body, "project_name");
    decorate(&mut event, body);
    let origin = Origin {
        at: String::new(),
        action: "status".into(),
        dedup_key: key_from.into(),
        summary: summary_from.into(),
        source: if body.get("application").is_some() { "application" } else { "default: the tool" }.into(),
        severity: severity_from.into(),
    };
    Some(Mapped { event, origin })
}

fn dedup_key(body: &Value, application: Option<&str>, alert: bool) -> Option<(DedupKey, &'static str)> {
    let key = |text: String, from| DedupKey::lenient(&text).map(|key| (key, from));
    if let Some(id) = query_value(body, "incident").filter(|_| !alert) {
        return key(format!("incident:{id}"), "url: incident");
    }
    if let Some(id) = query_value(body, "alert").filter(|_| alert) {
        return key(format!("alert:{id}"), "url: alert");
    }
    match (read::field(body, "rule_name").filter(|name| alert && !read::unexpanded(name)), application) {
        (Some(rule), application) => key(format!("rule:{rule}:{}", application.unwrap_or_default()), "rule_name, application"),
        (None, Some(application)) => key(format!("application:{application}"), "application"),
        (None, None) => None,
    }
}

fn severity(body: &Value, status: &str) -> (Severity, &'static str) {
    let bad = if tokens::is_one_of(status, &["CRITICAL", "WARNING", "INFO"]) { tokens::severity(status) } else { None };
    if let Some(severity) = bad {
        return (severity, "status");
    }
    match read::field(body, "severity").and_then(|word| tokens::severity(&word)) {
        Some(severity) => (severity, "severity"),
        None => (Severity::Error, "default: error"),
    }
}

fn alert_summary(body: &Value) -> Option<(String, &'static str)> {
    match (read::field(body, "rule_name"), read::field(body, "summary")) {
        (Some(rule), Some(summary)) => Some((format!("{rule}: {summary}"), "rule_name, summary")),
        (Some(text), None) => Some((text.into_owned(), "rule_name")),
        (None, Some(text)) => Some((text.into_owned(), "summary")),
        (None, None) => None,
    }
}

/// The first report's message, and how many more there are. `reports` is null when there are none.
fn report_summary(body: &Value) -> Option<(String, &'static str)> {
    let reports = body.get("reports").and_then(Value::as_array)?;
    let mut messages = reports.iter().filter_map(|report| read::first(report, &["message", "check", "name"]));
    let first: Found<'_> = messages.next()?;
    let text = match messages.count() {
        0 => first.text.into_owned(),
        more => format!("{} (and {more} more)", first.text),
    };
    Some((text, "reports"))
}

fn decorate(event: &mut Event, body: &Value) {
    event.client = Some(META.name.to_owned());
    event.client_url = read::owned(body, "url").filter(|url| read::is_web_address(url));
    labels::push_link(&mut event.links, read::field(body, "url"), META.name);
    event.custom_details = Some(body.clone());
}

fn deployment(body: &Value, stage: Stage, application: &str) -> Normalised {
    if stage == Stage::InProgress {
        return Normalised::ignored("the deployment is in progress");
    }
    let version = read::field(body, "version").map(|version| format!(" of {version}")).unwrap_or_default();
    let status = read::field(body, "status").unwrap_or_default().to_lowercase();
    let summary = format!("{application}: deployment{version} {status}");
    let mut normalised = Normalised { changes: vec![change(body, &summary, application)], ..Normalised::default() };
    let Some(dedup_key) = DedupKey::lenient(&format!("deployment:{application}")) else { return normalised };
    let action = if stage == Stage::Failed { Action::Trigger } else { Action::Resolve };
    let mut event = Event::new(action, dedup_key, &summary, application, Severity::Warning);
    event.class = Some("deployment".to_owned());
    decorate(&mut event, body);
    let origin = Origin {
        at: String::new(),
        action: "status".into(),
        dedup_key: "application".into(),
        summary: "application, version, status".into(),
        source: "application".into(),
        severity: "default: warning".into(),
    };
    match stage {
        Stage::Failed => normalised.items.push(Item::event(event, origin)),
        _ => {
            normalised.note = Some("the deployment went through".into());
            normalised.if_open.push(Mapped { event, origin });
        }
    }
    normalised
}

fn change(body: &Value, summary: &str, application: &str) -> ChangeEvent {
    let href = read::owned(body, "url").filter(|url| read::is_web_address(url));
    ChangeEvent {
        summary: clip(summary, SUMMARY_MAX).into_owned(),
        source: Some(application.to_owned()),
        occurred_at: None,
        custom_details: Some(body.clone()),
        links: href.map(|href| Link { href, text: Some(META.name.to_owned()) }).into_iter().collect(),
        images: Vec::new(),
        hops: 0,
    }
}
