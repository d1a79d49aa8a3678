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

/// Who else wants the writer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// Nobody: every other moment may be ours.
    Idle,
    /// Requests wait: one moment in twenty is ours.
    Busy,
    /// Requests wait, and soon could not be stored at all for want of room: every other moment must be ours.
    Urgent,
}

impl Load {
    const fn rest(self) -> u32 {
        match self {
            Self::Idle | Self::Urgent => 1,
            Self::Busy => 19,
        }
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

    /// How long to leave the database alone after work that took so long.
    pub fn rest(took: Duration, load: Load) -> Duration {
        took.saturating_mul(load.rest()).min(REST_MAX)
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

    #[test]
    fn where_requests_wait_at_most_a_twentieth_of_the_time_is_taken() {
        assert_eq!(Pace::rest(4 * MS, Load::Busy), 76 * MS);
        assert_eq!(Pace::rest(4 * MS, Load::Idle), 4 * MS);
        assert_eq!(Pace::rest(4 * MS, Load::Urgent), 4 * MS);
        assert_eq!(Pace::rest(1000 * MS, Load::Busy), REST_MAX);
    }
}
