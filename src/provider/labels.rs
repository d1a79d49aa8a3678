//! Alerts made of labels and annotations: what Alertmanager, Prometheus, vmalert and Grafana share.
//!
//! Owns how such an alert is read. What surrounds it (the body, the tool's extra links) is the business of each tool's file.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::event::{Action, DedupKey, Event, Link, Severity};
use crate::time::Timestamp;

use super::read::{self, Found};
use super::{Item, Mapped, Origin, key, tokens};

const SUMMARY: &[&str] = &["annotations.summary", "annotations.title", "annotations.message", "annotations.description"];
const LINKS: &[(&str, &str)] = &[
    ("generatorURL", "Source"),
    ("annotations.runbook_url", "Runbook"),
    ("annotations.runbook", "Runbook"),
    ("annotations.runbookURL", "Runbook"),
];

/// What surrounds an alert.
pub struct Context<'a> {
    /// The body that holds the alert; null where there is none.
    pub group: &'a Value,
    /// The tool's name, for events whose labels name no source.
    pub tool: &'static str,
    /// Where the source is looked for, below the alert.
    pub sources: &'static [&'static str],
    /// Whether the alert comes from the tool that evaluates it, whose `endsAt` says when it is over unless repeated.
    pub direct: bool,
    /// When the request was received.
    pub received_at: Timestamp,
    /// Whether the group is over although every alert in it still says that it fires ([`is_over`]).
    pub over: bool,
}

/// Whether a group is resolved as a whole although each of its alerts says `firing`. Alertmanager and Grafana resolve a group when its
/// last alert has ended, so neither sends this; whoever wrote such a body changed the state in the one place that people look at. One
/// alert that says `resolved` makes the others believable.
pub fn is_over(group: &Value) -> bool {
    let says = |value: &Value, word: &str| read::field(value, "status").is_some_and(|status| status.eq_ignore_ascii_case(word));
    let alerts = group.get("alerts").and_then(Value::as_array);
    says(group, "resolved") && alerts.is_some_and(|alerts| alerts.iter().all(|alert| says(alert, "firing")))
}

/// Reads one alert at the JSON pointer `at`.
///
/// Action: its `status`, unless the group is over as a whole; without one, that of a group that is resolved as a whole; without that, `resolve` once `endsAt` is
/// reached. Key: `fingerprint`, else [`fingerprint`] of the labels, else a guess.
pub fn item(alert: &Value, context: &Context<'_>, at: String) -> Item {
    match mapped(alert, context, at) {
        Ok(mapped) => Item::Event(Box::new(mapped)),
        Err((at, why)) => Item::Unmapped { at, why: why.into() },
    }
}

/// As [`item`], for tools that add to the event.
///
/// # Errors
/// `at`, and what was missing.
pub fn mapped(alert: &Value, context: &Context<'_>, at: String) -> Result<Mapped, (String, &'static str)> {
    let known = alert.get("labels").is_some_and(Value::is_object) || alert.get("fingerprint").and_then(read::scalar).is_some();
    if !known {
        return Err((at, "the alert has neither labels nor a fingerprint"));
    }
    let (action, action_from) = action(alert, context);
    let summary = summary(alert);
    let source =
        read::first(alert, context.sources).unwrap_or(Found { text: Cow::Borrowed(context.tool), path: "default: the tool" });
    let (severity, severity_from) = severity(alert, context.group);
    let (dedup_key, key_from, key_guessed) = dedup_key(alert, &summary.text, &source.text);
    let mut event = Event::new(action, dedup_key, &summary.text, &source.text, severity);
    event.key_guessed = key_guessed;
    event.class = read::owned(alert, "labels.alertname");
    event.component = read::first(alert, &["labels.component", "labels.job"]).map(|found| found.text.into_owned());
    event.group =
        read::first(alert, &["labels.group", "labels.cluster", "labels.namespace"]).map(|found| found.text.into_owned());
    event.client = Some(context.tool.to_owned());
    event.client_url = read::owned(context.group, "externalURL").filter(|url| read::is_web_address(url));
    event.links = links(alert);
    event.custom_details = Some(details(alert, context.group));
    times(&mut event, alert, context);
    let origin = Origin {
        at,
        action: action_from.into(),
        dedup_key: key_from.into(),
        summary: summary.path.into(),
        source: source.path.into(),
        severity: severity_from.into(),
    };
    Ok(Mapped { event, origin })
}

/// The key of the alert's labels as Alertmanager computes it (`model.LabelSet.Fingerprint`): FNV-1a, 64 bits, over name, 0xFF,
/// value, 0xFF of each label that is not null, sorted by name; 16 hex digits.
pub fn fingerprint(labels: &Map<String, Value>) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let add = |hash: u64, bytes: &[u8]| {
        bytes.iter().chain(&[0xff]).fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
    };
    // The map is sorted by name as long as serde_json's `preserve_order` is off; a test below watches over that.
    let hash = labels.iter().filter(|(_, value)| !value.is_null()).fold(OFFSET, |hash, (name, value)| {
        let hash = add(hash, name.as_bytes());
        match value {
            Value::String(text) => add(hash, text.as_bytes()),
            other => add(hash, other.to_string().as_bytes()),
        }
    });
    format!("{hash:016x}")
}

fn action(alert: &Value, context: &Context<'_>) -> (Action, &'static str) {
    if context.over {
        return (Action::Resolve, "status of the group");
    }
    if let Some(status) = read::field(alert, "status") {
        let resolved = status.eq_ignore_ascii_case("resolved");
        return (if resolved { Action::Resolve } else { Action::Trigger }, "status");
    }
    if read::field(context.group, "status").is_some_and(|status| status.eq_ignore_ascii_case("resolved")) {
        return (Action::Resolve, "status of the group");
    }
    match ends_at(alert) {
        Some(end) if end <= context.received_at => (Action::Resolve, "endsAt"),
        Some(_) => (Action::Trigger, "endsAt"),
        None => (Action::Trigger, "default: trigger"),
    }
}

/// `endsAt`, unless it is the zero time (year 1) of an alert that has not ended.
fn ends_at(alert: &Value) -> Option<Timestamp> {
    let parsed = alert.get("endsAt").and_then(read::time)?;
    (parsed.has_offset && parsed.at.0 > 0).then_some(parsed.at)
}

fn times(event: &mut Event, alert: &Value, context: &Context<'_>) {
    event.starts_at = Timestamp::trusted(alert.get("startsAt").and_then(read::time), context.received_at);
    event.occurred_at = event.starts_at;
    let end = ends_at(alert);
    if event.action == Action::Resolve {
        event.ends_at = end.and_then(|end| end.trusted_at(context.received_at));
        event.occurred_at = event.ends_at;
    } else if context.direct {
        event.expires_at = end.filter(|end| *end > context.received_at);
    }
}

fn summary(alert: &Value) -> Found<'_> {
    let said = read::first(alert, SUMMARY);
    let name = read::field(alert, "labels.alertname");
    // Grafana raises these two in the name of a rule, with the rule's own annotations: a page that repeats "CPU is high" when
    // in truth nothing was measured would mislead.
    match (said, name) {
        (said, Some(name)) if matches!(name.as_ref(), "DatasourceNoData" | "DatasourceError") => {
            let rule = said.map(|found| found.text).or_else(|| read::field(alert, "labels.rulename"));
            let text = rule.map_or_else(|| name.clone().into_owned(), |rule| format!("{name}: {rule}"));
            Found { text: Cow::Owned(text), path: "labels.alertname" }
        }
        (Some(said), _) => said,
        (None, Some(name)) => Found { text: name, path: "labels.alertname" },
        (None, None) => Found { text: Cow::Borrowed("Alert without a name"), path: "default: no summary, no alertname" },
    }
}

fn severity(alert: &Value, group: &Value) -> (Severity, &'static str) {
    let places = [
        (alert, "labels.severity"),
        (group, "commonLabels.severity"),
        (alert, "annotations.severity"),
        (group, "commonAnnotations.severity"),
    ];
    places
        .into_iter()
        .find_map(|(value, path)| Some((tokens::severity(&read::field(value, path)?)?, path)))
        .unwrap_or((Severity::Error, "default: error"))
}

fn dedup_key(alert: &Value, summary: &str, source: &str) -> (DedupKey, &'static str, bool) {
    let sent = alert.get("fingerprint").and_then(read::scalar).filter(|text| !read::unexpanded(text));
    let sent = sent.and_then(|text| DedupKey::lenient(&text));
    if let Some(key) = sent {
        return (key, "fingerprint", false);
    }
    let labels = alert.get("labels").and_then(Value::as_object).filter(|labels| labels.values().any(|value| !value.is_null()));
    match labels.and_then(|labels| DedupKey::lenient(&fingerprint(labels))) {
        Some(key) => (key, "labels (hashed as Alertmanager does)", false),
        None => (key::guess(summary, source), "default: guessed from summary and source", true),
    }
}

fn links(alert: &Value) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for (path, text) in LINKS {
        push_link(&mut links, read::field(alert, path), text);
    }
    let annotations = alert.get("annotations").and_then(Value::as_object);
    for (name, value) in annotations.into_iter().flatten().filter(|(name, _)| name.starts_with("dashboard")) {
        push_link(&mut links, read::text(value), if name == "dashboard" { "Dashboard" } else { name });
    }
    links
}

/// Adds a link to `href`, if it is an absolute web address that is not among `links` yet.
pub fn push_link(links: &mut Vec<Link>, href: Option<Cow<'_, str>>, text: &str) {
    if let Some(href) = href.filter(|href| read::is_web_address(href))
        && links.iter().all(|link| link.href != *href)
        && links.len() < crate::event::LINKS_MAX
    {
        links.push(Link { href: href.into_owned(), text: Some(text.to_owned()) });
    }
}

/// The alert as sent, and what names its group. Not the group's other alerts: a group of n would be stored n times n.
fn details(alert: &Value, group: &Value) -> Value {
    let mut details = alert.clone();
    if let Value::Object(members) = &mut details {
        for name in ["receiver", "groupKey"] {
            if let Some(value) = group.get(name).filter(|value| !value.is_null()) {
                members.entry(name).or_insert_with(|| value.clone());
            }
        }
    }
    details
}

/// What a body's `truncatedAlerts` asks for: with a count, a trigger that says that alerts are missing; with 0, a resolve of it.
/// `None` when the body does not say, or does not name its group.
pub fn truncation(group: &Value, tool: &'static str) -> Option<Mapped> {
    let count = group.get("truncatedAlerts").and_then(read::integer)?;
    let dedup_key = DedupKey::lenient(&format!("truncated:{}", group.get("groupKey").and_then(read::scalar)?))?;
    let origin = Origin {
        action: "truncatedAlerts".into(),
        dedup_key: "groupKey".into(),
        summary: "truncatedAlerts".into(),
        source: "default: the tool".into(),
        severity: "default: error".into(),
        at: String::new(),
    };
    if count <= 0 {
        let event = Event::new(Action::Resolve, dedup_key, "", tool, Severity::Error);
        return Some(Mapped { event, origin });
    }
    let receiver = read::field(group, "receiver").unwrap_or(Cow::Borrowed("(unnamed)"));
    let summary = format!("{tool} left {count} alerts out of a notification to receiver {receiver}: raise its max_alerts");
    let mut event = Event::new(Action::Trigger, dedup_key, &summary, tool, Severity::Error);
    event.class = Some("truncated".to_owned());
    event.client_url = read::owned(group, "externalURL").filter(|url| read::is_web_address(url));
    Some(Mapped { event, origin })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn of(labels: &Value) -> String {
        fingerprint(labels.as_object().unwrap())
    }

    #[test]
    fn fingerprints_are_fnv_1a_over_sorted_labels() {
        assert_eq!(of(&json!({})), "cbf29ce484222325", "the empty set is FNV's offset basis");
        assert_eq!(of(&json!({"b": "2", "a": "1"})), of(&json!({"a": "1", "b": "2"})));
        assert_eq!(of(&json!({"a": 1})), of(&json!({"a": "1"})));
        let unsorted: Value = serde_json::from_str(r#"{"z":"1","a":"2"}"#).unwrap();
        let names: Vec<&String> = unsorted.as_object().unwrap().keys().collect();
        assert_eq!(names, ["a", "z"], "serde_json must not preserve the order");
    }

    proptest! {
        #[test]
        fn alerts_that_differ_in_a_label_never_share_a_key(
            one in proptest::collection::btree_map(".{0,6}", ".{0,6}", 0..6),
            other in proptest::collection::btree_map(".{0,6}", ".{0,6}", 0..6),
        ) {
            let map = |labels: &BTreeMap<String, String>| labels.iter().map(|(k, v)| (k.clone(), json!(v))).collect::<Map<_, _>>();
            prop_assert_eq!(one == other, fingerprint(&map(&one)) == fingerprint(&map(&other)));
        }

        #[test]
        fn one_changed_value_is_another_key(labels in proptest::collection::btree_map("[a-z]{1,8}", ".{0,12}", 1..8), value in ".{0,12}") {
            let mut changed = labels.clone();
            let name = changed.keys().next().unwrap().clone();
            changed.insert(name.clone(), value.clone());
            let map = |labels: &BTreeMap<String, String>| labels.iter().map(|(k, v)| (k.clone(), json!(v))).collect::<Map<_, _>>();
            prop_assert_eq!(labels[&name] == value, fingerprint(&map(&labels)) == fingerprint(&map(&changed)));
        }
    }
}
