//! What was answered 2xx is there afterwards: after `kill -9` under load, after an orderly stop under load.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::support::api::event;
use crate::support::callbox::STOP_WITHIN;
use crate::support::{Api, Callbox, Database, Integration};

on_both!(killed_twenty_times_nothing_answered_is_lost, an_orderly_stop_answers_and_stores_what_it_accepted);

/// How often the service is killed.
const ROUNDS: usize = 20;
/// Senders at a time.
const SENDERS: usize = 6;

async fn killed_twenty_times_nothing_answered_is_lost(database: Database) {
    let mut service = Callbox::start(&database).await;
    let integration = service.api().integration("events", "under load").await;
    service.api().destination("somebody").await;
    let mut answered_in_all = 0;
    for round in 0..ROUNDS {
        let load = Load::start(&service.api(), &integration, round);
        // Each round is cut at another moment: during the first commits, in the middle, with the queue full.
        tokio::time::sleep(Duration::from_millis(60 + 37 * (round as u64 % 7))).await;
        service = service.kill_and_restart().await;
        let answered = load.finish().await;
        answered_in_all += answered.len();
        assert_stored(&service.api(), &database, &integration, &answered).await;
    }
    assert!(answered_in_all > ROUNDS * SENDERS, "only {answered_in_all} answers: that was no load");
}

async fn an_orderly_stop_answers_and_stores_what_it_accepted(database: Database) {
    let service = Callbox::start(&database).await;
    let integration = service.api().integration("events", "under load").await;
    service.api().destination("somebody").await;
    let load = Load::start(&service.api(), &integration, 0);
    tokio::time::sleep(Duration::from_millis(300)).await;
    service.terminate();
    let (status, log) = tokio::time::timeout(STOP_WITHIN, service.wait()).await.expect("it stops within its grace");
    assert_eq!(status.code(), Some(0), "{log}");
    let answered = load.finish().await;
    assert!(answered.len() > SENDERS, "only {} answers: that was no load", answered.len());

    let service = Callbox::start(&database).await;
    assert_stored(&service.api(), &database, &integration, &answered).await;
}

/// One request that was answered 2xx.
#[derive(Clone)]
struct Answered {
    request_id: String,
    dedup_key: String,
    action: &'static str,
}

/// Senders that post until they are cut off.
struct Load(Vec<tokio::task::JoinHandle<Vec<Answered>>>);

impl Load {
    fn start(api: &Api, integration: &Integration, round: usize) -> Self {
        let sender = |number| tokio::spawn(send_until_cut_off(api.clone(), integration.key.clone(), format!("{round}-{number}")));
        Self((0..SENDERS).map(sender).collect())
    }

    async fn finish(self) -> Vec<Answered> {
        let mut answered = Vec::new();
        for sender in self.0 {
            answered.extend(sender.await.unwrap());
        }
        answered
    }
}

/// For each key: a trigger, its duplicate, and for every second key a resolve. Ends at the first request without a 2xx.
async fn send_until_cut_off(api: Api, routing_key: String, name: String) -> Vec<Answered> {
    let mut answered = Vec::new();
    for number in 0.. {
        let dedup_key = format!("{name}-{number}");
        let actions: &[&'static str] = if number % 2 == 0 { &["trigger", "trigger"] } else { &["trigger", "trigger", "resolve"] };
        for &action in actions {
            let body = event(&routing_key, action, &dedup_key, "the load goes up");
            let Ok(answer) = api.try_send("/v2/enqueue", &body).await else { return answered };
            match answer.status {
                202 => {
                    answered.push(Answered { request_id: answer.request_id().to_owned(), dedup_key: dedup_key.clone(), action })
                }
                // A service that stops may still say so.
                503 => return answered,
                status => panic!("{status}: {}", answer.body),
            }
        }
    }
    answered
}

async fn assert_stored(api: &Api, database: &Database, integration: &Integration, answered: &[Answered]) {
    let outbox: BTreeSet<String> = database.noted().into_iter().collect();
    for one in answered {
        assert_in_ledger(api, integration, one).await;
    }
    // What a key must have come to, and what it may: a request that got no answer may have been stored all the same.
    let mut keys: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    for one in answered {
        let (triggers, resolved) = keys.entry(&one.dedup_key).or_default();
        *triggers += usize::from(one.action == "trigger");
        *resolved |= one.action == "resolve";
    }
    for (key, (triggers, resolved)) in keys {
        let path = format!("/api/v1/incidents?integration_id={}&dedup_key={key}", integration.id);
        let incidents = api.all(&path).await;
        assert_eq!(incidents.len(), 1, "{key}: {incidents:#?}");
        assert_state(&incidents[0], key, triggers, resolved, &outbox);
    }
}

async fn assert_in_ledger(api: &Api, integration: &Integration, one: &Answered) {
    let row = api.get(&format!("/api/v1/requests/{}", one.request_id)).await;
    assert_eq!(row.status, 200, "{} was answered 202 and is not in the ledger: {}", one.request_id, row.body);
    assert_eq!(row.body["verdict"], "accepted");
    assert_eq!(row.body["integration_id"], integration.id);
    let events = row.body["events"].as_array().expect("a ledger row lists its events");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((&events[0]["dedup_key"], &events[0]["action"]), (&Value::from(one.dedup_key.as_str()), &Value::from(one.action)));
}

fn assert_state(incident: &Value, key: &str, triggers: usize, resolved: bool, outbox: &BTreeSet<String>) {
    // The tables spell it as a number.
    let number = callbox::id::number(incident["id"].as_str().unwrap());
    let count = incident["event_count"].as_u64().unwrap() as usize;
    assert!(count >= triggers, "{key}: {triggers} triggers answered, {count} counted");
    assert!(outbox.contains(&format!("incident.triggered {number}")), "{key}: no outbox row for its opening");
    // Only the last request of a sender can be without an answer, so an odd key with both triggers may already be resolved.
    if resolved {
        assert_eq!(incident["status"], "resolved", "{key}");
    }
    let closed = incident["status"] == "resolved";
    assert_eq!(outbox.contains(&format!("incident.resolved {number}")), closed, "{key}: status and outbox differ");
    if closed && !resolved {
        let number: usize = key.rsplit('-').next().unwrap().parse().unwrap();
        assert!(number % 2 == 1 && triggers == 2, "{key} was resolved by nobody");
    }
}
