//! Destinations know nothing of each other: a dead one and one that stalls cost the others nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{destination, destination_from, sender, start};
use crate::support::receiver::{Receiver, Way};
use crate::support::{Database, eventually, full};

on_both!(a_dead_and_a_stalling_destination_cost_the_third_nothing);
on_both!(the_breaker_opens_and_one_delivery_tries);

/// Pages a second, and for how many seconds. The full size is for a release build (`CALLBOX_TEST_PROGRAM`).
fn load() -> (usize, usize) {
    if full() { (500, 20) } else { (50, 4) }
}

async fn a_dead_and_a_stalling_destination_cost_the_third_nothing(database: Database) {
    let (rate, seconds) = load();
    let pages = rate * seconds;
    let service = start(&database).await;
    let heard: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let (ear, stalls) = (Arc::clone(&heard), Receiver::deciding(|_| Way::Stall).await);
    let well = Receiver::deciding(move |request| {
        let key = request.json()["incident"]["dedup_key"].as_str().unwrap().to_owned();
        // It is also told that the other two do not work.
        if key.starts_with("page-") {
            ear.lock().unwrap().entry(key).or_insert(request.at);
        }
        Way::status(200)
    })
    .await;
    destination(&service, "well", &well).await;
    destination(&service, "stalls", &stalls).await;
    destination_from(&service, json!({"name": "dead", "kind": "webhook", "url": "http://127.0.0.1:1/"})).await;
    let tool = sender(&service).await;
    let (api, start) = (service.api(), Instant::now());
    let mut sending = tokio::task::JoinSet::new();
    for page in 0..pages {
        let due = start + Duration::from_secs_f64(page as f64 / rate as f64);
        tokio::time::sleep_until(due.into()).await;
        let (api, tool) = (api.clone(), tool.clone());
        sending.spawn(async move {
            let key = format!("page-{page}");
            super::send_by(&api, &tool, "trigger", &key, "error").await;
            (key, Instant::now())
        });
    }
    let sent: HashMap<String, Instant> = sending.join_all().await.into_iter().collect();
    let took = start.elapsed();
    eventually(async || match heard.lock().unwrap().len() {
        all if all == pages => Ok(()),
        some => Err(format!("{some} of {pages} pages")),
    })
    .await;
    let heard = heard.lock().unwrap();
    let mut lates: Vec<Duration> = sent.iter().map(|(key, sent)| heard[key].saturating_duration_since(*sent)).collect();
    lates.sort();
    let (half, p99, last) = (lates[pages / 2], lates[pages * 99 / 100], lates[pages - 1]);
    eprintln!("{pages} pages in {took:?}: half of them within {half:?}, p99 {p99:?}, the last {last:?}");
    assert!(p99 < Duration::from_secs(1), "{p99:?} of {last:?}");
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
