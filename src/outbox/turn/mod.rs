//! A lane's turn: what came back is recorded, and what is due is claimed, in one transaction.

mod claim;
mod left;
mod record;
mod standing;

use std::sync::Arc;

use crate::delivery::breaker;
use crate::delivery::destination::Destination;
use crate::delivery::message::Message;
use crate::store::outbox::{Attempt, Delivery, Thread, lane};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// One delivery to make: the oldest of its thread.
#[derive(Clone, Debug)]
pub struct Work {
    /// The thread, as claimed; what was in doubt before that.
    pub thread: Thread,
    /// The delivery.
    pub delivery: Delivery,
    /// What it tells.
    pub message: Message,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum End {
    /// It arrived; what the channel keeps of the answer.
    Delivered(Option<String>),
    /// It is tried again then.
    Later {
        /// When.
        at: Timestamp,
        /// Whether the receiver is in trouble; one that asks for time is not.
        failed: bool,
        /// Why, for people.
        why: String,
    },
    /// It is given up.
    Dead(String),
    /// The receiver says that it is there no longer.
    Gone(String),
}

/// A delivery that was tried.
#[derive(Clone, Debug)]
pub struct Done {
    /// What it was.
    pub work: Work,
    /// What was sent and came back.
    pub attempts: Vec<Attempt>,
    /// What came of it.
    pub end: End,
    /// Whether it may have arrived though nobody said so.
    pub in_doubt: bool,
}

/// What people should hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// The breaker opened: nothing is sent for a while.
    Opened(String),
    /// The breaker closed: the receiver takes again what it is sent.
    Recovered,
    /// It has done so for some time.
    Well,
    /// A delivery was given up.
    Dead(String),
    /// The destination was disabled: its receiver is gone.
    Disabled(String),
}

/// What a turn came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What to send.
    pub work: Vec<Work>,
    /// When to take the next turn, if nothing wakes the lane before.
    pub next: Option<Timestamp>,
    /// What people should hear of.
    pub news: Vec<News>,
    /// Deliveries put off because the breaker is open.
    pub skipped: usize,
    /// Where the breaker stands.
    pub state: Option<breaker::State>,
}

/// What a lane brings to its turn.
pub struct Turn {
    /// The destination, as it is now.
    pub destination: Arc<Destination>,
    /// What came back.
    pub done: Vec<Done>,
    /// How many more may be under way.
    pub free: usize,
    /// Under which name threads are claimed.
    pub lease: String,
    /// For how long, in microseconds.
    pub lease_for: i64,
    /// How long a receiver that says it is gone is left alone before it is asked once more.
    pub confirm_gone: std::time::Duration,
    /// How long a probe may take.
    pub patience: std::time::Duration,
    /// The present.
    pub now: Timestamp,
}

/// For how long something waits for a destination that cannot be used, in seconds: as long as a rule may try at most.
const WAITS: i64 = 7 * 24 * 3600;

impl Turn {
    /// Takes the turn; in a transaction.
    ///
    /// # Errors
    /// A statement failed.
    pub fn take(self, conn: &mut Conn) -> Result<Outcome> {
        let before = lane::breaker(conn, &self.destination.id)?;
        let mut kept = before.clone();
        let mut outcome = Outcome::default();
        self.record(conn, &mut kept, &mut outcome)?;
        // What is meant for a destination that cannot be used waits.
        let usable = self.destination.enabled && self.destination.open(self.now).is_ok();
        if usable && self.free > 0 && outcome.news.iter().all(|news| !matches!(news, News::Disabled(_))) {
            self.claim(conn, &mut kept, &mut outcome)?;
        } else if !usable {
            self.end_old(conn, &mut outcome)?;
        }
        if kept != before {
            lane::keep_breaker(conn, &kept)?;
        }
        outcome.state = Some(standing::breaker_of(&kept).state(self.now));
        Ok(outcome)
    }

    /// What has waited long for a destination that cannot be used is given up: it is no news any more when that is set right, and people
    /// may still take it up again.
    fn end_old(&self, conn: &mut Conn, outcome: &mut Outcome) -> Result<()> {
        let why = "its destination was disabled, or could not be used, for a week";
        if lane::end_before(conn, &self.destination.id, self.now.plus_seconds(-WAITS).0, why, self.now.0)? > 0 {
            outcome.news.push(News::Dead(why.to_owned()));
        }
        Ok(())
    }
}
