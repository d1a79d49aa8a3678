//! Killed between sending and recording: delivered once more with the same id, in order, and never lost.
//!
//! With `CALLBOX_TEST_FULL` (`scripts/test --full`): ten rounds with 10,000 deliveries under way in each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{destination, start_with};
use crate::support::receiver::{Receiver, Way};
use crate::support::{Callbox, Database, Integration, full};

on_both!(f18_nothing_is_lost_and_order_is_kept_when_the_process_is_killed);

/// Alerts of one request.
pub const GROUP: usize = 250;

/// What the receiver was told: by incident, each delivery's id and what it said, in order.
type Told = HashMap<i64, Vec<(String, String)>>;

#[derive(Default)]
struct Ear {
    told: Told,
    ids: HashSet<String>,
    requests: usize,
}

async fn f18_nothing_is_lost_and_order_is_kept_when_the_process_is_killed(database: Database) {
    let (rounds, under_way) = if full() { (10, 10_000) } else { (3, 1_000) };
    let settings = [("CALLBOX_DELIVERY_LEASE", "2s")];
    let mut service = start_with(&database, &settings).await;
    let ear = Arc::new(Mutex::new(Ear::default()));
    let receiver = hearing(&ear).await;
    destination(&service, "ops", &receiver).await;
    let tool = service.api().integration("alertmanager", "alerts").await;
    let (start, mut groups, mut at_kills) = (Instant::now(), 0, Vec::new());
    for round in 0..rounds {
        while left(groups, &ear) < under_way {
            post(&service, &tool, groups, "firing").await;
            post(&service, &tool, groups, "resolved").await;
            groups += 1;
        }
        // Long enough that some are on their way, and never the same.
        tokio::time::sleep(Duration::from_millis(150 + (round * 7919) % 700)).await;
        at_kills.push(left(groups, &ear));
        service = service.kill_and_restart().await;
    }
    let all = groups * GROUP * 2;
    while left(groups, &ear) > 0 {
        let patience = Duration::from_secs(120).mul_f64(rounds as f64);
        assert!(start.elapsed() < patience, "{} of {all} were not told", left(groups, &ear));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ear = ear.lock().unwrap();
    eprintln!(
        "{all} deliveries, left at the kills {at_kills:?}; {} requests, {} of them twice; {:?}",
        ear.requests,
        ear.requests - ear.ids.len(),
        start.elapsed()
    );
    assert_eq!(ear.ids.len(), all, "each is told under one id");
    assert_eq!(ear.told.len(), all / 2);
    for (incident, told) in &ear.told {
        let mut told = told.clone();
        told.dedup();
        let events: Vec<&str> = told.iter().map(|(_, event)| event.as_str()).collect();
        assert_eq!(events, ["incident.triggered", "incident.resolved"], "incident {incident}: {told:?}");
    }
}

/// How many deliveries are still to be made.
fn left(groups: usize, ear: &Mutex<Ear>) -> usize {
    (groups * GROUP * 2).saturating_sub(ear.lock().unwrap().ids.len())
}

/// A receiver that takes a little while, as one does that stores what it gets.
async fn hearing(ear: &Arc<Mutex<Ear>>) -> Receiver {
    let ear = Arc::clone(ear);
    Receiver::deciding(move |request| {
        let (event, incident) = request.tells();
        let mut ear = ear.lock().unwrap();
        ear.requests += 1;
        ear.ids.insert(request.id().to_owned());
        ear.told.entry(incident).or_default().push((request.id().to_owned(), event));
        Way::Late(Duration::from_millis(5))
    })
    .await
}

/// A group of alerts that begin or end at once.
pub async fn post(service: &Callbox, tool: &Integration, group: usize, status: &str) {
    let alerts: Vec<Value> = (0..GROUP)
        .map(|alert| {
            json!({
                "status": status, "labels": {"alertname": "Down", "instance": format!("host-{group}-{alert}")},
                "annotations": {"summary": "a host is down"}, "startsAt": "2026-01-02T03:04:05Z",
                "endsAt": if status == "resolved" { "2026-01-02T03:05:05Z" } else { "0001-01-01T00:00:00Z" },
            })
        })
        .collect();
    let body = json!({"version": "4", "status": status, "groupKey": format!("{group}"), "truncatedAlerts": 0, "alerts": alerts});
    let answer = service.api().send(&tool.path, &body).await;
    assert_eq!(answer.status / 100, 2, "{}", answer.body);
}
