//! The common alert schema.

use std::borrow::Cow;

use serde_json::Value;

use super::{activity, last_segment, origin};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::{Item, key, labels, read, tokens};
use crate::time::Timestamp;

/// The alert of `essentials`, whose context stands beside it in `data`.
pub(super) fn item(essentials: &Value, data: &Value, body: &Value, at: String, now: Timestamp) -> Item {
    let context = data.get("alertContext").unwrap_or(&Value::Null);
    let rule = read::field(essentials, "alertRule").unwrap_or("Azure Monitor alert".into());
    let (source, source_from) = source(essentials).unwrap_or((Cow::Borrowed("Azure Monitor"), "default: the tool"));
    let health = activity::health(context);
    let title = health.as_ref().and_then(|health| health.title.clone());
    let title = title.map(|title| (title.into(), "alertRule, alertContext.properties.title"));
    let said = title.or_else(|| Some((read::field(essentials, "description")?, "alertRule, description")));
    let said = said.or_else(|| Some((condition(context)?.into(), "alertRule, its condition")));
    let (summary, summary_from) = match said {
        Some((text, from)) => (format!("{rule}: {text}"), from),
        None => (format!("{rule} on {source}"), "alertRule"),
    };
    let state = read::field(essentials, "monitorCondition");
    let (action, action_from) = match state.as_deref() {
        Some(word) if tokens::is_one_of(word, &["Resolved"]) => (Action::Resolve, "monitorCondition"),
        Some(_) => (Action::Trigger, "monitorCondition"),
        None => (Action::Trigger, "default: trigger"),
    };
    let (dedup_key, key_from, guessed) = dedup_key(essentials, &summary, &source);
    let severity = read::field(essentials, "severity").and_then(|word| tokens::severity(&word));
    let mut event = Event::new(action, dedup_key, &summary, &source, severity.unwrap_or(Severity::Error));
    event.key_guessed = guessed;
    let time = if action == Action::Resolve { "resolvedDateTime" } else { "firedDateTime" };
    event.occurred_at = Timestamp::trusted(essentials.get(time).and_then(read::time), now);
    event.class = read::owned(essentials, "signalType");
    event.component = read::owned(essentials, "monitoringService");
    event.group = read::owned(essentials, "targetResourceGroup");
    event.client = Some("Azure Monitor".to_owned());
    event.client_url = read::field(essentials, "alertId").filter(|id| id.starts_with('/')).map(|id| portal(&id));
    labels::push_link(&mut event.links, event.client_url.clone().map(Cow::Owned), "Alert");
    links(&mut event, essentials, context);
    event.custom_details = Some(body.clone());
    let severity_from = if severity.is_some() { "severity" } else { "default: error" };
    let mut origin = origin(at, action_from, key_from, summary_from, source_from, severity_from);
    // Each update of a health event fires by itself, and none says Resolved: what the context says counts. So does its time: when the
    // rule fired is later, and not to be compared with it.
    if let Some(health) = health {
        event.dedup_key = health.key;
        event.key_guessed = false;
        event.action = if action == Action::Resolve { action } else { health.action };
        event.occurred_at = Timestamp::trusted(context.get("eventTimestamp").and_then(read::time), now);
        event.severity = health.severity;
        (origin.dedup_key, origin.action) = (health.key_from.into(), health.action_from.into());
        origin.severity = health.severity_from.into();
    }
    Item::event(event, origin)
}

/// `alertId` names this instance of the alert; ids of resources have no case.
fn dedup_key(essentials: &Value, summary: &str, source: &str) -> (DedupKey, &'static str, bool) {
    for (path, name) in [("alertId", "alertId"), ("originAlertId", "originAlertId")] {
        let id = essentials.get(path).and_then(read::scalar).filter(|id| !read::unexpanded(id));
        if let Some(key) = id.and_then(|id| DedupKey::lenient(&id.to_lowercase())) {
            return (key, name, false);
        }
    }
    let rule = read::field(essentials, "alertRuleId");
    let named = rule.and_then(|rule| DedupKey::lenient(&format!("{rule}:{source}").to_lowercase()));
    match named {
        Some(key) => (key, "alertRuleId and the target", false),
        None => (key::guess(summary, source), "default: guessed from summary and source", true),
    }
}

fn source(essentials: &Value) -> Option<(Cow<'_, str>, &'static str)> {
    let first = |path: &str| essentials.get(path)?.get(0).and_then(read::text);
    if let Some(item) = first("configurationItems") {
        return Some((item, "configurationItems.0"));
    }
    if let Some(target) = first("alertTargetIDs") {
        return Some((last_segment(&target).to_owned().into(), "alertTargetIDs.0"));
    }
    Some((read::field(essentials, "targetResourceGroup")?, "targetResourceGroup"))
}

/// The first condition in words: `Percentage CPU GreaterThan 80 (is 97.1)`.
fn condition(context: &Value) -> Option<String> {
    let one = context.pointer("/condition/allOf/0")?;
    let name = read::first(one, &["metricName", "metricMeasureColumn", "searchQuery"])?;
    let mut text = name.text.into_owned();
    for path in ["operator", "threshold"] {
        if let Some(part) = read::field(one, path) {
            text.push(' ');
            text.push_str(&part);
        }
    }
    if let Some(value) = read::field(one, "metricValue") {
        text.push_str(&format!(" (is {value})"));
    }
    Some(text)
}

fn links(event: &mut Event, essentials: &Value, context: &Value) {
    let links = &mut event.links;
    labels::push_link(links, read::field(essentials, "investigationLink"), "Investigation");
    for path in ["linkToSearchResultsUI", "LinkToSearchResults", "linkToFilteredSearchResultsUI"] {
        labels::push_link(links, read::field(context, path), "Search results");
    }
    let all = context.pointer("/condition/allOf").and_then(Value::as_array);
    for one in all.into_iter().flatten() {
        labels::push_link(links, read::field(one, "linkToSearchResultsUI"), "Search results");
    }
}

/// The alert's page in the portal.
fn portal(id: &str) -> String {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let blade = "Microsoft_Azure_Monitoring/AlertDetailsTemplateBlade";
    format!("https://portal.azure.com/#blade/{blade}/alertId/{}", id.replace('+', "%20"))
}
