//! What an explanation said against what the post did, field by field.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// Fields of an explained event that its row in the store has too.
const OF_EVENTS: [&str; 6] = ["action", "dedup_key", "outcome", "severity", "summary", "source"];
/// Fields of an explained event that the incident it opens shows under the same name.
const OF_INCIDENTS: [&str; 9] =
    ["dedup_key", "severity", "source", "component", "group", "class", "custom_details", "client", "client_url"];

/// Panics unless each event is as was said, in the order said.
pub fn events(case: &str, said: &Value, did: &[Value]) {
    let said = said["events"].as_array().unwrap();
    let only = |event: &Value| OF_EVENTS.map(|field| event[field].clone());
    let (expected, got): (Vec<_>, Vec<_>) = (said.iter().map(only).collect(), did.iter().map(only).collect());
    assert_eq!(expected, got, "{case}: left is what explain said, right is what the post did ({OF_EVENTS:?})");
    for (said, did) in said.iter().zip(did) {
        // A match is an incident that was there before; what the request itself opens has no id that could be named.
        if let Some(id) = said["incident"]["id"].as_str() {
            assert_eq!(did["incident_id"], id, "{case}: {said}");
        }
    }
}

/// The events that opened an incident and were its only ones, with the incident's id.
pub fn opened<'a>(said: &'a Value, did: &'a [Value]) -> Vec<(&'a Value, &'a str)> {
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for id in did.iter().filter_map(|event| event["incident_id"].as_str()) {
        *counts.entry(id).or_default() += 1;
    }
    let said = said["events"].as_array().unwrap().iter();
    let pairs = said.zip(did).filter(|(said, _)| said["incident"].is_null() && said["action"] == "trigger");
    pairs.filter_map(|(said, did)| Some((said, did["incident_id"].as_str()?))).filter(|(_, id)| counts[id] == 1).collect()
}

/// Panics unless the incident shows what was said of the event that opened it.
pub fn incident(case: &str, said: &Value, shown: &Value) {
    assert_eq!(said["summary"], shown["title"], "{case}: title");
    assert_eq!(said["summary"], shown["first_summary"], "{case}: first_summary");
    for field in OF_INCIDENTS {
        assert_eq!(said[field], shown[field], "{case}: {field} of the incident");
    }
    for (field, target) in [("links", "href"), ("images", "src")] {
        assert_eq!(united(&said[field], target), shown[field], "{case}: {field} of the incident");
    }
}

/// An event has its links as they were sent; an incident has one a target.
fn united(links: &Value, target: &str) -> Value {
    let mut seen = HashSet::new();
    let links = links.as_array().into_iter().flatten();
    links.filter(|link| seen.insert(link[target].as_str().unwrap())).cloned().collect()
}
