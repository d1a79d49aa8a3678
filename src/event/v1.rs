//! The wire form of PagerDuty's Events API v1: what is a valid event, and the words for what is not.
//!
//! Facts: <https://developer.pagerduty.com/docs/events-api-v1/overview/>. Version 1 has no severity and no source: `error`, and
//! the client's name. Knows nothing of which keys exist.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::answer::Answer;
use super::wire::{self, Details, Draft, Problems, Provenance, Text};
use super::{Action, DedupKey, Image, Invalid, LINKS_MAX, Link, SUMMARY_MAX, Severity};

const TYPE_INVALID: &str = "event_type is invalid (must be one of: trigger acknowledge resolve)";
const KEY_PROBLEMS: [&str; 2] =
    ["Incident key is invalid (must be a string)", "Incident key is too long (maximum is 255 characters)"];

/// The service key of an event.
///
/// # Errors
/// It is missing, blank or not 32 letters and digits; every reason is listed.
pub fn service_key(value: &Value) -> Result<&str, Invalid> {
    let key = match value.get("service_key") {
        Some(Value::String(key)) if !key.trim().is_empty() => key,
        Some(Value::Number(_)) => "",
        _ => return Err(Invalid { problems: vec!["Service key can't be blank".into()] }),
    };
    let mut problems = Problems::default();
    let (length, characters) = wire::key_shape(key);
    if !length {
        problems.add("Service key is the wrong length (should be 32 characters)");
    }
    if !characters {
        problems.add("Service key cannot contain non-alphanumeric characters");
    }
    problems.check().map(|()| key)
}

/// Reads an event. `duplicates` are the names that the body's outermost object holds more than once.
///
/// # Errors
/// Everything that is wrong with it, the service key's problems included.
pub fn parse<'a>(value: &'a Value, duplicates: &[String]) -> Result<Draft<'a>, Invalid> {
    let Some(body) = value.as_object() else {
        return Err(Invalid { problems: vec!["Event must be a JSON object".into()] });
    };
    let mut problems = Problems::default();
    problems.add_repeated(duplicates, &["service_key", "event_type", "incident_key"]);
    let action = action(body, &mut problems);
    service_key(value).err().into_iter().for_each(|invalid| problems.extend(invalid));
    let dedup_key = incident_key(body, action, &mut problems);
    let summary = description(body, action, &mut problems);
    problems.check()?;
    let client = wire::optional(body.get("client"));
    let provenance = Provenance {
        action: "event_type",
        dedup_key: if dedup_key.is_some() { "incident_key" } else { "generated" },
        summary: "description",
        source: if client.is_some() { "client" } else { "default: events-v1" },
        severity: "default: error",
    };
    Ok(Draft {
        // Without problems there is an action.
        action: action.unwrap_or(Action::Trigger),
        dedup_key,
        summary,
        source: client.clone().map_or(Cow::Borrowed("events-v1"), Cow::Owned),
        severity: Severity::Error,
        provenance,
        details: details(body, client),
    })
}

/// 200: the event is on disk.
pub fn accepted(incident_key: &DedupKey) -> Answer<'_> {
    Answer { incident_key: Some(incident_key.as_str()), ..Answer::processed() }
}

/// 400: JSON, but not a valid event.
pub fn invalid(invalid: &Invalid) -> Answer<'_> {
    Answer::invalid(invalid)
}

/// 400: a well-formed service key that no integration has.
pub fn unknown_key() -> Answer<'static> {
    Answer::invalid_because(&[Cow::Borrowed("Invalid service key")])
}

/// 400: not JSON. The status is in lower case here, unlike in v2.
pub fn unrecognised() -> Answer<'static> {
    Answer::unrecognised("unrecognized object")
}

/// 403 (sic): over the rate limit.
pub fn throttled() -> Answer<'static> {
    Answer::throttled()
}

fn action(body: &Map<String, Value>, problems: &mut Problems) -> Option<Action> {
    let action = match body.get("event_type") {
        Some(Value::String(word)) if !word.trim().is_empty() => Action::parse(word).ok_or(TYPE_INVALID),
        None | Some(Value::Null | Value::String(_)) => Err("'event_type' is missing or blank"),
        Some(_) => Err(TYPE_INVALID),
    };
    action.map_err(|problem| problems.add(problem)).ok()
}

fn incident_key(body: &Map<String, Value>, action: Option<Action>, problems: &mut Problems) -> Option<DedupKey> {
    let value = body.get("incident_key");
    if matches!(action, Some(Action::Acknowledge | Action::Resolve)) && matches!(Text::of(value), Text::Absent) {
        problems.add("Incident key is missing or blank");
    }
    wire::dedup_key(value, KEY_PROBLEMS, problems)
}

/// Only a trigger needs a description, and only its description is judged.
fn description<'a>(body: &'a Map<String, Value>, action: Option<Action>, problems: &mut Problems) -> Cow<'a, str> {
    let text = Text::shown(body.get("description"));
    if action == Some(Action::Trigger) {
        match &text {
            Text::Absent => problems.add("Description is missing or blank"),
            Text::Wrong => problems.add("Description is invalid (must be a string)"),
            Text::Given(text) if text.chars().nth(SUMMARY_MAX).is_some() => {
                problems.add("Description is too long (maximum is 1024 characters)");
            }
            Text::Given(_) => {}
        }
    }
    text.ok().unwrap_or_default()
}

fn details(body: &Map<String, Value>, client: Option<String>) -> Details {
    let (links, images) = contexts(body.get("contexts"));
    Details {
        custom_details: body.get("details").filter(|details| !details.is_null()).cloned(),
        links,
        images,
        client,
        client_url: wire::optional(body.get("client_url")),
        ..Details::default()
    }
}

/// The links and images among the contexts; entries of another type or without a target are left out.
fn contexts(value: Option<&Value>) -> (Vec<Link>, Vec<Image>) {
    let of_type =
        |kind: &'static str| wire::entries(value).filter(move |entry| entry.get("type").and_then(Value::as_str) == Some(kind));
    (
        of_type("link").filter_map(wire::link).take(LINKS_MAX).collect(),
        of_type("image").filter_map(wire::image).take(LINKS_MAX).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "0123456789abcdef0123456789ABCDEF";

    fn problems(value: Value) -> Vec<String> {
        parse(&value, &[]).unwrap_err().problems.into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn a_full_trigger_becomes_an_event() {
        let body = json!({
            "service_key": KEY, "event_type": "trigger", "incident_key": "k", "description": "FAI\u{0}LURE", "client": "Mon",
            "client_url": "https://mon.example", "details": {"a": 1}, "contexts": [
                {"type": "link", "href": "https://a.example", "text": "A"}, {"type": "link"}, 7,
                {"type": "image", "src": "https://i.example/x.png", "href": "", "alt": "x"}, {"type": "video", "href": "https://v"}],
        });
        let event = parse(&body, &[]).unwrap().into_event(DedupKey::random).unwrap();
        assert_eq!((event.action, event.dedup_key.as_str(), event.summary.as_str()), (Action::Trigger, "k", "FAILURE"));
        assert_eq!((event.source.as_str(), event.severity), ("Mon", Severity::Error));
        assert_eq!(event.custom_details, Some(json!({"a": 1})));
        assert_eq!(event.links, [Link { href: "https://a.example".into(), text: Some("A".into()) }]);
        let image = Image { src: "https://i.example/x.png".into(), href: None, alt: Some("x".into()) };
        assert_eq!(event.images, [image]);
    }

    #[test]
    fn problems_are_in_the_words_of_pagerduty_and_all_at_once() {
        assert_eq!(problems(json!({})), ["'event_type' is missing or blank", "Service key can't be blank"]);
        assert_eq!(
            problems(json!({"service_key": "short!", "event_type": "trigger"})),
            [
                "Service key is the wrong length (should be 32 characters)",
                "Service key cannot contain non-alphanumeric characters",
                "Description is missing or blank"
            ]
        );
        assert_eq!(
            problems(json!({"service_key": KEY, "event_type": "resolve", "description": {}})),
            ["Incident key is missing or blank"]
        );
        assert_eq!(problems(json!([])), ["Event must be a JSON object"]);
        let body = json!({"service_key": KEY, "event_type": "trigger", "description": "d"});
        assert_eq!(parse(&body, &["service_key".to_owned()]).unwrap_err().problems, ["'service_key' is present more than once"]);
    }

    #[test]
    fn without_a_client_the_source_is_the_api() {
        let body = json!({"service_key": KEY, "event_type": "trigger", "description": "d"});
        let draft = parse(&body, &[]).unwrap();
        assert_eq!((draft.source.as_ref(), draft.dedup_key), ("events-v1", None));
    }
}
