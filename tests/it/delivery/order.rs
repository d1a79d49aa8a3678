//! From what happened to what is told: a page, its end, and the way between.

use serde_json::json;

use super::{destination, destination_from, send, send_with, sender, start};
use crate::support::Database;
use crate::support::receiver::{Receiver, Way};

on_both!(an_incident_is_told_from_its_page_to_its_end);
on_both!(what_is_told_is_signed_and_has_the_same_id_on_every_attempt);
on_both!(a_resolve_never_overtakes_its_trigger);
on_both!(what_was_never_told_is_not_resolved_there);

async fn an_incident_is_told_from_its_page_to_its_end(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    destination(&service, "ops", &receiver).await;
    let tool = sender(&service).await;
    send_with(&service, &tool, "trigger", "disk", "info").await;
    receiver.wait(1).await;
    send_with(&service, &tool, "trigger", "disk", "info").await;
    send_with(&service, &tool, "trigger", "disk", "warning").await;
    send_with(&service, &tool, "trigger", "disk", "critical").await;
    send(&service, &tool, "acknowledge", "disk").await;
    send(&service, &tool, "resolve", "disk").await;
    let seen = receiver.wait(5).await;
    let told: Vec<_> =
        seen.iter().map(|request| (request.json()["event"].clone(), request.json()["incident"]["status"].clone())).collect();
    assert_eq!(
        told,
        [
            (json!("incident.triggered"), json!("triggered")),
            (json!("incident.updated"), json!("triggered")),
            (json!("incident.triggered"), json!("triggered")),
            (json!("incident.acknowledged"), json!("acknowledged")),
            (json!("incident.resolved"), json!("resolved")),
        ]
    );
    let first = seen[0].json();
    assert_eq!(first["incident"]["dedup_key"], "disk");
    assert_eq!(first["incident"]["urgency"], "low");
    assert_eq!(first["incident"]["integration"]["type"], "events");
    assert_eq!(first["incident"]["assignee"], serde_json::Value::Null);
    let mut ids: Vec<&str> = seen.iter().map(|request| request.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each has an id of its own");
}

async fn what_is_told_is_signed_and_has_the_same_id_on_every_attempt(database: Database) {
    let service = start(&database).await;
    let mut failures = 2;
    let receiver = Receiver::deciding(move |_| {
        failures -= 1;
        if failures >= 0 { Way::status(503) } else { Way::status(204) }
    })
    .await;
    let secret = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM=";
    crate::support::secrets::remember(secret);
    destination_from(
        &service,
        json!({"name": "ops", "kind": "webhook", "url": receiver.url(), "signing_secret": secret, "signature_header": "X-Exosphere-Signature"}),
    )
    .await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    let seen = receiver.wait(3).await;
    assert!(seen.iter().all(|request| request.id() == seen[0].id() && request.body == seen[0].body));
    for request in &seen {
        let fields = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers = callbox::provider::Headers::new(fields);
        let at = request.headers["webhook-timestamp"].parse().unwrap();
        let secrets = [callbox::secret::Secret::new(secret)];
        let now = callbox::time::Timestamp::from_seconds(at);
        let checked =
            callbox::signature::check(&callbox::signature::Scheme::StandardWebhooks, &headers, &request.body, &secrets, now);
        assert!(checked.is_ok(), "{checked:?}");
        assert!(request.headers["x-exosphere-signature"].starts_with("sha256="));
    }
}

async fn a_resolve_never_overtakes_its_trigger(database: Database) {
    let service = start(&database).await;
    // Every second request fails: what is tried again must still come before what came after it.
    let mut turn = 0;
    let receiver = Receiver::deciding(move |_| {
        turn += 1;
        if turn % 2 == 0 { Way::status(200) } else { Way::status(500) }
    })
    .await;
    let fields = json!({"name": "ops", "kind": "webhook", "url": receiver.url(), "breaker_failures": 0});
    destination_from(&service, fields).await;
    let tool = sender(&service).await;
    for key in ["a", "b", "c", "d"] {
        for action in ["trigger", "acknowledge", "resolve"] {
            send(&service, &tool, action, key).await;
        }
    }
    crate::support::eventually(async || {
        let ids: std::collections::HashSet<String> = receiver.seen().iter().map(|request| request.id().to_owned()).collect();
        if ids.len() == 12 && receiver.count() >= 24 {
            Ok(())
        } else {
            Err(format!("{} of 12, {} requests", ids.len(), receiver.count()))
        }
    })
    .await;
    for number in 1..=4 {
        let mut told: Vec<String> =
            receiver.told().into_iter().filter(|(_, incident)| *incident == number).map(|(event, _)| event).collect();
        told.dedup();
        assert_eq!(told, ["incident.triggered", "incident.acknowledged", "incident.resolved"], "incident {number}");
    }
}

async fn what_was_never_told_is_not_resolved_there(database: Database) {
    let service = start(&database).await;
    let receiver =
        Receiver::deciding(
            |request| {
                if request.json()["event"] == "incident.triggered" { Way::status(400) } else { Way::status(200) }
            },
        )
        .await;
    destination(&service, "ops", &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    receiver.wait(1).await;
    send(&service, &tool, "resolve", "disk").await;
    // A change is told all the same, and comes after: then the resolve had its turn.
    receiver.now(|_| Way::status(200));
    send(&service, &tool, "trigger", "other").await;
    receiver.wait(2).await;
    let told: Vec<String> = receiver.told().into_iter().filter(|(_, incident)| *incident == 1).map(|(event, _)| event).collect();
    assert_eq!(told, ["incident.triggered"]);
}
