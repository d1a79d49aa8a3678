//! Destinations know nothing of each other: a dead one and one that stalls cost the others nothing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{destination, destination_from, sender, start};
use crate::support::receiver::{Receiver, Request, Way};
use crate::support::{Database, eventually};

on_both!(a_dead_and_a_stalling_destination_cost_the_third_nothing);
on_both!(the_breaker_opens_and_one_delivery_tries);

/// Pages a second, and how many in all.
const RATE: usize = 100;
const PAGES: usize = 300;

async fn a_dead_and_a_stalling_destination_cost_the_third_nothing(database: Database) {
    let service = start(&database).await;
    let (well, stalls) = (Receiver::start().await, Receiver::deciding(|_| Way::Stall).await);
    destination(&service, "well", &well).await;
    destination(&service, "stalls", &stalls).await;
    destination_from(&service, json!({"name": "dead", "kind": "webhook", "url": "http://127.0.0.1:1/"})).await;
    let tool = sender(&service).await;
    let mut sent = HashMap::new();
    let start = Instant::now();
    for page in 0..PAGES {
        let due = start + Duration::from_secs_f64(page as f64 / RATE as f64);
        tokio::time::sleep_until(due.into()).await;
        let key = format!("page-{page}");
        super::send(&service, &tool, "trigger", &key).await;
        sent.insert(key, Instant::now());
    }
    // It is also told that the other two do not work.
    let pages = || {
        well.seen().into_iter().filter(|request| request.json()["incident"]["dedup_key"].as_str().unwrap().starts_with("page-"))
    };
    eventually(async || if pages().count() == PAGES { Ok(()) } else { Err(format!("{} pages", pages().count())) }).await;
    let seen: Vec<Request> = pages().collect();
    let late =
        |request: &Request| request.at.saturating_duration_since(sent[request.json()["incident"]["dedup_key"].as_str().unwrap()]);
    let mut lates: Vec<Duration> = seen.iter().map(late).collect();
    lates.sort();
    let p99 = lates[PAGES * 99 / 100];
    assert!(p99 < Duration::from_secs(1), "{p99:?} of {:?}", lates.last());
}

async fn the_breaker_opens_and_one_delivery_tries(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::deciding(|_| Way::status(500)).await;
    let fields = json!({"name": "ops", "kind": "webhook", "url": receiver.url(), "breaker_failures": 5, "breaker_rest": "2s"});
    destination_from(&service, fields).await;
    let tool = sender(&service).await;
    for page in 0..40 {
        super::send(&service, &tool, "trigger", &format!("page-{page}")).await;
    }
    receiver.wait(5).await;
    let opened = Instant::now();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // Sixteen at a time at most were on their way when the fifth failed.
    let before = receiver.count();
    assert!(before <= 5 + 16, "{before} requests, the breaker never opened");
    eventually(async || if receiver.count() > before { Ok(()) } else { Err("nobody tried".to_owned()) }).await;
    assert!(opened.elapsed() >= Duration::from_millis(1500));
    assert_eq!(receiver.count(), before + 1, "one delivery tries");
    receiver.now(|_| Way::status(200));
    eventually(async || {
        let told: std::collections::HashSet<i64> =
            receiver.seen()[before + 1..].iter().map(|request| request.tells().1).collect();
        if told.len() == 40 { Ok(()) } else { Err(format!("{} of 40 were told", told.len())) }
    })
    .await;
    // An incident of our own said so, and is over: it was not told to the destination that it was about.
    let own = service.api().get("/api/v1/incidents?dedup_key=nothing").await;
    assert_eq!(own.status, 200);
    assert!(
        receiver
            .seen()
            .iter()
            .all(|request| !request.json()["incident"]["dedup_key"].as_str().unwrap().starts_with("destination:"))
    );
}
