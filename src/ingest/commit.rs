//! The committer: requests that arrive together are committed together, and only then answered.
//!
//! On SQLite one thread owns the writing connection and everything that writes goes through it; on PostgreSQL a few do, each for
//! its share of the integrations, so that one lane owns all keys of a request and a node never races itself.

#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::checkpoint;
use super::lane::Lane;
use super::queue::{Depth, Job, Limits, Place, Queue};
use super::submission::{Receipt, Refused, Submission};
use crate::metrics::Metrics;
use crate::store::{self, Backend, Conn, Result, Store, StoreError};

/// How the committer is set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Threads that commit on PostgreSQL, 0 for as many as suit the machine; SQLite has one.
    pub lanes: usize,
    /// How much may wait before each lane.
    pub limits: Limits,
    /// How long a caller waits for an answer; a request with many events gets a millisecond more for each.
    pub answer_within: Duration,
    /// The longest that any caller waits.
    pub max_wait: Duration,
}

/// Lanes by default. On few cores each more makes every batch smaller and none of them faster.
fn default_lanes() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, 4)
}

/// Hands submissions to the lanes.
pub struct Committer {
    store: Store,
    settings: Settings,
    lanes: Vec<Arc<Queue>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    #[cfg(feature = "bench")]
    bare: bool,
}

impl Committer {
    /// Starts the lanes.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(store: Store, settings: Settings, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let lanes = match store.backend() {
            Backend::Sqlite => 1,
            Backend::Postgres if settings.lanes == 0 => default_lanes(),
            Backend::Postgres => settings.lanes,
        };
        let lanes: Vec<Arc<Queue>> = (0..lanes).map(|_| Arc::new(Queue::new(settings.limits))).collect();
        let mut threads = Vec::new();
        let nudge = match (store.backend(), lanes.first()) {
            (Backend::Sqlite, Some(lane)) => Some(checkpoint::start(store.clone(), Arc::clone(lane))?),
            _ => None,
        };
        for queue in &lanes {
            let mut lane = Lane::new(store.clone(), Arc::clone(queue), Arc::clone(metrics), nudge.clone());
            threads.push(std::thread::Builder::new().name("committer".into()).spawn(move || lane.run())?);
        }
        Ok(Self {
            store,
            settings,
            lanes,
            threads: Mutex::new(threads),
            #[cfg(feature = "bench")]
            bare: super::bare::asked(),
        })
    }

    /// Commits a submission, together with whatever else waits, and says what each event did.
    ///
    /// # Errors
    /// The queue is full, its turn did not come in time, or the store cannot promise anything now. All of it is temporary; after
    /// [`Refused::Late`] the submission may still have been written.
    pub async fn submit(&self, submission: Submission) -> Result<Receipt, Refused> {
        let events = u32::try_from(submission.items.len()).unwrap_or(u32::MAX);
        let extra = Duration::from_millis(1).saturating_mul(events);
        let wait = self.settings.answer_within.saturating_add(extra).min(self.settings.max_wait);
        #[cfg(feature = "bench")]
        if self.bare {
            return Ok(super::bare::receipt(&submission));
        }
        let lane = self.lane(&submission.integration_id).ok_or(Refused::Closed)?;
        let receiver = lane.push(submission, Instant::now() + wait)?;
        match tokio::time::timeout(wait, receiver).await {
            Ok(Ok(answer)) => answer.result,
            Ok(Err(_)) => Err(Refused::Closed),
            Err(_) => Err(Refused::Late),
        }
    }

    /// Whether a small submission of this integration would be refused now: asked before the work on it is done.
    ///
    /// # Errors
    /// The queue is full, its turn would not come in time, or the service is stopping.
    pub fn check(&self, integration_id: &str) -> Result<(), Refused> {
        let lane = self.lane(integration_id).ok_or(Refused::Closed)?;
        lane.check(integration_id, Instant::now() + self.settings.answer_within)
    }

    /// Keeps a place for a submission of this integration while it is read; it is let go when the submission is handed in.
    ///
    /// # Errors
    /// As [`Committer::check`].
    pub fn enter(&self, integration_id: &Arc<str>) -> Result<Place, Refused> {
        let lane = self.lane(integration_id).ok_or(Refused::Closed)?;
        lane.enter(integration_id, Instant::now() + self.settings.answer_within)
    }

    fn lane(&self, integration_id: &str) -> Option<&Arc<Queue>> {
        let mut hasher = DefaultHasher::new();
        integration_id.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % self.lanes.len().max(1) as u64).ok()?;
        self.lanes.get(index)
    }

    /// Runs `work` in a transaction that may write, in turn with everything else that writes.
    ///
    /// # Errors
    /// What `work` says, or that the store cannot promise anything now.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(work, true).await
    }

    /// As [`Committer::write`], for work that leaves alone every open incident and what is remembered of its key: what a lane
    /// knows of them holds after it.
    ///
    /// # Errors
    /// As [`Committer::write`].
    pub async fn tidy<T, E>(&self, work: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(work, false).await
    }

    async fn run<T, E>(&self, work: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static, changes_keys: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, receiver) = oneshot::channel();
        let work = move |conn: store::Result<&mut Conn>| {
            let _ = reply.send(conn.map_err(E::from).and_then(|conn| conn.transaction_immediate(work)));
        };
        self.submit_work(Box::new(work), changes_keys).await?;
        match receiver.await {
            Ok(result) => result,
            Err(_) => Err(E::from(StoreError::Environment(
                "what was to be written was given up: the service is stopping, or the log says why".into(),
            ))),
        }
    }

    /// Has `work` done: at once on PostgreSQL, in turn on SQLite.
    async fn submit_work(&self, work: store::Work, changes_keys: bool) -> store::Result<()> {
        if let Some(writers) = self.store.writers() {
            writers.lend(work).await;
            return Ok(());
        }
        let closed = || StoreError::Environment("the service is stopping".into());
        let lane = self.lanes.first().ok_or_else(closed)?;
        lane.push_job(Job { work, changes_keys }).map_err(|_| closed())
    }

    /// How long a caller waits for an answer.
    pub fn answer_within(&self) -> Duration {
        self.settings.answer_within
    }

    /// How many transactions may commit side by side.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// How full the lanes are, together.
    pub fn depth(&self) -> Depth {
        self.lanes.iter().map(|lane| lane.depth()).fold(Depth::default(), |sum, depth| Depth {
            requests: sum.requests + depth.requests,
            bytes: sum.bytes + depth.bytes,
            oldest: sum.oldest.max(depth.oldest),
        })
    }

    /// Accepts nothing more, commits and answers what waits, and returns when all of it is done. Blocks.
    pub fn close(&self) {
        for lane in &self.lanes {
            lane.close();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.close();
        }
    }
}
