//! The steps: looking, removing, measuring. Each says how long it took.

use std::time::{Duration, Instant};

use super::{Found, Keeper, Task};
use crate::id;
use crate::retention::meter::Meter;
use crate::retention::pace::BYTES_MAX;
use crate::retention::walk::Walk;
use crate::retention::{Aged, Keyed, Policy};
use crate::store::retention::{self as store, Due, Page};
use crate::store::{Conn, Result, StoreError};
use crate::time::{SECOND, Timestamp};

/// Seconds in which a body is not dropped, and a row not measured: what was received before it may still be on its way.
const FRESH: i64 = 120;
/// What a query that failed counts as: it may have run out of its time, so that the next one must be smaller.
const FAILED: Duration = Duration::from_secs(10);

impl Keeper {
    /// Looks through some rows.
    pub(super) async fn look(&mut self, task: Task) -> Result<Duration> {
        let begun = Instant::now();
        let now = self.now().await?;
        match task {
            Task::Aged(table) => {
                let Some(before) = self.before(table, now).await? else {
                    self.end(task);
                    return Ok(begun.elapsed());
                };
                let query = move |conn: &mut Conn, after: &str, limit| store::page(conn, table, after, before, now, limit);
                let due = self.find(task, query).await?;
                self.note_lag(table, now, &due);
            }
            Task::OverBytes | Task::DiskFull => {
                let (before, spare_open) = (now.plus_seconds(-FRESH), task == Task::OverBytes);
                let query = move |conn: &mut Conn, after: &str, limit| store::bodies(conn, after, before, spare_open, limit);
                self.find(task, query).await?;
            }
            Task::Keyed(table) => return self.sweep(table, now).await,
            Task::Measure(table) => self.measure(table, now).await?,
        }
        Ok(begun.elapsed())
    }

    /// Before which moment rows of `table` may go; `None`: none may.
    async fn before(&mut self, table: Aged, now: Timestamp) -> Result<Option<Timestamp>> {
        let over = table == Aged::Events && self.events.is_over(self.policy.events_bytes);
        if !over && self.policy.before(table, now, None).is_none() {
            return Ok(None);
        }
        let notice = self.hands.read(&self.app, store::oldest_notice).await?;
        Ok(if over { Some(Policy::before_over_bytes(now, notice)) } else { self.policy.before(table, now, notice) })
    }

    /// Looks at the next rows of a walk; those that may go are left to the next steps.
    async fn find(
        &mut self,
        task: Task,
        query: impl FnOnce(&mut Conn, &str, usize) -> Result<Page> + Send + 'static,
    ) -> Result<Vec<Due>> {
        let (after, limit) = (self.walk(task).place().to_owned(), self.looking.rows());
        let begun = Instant::now();
        let page = self.hands.read(&self.app, move |conn| query(conn, &after, limit)).await;
        self.looking.learn(limit, if page.is_ok() { begun.elapsed() } else { FAILED });
        let page = page?;
        let found = Found { task, rows: page.due.clone().into(), last: page.last, ends: page.looked_at < limit };
        if found.rows.is_empty() { self.pass(found) } else { self.found = Some(found) }
        Ok(page.due)
    }

    /// Everything that was found is gone: the walk goes on behind it.
    fn pass(&mut self, found: Found) {
        if let Some(last) = found.last {
            self.walk(found.task).pass(last);
        }
        if found.ends {
            self.end(found.task);
        }
    }

    fn end(&mut self, task: Task) {
        if let Task::Aged(table) = task {
            self.app.metrics.retention.lag(table.name(), 0.0);
        }
        let elapsed = self.begun.elapsed();
        self.walk(task).end(elapsed);
    }

    fn walk(&mut self, task: Task) -> &mut Walk {
        self.walks.entry(task).or_insert_with(|| task.walk())
    }

    fn note_lag(&self, table: Aged, now: Timestamp, due: &[Due]) {
        let age = self.policy.before(table, now, None);
        let oldest = due.first().and_then(|row| id::made_at(&row.id));
        let Some((age, oldest)) = age.zip(oldest) else { return };
        let lag = age.0.saturating_sub(oldest.0).max(0) as f64 / SECOND as f64;
        self.app.metrics.retention.lag(table.name(), lag);
    }

    /// Removes some of what was found, in one transaction.
    pub(super) async fn remove(&mut self, mut found: Found) -> Result<Duration> {
        if !self.still_wanted(found.task) {
            return Ok(Duration::ZERO);
        }
        let rows = some(&found.rows, self.removing.rows());
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let (task, count) = (found.task, rows.len());
        let now = self.app.clock.now();
        let begun = Instant::now();
        let work = move |conn: &mut Conn| {
            let begun = Instant::now();
            let removed = match task {
                Task::Aged(table) => store::remove(conn, table, &ids)?,
                _ => store::drop_bodies(conn, &ids, now)?,
            };
            Ok::<_, StoreError>((removed, begun.elapsed()))
        };
        let (removed, took) = self.hands.write(&self.app, work).await?;
        self.removing.learn(count, took);
        self.note_removed(task, removed, &rows);
        found.rows.drain(..count);
        if found.rows.is_empty() {
            self.pass(found);
        } else {
            // If it ends here, because there is room again, the walk goes on from here.
            if let Some(row) = rows.last() {
                self.walk(task).pass(row.id.clone());
            }
            self.found = Some(found);
        }
        Ok(begun.elapsed())
    }

    /// Whether what was found must still go: bodies stay as soon as there is room.
    fn still_wanted(&self, task: Task) -> bool {
        match task {
            Task::DiskFull => self.above,
            Task::OverBytes => self.ledger.is_over(self.policy.ledger_bytes),
            Task::Aged(_) | Task::Keyed(_) | Task::Measure(_) => true,
        }
    }

    fn note_removed(&mut self, task: Task, removed: usize, rows: &[Due]) {
        let numbers = &self.app.metrics.retention;
        let meter = match task {
            Task::Aged(table) => {
                numbers.removed(table.name(), removed);
                match table {
                    Aged::Requests => &mut self.ledger,
                    Aged::Events => &mut self.events,
                    _ => return,
                }
            }
            _ => {
                numbers.dropped(removed);
                &mut self.ledger
            }
        };
        rows.iter().for_each(|row| meter.take(&row.id, row.bytes));
    }

    /// Looks at some rows of a table and removes those that are over, in one transaction.
    async fn sweep(&mut self, table: Keyed, now: Timestamp) -> Result<Duration> {
        let task = Task::Keyed(table);
        let Some(before) = self.policy.before_keyed(table, now) else {
            self.end(task);
            return Ok(Duration::ZERO);
        };
        let (after, limit) = (self.walk(task).place().to_owned(), self.removing.rows());
        let begun = Instant::now();
        let work = move |conn: &mut Conn| {
            let begun = Instant::now();
            store::sweep(conn, table, &after, before, limit).map(|swept| (swept, begun.elapsed()))
        };
        let (swept, took) = self.hands.write(&self.app, work).await?;
        self.removing.learn(limit, took);
        self.app.metrics.retention.removed(table.name(), swept.removed);
        match swept.last {
            Some(last) => self.walk(task).pass(last),
            None => self.end(task),
        }
        Ok(begun.elapsed())
    }

    /// Adds to what a bounded table holds what came since.
    async fn measure(&mut self, table: Aged, now: Timestamp) -> Result<()> {
        let (before, limit) = (now.plus_seconds(-FRESH), self.looking.rows());
        let after = self.meter(table).counted().to_owned();
        let begun = Instant::now();
        let query = move |conn: &mut Conn| match table {
            Aged::Events => store::measure_events(conn, &after, before, limit),
            _ => store::measure_bodies(conn, &after, before, limit),
        };
        let measured = self.hands.read(&self.app, query).await;
        self.looking.learn(limit, if measured.is_ok() { begun.elapsed() } else { FAILED });
        let measured = measured?;
        if let Some(last) = measured.last {
            self.meter(table).add(measured.bytes, last);
        }
        if measured.rows < limit {
            self.meter(table).complete();
            self.end(Task::Measure(table));
        }
        if let Some(bytes) = self.meter(table).bytes() {
            self.app.metrics.retention.held(table.name(), bytes);
        }
        Ok(())
    }

    fn meter(&mut self, table: Aged) -> &mut Meter {
        if table == Aged::Events { &mut self.events } else { &mut self.ledger }
    }
}

/// The first rows of what was found: so many, or fewer where they hold much.
fn some(found: &std::collections::VecDeque<Due>, rows: usize) -> Vec<Due> {
    let mut bytes: u64 = 0;
    let fits = |row: &&Due| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(row.bytes.max(1));
        first || bytes <= BYTES_MAX
    };
    found.iter().take(rows).take_while(fits).cloned().collect()
}
