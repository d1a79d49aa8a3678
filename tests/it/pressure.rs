//! Many at once, and a store that fails: nothing is lost, nobody is lied to.

mod disk;

use serde_json::{Value, json};

use crate::support::api::event;
use crate::support::{Api, Callbox, Database, Integration};

on_both!(
    many_clients_of_one_key_make_one_incident,
    with_a_limit_every_request_is_accepted_or_refused,
    a_store_that_refuses_one_event_of_fifty,
);

/// Clients at a time.
const CLIENTS: usize = 64;
/// Triggers of each.
const TRIGGERS: usize = 100;

/// Posts from all clients at once; how often each of (202, 429) was the answer.
async fn storm(api: &Api, integration: &Integration) -> (usize, usize) {
    let client = |number: usize| {
        let (api, key) = (api.clone(), integration.key.clone());
        tokio::spawn(async move {
            let (mut accepted, mut refused) = (0, 0);
            for turn in 0..TRIGGERS {
                let body = event(&key, "trigger", "one-key", &format!("client {number}, turn {turn}"));
                // 503 is a promise of nothing, to be sent again; on a loaded machine it may happen.
                let status = loop {
                    let answer = api.send("/v2/enqueue", &body).await;
                    if answer.status != 503 {
                        break answer.status;
                    }
                };
                match status {
                    202 => accepted += 1,
                    429 => refused += 1,
                    other => panic!("{other}"),
                }
            }
            (accepted, refused)
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    let mut sum = (0, 0);
    for client in clients {
        let (accepted, refused) = client.await.unwrap();
        sum = (sum.0 + accepted, sum.1 + refused);
    }
    sum
}

/// An answer that comes late is 503 although its event may be stored; where events are counted exactly there must be none.
async fn patient(database: &Database) -> Callbox {
    let environment = vec![
        ("CALLBOX_LIMITS_ANSWER_WITHIN".to_owned(), "30s".to_owned()),
        ("CALLBOX_LIMITS_MAX_WAIT".to_owned(), "30s".to_owned()),
    ];
    Callbox::start_with(database, crate::support::callbox::Options { environment, ..Default::default() }).await
}

async fn many_clients_of_one_key_make_one_incident(database: Database) {
    let service = patient(&database).await;
    let integration = service.api().integration("events", "storm").await;
    assert_eq!(storm(&service.api(), &integration).await, (CLIENTS * TRIGGERS, 0));
    let incidents = service.api().incidents(&integration).await;
    assert_eq!(incidents.len(), 1);
    assert_eq!((&incidents[0]["event_count"], &incidents[0]["status"]), (&json!(CLIENTS * TRIGGERS), &json!("triggered")));
    let events = database.cells("SELECT CAST(id AS TEXT) AS cell FROM events WHERE dedup_key = 'one-key'");
    assert_eq!(events.len(), CLIENTS * TRIGGERS);
    // Each event names the one before it: a single chain, without a fork.
    let links = "SELECT DISTINCT CAST(previous_event_id AS TEXT) AS cell FROM events WHERE previous_event_id IS NOT NULL";
    assert_eq!(database.cells(links).len(), CLIENTS * TRIGGERS - 1);
}

async fn with_a_limit_every_request_is_accepted_or_refused(database: Database) {
    let service = patient(&database).await;
    let fields = json!({"type": "events", "name": "storm", "rate_limit_per_minute": 1000});
    let integration = service.api().integration_from(fields).await;
    let (accepted, refused) = storm(&service.api(), &integration).await;
    assert_eq!(accepted + refused, CLIENTS * TRIGGERS);
    assert!(accepted >= 1000 && refused > 0, "{accepted} accepted, {refused} refused");
    let incidents = service.api().incidents(&integration).await;
    assert_eq!((incidents.len(), &incidents[0]["event_count"]), (1, &json!(accepted)));
}

/// The key that the database will not store.
const POISON: &str = "poison";

async fn a_store_that_refuses_one_event_of_fifty(database: Database) {
    // The tables must be there before a trigger can be put on them.
    drop(Callbox::start(&database).await);
    database.execute(if database.is_postgres() { REFUSING_POSTGRES } else { REFUSING_SQLITE });
    let service = Callbox::start(&database).await;
    let integration = service.api().integration("alertmanager", "group of fifty").await;
    let alert = |n: usize| {
        let key = if n == 25 { POISON.to_owned() } else { format!("key-{n}") };
        json!({
            "status": "firing", "fingerprint": key, "startsAt": "2025-06-15T15:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "labels": {"alertname": "DiskFull", "severity": "critical"}, "annotations": {"summary": format!("disk {n}")},
        })
    };
    let alerts: Vec<Value> = (0..50).map(alert).collect();
    let body = json!({"version": "4", "groupKey": "{}", "status": "firing", "alerts": alerts});
    let answer = service.api().send(&integration.path, &body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let outcomes: Vec<&str> =
        answer.body["events"].as_array().unwrap().iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "opened").count(), 49);
    assert_eq!((outcomes.len(), outcomes[25]), (50, "quarantined"));

    let incidents = service.api().incidents(&integration).await;
    assert_eq!(incidents.len(), 50);
    let is_catch_all = |incident: &&Value| incident["dedup_key"].as_str().unwrap().starts_with("unmapped:");
    let catch_alls: Vec<&Value> = incidents.iter().filter(is_catch_all).collect();
    assert_eq!(catch_alls.len(), 1);
    assert!(catch_alls[0]["title"].as_str().unwrap().contains(answer.request_id()), "{}", catch_alls[0]["title"]);
    assert!(!incidents.iter().any(|incident| incident["dedup_key"] == POISON));
    let row = service.api().get(&format!("/api/v1/requests/{}", answer.request_id())).await;
    assert_eq!((&row.body["verdict"], row.body["events"].as_array().unwrap().len()), (&json!("accepted"), 50));

    // Its neighbours in a batch, and what comes after, are none the worse.
    let good = json!({"version": "4", "groupKey": "{}", "status": "firing", "alerts": [alert(100)]});
    assert_eq!(service.api().send(&integration.path, &good).await.body["events"][0]["outcome"], "opened");
}

const REFUSING_SQLITE: &str = "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.dedup_key = 'poison' \
    BEGIN SELECT RAISE(ABORT, 'not this one'); END;";

const REFUSING_POSTGRES: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN IF NEW.dedup_key = 'poison' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$; \
    CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse();";
