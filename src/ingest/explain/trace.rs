//! What is told of a request: the answer of explain, field by field.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::effect::{Effect, Effects};
use crate::app::App;
use crate::event::{ChangeEvent, DedupKey, Event};
use crate::incident::{Outcome, Status};
use crate::ingest::interpret::{Interpretation, Interpreted};
use crate::ingest::native;
use crate::ingest::published::PublishedTrace;
use crate::ingest::refusal::{Reason, Refusal};
use crate::ingest::snapshot::{Integration, Policy};
use crate::ingest::submission::{DUPLICATE, Verdict};
use crate::outbox::preview::Shown;
use crate::provider::{Mapped, Origin, Provider};
use crate::signature::SignatureTrace;

/// Everything that a post of the same bytes would do, and why.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The tool's type.
    pub r#type: &'static str,
    /// What the ledger would say.
    pub verdict: Verdict,
    /// The same in words.
    pub message: String,
    /// What the integration demands, and whether the request brings it; without an integration nothing is demanded.
    pub credential: Option<CredentialTrace>,
    /// How the signature was checked, where one is demanded.
    pub signature: Option<SignatureTrace>,
    /// How what the sender's published keys must prove was checked, with the keys at hand.
    pub published: Option<PublishedTrace>,
    /// Whether raw control characters had to be repaired before the body was JSON.
    pub repaired: bool,
    /// One entry an alert, then one an implied resolve that would act.
    pub events: Vec<EventTrace>,
    /// Alerts that need nothing.
    pub ignored: Vec<IgnoredTrace>,
    /// Change events.
    pub changes: Vec<ChangeEvent>,
    /// What would go out, to whom and when.
    #[serde(flatten)]
    pub tells: Shown,
    /// Why nothing would, where nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries_note: Option<String>,
    /// What the owner should know.
    pub warnings: Vec<String>,
}

/// Whether the request proves its sender.
#[derive(Debug, Serialize)]
pub struct CredentialTrace {
    /// What must hold.
    pub policy: Policy,
    /// Whether it does.
    pub holds: bool,
    /// Why not.
    pub problem: Option<String>,
    /// What likely causes that; of a signature its own trace says more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

/// An alert that needs nothing.
#[derive(Debug, Serialize)]
pub struct IgnoredTrace {
    /// Where in the body.
    pub at: String,
    /// Why.
    pub why: String,
}

/// One event: what it is, where that came from, and what it would do.
#[derive(Debug, Serialize)]
pub struct EventTrace {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// Where its fields came from.
    pub origin: Origin,
    /// Whether the body implies it without saying so.
    pub implied: bool,
    /// What it would do. `None` without an integration, where nothing is known of what is open, and for a request that would
    /// have no effect.
    pub outcome: Option<Outcome>,
    /// The incident that it would meet.
    pub incident: Option<Match>,
    /// Why that outcome.
    pub why: Option<String>,
}

/// The incident that an event meets.
#[derive(Debug, Serialize)]
pub struct Match {
    /// `inc_…`.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// Its title.
    pub title: String,
}

impl Explanation {
    /// Of a request of which nothing is known yet.
    pub(super) fn of(provider: &dyn Provider) -> Self {
        Self {
            r#type: provider.meta().kind,
            verdict: Verdict::Invalid,
            message: String::new(),
            credential: None,
            signature: None,
            published: None,
            repaired: false,
            events: Vec::new(),
            ignored: Vec::new(),
            changes: Vec::new(),
            tells: Shown::default(),
            deliveries_note: None,
            warnings: Vec::new(),
        }
    }

    /// Says why nothing would go out.
    pub(super) fn untold_because(&mut self, why: &str) {
        self.deliveries_note = Some(why.to_owned());
    }

    /// Of a request whose body cannot be read. A post looks at its path before, and at its credential no more.
    pub(super) fn unread(app: &App, provider: &dyn Provider, integration: Option<&Arc<Integration>>, reason: Reason) -> Self {
        let mut explanation = Self::of(provider);
        let lost = integration.and_then(|integration| native::is_at(app, integration, provider.meta().kind).err());
        let reason = match reason {
            Reason::TooLarge(_) => Reason::TooLarge(integration.map_or(app.native_body, |of| native::body_limit(app, of))),
            reason => reason,
        };
        explanation.refuse(lost.unwrap_or_else(|| Refusal::new(reason, integration)));
        explanation
    }

    /// What is not accepted has its reason for a message; what the body says is shown all the same.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        (self.verdict, self.message) = (refusal.verdict, refusal.reason.to_string());
        self.untold_because("the request would be refused");
    }

    /// Puts what the body says and what that would do side by side.
    pub(super) fn take(&mut self, read: Interpreted, effects: Effects) {
        let mut effects = match effects {
            Effects::Unknown => None,
            Effects::Known(effects) => Some(effects.into_iter()),
            Effects::Duplicate => {
                (self.verdict, self.message) = (Verdict::Duplicate, DUPLICATE.to_owned());
                None
            }
        };
        let mut next = || effects.as_mut().and_then(Iterator::next).flatten();
        for item in read.items {
            match item {
                Interpretation::Event(mapped) | Interpretation::Unmapped { mapped, .. } => {
                    self.events.push(EventTrace::new(*mapped, false, next()));
                }
                Interpretation::Ignored { at, why } => self.ignored.push(IgnoredTrace { at, why: why.into_owned() }),
            }
        }
        for mapped in read.if_open {
            if let Some(effect) = next() {
                self.events.push(EventTrace::new(mapped, true, Some(effect)));
                self.verdict = self.verdict.acting();
            }
        }
    }
}

impl EventTrace {
    fn new(mapped: Mapped, implied: bool, effect: Option<Effect>) -> Self {
        let Mapped { mut event, mut origin } = mapped;
        let Some(Effect { receipt, incident, why }) = effect else {
            return Self { event, origin, implied, outcome: None, incident: None, why: None };
        };
        if receipt.dedup_key != event.dedup_key.as_str() {
            origin.dedup_key = "there are too many catch-all incidents: this one is shared".into();
            event.dedup_key = DedupKey::lenient(&receipt.dedup_key).unwrap_or(event.dedup_key);
        }
        Self { event, origin, implied, outcome: Some(receipt.outcome), incident, why: Some(why) }
    }
}

/// An explanation as JSON.
pub fn to_json(explanation: &Explanation) -> Value {
    serde_json::to_value(explanation).unwrap_or_default()
}
