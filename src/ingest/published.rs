//! Whether a request holds what its sender's published keys must prove, and what a handshake asks us to visit.
//!
//! Owns the way from a claim to its key; what a claim is, and whether a key proves it, is [`crate::signature::published`]'s business.

use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::inbound::Inbound;
use super::keys::{NoDocument, RENEWED};
use super::refusal::Reason;
use super::snapshot::Integration;
use crate::app::App;
use crate::json;
use crate::provider::Confirm;
use crate::signature::published::{Claim, Published, Unproven, sns};

/// Bytes of a body that may hold signed messages: SNS's are at most 256 KiB before they are escaped.
const BODY_MAX: usize = 2 * 1024 * 1024;

/// What was proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proved {
    /// Hex SHA-256 of what was signed, where that is the message itself: fields beside it may be changed by anybody.
    pub digest: Option<String>,
}

/// Checks what the integration demands; keys that are not at hand are fetched.
///
/// # Errors
/// [`Reason::Unauthorized`], and [`Reason::KeyUnavailable`] where a key cannot be had now.
pub async fn check(app: &App, integration: &Integration, inbound: &Inbound) -> Result<Proved, Reason> {
    let Some(published) = &integration.published else { return Ok(Proved::default()) };
    let refused = |why: Unproven| Reason::Unauthorized(why.to_string());
    let claims = claims(app, published, inbound).map_err(refused)?;
    for claim in &claims {
        let outcome = match verify(app, claim, inbound, None).await? {
            // The issuer may have a new key since.
            Err(Unproven::KeyUnknown) => verify(app, claim, inbound, Some(RENEWED)).await?,
            outcome => outcome,
        };
        outcome.map_err(refused)?;
    }
    Ok(proved(published, &claims))
}

async fn verify(
    app: &App,
    claim: &Claim,
    inbound: &Inbound,
    oldest: Option<std::time::Duration>,
) -> Result<Result<(), Unproven>, Reason> {
    match app.documents.get(&claim.document, oldest).await {
        Ok(document) => Ok(claim.verify(&document, inbound.received_at)),
        Err(why) => Err(unavailable(&why)),
    }
}

fn unavailable(why: &NoDocument) -> Reason {
    if why.is_temporary() { Reason::KeyUnavailable(why.to_string()) } else { Reason::Unauthorized(why.to_string()) }
}

fn claims(app: &App, published: &Published, inbound: &Inbound) -> Result<Vec<Claim>, Unproven> {
    let in_body = matches!(published, Published::Sns(_)) && inbound.body.len() <= BODY_MAX;
    // Read as it will be interpreted, so that nothing is interpreted that was not checked.
    let body = in_body.then(|| json::parse_lenient(&inbound.body).ok()).flatten().map(|parsed| parsed.value);
    published.claims(&inbound.headers, body.as_ref(), inbound.received_at, &app.sns_origins)
}

fn proved(published: &Published, claims: &[Claim]) -> Proved {
    let signed = matches!(published, Published::Sns(_)) && !claims.is_empty();
    let digest = signed.then(|| {
        let mut all = Sha256::new();
        for claim in claims {
            all.update(Sha256::digest(&claim.signed));
        }
        hex::encode(all.finalize())
    });
    Proved { digest }
}

/// How a request would be checked, for explain: nothing is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublishedTrace {
    /// What it is called.
    pub scheme: &'static str,
    /// What is signed.
    pub signed: &'static str,
    /// Whether the integration demands it of this request.
    pub demanded: bool,
    /// Where the keys are.
    pub keys: Vec<String>,
    /// Whether it holds; nothing where a key is not at hand, which a post would fetch.
    pub holds: Option<bool>,
    /// Why not, and what likely causes it.
    pub problem: Option<String>,
}

/// Looks at a request as [`check`] does, with the keys at hand.
pub fn explain(app: &App, integration: &Integration, inbound: &Inbound) -> Option<(PublishedTrace, Result<Proved, Reason>)> {
    let published = integration.published.as_ref()?;
    let mut trace = PublishedTrace {
        scheme: published.name(),
        signed: published.signed(),
        demanded: true,
        keys: Vec::new(),
        holds: None,
        problem: None,
    };
    let claims = match claims(app, published, inbound) {
        Ok(claims) => claims,
        Err(why) => return Some((trace.failed(why), Err(Reason::Unauthorized(why.to_string())))),
    };
    trace.demanded = !claims.is_empty();
    trace.keys = claims.iter().map(|claim| claim.document.to_string()).collect();
    let mut all = true;
    for claim in &claims {
        match app.documents.held(&claim.document).map(|document| claim.verify(&document, inbound.received_at)) {
            Some(Ok(())) => {}
            Some(Err(why)) => return Some((trace.failed(why), Err(Reason::Unauthorized(why.to_string())))),
            None => all = false,
        }
    }
    trace.holds = all.then_some(true);
    Some((trace, Ok(proved(published, &claims))))
}

impl PublishedTrace {
    fn failed(self, why: Unproven) -> Self {
        Self { holds: Some(false), problem: Some(why.to_string()), ..self }
    }
}

/// Does what a handshake asks for: visits the address that confirms a subscription. What it is answered is what happened.
///
/// # Errors
/// [`Reason::KeyUnavailable`]: it cannot be visited now; the sender asks again.
pub async fn confirm(app: &App, integration: &Arc<Integration>, confirm: &Confirm) -> Result<String, Reason> {
    let topic = &confirm.topic;
    let Some(url) = sns::subscribe_url(&confirm.url, topic, &app.sns_origins) else {
        return Ok(format!("the subscription of {topic} was not confirmed: its SubscribeURL is not one of Amazon SNS's own"));
    };
    let answer = match &app.outbound {
        Ok(client) => client.get(&url).await,
        Err(failure) => Err(failure.clone()),
    };
    let problem = match answer {
        Ok(answer) if answer.status == 200 => {
            tracing::info!(integration = %integration.id, topic = %topic, "a subscription was confirmed");
            return Ok(format!("the subscription of {topic} was confirmed"));
        }
        Ok(answer) => format!("Amazon SNS answered {}", answer.status),
        Err(failure) => failure.to_string(),
    };
    Err(Reason::KeyUnavailable(format!("the subscription of {topic} could not be confirmed: {problem}")))
}
