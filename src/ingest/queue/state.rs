//! What waits, by whom, and whose turn it is: fair in both directions, who is served next and who gives way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::{BATCH_BYTES, BATCH_EVENTS, BATCH_REQUESTS, Job};
use crate::ingest::submission::Refused;

/// Everything that waits.
#[derive(Default)]
pub(super) struct State {
    pub(super) fifos: HashMap<Arc<str>, Fifo>,
    /// Integrations with something waiting, in the order of their turns.
    pub(super) ring: VecDeque<Arc<str>>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) requests: usize,
    pub(super) bytes: usize,
    /// Places that are kept for what is still read.
    pub(super) places: usize,
    /// Seconds that serving one request took lately.
    pub(super) pace: f64,
    /// Whether the batch that was taken last left something waiting.
    pub(super) left_some: bool,
    pub(super) closed: bool,
}

/// What waits of one integration.
#[derive(Default)]
pub(super) struct Fifo {
    pub(super) entries: VecDeque<Entry>,
    pub(super) bytes: usize,
    pub(super) places: usize,
}

impl Fifo {
    fn all(&self) -> usize {
        self.entries.len() + self.places
    }
}

impl State {
    /// How long one more of this integration, which has `own` before it, would wait where `all` are before everybody: behind its own, and
    /// behind as many of every other in turn.
    fn wait(&self, own: usize, all: usize) -> Duration {
        let others = self.ring.len();
        let before = all.min((own + 1).saturating_mul(others + 1));
        Duration::try_from_secs_f64(before as f64 * self.pace).unwrap_or_default()
    }

    /// How long what is handed in now would wait: what is still read comes after it.
    pub(super) fn wait_from_now(&self, integration: &str) -> Duration {
        let own = self.fifos.get(integration).map_or(0, |fifo| fifo.entries.len());
        self.wait(own, self.requests)
    }

    /// Whether one more of `integration` is let in where `limit` requests are the bound.
    pub(super) fn admit(&self, integration: &str, limit: usize, deadline: Instant) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        let own = self.fifos.get(integration).map_or(0, Fifo::all);
        let full = if self.requests >= limit {
            self.heaviest(integration, 0, false).is_none()
        } else {
            // Of what is still read nothing gives way; but who reads most keeps nobody out.
            self.requests + self.places >= limit && self.fifos.values().all(|fifo| fifo.all() <= own + 1)
        };
        let wait = self.wait(own, self.requests + self.places);
        if full || Instant::now() + wait > deadline { Err(Refused::Full) } else { Ok(()) }
    }

    /// Forgets an integration of which nothing waits and nothing is read.
    pub(super) fn forget_idle(&mut self, integration: &str) {
        if self.fifos.get(integration).is_some_and(|fifo| fifo.all() == 0) {
            self.fifos.remove(integration);
        }
    }

    /// The integration that has most, if that is still more than `integration` would have with one more of `size`.
    pub(super) fn heaviest(&self, integration: &str, size: usize, by_bytes: bool) -> Option<Arc<str>> {
        let weight = |fifo: &Fifo| if by_bytes { fifo.bytes } else { fifo.entries.len() };
        let own = self.fifos.get(integration).map_or(0, weight) + if by_bytes { size } else { 1 };
        // Nobody loses the only one.
        let more = self.fifos.iter().filter(|(_, fifo)| fifo.entries.len() > 1);
        let (most, fifo) = more.max_by_key(|(_, fifo)| weight(fifo))?;
        (weight(fifo) > own).then(|| Arc::clone(most))
    }

    /// Takes out the newest of the integration that has most.
    pub(super) fn give_way(&mut self, integration: &str, size: usize, by_bytes: bool) -> Option<Entry> {
        let fifo = self.fifos.get_mut(&self.heaviest(integration, size, by_bytes)?)?;
        let entry = fifo.entries.pop_back()?;
        fifo.bytes = fifo.bytes.saturating_sub(entry.size);
        self.requests = self.requests.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.size);
        Some(entry)
    }

    /// Puts back what gave way for nothing, the last first.
    pub(super) fn put_back(&mut self, gave_way: Vec<Entry>) {
        for entry in gave_way.into_iter().rev() {
            self.requests += 1;
            self.bytes += entry.size;
            let fifo = self.fifos.entry(Arc::clone(&entry.submission.integration_id)).or_default();
            fifo.bytes += entry.size;
            fifo.entries.push_back(entry);
        }
    }
}

/// Takes one entry of each integration in turn, until the batch is full or nothing is left.
pub(super) fn batch(state: &mut State) -> Vec<Entry> {
    let mut taken = Vec::new();
    let (mut events, mut bytes) = (0, 0);
    while taken.len() < BATCH_REQUESTS && events < BATCH_EVENTS && bytes < BATCH_BYTES {
        let Some(integration) = state.ring.pop_front() else { break };
        let Some(fifo) = state.fifos.get_mut(&integration) else { continue };
        let Some(entry) = fifo.entries.pop_front() else { continue };
        fifo.bytes = fifo.bytes.saturating_sub(entry.size);
        if fifo.entries.is_empty() {
            state.forget_idle(&integration);
        } else {
            state.ring.push_back(integration);
        }
        state.requests = state.requests.saturating_sub(1);
        state.bytes = state.bytes.saturating_sub(entry.size);
        events += entry.submission.items.len();
        bytes += entry.size;
        taken.push(entry);
    }
    state.left_some = state.requests > 0;
    taken
}
