//! Timers: the clock is moved to just before and just after; a neighbour whose timer runs out first proves that a sweep went by.

use serde_json::{Value, json};

use super::service::{Alert, Sender, Service, start};
use crate::support::{Database, eventually};

on_both!(
    auto_resolve_counts_from_the_last_trigger,
    a_tool_that_repeats_itself_is_resolved_after_24_hours_of_silence,
    an_acknowledgement_runs_out_and_pages,
    a_reminder_pages_again_and_again_until_somebody_acknowledges,
    what_prometheus_does_not_repeat_expires_a_minute_later,
    a_catch_all_is_over_24_hours_after_its_last,
    a_change_of_a_timer_counts_for_what_is_open,
);

const HOUR: i64 = 3600;

/// Waits until the newest incident of `key` is as `expected`, field by field.
async fn becomes(sender: &Sender, key: &str, expected: Value) -> Value {
    eventually(async || {
        let incident = sender.incident(key).await;
        let expected = expected.as_object().unwrap();
        match expected.iter().all(|(field, value)| incident[field] == *value) {
            true => Ok(incident),
            false => Err(format!("{incident:#} is not {expected:#?}")),
        }
    })
    .await
}

async fn resolved_by(sender: &Sender, key: &str, timer: &str) {
    becomes(sender, key, json!({"status": "resolved", "resolved_by": timer})).await;
}

async fn auto_resolve_counts_from_the_last_trigger(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender_from(json!({"type": "alertmanager", "name": "am", "auto_resolve_after": "2h"})).await;
    let [silent, repeated] = ["silent", "repeated"].map(|key| Alert::new(key, start(0)));
    sender.post(&[(&silent, "firing"), (&repeated, "firing")]).await;
    service.clock.advance(HOUR);
    assert_eq!(sender.fires(&repeated).await, "updated");
    service.clock.advance(HOUR);
    resolved_by(&sender, "silent", "timer:auto_resolve").await;
    assert_eq!(sender.incident("repeated").await["status"], "triggered", "an hour is left");
    service.clock.advance(HOUR);
    resolved_by(&sender, "repeated", "timer:auto_resolve").await;
    // A timer's resolve makes nothing stale.
    assert_eq!(sender.fires(&silent).await, "opened");
    service.stop().await;
}

async fn a_tool_that_repeats_itself_is_resolved_after_24_hours_of_silence(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    let never = service.sender_from(json!({"type": "alertmanager", "name": "never", "auto_resolve_after": "off"})).await;
    let [first, second] = ["first", "second"].map(|key| Alert::new(key, start(0)));
    sender.fires(&first).await;
    never.fires(&first).await;
    service.clock.advance(1);
    sender.fires(&second).await;
    service.clock.advance(24 * HOUR - 1);
    resolved_by(&sender, "first", "timer:auto_resolve").await;
    assert_eq!(sender.incident("second").await["status"], "triggered", "a second is left");
    service.clock.advance(1);
    resolved_by(&sender, "second", "timer:auto_resolve").await;
    assert_eq!(never.incident("first").await["status"], "triggered", "switched off");
}

async fn an_acknowledgement_runs_out_and_pages(database: Database) {
    let service = Service::start(&database).await;
    let fields = json!({"type": "alertmanager", "name": "am", "acknowledge_timeout": "30m", "auto_resolve_after": "off"});
    let sender = service.sender_from(fields).await;
    let [early, late] = ["early", "late"].map(|key| Alert::new(key, start(0)));
    sender.post(&[(&early, "firing"), (&late, "firing")]).await;
    let acknowledge = async |key: &str| {
        let id = sender.incident(key).await["id"].as_str().unwrap().to_owned();
        let answer = service.api.post(&format!("/api/v1/incidents/{id}/acknowledge"), &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        id
    };
    let id = acknowledge("early").await;
    assert_eq!(service.pages(&database, &id), 1);
    service.clock.advance(60);
    acknowledge("late").await;
    service.clock.advance(29 * 60);
    let back = becomes(&sender, "early", json!({"status": "triggered", "acknowledged_at": null})).await;
    assert_eq!((&back["acknowledged_by"], &back["event_count"]), (&Value::Null, &json!(1)));
    assert_eq!(service.pages(&database, &id), 2);
    assert_eq!(sender.incident("late").await["status"], "acknowledged", "a minute is left");
    service.clock.advance(60);
    becomes(&sender, "late", json!({"status": "triggered"})).await;
}

async fn a_reminder_pages_again_and_again_until_somebody_acknowledges(database: Database) {
    let service = Service::start(&database).await;
    let fields = json!({"type": "alertmanager", "name": "am", "remind_after": "1m", "auto_resolve_after": "off"});
    let sender = service.sender_from(fields).await;
    let [waiting, seen] = ["waiting", "seen"].map(|key| Alert::new(key, start(0)));
    sender.post(&[(&waiting, "firing"), (&seen, "firing")]).await;
    let id = |incident: Value| incident["id"].as_str().unwrap().to_owned();
    let (waiting, seen) = (id(sender.incident("waiting").await), id(sender.incident("seen").await));
    service.api.post(&format!("/api/v1/incidents/{seen}/acknowledge"), &json!({})).await;
    for reminders in 1..=3 {
        service.clock.advance(60);
        eventually(async || {
            let pages = service.pages(&database, &waiting);
            if pages == 1 + reminders { Ok(()) } else { Err(format!("{pages} pages after {reminders} min")) }
        })
        .await;
    }
    assert_eq!(service.pages(&database, &seen), 1);
    assert_eq!(sender.incident("waiting").await["event_count"], 1);
}

async fn what_prometheus_does_not_repeat_expires_a_minute_later(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("prometheus").await;
    let path = format!("/api/integrations/prometheus/{}/api/v2/alerts", sender.integration.hook);
    let alert = |name: &str, ends_in: i64| {
        json!({
            "labels": {"alertname": name, "instance": "db-1:9100", "severity": "warning"},
            "annotations": {"summary": name}, "startsAt": start(0), "endsAt": service.now(ends_in),
        })
    };
    let both = json!([alert("Silent", 240), alert("Repeated", 240)]);
    assert_eq!(sender.post_json(&path, &both).await, ["opened", "opened"]);
    service.clock.advance(60);
    assert_eq!(sender.post_json(&path, &json!([alert("Repeated", 240)])).await, ["updated"]);
    let of = async |name: &str| {
        let all = service.api.incidents(&sender.integration).await;
        all.into_iter().find(|incident| incident["title"] == name).unwrap()
    };
    let expired = async |name: &str| {
        eventually(async || {
            let incident = of(name).await;
            let expired = incident["resolved_by"] == "timer:expired";
            if expired { Ok(()) } else { Err(format!("{incident:#}")) }
        })
        .await;
    };
    // 240 s after the first post its alerts count as over, 60 s later they are.
    service.clock.advance(180);
    assert_eq!(of("Silent").await["status"], "triggered");
    service.clock.advance(60);
    expired("Silent").await;
    assert_eq!(of("Repeated").await["status"], "triggered");
    service.clock.advance(60);
    expired("Repeated").await;
    assert_eq!(sender.post_json(&path, &json!([alert("Silent", 240)])).await, ["opened"], "an expiry makes nothing stale");
}

async fn a_catch_all_is_over_24_hours_after_its_last(database: Database) {
    let service = Service::start(&database).await;
    // A tool that speaks only of changes has no timer of its own; what nobody will ever resolve has one.
    let sender = service.sender("datadog").await;
    let path = sender.integration.path.clone();
    assert_eq!(sender.post_json(&path, &json!({"what": "is", "this": 1})).await, ["unmapped"]);
    service.clock.advance(HOUR);
    assert_eq!(sender.post_json(&path, &json!({"and": {"this": [2]}})).await, ["unmapped"]);
    service.clock.advance(23 * HOUR);
    let open = async || {
        let all = service.api.incidents(&sender.integration).await;
        all.iter().map(|incident| incident["status"] != "resolved").collect::<Vec<bool>>()
    };
    let becomes = async |expected: [bool; 2]| {
        eventually(async || {
            let open = open().await;
            if open == expected { Ok(()) } else { Err(format!("open, newest first: {open:?}")) }
        })
        .await;
    };
    becomes([true, false]).await;
    service.clock.advance(HOUR);
    becomes([false, false]).await;
}

async fn a_change_of_a_timer_counts_for_what_is_open(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender_from(json!({"type": "alertmanager", "name": "am", "auto_resolve_after": "off"})).await;
    sender.fires(&Alert::new("old", start(0))).await;
    service.clock.advance(48 * HOUR);
    assert_eq!(sender.incident("old").await["status"], "triggered");
    let path = format!("/api/v1/integrations/{}", sender.integration.id);
    let answer = service.api.patch(&path, &json!({"auto_resolve_after": "1h"})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    resolved_by(&sender, "old", "timer:auto_resolve").await;
}
