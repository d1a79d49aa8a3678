//! A lane: one thread with a connection of its own, which commits what waits, batch by batch.

mod load;
mod pieces;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checkpoint::Nudge;
use super::fold::{Fold, seen_row};
use super::queue::{Entry, Job, Queue, Turn};
use super::recent::Recent;
use super::replay;
use super::submission::{Mode, Receipt, Refused, Submission};
use crate::incident::{KeyState, Status};
use crate::metrics::Metrics;
use crate::store::ingest::{self, Purpose};
use crate::store::{self, Backend, Conn, Result, Store, StoreError};
use crate::time::Timestamp;

pub use load::load;
use pieces::isolate;

/// How often a batch that lost a race is loaded and applied again.
const CONFLICTS_MAX: u32 = 3;

/// How many batches lock what they change after one of them lost a race: whoever else writes these keys may go on.
const CAREFUL_BATCHES: u32 = 100;

/// One thread with a connection of its own.
pub(super) struct Lane {
    store: Store,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    conn: Option<Conn>,
    /// Failed connections in a row, and when the next may be tried.
    failures: u32,
    retry_at: Instant,
    /// No submission counts as received before the one applied before it.
    latest: Timestamp,
    next_number: Option<i64>,
    /// The states of keys met lately.
    recent: Recent,
    /// PostgreSQL, where other nodes write too: batches left that lock what they read. Without, they only find out.
    careful: u32,
    nudge: Option<Nudge>,
}

impl Lane {
    pub(super) fn new(store: Store, queue: Arc<Queue>, metrics: Arc<Metrics>, nudge: Option<Nudge>) -> Self {
        Self {
            store,
            queue,
            metrics,
            conn: None,
            failures: 0,
            retry_at: Instant::now(),
            latest: Timestamp(i64::MIN),
            next_number: None,
            recent: Recent::default(),
            careful: 0,
            nudge,
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            match self.queue.take() {
                Turn::Batch(batch) => self.batch(batch),
                Turn::Job(job) => self.job(job),
                Turn::Closed => return,
            }
        }
    }

    fn job(&mut self, job: Job) {
        let mut conn = self.connection();
        let ran = catch_unwind(AssertUnwindSafe(|| (job.work)(conn.as_mut().map_err(|error| error.clone()))));
        // One that panicked may have left its transaction open; its connection goes, and the transaction with it.
        self.conn = conn.ok().filter(|_| ran.is_ok());
        self.nudge.iter().for_each(Nudge::committed);
        if job.changes_keys {
            self.recent.clear();
        }
    }

    /// The connection, opened anew where the last one broke, but not more often than the back-off allows.
    fn connection(&mut self) -> Result<Conn> {
        if let Some(conn) = self.conn.take() {
            return Ok(conn);
        }
        if Instant::now() < self.retry_at {
            return Err(StoreError::Environment("the database was not available a moment ago".into()));
        }
        match self.store.writer() {
            Ok(conn) => {
                self.failures = 0;
                Ok(conn)
            }
            Err(error) => {
                self.retry_at = Instant::now() + store::conn::backoff(self.failures);
                self.failures = self.failures.saturating_add(1);
                Err(error)
            }
        }
    }

    fn batch(&mut self, batch: Vec<Entry>) {
        let now = Instant::now();
        let (batch, late): (Vec<Entry>, Vec<Entry>) = batch.into_iter().partition(|entry| entry.deadline > now);
        Entry::answer_all(late.into_iter().map(|entry| (entry, Err(Refused::Late))));
        if batch.is_empty() {
            return;
        }
        let started = Instant::now();
        let result = self.connection().and_then(|mut conn| {
            let submissions: Vec<&Submission> = batch.iter().map(|entry| &entry.submission).collect();
            let result = self.commit(&mut conn, &submissions);
            // What the environment broke is opened anew; so is a connection whose roll-back may have failed.
            if !matches!(result, Err(StoreError::Environment(_))) {
                self.conn = Some(conn);
            }
            result
        });
        let took = started.elapsed();
        self.metrics.commit(took, batch.len());
        self.queue.served(batch.len(), took);
        match result {
            Ok(receipts) => Entry::answer_all(batch.into_iter().zip(receipts)),
            Err(error) => self.fail(batch, &error),
        }
    }

    /// Nothing of the batch is stored, and nothing that waits would be: everybody is told at once.
    fn fail(&mut self, batch: Vec<Entry>, error: &StoreError) {
        // The next connection may find another file.
        self.recent.clear();
        tracing::error!(error = %error, requests = batch.len(), "a batch could not be committed");
        self.metrics.store_error(error.class());
        let all = batch.into_iter().chain(self.queue.drain());
        Entry::answer_all(all.map(|entry| (entry, Err(Refused::Store(error.clone())))));
    }

    /// Commits a batch. A lost race is run again; data that the store refuses is isolated, request by request.
    fn commit(&mut self, conn: &mut Conn, batch: &[&Submission]) -> Result<Vec<Result<Receipt, Refused>>> {
        self.careful = self.careful.saturating_sub(1);
        for attempt in 0..=CONFLICTS_MAX {
            match self.attempt(conn, batch) {
                Ok(receipts) => return Ok(receipts.into_iter().map(Ok).collect()),
                Err(StoreError::Conflict(_)) if self.careful == 0 => {
                    self.careful = CAREFUL_BATCHES;
                    self.recent.clear();
                }
                Err(StoreError::Conflict(_)) if attempt < CONFLICTS_MAX => pause(attempt),
                Err(StoreError::Conflict(error) | StoreError::Data(error)) => {
                    tracing::warn!(error, requests = batch.len(), "the store refuses data; the batch is taken apart");
                    self.recent.clear();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let alone = batch.len() == 1;
        batch.iter().map(|submission| self.alone(conn, submission, alone)).collect()
    }

    fn attempt(&mut self, conn: &mut Conn, batch: &[&Submission]) -> Result<Vec<Receipt>> {
        let mut latest = self.latest;
        let mut next_number = self.next_number;
        let alone = self.store.backend() == Backend::Sqlite;
        // What a replay did before is asked of the store as well, and must not change until it is written.
        let careful = self.careful > 0 || batch.iter().any(|submission| matches!(submission.mode, Mode::Replay(_)));
        let recent = (alone || !careful).then_some(&mut self.recent);
        let purpose = if alone || careful { Purpose::Change } else { Purpose::Look };
        let work = |conn: &mut Conn| {
            StoreError::guard(|| {
                let mut fold = load(conn, batch, purpose, recent)?;
                let mut receipts = Vec::with_capacity(batch.len());
                // Two deliveries of one id may be in one batch.
                let mut seen = HashSet::new();
                for submission in batch {
                    let at = submission.counted_at(latest);
                    latest = latest.max(at);
                    let duplicate = match seen_row(submission, at) {
                        Some(row) if !seen.insert((row.integration_id, row.delivery_id, row.body_hash)) => Some(String::new()),
                        Some(row) => ingest::find_seen(conn, &row, at)?,
                        None => None,
                    };
                    receipts.push(match (duplicate, &submission.mode) {
                        (Some(first), _) => Receipt { duplicate_of: Some(first), ..fold.duplicate(submission, at) },
                        (None, Mode::Live) => whole(&mut fold, submission, at),
                        (None, Mode::Replay(replaying)) => replay::apply(conn, &mut fold, submission, replaying)?,
                    });
                }
                let mut rows = fold.finish();
                ingest::write(conn, &mut rows, &mut next_number)?;
                Ok((receipts, rows.opened.into_iter().chain(rows.updated)))
            })
        };
        let (receipts, written) = match purpose {
            Purpose::Change => conn.transaction_immediate(work)?,
            // One statement writes, which is a transaction by itself and fails where anything was changed since it was read.
            Purpose::Look => work(conn)?,
        };
        (self.latest, self.next_number) = (latest, next_number);
        self.nudge.iter().for_each(Nudge::committed);
        if alone || !careful {
            for row in written.filter(|row| row.incident.status != Status::Resolved) {
                self.recent.put(row.key, KeyState { open: Some(row.incident), tombstone: row.tombstone });
            }
        }
        Ok(receipts)
    }

    /// Commits one submission by itself, and where the store refuses its data, event by event.
    fn alone(&mut self, conn: &mut Conn, submission: &Submission, refused: bool) -> Result<Result<Receipt, Refused>> {
        let replayed = matches!(submission.mode, Mode::Replay(_));
        if !refused || replayed {
            match self.attempt(conn, &[submission]) {
                Ok(mut receipts) => return Ok(Ok(receipts.pop().unwrap_or_default())),
                // A replay is whole or not at all: nobody waits for half of it.
                Err(error @ (StoreError::Conflict(_) | StoreError::Data(_))) if replayed => return Ok(Err(error.into())),
                Err(StoreError::Conflict(_) | StoreError::Data(_)) => {}
                Err(error) => return Err(error),
            }
        }
        match self.piecewise(conn, submission) {
            Ok(receipt) => Ok(Ok(receipt)),
            Err(error @ StoreError::Environment(_)) => Err(error),
            Err(error) => Ok(Err(Refused::Store(error))),
        }
    }

    /// One transaction in which what the store refuses is isolated, and everything else stored.
    fn piecewise(&mut self, conn: &mut Conn, submission: &Submission) -> Result<Receipt> {
        self.recent.clear();
        let latest = submission.counted_at(self.latest);
        let mut next_number = self.next_number;
        let receipt = conn.transaction_immediate(|conn| {
            let events = isolate(conn, submission, &submission.items, latest, &mut next_number)?;
            let mut fold = Fold::default();
            fold.changes(submission, latest);
            fold.ledger(submission, &events, latest);
            ingest::write(conn, &mut fold.finish(), &mut next_number)?;
            Ok::<_, StoreError>(Receipt { events, ..Receipt::default() })
        })?;
        (self.latest, self.next_number) = (self.latest.max(latest), next_number);
        Ok(receipt)
    }
}

fn whole<'a>(fold: &mut Fold<'a>, submission: &'a Submission, at: Timestamp) -> Receipt {
    let events = fold.items(submission, &submission.items, at);
    fold.changes(submission, at);
    fold.ledger(submission, &events, at);
    Receipt { events, ..Receipt::default() }
}

/// A few milliseconds, more with each attempt, and not the same on every node.
fn pause(attempt: u32) {
    let mut jitter = [0u8; 1];
    let _ = getrandom::fill(&mut jitter);
    let jitter: u64 = jitter.iter().map(|byte| u64::from(*byte)).sum();
    std::thread::sleep(Duration::from_millis(u64::from(attempt) * 10 + jitter % 16 + 1));
}
