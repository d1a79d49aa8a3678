//! Exosphere's acceptance list for its alerts: endpoints and rules over a REST API, conditions, durations, HMAC, retries, dead letters,
//! delivery history, an audit log. That tenants see nothing of each other is `tenants.rs`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::delivery::{destination_from, send, send_with, sender, start};
use crate::support::receiver::{Receiver, Way};
use crate::support::{Api, Callbox, Database, eventually, secrets};
use crate::verify;

on_both!(endpoints_are_made_read_changed_and_deleted);
on_both!(rules_are_made_read_changed_and_deleted);
on_both!(a_condition_decides_and_a_wrong_one_is_refused);
on_both!(what_lasts_longer_than_it_should_is_told);
on_both!(x_exosphere_signature_is_the_hmac_of_the_body);
on_both!(a_failure_is_tried_again_and_a_refusal_is_not);
on_both!(a_dead_letter_is_shown_retried_and_delivered);
on_both!(each_endpoint_rule_and_incident_has_its_history);
on_both!(who_did_what_is_in_the_audit_log_and_no_secret);

const SECRET: &str = "exosphere-shared-hush-hush-secret";

/// An endpoint that is told by no rule yet.
async fn endpoint(service: &Callbox, name: &str, receiver: &Receiver) -> String {
    secrets::remember(SECRET);
    let fields = json!({
        "name": name, "kind": "webhook", "url": receiver.url(), "signing_secret": SECRET, "signature_header": "X-Exosphere-Signature",
        "no_rule": true,
    });
    destination_from(service, fields).await
}

async fn rule(api: &Api, fields: Value) -> String {
    let answer = api.post("/api/v1/rules", &fields).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.text("id").to_owned()
}

/// Waits for a delivery to `destination` in this state, and returns the whole of it.
async fn delivery(api: &Api, destination: &str, status: &str) -> Value {
    let list = format!("/api/v1/deliveries?destination_id={destination}&status={status}");
    let id = eventually(async || {
        let found = api.get(&list).await.body;
        found["items"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| format!("none is {status}: {found}"))
    })
    .await;
    api.get(&format!("/api/v1/deliveries/{id}")).await.body
}

async fn endpoints_are_made_read_changed_and_deleted(database: Database) {
    let service = start(&database).await;
    let (api, receiver) = (service.api(), Receiver::start().await);
    let id = endpoint(&service, "alerts", &receiver).await;
    let path = format!("/api/v1/destinations/{id}");
    let shown = api.get(&path).await;
    assert_eq!((shown.status, &shown.body["kind"], &shown.body["enabled"]), (200, &json!("webhook"), &json!(true)));
    assert!(!shown.body.to_string().contains(SECRET), "{}", shown.body);
    assert_eq!(api.all("/api/v1/destinations").await.len(), 1);
    let changed = api.patch(&path, &json!({"name": "alarms", "enabled": false})).await;
    assert_eq!((changed.status, changed.text("name"), &changed.body["enabled"]), (200, "alarms", &json!(false)));
    let double = api.post("/api/v1/destinations", &json!({"name": "alarms", "kind": "webhook", "url": receiver.url()})).await;
    assert_eq!(double.status, 409, "{}", double.body);
    assert_eq!(api.delete(&path).await.status / 100, 2);
    assert_eq!(api.get(&path).await.status, 404);
}

async fn rules_are_made_read_changed_and_deleted(database: Database) {
    let service = start(&database).await;
    let (api, receiver) = (service.api(), Receiver::start().await);
    endpoint(&service, "alerts", &receiver).await;
    let id = rule(&api, json!({"name": "failed", "destinations": ["alerts"], "severity_floor": "error"})).await;
    let path = format!("/api/v1/rules/{id}");
    assert_eq!(api.get(&path).await.body["severity_floor"], "error");
    let changed = api.patch(&path, &json!({"severity_floor": null, "enabled": false})).await;
    assert_eq!((changed.status, &changed.body["severity_floor"], &changed.body["enabled"]), (200, &Value::Null, &json!(false)));
    // A rule that is off tells nobody.
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "off").await;
    // It is the rules of the moment in which somebody is to be told that count.
    eventually(async || {
        let incident = api.get("/api/v1/incidents").await.body["items"][0].clone();
        if incident["unrouted"] == json!(true) { Ok(()) } else { Err(incident.to_string()) }
    })
    .await;
    assert_eq!(api.patch(&path, &json!({"enabled": true})).await.status, 200);
    send(&service, &tool, "trigger", "on").await;
    let seen = receiver.wait(1).await;
    assert_eq!(seen[0].json()["incident"]["dedup_key"], "on");
    assert_eq!(api.delete(&path).await.status / 100, 2);
    assert_eq!(api.get(&path).await.status, 404);
}

async fn a_condition_decides_and_a_wrong_one_is_refused(database: Database) {
    let service = start(&database).await;
    let (api, receiver) = (service.api(), Receiver::start().await);
    endpoint(&service, "alerts", &receiver).await;
    for wrong in ["incident.", "nothing_like_it == 1", "incident.titel == 'x'"] {
        let answer = api.post("/api/v1/rules", &json!({"name": "x", "destinations": ["alerts"], "condition": wrong})).await;
        assert_eq!(answer.status, 400, "{wrong:?}: {}", answer.body);
    }
    let condition = "incident.severity == 'critical' && incident.source.startsWith('db')";
    rule(&api, json!({"name": "databases", "destinations": ["alerts"], "condition": condition})).await;
    let tool = sender(&service).await;
    send_with(&service, &tool, "trigger", "small", "warning").await;
    send_with(&service, &tool, "trigger", "big", "critical").await;
    let seen = receiver.wait(1).await;
    assert_eq!((seen.len(), &seen[0].json()["incident"]["dedup_key"]), (1, &json!("big")));
}

async fn what_lasts_longer_than_it_should_is_told(database: Database) {
    let service = start(&database).await;
    let (api, receiver) = (service.api(), Receiver::start().await);
    endpoint(&service, "alerts", &receiver).await;
    const LIMIT: Duration = Duration::from_secs(3);
    rule(&api, json!({"name": "exceeded", "destinations": ["alerts"], "events": ["incident.open_for:3s"]})).await;
    let tool = sender(&service).await;
    // On a machine so busy that it takes as long, one that is over at once is not quick: then another is.
    let mut quick = Vec::new();
    for number in 0..20 {
        let (key, start) = (format!("quick-{number}"), Instant::now());
        send(&service, &tool, "trigger", &key).await;
        send(&service, &tool, "resolve", &key).await;
        if start.elapsed() < LIMIT {
            quick.push(key);
            break;
        }
    }
    assert!(!quick.is_empty(), "nothing was over within {LIMIT:?}");
    send(&service, &tool, "trigger", "slow").await;
    let told = eventually(async || {
        let told: Vec<Value> = receiver.seen().iter().map(|request| request.json()["incident"]["dedup_key"].clone()).collect();
        if told.contains(&json!("slow")) { Ok(told) } else { Err(format!("told of {told:?}")) }
    })
    .await;
    assert!(receiver.seen().iter().all(|request| request.tells().0 == "incident.open_for"));
    assert!(quick.iter().all(|key| !told.contains(&json!(key))), "{told:?}");
}

async fn x_exosphere_signature_is_the_hmac_of_the_body(database: Database) {
    let service = start(&database).await;
    let (api, receiver) = (service.api(), Receiver::start().await);
    endpoint(&service, "alerts", &receiver).await;
    rule(&api, json!({"name": "all", "destinations": ["alerts"]})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk 🔥").await;
    let request = receiver.wait(1).await.remove(0);
    let signature = request.headers["x-exosphere-signature"].clone();
    let changed = [request.body.as_slice(), b" "].concat();
    for (party, hmac) in
        [("python", verify::hmac_by_python as fn(&str, &[u8]) -> Option<String>), ("openssl", verify::hmac_by_openssl)]
    {
        let Some(computed) = hmac(SECRET, &request.body) else { continue };
        assert_eq!(signature, format!("sha256={computed}"), "{party}");
        assert_ne!(signature, format!("sha256={}", hmac(SECRET, &changed).unwrap()), "{party}");
    }
}

async fn a_failure_is_tried_again_and_a_refusal_is_not(database: Database) {
    let service = start(&database).await;
    let (api, receiver) = (service.api(), Receiver::start().await);
    let mut turn = 0;
    receiver.now(move |request| {
        if request.json()["incident"]["dedup_key"] == "refused" {
            return Way::status(422);
        }
        turn += 1;
        if turn <= 2 { Way::status(500) } else { Way::status(200) }
    });
    let id = endpoint(&service, "alerts", &receiver).await;
    rule(&api, json!({"name": "all", "destinations": ["alerts"], "retry": {"first_delay": "1s", "max_attempts": 5}})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "again").await;
    let delivered = delivery(&api, &id, "delivered").await;
    let statuses: Vec<&Value> = delivered["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [500, 500, 200]);
    send(&service, &tool, "trigger", "refused").await;
    let dead = delivery(&api, &id, "dead").await;
    assert_eq!((dead["attempt_count"].as_u64(), dead["reason"].as_str()), (Some(1), Some("it answered 422")), "{dead}");
}

async fn a_dead_letter_is_shown_retried_and_delivered(database: Database) {
    let service = start(&database).await;
    let (api, receiver) = (service.api(), Receiver::deciding(|_| Way::Answer(400, Vec::new(), b"no such board".to_vec())).await);
    let id = endpoint(&service, "alerts", &receiver).await;
    rule(&api, json!({"name": "all", "destinations": ["alerts"]})).await;
    let tool = sender(&service).await;
    for key in ["one", "two", "three"] {
        send(&service, &tool, "trigger", key).await;
    }
    eventually(async || {
        let dead = api.all("/api/v1/deliveries?status=dead").await.len();
        if dead == 3 { Ok(()) } else { Err(format!("{dead} of 3 are dead letters")) }
    })
    .await;
    let dead = delivery(&api, &id, "dead").await;
    let attempt = &dead["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["answer"]), (&json!(400), &json!("no such board")), "{dead}");
    assert_eq!(attempt["request"]["url"], receiver.url());
    assert!(attempt["request"]["body"].as_str().unwrap().contains("is in trouble") && !dead.to_string().contains(SECRET));
    receiver.now(|_| Way::status(200));
    let path = format!("/api/v1/deliveries/{}", dead["id"].as_str().unwrap());
    let retried = api.post(&format!("{path}/retry"), &json!({})).await;
    assert_eq!(retried.status, 202, "{}", retried.body);
    eventually(async || match &api.get(&path).await.body["status"] {
        status if *status == "delivered" => Ok(()),
        status => Err(format!("it is {status}")),
    })
    .await;
    let again = api.post(&format!("{path}/retry"), &json!({})).await;
    assert_eq!(again.status, 409, "what was delivered is no dead letter: {}", again.body);
    let rest = api.post("/api/v1/deliveries/retry", &json!({"destination_id": id})).await;
    assert_eq!((rest.status, &rest.body["more"]), (202, &json!(false)), "{}", rest.body);
    eventually(async || {
        let delivered = api.all("/api/v1/deliveries?status=delivered").await.len();
        if delivered == 3 { Ok(()) } else { Err(format!("{delivered} of 3 were delivered")) }
    })
    .await;
    let by_hand =
        receiver.seen().iter().rev().take(3).map(|request| request.id().to_owned()).collect::<std::collections::HashSet<_>>();
    let first = receiver.seen().iter().take(3).map(|request| request.id().to_owned()).collect::<std::collections::HashSet<_>>();
    assert_eq!(by_hand, first, "by the ids that they had");
}

async fn each_endpoint_rule_and_incident_has_its_history(database: Database) {
    let service = start(&database).await;
    let (api, one, two) = (service.api(), Receiver::start().await, Receiver::start().await);
    let (first, second) = (endpoint(&service, "first", &one).await, endpoint(&service, "second", &two).await);
    let errors = rule(&api, json!({"name": "errors", "destinations": ["first"], "severity_floor": "error"})).await;
    let all = rule(&api, json!({"name": "all", "destinations": ["second"]})).await;
    let tool = sender(&service).await;
    send_with(&service, &tool, "trigger", "small", "info").await;
    send_with(&service, &tool, "trigger", "big", "critical").await;
    send(&service, &tool, "resolve", "big").await;
    one.wait(2).await;
    two.wait(3).await;
    let count = async |filter: String, expected: usize| {
        eventually(async || {
            let found = api.all(&format!("/api/v1/deliveries?status=delivered&{filter}")).await;
            if found.len() == expected { Ok(()) } else { Err(format!("{filter}: {} of {expected}", found.len())) }
        })
        .await;
    };
    count(format!("destination_id={first}"), 2).await;
    count(format!("destination_id={second}"), 3).await;
    count(format!("rule_id={errors}"), 2).await;
    count(format!("rule_id={all}"), 3).await;
    for (key, expected) in [("big", 4), ("small", 1)] {
        let incident =
            api.get(&format!("/api/v1/incidents?dedup_key={key}")).await.body["items"][0]["id"].as_str().unwrap().to_owned();
        count(format!("incident_id={incident}"), expected).await;
    }
}

async fn who_did_what_is_in_the_audit_log_and_no_secret(database: Database) {
    let service = start(&database).await;
    let (api, receiver) = (service.api(), Receiver::deciding(|_| Way::status(400)).await);
    let id = endpoint(&service, "alerts", &receiver).await;
    let rule = rule(&api, json!({"name": "all", "destinations": ["alerts"]})).await;
    let made = api.post("/api/v1/tokens", &json!({"name": "ci", "scopes": ["destinations:write", "incidents:write"]})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    secrets::remember(made.text("token"));
    let ci = api.with_token(made.text("token"));
    assert_eq!(ci.patch(&format!("/api/v1/destinations/{id}"), &json!({"name": "alarms"})).await.status, 200);
    assert_eq!(
        ci.post(&format!("/api/v1/destinations/{id}/rotate"), &json!({"signing_secret": "another-hush-hush"})).await.status,
        200
    );
    send(&service, &sender(&service).await, "trigger", "disk").await;
    let dead = delivery(&api, &id, "dead").await;
    assert_eq!(ci.post(&format!("/api/v1/deliveries/{}/drop", dead["id"].as_str().unwrap()), &json!({})).await.status, 202);
    assert_eq!(ci.delete(&format!("/api/v1/rules/{rule}")).await.status / 100, 2);
    let entries = api.all("/api/v1/audit").await;
    for (action, by) in [
        ("destination.created", "CALLBOX_ADMIN_TOKEN"),
        ("rule.created", "CALLBOX_ADMIN_TOKEN"),
        ("destination.updated", "ci"),
        ("destination.rotated", "ci"),
        ("delivery.dropped", "ci"),
        ("rule.deleted", "ci"),
    ] {
        let found = entries.iter().find(|entry| entry["action"] == action);
        let found = found.unwrap_or_else(|| panic!("no {action}: {entries:#?}"));
        assert_eq!(found["actor"], by, "{found}");
    }
    let whole = serde_json::to_string(&entries).unwrap();
    assert!(!whole.contains("hush-hush"), "{whole}");
}
