//! The wire form of PagerDuty's Events API v2: what is a valid event, and the words for what is not.
//!
//! Facts: <https://developer.pagerduty.com/docs/events-api-v2/overview/>. Where PagerDuty's wording was never published, its
//! style is followed. Knows nothing of which keys exist.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::answer::Answer;
use super::wire::{self, Details, Draft, Problems, Provenance, Text};
use super::{Action, ChangeEvent, DedupKey, Invalid, SUMMARY_MAX, Severity};
use crate::time::Timestamp;

/// Whose rules an event is read by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// PagerDuty's own route: strict, and the routing key is part of the event.
    PagerDuty,
    /// Our route for people: severity defaults to `error`, source to the client or `api`, the credential is the caller's
    /// business, and of equal names the last one counts.
    Api,
}

const KEY_BLANK: &str = "'routing_key' cannot be blank";
const KEY_LENGTH: &str = "Length of 'routing_key' is incorrect (should be 32 characters)";
const KEY_CHARACTERS: &str = "'routing_key' cannot contain non-alphanumeric characters.";
const ACTION_INVALID: &str = "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')";
const DEDUP_KEY_PROBLEMS: [&str; 2] =
    ["'dedup_key' is invalid (must be a string)", "'dedup_key' is too long (maximum is 255 characters)"];
const SEVERITY_INVALID: &str =
    "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')";
/// PagerDuty's own spelling; clients compare it.
const SUMMARY_TOO_LONG: &str = "'summary' is too long (maiximum is 1024 characters)";
const TIMESTAMP_INVALID: &str = "'payload.timestamp' is invalid (must be an ISO 8601 date and time)";

/// The routing key of an event or change event: the body's `routing_key`, else `header_key` (`X-Routing-Key`).
///
/// # Errors
/// It is missing, blank or not 32 letters and digits; every reason is listed.
pub fn routing_key<'a>(value: &'a Value, header_key: Option<&'a str>) -> Result<&'a str, Invalid> {
    let sent = value.get("routing_key");
    let key = match sent {
        Some(Value::String(key)) if !key.trim().is_empty() => key,
        // No number prints as 32 letters and digits.
        Some(Value::Number(_)) => return Err(Invalid { problems: vec![KEY_LENGTH.into()] }),
        _ => header_key.filter(|key| !key.trim().is_empty()).ok_or_else(|| Invalid { problems: vec![KEY_BLANK.into()] })?,
    };
    let mut problems = Problems::default();
    let (length, characters) = wire::key_shape(key);
    if !length {
        problems.add(KEY_LENGTH);
    }
    if !characters {
        problems.add(KEY_CHARACTERS);
    }
    problems.check().map(|()| key)
}

/// Reads an event. `duplicates` are the names that the body's outermost object holds more than once; `received_at` decides
/// whether the event's own time can be trusted.
///
/// # Errors
/// Everything that is wrong with it; in [`Mode::PagerDuty`] with the routing key's problems.
pub fn parse<'a>(
    value: &'a Value,
    duplicates: &[String],
    header_key: Option<&str>,
    mode: Mode,
    received_at: Timestamp,
) -> Result<Draft<'a>, Invalid> {
    let body = object(value)?;
    let mut problems = Problems::default();
    if mode == Mode::PagerDuty {
        problems.add_repeated(duplicates, &["routing_key", "event_action", "dedup_key", "payload"]);
        routing_key(value, header_key).err().into_iter().for_each(|invalid| problems.extend(invalid));
    }
    let action = action(body, &mut problems);
    let dedup_key = dedup_key(body, action, &mut problems);
    let strict = is_validated(action, body);
    let payload = payload(body, strict, &mut problems);
    let reader = Reader { fields: payload, strict: strict && is_readable(body), mode };
    let client = wire::optional(body.get("client"));
    let summary = reader.summary(&mut problems);
    let (source, source_from) = reader.source(client.as_deref(), &mut problems);
    let (severity, severity_from) = reader.severity(&mut problems);
    let occurred_at = Timestamp::trusted(reader.timestamp(&mut problems), received_at);
    problems.check()?;
    let provenance = Provenance {
        action: "event_action",
        dedup_key: if dedup_key.is_some() { "dedup_key" } else { "generated" },
        summary: "payload.summary",
        source: source_from,
        severity: severity_from,
    };
    // Without problems there is an action.
    let action = action.unwrap_or(Action::Trigger);
    let details = Details { client, occurred_at, ..reader.details(body) };
    Ok(Draft { action, dedup_key, summary, source, severity, provenance, details })
}

/// Reads a change event. A time without an offset is read as UTC: it is shown, nothing is ordered by it.
///
/// # Errors
/// Everything that is wrong with it, the routing key's problems included.
pub fn parse_change(value: &Value, duplicates: &[String], header_key: Option<&str>) -> Result<ChangeEvent, Invalid> {
    let body = object(value)?;
    let mut problems = Problems::default();
    problems.add_repeated(duplicates, &["routing_key", "payload"]);
    routing_key(value, header_key).err().into_iter().for_each(|invalid| problems.extend(invalid));
    let payload = payload(body, true, &mut problems);
    let reader = Reader { fields: payload, strict: is_readable(body), mode: Mode::PagerDuty };
    let summary = reader.summary(&mut problems);
    let time = reader.timestamp(&mut problems);
    problems.check()?;
    Ok(ChangeEvent {
        summary: summary.into_owned(),
        source: wire::optional(reader.get("source")),
        occurred_at: time.map(|parsed| parsed.at),
        custom_details: reader.custom_details(),
        links: wire::links(body.get("links")),
        images: wire::images(body.get("images")),
        hops: 0,
    })
}

/// 202: the event is on disk.
pub fn accepted(dedup_key: &DedupKey) -> Answer<'_> {
    Answer { dedup_key: Some(dedup_key.as_str()), ..Answer::processed() }
}

/// 202: the change event is on disk.
pub fn change_accepted() -> Answer<'static> {
    Answer::change_processed()
}

/// 400: JSON, but not a valid event.
pub fn invalid(invalid: &Invalid) -> Answer<'_> {
    Answer::invalid(invalid)
}

/// 400: a well-formed routing key that no integration has.
pub fn unknown_key() -> Answer<'static> {
    Answer::invalid_because(&[Cow::Borrowed("Invalid routing key")])
}

/// 400: not JSON.
pub fn unrecognised() -> Answer<'static> {
    Answer::unrecognised("Unrecognized object")
}

/// 429: over the rate limit.
pub fn throttled() -> Answer<'static> {
    Answer::throttled()
}

fn object(value: &Value) -> Result<&Map<String, Value>, Invalid> {
    value.as_object().ok_or_else(|| Invalid { problems: vec!["Event must be a JSON object".into()] })
}

fn action(body: &Map<String, Value>, problems: &mut Problems) -> Option<Action> {
    let action = match body.get("event_action") {
        Some(Value::String(word)) if !word.trim().is_empty() => Action::parse(word).ok_or(ACTION_INVALID),
        None | Some(Value::Null | Value::String(_)) => Err("'event_action' is missing or blank"),
        Some(_) => Err(ACTION_INVALID),
    };
    action.map_err(|problem| problems.add(problem)).ok()
}

fn dedup_key(body: &Map<String, Value>, action: Option<Action>, problems: &mut Problems) -> Option<DedupKey> {
    let value = body.get("dedup_key");
    if matches!(action, Some(Action::Acknowledge | Action::Resolve)) && matches!(Text::of(value), Text::Absent) {
        problems.add("'dedup_key' is missing or blank");
    }
    wire::dedup_key(value, DEDUP_KEY_PROBLEMS, problems)
}

/// Acknowledges and resolves need no payload, so theirs may be anything; an event without a valid action is judged by what it brings.
fn is_validated(action: Option<Action>, body: &Map<String, Value>) -> bool {
    match action {
        Some(Action::Trigger) => true,
        Some(Action::Acknowledge | Action::Resolve) => false,
        None => body.contains_key("payload"),
    }
}

/// Whether the payload's fields can be looked at: it is an object, or missing, which is an object without fields.
fn is_readable(body: &Map<String, Value>) -> bool {
    matches!(body.get("payload"), None | Some(Value::Null | Value::Object(_)))
}

fn payload<'a>(body: &'a Map<String, Value>, strict: bool, problems: &mut Problems) -> Option<&'a Map<String, Value>> {
    if strict && !is_readable(body) {
        problems.add("'payload' is invalid (must be an object)");
    }
    body.get("payload").and_then(Value::as_object)
}

/// Reads the payload's fields.
struct Reader<'a> {
    fields: Option<&'a Map<String, Value>>,
    /// Whether what is missing or wrong is a problem.
    strict: bool,
    mode: Mode,
}

impl<'a> Reader<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields?.get(name)
    }

    fn summary(&self, problems: &mut Problems) -> Cow<'a, str> {
        let summary = self.text("summary", "'payload.summary'", problems).unwrap_or_default();
        if self.strict && summary.len() > SUMMARY_MAX && summary.chars().nth(SUMMARY_MAX).is_some() {
            problems.add(SUMMARY_TOO_LONG);
        }
        summary
    }

    fn source(&self, client: Option<&str>, problems: &mut Problems) -> (Cow<'a, str>, &'static str) {
        let defaults = self.mode == Mode::Api && matches!(Text::shown(self.get("source")), Text::Absent);
        match client {
            Some(client) if defaults => (Cow::Owned(client.to_owned()), "client"),
            None if defaults => (Cow::Borrowed("api"), "default: api"),
            _ => (self.text("source", "'payload.source'", problems).unwrap_or_default(), "payload.source"),
        }
    }

    fn severity(&self, problems: &mut Problems) -> (Severity, &'static str) {
        let word = match self.get("severity") {
            None | Some(Value::Null) => None,
            Some(Value::String(word)) if word.trim().is_empty() => None,
            Some(other) => Some(other.as_str().and_then(Severity::parse)),
        };
        match word {
            Some(Some(severity)) => return (severity, "payload.severity"),
            Some(None) if self.strict => problems.add(SEVERITY_INVALID),
            None if self.strict && self.mode == Mode::PagerDuty => problems.add("'payload.severity' is missing or blank"),
            _ => {}
        }
        (Severity::Error, "default: error")
    }

    fn timestamp(&self, problems: &mut Problems) -> Option<crate::time::Parsed> {
        let parsed = match Text::of(self.get("timestamp")) {
            Text::Absent => return None,
            Text::Given(text) => Timestamp::parse(&text),
            Text::Wrong => None,
        };
        if parsed.is_none() && self.strict {
            problems.add(TIMESTAMP_INVALID);
        }
        parsed
    }

    /// The optional fields that need no judgement.
    fn details(&self, body: &Map<String, Value>) -> Details {
        Details {
            component: wire::optional(self.get("component")),
            group: wire::optional(self.get("group")),
            class: wire::optional(self.get("class")),
            custom_details: self.custom_details(),
            links: wire::links(body.get("links")),
            images: wire::images(body.get("images")),
            client_url: wire::optional(body.get("client_url")),
            ..Details::default()
        }
    }

    /// Any JSON but null.
    fn custom_details(&self) -> Option<Value> {
        self.get("custom_details").filter(|details| !details.is_null()).cloned()
    }

    /// A text that must be there.
    fn text(&self, name: &str, shown_as: &str, problems: &mut Problems) -> Option<Cow<'a, str>> {
        let text = Text::shown(self.get(name));
        match text {
            Text::Absent if self.strict => problems.add(format!("{shown_as} is missing or blank")),
            Text::Wrong if self.strict => problems.add(format!("{shown_as} is invalid (must be a string)")),
            _ => {}
        }
        text.ok()
    }
}

#[cfg(test)]
mod tests;
