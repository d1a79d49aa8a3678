//! Delivery: what happened reaches who must be told, once, in order, however bad the receiver behaves.

mod actions;
mod converge;
mod crash;
mod ends;
mod hostile;
mod hostile_load;
mod hostile_targets;
mod hostile_tls;
mod lanes;
mod mail;
mod nodes;
mod order;
mod preview;
mod rules;
mod together;
mod views;

use serde_json::{Value, json};

use crate::support::callbox::Options;
use crate::support::receiver::Receiver;
use crate::support::{Api, Callbox, Database, Integration};

/// A service that may reach this machine.
pub async fn start(database: &Database) -> Callbox {
    start_with(database, &[]).await
}

/// The same with settings.
pub async fn start_with(database: &Database, settings: &[(&str, &str)]) -> Callbox {
    let mut environment = vec![("CALLBOX_OUTBOUND_ALLOW".to_owned(), "127.0.0.0/8".to_owned())];
    environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Callbox::start_with(database, Options { environment, ..Options::default() }).await
}

/// A destination of kind `webhook` that is told everything; its id.
pub async fn destination(service: &Callbox, name: &str, receiver: &Receiver) -> String {
    destination_from(service, json!({"name": name, "kind": "webhook", "url": receiver.url()})).await
}

/// A destination from the given fields; its id.
pub async fn destination_from(service: &Callbox, fields: Value) -> String {
    let answer = service.api().post("/api/v1/destinations", &fields).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    if let Some(secret) = answer.body["signing_secret"].as_str() {
        crate::support::secrets::remember(secret);
    }
    answer.body["id"].as_str().unwrap().to_owned()
}

/// An integration whose events come in by the Events API.
pub async fn sender(service: &Callbox) -> Integration {
    service.api().integration("events", "tool").await
}

/// Sends one event.
pub async fn send(service: &Callbox, integration: &Integration, action: &str, key: &str) {
    send_with(service, integration, action, key, "error").await;
}

/// Sends one event of this severity.
pub async fn send_with(service: &Callbox, integration: &Integration, action: &str, key: &str, severity: &str) {
    send_by(&service.api(), integration, action, key, severity).await;
}

/// The same by a client that is there already.
pub async fn send_by(api: &Api, integration: &Integration, action: &str, key: &str, severity: &str) {
    let body = json!({
        "routing_key": integration.key, "event_action": action, "dedup_key": key,
        "payload": {"summary": format!("{key} is in trouble"), "source": "db1", "severity": severity},
    });
    let answer = api.send("/v2/enqueue", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}
