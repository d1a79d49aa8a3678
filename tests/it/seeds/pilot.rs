//! Pilot's webhook plugin: dispatch in the background, retries, a breaker, targets that are checked, a URL that is swapped while it runs,
//! counters; and where Pilot dropped what was left at its end, Callbox keeps it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::delivery::{destination, destination_from, send, sender, start, start_with};
use crate::support::callbox::Options;
use crate::support::receiver::{Receiver, Way};
use crate::support::{Callbox, Database, eventually};

on_both!(dispatch_waits_for_no_receiver);
on_both!(retries_have_the_same_id_and_are_counted);
on_both!(the_breaker_skips_and_says_how_often);
on_both!(targets_inside_are_refused_when_saved_and_when_sent);
on_both!(the_url_is_swapped_while_it_runs);
on_both!(what_is_left_at_the_end_goes_after_the_next_start);

/// The value of a metric; 0 where it is not there yet.
async fn metric(service: &Callbox, name: &str) -> f64 {
    let text = reqwest::get(format!("{}/metrics", service.base())).await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

async fn until_metric(service: &Callbox, name: &str, good: impl Fn(f64) -> bool) {
    eventually(async || {
        let value = metric(service, name).await;
        if good(value) { Ok(()) } else { Err(format!("{name} is {value}")) }
    })
    .await;
}

async fn dispatch_waits_for_no_receiver(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::deciding(|_| Way::Stall).await;
    destination(&service, "pilot", &receiver).await;
    let tool = sender(&service).await;
    // Each of these would take the five seconds of a request that nobody answers.
    let start = Instant::now();
    for node in 0..20 {
        send(&service, &tool, "trigger", &format!("node-{node}")).await;
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20 * 5), "{took:?}");
    receiver.wait(1).await;
}

async fn retries_have_the_same_id_and_are_counted(database: Database) {
    let service = start(&database).await;
    let mut left = 2;
    let receiver = Receiver::deciding(move |_| {
        left -= 1;
        if left >= 0 { Way::status(502) } else { Way::status(200) }
    })
    .await;
    destination(&service, "pilot", &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "node-1").await;
    let seen = receiver.wait(3).await;
    assert!(seen.iter().all(|request| request.id() == seen[0].id() && request.body == seen[0].body));
    until_metric(&service, "callbox_deliveries_total{destination=\"pilot\",result=\"later\"}", |count| count == 2.0).await;
    until_metric(&service, "callbox_deliveries_total{destination=\"pilot\",result=\"delivered\"}", |count| count == 1.0).await;
    let whole = service.api().get(&format!("/api/v1/deliveries/{}", seen[0].id())).await.body;
    let statuses: Vec<&Value> = whole["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [502, 502, 200], "{whole}");
}

async fn the_breaker_skips_and_says_how_often(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::deciding(|_| Way::status(500)).await;
    let fields = json!({"name": "pilot", "kind": "webhook", "url": receiver.url(), "breaker_failures": 3, "breaker_rest": "3s"});
    destination_from(&service, fields).await;
    let tool = sender(&service).await;
    for node in 0..30 {
        send(&service, &tool, "trigger", &format!("node-{node}")).await;
    }
    until_metric(&service, "callbox_breaker_state{destination=\"pilot\"}", |state| state == 2.0).await;
    until_metric(&service, "callbox_deliveries_skipped_total{destination=\"pilot\"}", |count| count > 0.0).await;
    until_metric(&service, "callbox_oldest_undelivered_seconds", |age| age > 0.0).await;
    receiver.now(|_| Way::status(200));
    until_metric(&service, "callbox_breaker_state{destination=\"pilot\"}", |state| state == 0.0).await;
    eventually(async || {
        let told: HashSet<i64> = receiver.told().into_iter().map(|(_, number)| number).collect();
        // Thirty nodes; that the destination did not work is told to others only.
        if told.len() == 30 { Ok(()) } else { Err(format!("{} of 30", told.len())) }
    })
    .await;
}

async fn targets_inside_are_refused_when_saved_and_when_sent(database: Database) {
    let strict = Callbox::start(&database).await;
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://100.100.100.200/latest/meta-data/",
        "https://localhost/hook",
        "https://127.0.0.1/hook",
        "https://0x7f000001/hook",
        "https://2130706433/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://[::1]/hook",
        "https://10.0.0.1/hook",
        "https://[fd00::1]/hook",
        "https://user:password@receiver.example/hook",
        "ftp://receiver.example/hook",
        "http://receiver.example/hook",
    ] {
        let fields = json!({"name": "pilot", "kind": "webhook", "url": url});
        let answer = strict.api().post("/api/v1/destinations", &fields).await;
        assert_eq!(answer.status, 400, "{url}: {}", answer.body);
    }
    let id = destination_from(&strict, json!({"name": "pilot", "kind": "webhook", "url": "https://receiver.example/hook"})).await;
    let swapped = strict.api().patch(&format!("/api/v1/destinations/{id}"), &json!({"url": "https://127.0.0.1/hook"})).await;
    assert_eq!(swapped.status, 400, "{}", swapped.body);
    drop(strict);
    // What was allowed when it was saved is checked again when it is sent.
    let receiver = Receiver::start().await;
    let open = start(&database).await;
    let change = json!({"url": receiver.url()});
    assert_eq!(open.api().patch(&format!("/api/v1/destinations/{id}"), &change).await.status, 200);
    drop(open);
    let strict = Callbox::start_with(&database, Options::default()).await;
    let tool = sender(&strict).await;
    send(&strict, &tool, "trigger", "node-1").await;
    eventually(async || {
        let all = strict.api().get("/api/v1/deliveries").await.body;
        let reason = all["items"][0]["reason"].as_str().unwrap_or_default();
        if reason.contains("outbound.allow") { Ok(()) } else { Err(all.to_string()) }
    })
    .await;
    assert_eq!(receiver.count(), 0);
}

async fn the_url_is_swapped_while_it_runs(database: Database) {
    let service = start(&database).await;
    let (old, new) = (Receiver::deciding(|_| Way::status(500)).await, Receiver::start().await);
    let id = destination(&service, "pilot", &old).await;
    let tool = sender(&service).await;
    for node in 0..10 {
        send(&service, &tool, "trigger", &format!("node-{node}")).await;
    }
    old.wait(1).await;
    let swapped = service.api().patch(&format!("/api/v1/destinations/{id}"), &json!({"url": new.url()})).await;
    assert_eq!(swapped.status, 200, "{}", swapped.body);
    eventually(async || {
        let told: HashSet<i64> = new.told().into_iter().map(|(_, number)| number).collect();
        if told.len() == 10 { Ok(()) } else { Err(format!("{} of 10 arrived", told.len())) }
    })
    .await;
    let waited: HashSet<String> = old.seen().iter().map(|request| request.id().to_owned()).collect();
    let arrived: HashSet<String> = new.seen().iter().map(|request| request.id().to_owned()).collect();
    assert!(waited.is_subset(&arrived), "what failed at the old URL went to the new one, by its id");
}

const PAGES: usize = 40;

async fn what_is_left_at_the_end_goes_after_the_next_start(database: Database) {
    let settings = [("CALLBOX_DELIVERY_CONCURRENCY", "2")];
    let service = start_with(&database, &settings).await;
    let receiver = Receiver::deciding(|_| Way::Late(Duration::from_millis(200))).await;
    destination(&service, "pilot", &receiver).await;
    let tool = sender(&service).await;
    for page in 0..PAGES {
        send(&service, &tool, "trigger", &format!("node-{page}")).await;
    }
    receiver.wait(2).await;
    service.terminate();
    let (status, log) = service.wait().await;
    assert!(status.success(), "{log}");
    let before = receiver.seen();
    assert!(before.len() < PAGES, "nothing was left: the test shows nothing");
    let service = start_with(&database, &settings).await;
    let seen = receiver.wait(PAGES).await;
    let ids: HashSet<&str> = seen.iter().map(|request| request.id()).collect();
    assert_eq!((ids.len(), seen.len()), (PAGES, PAGES), "all of it, and after an orderly end nothing twice");
    until_metric(&service, "callbox_oldest_undelivered_seconds", |age| age == 0.0).await;
}
