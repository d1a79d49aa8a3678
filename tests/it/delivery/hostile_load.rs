//! F14: a receiver that is down for long while much is queued for it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{destination_from, sender, start_with};
use crate::support::receiver::{Receiver, Way};
use crate::support::{Database, eventually, full};

on_both!(f14_a_queue_costs_others_nothing_and_does_not_run_over_who_comes_back);

/// How long the receiver takes for each message once it is back.
const EACH: Duration = Duration::from_millis(150);

async fn f14_a_queue_costs_others_nothing_and_does_not_run_over_who_comes_back(database: Database) {
    let queued = if full() { 10_000 } else { 1_500 };
    let service = start_with(&database, &[]).await;
    let down = Receiver::deciding(|_| Way::status(503)).await;
    let well = Receiver::start().await;
    let fields = json!({"name": "down", "kind": "webhook", "url": down.url(), "breaker_failures": 5, "breaker_rest": "2s"});
    destination_from(&service, fields).await;
    destination_from(&service, json!({"name": "well", "kind": "webhook", "url": well.url()})).await;
    let tool = service.api().integration("alertmanager", "alerts").await;
    for group in 0..queued / super::crash::GROUP {
        super::crash::post(&service, &tool, group, "firing").await;
    }
    let start = Instant::now();
    while well.count() < queued {
        assert!(start.elapsed() < Duration::from_secs(240), "{} of {queued} were told", well.count());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What is told now is told at once, whatever waits for the other.
    let pages = sender(&service).await;
    for page in 0..10 {
        let (before, sent) = (well.count(), Instant::now());
        super::send(&service, &pages, "trigger", &format!("late-{page}")).await;
        well.wait(before + 1).await;
        assert!(sent.elapsed() < Duration::from_secs(2), "{:?} after {queued} were queued for another", sent.elapsed());
    }
    let metrics = reqwest::get(format!("{}/metrics", service.base())).await.unwrap().text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("callbox_breaker_state{") && line.contains("down")).unwrap();
    assert!(!line.ends_with(" 0"), "{line}");
    // Five failures, what was on its way by then, and one delivery that tries each two seconds.
    let tries = start.elapsed().as_secs() / 2 + 2 + queued as u64 / 500;
    assert!(down.count() as u64 <= 5 + 16 + tries, "{} requests to one that is down", down.count());
    let (times, before) = (Arc::new(Mutex::new(Vec::new())), Instant::now());
    let noted = Arc::clone(&times);
    down.now(move |request| {
        noted.lock().unwrap().push(request.at);
        Way::Late(EACH)
    });
    // The first alone, and then more with each that arrives.
    eventually(async || if times.lock().unwrap().len() >= 40 { Ok(()) } else { Err("nobody tries".to_owned()) }).await;
    let began: Vec<Instant> = times.lock().unwrap().clone();
    let within = |after: Duration| began.iter().filter(|at| **at < began[0] + after).count();
    assert_eq!(within(EACH), 1, "one delivery tries, {:?} after it is back", began[0] - before);
    assert!(within(EACH * 2) <= 1 + 2, "{} in the time of two", within(EACH * 2));
    assert!(within(EACH * 3) <= 1 + 2 + 4, "{} in the time of three", within(EACH * 3));
}
