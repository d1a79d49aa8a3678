//! Retention: what goes, when, and how fast.
//!
//! Pure rules: they are told the time and what was measured. [`crate::store::retention`] has the statements, `app::retain` does it.
//!
//! Numbers of rows rise with time, so everything old lies at the left edge of its table and is found by walking from there; a walk
//! passes over what must stay. What once may go may always go (a resolved incident never opens again), so it can be looked for
//! beside the writer, and only its removal takes the writer's time.

pub mod disk;
pub mod meter;
pub mod pace;
pub mod walk;

use crate::duration::Span;
use crate::time::Timestamp;
use disk::HighWater;

/// Seconds by which what a notice points to may be older than the notice: a request is received, then waits, then is stored with
/// its events and notices. Also the shortest age that can be set.
pub const SLACK: i64 = 3600;
/// Seconds that a tombstone without an incident is kept: twice what the rules of order ask of it.
const TOMBSTONES: i64 = 2 * crate::incident::TOMBSTONE_SECONDS;

/// How long what is kept.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Policy {
    /// Requests, and the counts of refused ones.
    pub ledger: Span,
    /// Requests that were refused: examples of noise.
    pub refused: Span,
    /// Events.
    pub events: Span,
    /// Incidents, from their resolve.
    pub incidents: Span,
    /// Change events.
    pub changes: Span,
    /// The audit log.
    pub audit: Span,
    /// Deliveries, from their end, with their attempts.
    pub deliveries: Span,
    /// Notices in the outbox; never off, because what they point to stays.
    pub undelivered: Span,
    /// Bytes of the ledger's bodies; 0 is no bound.
    pub ledger_bytes: u64,
    /// Bytes of events; 0 is no bound.
    pub events_bytes: u64,
    /// How full the disk may get.
    pub disk_high_water: HighWater,
}

/// A table whose rows are numbered in the order of time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Aged {
    /// The ledger.
    Requests,
    /// Events.
    Events,
    /// Incidents.
    Incidents,
    /// Change events.
    Changes,
    /// Notices for the outside world.
    Outbox,
}

impl Aged {
    /// The table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Events => "events",
            Self::Incidents => "incidents",
            Self::Changes => "changes",
            Self::Outbox => "outbox",
        }
    }
}

/// A table whose rows are known by something else than time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Keyed {
    /// Delivery ids, forgotten when they expire.
    SeenDeliveries,
    /// What is remembered of resolved keys.
    Tombstones,
    /// Counts of refused requests.
    Refusals,
    /// The audit log.
    Audit,
    /// Deliveries that came to their end.
    Deliveries,
    /// Attempts at deliveries that came to their end.
    Attempts,
    /// What destinations know of incidents that are over.
    Threads,
    /// When rules last paged for a key.
    Pages,
}

impl Keyed {
    /// The table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SeenDeliveries => "seen_deliveries",
            Self::Tombstones => "tombstones",
            Self::Refusals => "refusals",
            Self::Audit => "audit",
            Self::Deliveries => "deliveries",
            Self::Attempts => "attempts",
            Self::Threads => "threads",
            Self::Pages => "pages",
        }
    }
}

impl Policy {
    /// Before which moment rows of `table` may go; `None`: they are kept for ever. `oldest_notice` is when the oldest notice that
    /// waits for delivery was made: whatever it and the later ones point to was stored at most [`SLACK`] before it.
    pub fn before(&self, table: Aged, now: Timestamp, oldest_notice: Option<Timestamp>) -> Option<Timestamp> {
        match table {
            Aged::Outbox => aged(self.undelivered, now),
            Aged::Requests => aged(self.ledger, now).map(|at| at.min(pointed_to(now, oldest_notice))),
            Aged::Events => aged(self.events, now).map(|at| at.min(pointed_to(now, oldest_notice))),
            Aged::Incidents => aged(self.incidents, now).map(|at| at.min(pointed_to(now, oldest_notice))),
            Aged::Changes => aged(self.changes, now).map(|at| at.min(pointed_to(now, oldest_notice))),
        }
    }

    /// Before which moment refused requests may go; nothing points to one.
    pub fn before_refused(&self, now: Timestamp) -> Option<Timestamp> {
        aged(self.refused, now)
    }

    /// As [`Policy::before`], for a table that holds more bytes than it may: whatever no notice can point to.
    pub fn before_over_bytes(now: Timestamp, oldest_notice: Option<Timestamp>) -> Timestamp {
        pointed_to(now, oldest_notice)
    }

    /// Before which moment rows of `table` may go.
    pub fn before_keyed(&self, table: Keyed, now: Timestamp) -> Option<Timestamp> {
        match table {
            Keyed::SeenDeliveries => Some(now),
            Keyed::Tombstones => Some(now.plus_seconds(-TOMBSTONES)),
            Keyed::Refusals => aged(self.ledger, now),
            Keyed::Audit => aged(self.audit, now),
            Keyed::Deliveries | Keyed::Attempts | Keyed::Threads | Keyed::Pages => aged(self.deliveries, now),
        }
    }
}

fn aged(age: Span, now: Timestamp) -> Option<Timestamp> {
    (!age.is_off()).then(|| now.plus_seconds(-age.seconds()))
}

fn pointed_to(now: Timestamp, oldest_notice: Option<Timestamp>) -> Timestamp {
    oldest_notice.map_or(now, |notice| notice.min(now)).plus_seconds(-SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: i64 = 86_400;

    fn policy() -> Policy {
        let days = |days: u32| Span::from_seconds(days * 86_400).unwrap();
        Policy { ledger: days(30), events: days(90), incidents: days(365), undelivered: days(7), ..Policy::default() }
    }

    #[test]
    fn each_table_has_its_age_and_off_is_for_ever() {
        let before = |table| policy().before(table, NOW, None);
        assert_eq!(before(Aged::Requests), Some(NOW.plus_seconds(-30 * DAY)));
        assert_eq!(before(Aged::Events), Some(NOW.plus_seconds(-90 * DAY)));
        assert_eq!(before(Aged::Incidents), Some(NOW.plus_seconds(-365 * DAY)));
        assert_eq!(before(Aged::Outbox), Some(NOW.plus_seconds(-7 * DAY)));
        assert_eq!((before(Aged::Changes), policy().before_keyed(Keyed::Audit, NOW)), (None, None));
        assert_eq!(policy().before_keyed(Keyed::Refusals, NOW), before(Aged::Requests));
        assert_eq!(policy().before_keyed(Keyed::SeenDeliveries, NOW), Some(NOW));
        assert!(policy().before_keyed(Keyed::Tombstones, NOW).unwrap() < NOW.plus_seconds(-DAY));
    }

    #[test]
    fn what_a_waiting_notice_may_point_to_stays() {
        let notice = NOW.plus_seconds(-100 * DAY);
        let before = |table| policy().before(table, NOW, Some(notice));
        assert_eq!(before(Aged::Requests), Some(notice.plus_seconds(-SLACK)));
        assert_eq!(before(Aged::Events), Some(notice.plus_seconds(-SLACK)));
        assert_eq!(Policy::before_over_bytes(NOW, Some(notice)), notice.plus_seconds(-SLACK));
        // What is old enough without it goes; notices themselves do not wait for one another.
        assert_eq!(before(Aged::Incidents), policy().before(Aged::Incidents, NOW, None));
        assert_eq!(before(Aged::Outbox), policy().before(Aged::Outbox, NOW, None));
        // A notice of another node's fast clock holds nothing longer, and what is being stored right now has no notice yet.
        let ahead = Some(NOW.plus_seconds(DAY));
        assert_eq!(Policy::before_over_bytes(NOW, ahead), NOW.plus_seconds(-SLACK));
        assert_eq!(Policy::before_over_bytes(NOW, None), NOW.plus_seconds(-SLACK));
    }
}
