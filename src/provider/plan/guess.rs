//! What the fields of a body of no known shape most likely mean, by their names.

use std::borrow::Cow;

use serde_json::Value;

use super::reader::{Asked, Said};
use crate::event::{Action, DedupKey, Link, Severity};
use crate::provider::{labels, read, tokens};
use crate::time::Parsed;

const SUMMARY: &[&str] = &[
    "summary",
    "title",
    "subject",
    "alert_title",
    "message",
    "description",
    "text",
    "msg",
    "name",
    "alert_name",
    "alertname",
    "alertName",
    "monitor_name",
    "check_name",
    "alert.summary",
    "alert.title",
    "alert.message",
    "alert.name",
    "incident.summary",
    "incident.title",
    "event.summary",
    "event.title",
    "data.summary",
    "data.title",
    "annotations.summary",
    "labels.alertname",
];
const KEY: &[&str] = &[
    "dedup_key",
    "dedupKey",
    "alert_uid",
    "alert_id",
    "alertId",
    "incident_key",
    "incident_id",
    "incidentId",
    "fingerprint",
    "alert.id",
    "incident.id",
    "id",
    "key",
];
const SOURCE: &[&str] = &[
    "source",
    "host",
    "hostname",
    "server",
    "instance",
    "node",
    "device",
    "service",
    "service_name",
    "serviceName",
    "resource",
    "component",
    "application",
    "app",
    "origin",
    "system",
    "monitor",
    "alert.source",
    "alert.host",
    "labels.instance",
];
const SEVERITY: &[&str] = &[
    "severity",
    "level",
    "priority",
    "urgency",
    "criticality",
    "alert_level",
    "alert.severity",
    "alert.priority",
    "incident.severity",
    "payload.severity",
    "labels.severity",
];
const ACTION: &[&str] = &[
    "event_action",
    "status",
    "state",
    "action",
    "event",
    "event_type",
    "alert_status",
    "alert_state",
    "alertStatus",
    "alertState",
    "alert.status",
    "alert.state",
    "incident.status",
    "incident.state",
];
const TIME: &[&str] = &["timestamp", "time", "occurred_at", "occurredAt", "created_at", "createdAt", "date"];
const LINKS: &[(&str, &str)] = &[
    ("link_to_upstream_details", "Details"),
    ("link", "Link"),
    ("url", "Link"),
    ("html_url", "Link"),
    ("alert_url", "Alert"),
    ("dashboard_url", "Dashboard"),
    ("runbook_url", "Runbook"),
];
const IMAGE: &[&str] = &["image_url", "imageUrl", "image"];

pub(super) fn summary(value: &Value) -> Option<Said<'_>> {
    said(value, SUMMARY)
}

pub(super) fn source(value: &Value) -> Option<Said<'_>> {
    said(value, SOURCE)
}

fn said<'a>(value: &'a Value, paths: &[&'static str]) -> Option<Said<'a>> {
    texts(value, paths).next().map(|(text, path)| (text, path.into()))
}

/// The texts at `paths` that are more than an unexpanded variable.
fn texts<'a>(value: &'a Value, paths: &[&'static str]) -> impl Iterator<Item = (Cow<'a, str>, &'static str)> {
    paths.iter().filter_map(move |path| Some((read::field(value, path)?, *path))).filter(|(text, _)| !read::unexpanded(text))
}

pub(super) fn dedup_key(value: &Value) -> Option<(DedupKey, Cow<'static, str>)> {
    KEY.iter().find_map(|path| {
        let text = read::scalar(read::at(value, path)?).filter(|text| !read::unexpanded(text))?;
        Some((DedupKey::lenient(&text)?, Cow::Borrowed(*path)))
    })
}

/// What the alert asks for, by the first field whose word is known. A word that none knows pages.
pub(super) fn action(value: &Value) -> Result<Asked<'_>, &'static str> {
    let mut unknown = None;
    for (word, path) in texts(value, ACTION) {
        match tokens::meaning(&word) {
            Some(tokens::Meaning::Act(action)) => return Ok((action, path.into(), Some(word))),
            Some(tokens::Meaning::Nothing) => return Err("its state asks for nothing"),
            None => unknown = unknown.or(Some(path)),
        }
    }
    let from =
        unknown.map_or("default: trigger".into(), |path| format!("default: trigger (`{path}` holds an unknown word)").into());
    Ok((Action::Trigger, from, None))
}

pub(super) fn severity(value: &Value, state: Option<&str>) -> (Severity, Cow<'static, str>) {
    let named = texts(value, SEVERITY).find_map(|(word, path)| Some((tokens::severity(&word)?, Cow::Borrowed(path))));
    let stated = || Some((tokens::severity(state?)?, Cow::Borrowed("the state")));
    named.or_else(stated).unwrap_or((Severity::Error, "default: error".into()))
}

pub(super) fn time(value: &Value) -> Option<Parsed> {
    TIME.iter().find_map(|path| read::time(read::at(value, path)?))
}

pub(super) fn links(value: &Value, links: &mut Vec<Link>) {
    for (path, text) in LINKS {
        labels::push_link(links, read::field(value, path), text);
    }
}

pub(super) fn image(value: &Value) -> Option<String> {
    texts(value, IMAGE).map(|(text, _)| text.into_owned()).find(|text| read::is_web_address(text))
}
