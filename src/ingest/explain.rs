//! The trace of one request: the very code of the post, on given bytes, with nothing written and no limit spent.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::fold::{Fold, seen_row};
use super::inbound::Inbound;
use super::interpret::{Interpretation, Interpreted};
use super::published::{self, Proved, PublishedTrace};
use super::refusal::{Reason, Refusal};
use super::snapshot::{Integration, Policy};
use super::submission::{DUPLICATE, EventReceipt, Posted, Submission, Verdict};
use super::{cause, lane, native};
use crate::app::App;
use crate::event::{ChangeEvent, DedupKey, Event};
use crate::incident::{Outcome, Status};
use crate::provider::{Compiled, Mapped, Origin, Provider};
use crate::signature::SignatureTrace;
use crate::store::ingest::{Purpose, find_seen};
use crate::store::{Conn, StoreError};

/// What is asked.
pub struct Question {
    /// The tool.
    pub provider: &'static dyn Provider,
    /// The integration whose options, credentials and incidents count.
    pub integration: Option<Arc<Integration>>,
    /// Options in place of the integration's.
    pub options: Option<Compiled>,
    /// The request.
    pub inbound: Inbound,
    /// Why its body cannot be read, where it cannot; the request is without one then.
    pub unread: Option<Reason>,
}

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

/// Explains a request.
///
/// # Errors
/// The store cannot be read.
pub async fn explain(app: &App, question: Question) -> Result<Explanation, StoreError> {
    let Question { provider, integration, options, inbound, unread } = question;
    if let Some(reason) = unread {
        return Ok(Explanation::unread(app, provider, integration.as_ref(), reason));
    }
    let admitted = integration.as_ref().map(|integration| admit(app, integration, provider, &inbound)).transpose();
    let published = integration.as_ref().and_then(|integration| published::explain(app, integration, &inbound)).unzip();
    let proved = published.1.unwrap_or_else(|| Ok(Proved::default()));
    let admitted = admitted.and_then(|delivery_id| match proved {
        Ok(proved) => Ok((delivery_id, proved)),
        Err(reason) => Err(Refusal::new(reason, integration.as_ref())),
    });
    let mut explanation = Explanation {
        credential: integration.as_ref().map(|integration| credential(integration, &inbound)),
        signature: match &integration {
            Some(integration) if integration.policy == Policy::Signature => Some(signature(app, integration, &inbound).await?),
            _ => None,
        },
        published: published.0,
        ..Explanation::of(provider)
    };
    let none = Compiled::none();
    let options = options.as_ref().or(integration.as_ref().map(|integration| &integration.options)).unwrap_or(&none);
    let mut read = match native::interpret(provider, options, &inbound).await {
        Ok(read) => read,
        Err(reason) => {
            explanation.refuse(admitted.err().unwrap_or_else(|| Refusal::new(reason, integration.as_ref())));
            return Ok(explanation);
        }
    };
    (explanation.verdict, explanation.message) = native::summary(&read);
    let effects = match (admitted, &integration) {
        (Err(refusal), _) => {
            explanation.refuse(refusal);
            Effects::Unknown
        }
        (Ok((delivery_id, proved)), Some(integration)) => {
            let submission = native::submission(integration, &inbound, &read, delivery_id.flatten(), proved);
            app.store.read(move |conn| effects(conn, &submission)).await?
        }
        (Ok(_), None) => Effects::Unknown,
    };
    explanation.repaired = read.repaired;
    explanation.warnings = read.warnings.iter().map(ToString::to_string).collect();
    explanation.changes = std::mem::take(&mut read.changes);
    explanation.take(read, effects);
    Ok(explanation)
}

impl Explanation {
    /// Of a request of which nothing is known yet.
    fn of(provider: &dyn Provider) -> Self {
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
            warnings: Vec::new(),
        }
    }

    /// Of a request whose body cannot be read. A post looks at its path before, and at its credential no more.
    fn unread(app: &App, provider: &dyn Provider, integration: Option<&Arc<Integration>>, reason: Reason) -> Self {
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
    fn refuse(&mut self, refusal: Refusal) {
        (self.verdict, self.message) = (refusal.verdict, refusal.reason.to_string());
    }

    /// Puts what the body says and what that would do side by side.
    fn take(&mut self, read: Interpreted, effects: Effects) {
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

/// Checks what a post checks before it reads the body, in its order, the rate limit left out. The delivery's id, where the
/// signature covers one.
fn admit(
    app: &App,
    integration: &Arc<Integration>,
    provider: &dyn Provider,
    inbound: &Inbound,
) -> Result<Option<String>, Refusal> {
    let refuse = |reason| Refusal::new(reason, Some(integration));
    native::is_at(app, integration, provider.meta().kind)?;
    let limit = native::body_limit(app, integration);
    if inbound.body.len() > limit {
        return Err(refuse(Reason::TooLarge(limit)));
    }
    if !integration.enabled {
        return Err(refuse(Reason::Disabled));
    }
    Ok(native::authorise(integration, inbound).map_err(refuse)?.delivery_id)
}

fn credential(integration: &Integration, inbound: &Inbound) -> CredentialTrace {
    let (problem, causes) = cause::key(integration, inbound);
    let problem = Some(problem).filter(|problem| !problem.is_empty());
    CredentialTrace { policy: integration.policy, holds: problem.is_none(), problem, causes }
}

async fn signature(app: &App, integration: &Arc<Integration>, inbound: &Inbound) -> Result<SignatureTrace, StoreError> {
    let (sealer, of) = (app.sealer.clone(), Arc::clone(integration));
    let suspects = app.store.read(move |conn| cause::suspects(conn, &sealer, &of)).await?;
    Ok(cause::trace(integration, inbound, &suspects))
}

/// What a request would do to the integration's incidents.
enum Effects {
    /// Nobody knows, or it would not get so far.
    Unknown,
    /// Nothing: the delivery had its effect before.
    Duplicate,
    /// One entry a posted item; `None`: it would be no event.
    Known(Vec<Option<Effect>>),
}

/// What an event would do, the incident that it meets, and why.
struct Effect {
    receipt: EventReceipt,
    incident: Option<Match>,
    why: String,
}

fn effects(conn: &mut Conn, submission: &Submission) -> Result<Effects, StoreError> {
    let at = submission.received_at;
    if let Some(row) = seen_row(submission, at)
        && find_seen(conn, &row, at)?.is_some()
    {
        return Ok(Effects::Duplicate);
    }
    let mut fold = lane::load(conn, &[submission], Purpose::Look, None)?;
    let mut new = HashSet::new();
    Ok(Effects::Known(submission.items.iter().map(|item| effect(&mut fold, submission, item, &mut new)).collect()))
}

/// Applies one item. `new` are the incidents that this very request opens: they have an id only in passing.
fn effect<'a>(fold: &mut Fold<'a>, submission: &'a Submission, item: &'a Posted, new: &mut HashSet<String>) -> Option<Effect> {
    let met = fold.open(submission, item).map(|incident| Match {
        id: incident.id.clone(),
        status: incident.status,
        title: incident.title.clone(),
    });
    let receipt = fold.item(submission, item, submission.received_at)?;
    let Some(met) = met else {
        new.extend(receipt.incident_id.clone());
        return Some(Effect { why: why(&receipt, None), receipt, incident: None });
    };
    if new.contains(&met.id) {
        let why = format!("an event before it in this request opens {:?}: {}", receipt.dedup_key, receipt.outcome.as_str());
        return Some(Effect { receipt, incident: None, why });
    }
    Some(Effect { why: why(&receipt, Some(&met)), receipt, incident: Some(met) })
}

fn why(receipt: &EventReceipt, met: Option<&Match>) -> String {
    let key = &receipt.dedup_key;
    match (receipt.outcome, met) {
        (Outcome::Opened, _) => format!("nothing is open for {key:?}"),
        (Outcome::Unmatched, _) => format!("nothing is open for {key:?}: accepted, and nothing to do"),
        (Outcome::Stale, _) => format!("the tool has sent newer news of {key:?}"),
        (Outcome::Unmapped, _) => "not understood: stands in a catch-all incident".to_owned(),
        (outcome, Some(met)) => format!("{} {}: {}", met.id, met.status.as_str(), outcome.as_str()),
        (outcome, None) => outcome.as_str().to_owned(),
    }
}

/// An explanation as JSON.
pub fn to_json(explanation: &Explanation) -> Value {
    serde_json::to_value(explanation).unwrap_or_default()
}
