//! What a delete costs ingest. Run by hand, on a machine that does nothing else, with a release build:
//! `CALLBOX_TEST_PROGRAM=target/release/callbox cargo test --test it retention::cost -- --ignored --nocapture --test-threads 1`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{metric, old};
use crate::support::api::event;
use crate::support::callbox::Options;
use crate::support::{Callbox, Database};

/// Senders at a time, and how long they send.
const CLIENTS: usize = 64;
const SECONDS: u64 = 6;
/// Old requests, each with an event: more than one run removes.
const OLD_ROWS: i64 = 400_000;
const ROUNDS: usize = 8;

/// Requests a second that are answered 202, and rows a second that are removed meanwhile.
async fn run(database: &Database, ledger: &str) -> (f64, f64) {
    let setting = |name: &str, value: &str| (format!("CALLBOX_RETENTION_{name}"), value.to_owned());
    let environment = vec![setting("LEDGER", ledger), setting("EVENTS", ledger)];
    let service = Callbox::start_with(database, Options { environment, ..Options::default() }).await;
    let name = callbox::id::new(callbox::id::Kind::Integration);
    let integration = service.api().integration("events", &name).await;
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let client = |number: usize| {
        let (api, key, stop, sent) = (service.api(), integration.key.clone(), Arc::clone(&stop), Arc::clone(&sent));
        tokio::spawn(async move {
            for turn in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let body = event(&key, "trigger", &format!("{number}-{turn}"), "a new problem");
                if api.send("/v2/enqueue", &body).await.status == 202 {
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (begun, before) = (Instant::now(), sent.load(Ordering::Relaxed));
    let gone = metric(&service, "callbox_retention_rows_total").await;
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let seconds = begun.elapsed().as_secs_f64();
    let rate = (sent.load(Ordering::Relaxed) - before) as f64 / seconds;
    let removed = (metric(&service, "callbox_retention_rows_total").await - gone) / seconds;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    (rate, removed)
}

async fn compare(database: Database) {
    drop(Callbox::start(&database).await);
    old::plant(&database, OLD_ROWS, 100, 700);
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        // In turns, and each as often first as second: what else the machine does is the same for both.
        let (off, (on, removed)) = if round % 2 == 0 {
            let off = run(&database, "off").await.0;
            (off, run(&database, "30d").await)
        } else {
            let on = run(&database, "30d").await;
            (run(&database, "off").await.0, on)
        };
        println!("round {round}: {off:.0}/s without, {on:.0}/s beside a delete of {removed:.0} rows/s");
        assert!(removed > 0.0, "nothing was removed");
        ratios.push(on / off);
    }
    ratios.sort_by(f64::total_cmp);
    let median = (ratios[ROUNDS / 2 - 1] + ratios[ROUNDS / 2]) / 2.0;
    println!("a delete costs {:.1} % (median of {ROUNDS} pairs)", 100.0 * (1.0 - median));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn sqlite() {
    compare(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn postgres() {
    let Some(database) = Database::postgres() else { return };
    compare(database).await;
}
