//! The trace of one request: the very code of the post, on given bytes, with nothing written and no limit spent.

mod effect;
mod trace;

use std::sync::Arc;

use super::inbound::Inbound;
use super::published::{self, Proved};
use super::refusal::{Reason, Refusal};
use super::snapshot::{Integration, Policy};
use super::submission::Submission;
use super::{cause, native};
use crate::app::App;
use crate::outbox::message::Context;
use crate::outbox::preview::{self, Preview};
use crate::provider::{Compiled, Provider};
use crate::signature::SignatureTrace;
use crate::store::{Conn, StoreError};
use effect::{Effects, effects};

pub use trace::{CredentialTrace, EventTrace, Explanation, IgnoredTrace, Match, to_json};

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
    /// Whether whoever asks may see what would go out, and where.
    pub sees_destinations: bool,
}

/// Explains a request.
///
/// # Errors
/// The store cannot be read.
pub async fn explain(app: &App, question: Question) -> Result<Explanation, StoreError> {
    let Question { provider, integration, options, inbound, unread, sees_destinations } = question;
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
    let mut read = match native::interpret(provider, options, &inbound, app.committer.answer_within()).await {
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
            let tells = submission.tells;
            let (effects, preview) = foresee(app, submission).await?;
            match (tells, sees_destinations, preview) {
                (false, ..) => explanation.untold_because("there is no destination: nothing is noted for the outside world"),
                (_, false, _) => {
                    explanation.untold_because("only a token with the scope destinations:read sees what would go out")
                }
                (.., Some(preview)) => explanation.tells = preview.render().await,
                (.., None) => explanation.untold_because("nothing would happen that anybody is told of"),
            }
            effects
        }
        (Ok(_), None) => {
            explanation.untold_because("name an integration: whose rules count, and what is open, is known by it");
            Effects::Unknown
        }
    };
    explanation.repaired = read.repaired;
    explanation.warnings = read.warnings.iter().map(ToString::to_string).collect();
    explanation.changes = std::mem::take(&mut read.changes);
    explanation.take(read, effects);
    Ok(explanation)
}

/// What a submission would do, and what would go out for it; `None`: nothing happens that anybody is told of.
async fn foresee(app: &App, submission: Submission) -> Result<(Effects, Option<Preview>), StoreError> {
    let (snapshot, public_url) = (app.directory.snapshot(), app.public_url().to_owned());
    let work = move |conn: &mut Conn| {
        let (effects, happened) = effects(conn, &submission)?;
        if happened.notices.is_empty() {
            return Ok((effects, None));
        }
        let context = Context { snapshot: &snapshot, public_url: &public_url };
        Ok((effects, Some(preview::plan(conn, context, happened, submission.received_at)?)))
    };
    app.store.read(work).await
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
