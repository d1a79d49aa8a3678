//! Incidents: what is open, since when, and what one more event changes.
//!
//! [`apply`] is the whole lifecycle, pure: the state of one key and one report in, the new state and an [`Outcome`] out. It knows
//! no database and no clock; whoever calls it loads, writes and tells the time.

mod apply;
mod evidence;
mod shown;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use apply::{Change, EPISODE_GUARD_SECONDS, TOMBSTONE_SECONDS, apply, remind, unacknowledge};
pub use evidence::Evidence;
pub use shown::Shown;

use crate::event::{Action, Event, Severity};
use crate::provider::Clock;
use crate::time::Timestamp;

/// Where an incident stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Open, and nobody has said that they have seen it.
    Triggered,
    /// Open, and somebody has.
    Acknowledged,
    /// Over.
    Resolved,
}

impl Status {
    /// The wire word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    /// Reads exactly the wire word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Triggered, Self::Acknowledged, Self::Resolved].into_iter().find(|status| status.as_str() == word)
    }
}

/// What an event did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Opened an incident.
    Opened,
    /// Was added to the open one.
    Updated,
    /// Was added to the open one and raised its severity.
    Escalated,
    /// Acknowledged the open one.
    Acknowledged,
    /// Resolved the open one.
    Resolved,
    /// Spoke of a key that is not open.
    Unmatched,
    /// Was overtaken by a newer message of its tool, and changed nothing.
    Stale,
    /// Was not understood, and stands in a catch-all incident.
    Unmapped,
    /// Could not be stored as it was, and stands in a catch-all incident.
    Quarantined,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Opened,
        Self::Updated,
        Self::Escalated,
        Self::Acknowledged,
        Self::Resolved,
        Self::Unmatched,
        Self::Stale,
        Self::Unmapped,
        Self::Quarantined,
    ];

    /// The wire word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Unmatched => "unmatched",
            Self::Stale => "stale",
            Self::Unmapped => "unmapped",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What the outside world must be told of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// A page: opened, urgency rose from low to high, an acknowledgement timed out, or a reminder.
    Triggered,
    /// Somebody acknowledged.
    Acknowledged,
    /// It is over.
    Resolved,
    /// The severity rose without a new page.
    Updated,
}

impl Notice {
    /// The event type that rules and receivers see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "incident.triggered",
            Self::Acknowledged => "incident.acknowledged",
            Self::Resolved => "incident.resolved",
            Self::Updated => "incident.updated",
        }
    }
}

/// Who caused a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// The tool that sent the event.
    Tool,
    /// A person or a script with an API token; how the audit log names it.
    Person(String),
    /// One of our timers: `auto_resolve`, `expired`, `acknowledge_timeout`, `reminder`, `deleted`.
    Timer(&'static str),
}

impl Actor {
    /// How it stands in `acknowledged_by`, `resolved_by` and `actor`; `None` for the tool.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Tool => None,
            Self::Person(name) => Some(name.clone()),
            Self::Timer(name) => Some(format!("timer:{name}")),
        }
    }
}

/// An incident, as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct Incident {
    /// Its id, `inc_…`.
    pub id: String,
    /// The service it belongs to.
    pub service_id: String,
    /// Where it stands.
    pub status: Status,
    /// The newest summary.
    pub title: String,
    /// The summary it was opened with.
    pub first_summary: String,
    /// The worst severity so far.
    pub severity: Severity,
    /// What is affected.
    pub source: String,
    /// Everything else that is shown.
    pub shown: Shown,
    /// The source times behind what is shown; `None` where arrival orders.
    pub evidence: Option<Evidence>,
    /// Triggers so far.
    pub event_count: i64,
    /// When the first trigger was received.
    pub first_seen: Timestamp,
    /// When the newest trigger was received.
    pub last_seen: Timestamp,
    /// When it was acknowledged.
    pub acknowledged_at: Option<Timestamp>,
    /// By whom; `None` for the tool.
    pub acknowledged_by: Option<String>,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// By whom; `None` for the tool.
    pub resolved_by: Option<String>,
    /// When it counts as over unless it is repeated.
    pub expires_at: Option<Timestamp>,
    /// When it was last reminded of.
    pub reminded_at: Option<Timestamp>,
    /// The incident of the same key before this one.
    pub previous_incident_id: Option<String>,
    /// The newest event of its timeline.
    pub last_event_id: String,
}

/// What is remembered of a key after a resolve.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tombstone {
    /// The key's newest incident.
    pub incident_id: Option<String>,
    /// The newest source time of a resolve that the tool itself sent.
    pub order_at: Option<Timestamp>,
    /// When that resolve was received.
    pub resolved_at: Option<Timestamp>,
}

/// All that the next event of a key meets.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct KeyState {
    /// The open incident.
    pub open: Option<Incident>,
    /// What is remembered of the last resolve.
    pub tombstone: Option<Tombstone>,
}

/// An event as the lifecycle sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// What it asks for.
    pub action: Action,
    /// The summary; empty where none was sent.
    pub summary: String,
    /// The source; empty where none was sent.
    pub source: String,
    /// The severity.
    pub severity: Severity,
    /// What else to show.
    pub shown: Shown,
    /// How messages of this key are ordered.
    pub clock: Clock,
    /// The source time that orders it; `None`: unknown, arrival decides.
    pub order_at: Option<Timestamp>,
    /// When it counts as over unless it is repeated.
    pub expires_at: Option<Timestamp>,
    /// Where it was not understood or could not be stored: the outcome that says so.
    pub catch_all: Option<Outcome>,
}

impl Report {
    /// Reads an event by `clock`. `custom_details` are put into their stored form here, off the writer's path.
    pub fn new(event: &Event, clock: Clock) -> Self {
        let order_at = match clock {
            Clock::Arrival => None,
            Clock::Transition => event.occurred_at,
            Clock::Episode => event.starts_at,
        };
        Self {
            action: event.action,
            summary: event.summary.clone(),
            source: event.source.clone(),
            severity: event.severity,
            shown: Shown::of(event),
            clock,
            order_at,
            expires_at: event.expires_at,
            catch_all: None,
        }
    }
}

/// The circumstances of a report.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// When it was received; never earlier than that of the report applied before it.
    pub received_at: Timestamp,
    /// The id of the event that it becomes.
    pub event_id: &'a str,
    /// The service that an incident opened by it belongs to.
    pub service_id: &'a str,
    /// Who sent it.
    pub actor: Actor,
}
