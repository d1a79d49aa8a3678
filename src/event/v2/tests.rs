use super::*;
use crate::event::{Image, Link};
use serde_json::json;

const KEY: &str = "0123456789abcdef0123456789ABCDEF";
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn read(value: &Value) -> Result<Draft<'_>, Invalid> {
    parse(value, &[], None, Mode::PagerDuty, NOW)
}

fn problems(value: Value) -> Vec<String> {
    read(&value).unwrap_err().problems.into_iter().map(Cow::into_owned).collect()
}

/// A valid trigger with `changes` merged into its payload; null takes a field away.
fn trigger(changes: Value) -> Value {
    let mut payload = json!({"summary": "disk full", "source": "db1", "severity": "error"});
    for (name, value) in changes.as_object().unwrap() {
        payload[name] = value.clone();
    }
    json!({"routing_key": KEY, "event_action": "trigger", "payload": payload})
}

#[test]
fn a_full_trigger_becomes_an_event() {
    let mut body = trigger(json!({
        "severity": "critical", "timestamp": "2015-07-17T08:42:58.315+0000", "component": "mysql", "group": "prod", "class": 7,
        "custom_details": "text", "unknown": 1,
    }));
    body["dedup_key"] = json!("a\u{0}b");
    body["client"] = json!("Mon");
    body["client_url"] = json!({"not": "text"});
    body["links"] = json!([{"href": "https://a.example", "text": "A"}, {"text": "no target"}, null, {"href": " "}]);
    body["images"] = json!([{"src": "https://i.example", "href": "", "alt": null}, "x"]);
    let event = read(&body).unwrap().into_event(DedupKey::random).unwrap();
    assert_eq!((event.action, event.dedup_key.as_str()), (Action::Trigger, "a\u{fffd}b"));
    assert_eq!((event.summary.as_str(), event.source.as_str(), event.severity), ("disk full", "db1", Severity::Critical));
    assert_eq!(
        (event.component.as_deref(), event.group.as_deref(), event.class.as_deref()),
        (Some("mysql"), Some("prod"), Some("7"))
    );
    assert_eq!(event.occurred_at, Some(Timestamp(1_437_122_578_315_000)));
    assert_eq!((event.custom_details, event.client.as_deref(), event.client_url), (Some(json!("text")), Some("Mon"), None));
    assert_eq!(event.links, [Link { href: "https://a.example".into(), text: Some("A".into()) }]);
    assert_eq!(event.images, [Image { src: "https://i.example".into(), href: None, alt: None }]);
}

#[test]
fn every_problem_is_listed_at_once() {
    assert_eq!(
        problems(json!({"event_action": "TRIGGER", "dedup_key": {}, "payload": {"severity": "CRITICAL", "timestamp": "soon"}})),
        [
            KEY_BLANK,
            ACTION_INVALID,
            "'dedup_key' is invalid (must be a string)",
            "'payload.summary' is missing or blank",
            "'payload.source' is missing or blank",
            SEVERITY_INVALID,
            TIMESTAMP_INVALID,
        ]
    );
    assert_eq!(problems(json!({})), [KEY_BLANK, "'event_action' is missing or blank"]);
}

#[test]
fn wrong_types_name_their_path() {
    let cases = [
        (json!({"routing_key": KEY, "event_action": 1}), ACTION_INVALID),
        (json!({"routing_key": KEY, "event_action": "trigger", "payload": []}), "'payload' is invalid (must be an object)"),
        (trigger(json!({"summary": {"a": 1}})), "'payload.summary' is invalid (must be a string)"),
        (trigger(json!({"source": [1]})), "'payload.source' is invalid (must be a string)"),
        (trigger(json!({"severity": 1})), SEVERITY_INVALID),
        (trigger(json!({"timestamp": 1_700_000_000})), TIMESTAMP_INVALID),
        (json!({"routing_key": 12345, "event_action": "resolve", "dedup_key": "k"}), KEY_LENGTH),
        (json!("x"), "Event must be a JSON object"),
        (json!(null), "Event must be a JSON object"),
        (json!([{"routing_key": KEY}]), "Event must be a JSON object"),
    ];
    for (body, problem) in cases {
        assert_eq!(problems(body.clone()), [problem], "{body}");
    }
}

#[test]
fn a_trigger_without_payload_lacks_all_that_it_would_hold() {
    let expected = [
        "'payload.summary' is missing or blank",
        "'payload.source' is missing or blank",
        "'payload.severity' is missing or blank",
    ];
    assert_eq!(problems(json!({"routing_key": KEY, "event_action": "trigger"})), expected);
    assert_eq!(problems(trigger(json!({"summary": " ", "source": "\u{0}", "severity": ""}))), expected);
}

#[test]
fn limits_count_characters() {
    assert!(read(&trigger(json!({"summary": "é".repeat(1024)}))).is_ok());
    assert_eq!(problems(trigger(json!({"summary": "é".repeat(1025)}))), [SUMMARY_TOO_LONG]);
    let mut body = trigger(json!({}));
    body["dedup_key"] = json!("é".repeat(255));
    assert!(read(&body).is_ok());
    body["dedup_key"] = json!("é".repeat(256));
    assert_eq!(problems(body.clone()), ["'dedup_key' is too long (maximum is 255 characters)"]);
    body["dedup_key"] = json!(17);
    body["links"] = Value::Array((0..10_000).map(|n| json!({"href": format!("https://a.example/{n}")})).collect());
    let event = read(&body).unwrap().into_event(DedupKey::random).unwrap();
    assert_eq!((event.dedup_key.as_str(), event.links.len()), ("17", 50));
}

#[test]
fn the_payload_of_acknowledge_and_resolve_is_not_judged() {
    for payload in [json!(null), json!([]), json!("x"), json!({"summary": "", "severity": "BAD", "timestamp": "soon"})] {
        let body = json!({"routing_key": KEY, "event_action": "resolve", "dedup_key": "k", "payload": payload});
        let event = read(&body).unwrap().into_event(DedupKey::random).unwrap();
        assert_eq!((event.action, event.summary.as_str(), event.occurred_at), (Action::Resolve, "", None));
    }
    let long =
        json!({"routing_key": KEY, "event_action": "acknowledge", "dedup_key": "k", "payload": {"summary": "x".repeat(2000)}});
    assert_eq!(read(&long).unwrap().into_event(DedupKey::random).unwrap().summary.chars().count(), 1024);
    for key in [json!(null), json!("  ")] {
        let body = json!({"routing_key": KEY, "event_action": "acknowledge", "dedup_key": key});
        assert_eq!(problems(body), ["'dedup_key' is missing or blank"]);
    }
}

#[test]
fn a_key_is_generated_only_where_none_was_sent() {
    for key in [json!(null), json!(""), json!(" ")] {
        let mut body = trigger(json!({}));
        body["dedup_key"] = key;
        let draft = read(&body).unwrap();
        assert_eq!((draft.dedup_key.as_ref(), draft.provenance.dedup_key), (None, "generated"));
        let event = draft.into_event(|| Ok::<_, ()>(DedupKey::strict("made").unwrap())).unwrap();
        assert_eq!(event.dedup_key.as_str(), "made");
    }
}

#[test]
fn the_routing_key_of_the_body_wins_over_the_header() {
    let other = "ffffffffffffffffffffffffffffffff";
    assert_eq!(routing_key(&json!({"routing_key": KEY}), Some(other)), Ok(KEY));
    assert_eq!(routing_key(&json!({"routing_key": " "}), Some(other)), Ok(other));
    assert_eq!(routing_key(&json!({}), Some(other)), Ok(other));
    assert_eq!(routing_key(&json!([]), None).unwrap_err().problems, [KEY_BLANK]);
    assert_eq!(routing_key(&json!({"routing_key": "a+b"}), Some(other)).unwrap_err().problems, [KEY_LENGTH, KEY_CHARACTERS]);
    let wide = "é".repeat(32);
    assert_eq!(routing_key(&json!({"routing_key": wide}), None).unwrap_err().problems, [KEY_CHARACTERS]);
}

#[test]
fn names_that_come_twice_are_problems_on_pagerdutys_route_only() {
    let body = trigger(json!({}));
    let twice = ["payload".to_owned(), "routing_key".to_owned(), "client".to_owned()];
    let invalid = parse(&body, &twice, None, Mode::PagerDuty, NOW).unwrap_err();
    assert_eq!(invalid.problems, ["'routing_key' is present more than once", "'payload' is present more than once"]);
    assert!(parse(&body, &twice, None, Mode::Api, NOW).is_ok());
}

#[test]
fn people_may_leave_out_severity_and_source() {
    let api = |value: &Value| parse(value, &[], None, Mode::Api, NOW).map(|draft| (draft.source.into_owned(), draft.severity));
    let mut body = json!({"event_action": "trigger", "payload": {"summary": "s"}});
    assert_eq!(api(&body), Ok(("api".to_owned(), Severity::Error)));
    body["client"] = json!("cron");
    assert_eq!(api(&body), Ok(("cron".to_owned(), Severity::Error)));
    body["payload"]["severity"] = json!("Info");
    assert_eq!(api(&body).unwrap_err().problems, [SEVERITY_INVALID]);
    assert_eq!(api(&json!({"event_action": "trigger"})).unwrap_err().problems, ["'payload.summary' is missing or blank"]);
    assert!(api(&json!({"event_action": "resolve", "dedup_key": "k"})).is_ok());
}

#[test]
fn only_a_time_with_an_offset_orders_events() {
    let at = |text: &str| read(&trigger(json!({"timestamp": text}))).unwrap().details.occurred_at;
    assert_eq!(at("2026-01-01T00:00:00"), None);
    assert_eq!(at("2026-01-01T00:00:00Z"), Some(Timestamp::from_seconds(1_767_225_600)));
    assert_eq!(at("2126-01-01T00:00:00Z"), None);
    assert_eq!(at(""), None);
}

#[test]
fn change_events_need_a_summary_and_little_else() {
    let change = |payload: Value| parse_change(&json!({"routing_key": KEY, "payload": payload}), &[], None);
    let got = change(json!({"summary": "deploy", "timestamp": "2026-01-01T00:00:00", "custom_details": {"n": "2"}})).unwrap();
    assert_eq!(
        (got.summary.as_str(), got.source, got.occurred_at),
        ("deploy", None, Some(Timestamp::from_seconds(1_767_225_600)))
    );
    assert_eq!(change(json!({"source": "ci"})).unwrap_err().problems, ["'payload.summary' is missing or blank"]);
    assert_eq!(change(json!([])).unwrap_err().problems, ["'payload' is invalid (must be an object)"]);
    assert_eq!(change(json!({"summary": "x".repeat(1025)})).unwrap_err().problems, [SUMMARY_TOO_LONG]);
}

#[test]
fn the_answers_are_pagerdutys() {
    let key = DedupKey::strict("k").unwrap();
    let text = |answer: &Answer<'_>| serde_json::to_value(answer).unwrap();
    assert_eq!(text(&accepted(&key)), json!({"status": "success", "message": "Event processed", "dedup_key": "k"}));
    assert_eq!(
        text(&accepted(&key).with_request_id("req_1")),
        json!({"status": "success", "message": "Event processed", "dedup_key": "k", "request_id": "req_1"})
    );
    assert_eq!(text(&change_accepted()), json!({"status": "success", "message": "Change event processed"}));
    let wrong = Invalid { problems: vec![KEY_BLANK.into()] };
    assert_eq!(
        text(&invalid(&wrong)),
        json!({"status": "invalid event", "message": "Event object is invalid", "errors": [KEY_BLANK]})
    );
    assert_eq!(text(&unknown_key())["errors"], json!(["Invalid routing key"]));
    assert_eq!(text(&unrecognised())["errors"], json!(["JSON parse error"]));
    assert_eq!(text(&throttled())["status"], "throttle exceeded");
}
