//! Tenants see nothing of each other's destinations, rules, deliveries and audit log, and can neither use nor change them.

use callbox::store::{Settings, Store, tenants, tokens};
use callbox::time::Clock;
use serde_json::{Value, json};

use crate::delivery::{destination_from, send, sender, start};
use crate::support::receiver::{Receiver, Way};
use crate::support::{Api, Callbox, Database, eventually, secrets};

on_both!(another_tenant_sees_uses_and_retries_nothing);

/// An administrator's token of a second tenant; made while nobody has the database.
fn second_tenant(database: &Database) -> String {
    let mut settings = Settings::parse(database.url()).unwrap();
    settings.allow_unsafe = true;
    let mut conn = Store::open(settings).unwrap().writer().unwrap();
    let now = Clock::System.now();
    let tenant = tenants::ensure(&mut conn, "other", now).unwrap();
    let token = tokens::create_admin(&mut conn, &tenant, "other admin", now).unwrap().expose().to_owned();
    secrets::remember(&token);
    token
}

/// What a list shows of `name` or `id`.
async fn ids(api: &Api, list: &str) -> Vec<String> {
    api.all(list).await.iter().map(|item| item["id"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn another_tenant_sees_uses_and_retries_nothing(database: Database) {
    let token = second_tenant(&database);
    let service = start(&database).await;
    let (ours, theirs) = (service.api(), service.api().with_token(&token));
    let receiver = Receiver::deciding(|_| Way::status(400)).await;
    let fields = json!({"name": "ours", "kind": "webhook", "url": receiver.url(), "default": true});
    let destination = destination_from(&service, fields).await;
    let rule = ids(&ours, "/api/v1/rules").await.remove(0);
    send(&service, &sender(&service).await, "trigger", "disk").await;
    let dead = eventually(async || {
        let dead = ids(&ours, "/api/v1/deliveries?status=dead").await;
        dead.first().cloned().ok_or_else(|| "no dead letter yet".to_owned())
    })
    .await;

    // See.
    for list in ["destinations", "rules", "deliveries", "incidents", "events", "requests"] {
        assert_eq!(ids(&theirs, &format!("/api/v1/{list}")).await, [""; 0], "{list}");
    }
    assert_eq!(ids(&theirs, &format!("/api/v1/deliveries?destination_id={destination}")).await, [""; 0]);
    let audit = serde_json::to_string(&theirs.all("/api/v1/audit").await).unwrap();
    assert!(!audit.contains(&destination), "{audit}");
    for path in [format!("destinations/{destination}"), format!("rules/{rule}"), format!("deliveries/{dead}")] {
        assert_eq!(theirs.get(&format!("/api/v1/{path}")).await.status, 404, "{path}");
    }
    // Change.
    let change = json!({"name": "taken", "enabled": false});
    for path in [format!("destinations/{destination}"), format!("rules/{rule}")] {
        assert_eq!(theirs.patch(&format!("/api/v1/{path}"), &change).await.status, 404, "{path}");
        assert_eq!(theirs.delete(&format!("/api/v1/{path}")).await.status, 404, "{path}");
    }
    // Use.
    for (path, body) in [("test", json!({})), ("test", json!({"dry_run": true})), ("rotate", json!({}))] {
        let answer = theirs.post(&format!("/api/v1/destinations/{destination}/{path}"), &body).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
    for named in [destination.as_str(), "ours"] {
        let answer = theirs.post("/api/v1/rules", &json!({"name": "theirs", "destinations": [named]})).await;
        assert_eq!(answer.status, 400, "{named}: {}", answer.body);
    }
    // Retry.
    for act in ["retry", "drop"] {
        assert_eq!(theirs.post(&format!("/api/v1/deliveries/{dead}/{act}"), &json!({})).await.status, 404);
        let many = theirs.post(&format!("/api/v1/deliveries/{act}"), &json!({"destination_id": destination})).await;
        assert_eq!((many.status, &many.body["done"]), (202, &json!({})), "{}", many.body);
    }
    assert_eq!(ids(&ours, "/api/v1/deliveries?status=dead").await, [dead]);
    assert_eq!(receiver.count(), 1);
    own_world(&service, &theirs, &receiver).await;
}

/// What happens to one tenant is told to that tenant's destinations alone, also where names are equal.
async fn own_world(service: &Callbox, theirs: &Api, ours: &Receiver) {
    ours.now(|_| Way::status(200));
    let receiver = Receiver::start().await;
    let answer = theirs.post("/api/v1/destinations", &json!({"name": "ours", "kind": "webhook", "url": receiver.url()})).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    secrets::remember(answer.text("signing_secret"));
    let tool = theirs.integration("events", "tool").await;
    send(service, &tool, "trigger", "theirs").await;
    let seen = receiver.wait(1).await;
    assert_eq!(seen[0].json()["incident"]["dedup_key"], "theirs");
    let keys: Vec<Value> = ours.seen().iter().map(|request| request.json()["incident"]["dedup_key"].clone()).collect();
    assert!(!keys.contains(&json!("theirs")), "{keys:?}");
}
