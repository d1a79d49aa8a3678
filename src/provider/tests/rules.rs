//! Rules that a fixture alone would not show.

use serde_json::{Value, json};

use super::*;

#[test]
fn whatever_a_mapped_path_selects_the_alert_comes_through() {
    let options = json!({"mapping": {"summaryField": "$.s", "dedupKeyField": "k", "severityField": "v", "actionField": "a"}});
    let cases = [
        (json!({"s": "text", "k": 7, "v": "p1", "a": "firing"}), "text", Some("7"), "critical"),
        (json!({"s": {"x": 1}, "k": [1, 2], "v": {}, "a": []}), r#"{"x":1}"#, Some("[1,2]"), "error"),
        (json!({"title": "guessed", "id": "i"}), "guessed", Some("i"), "error"),
        (json!({"s": null, "k": null, "message": "m"}), "m", None, "error"),
        (json!({"s": [], "k": {}, "name": "n", "v": "unheard of"}), "n", None, "error"),
    ];
    for (body, summary, key, severity) in cases {
        let event = only("webhook", &options, &body).event;
        assert_eq!(
            (event.action, event.summary.as_str(), event.severity.as_str()),
            (Action::Trigger, summary, severity),
            "{body}"
        );
        assert_eq!(event.key_guessed, key.is_none(), "{body}");
        assert!(key.is_none_or(|key| event.dedup_key.as_str() == key), "{body}: {}", event.dedup_key);
    }
    let warnings = normalise("webhook", &options, &json!({"title": "x"})).unwrap().warnings;
    let all = ["summary", "action", "dedupKey", "severity"].map(|name| format!("mapping.{name}Field found nothing"));
    assert_eq!(warnings, all);
}

#[test]
fn a_mapped_action_is_never_guessed_into_a_resolve() {
    let options = json!({"mapping": {"actionField": "alert.state", "resolveValues": ["fine"], "triggerValues": ["ok"]}});
    let action = |body: Value| only("webhook", &options, &body).event.action;
    assert_eq!(action(json!({"title": "t", "status": "ok"})), Action::Trigger, "the path finds nothing");
    assert_eq!(action(json!({"title": "t", "alert": {"state": "FINE"}})), Action::Resolve);
    assert_eq!(action(json!({"title": "t", "alert": {"state": "ok"}})), Action::Trigger, "the user's list goes first");
    assert_eq!(action(json!({"title": "t", "alert": {"state": "closed"}})), Action::Resolve, "then the table");
    assert_eq!(action(json!({"title": "t", "alert": {"state": "not ok"}})), Action::Trigger, "then the page");
    let pending = normalise("webhook", &options, &json!({"title": "t", "alert": {"state": "pending"}})).unwrap();
    assert!(matches!(pending.items.as_slice(), [Item::Ignored { .. }]));
}

#[test]
fn words_that_contain_a_state_are_not_that_state() {
    for word in ["broken", "not ok", "abnormal", "unresolved", "acknowledgement pending", "upstream"] {
        let event = only("webhook", &Value::Null, &json!({"title": "t", "status": word})).event;
        assert_eq!(event.action, Action::Trigger, "{word}");
    }
}

#[test]
fn a_group_is_never_one_alert() {
    let options = json!({"mapping": {"itemsField": "alerts", "dedupKeyField": "id", "summaryField": "$.name"}});
    let body = json!({"id": "group", "name": "group", "alerts": [{"id": "a", "name": "x"}, {"name": "y"}, 7, {"id": "c"}]});
    let normalised = normalise("webhook", &options, &body).unwrap();
    let keys: Vec<_> = events(&normalised).map(|event| (event.dedup_key.as_str().to_owned(), event.summary.clone())).collect();
    assert_eq!((keys[0].0.as_str(), keys[0].1.as_str()), ("a", "x"));
    assert!(keys[1].0.starts_with("auto:"), "the key of the group is not the key of its alerts: {keys:?}");
    assert_eq!(keys.iter().filter(|(key, _)| key == "group").count(), 0, "{keys:?}");
}

#[test]
fn a_datadog_recovery_without_a_key_finds_its_trigger() {
    let event = |title: &str| only("datadog", &Value::Null, &json!({"title": title, "id": "changes"})).event;
    let opened = event("[P2] [Triggered on {host:web1}] CPU 9 is high");
    let closed = event("[P2] [Recovered on {host:web1}] CPU 9 is high");
    assert_eq!((opened.action, closed.action), (Action::Trigger, Action::Resolve));
    assert_eq!(opened.dedup_key, closed.dedup_key);
    assert_eq!((opened.severity.as_str(), opened.source.as_str(), opened.summary.as_str()), ("error", "web1", "CPU 9 is high"));
    for other in ["[Triggered on {host:web2}] CPU 9 is high", "[Triggered on {host:web1}] CPU 8 is high"] {
        assert_ne!(event(other).dedup_key, opened.dedup_key, "{other}");
    }
}

#[test]
fn datadog_words() {
    let action = |body: Value| only("datadog", &Value::Null, &body).event;
    for word in [
        "Triggered",
        "Re-Triggered",
        "No Data",
        "Re-No Data",
        "Warn",
        "Re-Warn",
        "Renotify",
        "Null",
        "$ALERT_TRANSITION",
        "never seen",
    ] {
        assert_eq!(action(json!({"ALERT_TITLE": "t", "alert_transition": word})).action, Action::Trigger, "{word}");
    }
    assert_eq!(action(json!({"title": "t", "alert": {"transition": "Recovered", "cycle_key": 12}})).dedup_key.as_str(), "12");
    assert_eq!(action(json!({"title": "t", "alert_transition": "Null", "alert_type": "success"})).action, Action::Resolve);
    assert_eq!(action(json!({"title": "t", "alert_transition": "Warn"})).severity.as_str(), "warning");
    for (priority, severity) in
        [(json!("P1"), "critical"), (json!(2), "error"), (json!("3"), "warning"), (json!("normal"), "error")]
    {
        assert_eq!(action(json!({"title": "t", "priority": priority})).severity.as_str(), severity, "{priority}");
    }
    let monitor = |scope: &str| action(json!({"title": "t", "alert_id": 5, "alert_scope": scope})).dedup_key;
    assert_ne!(monitor("host:a"), monitor("host:b"), "a monitor's id is shared by its groups");
}
