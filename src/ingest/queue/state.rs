//! What waits, by whom, and whose turn it is: fair in both directions, who is served next and who gives way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::{BATCH_BYTES, BATCH_EVENTS, BATCH_REQUESTS, Job};

/// Everything that waits.
#[derive(Default)]
pub(super) struct State {
    pub(super) fifos: HashMap<Arc<str>, Fifo>,
    /// Integrations with something waiting, in the order of their turns.
    pub(super) ring: VecDeque<Arc<str>>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) requests: usize,
    pub(super) bytes: usize,
    /// Seconds that serving one request took lately.
    pub(super) pace: f64,
    pub(super) closed: bool,
}

/// What waits of one integration.
#[derive(Default)]
pub(super) struct Fifo {
    pub(super) entries: VecDeque<Entry>,
    pub(super) bytes: usize,
}

impl State {
    /// How long one more of this integration would wait: behind its own, and behind as many of every other in turn.
    pub(super) fn wait(&self, integration: &str) -> Duration {
        let own = self.fifos.get(integration).map_or(0, |fifo| fifo.entries.len());
        let others = self.ring.len();
        let before = self.requests.min((own + 1).saturating_mul(others + 1));
        Duration::try_from_secs_f64(before as f64 * self.pace).unwrap_or_default()
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
