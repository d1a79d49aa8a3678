use std::time::Duration;

use serde_json::json;

use super::super::*;
use super::{map, read, rule};

fn fields(value: serde_json::Value) -> Vec<String> {
    read(value).unwrap_err().into_iter().map(|problem| problem.field).collect()
}

#[test]
fn a_name_and_a_destination_are_enough() {
    let rule = rule(json!({"name": "all", "destinations": ["ops"], "condition": null, "quiet_windows": null}));
    let everything = Rule::everything("all", vec!["dst_ops".to_owned()]);
    assert_eq!(rule.to_json(), everything.to_json());
    assert!(rule.enabled && rule.condition.is_none() && rule.services.is_empty());
    assert_eq!(rule.events, Asked::DEFAULT);
}

#[test]
fn every_field_is_read_and_written_back() {
    let given = json!({
        "name": "nights", "enabled": false,
        "events": ["incident.triggered", "incident.open_for:30m", {"event": "incident.unacknowledged_for", "after": "2h"},
            "incident.open_for:1800s", "change.created"],
        "condition": "incident.severity == 'critical'", "severity_floor": "warning",
        "services": ["known1", "known1"], "integrations": ["known2"], "destinations": ["ops"],
        "steps": [{"after": "30m", "destinations": ["sms"]}, {"after": "0s", "destinations": ["push"]}],
        "fallback": [["push", "slack"], ["sms"]], "fallback_after": "90s", "always": ["email"],
        "dedupe_window": "5m", "rate_limit": 10,
        "quiet_windows": [
            {"days": ["tue", "mon"], "from": "22:00", "until": "07:00", "zone": "Europe/Berlin"},
            {"from": "09:00", "until": "24:00", "zone": "UTC"},
            {"from": "2026-12-24T00:00:00+01:00", "until": "2026-12-27T00:00:00Z"},
        ],
        "retry": {"first_delay": "2s", "max_delay": "1m", "max_attempts": 5, "max_age": "1h", "max_retry_after": "off"},
        "on_gone": "disable",
    });
    let first = rule(given);
    assert_eq!(
        first.events.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        "incident.triggered incident.open_for:30m incident.unacknowledged_for:2h change.created"
    );
    assert_eq!(first.steps.iter().map(|step| step.after.as_secs()).collect::<Vec<_>>(), [0, 1_800], "the earliest first");
    assert_eq!((first.services.len(), first.fallback_after, first.rate_limit), (1, Duration::from_secs(90), Some(10)));
    assert_eq!((first.retry.attempts, first.retry.patience, first.retry.gone_on_404), (Some(5), Duration::ZERO, true));
    assert_eq!(first.reaches(), ["dst_email", "dst_ops", "dst_push", "dst_slack", "dst_sms"]);
    assert_eq!(
        first.to_json()["quiet_windows"],
        json!([
            {"days": ["mon", "tue"], "from": "22:00", "until": "07:00", "zone": "Europe/Berlin"},
            {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "09:00", "until": "00:00", "zone": "UTC"},
            {"from": "2026-12-23T23:00:00.000000Z", "until": "2026-12-27T00:00:00.000000Z"},
        ])
    );
    let (second, problems) = Rule::stored(&first.to_json());
    assert_eq!(problems, []);
    assert_eq!(second.to_json(), first.to_json(), "what is stored reads the same");
}

#[test]
fn all_problems_are_told_at_once() {
    let told = fields(json!({
        "nmae": "x", "enabled": "yes", "events": ["incident.open_for", "incident.triggered:5m", "test", 7, {"event": "incident.open_for", "aftre": "5m"}],
        "severity_floor": "high", "services": "known", "destinations": ["nobody", 5], "steps": [{"after": "8d"}, 3],
        "fallback": ["push", []], "fallback_after": "off", "rate_limit": 0, "dedupe_window": "5 m",
        "quiet_windows": [{"from": "25:00", "until": "7:00", "days": ["monday"]}, {"from": "2026-12-24T00:00:00", "until": "2026-12-23T00:00:00Z"}, 1],
        "retry": {"first_delay": "0s", "max_attempts": 0, "cap": "1m"}, "on_gone": "ignore", "condition": 5,
    }));
    assert_eq!(
        told,
        [
            "name",
            "enabled",
            "events.0",
            "events.1",
            "events.2",
            "events.3",
            "events.4",
            "condition",
            "severity_floor",
            "services",
            "destinations.0",
            "destinations.1",
            "steps.0.after",
            "steps.0.destinations",
            "steps.1",
            "fallback.0",
            "fallback.1",
            "fallback_after",
            "dedupe_window",
            "rate_limit",
            "quiet_windows.0.zone",
            "quiet_windows.0.days",
            "quiet_windows.0.from",
            "quiet_windows.0.until",
            "quiet_windows.1.from",
            "quiet_windows.2",
            "on_gone",
            "retry.max_attempts",
            "retry.first_delay",
            "retry.cap",
            "nmae",
        ]
    );
}

#[test]
fn problems_say_what_to_do() {
    let said = |value| read(value).unwrap_err().into_iter().map(|problem| problem.message).collect::<Vec<_>>().join(" / ");
    let ops = |name: &str, value: serde_json::Value| said(json!({"name": "x", "destinations": ["ops"], name: value}));
    assert_eq!(ops("severityfloor", json!("x")), "unknown field; did you mean `severity_floor`?");
    assert_eq!(ops("events", json!(["incident.open_for"])), "needs a duration: write incident.open_for:30m");
    assert_eq!(ops("events", json!(["incident.resolved:5m"])), "incident.resolved takes no duration");
    assert!(ops("events", json!([])).starts_with("must name 1 to 50 events"));
    assert!(
        ops("quiet_windows", json!([{"from": "22:00", "until": "07:00", "zone": "Europe/Gone"}]))
            .contains("has no \"Europe/Gone\"")
    );
    assert!(said(json!({"name": "x"})).starts_with("name at least one destination"));
}

#[test]
fn a_destination_is_told_once_a_page() {
    let told = |steps: serde_json::Value, fallback: serde_json::Value| {
        read(json!({"name": "x", "destinations": ["ops"], "always": ["email"], "steps": steps, "fallback": fallback}))
            .map(|_| ())
            .map_err(|problems| problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>())
    };
    let step = |after: &str, name: &str| json!({"after": after, "destinations": [name]});
    assert_eq!(told(json!([step("1m", "push"), step("5m", "push")]), json!([])), Err(vec!["steps".to_owned()]));
    assert_eq!(told(json!([step("1m", "ops")]), json!([["email"]])), Err(vec!["steps".to_owned(), "fallback".to_owned()]));
    assert_eq!(
        told(json!([step("10m", "sms")]), json!([["push"], ["sms"]])),
        Ok(()),
        "after a failure at once, else after 10 minutes"
    );
}

#[test]
fn what_is_stored_and_no_longer_understood_does_not_mute() {
    let stored = json!({
        "name": "old", "destinations": ["dst_1"], "severity_floor": "fatal", "condition": "x".repeat(2_001),
        "quiet_windows": [{"from": "22:00", "until": "07:00", "zone": "Europe/Gone"}], "later": 1,
    });
    let (rule, problems) = Rule::stored(&map(stored));
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["condition", "severity_floor", "quiet_windows.0.zone", "later"]);
    assert_eq!((rule.severity_floor, rule.destinations.as_slice()), (None, ["dst_1".to_owned()].as_slice()));
    assert!(rule.condition.is_some(), "it says that it was not understood");
    assert!(matches!(rule.quiet_windows.as_slice(), [Window::Weekly(Weekly { tz: None, .. })]));
    assert_eq!(rule.to_json()["quiet_windows"][0]["zone"], "Europe/Gone");
}
