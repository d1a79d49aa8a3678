//! The bounded queue before a committer: one FIFO an integration, served round robin, so that one that floods does not delay the
//! others.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::submission::{Receipt, Refused, Submission};
use crate::store::Conn;

/// Requests that are committed together at most.
pub const BATCH_REQUESTS: usize = 256;
/// Events that are committed together at most (one request may have more).
pub const BATCH_EVENTS: usize = 4_000;
/// Bytes that are committed together at most (one request may have more).
pub const BATCH_BYTES: usize = 8 << 20;

/// What is done on the writing connection; on failure to get one it is called with `None`.
pub type Work = Box<dyn FnOnce(Option<&mut Conn>) + Send>;

/// Work for the writing connection.
pub struct Job {
    /// What is done.
    pub work: Work,
    /// Whether it may change what is open, or what is remembered of a key that is.
    pub changes_keys: bool,
}

/// What became of a submission.
pub struct Answer {
    /// Its receipt, or why there is none.
    pub result: Result<Receipt, Refused>,
    /// The submission goes back to the thread that it came from: taking it apart is work too.
    _spent: Submission,
}

/// One submission that somebody waits for.
pub struct Entry {
    /// What to commit.
    pub submission: Submission,
    /// Whom to tell.
    pub reply: oneshot::Sender<Answer>,
    /// When nobody waits any longer.
    pub deadline: Instant,
    queued: Instant,
    size: usize,
}

impl Entry {
    /// Tells whoever waits; nobody may.
    pub fn answer(self, result: Result<Receipt, Refused>) {
        let _ = self.reply.send(Answer { result, _spent: self.submission });
    }
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

#[derive(Default)]
struct State {
    fifos: HashMap<Arc<str>, VecDeque<Entry>>,
    /// Integrations with something waiting, in the order of their turns.
    ring: VecDeque<Arc<str>>,
    jobs: VecDeque<Job>,
    requests: usize,
    bytes: usize,
    closed: bool,
}

/// The queue.
pub struct Queue {
    limits: Limits,
    state: Mutex<State>,
    ready: Condvar,
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
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.requests >= self.limits.requests || (state.requests > 0 && state.bytes + size > self.limits.bytes) {
            return Err(Refused::Full);
        }
        state.requests += 1;
        state.bytes += size;
        let integration = Arc::clone(&submission.integration_id);
        let entry = Entry { submission, reply, deadline, queued: Instant::now(), size };
        let fifo = state.fifos.entry(Arc::clone(&integration)).or_default();
        let first = fifo.is_empty();
        fifo.push_back(entry);
        if first {
            state.ring.push_back(integration);
        }
        drop(state);
        self.ready.notify_one();
        Ok(receiver)
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
        let oldest = state.fifos.values().filter_map(VecDeque::front).map(|entry| entry.queued.elapsed()).max();
        Depth { requests: state.requests, bytes: state.bytes, oldest: oldest.unwrap_or_default() }
    }
}

fn batch(state: &mut State) -> Vec<Entry> {
    let mut taken = Vec::new();
    let (mut events, mut bytes) = (0, 0);
    while taken.len() < BATCH_REQUESTS && events < BATCH_EVENTS && bytes < BATCH_BYTES {
        let Some(integration) = state.ring.pop_front() else { break };
        let Some(fifo) = state.fifos.get_mut(&integration) else { continue };
        let Some(entry) = fifo.pop_front() else { continue };
        if fifo.is_empty() {
            state.fifos.remove(&integration);
        } else {
            state.ring.push_back(integration);
        }
        state.requests = state.requests.saturating_sub(1);
        state.bytes = state.bytes.saturating_sub(entry.size);
        events += entry.submission.items.len();
        bytes += entry.size;
        taken.push(entry);
    }
    taken
}
