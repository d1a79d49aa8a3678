//! Replays the conformance cases, where they are at hand, through the pure functions: all whose answer depends on the body alone.

use std::path::Path;

use serde_json::{Value, json};

use super::{DedupKey, v1, v2};
use crate::json;
use crate::time::Timestamp;

const KEYS: [(&str, &str); 2] =
    [("$ROUTING_KEY_2", "22222222222222222222222222222222"), ("$ROUTING_KEY", "0123456789abcdef0123456789abcdef")];
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[test]
fn every_case_about_the_body_is_answered_as_expected() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/cases.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no conformance cases at {}", path.display());
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut failures = Vec::new();
    let mut replayed = 0;
    for case in cases.iter().filter(|case| case["method"] == "POST") {
        let body = body_of(&case["body"]);
        let Some((status, answer)) = answer(case["path"].as_str().unwrap(), header_key(case), &body) else { continue };
        replayed += 1;
        let expected = &case["expect"];
        if expected["status"] != status || !contains(&answer, &substituted(&expected["json_subset"])) {
            failures.push(format!("{}: {status} {answer}, expected {expected}", case["name"]));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(replayed > 90, "only {replayed} cases were replayed");
}

/// The answer of a service that knows the two keys; `None` for what the body alone does not decide.
fn answer(path: &str, header_key: Option<String>, body: &[u8]) -> Option<(u16, Value)> {
    let known = |key: &str| KEYS.iter().any(|(_, value)| *value == key);
    let to_value = |answer| serde_json::to_value::<super::Answer<'_>>(answer).unwrap();
    let header = header_key.as_deref();
    if body.len() > 512 * 1024 {
        return None;
    }
    let parsed = json::parse(body);
    let (value, duplicates) = parsed.map_or((Value::Null, None), |parsed| (parsed.value, Some(parsed.duplicates)));
    Some(match (path.trim_end_matches('/'), duplicates) {
        ("/v2/enqueue" | "/v2/change/enqueue", None) => (400, to_value(v2::unrecognised())),
        ("/v2/enqueue" | "/v2/change/enqueue", _) if v2::routing_key(&value, header).is_ok_and(|key| !known(key)) => {
            (400, to_value(v2::unknown_key()))
        }
        ("/v2/enqueue", Some(twice)) => match v2::parse(&value, &twice, header, v2::Mode::PagerDuty, NOW) {
            Ok(draft) => (202, to_value(v2::accepted(&draft.into_event(DedupKey::random).unwrap().dedup_key))),
            Err(invalid) => (400, to_value(v2::invalid(&invalid))),
        },
        ("/v2/change/enqueue", Some(twice)) => match v2::parse_change(&value, &twice, header) {
            Ok(_) => (202, to_value(v2::change_accepted())),
            Err(invalid) => (400, to_value(v2::invalid(&invalid))),
        },
        ("/generic/2010-04-15/create_event.json", None) => (400, to_value(v1::unrecognised())),
        ("/generic/2010-04-15/create_event.json", _) if v1::service_key(&value).is_ok_and(|key| !known(key)) => {
            (400, to_value(v1::unknown_key()))
        }
        ("/generic/2010-04-15/create_event.json", Some(twice)) => match v1::parse(&value, &twice) {
            Ok(draft) => (200, to_value(v1::accepted(&draft.into_event(DedupKey::random).unwrap().dedup_key))),
            Err(invalid) => (400, to_value(v1::invalid(&invalid))),
        },
        _ => return None,
    })
}

fn header_key(case: &Value) -> Option<String> {
    let headers = case["headers"].as_object()?;
    headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("x-routing-key"))
        .map(|(_, value)| expanded(value.as_str().unwrap()))
}

fn body_of(body: &Value) -> Vec<u8> {
    match body.get("$raw") {
        Some(raw) => expanded(raw.as_str().unwrap()).into_bytes(),
        None => serde_json::to_vec(&substituted(body)).unwrap(),
    }
}

/// The value with the markers in its texts replaced.
fn substituted(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(expanded(text)),
        Value::Array(items) => items.iter().map(substituted).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), substituted(value))).collect()),
        other => other.clone(),
    }
}

fn expanded(text: &str) -> String {
    let text = KEYS.iter().fold(text.to_owned(), |text, (marker, key)| text.replace(marker, key));
    let Some((before, rest)) = text.split_once("$REPEAT(") else { return text };
    let (what, rest) = rest.split_once(',').unwrap();
    let (times, after) = rest.split_once(')').unwrap();
    format!("{before}{}{after}", what.repeat(times.parse().unwrap()))
}

/// Whether `value` has all that `subset` asks for.
fn contains(value: &Value, subset: &Value) -> bool {
    match (value, subset) {
        (Value::String(text), Value::String(wanted)) if wanted == "$NONEMPTY" => !text.is_empty(),
        (Value::Object(have), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| have.get(name).is_some_and(|value| contains(value, wanted)))
        }
        (Value::Array(have), Value::Array(wanted)) => wanted.iter().all(|item| have.iter().any(|value| contains(value, item))),
        (value, subset) => value == subset,
    }
}
