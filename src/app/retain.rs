//! Retention at work: a task beside ingest that looks for what may go and removes it, a few rows at a time.
//!
//! Each [`Keeper::step`] is one query or one small transaction, and says how long to rest after it. Nothing but the place of each
//! walk is remembered, and that only to save work: whoever begins anew finds the rest.

mod disk;
mod hands;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use disk::{Gauge, Status};
use hands::Hands;

use super::App;
use crate::ingest::own;
use crate::retention::disk::{Bytes, Disk, Level};
use crate::retention::meter::Meter;
use crate::retention::pace::{Ingest, Pace};
use crate::retention::walk::Walk;
use crate::retention::{Aged, Keyed, Policy};
use crate::store::retention::{Due, reusable_bytes};
use crate::store::timers::database_now;
use crate::store::{Conn, Result, StoreError};
use crate::time::{Clock, Timestamp};

/// How often it is asked whether there is something to do.
const LOOK: Duration = Duration::from_secs(1);
/// How often the disk is looked at.
const DISK: Duration = Duration::from_secs(5);
/// How long a failure is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// What a step looks through.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Task {
    /// A table, for rows over their age.
    Aged(Aged),
    /// The ledger, for refused requests over their own age.
    Refused,
    /// A table, for rows that are over.
    Keyed(Keyed),
    /// A table whose bytes are bounded, for what came since they were last measured.
    Measure(Aged),
    /// A table over its bytes, for its oldest: rows, and of the ledger bodies.
    OverBytes(Aged),
    /// The ledger, for any body: the disk is nearly full.
    DiskFull,
}

impl Task {
    /// All of them, in the order of their turns. Where room is short, requests over their age go before bodies.
    const ALL: [Self; 19] = [
        Self::Aged(Aged::Outbox),
        Self::Aged(Aged::Requests),
        Self::Refused,
        Self::DiskFull,
        Self::Measure(Aged::Requests),
        Self::OverBytes(Aged::Requests),
        Self::Measure(Aged::Events),
        Self::OverBytes(Aged::Events),
        Self::Aged(Aged::Events),
        Self::Aged(Aged::Incidents),
        Self::Aged(Aged::Changes),
        Self::Keyed(Keyed::SeenDeliveries),
        Self::Keyed(Keyed::Tombstones),
        Self::Keyed(Keyed::Refusals),
        Self::Keyed(Keyed::Audit),
        Self::Keyed(Keyed::Deliveries),
        Self::Keyed(Keyed::Attempts),
        Self::Keyed(Keyed::Threads),
        Self::Keyed(Keyed::Pages),
    ];

    fn walk<K: Default>(self) -> Walk<K> {
        match self {
            Self::Aged(_) | Self::Measure(_) => Walk::new(),
            Self::Refused => Walk::onward(),
            Self::Keyed(_) => Walk::hourly(),
            Self::OverBytes(_) | Self::DiskFull => Walk::closely(),
        }
    }
}

/// Rows that may go, as they were found.
struct Found {
    task: Task,
    rows: VecDeque<Due>,
    /// The last row that was looked at, whether it may go or not.
    last: Option<i64>,
    /// Whether there was nothing behind it.
    ends: bool,
}

/// The task's state.
pub struct Keeper {
    app: Arc<App>,
    policy: Policy,
    gauge: Gauge,
    hands: Hands,
    begun: Instant,
    looking: Pace,
    removing: Pace,
    ingest: Ingest,
    /// When it was last seen how long commits have taken, and how long that was.
    committing: (Instant, Duration),
    walks: HashMap<Task, Walk<i64>>,
    keyed: HashMap<Keyed, Walk<String>>,
    found: Option<Found>,
    /// Of the tables whose bytes are bounded.
    meters: HashMap<Aged, Meter>,
    level: Level,
    above: bool,
    disk_read: Option<Duration>,
}

/// Looks and removes until it is dropped.
pub async fn retain(app: Arc<App>, policy: Policy, gauge: Gauge) {
    let mut keeper = Keeper::new(app, policy, gauge);
    loop {
        let rest = match keeper.step().await {
            Ok(Some(rest)) => rest,
            Ok(None) => LOOK,
            Err(error) => {
                keeper.app.metrics.store_error(error.class());
                tracing::warn!(%error, "retention could not go on; again in a few seconds");
                AFTER_FAILURE
            }
        };
        tokio::time::sleep(rest).await;
    }
}

impl Keeper {
    /// Begins anew, with every walk at its left end.
    pub fn new(app: Arc<App>, policy: Policy, gauge: Gauge) -> Self {
        Self {
            app,
            policy,
            gauge,
            hands: Hands::default(),
            begun: Instant::now(),
            looking: Pace::looking(),
            removing: Pace::removing(),
            ingest: Ingest::default(),
            committing: (Instant::now(), Duration::ZERO),
            walks: HashMap::new(),
            keyed: HashMap::new(),
            found: None,
            meters: HashMap::new(),
            level: Level::default(),
            above: false,
            disk_read: None,
        }
    }

    /// One query or one small transaction, and how long to rest after it; `None`: there is nothing to do now.
    ///
    /// # Errors
    /// The store cannot be read or written now; the next step tries again.
    pub async fn step(&mut self) -> Result<Option<Duration>> {
        if !self.hands.may(&self.app).await? {
            return Ok(None);
        }
        let elapsed = self.begun.elapsed();
        if self.disk_read.is_none_or(|read| self.above || read + DISK <= elapsed) {
            self.disk_read = Some(elapsed);
            self.read_disk().await?;
        }
        if let Some(found) = self.found.take() {
            let took = self.remove(found).await?;
            return Ok(Some(self.rest(took)));
        }
        let Some(task) = self.next(elapsed) else {
            self.app.metrics.retention.ran(self.app.clock.now());
            return Ok(None);
        };
        let took = self.look(task).await?;
        Ok(Some(self.rest(took)))
    }

    /// What to look through next.
    fn next(&self, elapsed: Duration) -> Option<Task> {
        let wanted = |task: &Task| match task {
            Task::DiskFull => self.above,
            Task::Measure(table) => self.bound(*table) > 0,
            Task::OverBytes(table) => self.excess(*table) > 0,
            Task::Aged(_) | Task::Refused | Task::Keyed(_) => true,
        };
        let due = |task: &Task| match task {
            Task::Keyed(table) => self.keyed.get(table).is_none_or(|walk| walk.is_due(elapsed)),
            task => self.walks.get(task).is_none_or(|walk| walk.is_due(elapsed)),
        };
        Task::ALL.into_iter().find(|task| due(task) && wanted(task))
    }

    /// Bytes that a table may hold; 0 is no bound.
    fn bound(&self, table: Aged) -> u64 {
        match table {
            Aged::Requests => self.policy.ledger_bytes,
            Aged::Events => self.policy.events_bytes,
            _ => 0,
        }
    }

    /// Bytes that it holds beyond them.
    fn excess(&self, table: Aged) -> u64 {
        self.meters.get(&table).map_or(0, |meter| meter.excess(self.bound(table)))
    }

    /// How long to rest after work that took so long.
    fn rest(&mut self, took: Duration) -> Duration {
        let (at, committing) = (Instant::now(), self.app.metrics.committing());
        let (last, before) = std::mem::replace(&mut self.committing, (at, committing));
        let lanes = u32::try_from(self.app.committer.lanes()).unwrap_or(u32::MAX);
        let waiting = self.app.committer.depth().requests > 0;
        self.ingest.saw(committing.saturating_sub(before) / lanes.max(1), at.duration_since(last), waiting);
        self.ingest.rest(took, self.above)
    }

    /// The time by which ages are told: on PostgreSQL the database's, so that a node's wrong clock removes nothing.
    async fn now(&mut self) -> Result<Timestamp> {
        let now = self.app.clock.now();
        match self.app.clock {
            Clock::System => Ok(self.hands.read(&self.app, database_now).await?.unwrap_or(now)),
            Clock::Manual(_) => Ok(now),
        }
    }

    async fn read_disk(&mut self) -> Result<()> {
        let gauge = self.gauge.clone();
        let read = move |conn: &mut Conn| {
            let disk = gauge.read().map_err(|error| StoreError::unavailable(&error))?;
            disk.map(|disk| Ok(Disk { reusable: reusable_bytes(conn)?, ..disk })).transpose()
        };
        let Some(disk) = self.hands.read(&self.app, read).await? else { return Ok(()) };
        let mark = self.policy.disk_high_water;
        let was = std::mem::replace(&mut self.above, self.level.read(mark, &disk));
        self.app.disk.set(self.above, disk.room());
        self.app.metrics.retention.disk(disk.room(), self.above);
        let room = Bytes(disk.room());
        match (was, self.above) {
            (false, true) => tracing::warn!(%room, %mark, "the disk is above its high-water mark: the oldest bodies are dropped"),
            (true, false) => tracing::info!(%room, %mark, "the disk is below its high-water mark again"),
            _ => {}
        }
        if self.above {
            own::disk_is_full(&self.app, &format!("only {room} are left on the disk of the database"));
        }
        Ok(())
    }
}
