//! Killed between sending and recording: delivered once more with the same id, in order, and never lost.

use std::collections::{HashMap, HashSet};

use super::{destination, sender, start_with};
use crate::support::Database;
use crate::support::receiver::{Receiver, Way};

on_both!(nothing_is_lost_and_order_is_kept_when_the_process_is_killed);

const ROUNDS: usize = 3;
const INCIDENTS: usize = 150;

async fn nothing_is_lost_and_order_is_kept_when_the_process_is_killed(database: Database) {
    let settings = [("CALLBOX_DELIVERY_LEASE", "2s")];
    let mut service = start_with(&database, &settings).await;
    let receiver = Receiver::deciding(|_| Way::Late(std::time::Duration::from_millis(20))).await;
    destination(&service, "ops", &receiver).await;
    let tool = sender(&service).await;
    for round in 0..ROUNDS {
        for incident in 0..INCIDENTS {
            let key = format!("{round}-{incident}");
            super::send(&service, &tool, "trigger", &key).await;
            super::send(&service, &tool, "resolve", &key).await;
        }
        service = service.kill_and_restart().await;
    }
    let all = ROUNDS * INCIDENTS * 2;
    crate::support::eventually(async || {
        let told: HashSet<(String, i64)> = receiver.told().into_iter().collect();
        if told.len() == all { Ok(()) } else { Err(format!("{} of {all} were told", told.len())) }
    })
    .await;
    let mut ids: HashMap<(String, i64), HashSet<String>> = HashMap::new();
    let mut told: HashMap<i64, Vec<String>> = HashMap::new();
    for request in receiver.seen() {
        let (event, incident) = request.tells();
        ids.entry((event.clone(), incident)).or_default().insert(request.id().to_owned());
        told.entry(incident).or_default().push(event);
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "a duplicate has another id");
    for (incident, mut events) in told {
        events.dedup();
        assert_eq!(events, ["incident.triggered", "incident.resolved"], "incident {incident}");
    }
}
