//! Nothing is left to wait for ever: what becomes of deliveries whose rule or destination changed while they waited.

use serde_json::json;

use super::rules::{expect, rule, told, unknown};
use super::{send, send_with, sender, start};
use crate::support::{Database, eventually};

on_both!(what_another_rule_pages_comes_to_its_end_there);
on_both!(a_hold_outlives_its_rule_and_its_end_is_told);
on_both!(what_waits_for_a_disabled_destination_goes_out_when_it_is_enabled);

async fn what_another_rule_pages_comes_to_its_end_there(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    rule(&service, json!({"name": "pages alone", "destinations": [id], "events": ["incident.triggered"]})).await;
    rule(&service, json!({"name": "bad", "destinations": [id], "severity_floor": "critical"})).await;
    let tool = sender(&service).await;
    send_with(&service, &tool, "trigger", "small", "error").await;
    send(&service, &tool, "resolve", "small").await;
    send_with(&service, &tool, "trigger", "grows", "error").await;
    expect(&ops, "grows", &["incident.triggered"]).await;
    send_with(&service, &tool, "trigger", "grows", "critical").await;
    send(&service, &tool, "resolve", "grows").await;
    expect(&ops, "grows", &["incident.triggered", "incident.triggered", "incident.resolved"]).await;
    assert_eq!(told(&ops, "small"), ["incident.triggered"], "nobody asked for its end");
}

async fn a_hold_outlives_its_rule_and_its_end_is_told(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    let now = jiff::Timestamp::now();
    let window = json!({"from": (now - jiff::SignedDuration::from_secs(60)).to_string(), "until": (now + jiff::SignedDuration::from_secs(5)).to_string()});
    let rule = rule(&service, json!({"name": "night", "destinations": [id], "quiet_windows": [window]})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    send(&service, &tool, "trigger", "over").await;
    eventually(async || {
        let metrics = reqwest::get(format!("{}/metrics", service.base())).await.unwrap().text().await.unwrap();
        if metrics.contains("quiet\"} 2") { Ok(()) } else { Err(metrics) }
    })
    .await;
    assert_eq!(service.api().delete(&format!("/api/v1/rules/{rule}")).await.status / 100, 2);
    send(&service, &tool, "resolve", "over").await;
    expect(&ops, "disk", &["incident.triggered"]).await;
    send(&service, &tool, "resolve", "disk").await;
    expect(&ops, "disk", &["incident.triggered", "incident.resolved"]).await;
    assert_eq!(told(&ops, "over"), [""; 0]);
}

async fn what_waits_for_a_disabled_destination_goes_out_when_it_is_enabled(database: Database) {
    let service = start(&database).await;
    let (ops, id) = unknown(&service, "ops").await;
    rule(&service, json!({"name": "all", "destinations": [id]})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    expect(&ops, "disk", &["incident.triggered"]).await;
    let api = service.api();
    let path = format!("/api/v1/destinations/{id}");
    assert_eq!(api.patch(&path, &json!({"enabled": false})).await.status, 200);
    send(&service, &tool, "trigger", "unseen").await;
    // In this order: once this waits, the other has been dealt with.
    send(&service, &tool, "resolve", "disk").await;
    let waiting = eventually(async || {
        let list = api.get("/api/v1/deliveries?status=pending").await.body;
        if list["items"].as_array().is_some_and(|items| items.len() == 1) { Ok(list) } else { Err(list.to_string()) }
    })
    .await;
    assert_eq!(waiting["items"][0]["event"], "incident.resolved", "{waiting}");
    assert_eq!(api.patch(&path, &json!({"enabled": true})).await.status, 200);
    expect(&ops, "disk", &["incident.triggered", "incident.resolved"]).await;
    assert_eq!(told(&ops, "unseen"), [""; 0], "a disabled destination is told nothing that begins");
}
