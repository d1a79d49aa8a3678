//! The bounded queue before a committer: one FIFO an integration, served round robin, so that one that floods does not delay the
//! others. When it is full, the newest of whoever has most in it gives way to one who has less; and what could not be served in
//! time anyway is refused at once instead of after its wait.

mod entry;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::inbox::Inbox;
use super::submission::{Refused, Submission};
use crate::store::Work;
use state::{State, batch};

pub use entry::{Answer, Entry};

/// Requests that are committed together at most.
pub const BATCH_REQUESTS: usize = 256;
/// Events that are committed together at most (one request may have more).
pub const BATCH_EVENTS: usize = 4_000;
/// Bytes that are committed together at most (one request may have more).
pub const BATCH_BYTES: usize = 8 << 20;

/// Work for the writing connection.
pub struct Job {
    /// What is done.
    pub work: Work,
    /// Whether it may change what is open, or what is remembered of a key that is.
    pub changes_keys: bool,
}

/// What the committer does next.
pub enum Turn {
    /// Commit these together.
    Batch(Vec<Entry>),
    /// Do this.
    Job(Job),
    /// Nothing is left, and nothing more will come.
    Closed,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests.
    pub requests: usize,
    /// Bytes.
    pub bytes: usize,
}

/// The queue.
pub struct Queue {
    limits: Limits,
    state: Mutex<State>,
    ready: Condvar,
}

/// A place in a queue that is kept for a request until it is handed in.
pub struct Place {
    queue: Arc<Queue>,
    integration: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.leave(&self.integration);
    }
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Requests waiting.
    pub requests: usize,
    /// Bytes waiting.
    pub bytes: usize,
    /// How long the oldest has waited.
    pub oldest: Duration,
}

impl Queue {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::new(State::default()), ready: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a submission; the receiver gets its receipt.
    ///
    /// # Errors
    /// The queue is full or closed.
    pub fn push(&self, submission: Submission, deadline: Instant) -> Result<oneshot::Receiver<Answer>, Refused> {
        let size = submission.size();
        let (reply, receiver) = oneshot::channel();
        let inbox = Inbox::here();
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        let integration = Arc::clone(&submission.integration_id);
        let queued = Instant::now();
        if queued + state.wait_from_now(&integration) > deadline {
            return Err(Refused::Full);
        }
        let mut gave_way = Vec::new();
        while state.requests >= self.limits.requests || (state.requests > 0 && state.bytes + size > self.limits.bytes) {
            let by_bytes = state.requests < self.limits.requests;
            match state.give_way(&integration, size, by_bytes) {
                Some(entry) => gave_way.push(entry),
                None => {
                    state.put_back(gave_way);
                    return Err(Refused::Full);
                }
            }
        }
        state.requests += 1;
        state.bytes += size;
        let fifo = state.fifos.entry(Arc::clone(&integration)).or_default();
        let first = fifo.entries.is_empty();
        fifo.bytes += size;
        fifo.entries.push_back(Entry { submission, reply, inbox, deadline, queued, size });
        if first {
            state.ring.push_back(integration);
        }
        drop(state);
        self.ready.notify_one();
        Entry::answer_all(gave_way.into_iter().map(|entry| (entry, Err(Refused::Full))));
        Ok(receiver)
    }

    /// Whether one more small submission of `integration` would be refused now: known before the work on it is done.
    ///
    /// # Errors
    /// The queue is full or closed.
    pub fn check(&self, integration: &str, deadline: Instant) -> Result<(), Refused> {
        self.state().admit(integration, self.limits.requests, deadline)
    }

    /// As [`Queue::check`], and keeps a place for it: one integration has no more of them worked on than there is room for.
    ///
    /// # Errors
    /// The queue is full or closed.
    pub fn enter(self: &Arc<Self>, integration: &Arc<str>, deadline: Instant) -> Result<Place, Refused> {
        let mut state = self.state();
        state.admit(integration, self.limits.requests, deadline)?;
        state.places += 1;
        state.fifos.entry(Arc::clone(integration)).or_default().places += 1;
        Ok(Place { queue: Arc::clone(self), integration: Arc::clone(integration) })
    }

    fn leave(&self, integration: &str) {
        let mut state = self.state();
        state.places = state.places.saturating_sub(1);
        if let Some(fifo) = state.fifos.get_mut(integration) {
            fifo.places = fifo.places.saturating_sub(1);
        }
        state.forget_idle(integration);
    }

    /// Notes how long a batch of so many requests took.
    pub fn served(&self, requests: usize, took: Duration) {
        let mut state = self.state();
        // A batch that took all that waited could have been as large as any, at little more cost: on a slow disk it is the commit that takes
        // the time. Nobody who comes after it waits as long for each as these did.
        let requests = if state.left_some { requests.max(1) } else { requests.max(BATCH_REQUESTS) };
        let one = took.as_secs_f64() / requests as f64;
        // The last ten batches or so.
        state.pace += (one - state.pace) * 0.1;
    }

    /// Adds a job; jobs go before submissions.
    ///
    /// # Errors
    /// The queue is closed.
    pub fn push_job(&self, job: Job) -> Result<(), Refused> {
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        state.jobs.push_back(job);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// Waits for something to do. A batch takes one entry of each integration in turn, until it is full or nothing is left.
    pub fn take(&self) -> Turn {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Turn::Job(job);
            }
            if state.requests > 0 {
                return Turn::Batch(batch(&mut state));
            }
            if state.closed {
                return Turn::Closed;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes everything that waits, so that it can be answered at once.
    pub fn drain(&self) -> Vec<Entry> {
        let mut state = self.state();
        let mut all = Vec::with_capacity(state.requests);
        while state.requests > 0 {
            all.append(&mut batch(&mut state));
        }
        all
    }

    /// Accepts nothing more; what waits is still served.
    pub fn close(&self) {
        self.state().closed = true;
        self.ready.notify_all();
    }

    /// How full it is.
    pub fn depth(&self) -> Depth {
        let state = self.state();
        let oldest = state.fifos.values().filter_map(|fifo| fifo.entries.front()).map(|entry| entry.queued.elapsed()).max();
        Depth { requests: state.requests, bytes: state.bytes, oldest: oldest.unwrap_or_default() }
    }
}
