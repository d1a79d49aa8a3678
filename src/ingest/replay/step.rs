//! What the committer is told of a replay, and what it tells of it.

use crate::ingest::submission::EventReceipt;
use crate::time::Timestamp;

/// A request of the ledger that is run again.
#[derive(Clone, Debug)]
pub struct Replaying {
    /// The request.
    pub request_id: String,
    /// Who asked for it.
    pub by: String,
    /// Now: its receive time is that of the request.
    pub at: Timestamp,
    /// Whether events are applied that the request has made before, or whose keys have newer news.
    pub force: bool,
    /// Whether the outside world is told.
    pub notify: bool,
    /// Whether it was read by a draft.
    pub draft: bool,
    /// The number of the newest event when [`Step::Event::stale`] was found out.
    pub seen_to: i64,
    /// What to do with each item of the submission.
    pub steps: Vec<Step>,
}

/// What a replay does with one item.
#[derive(Clone, Debug)]
pub enum Step {
    /// It is an event of the request.
    Event {
        /// Which one: what replays did is remembered by it.
        mark: String,
        /// Whether the request made it when it came in.
        made: bool,
        /// Whether its key has newer news.
        stale: bool,
    },
    /// It resolves a catch-all incident, once every event in it is understood.
    CatchAll {
        /// The incident.
        incident_id: String,
        /// The events in it that this request made.
        events: Vec<String>,
    },
}

/// What a replay did with one item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It was applied.
    Applied(EventReceipt),
    /// The request, or a replay of it, has made it already.
    Unchanged,
    /// Its key has newer news.
    Stale,
    /// It is no event, as things stand.
    Nothing,
    /// A catch-all incident.
    CatchAll {
        /// How many of its events are not understood yet.
        left: i64,
        /// Whether it was resolved.
        resolved: bool,
    },
}
