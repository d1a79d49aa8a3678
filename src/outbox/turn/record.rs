//! What came back is recorded: attempts, what becomes of each delivery, and what its receiver knows from now on.

use super::standing::is_well_again;
use super::{Done, End, News, Outcome, Turn};
use crate::delivery::message::Message;
use crate::delivery::thread::{self, State};
use crate::store::outbox::{Attempt, Breaker as Kept, Progress, Thread, Turned, lane, route, waiting};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

impl Turn {
    /// Records what came back.
    pub(super) fn record(&self, conn: &mut Conn, kept: &mut Kept, outcome: &mut Outcome) -> Result<()> {
        if self.done.is_empty() {
            return Ok(());
        }
        let attempts: Vec<Attempt> = self.done.iter().flat_map(|done| done.attempts.iter().cloned()).collect();
        lane::attempted(conn, &attempts)?;
        let subjects: Vec<&str> = self.done.iter().map(|done| done.work.thread.subject.as_str()).collect();
        let mut leases: Vec<&str> = self.done.iter().filter_map(|done| done.work.thread.lease.as_deref()).collect();
        leases.sort_unstable();
        leases.dedup();
        // Locked first: what the router adds to a thread is then either seen below, or added after this.
        let mut threads = waiting::held(conn, &self.destination.id, &leases, &subjects)?;
        let mut progress = Vec::new();
        for done in &self.done {
            let same =
                |thread: &&mut Thread| (&thread.subject, &thread.lease) == (&done.work.thread.subject, &done.work.thread.lease);
            let thread = threads.iter_mut().find(same);
            progress.push(self.progress(done, thread, kept, outcome));
        }
        lane::progressed(conn, &progress)?;
        let given_up = |done: &&Done| matches!(done.end, End::Dead(_) | End::Gone(_));
        let incidents: Vec<i64> = self.done.iter().filter(given_up).filter_map(|done| done.work.delivery.incident_id).collect();
        if !incidents.is_empty() {
            route::look_again(conn, &incidents, self.now.0)?;
        }
        let unfinished = waiting::unfinished(conn, &self.destination.id, &subjects)?;
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
        let turned: Vec<Turned> =
            threads.into_iter().map(|thread| Turned { lease: thread.lease.clone().unwrap_or_default(), thread }).collect();
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
                if is_well_again(kept, self.now) {
                    outcome.news.push(News::Well);
                }
                self.delivered(kept);
                if let Some(thread) = thread {
                    tell(thread, &done.work.message);
                    if remembered.is_some() {
                        thread.remembered.clone_from(remembered);
                    }
                    thread.in_doubt = 0;
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
                kept.failed_at = Some(self.now.0);
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
            thread.in_doubt = done.work.thread.in_doubt | i32::from(done.in_doubt);
            thread.due_at = due.map(|at| at.0);
        }
        progress
    }
}

fn tell(thread: &mut Thread, message: &Message) {
    let Some(incident) = &message.incident else { return };
    let state = State { status: incident.status, severity: incident.severity };
    if let Some(state) = thread::knows(message.event, state) {
        thread.told_status = Some(state.status.as_str().to_owned());
        thread.told_severity = Some(state.severity.as_str().to_owned());
    }
}
