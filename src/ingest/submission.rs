//! What is handed to the committer, and what comes back.

use std::sync::Arc;

use serde::Serialize;

use super::replay::{Fate, Replaying};
use crate::event::{Action, ChangeEvent, DedupKey};
use crate::incident::{Actor, Outcome, Report};
use crate::store::StoreError;
use crate::store::body::Kept;
use crate::time::Timestamp;

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Understood and stored.
    Accepted,
    /// Understood, and nothing to do.
    Ignored,
    /// A provider's handshake.
    Handshake,
    /// A delivery that had its effect before.
    Duplicate,
    /// Can never be accepted.
    Invalid,
    /// The credential or signature does not hold.
    Unauthorized,
    /// The integration is of another type.
    WrongType,
    /// Over the rate limit.
    Limited,
    /// The integration is switched off.
    Disabled,
    /// The integration was deleted.
    Deleted,
    /// The body is too large.
    TooLarge,
    /// The service could not promise anything.
    Failed,
}

/// What is said of a delivery that came again.
pub const DUPLICATE: &str = "this delivery had its effect before";

impl Verdict {
    /// The wire word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Handshake => "handshake",
            Self::Duplicate => "duplicate",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::WrongType => "wrong_type",
            Self::Limited => "limited",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
            Self::TooLarge => "too_large",
            Self::Failed => "failed",
        }
    }

    /// The verdict of a request that had an effect: one that says nothing by itself, and thereby that what was cut off before is
    /// whole again, was not for nothing.
    pub const fn acting(self) -> Self {
        match self {
            Self::Ignored => Self::Accepted,
            verdict => verdict,
        }
    }
}

/// The ledger row of a request.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// `req_…`; the request's id in every answer and log line.
    pub id: String,
    /// The route's pattern.
    pub route: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// The status it is answered with.
    pub status: u16,
    /// Redacted headers, as a JSON list of pairs.
    pub headers: String,
    /// The query, credentials redacted.
    pub query: String,
    /// Method and subpath, where it is no POST to the integration itself.
    pub target: Option<String>,
    /// The body after its content encoding was removed, credentials overwritten.
    pub body: Kept,
    /// The reason, where there is one.
    pub message: Option<String>,
}

/// What one item does to its key.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// What its report says.
    Report(Box<Report>),
    /// Takes an acknowledgement back that was not followed by a resolve in time.
    Unacknowledge,
    /// Pages again.
    Remind,
}

/// One event on its way to the store.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Its dedup key.
    pub key: DedupKey,
    /// What it does.
    pub effect: Effect,
    /// When the tool says that it happened.
    pub occurred_at: Option<Timestamp>,
    /// What else there is to say of it.
    pub note: Option<String>,
    /// Whether it is no event at all unless its key is open.
    pub only_if_open: bool,
    /// The incident that it is meant for: where another one is open by now, it is no event.
    pub incident_id: Option<String>,
    /// The newest trigger that its sender knew of: where a newer one came, it is no event.
    pub unseen_since: Option<Timestamp>,
}

impl Posted {
    /// An event with nothing special about it.
    pub fn report(key: DedupKey, report: Report) -> Self {
        Self {
            key,
            effect: Effect::Report(Box::new(report)),
            occurred_at: None,
            note: None,
            only_if_open: false,
            incident_id: None,
            unseen_since: None,
        }
    }

    /// Whether it stands for something that was not understood.
    pub fn is_catch_all(&self) -> bool {
        matches!(&self.effect, Effect::Report(report) if report.catch_all == Some(Outcome::Unmapped))
    }

    /// Whether it depends on what is open that it is an event at all.
    pub fn is_conditional(&self) -> bool {
        self.only_if_open || self.incident_id.is_some() || self.unseen_since.is_some()
    }

    /// When what it opens or repeats counts as over.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match &self.effect {
            Effect::Report(report) => report.expires_at,
            Effect::Unacknowledge | Effect::Remind => None,
        }
    }

    /// What its event row says.
    pub fn action(&self) -> Action {
        match &self.effect {
            Effect::Report(report) => report.action,
            Effect::Unacknowledge | Effect::Remind => Action::Trigger,
        }
    }
}

/// A delivery id that the sender guarantees, bound to the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The id.
    pub id: String,
    /// SHA-256 of the body, hex.
    pub body_hash: String,
    /// For how long it is remembered, in seconds.
    pub remembered: i64,
}

impl Delivery {
    /// For how long delivery ids of senders are remembered, in seconds.
    pub const REMEMBERED: i64 = 24 * 3600;
}

/// Whether a submission speaks of now.
#[derive(Clone, Debug)]
pub enum Mode {
    /// It does.
    Live,
    /// A request of the ledger, run again: it keeps its receive time, and tells the outside world only when asked.
    Replay(Box<Replaying>),
}

/// One request, or one act of a person or a timer, to be written whole or not at all.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The tenant.
    pub tenant_id: Arc<str>,
    /// The integration whose keys it speaks of.
    pub integration_id: Arc<str>,
    /// The service that its incidents belong to.
    pub service_id: Arc<str>,
    /// When it was received.
    pub received_at: Timestamp,
    /// Who sent it.
    pub actor: Actor,
    /// Whether it speaks of now.
    pub mode: Mode,
    /// Its ledger row; `None` for acts of our own.
    pub ledger: Option<Ledger>,
    /// Its events.
    pub items: Vec<Posted>,
    /// Its change events.
    pub changes: Vec<ChangeEvent>,
    /// The delivery id, where the sender guarantees one.
    pub delivery: Option<Delivery>,
    /// Whether its tenant has anybody to tell.
    pub tells: bool,
}

impl Submission {
    /// When it counts as received: never before what the lane applied before it, unless it is a replay.
    pub fn counted_at(&self, latest: Timestamp) -> Timestamp {
        match self.mode {
            Mode::Live => latest.max(self.received_at),
            Mode::Replay(_) => self.received_at,
        }
    }

    /// The request that its events come from.
    pub fn request_id(&self) -> Option<&str> {
        match &self.mode {
            Mode::Live => self.ledger.as_ref().map(|ledger| ledger.id.as_str()),
            Mode::Replay(replaying) => Some(&replaying.request_id),
        }
    }

    /// Whether the outside world is told what it does.
    pub fn notifies(&self) -> bool {
        let wanted = match &self.mode {
            Mode::Live => true,
            Mode::Replay(replaying) => replaying.notify,
        };
        wanted && self.tells
    }

    /// Bytes it holds, roughly.
    pub fn size(&self) -> usize {
        let ledger = self.ledger.as_ref().map_or(0, |ledger| ledger.body.bytes.len() + ledger.headers.len());
        ledger + self.items.len() * 512 + self.changes.len() * 512
    }
}

/// What one event did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventReceipt {
    /// `evt_…`.
    pub id: String,
    /// What it asked for.
    pub action: Action,
    /// Its dedup key.
    pub dedup_key: String,
    /// What it did.
    pub outcome: Outcome,
    /// The incident it belongs to.
    pub incident_id: Option<String>,
}

/// A committed submission.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Its events, in order.
    pub events: Vec<EventReceipt>,
    /// The request that had the effect of this delivery before: nothing was done now.
    pub duplicate_of: Option<String>,
    /// Of a replay, what became of each item.
    pub fates: Vec<Fate>,
}

/// Why a submission was not committed. All of it is temporary.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The queue is full.
    #[error("the queue is full")]
    Full,
    /// It was not its turn in time.
    #[error("no answer from the store in time")]
    Late,
    /// The service is stopping.
    #[error("the service is stopping")]
    Closed,
    /// The store cannot promise anything now.
    #[error(transparent)]
    Store(#[from] StoreError),
}
