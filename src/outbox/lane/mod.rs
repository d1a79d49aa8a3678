//! Lanes: a task for each destination with something to do. It takes turns in the database, and between them sends.

mod dispatch;
mod news;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc};

use super::Engine;
use super::send::Way;
use super::turn::{Done, End, News, Outcome, Turn, Work};
use crate::delivery::destination::Destination;
use crate::delivery::retry::Policy;
use crate::store::{self, Conn};
use crate::time::Timestamp;
pub use dispatch::dispatch;

/// The longest that a lane sleeps; one that has nothing to do by then ends.
const IDLE: Duration = Duration::from_secs(5);

/// Why a delivery that made Callbox panic is given up: it would again.
const FAULT: &str = "a fault in Callbox itself; the log says where";

struct Lane {
    engine: Arc<Engine>,
    id: Arc<str>,
    /// The destination's name, for numbers.
    name: String,
    wake: Arc<Notify>,
    /// Deliveries that may be under way at a time: after an outage it rises from one, so that a receiver that is back is not run over.
    ramp: usize,
}

impl Lane {
    fn new(engine: Arc<Engine>, id: Arc<str>, wake: Arc<Notify>) -> Self {
        let ramp = engine.settings.concurrency;
        Self { engine, id, name: String::new(), wake, ramp }
    }

    async fn run(mut self) {
        let (sent, mut back) = mpsc::channel::<Done>(self.engine.settings.concurrency.max(1));
        let mut under_way: HashMap<String, ()> = HashMap::new();
        let mut done: Vec<Done> = Vec::new();
        let mut failures = 0;
        loop {
            let stopping = *self.engine.stop.borrow();
            if stopping && under_way.is_empty() && done.is_empty() {
                break;
            }
            let Some(destination) = self.engine.app.directory.snapshot().destinations.get(&self.id).cloned() else {
                if under_way.is_empty() {
                    break;
                }
                self.collect(&mut back, &mut under_way, &mut done, None).await;
                continue;
            };
            self.name.clone_from(&destination.name);
            let free = if stopping { 0 } else { self.ramp.saturating_sub(under_way.len()) };
            let next = match self.turn(&destination, &done, free).await {
                Ok(outcome) => {
                    failures = 0;
                    self.learn(&done, &outcome);
                    done.clear();
                    self.tell(&destination, &outcome).await;
                    let next = outcome.next;
                    for work in outcome.work {
                        under_way.insert(work.delivery.id.clone(), ());
                        self.send(Arc::clone(&destination), work, sent.clone());
                    }
                    next
                }
                Err(error) => {
                    // What came back is kept until it can be recorded.
                    self.engine.app.metrics.store_error(error.class());
                    tracing::warn!(%error, destination = %self.id, "deliveries cannot be claimed or recorded; again soon");
                    let pause = store::conn::backoff(failures);
                    failures = failures.saturating_add(1);
                    if stopping && failures > 5 {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                    continue;
                }
            };
            let idle = self.collect(&mut back, &mut under_way, &mut done, next).await;
            if idle && next.is_none() && under_way.is_empty() && done.is_empty() {
                break;
            }
        }
        self.engine.app.outbox.close(&self.id);
        // Whoever woke it since it looked last wakes the next one.
        if self.wake.notified().now_or_never().is_some() {
            self.engine.app.outbox.new_lane.notify_one();
        }
    }

    /// Waits until something came back, there is something to do, or the next turn is due; whether it was for nothing.
    async fn collect(
        &self,
        back: &mut mpsc::Receiver<Done>,
        under_way: &mut HashMap<String, ()>,
        done: &mut Vec<Done>,
        next: Option<Timestamp>,
    ) -> bool {
        let now = self.engine.app.clock.now();
        let wait = next.map_or(IDLE, |at| Duration::from_micros(u64::try_from(at.0 - now.0).unwrap_or(0)).min(IDLE));
        let mut idle = false;
        let mut stop = self.engine.stop.clone();
        // Where all places are taken, nothing can be done before something comes back.
        let full = under_way.len() >= self.ramp;
        tokio::select! {
            received = back.recv() => done.extend(received),
            () = self.wake.notified(), if !full => {}
            () = tokio::time::sleep(wait), if !full => idle = true,
            _ = stop.changed() => {}
        }
        while let Ok(more) = back.try_recv() {
            done.push(more);
        }
        for done in done.iter() {
            under_way.remove(&done.work.delivery.id);
        }
        idle
    }

    async fn turn(&self, destination: &Arc<Destination>, done: &[Done], free: usize) -> store::Result<Outcome> {
        let settings = &self.engine.settings;
        let turn = Turn {
            destination: Arc::clone(destination),
            done: done.to_vec(),
            free,
            lease: format!("{}-{}", self.engine.node, uuid::Uuid::now_v7().simple()),
            lease_for: i64::try_from(settings.lease.as_micros()).unwrap_or(i64::MAX),
            confirm_gone: settings.confirm_gone,
            patience: settings.timeout.saturating_mul(3),
            now: self.engine.app.clock.now(),
        };
        self.engine.app.committer.tidy(move |conn: &mut Conn| turn.take(conn)).await
    }

    fn send(&self, destination: Arc<Destination>, work: Work, sent: mpsc::Sender<Done>) {
        let engine = Arc::clone(&self.engine);
        tokio::spawn(async move {
            let snapshot = engine.app.directory.snapshot();
            let policy = policy(&snapshot, &work);
            // As it is now: a URL that was changed counts from the next attempt on.
            let destination = snapshot.destinations.get(&destination.id).cloned().unwrap_or(destination);
            let way = Way {
                client: &engine.client,
                destination: &destination,
                policy: &policy,
                clock: &engine.app.clock,
                timeout: engine.settings.timeout,
                random: random(),
            };
            let tried = AssertUnwindSafe(way.attempt(work.clone())).catch_unwind().await;
            let done =
                tried.unwrap_or_else(|_| Done { work, attempts: Vec::new(), end: End::Dead(FAULT.to_owned()), in_doubt: true });
            let _ = sent.send(done).await;
        });
    }

    /// After an outage one delivery at a time is sent, then two, then four.
    fn learn(&mut self, done: &[Done], outcome: &Outcome) {
        if outcome.news.contains(&News::Recovered) {
            self.ramp = 1;
        }
        let metrics = &self.engine.app.metrics.delivery;
        let now = self.engine.app.clock.now();
        let mut delivered = 0;
        for done in done {
            let result = match done.end {
                End::Delivered(_) => "delivered",
                End::Later { .. } => "later",
                End::Dead(_) | End::Gone(_) => "dead",
            };
            metrics.attempted(&self.name, result);
            if result == "delivered" {
                delivered += 1;
                let late = u64::try_from(now.0 - done.work.delivery.created_at).unwrap_or(0);
                metrics.delivered_after(Duration::from_micros(late));
            }
        }
        self.ramp = self.ramp.saturating_add(delivered).min(self.engine.settings.concurrency);
    }
}

/// How stubbornly the rule of a delivery tries.
fn policy(snapshot: &crate::ingest::snapshot::Snapshot, work: &Work) -> Policy {
    let rules = snapshot.rules.get(work.delivery.tenant_id.as_str());
    let rule = rules.into_iter().flatten().find(|rule| Some(&*rule.id) == work.delivery.rule_id.as_deref());
    rule.map_or_else(Policy::default, |rule| rule.rule.retry)
}

/// From 0 to 1.
fn random() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}
