//! The steps: looking, removing, measuring. Each says how long it took.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Found, Keeper, Task};
use crate::id;
use crate::retention::pace::BYTES_MAX;
use crate::retention::walk::Walk;
use crate::retention::{Aged, Keyed, Policy};
use crate::store::retention::{self as store, Due, Page};
use crate::store::{Conn, Result, StoreError};
use crate::time::{SECOND, Timestamp};

/// Seconds in which a row is not measured, nor its body dropped for its bytes: what was received before it may still be on its way.
const FRESH: i64 = 120;
/// The same where the disk is nearly full, and nothing else must be waited for.
const BARELY: i64 = 5;
/// What a query that failed counts as: it may have run out of its time, so that the next one must be smaller.
const FAILED: Duration = Duration::from_secs(10);

impl Keeper {
    /// Looks through some rows.
    pub(super) async fn look(&mut self, task: Task) -> Result<Duration> {
        let begun = Instant::now();
        let now = self.now().await?;
        match task {
            Task::Aged(table) => match self.policy.before(table, now, None) {
                Some(_) => self.look_by_age(table, now).await?,
                None => self.end(task),
            },
            Task::Refused => match self.policy.before_refused(now) {
                Some(before) => {
                    drop(self.find(task, move |conn, after, limit| store::refused(conn, after, before, limit)).await?)
                }
                None => self.end(task),
            },
            Task::OverBytes(Aged::Requests) | Task::DiskFull => {
                let spare_open = task != Task::DiskFull;
                let before = now.plus_seconds(if spare_open { -FRESH } else { -BARELY });
                self.find(task, move |conn, after, limit| store::bodies(conn, after, before, spare_open, limit)).await?;
            }
            Task::OverBytes(table) => {
                let notice = self.hands.read(&self.app, store::oldest_notice).await?;
                let before = Policy::before_over_bytes(now, notice);
                self.find(task, move |conn, after, limit| store::page(conn, table, after, before, now, limit)).await?;
            }
            Task::Keyed(table) => return self.sweep(table, now).await,
            Task::Measure(table) => self.measure(table, now).await?,
        }
        Ok(begun.elapsed())
    }

    async fn look_by_age(&mut self, table: Aged, now: Timestamp) -> Result<()> {
        let notice = self.hands.read(&self.app, store::oldest_notice).await?;
        let Some(before) = self.policy.before(table, now, notice) else { return Ok(()) };
        let query = move |conn: &mut Conn, after, limit| store::page(conn, table, after, before, now, limit);
        let due = self.find(Task::Aged(table), query).await?;
        // Notices have numbers of their own, which tell no time.
        if let Some(oldest) = due.first().filter(|_| table != Aged::Outbox) {
            let lag = before.0.saturating_sub(id::made_at(oldest.id).0).max(0);
            self.app.metrics.retention.lag(table.name(), lag as f64 / SECOND as f64);
        }
        Ok(())
    }

    /// Looks at the next rows of a walk; those that may go are left to the next steps.
    async fn find(
        &mut self,
        task: Task,
        query: impl FnOnce(&mut Conn, i64, usize) -> Result<Page> + Send + 'static,
    ) -> Result<Vec<Due>> {
        let (after, limit) = (*self.walk(task).place(), self.looking.rows());
        let begun = Instant::now();
        let page = self.hands.read(&self.app, move |conn| query(conn, after, limit)).await;
        self.looking.learn(limit, if page.is_ok() { begun.elapsed() } else { FAILED });
        let page = page?;
        let found = Found { task, rows: page.due.clone().into(), last: page.last, ends: page.looked_at < limit };
        if found.rows.is_empty() {
            self.pass(found)
        } else {
            self.found = Some(found)
        }
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
        match task {
            Task::Keyed(table) => self.keyed_walk(table).end(elapsed),
            task => self.walk(task).end(elapsed),
        }
    }

    fn walk(&mut self, task: Task) -> &mut Walk<i64> {
        self.walks.entry(task).or_insert_with(|| task.walk())
    }

    fn keyed_walk(&mut self, table: Keyed) -> &mut Walk<String> {
        self.keyed.entry(table).or_insert_with(|| Task::Keyed(table).walk())
    }

    /// Removes some of what was found, in one transaction.
    pub(super) async fn remove(&mut self, mut found: Found) -> Result<Duration> {
        let wanted = self.wanted_bytes(found.task);
        if wanted == 0 {
            return Ok(Duration::ZERO);
        }
        let rows = some(&found.rows, self.removing.rows(), wanted);
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let (task, count) = (found.task, rows.len());
        let now = self.app.clock.now();
        let begun = Instant::now();
        let work = move |conn: &mut Conn| {
            let begun = Instant::now();
            let removed = match task {
                Task::OverBytes(Aged::Requests) | Task::DiskFull => store::drop_bodies(conn, &ids, now)?,
                Task::Aged(table) | Task::OverBytes(table) | Task::Measure(table) => store::remove(conn, table, &ids)?,
                Task::Refused => store::remove(conn, Aged::Requests, &ids)?,
                Task::Keyed(_) => 0,
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
                self.walk(task).pass(row.id);
            }
            self.found = Some(found);
        }
        Ok(begun.elapsed())
    }

    /// Bytes that must still go of what was found: bodies stay as soon as there is room.
    fn wanted_bytes(&self, task: Task) -> u64 {
        match task {
            Task::DiskFull if !self.above => 0,
            Task::OverBytes(table) => self.excess(table),
            _ => u64::MAX,
        }
    }

    fn note_removed(&mut self, task: Task, removed: usize, rows: &[Due]) {
        let numbers = &self.app.metrics.retention;
        let table = match task {
            Task::OverBytes(Aged::Requests) | Task::DiskFull => {
                numbers.dropped(removed);
                Aged::Requests
            }
            Task::Aged(table) | Task::OverBytes(table) | Task::Measure(table) => {
                numbers.removed(table.name(), removed);
                table
            }
            Task::Refused => {
                numbers.removed(Aged::Requests.name(), removed);
                Aged::Requests
            }
            Task::Keyed(_) => return,
        };
        if let Some(meter) = self.meters.get_mut(&table) {
            rows.iter().for_each(|row| meter.take(row.id, row.bytes));
        }
    }

    /// Looks at some rows of a table and removes those that are over, in one transaction.
    async fn sweep(&mut self, table: Keyed, now: Timestamp) -> Result<Duration> {
        let task = Task::Keyed(table);
        let Some(before) = self.policy.before_keyed(table, now) else {
            self.end(task);
            return Ok(Duration::ZERO);
        };
        let (after, limit) = (self.keyed_walk(table).place().clone(), self.removing.rows());
        let begun = Instant::now();
        let work = move |conn: &mut Conn| {
            let begun = Instant::now();
            store::sweep(conn, table, &after, before, limit).map(|swept| (swept, begun.elapsed()))
        };
        let (swept, took) = self.hands.write(&self.app, work).await?;
        self.removing.learn(limit, took);
        self.app.metrics.retention.removed(table.name(), swept.removed);
        match swept.last {
            Some(last) => self.keyed_walk(table).pass(last),
            None => self.end(task),
        }
        Ok(begun.elapsed())
    }

    /// Adds to what a bounded table holds what came since.
    async fn measure(&mut self, table: Aged, now: Timestamp) -> Result<()> {
        let (before, limit) = (now.plus_seconds(-FRESH), self.looking.rows());
        let after = self.meters.entry(table).or_default().counted();
        let begun = Instant::now();
        let measured = self.hands.read(&self.app, move |conn| store::measure(conn, table, after, before, limit)).await;
        self.looking.learn(limit, if measured.is_ok() { begun.elapsed() } else { FAILED });
        let measured = measured?;
        let meter = self.meters.entry(table).or_default();
        if let Some(last) = measured.last {
            meter.add(measured.bytes, last);
        }
        if measured.rows < limit {
            meter.complete();
            self.app.metrics.retention.held(table.name(), meter.bytes().unwrap_or_default());
            self.end(Task::Measure(table));
        }
        Ok(())
    }
}

/// The first rows of what was found: `count` at most, until they hold what is wanted or what one transaction may give back.
fn some(found: &VecDeque<Due>, count: usize, wanted: u64) -> Vec<Due> {
    let mut some: Vec<Due> = Vec::new();
    let mut bytes: u64 = 0;
    for row in found.iter().take(count) {
        bytes = bytes.saturating_add(row.bytes);
        if bytes > BYTES_MAX && !some.is_empty() {
            break;
        }
        some.push(*row);
        if bytes >= wanted {
            break;
        }
    }
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_takes_what_is_wanted_and_fits() {
        let found = |sizes: &[u64]| sizes.iter().map(|bytes| Due { id: 1, bytes: *bytes }).collect::<VecDeque<_>>();
        assert_eq!(some(&found(&[0; 9]), 5, u64::MAX).len(), 5);
        assert_eq!(some(&found(&[1000; 9]), 9, 1001).len(), 2);
        assert_eq!(some(&found(&[BYTES_MAX / 2; 9]), 9, u64::MAX).len(), 2);
        assert_eq!(some(&found(&[BYTES_MAX * 8, 1]), 9, u64::MAX).len(), 1, "one that is too large goes alone");
    }
}
