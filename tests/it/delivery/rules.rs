//! Rules at work: who is told of what, when, and what a hold makes of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{destination_from, send, send_with, sender, start};
use crate::support::receiver::{Receiver, Way};
use crate::support::{Callbox, Database, eventually};

on_both!(a_floor_that_is_passed_later_pages_then);
on_both!(what_became_worse_before_it_was_told_pages_once);
on_both!(steps_go_on_until_somebody_acknowledges);
on_both!(steps_are_of_what_a_rule_pages_for);
on_both!(fallback_goes_on_where_nothing_was_delivered);
on_both!(what_is_open_for_long_is_told);
on_both!(quiet_hours_end_with_how_things_stand);
on_both!(flapping_pages_once_in_a_dedupe_window);
on_both!(a_limit_delays_and_merges);
on_both!(what_follows_a_page_goes_its_way_whatever_the_rules_say);
on_both!(what_no_rule_matches_goes_to_the_default_destination);
on_both!(a_condition_chooses_and_a_broken_one_delivers);
on_both!(a_change_is_told_to_who_asks);

/// A receiver and its destination, which no rule knows.
pub async fn unknown(service: &Callbox, name: &str) -> (Receiver, String) {
    let receiver = Receiver::start().await;
    let fields = json!({"name": name, "kind": "webhook", "url": receiver.url(), "no_rule": true});
    let id = destination_from(service, fields).await;
    (receiver, id)
}

/// A rule from the given fields; its id.
pub async fn rule(service: &Callbox, fields: Value) -> String {
    let answer = service.api().post("/api/v1/rules", &fields).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

/// What a receiver was told of the incident with this key.
pub fn told(receiver: &Receiver, key: &str) -> Vec<String> {
    let of = |request: &crate::support::receiver::Request| request.json()["incident"]["dedup_key"] == key;
    receiver.seen().iter().filter(|request| of(request)).map(|request| request.tells().0).collect()
}

/// Waits until that is what a receiver was told of it.
pub async fn expect(receiver: &Receiver, key: &str, events: &[&str]) {
    eventually(async || {
        let told = told(receiver, key);
        if told == events { Ok(()) } else { Err(format!("{key}: {told:?}, and not {events:?}: {:?}", receiver.told())) }
    })
    .await;
}

async fn a_floor_that_is_passed_later_pages_then(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    rule(&service, json!({"name": "bad", "destinations": [id], "severity_floor": "error"})).await;
    let tool = sender(&service).await;
    send_with(&service, &tool, "trigger", "disk", "info").await;
    send_with(&service, &tool, "trigger", "disk", "warning").await;
    send_with(&service, &tool, "trigger", "never", "warning").await;
    send_with(&service, &tool, "resolve", "never", "warning").await;
    send_with(&service, &tool, "trigger", "disk", "critical").await;
    send(&service, &tool, "resolve", "disk").await;
    expect(&ops, "disk", &["incident.triggered", "incident.resolved"]).await;
    assert_eq!(told(&ops, "never"), [""; 0]);
}

async fn what_became_worse_before_it_was_told_pages_once(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    rule(&service, json!({"name": "bad", "destinations": [id], "severity_floor": "error"})).await;
    let tool = service.api().integration("alertmanager", "alerts").await;
    let alert = |status: &str, severity: &str| {
        json!({
            "status": status, "fingerprint": "5ef77f1f8a3ecf8d", "startsAt": "2026-03-01T10:00:00Z",
            "labels": {"alertname": "DiskFull", "severity": severity}, "annotations": {},
        })
    };
    // One request, so that the incident is critical before anybody looks at what was noted of it.
    let worse = json!([alert("firing", "info"), alert("firing", "critical")]);
    for (status, alerts) in [("firing", worse), ("resolved", json!([alert("resolved", "critical")]))] {
        let body = json!({"version": "4", "status": status, "alerts": alerts});
        let answer = service.api().send(&tool.path, &body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    let told = || ops.told().into_iter().map(|(event, _)| event).collect::<Vec<_>>();
    eventually(
        async || if told().iter().any(|event| event == "incident.resolved") { Ok(()) } else { Err(format!("{:?}", told())) },
    )
    .await;
    assert_eq!(told(), ["incident.triggered", "incident.resolved"]);
}

async fn steps_go_on_until_somebody_acknowledges(database: Database) {
    let service = start(&database).await;
    let (first, one) = unknown(&service, "first").await;
    let (second, two) = unknown(&service, "second").await;
    rule(&service, json!({"name": "chain", "destinations": [one], "steps": [{"after": "2s", "destinations": [two]}]})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "seen").await;
    send(&service, &tool, "acknowledge", "seen").await;
    send(&service, &tool, "trigger", "unseen").await;
    expect(&second, "unseen", &["incident.triggered"]).await;
    send(&service, &tool, "resolve", "unseen").await;
    expect(&second, "unseen", &["incident.triggered", "incident.resolved"]).await;
    let all = service.api().get("/api/v1/deliveries").await.body;
    assert_eq!(told(&first, "seen"), ["incident.triggered", "incident.acknowledged"], "{all:#}");
    assert_eq!(told(&second, "seen"), [""; 0], "it was acknowledged in time");
}

async fn steps_are_of_what_a_rule_pages_for(database: Database) {
    let service = start(&database).await;
    let (first, one) = unknown(&service, "first").await;
    let (second, two) = unknown(&service, "second").await;
    let (shared, three) = unknown(&service, "shared").await;
    let events = ["incident.triggered", "incident.updated", "incident.resolved"];
    rule(&service, json!({"name": "all", "destinations": [three], "events": events})).await;
    let chain = json!({
        "name": "chain", "destinations": [one, three], "steps": [{"after": "1s", "destinations": [two]}], "severity_floor": "warning",
    });
    rule(&service, chain).await;
    let other = service.api().integration("events", "other").await;
    let elsewhere = json!({
        "name": "elsewhere", "integrations": [other.id], "fallback": [[one], [two]], "fallback_after": "5s",
    });
    rule(&service, elsewhere).await;
    let tool = sender(&service).await;
    send_with(&service, &tool, "trigger", "small", "info").await;
    send_with(&service, &tool, "trigger", "grows", "info").await;
    send_with(&service, &tool, "trigger", "large", "error").await;
    // The steps of what came last were looked at: those of what came first would have been.
    expect(&second, "large", &["incident.triggered"]).await;
    for (receiver, key) in [(&first, "small"), (&second, "small"), (&first, "grows"), (&second, "grows")] {
        assert_eq!(told(receiver, key), [""; 0], "{key}");
    }
    // No page for who knows of it; for the chain it is one.
    send_with(&service, &tool, "trigger", "grows", "warning").await;
    expect(&first, "grows", &["incident.triggered"]).await;
    expect(&second, "grows", &["incident.triggered"]).await;
    let all: [(&str, &[&str]); 3] = [
        ("small", &["incident.triggered", "incident.resolved"]),
        ("grows", &["incident.triggered", "incident.updated", "incident.resolved"]),
        ("large", &["incident.triggered", "incident.resolved"]),
    ];
    for (key, events) in all {
        send(&service, &tool, "resolve", key).await;
        expect(&shared, key, events).await;
    }
    assert_eq!((told(&first, "small"), told(&second, "small")), (Vec::new(), Vec::new()));
}

async fn fallback_goes_on_where_nothing_was_delivered(database: Database) {
    let service = start(&database).await;
    let (push, one) = unknown(&service, "push").await;
    let (slack, two) = unknown(&service, "slack").await;
    let (sms, three) = unknown(&service, "sms").await;
    let (mail, four) = unknown(&service, "mail").await;
    push.now(|_| Way::status(400));
    rule(&service, json!({"name": "ordered", "fallback": [[one], [two], [three]], "fallback_after": "5s", "always": [four]}))
        .await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    expect(&mail, "disk", &["incident.triggered"]).await;
    expect(&slack, "disk", &["incident.triggered"]).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(sms.count(), 0, "the place before it has delivered");
}

async fn what_is_open_for_long_is_told(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    rule(&service, json!({"name": "long", "destinations": [id], "events": ["incident.open_for:2s", "incident.resolved"]})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "short").await;
    send(&service, &tool, "resolve", "short").await;
    send(&service, &tool, "trigger", "long").await;
    expect(&ops, "long", &["incident.open_for"]).await;
    send(&service, &tool, "resolve", "long").await;
    expect(&ops, "long", &["incident.open_for", "incident.resolved"]).await;
}

async fn quiet_hours_end_with_how_things_stand(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    let now = jiff::Timestamp::now();
    let window = json!({"from": (now - jiff::SignedDuration::from_secs(60)).to_string(), "until": (now + jiff::SignedDuration::from_secs(6)).to_string()});
    rule(&service, json!({"name": "night", "destinations": [id], "quiet_windows": [window]})).await;
    let tool = sender(&service).await;
    for (action, key) in [
        ("trigger", "over"),
        ("trigger", "seen"),
        ("resolve", "over"),
        ("trigger", "burns"),
        ("acknowledge", "seen"),
        ("trigger", "burns"),
    ] {
        send(&service, &tool, action, key).await;
    }
    assert_eq!(ops.count(), 0);
    expect(&ops, "burns", &["incident.triggered"]).await;
    expect(&ops, "seen", &["incident.triggered", "incident.acknowledged"]).await;
    assert_eq!(told(&ops, "over"), [""; 0], "it was over before anybody was told");
    let notes =
        ops.seen().iter().find(|request| request.json()["incident"]["dedup_key"] == "burns").unwrap().json()["notes"].clone();
    assert!(notes[0].as_str().unwrap().contains("quiet"), "{notes}");
    send(&service, &tool, "resolve", "burns").await;
    expect(&ops, "burns", &["incident.triggered", "incident.resolved"]).await;
}

async fn flapping_pages_once_in_a_dedupe_window(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    rule(&service, json!({"name": "calm", "destinations": [id], "dedupe_window": "6s"})).await;
    let tool = sender(&service).await;
    for _ in 0..4 {
        send(&service, &tool, "trigger", "flaps").await;
        send(&service, &tool, "resolve", "flaps").await;
    }
    send(&service, &tool, "trigger", "flaps").await;
    // The first page and its end at once, and at the end of the window what still burns, once.
    expect(&ops, "flaps", &["incident.triggered", "incident.resolved", "incident.triggered"]).await;
    let numbers: Vec<i64> = ops.seen().iter().map(|request| request.tells().1).collect();
    assert_eq!((numbers[0], numbers[1]), (numbers[0], numbers[0]));
    assert_ne!(numbers[2], numbers[0]);
}

async fn a_limit_delays_and_merges(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let fields = json!({"name": "ops", "kind": "webhook", "url": receiver.url(), "rate_limit_per_minute": 20});
    destination_from(&service, fields).await;
    let tool = sender(&service).await;
    for page in 0..22 {
        send(&service, &tool, "trigger", &format!("page-{page}")).await;
    }
    for page in 0..22 {
        send(&service, &tool, "resolve", &format!("page-{page}")).await;
    }
    let api = service.api();
    eventually(async || {
        let waiting = api.get("/api/v1/deliveries?status=pending&status=retrying&limit=500").await.body;
        let left = waiting["items"].as_array().map_or(0, Vec::len);
        if left <= 20 { Ok(()) } else { Err(format!("{left} wait")) }
    })
    .await;
    assert!(receiver.count() <= 25, "{} in the first seconds of a minute", receiver.count());
    assert!(receiver.count() >= 20);
}

async fn what_follows_a_page_goes_its_way_whatever_the_rules_say(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    let rule = rule(&service, json!({"name": "all", "destinations": [id]})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    expect(&ops, "disk", &["incident.triggered"]).await;
    assert_eq!(service.api().delete(&format!("/api/v1/rules/{rule}")).await.status / 100, 2);
    send(&service, &tool, "trigger", "later").await;
    send(&service, &tool, "resolve", "disk").await;
    expect(&ops, "disk", &["incident.triggered", "incident.resolved"]).await;
    assert_eq!(told(&ops, "later"), [""; 0]);
}

async fn what_no_rule_matches_goes_to_the_default_destination(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let fields = json!({"name": "rest", "kind": "webhook", "url": receiver.url(), "no_rule": true, "default": true});
    destination_from(&service, fields).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    send(&service, &tool, "resolve", "disk").await;
    expect(&receiver, "disk", &["incident.triggered", "incident.resolved"]).await;
    let metrics = reqwest::get(format!("{}/metrics", service.base())).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("callbox_unrouted_total 1"), "{metrics}");
}

async fn a_condition_chooses_and_a_broken_one_delivers(database: Database) {
    let service = start(&database).await;
    let (ops, one) = unknown(&service, "ops").await;
    let (broken, two) = unknown(&service, "broken").await;
    rule(&service, json!({"name": "disks", "destinations": [one], "condition": "incident.dedup_key.startsWith('disk')"})).await;
    rule(
        &service,
        json!({"name": "odd", "destinations": [two], "condition": "incident.custom_details.nothing_of_that_name == 1"}),
    )
    .await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "cpu").await;
    send(&service, &tool, "trigger", "disk-1").await;
    expect(&ops, "disk-1", &["incident.triggered"]).await;
    assert_eq!(told(&ops, "cpu"), [""; 0]);
    expect(&broken, "cpu", &["incident.triggered"]).await;
    let notes = broken.seen()[0].json()["notes"].clone();
    assert!(notes[0].as_str().unwrap().contains("odd"), "{notes}");
}

async fn a_change_is_told_to_who_asks(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    rule(&service, json!({"name": "changes", "destinations": [id], "events": ["change.created"]})).await;
    let tool = sender(&service).await;
    let body = json!({"routing_key": tool.key, "payload": {"summary": "shop 1.2 is out", "source": "ci"}});
    assert_eq!(service.api().send("/v2/change/enqueue", &body).await.status, 202);
    let seen = ops.wait(1).await;
    assert_eq!(seen[0].json()["event"], "change.created");
    assert_eq!(seen[0].json()["change"]["summary"], "shop 1.2 is out");
}
