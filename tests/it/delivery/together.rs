//! What falls into one turn of the router is written together: no row twice in one statement, which PostgreSQL refuses, so that the
//! router would come no further.

use serde_json::json;

use super::rules::{expect, rule, told, unknown};
use super::{send, sender, start};
use crate::support::{Database, eventually};

on_both!(one_rule_pages_twice_for_an_incident);
on_both!(two_rules_look_at_an_incident_at_once);
on_both!(a_dedupe_window_ends_at_two_destinations);

async fn one_rule_pages_twice_for_an_incident(database: Database) {
    let service = start(&database).await;
    let (ops, one) = unknown(&service, "ops").await;
    let (lead, two) = unknown(&service, "lead").await;
    rule(&service, json!({"name": "chain", "destinations": [one], "steps": [{"after": "1s", "destinations": [two]}]})).await;
    let tool = service.api().integration("alertmanager", "alerts").await;
    let alert = |severity: &str| {
        json!({
            "status": "firing", "fingerprint": "5ef77f1f8a3ecf8d", "startsAt": "2026-03-01T10:00:00Z",
            "labels": {"alertname": "DiskFull", "severity": severity}, "annotations": {},
        })
    };
    let body = json!({"version": "4", "status": "firing", "alerts": [alert("info"), alert("critical")]});
    assert_eq!(service.api().send(&tool.path, &body).await.status, 202);
    for receiver in [&ops, &lead] {
        receiver.wait(1).await;
    }
    // And it goes on.
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "next").await;
    expect(&ops, "next", &["incident.triggered"]).await;
}

async fn two_rules_look_at_an_incident_at_once(database: Database) {
    let service = start(&database).await;
    let (ops, one) = unknown(&service, "ops").await;
    let (first, two) = unknown(&service, "first").await;
    for name in ["day", "night"] {
        let steps = json!([{"after": "1s", "destinations": [one]}]);
        rule(&service, json!({"name": name, "destinations": [two], "steps": steps})).await;
    }
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    expect(&first, "disk", &["incident.triggered"]).await;
    expect(&ops, "disk", &["incident.triggered"]).await;
    send(&service, &tool, "resolve", "disk").await;
    expect(&ops, "disk", &["incident.triggered", "incident.resolved"]).await;
    assert_eq!(told(&first, "disk"), ["incident.triggered", "incident.resolved"]);
}

async fn a_dedupe_window_ends_at_two_destinations(database: Database) {
    let service = start(&database).await;
    let (ops, one) = unknown(&service, "ops").await;
    let (lead, two) = unknown(&service, "lead").await;
    rule(&service, json!({"name": "calm", "destinations": [one, two], "dedupe_window": "4s"})).await;
    let tool = sender(&service).await;
    for action in ["trigger", "resolve", "trigger"] {
        send(&service, &tool, action, "flaps").await;
    }
    for receiver in [&ops, &lead] {
        expect(receiver, "flaps", &["incident.triggered", "incident.resolved", "incident.triggered"]).await;
    }
    eventually(async || {
        let pages = database.cells("SELECT dedup_key AS cell FROM pages");
        if pages == ["flaps"] { Ok(()) } else { Err(format!("{pages:?}")) }
    })
    .await;
}
