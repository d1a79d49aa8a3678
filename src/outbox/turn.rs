//! A lane's turn: what came back is recorded, and what is due is claimed, in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use super::message;
use super::settle::told;
use crate::delivery::breaker::{self, Breaker, Pass};
use crate::delivery::destination::Destination;
use crate::delivery::message::{Message, Occasion};
use crate::delivery::thread::{self, State};
use crate::id;
use crate::store::outbox::{Attempt, Breaker as Kept, Delivery, Progress, Thread, Turned, lane, read, route};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// One delivery to make: the oldest of its thread.
#[derive(Clone, Debug)]
pub struct Work {
    /// The thread, as claimed.
    pub thread: Thread,
    /// The delivery.
    pub delivery: Delivery,
    /// What it tells.
    pub message: Message,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum End {
    /// It arrived; what the channel keeps of the answer.
    Delivered(Option<String>),
    /// It is tried again then.
    Later {
        /// When.
        at: Timestamp,
        /// Whether the receiver is in trouble; one that asks for time is not.
        failed: bool,
        /// Why, for people.
        why: String,
    },
    /// It is given up.
    Dead(String),
    /// The receiver says that it is there no longer.
    Gone(String),
}

/// A delivery that was tried.
#[derive(Clone, Debug)]
pub struct Done {
    /// What it was.
    pub work: Work,
    /// What was sent and came back.
    pub attempts: Vec<Attempt>,
    /// What came of it.
    pub end: End,
}

/// What people should hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// The breaker opened: nothing is sent for a while.
    Opened(String),
    /// The receiver is well again.
    Recovered,
    /// A delivery was given up.
    Dead(String),
    /// The destination was disabled: its receiver is gone.
    Disabled(String),
}

/// What a turn came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What to send.
    pub work: Vec<Work>,
    /// When to take the next turn, if nothing wakes the lane before.
    pub next: Option<Timestamp>,
    /// What people should hear of.
    pub news: Vec<News>,
    /// Deliveries put off because the breaker is open.
    pub skipped: usize,
    /// Where the breaker stands.
    pub state: Option<breaker::State>,
}

/// What a lane brings to its turn.
pub struct Turn {
    /// The destination, as it is now.
    pub destination: Arc<Destination>,
    /// What came back.
    pub done: Vec<Done>,
    /// How many more may be under way.
    pub free: usize,
    /// Under which name threads are claimed.
    pub lease: String,
    /// For how long, in microseconds.
    pub lease_for: i64,
    /// How long a receiver that says it is gone is left alone before it is asked once more.
    pub confirm_gone: std::time::Duration,
    /// How long a probe may take.
    pub patience: std::time::Duration,
    /// The present.
    pub now: Timestamp,
}

impl Turn {
    /// Takes the turn; in a transaction.
    ///
    /// # Errors
    /// A statement failed.
    pub fn take(self, conn: &mut Conn) -> Result<Outcome> {
        let before = lane::breaker(conn, &self.destination.id)?;
        let mut kept = before.clone();
        let mut outcome = Outcome::default();
        self.record(conn, &mut kept, &mut outcome)?;
        // What is meant for a destination that cannot be used waits.
        let usable = self.destination.enabled && self.destination.open(self.now).is_ok();
        if usable && self.free > 0 && outcome.news.iter().all(|news| !matches!(news, News::Disabled(_))) {
            self.claim(conn, &mut kept, &mut outcome)?;
        }
        if kept != before {
            lane::keep_breaker(conn, &kept)?;
        }
        outcome.state = Some(breaker_of(&kept).state(self.now));
        Ok(outcome)
    }

    /// Records what came back.
    fn record(&self, conn: &mut Conn, kept: &mut Kept, outcome: &mut Outcome) -> Result<()> {
        let attempts: Vec<Attempt> = self.done.iter().flat_map(|done| done.attempts.iter().cloned()).collect();
        lane::attempted(conn, &attempts)?;
        let mut by_lease: HashMap<&str, Vec<&Done>> = HashMap::new();
        for done in &self.done {
            by_lease.entry(done.work.thread.lease.as_deref().unwrap_or_default()).or_default().push(done);
        }
        for (lease, done) in by_lease {
            self.record_lease(conn, lease, &done, kept, outcome)?;
        }
        Ok(())
    }

    fn record_lease(&self, conn: &mut Conn, lease: &str, done: &[&Done], kept: &mut Kept, outcome: &mut Outcome) -> Result<()> {
        let subjects: Vec<&str> = done.iter().map(|done| done.work.thread.subject.as_str()).collect();
        // Locked first: what the router adds to a thread is then either seen below, or added after this.
        let mut threads = lane::held(conn, &self.destination.id, lease, &subjects)?;
        let mut progress = Vec::new();
        for done in done {
            let thread = threads.iter_mut().find(|thread| thread.subject == done.work.thread.subject);
            progress.push(self.progress(done, thread, kept, outcome));
        }
        lane::progressed(conn, &progress)?;
        let given_up = |done: &&&Done| matches!(done.end, End::Dead(_) | End::Gone(_));
        let incidents: Vec<i64> = done.iter().filter(given_up).filter_map(|done| done.work.delivery.incident_id).collect();
        if !incidents.is_empty() {
            route::look_again(conn, &incidents, self.now.0)?;
        }
        let unfinished = lane::unfinished(conn, &self.destination.id, &subjects)?;
        for thread in &mut threads {
            let any = unfinished.iter().any(|delivery| delivery.subject == thread.subject);
            thread.due_at = match thread.due_at {
                // The router settles what is on hold.
                _ if !any || thread.held_until.is_some() => None,
                Some(at) if at > self.now.0 => Some(at),
                _ => Some(self.now.0),
            };
            thread.updated_at = self.now.0;
        }
        let turned: Vec<Turned> = threads.into_iter().map(|thread| Turned { thread, lease: lease.to_owned() }).collect();
        lane::give_back(conn, &turned)
    }

    /// What becomes of a delivery, its thread, and the receiver's standing. The thread is gone where its lease was lost.
    fn progress(&self, done: &Done, thread: Option<&mut Thread>, kept: &mut Kept, outcome: &mut Outcome) -> Progress {
        let delivery = &done.work.delivery;
        let sent = i32::try_from(done.attempts.len()).unwrap_or(i32::MAX);
        let mut progress = Progress {
            id: delivery.id.clone(),
            status: "retrying",
            reason: None,
            attempts: delivery.attempts.saturating_add(sent),
            failures: delivery.failures,
            finished_at: None,
        };
        let mut due = None;
        match &done.end {
            End::Delivered(remembered) => {
                progress.status = "delivered";
                progress.finished_at = Some(self.now.0);
                if let Some(thread) = thread {
                    tell(thread, &done.work.message);
                    if remembered.is_some() {
                        thread.remembered.clone_from(remembered);
                    }
                    thread.due_at = None;
                }
                if self.succeeded(kept) {
                    outcome.news.push(News::Recovered);
                }
                return progress;
            }
            End::Later { at, failed, why } => {
                progress.reason = Some(why.clone());
                due = Some(*at);
                if *failed {
                    progress.failures = progress.failures.saturating_add(1);
                    self.failed(kept, why, outcome);
                } else {
                    self.asked_for_time(kept, *at);
                }
            }
            End::Dead(why) => {
                progress.status = "dead";
                progress.reason = Some(why.clone());
                progress.finished_at = Some(self.now.0);
                outcome.news.push(News::Dead(why.clone()));
                // An answer, if only a refusal: the receiver is there.
                if done.attempts.iter().any(|attempt| attempt.result == "refused") && self.succeeded(kept) {
                    outcome.news.push(News::Recovered);
                } else if done.attempts.iter().any(|attempt| attempt.result == "later") {
                    self.failed(kept, why, outcome);
                }
            }
            End::Gone(why) => match kept.gone_at {
                // Asked once more, and it said so again.
                Some(since) if self.now >= Timestamp(since).plus(self.confirm_gone) => {
                    progress.status = "dead";
                    progress.reason = Some(why.clone());
                    progress.finished_at = Some(self.now.0);
                    kept.gone_at = None;
                    outcome.news.push(News::Disabled(why.clone()));
                }
                since => {
                    let since = Timestamp(*kept.gone_at.insert(since.unwrap_or(self.now.0)));
                    progress.reason = Some(format!("{why}; asked once more before the destination is disabled"));
                    due = Some(since.plus(self.confirm_gone));
                    self.asked_for_time(kept, since.plus(self.confirm_gone));
                }
            },
        }
        if let Some(thread) = thread {
            thread.due_at = due.map(|at| at.0);
        }
        progress
    }

    fn succeeded(&self, kept: &mut Kept) -> bool {
        let mut breaker = breaker_of(kept);
        let recovered = breaker.succeeded();
        keep(&breaker, kept);
        kept.gone_at = None;
        if recovered {
            kept.recovered_at = Some(self.now.0);
        }
        recovered
    }

    fn failed(&self, kept: &mut Kept, why: &str, outcome: &mut Outcome) {
        let mut breaker = breaker_of(kept);
        if breaker.failed(&self.destination.breaker, self.now) {
            outcome.news.push(News::Opened(why.to_owned()));
        }
        keep(&breaker, kept);
    }

    fn asked_for_time(&self, kept: &mut Kept, until: Timestamp) {
        let mut breaker = breaker_of(kept);
        breaker.asked_for_time();
        keep(&breaker, kept);
        kept.paused_until = Some(kept.paused_until.unwrap_or(until.0).max(until.0));
    }

    /// Claims what is due, as far as the receiver is to be told anything now.
    fn claim(&self, conn: &mut Conn, kept: &mut Kept, outcome: &mut Outcome) -> Result<()> {
        let now = self.now;
        if let Some(until) = kept.paused_until.filter(|until| *until > now.0) {
            outcome.next = Some(Timestamp(until));
            return Ok(());
        }
        kept.paused_until = None;
        let Some(first) = lane::next_due(conn, &self.destination.id)? else { return Ok(()) };
        if first > now.0 {
            outcome.next = Some(Timestamp(first));
            return Ok(());
        }
        let mut breaker = breaker_of(kept);
        let most = match breaker.pass(self.patience, now) {
            Pass::Send => self.free,
            Pass::Probe => 1,
            Pass::Wait(until) => {
                outcome.skipped = lane::put_off(conn, &self.destination.id, now.0, until.0)?;
                kept.skipped = kept.skipped.saturating_add(i64::try_from(outcome.skipped).unwrap_or(i64::MAX));
                outcome.next = Some(until);
                return Ok(());
            }
        };
        let (most, wait) = self.paced(kept, most);
        if most == 0 {
            outcome.next = wait;
            return Ok(());
        }
        let until = now.0.saturating_add(self.lease_for);
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let threads = lane::claim(conn, &self.destination.id, &self.lease, now.0, until, limit)?;
        self.heads(conn, threads, kept, outcome)?;
        if outcome.work.is_empty() {
            // Nobody probes after all.
            outcome.next = Some(now);
        } else {
            keep(&breaker, kept);
            self.spend(kept, outcome.work.len());
            outcome.next = lane::next_due(conn, &self.destination.id)?.map(Timestamp);
        }
        Ok(())
    }

    /// The oldest delivery of each thread; what need not be told any more is left out.
    fn heads(&self, conn: &mut Conn, threads: Vec<Thread>, kept: &Kept, outcome: &mut Outcome) -> Result<()> {
        let subjects: Vec<&str> = threads.iter().map(|thread| thread.subject.as_str()).collect();
        let mut waiting: HashMap<String, Vec<Delivery>> = HashMap::new();
        for delivery in lane::unfinished(conn, &self.destination.id, &subjects)? {
            waiting.entry(delivery.subject.clone()).or_default().push(delivery);
        }
        let (mut skipped, mut turned) = (Vec::new(), Vec::new());
        for mut thread in threads {
            let on_hold = thread.held_until.is_some();
            let deliveries = waiting.remove(&thread.subject).unwrap_or_default();
            let deliveries = if on_hold { Vec::new() } else { self.left(&thread, deliveries, kept, &mut skipped) };
            match deliveries.into_iter().next() {
                Some((delivery, message)) => outcome.work.push(Work { thread, delivery, message }),
                None => {
                    thread.due_at = None;
                    turned.push(Turned { thread, lease: self.lease.clone() });
                }
            }
        }
        lane::progressed(conn, &skipped)?;
        lane::give_back(conn, &turned)?;
        if self.destination.wants_details() { add_details(conn, &mut outcome.work) } else { Ok(()) }
    }

    /// What is still to be told of a thread, in order.
    fn left(
        &self,
        thread: &Thread,
        deliveries: Vec<Delivery>,
        kept: &Kept,
        skipped: &mut Vec<Progress>,
    ) -> Vec<(Delivery, Message)> {
        let mut skip = |delivery: &Delivery, why: &str| {
            skipped.push(Progress {
                id: delivery.id.clone(),
                status: "skipped",
                reason: Some(why.to_owned()),
                attempts: delivery.attempts,
                failures: delivery.failures,
                finished_at: Some(self.now.0),
            });
        };
        let mut left = Vec::new();
        for delivery in deliveries {
            match serde_json::from_str::<Message>(&delivery.message) {
                Ok(message) => left.push((delivery, message)),
                Err(_) => skip(&delivery, "what it tells cannot be read any more"),
            }
        }
        let waited = |delivery: &Delivery| {
            self.destination.per_minute.is_some() || kept.recovered_at.is_some_and(|at| delivery.created_at < at)
        };
        if left.len() > 1 && left.first().is_some_and(|(delivery, _)| waited(delivery)) {
            let keep = newest(told(thread), &left);
            let all = left.len();
            let mut kept = Vec::new();
            for (index, (delivery, message)) in left.into_iter().enumerate() {
                if keep.contains(&index) {
                    kept.push((delivery, message));
                } else {
                    skip(&delivery, "it waited, and is part of what was told after it");
                }
            }
            debug_assert!(kept.len() <= all);
            left = kept;
        }
        // A route that never pages has nothing that its other messages would come without.
        let pages = thread.wants.split(',').any(|word| word == Occasion::Triggered.as_str());
        while let Some((delivery, message)) = left.first() {
            if told(thread).is_some() || thread::opens(message.event) || !pages {
                break;
            }
            skip(delivery, "this destination was never told that it began");
            left.remove(0);
        }
        left
    }

    /// How many messages the limit of the destination admits now, and when the next where that is none.
    fn paced(&self, kept: &Kept, most: usize) -> (usize, Option<Timestamp>) {
        let Some(per_minute) = self.destination.per_minute else { return (most, None) };
        let each = MINUTE / i64::from(per_minute.max(1));
        let spent = kept.paced_at.unwrap_or(0).max(self.now.0);
        let room = (self.now.0 + MINUTE - spent) / each;
        let admitted = usize::try_from(room.max(0)).unwrap_or(0).min(most);
        (admitted, (admitted == 0).then_some(Timestamp(spent + each - MINUTE)))
    }

    fn spend(&self, kept: &mut Kept, messages: usize) {
        let Some(per_minute) = self.destination.per_minute else { return };
        let each = MINUTE / i64::from(per_minute.max(1));
        let spent = i64::try_from(messages).unwrap_or(i64::MAX).saturating_mul(each);
        kept.paced_at = Some(kept.paced_at.unwrap_or(0).max(self.now.0).saturating_add(spent));
    }
}

/// A minute in microseconds.
const MINUTE: i64 = 60_000_000;

/// Which of the deliveries of a thread that waited are enough: those that tell the newest state, to one who knows `told`.
fn newest(told: Option<State>, left: &[(Delivery, Message)]) -> Vec<usize> {
    let Some((last, (_, message))) = left.iter().enumerate().next_back() else { return Vec::new() };
    let Some(present) = message.incident.as_ref().map(|incident| State { status: incident.status, severity: incident.severity })
    else {
        return (0..left.len()).collect();
    };
    match told {
        Some(_) => vec![last],
        // Over before anything was told of it.
        None if thread::catch_up(None, present).is_empty() => Vec::new(),
        None => {
            let page = left.iter().rposition(|(_, message)| message.event == Occasion::Triggered);
            let mut keep: Vec<usize> = page.into_iter().chain([last]).collect();
            keep.dedup();
            keep
        }
    }
}

/// What a tool said besides: it is not kept with a delivery, and read as it is now.
fn add_details(conn: &mut Conn, work: &mut [Work]) -> Result<()> {
    let numbers: Vec<i64> = work.iter().filter_map(|work| work.delivery.incident_id).collect();
    let rows: HashMap<i64, _> = read::incidents(conn, &numbers)?.into_iter().map(|row| (id::number(&row.id), row)).collect();
    for work in work {
        let row = work.delivery.incident_id.and_then(|number| rows.get(&number));
        if let (Some(incident), Some(row)) = (&mut work.message.incident, row) {
            incident.details = Some(message::details(row));
        }
    }
    Ok(())
}

fn tell(thread: &mut Thread, message: &Message) {
    let Some(incident) = &message.incident else { return };
    let state = State { status: incident.status, severity: incident.severity };
    if let Some(state) = thread::knows(message.event, state) {
        thread.told_status = Some(state.status.as_str().to_owned());
        thread.told_severity = Some(state.severity.as_str().to_owned());
    }
}

fn breaker_of(kept: &Kept) -> Breaker {
    Breaker {
        failures: u32::try_from(kept.failures).unwrap_or(0),
        open_until: kept.open_until.map(Timestamp),
        probing_until: kept.probing_until.map(Timestamp),
    }
}

fn keep(breaker: &Breaker, kept: &mut Kept) {
    kept.failures = i32::try_from(breaker.failures).unwrap_or(i32::MAX);
    kept.open_until = breaker.open_until.map(|at| at.0);
    kept.probing_until = breaker.probing_until.map(|at| at.0);
}
