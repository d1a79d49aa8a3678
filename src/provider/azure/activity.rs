//! Alerts on the activity log: <https://learn.microsoft.com/azure/azure-monitor/alerts/activity-log-alerts-webhook>. Among them Service
//! Health and Resource Health, which say in their properties what became of the problem.

use serde_json::Value;

use super::{last_segment, origin};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::{Item, key, read, tokens};
use crate::time::Timestamp;

/// What a health event says of its problem.
pub(super) struct Health {
    /// Its key, the same from the first news to the last.
    pub(super) key: DedupKey,
    /// Where that came from.
    pub(super) key_from: &'static str,
    /// Whether it is over.
    pub(super) action: Action,
    /// Where that came from.
    pub(super) action_from: &'static str,
    /// How bad it is: the rule's own severity is always the lowest.
    pub(super) severity: Severity,
    /// Where that came from.
    pub(super) severity_from: &'static str,
    /// Its title.
    pub(super) title: Option<String>,
}

/// The health event that `activity` is, if it is one.
pub(super) fn health(activity: &Value) -> Option<Health> {
    let title = read::owned(activity, "properties.title");
    let resolved = |path: &str, words: &[&str]| {
        let word = read::field(activity, path).or_else(|| read::field(activity, "status"));
        let over = word.is_some_and(|word| tokens::is_one_of(&word, words));
        if over { Action::Resolve } else { Action::Trigger }
    };
    match read::field(activity, "eventSource")?.as_ref() {
        "ServiceHealth" => {
            let id = read::field(activity, "properties.trackingId")?;
            let action = resolved("properties.stage", &["Resolved", "Complete", "Canceled", "RCA"]);
            let severity = match read::field(activity, "properties.incidentType").as_deref() {
                Some("Maintenance" | "Informational") => Severity::Info,
                Some("ActionRequired") => Severity::Warning,
                _ => Severity::Error,
            };
            Some(Health {
                key: DedupKey::lenient(&format!("service-health:{id}"))?,
                key_from: "properties.trackingId",
                action,
                action_from: "properties.stage",
                severity,
                severity_from: "properties.incidentType",
                title,
            })
        }
        "ResourceHealth" => {
            let id = read::first(activity, &["resourceId", "resourceUri", "authorization.scope"])?;
            let action = resolved("properties.currentHealthStatus", &["Available", "Resolved"]);
            let severity = match read::field(activity, "properties.currentHealthStatus").as_deref() {
                Some("Degraded" | "Unknown") => Severity::Warning,
                _ => Severity::Error,
            };
            Some(Health {
                key: DedupKey::lenient(&format!("resource-health:{}", id.text).to_lowercase())?,
                key_from: id.path,
                action,
                action_from: "properties.currentHealthStatus",
                severity,
                severity_from: "properties.currentHealthStatus",
                title,
            })
        }
        _ => None,
    }
}

/// An entry of the activity log, as action groups without the common schema send it. Other than health events it never resolves: that
/// an operation succeeded does not undo what failed.
pub(super) fn item(activity: &Value, body: &Value, at: String, now: Timestamp) -> Item {
    let operation = read::first(activity, &["operationName", "properties.title"]);
    let operation = operation.map_or("Activity log alert".into(), |found| found.text);
    let resource = read::field(activity, "resourceId");
    let source = resource.as_deref().map(last_segment).filter(|name| !name.is_empty()).unwrap_or("Azure Monitor").to_owned();
    let status = read::field(activity, "status").unwrap_or_default();
    let plain = match status.is_empty() {
        true => format!("{operation} on {source}"),
        false => format!("{operation} on {source}: {status}"),
    };
    let health = health(activity);
    let title = health.as_ref().and_then(|health| health.title.clone());
    let title = title.or_else(|| read::owned(activity, "description")).unwrap_or(plain);
    let level = read::field(activity, "level").and_then(|word| Some((tokens::severity(&word)?, "level")));
    let level = health.as_ref().map(|health| (health.severity, health.severity_from)).or(level);
    let (severity, severity_from) = level.unwrap_or((Severity::Error, "default: error"));
    let (action, action_from) =
        health.as_ref().map_or((Action::Trigger, "default: trigger"), |health| (health.action, health.action_from));
    let named = |health: &Health| (health.key.clone(), health.key_from, false);
    let (dedup_key, key_from, guessed) = match health.as_ref().map(named) {
        Some(key) => key,
        None => match resource.and_then(|id| DedupKey::lenient(&format!("activity:{id}:{operation}").to_lowercase())) {
            Some(key) => (key, "resourceId, operationName", false),
            None => (key::guess(&title, &source), "default: guessed from summary and source", true),
        },
    };
    let mut event = Event::new(action, dedup_key, &title, &source, severity);
    event.key_guessed = guessed;
    event.occurred_at = Timestamp::trusted(activity.get("eventTimestamp").and_then(read::time), now);
    event.class = read::owned(activity, "eventSource");
    event.component = read::owned(activity, "resourceProviderName").or_else(|| read::owned(activity, "properties.service"));
    event.group = read::owned(activity, "resourceGroupName");
    event.custom_details = Some(body.clone());
    Item::event(
        event,
        origin(at, action_from, key_from, "properties.title, description, operationName", "resourceId", severity_from),
    )
}
