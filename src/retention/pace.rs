//! How much is removed in one transaction, and how long the writer is left alone after it.

use std::time::Duration;

/// Rows at first and at least.
const ROWS: usize = 50;
const ROWS_MIN: usize = 10;
/// Rows of one transaction at most.
pub const ROWS_MAX: usize = 500;
/// Bytes of bodies that one transaction gives back at most, unless one row alone has more.
pub const BYTES_MAX: u64 = 1 << 20;
/// What the statements of a transaction should take: a request that comes meanwhile waits no longer than for a commit of others.
const TARGET: Duration = Duration::from_millis(4);
/// Rows that one query looks at at most, and what it should take; nobody waits for it.
const LOOKED_AT_MAX: usize = 5000;
const LOOK_TARGET: Duration = Duration::from_millis(10);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(2);

/// The most of the time that is taken, and the least, where ingest leaves none.
const SHARE_MAX: f64 = 0.5;
const SHARE_MIN: f64 = 0.04;

/// How busy ingest is, as last seen.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Ingest {
    busy: f64,
}

impl Ingest {
    /// Learns that of the last `passed` its commits took `committing`, and whether requests wait now.
    pub fn saw(&mut self, committing: Duration, passed: Duration, waiting: bool) {
        let seen = committing.as_secs_f64() / passed.as_secs_f64().max(1e-6);
        // A pause between two batches is not yet a quiet time.
        let lasting = seen.max(self.busy / 2.0);
        self.busy = if waiting { 1.0 } else { lasting.min(1.0) };
    }

    /// How long to leave the database alone after work that took so long. `urgent`: without the work ingest would come to a stop
    /// for want of room.
    pub fn rest(&self, took: Duration, urgent: bool) -> Duration {
        // Commits are a part of what a request costs: where they take a quarter of the time the machine may well be busy.
        let share = if urgent { SHARE_MAX } else { (SHARE_MAX - 2.0 * self.busy).max(SHARE_MIN) };
        took.mul_f64(1.0 / share - 1.0).min(REST_MAX)
    }
}

/// How many rows are taken at once, learnt from how long they take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    rows: usize,
    max: usize,
    target: Duration,
}

impl Pace {
    /// Of transactions that remove.
    pub const fn removing() -> Self {
        Self { rows: ROWS, max: ROWS_MAX, target: TARGET }
    }

    /// Of queries that look for what may go.
    pub const fn looking() -> Self {
        Self { rows: ROWS, max: LOOKED_AT_MAX, target: LOOK_TARGET }
    }

    /// Rows to take next, at most.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Learns that `rows` rows took so long. What a commit takes is not to be counted: it is the same for few.
    pub fn learn(&mut self, rows: usize, took: Duration) {
        let fitting = (rows as f64 * self.target.as_secs_f64() / took.as_secs_f64().max(1e-6)) as usize;
        if took > self.target {
            // At most halved at once: this time something else may have been slow.
            self.rows = fitting.clamp(self.rows / 2, self.rows).max(ROWS_MIN);
        } else if rows >= self.rows {
            self.rows = fitting.clamp(self.rows, self.rows.saturating_mul(2)).min(self.max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Where the pace settles when a row takes so long.
    fn settles(row: Duration) -> usize {
        let mut pace = Pace::removing();
        for _ in 0..50 {
            pace.learn(pace.rows(), row * u32::try_from(pace.rows()).unwrap());
        }
        pace.rows()
    }

    #[test]
    fn transactions_take_a_few_milliseconds_whatever_a_row_costs() {
        assert_eq!(settles(Duration::from_micros(1)), ROWS_MAX);
        assert_eq!(settles(Duration::from_micros(20)), 200);
        assert_eq!(settles(Duration::from_micros(100)), 40);
        assert_eq!(settles(100 * MS), ROWS_MIN, "a slow disk gets small ones, not none");
    }

    #[test]
    fn one_slow_transaction_halves_and_a_small_one_teaches_nothing() {
        let mut pace = Pace { rows: 400, ..Pace::removing() };
        pace.learn(400, 500 * MS);
        assert_eq!(pace.rows(), 200);
        pace.learn(3, MS / 10);
        assert_eq!(pace.rows(), 200);
        pace.learn(200, MS / 10);
        assert_eq!(pace.rows(), 400);
    }

    /// The rest after four milliseconds of work, where ingest takes so many hundredths of the time.
    fn rest(hundredths: u32, waiting: bool) -> Duration {
        let mut ingest = Ingest::default();
        ingest.saw(MS * hundredths, 100 * MS, waiting);
        ingest.rest(4 * MS, false)
    }

    #[test]
    fn half_the_time_is_taken_where_nobody_else_wants_it_and_a_twenty_fifth_where_others_do() {
        assert_eq!(rest(0, false), 4 * MS);
        assert_eq!(rest(10, false).as_micros(), 9333);
        assert_eq!(rest(25, false), 96 * MS);
        assert_eq!(rest(500, false), 96 * MS, "commits side by side");
        assert_eq!(rest(0, true), 96 * MS);
    }

    #[test]
    fn a_quiet_moment_is_not_a_quiet_time_and_a_full_disk_waits_for_nobody() {
        let mut ingest = Ingest::default();
        ingest.saw(100 * MS, 100 * MS, true);
        assert_eq!(ingest.rest(4 * MS, true), 4 * MS);
        let rests: Vec<_> = (0..6)
            .map(|_| {
                ingest.saw(Duration::ZERO, 100 * MS, false);
                ingest.rest(4 * MS, false)
            })
            .collect();
        assert!(rests.is_sorted_by(|a, b| a >= b) && rests[0] == 96 * MS && rests[5] < 5 * MS, "{rests:?}");
        assert_eq!(ingest.rest(1000 * MS, false).max(REST_MAX), REST_MAX);
    }
}
