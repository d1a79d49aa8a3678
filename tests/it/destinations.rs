//! Destinations and rules of a running service: who is told is known to every process at once, and survives a restart.

use serde_json::{Value, json};

use crate::delivery::{destination, destination_from, send, sender, start, start_with};
use crate::support::api::event;
use crate::support::receiver::{Receiver, Way};
use crate::support::{Api, Callbox, Database, Integration, eventually};

on_both!(nothing_is_noted_until_somebody_is_to_be_told, a_destination_survives_a_restart_with_its_secrets);
on_both!(a_default_destination_is_not_told_that_it_does_not_work);
on_both!(a_url_is_swapped_while_messages_wait, both_secrets_sign_while_one_is_rotated, what_cannot_be_opened_waits);

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

/// The next attempt may be an hour away, and the breaker open: the new URL is tried at once, with the same message.
async fn a_url_is_swapped_while_messages_wait(database: Database) {
    let service = start(&database).await;
    let (broken, well) = (Receiver::deciding(|_| Way::status(500)).await, Receiver::start().await);
    let fields = json!({
        "name": "ops", "kind": "webhook", "url": broken.url(), "breaker_failures": 1, "breaker_rest": "1h", "headers": {"X-Old": "1"},
    });
    let id = destination_from(&service, fields).await;
    let tool = sender(&service).await;
    for key in ["one", "two", "three"] {
        send(&service, &tool, "trigger", key).await;
    }
    broken.wait(1).await;
    eventually(async || {
        let retrying = database.cells("SELECT status AS cell FROM deliveries WHERE status = 'retrying'");
        if retrying.is_empty() { Err("the first attempt is not noted yet".to_owned()) } else { Ok(()) }
    })
    .await;
    let change = json!({"url": well.url(), "headers": {"X-Old": null, "X-New": "2"}});
    let changed = service.api().patch(&format!("/api/v1/destinations/{id}"), &change).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    eventually(async || {
        let keys: Vec<String> =
            well.seen().iter().map(|request| request.json()["incident"]["dedup_key"].as_str().unwrap().to_owned()).collect();
        let all = ["one", "two", "three"].iter().all(|key| keys.iter().any(|have| have == key));
        if all { Ok(()) } else { Err(format!("{keys:?}")) }
    })
    .await;
    let (tried, told) = (broken.seen(), well.seen());
    let again = told.iter().find(|request| request.id() == tried[0].id()).expect("the message that failed, with its id");
    assert_eq!(again.body, tried[0].body);
    assert!(told.iter().all(|request| request.headers.get("x-new").is_some_and(|value| value == "2")));
    assert!(told.iter().all(|request| !request.headers.contains_key("x-old")));
}

async fn both_secrets_sign_while_one_is_rotated(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let id = destination(&service, "ops", &receiver).await;
    let tool = sender(&service).await;
    let signatures = async |key: &str, count: usize| {
        send(&service, &tool, "trigger", key).await;
        receiver.wait(count).await;
        let last = receiver.seen().pop().unwrap();
        last.headers["webhook-signature"].split(' ').map(str::to_owned).collect::<Vec<_>>().len()
    };
    assert_eq!(signatures("one", 1).await, 1);
    for (overlap, key, count, expected) in [("1h", "two", 2, 2), ("off", "three", 3, 1)] {
        let rotated = service.api().post(&format!("/api/v1/destinations/{id}/rotate"), &json!({"overlap": overlap})).await;
        assert_eq!(rotated.status, 200, "{}", rotated.body);
        crate::support::secrets::remember(rotated.body["signing_secret"].as_str().unwrap());
        assert_eq!(signatures(key, count).await, expected, "{overlap}");
    }
}

/// A file that is gone makes a destination unusable, and loses nothing.
async fn what_cannot_be_opened_waits(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hook");
    let service = start_with(&database, &[("CALLBOX_OUTBOUND_SECRETS_DIR", folder.path().to_str().unwrap())]).await;
    let receiver = Receiver::start().await;
    std::fs::write(&file, receiver.url()).unwrap();
    let id = destination_from(&service, json!({"name": "ops", "kind": "webhook", "url": "file:hook"})).await;
    let (tool, path) = (sender(&service).await, format!("/api/v1/destinations/{id}"));
    std::fs::remove_file(&file).unwrap();
    // Any change of the configuration has files read again.
    let unusable = service.api().patch(&path, &json!({"name": "ops 2"})).await.body;
    assert!(unusable["problem"].as_str().unwrap().contains("file:hook cannot be read"), "{unusable}");
    send(&service, &tool, "trigger", "one").await;
    eventually(async || {
        let waiting = database.cells("SELECT status AS cell FROM deliveries");
        if waiting == ["pending"] { Ok(()) } else { Err(format!("{waiting:?}")) }
    })
    .await;
    assert_eq!(receiver.seen().len(), 0);
    std::fs::write(&file, receiver.url()).unwrap();
    let usable = service.api().patch(&path, &json!({"name": "ops 3"})).await.body;
    assert_eq!(usable["problem"], Value::Null, "{usable}");
    receiver.wait(1).await;
    assert_eq!(receiver.seen()[0].json()["incident"]["dedup_key"], "one");
}

async fn a_default_destination_is_not_told_that_it_does_not_work(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::deciding(|_| Way::status(400)).await;
    let fields = json!({"name": "rest", "kind": "webhook", "url": receiver.url(), "no_rule": true, "default": true});
    let id = destination_from(&service, fields).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    eventually(async || {
        let own = service.api().get(&format!("/api/v1/incidents?dedup_key=destination:{id}")).await.body;
        if own["items"].as_array().is_some_and(|items| !items.is_empty()) { Ok(()) } else { Err(own.to_string()) }
    })
    .await;
    receiver.now(|_| Way::status(200));
    // What is told after it shows that it had its turn.
    send(&service, &tool, "trigger", "other").await;
    let seen = receiver.wait(2).await;
    let keys: Vec<Value> = seen.iter().map(|request| request.json()["incident"]["dedup_key"].clone()).collect();
    assert_eq!(keys, ["disk", "other"]);
}
