//! Destinations and rules of a running service: who is told is known to every process at once, and survives a restart.

use serde_json::{Value, json};

use crate::support::api::event;
use crate::support::{Api, Callbox, Database, Integration};

on_both!(nothing_is_noted_until_somebody_is_to_be_told, a_destination_survives_a_restart_with_its_secrets);

async fn nothing_is_noted_until_somebody_is_to_be_told(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let tool = api.integration("events", "tool").await;
    page(&api, &tool, "before").await;
    assert_eq!(database.noted(), Vec::<String>::new());
    let destination = api.destination("ops").await;
    page(&api, &tool, "after").await;
    let told = database.noted();
    assert_eq!(told.len(), 1, "what happened before is not told: {told:?}");
    assert!(told[0].starts_with("incident.triggered "), "{told:?}");
    let path = format!("/api/v1/destinations/{}", destination["id"].as_str().unwrap());
    let gone = api.delete(&format!("{path}?pending=drop")).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    page(&api, &tool, "at the end").await;
    assert!(database.noted().len() <= 1, "nobody is left to be told");
}

async fn a_destination_survives_a_restart_with_its_secrets(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let tool = api.integration("events", "tool").await;
    let body = json!({
        "kind": "webhook", "name": "ops", "url": "https://receiver.example/hook?token=hush-url", "headers": {"X-Team": "hush-header"},
        "signing_secret": "whsec_aHVzaC1zaWduaW5n", "default": true,
    });
    let made = api.post("/api/v1/destinations", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("/api/v1/destinations/{}", made.body["id"].as_str().unwrap());
    let rule = json!({"name": "nights", "destinations": ["ops"], "condition": "incident.urgency == 'high'"});
    let rule = api.post("/api/v1/rules", &rule).await;
    assert_eq!(rule.status, 201, "{}", rule.body);
    let (before, rules) = (api.get(&path).await.body, api.get("/api/v1/rules").await.body);
    assert_eq!((&before["problem"], &before["url"]), (&Value::Null, &json!("https://receiver.example/hook?token=***")));

    let service = service.kill_and_restart().await;
    let api = service.api();
    assert_eq!((api.get(&path).await.body, api.get("/api/v1/rules").await.body), (before, rules));
    page(&api, &tool, "after").await;
    let known = database.noted().len() + database.cells("SELECT status AS cell FROM deliveries").len();
    assert!(known > 0, "it is still known who is to be told");
    let stored = database.cells("SELECT sealed || options AS cell FROM destinations").join(" ");
    let stored = stored + &database.cells("SELECT sealed AS cell FROM signing_secrets").join(" ");
    let audit = api.get("/api/v1/audit").await.body.to_string();
    let log = service.kill();
    for secret in ["hush-url", "hush-header", "aHVzaC1zaWduaW5n"] {
        for (place, text) in [("store", &stored), ("audit", &audit), ("log", &log)] {
            assert!(!text.contains(secret), "{secret} in the {place}: {text}");
        }
    }
}

async fn page(api: &Api, tool: &Integration, key: &str) {
    let answer = api.send("/v2/enqueue", &event(&tool.key, "trigger", key, "down")).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}
