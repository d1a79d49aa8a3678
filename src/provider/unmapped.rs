//! The catch-all event: what becomes of a body, or of one alert in it, that is not a shape its tool sends. An ugly page beats a
//! lost one.
//!
//! Owns its key (the shape of the payload, so that one misconfigured template is one incident) and its bounds in work and size.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::event::{Action, DedupKey, Event, Severity};

use super::Meta;

/// Bytes of the payload that the incident shows.
const SHOWN_MAX: usize = 16 * 1024;
/// Values looked at for the shape.
const VISITS_MAX: usize = 4_096;
/// Elements looked at in each array: its shape counts, not its length.
const ELEMENTS_MAX: usize = 16;
/// Characters of each member's name that count.
const NAME_MAX: usize = 64;
/// Credentials that senders copy into bodies whatever the tool.
const SECRET_FIELDS: &[&str] = &["routing_key", "service_key", "integration_key", "api_key"];

/// The catch-all event for `json` (a whole body, or one alert of it), or for a `body` that is not JSON; `why` says what was missing, in words that name no value of the body. Severity `error`, key `unmapped:` and 16 hex
/// digits of the payload's shape, or `unmapped:not-json`; the payload, without credential fields and at most 16 KiB of it, is in
/// `custom_details.payload`.
pub fn event(tool: &Meta, json: Option<&Value>, body: &[u8], why: &str) -> Event {
    let (name, secrets) = (tool.name, tool.secret_fields);
    let shape = json.map(shape).unwrap_or_default();
    let key = if json.is_none() { DedupKey::lenient("unmapped:not-json") } else { None };
    let key = key.unwrap_or_else(|| DedupKey::hashed("unmapped:", shape.as_bytes()));
    let summary = format!("{name} sent something that could not be read as an alert: {why}");
    let mut event = Event::new(Action::Trigger, key, &summary, name, Severity::Error);
    let (payload, truncated) = match json {
        Some(value) => bounded(value, secrets),
        None => (text(body), body.len() > SHOWN_MAX),
    };
    event.custom_details = Some(json!({ "why": why, "payload": payload, "truncated": truncated }));
    event.class = Some("unmapped".to_owned());
    event
}

/// The sorted set of paths and types, one a line. Indexes collapse to `[]`.
fn shape(value: &Value) -> String {
    let mut lines = BTreeSet::new();
    let mut visits = VISITS_MAX;
    walk(value, &mut String::from("$"), &mut lines, &mut visits);
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

fn walk(value: &Value, path: &mut String, lines: &mut BTreeSet<String>, visits: &mut usize) {
    if *visits == 0 {
        return;
    }
    *visits -= 1;
    lines.insert(format!("{path}:{}", type_name(value)));
    let length = path.len();
    match value {
        Value::Array(elements) => {
            path.push_str("[]");
            for element in elements.iter().take(ELEMENTS_MAX) {
                walk(element, path, lines, visits);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                path.push('.');
                path.extend(name.chars().take(NAME_MAX));
                walk(member, path, lines, visits);
                path.truncate(length);
            }
        }
        _ => {}
    }
    path.truncate(length);
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The payload as it is when it is small enough, else the start of its text.
fn bounded(value: &Value, secrets: &[&str]) -> (Value, bool) {
    let secret = |name: &str| secrets.contains(&name) || SECRET_FIELDS.contains(&name);
    let mut out = Limited(Vec::new());
    let written = match value {
        Value::Object(members) => serde_json::to_writer(&mut out, &Visible(members, &secret)),
        other => serde_json::to_writer(&mut out, other),
    };
    match written.ok().and_then(|()| serde_json::from_slice(&out.0).ok()) {
        Some(small) => (small, false),
        None => (text(&out.0), true),
    }
}

/// At most [`SHOWN_MAX`] bytes as text.
fn text(bytes: &[u8]) -> Value {
    let shown = bytes.get(..SHOWN_MAX).unwrap_or(bytes);
    Value::String(String::from_utf8_lossy(shown).replace('\0', ""))
}

/// An object without its credential fields.
struct Visible<'a, F>(&'a Map<String, Value>, &'a F);

impl<F: Fn(&str) -> bool> serde::Serialize for Visible<'_, F> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(name, _)| !(self.1)(name)))
    }
}

/// Keeps [`SHOWN_MAX`] bytes, then fails, so that a large payload is not written out to be thrown away.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = SHOWN_MAX.saturating_sub(self.0.len());
        let fits = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.0.extend_from_slice(fits);
        if fits.len() < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Registry;

    fn event(tool: &str, json: Option<&Value>, body: &[u8], why: &str) -> Event {
        super::event(Registry::built_in().by_type(tool).unwrap().meta(), json, body, why)
    }

    fn key(value: &Value) -> String {
        event("webhook", Some(value), b"", "x").dedup_key.as_str().to_owned()
    }

    #[test]
    fn the_key_is_the_shape_not_the_content() {
        let one = json!({"a": [{"b": 1}], "c": "x"});
        assert_eq!(key(&one), key(&json!({"c": "y", "a": [{"b": 2}, {"b": 3}]})));
        assert_ne!(key(&one), key(&json!({"a": [{"b": "1"}], "c": "x"})), "another type");
        assert_ne!(key(&one), key(&json!({"a": [{"b": 1}]})), "another set of paths");
        assert_eq!(key(&one).len(), "unmapped:".len() + 16);
        assert_eq!(event("webhook", None, b"hi", "x").dedup_key.as_str(), "unmapped:not-json");
    }

    #[test]
    fn names_the_tool_and_the_reason() {
        let event = event("grafana", Some(&json!([])), b"[]", "no alerts");
        assert_eq!(event.summary, "Grafana sent something that could not be read as an alert: no alerts");
        assert_eq!((event.source.as_str(), event.severity), ("Grafana", Severity::Error));
    }

    #[test]
    fn large_payloads_are_cut_and_credentials_left_out() {
        let large = json!({ "text": "é".repeat(20_000) });
        let details = event("webhook", Some(&large), b"", "x").custom_details.unwrap();
        assert_eq!(details["truncated"], true);
        assert!(details["payload"].as_str().unwrap().len() <= SHOWN_MAX + 3);
        let details = event("webhook", Some(&json!({"routing_key": "secret", "a": 1})), b"", "x").custom_details.unwrap();
        assert_eq!(details["payload"], json!({"a": 1}));
        assert_eq!(details["truncated"], false);
        let details = event("webhook", None, &[0xff, b'a', 0], "x").custom_details.unwrap();
        assert_eq!(details["payload"], "\u{fffd}a");
    }

    #[test]
    fn work_is_bounded() {
        let wide: Map<String, Value> = (0..50_000).map(|n| (format!("k{n}"), json!(n))).collect();
        assert!(shape(&Value::Object(wide)).lines().count() <= VISITS_MAX);
        let long: Vec<Value> = (0..100_000).map(|n| json!({"n": n})).collect();
        assert_eq!(shape(&Value::Array(long)).lines().count(), 3);
    }
}
