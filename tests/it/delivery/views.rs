//! What is seen of deliveries: with an incident, with a destination, and what becomes of those that lead nowhere any more.

use std::time::Duration;

use serde_json::{Value, json};

use super::{destination, destination_from, send, send_with, sender, start};
use crate::support::receiver::{Receiver, Way};
use crate::support::{Callbox, Database, eventually};

on_both!(an_incident_shows_what_was_told_of_it);
on_both!(what_nobody_is_told_of_shows);
on_both!(a_destination_shows_how_it_is_doing);
on_both!(what_was_made_for_a_destination_that_is_gone_comes_to_its_end);
on_both!(a_hold_stands_in_the_way_of_a_deletion_too);

async fn incident(service: &Callbox, key: &str) -> Value {
    let found = service.api().get(&format!("/api/v1/incidents?dedup_key={key}")).await.body["items"][0].clone();
    service.api().get(&format!("/api/v1/incidents/{}", found["id"].as_str().unwrap())).await.body
}

/// Waits until what is seen at `path` is as `is` says.
async fn until(service: &Callbox, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    let api = service.api();
    let mut seen = Value::Null;
    eventually(async || {
        seen = api.get(path).await.body;
        if is(&seen) { Ok(()) } else { Err(format!("{path}: {seen:#}")) }
    })
    .await;
    seen
}

fn future_window() -> Value {
    let now = jiff::Timestamp::now();
    let at = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
    json!({"from": at(-60), "until": at(3600)})
}

async fn an_incident_shows_what_was_told_of_it(database: Database) {
    let service = start(&database).await;
    let (well, down) = (Receiver::start().await, Receiver::deciding(|_| Way::status(503)).await);
    let (ops, bad) = (destination(&service, "ops", &well).await, destination(&service, "bad", &down).await);
    let quiet = destination_from(&service, json!({"name": "quiet", "kind": "webhook", "url": well.url(), "no_rule": true})).await;
    let night = json!({"name": "night", "destinations": [quiet], "quiet_windows": [future_window()]});
    assert_eq!(service.api().post("/api/v1/rules", &night).await.status, 201);
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    send(&service, &tool, "acknowledge", "disk").await;
    well.wait(2).await;
    down.wait(2).await;
    let id = incident(&service, "disk").await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/incidents/{id}");
    let told = |seen: &Value, to: &str| -> Vec<Value> {
        seen["deliveries"].as_array().unwrap().iter().filter(|told| told["destination_id"] == to).cloned().collect()
    };
    let seen = until(&service, &path, |seen| {
        let (ops, bad) = (told(seen, &ops), told(seen, &bad));
        ops.len() == 2
            && ops.iter().all(|told| told["status"] == "delivered")
            && bad.first().is_some_and(|told| !told["next_attempt_at"].is_null())
    })
    .await;
    let (fine, waits) = (told(&seen, &ops), told(&seen, &bad));
    assert_eq!((&fine[0]["event"], &fine[1]["event"]), (&json!("incident.triggered"), &json!("incident.acknowledged")));
    assert_eq!((&fine[0]["attempt_count"], &fine[0]["next_attempt_at"]), (&json!(1), &Value::Null));
    assert_eq!((&waits[0]["status"], &waits[1]["status"]), (&json!("retrying"), &json!("pending")), "{seen:#}");
    assert_eq!(waits[1]["next_attempt_at"], Value::Null, "what comes after it waits");
    assert_eq!(seen["unrouted"], false);
    let [hold] = seen["holds"].as_array().unwrap().as_slice() else { panic!("{seen:#}") };
    assert_eq!((&hold["destination_id"], &hold["by"]), (&json!(quiet), &json!("quiet")));
    let timeline = service.api().get(&format!("{path}/events")).await.body;
    let events: Vec<Vec<&str>> = timeline["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["deliveries"].as_array().unwrap().iter().map(|told| told["event"].as_str().unwrap()).collect())
        .collect();
    assert_eq!(events, [["incident.acknowledged"; 2], ["incident.triggered"; 2]], "{timeline:#}");
}

async fn what_nobody_is_told_of_shows(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let id = destination_from(&service, json!({"name": "ops", "kind": "webhook", "url": receiver.url(), "no_rule": true})).await;
    let rule = json!({"name": "bad", "destinations": [id], "severity_floor": "error"});
    assert_eq!(service.api().post("/api/v1/rules", &rule).await.status, 201);
    let tool = sender(&service).await;
    for (key, severity) in [("loud", "error"), ("soft", "info"), ("over", "info"), ("rises", "info")] {
        send_with(&service, &tool, "trigger", key, severity).await;
    }
    send_with(&service, &tool, "resolve", "over", "info").await;
    receiver.wait(1).await;
    let keys = |seen: &Value| -> Vec<String> {
        seen["items"].as_array().unwrap().iter().map(|row| row["dedup_key"].as_str().unwrap().to_owned()).collect()
    };
    until(&service, "/api/v1/incidents?unrouted=true", |seen| keys(seen) == ["rises", "over", "soft"]).await;
    assert_eq!(incident(&service, "soft").await["unrouted"], true);
    assert_eq!(incident(&service, "loud").await["unrouted"], false);
    let all = service.api().get("/api/v1/incidents").await.body;
    let flags: Vec<&Value> = all["items"].as_array().unwrap().iter().map(|row| &row["unrouted"]).collect();
    assert_eq!(flags, [true, true, true, false]);
    send_with(&service, &tool, "trigger", "rises", "critical").await;
    until(&service, "/api/v1/incidents?unrouted=true&status=triggered", |seen| keys(seen) == ["soft"]).await;
    let wrong = service.api().get("/api/v1/incidents?unrouted=perhaps").await;
    assert_eq!(wrong.status, 400);
}

async fn a_destination_shows_how_it_is_doing(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::deciding(|_| Way::status(503)).await;
    let fields = json!({"name": "ops", "kind": "webhook", "url": receiver.url(), "breaker_failures": 2, "breaker_rest": "5m"});
    let id = destination_from(&service, fields).await;
    let path = format!("/api/v1/destinations/{id}");
    let fresh = service.api().get(&path).await.body;
    let nothing = json!({"state": "closed", "failures": 0, "opened_at": null, "retry_at": null, "skipped": 0});
    assert_eq!((&fresh["breaker"], &fresh["waiting"]["deliveries"]), (&nothing, &json!(0)));
    assert_eq!((&fresh["last_delivered_at"], &fresh["last_failed_at"]), (&Value::Null, &Value::Null));
    assert_eq!((&fresh["actions_url"], &fresh["warnings"]), (&Value::Null, &json!([])));
    let tool = sender(&service).await;
    for key in ["a", "b", "c"] {
        send(&service, &tool, "trigger", key).await;
    }
    let seen =
        until(&service, &path, |seen| seen["breaker"]["state"] == "open" && seen["breaker"]["skipped"].as_i64() > Some(0)).await;
    assert!(seen["breaker"]["failures"].as_i64() >= Some(2), "{seen:#}");
    let at = |name: &str| seen.pointer(name).unwrap().as_str().unwrap_or_default().parse::<jiff::Timestamp>().unwrap();
    assert!(at("/breaker/opened_at") < at("/breaker/retry_at") && at("/waiting/oldest_at") <= at("/last_failed_at"), "{seen:#}");
    assert_eq!((&seen["waiting"]["deliveries"], &seen["last_delivered_at"]), (&json!(3), &Value::Null));
    assert!(seen["waiting"]["oldest_seconds"].as_i64() >= Some(0));
    receiver.now(|_| Way::status(200));
    assert_eq!(service.api().patch(&path, &json!({"url": format!("{}?new", receiver.url())})).await.status, 200);
    let well = until(&service, &path, |seen| seen["waiting"]["deliveries"] == 0).await;
    assert_eq!((&well["breaker"]["state"], &well["breaker"]["opened_at"]), (&json!("closed"), &Value::Null), "{well:#}");
    assert!(well["last_delivered_at"].is_string());
    let refused = service.api().patch(&path, &json!({"breaker": {"state": "closed"}})).await;
    assert_eq!(refused.status, 400, "it is what it is");
}

/// As a router leaves it that read the configuration before the deletion, and wrote after it.
async fn what_was_made_for_a_destination_that_is_gone_comes_to_its_end(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::deciding(|_| Way::status(503)).await;
    let id = destination(&service, "ops", &receiver).await;
    let kept = destination(&service, "kept", &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    receiver.wait(2).await;
    service.kill();
    database.execute(&format!("UPDATE destinations SET deleted_at = 1, live_name = NULL WHERE id = '{id}'"));
    let service = start(&database).await;
    let seen = until(&service, "/api/v1/deliveries?status=skipped", |seen| seen["items"].as_array().unwrap().len() == 1).await;
    let given_up = &seen["items"][0];
    assert_eq!((&given_up["destination_id"], &given_up["reason"]), (&json!(id), &json!("the destination was deleted")));
    let due =
        database.cells(&format!("SELECT subject AS cell FROM threads WHERE destination_id = '{id}' AND due_at IS NOT NULL"));
    assert_eq!(due, [""; 0]);
    receiver.now(|_| Way::status(200));
    until(&service, &format!("/api/v1/deliveries?destination_id={kept}&status=delivered"), |seen| {
        seen["items"].as_array().unwrap().len() == 1
    })
    .await;
}

async fn a_hold_stands_in_the_way_of_a_deletion_too(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let id = destination_from(&service, json!({"name": "ops", "kind": "webhook", "url": receiver.url(), "no_rule": true})).await;
    let night = json!({"name": "night", "destinations": [id], "quiet_windows": [future_window()]});
    assert_eq!(service.api().post("/api/v1/rules", &night).await.status, 201);
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    let path = format!("/api/v1/destinations/{id}");
    until(&service, &path, |seen| seen["waiting"]["held"] == 1).await;
    let refused = service.api().delete(&path).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(refused.body["error"]["details"], json!({"pending": 1, "deliveries": 0, "held": 1}));
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("1 incidents on hold"), "{}", refused.body);
    assert_eq!(service.api().delete(&format!("{path}?pending=drop")).await.status, 200);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(receiver.count(), 0);
}
