//! The trace of one request: the very code of the post, on given bytes, with nothing written and no limit spent.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::inbound::Inbound;
use super::interpret::{self, Interpretation, Interpreted, Material};
use super::refusal::Reason;
use super::snapshot::{Integration, Policy};
use super::submission::{EventReceipt, Mode, Submission, Verdict};
use super::{commit, native};
use crate::app::App;
use crate::event::{ChangeEvent, Event};
use crate::incident::{Actor, Outcome, Status};
use crate::provider::{Compiled, Origin, Provider};
use crate::signature::{self, SignatureTrace};
use crate::store::StoreError;

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
    /// Whether raw control characters had to be repaired before the body was JSON.
    pub repaired: bool,
    /// One entry an alert.
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
    /// What it would do; without an integration nothing is known of what is open.
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
    let Question { provider, integration, options, inbound } = question;
    let credential = integration.as_ref().map(|integration| credential(integration, &inbound));
    let signature = integration.as_ref().and_then(|integration| signature(integration, &inbound));
    let none = Compiled::none();
    let options = options.as_ref().or(integration.as_ref().map(|integration| &integration.options)).unwrap_or(&none);
    let mut read = match interpret::native(&Material { provider, options, inbound: &inbound }) {
        Ok(read) => read,
        Err(reason) => return Ok(refused(provider, credential, signature, &reason)),
    };
    let (mut verdict, mut message) = native::summary(&read);
    if let Some(problem) = credential.as_ref().and_then(|credential| credential.problem.clone()) {
        (verdict, message) = (Verdict::Unauthorized, problem);
    }
    let outcomes = match &integration {
        Some(integration) => outcomes(app, integration, provider, &read, &inbound).await?,
        None => Vec::new(),
    };
    let (events, ignored) = traces(std::mem::take(&mut read.items), outcomes);
    Ok(Explanation {
        r#type: provider.meta().kind,
        verdict,
        message,
        credential,
        signature,
        repaired: read.repaired,
        events,
        ignored,
        changes: read.changes,
        warnings: read.warnings.iter().map(ToString::to_string).collect(),
    })
}

fn refused(
    provider: &dyn Provider,
    credential: Option<CredentialTrace>,
    signature: Option<SignatureTrace>,
    reason: &Reason,
) -> Explanation {
    Explanation {
        r#type: provider.meta().kind,
        verdict: reason.verdict(),
        message: reason.to_string(),
        credential,
        signature,
        repaired: false,
        events: Vec::new(),
        ignored: Vec::new(),
        changes: Vec::new(),
        warnings: Vec::new(),
    }
}

fn credential(integration: &Integration, inbound: &Inbound) -> CredentialTrace {
    let problem = native::authorise(integration, inbound).err().map(|reason| reason.to_string());
    CredentialTrace { policy: integration.policy, holds: problem.is_none(), problem }
}

fn signature(integration: &Integration, inbound: &Inbound) -> Option<SignatureTrace> {
    (integration.policy == Policy::Signature).then(|| {
        let secrets: Vec<_> = integration.secrets(inbound.received_at).into_iter().map(|(_, secret)| secret).collect();
        signature::explain(native::scheme(integration, inbound), &inbound.headers, &inbound.body, &secrets, inbound.received_at)
    })
}

/// What an event would do, the incident that it meets, and why.
type Effect = (Outcome, Option<Match>, String);

async fn outcomes(
    app: &App,
    integration: &Arc<Integration>,
    provider: &'static dyn Provider,
    read: &Interpreted,
    inbound: &Inbound,
) -> Result<Vec<Effect>, StoreError> {
    let submission = Submission {
        tenant_id: Arc::clone(&integration.tenant_id),
        integration_id: Arc::clone(&integration.id),
        service_id: Arc::clone(&integration.service_id),
        received_at: inbound.received_at,
        actor: Actor::Tool,
        mode: Mode::Live,
        ledger: None,
        items: read.posted(provider.meta().clock),
        changes: Vec::new(),
        delivery: None,
    };
    app.store
        .read(move |conn| {
            let mut fold = commit::load(conn, &[&submission])?;
            let mut effects = Vec::with_capacity(submission.items.len());
            for item in &submission.items {
                let met = fold.open(&submission, item).map(|incident| Match {
                    id: incident.id.clone(),
                    status: incident.status,
                    title: incident.title.clone(),
                });
                let one = std::slice::from_ref(item);
                for receipt in fold.items(&submission, one, submission.received_at) {
                    let why = why(&receipt, met.as_ref());
                    let met = met.as_ref().map(|met| Match { id: met.id.clone(), status: met.status, title: met.title.clone() });
                    effects.push((receipt.outcome, met, why));
                }
            }
            Ok(effects)
        })
        .await
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

fn traces(items: Vec<Interpretation>, outcomes: Vec<Effect>) -> (Vec<EventTrace>, Vec<IgnoredTrace>) {
    let mut outcomes = outcomes.into_iter();
    let (mut events, mut ignored) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Interpretation::Event(mapped) | Interpretation::Unmapped { mapped, .. } => {
                let (outcome, incident, why) = match outcomes.next() {
                    Some((outcome, incident, why)) => (Some(outcome), incident, Some(why)),
                    None => (None, None, None),
                };
                events.push(EventTrace { event: mapped.event, origin: mapped.origin, outcome, incident, why });
            }
            Interpretation::Ignored { at, why } => ignored.push(IgnoredTrace { at, why: why.into_owned() }),
        }
    }
    (events, ignored)
}

/// An explanation as JSON.
pub fn to_json(explanation: &Explanation) -> Value {
    serde_json::to_value(explanation).unwrap_or_default()
}
