//! Requests to an integration's own URL: look up, enabled, credential over the raw bytes, limit, parse, commit.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::inbound::{Done, Inbound};
use super::interpret::{self, Interpreted, Material};
use super::published::{self, Proved};
use super::refusal::{Reason, Refusal};
use super::snapshot::{Credential, CredentialKind, Integration, Policy};
use super::submission::{DUPLICATE, Delivery, Mode, Submission, Verdict};
use super::{desk, ledger, lookup};
use crate::app::App;
use crate::incident::Actor;
use crate::provider::{Compiled, Provider};
use crate::secret::{CredentialHash, Secret};
use crate::signature;
use crate::time::Timestamp;

/// An integration, and the hook by which it was found.
#[derive(Clone)]
pub struct Found {
    /// The integration.
    pub integration: Arc<Integration>,
    /// The hook.
    pub hook: Arc<Credential>,
}

/// Finds the integration of a hook, for a path that says `kind`. The body has not been read yet: its limit is the integration's.
///
/// # Errors
/// The hook is unknown, of a deleted integration, or of one of another type.
pub async fn find(app: &App, kind: &str, hook: Option<&str>, peer: std::net::IpAddr) -> Result<Found, Refusal> {
    let hash = hook.map(CredentialHash::of).ok_or_else(|| Refusal::new(Reason::UnknownHook, None))?;
    let (integration, hook) = lookup::credential(app, CredentialKind::Hook, &hash, peer)
        .await?
        .ok_or_else(|| Refusal::new(Reason::UnknownHook, None))?;
    is_at(app, &integration, kind)?;
    Ok(Found { integration, hook })
}

/// Whether the integration is there for a path that names the type `kind`.
///
/// # Errors
/// It was deleted, or is of another type.
pub fn is_at(app: &App, integration: &Arc<Integration>, kind: &str) -> Result<(), Refusal> {
    if integration.deleted {
        return Err(Refusal::deleted(Reason::UnknownHook, integration));
    }
    // Of a tool that is gone the path still says its type.
    let lost = app.tools.is_lost(&integration.kind);
    let own = if lost { integration.kind.as_str() } else { integration.meta().kind };
    let named = app.tools.by_type(kind).map_or(kind, |tool| tool.meta().kind);
    if named != own {
        return Err(Refusal::new(Reason::WrongType(format!("/api/integrations/{own}")), Some(integration)));
    }
    Ok(())
}

/// Bytes that a decoded body may have.
pub fn body_limit(app: &App, integration: &Integration) -> usize {
    integration.native_body_limit.unwrap_or(app.native_body)
}

/// The most that any integration may send: what is read of a request whose integration is not known yet.
pub fn largest_body(app: &App) -> usize {
    let snapshot = app.directory.snapshot();
    snapshot.integrations.values().map(|integration| body_limit(app, integration)).fold(app.native_body, usize::max)
}

/// Accepts a native request, or says why not.
///
/// # Errors
/// See [`Reason`].
pub async fn accept(app: &App, found: &Found, inbound: &Inbound) -> Result<Done, Refusal> {
    let integration = &found.integration;
    let refuse = |reason| Refusal::new(reason, Some(integration));
    if !integration.enabled {
        return Err(refuse(Reason::Disabled));
    }
    found.hook.used(inbound.received_at);
    let proof = authorise(integration, inbound).map_err(|reason| lookup::failed(app, inbound.peer, refuse(reason)))?;
    proof.used(inbound.received_at);
    let proved =
        published::check(app, integration, inbound).await.map_err(|reason| lookup::failed(app, inbound.peer, refuse(reason)))?;
    app.limits.check(integration).map_err(refuse)?;
    let place = app.committer.enter(&integration.id).map_err(|refused| refuse(refused.into()))?;
    let patience = app.committer.answer_within();
    let mut read = interpret(integration.provider, &integration.options, inbound, patience).await.map_err(refuse)?;
    drop(place);
    if let Some(confirm) = &read.confirm {
        read.note = Some(published::confirm(app, integration, confirm).await.map_err(refuse)?.into());
    }
    let (verdict, message) = summary(&read);
    let meta = integration.meta();
    let status = read.reply.as_ref().map_or(meta.success_status, |reply| reply.status);
    let row = ledger::row(inbound, Some(meta), verdict, status, Some(message.clone()));
    let submission = Submission { ledger: Some(row), ..submission(integration, inbound, &read, proof.delivery_id, proved) };
    let receipt = app.commit(submission).await.map_err(|refused| refuse(refused.into()))?;
    if receipt.duplicate_of.is_some() {
        return Ok(Done { verdict: Some(Verdict::Duplicate), status, message: DUPLICATE.to_owned(), ..Done::default() });
    }
    let verdict = if receipt.events.is_empty() { verdict } else { verdict.acting() };
    Ok(Done { verdict: Some(verdict), status, message, events: receipt.events, dedup_key: None, reply: read.reply })
}

/// What a request submits, but for its ledger row: the same for a post and for its explanation.
pub fn submission(
    integration: &Arc<Integration>,
    inbound: &Inbound,
    read: &Interpreted,
    delivery_id: Option<String>,
    proved: Proved,
) -> Submission {
    let in_body = || read.delivery_id.clone().filter(|id| id.len() <= DELIVERY_ID_MAX);
    let delivery_id = delivery_id.or_else(in_body).or_else(|| named_delivery(integration, inbound));
    let (mut items, mut changes) = (read.posted(integration.meta().clock), read.changes.clone());
    inbound.mark(&mut items, &mut changes);
    Submission {
        tenant_id: Arc::clone(&integration.tenant_id),
        integration_id: Arc::clone(&integration.id),
        service_id: Arc::clone(&integration.service_id),
        received_at: inbound.received_at,
        actor: Actor::Tool,
        mode: Mode::Live,
        ledger: None,
        items,
        changes,
        delivery: delivery_id.map(|id| Delivery {
            id,
            body_hash: proved.digest.unwrap_or_else(|| hex::encode(Sha256::digest(&inbound.body))),
            remembered: Delivery::REMEMBERED,
        }),
        tells: integration.tells,
    }
}

/// Characters of a delivery's id; vendors' have about 40.
const DELIVERY_ID_MAX: usize = 200;

/// The delivery's id in the header where the tool guarantees one. It is not signed, and need not be: it counts only together with the
/// body, so that nobody can use up the id of a delivery whose body he does not know.
fn named_delivery(integration: &Integration, inbound: &Inbound) -> Option<String> {
    let header = integration.provider.delivery_header(&integration.options)?;
    let id = inbound.headers.get(header)?;
    (!id.is_empty() && id.len() <= DELIVERY_ID_MAX).then(|| id.to_owned())
}

/// Bodies from this size are read off the async threads.
const LARGE: usize = 256 * 1024;

/// Reads a request as its tool's: [`interpret::native`], without holding up other requests.
///
/// # Errors
/// Those of [`interpret::native`], and [`Reason::Unavailable`] where its turn did not come within `patience`.
pub async fn interpret(
    provider: &'static dyn Provider,
    options: &Compiled,
    inbound: &Inbound,
    patience: Duration,
) -> Result<Interpreted, Reason> {
    if inbound.body.len() < LARGE {
        let _turn = desk::turn(inbound.body.len(), patience).await.map_err(|_| Reason::Unavailable)?;
        return interpret::native(&Material { provider, options, inbound });
    }
    let (options, inbound) = (options.clone(), inbound.clone());
    tokio::task::spawn_blocking(move || interpret::native(&Material { provider, options: &options, inbound: &inbound }))
        .await
        .unwrap_or(Err(Reason::Unavailable))
}

/// What the ledger and the answer say of a body.
pub fn summary(read: &Interpreted) -> (Verdict, String) {
    let events = read.items.iter().filter(|item| !matches!(item, interpret::Interpretation::Ignored { .. })).count();
    if read.reply.is_some() {
        return (Verdict::Handshake, read.note.as_deref().unwrap_or("handshake").to_owned());
    }
    if events == 0 && read.changes.is_empty() {
        let ignored = read.items.iter().find_map(|item| match item {
            interpret::Interpretation::Ignored { why, .. } => Some(why.as_ref()),
            _ => None,
        });
        return (Verdict::Ignored, read.note.as_deref().or(ignored).unwrap_or("nothing to do").to_owned());
    }
    let message = match (events, read.changes.len()) {
        (0, 1) => "Change event processed".to_owned(),
        (0, changes) => format!("{changes} change events processed"),
        (1, _) => "Event processed".to_owned(),
        (events, _) => format!("{events} events processed"),
    };
    (Verdict::Accepted, message)
}

/// What proves the sender beyond the hook.
#[derive(Default)]
pub struct Proof<'a> {
    credential: Option<&'a Credential>,
    /// The delivery's id, where the signature covers one.
    pub delivery_id: Option<String>,
}

impl Proof<'_> {
    /// Notes that its credential was used.
    pub fn used(&self, now: Timestamp) {
        if let Some(credential) = self.credential {
            credential.used(now);
        }
    }
}

/// Whether the request brings what the integration's policy demands on top of the hook. Only looks: that a credential was used
/// is noted by who acts on it.
///
/// # Errors
/// [`Reason::Unauthorized`], and [`Reason::Unavailable`] while a secret does not open.
pub fn authorise<'a>(integration: &'a Integration, inbound: &Inbound) -> Result<Proof<'a>, Reason> {
    let now = inbound.received_at;
    if integration.sealed_shut {
        return Err(Reason::Unavailable);
    }
    match integration.policy {
        Policy::Hook => Ok(Proof::default()),
        Policy::Key => key(integration, inbound, now),
        Policy::Signature => signature(integration, scheme(integration, inbound), inbound, now),
    }
}

/// The scheme that a request is checked by. A request that carries a signature by Standard Webhooks is checked by that where the tool
/// has no scheme of its own, or only shows the secret; all need the secret.
pub fn scheme<'a>(integration: &'a Integration, inbound: &Inbound) -> &'a signature::Scheme {
    let standard = integration.scheme.may_be_standard_webhooks() && inbound.headers.get("webhook-signature").is_some();
    if standard { &signature::Scheme::StandardWebhooks } else { &integration.scheme }
}

fn key<'a>(integration: &'a Integration, inbound: &Inbound, now: Timestamp) -> Result<Proof<'a>, Reason> {
    let presented = signature::presented_keys(&inbound.headers, &inbound.query, integration.meta().key_headers);
    let held = presented
        .iter()
        .find_map(|presented| integration.credential(CredentialKind::Key, &CredentialHash::of(presented.key.expose()), now));
    match held {
        Some(credential) => Ok(Proof { credential: Some(credential), delivery_id: None }),
        None if presented.is_empty() && integration.provider.is_challenged() => Err(Reason::Challenge),
        None if presented.is_empty() => Err(Reason::Unauthorized("the key is missing".to_owned())),
        None => Err(Reason::Unauthorized("the key is not this integration's".to_owned())),
    }
}

/// Checks a signature with the integration's live secrets.
///
/// # Errors
/// [`Reason::Unauthorized`].
pub fn signature<'a>(
    integration: &'a Integration,
    scheme: &signature::Scheme,
    inbound: &Inbound,
    now: Timestamp,
) -> Result<Proof<'a>, Reason> {
    let (credentials, secrets): (Vec<&Arc<Credential>>, Vec<Secret>) = integration.secrets(now).into_iter().unzip();
    let verified = signature::check(scheme, &inbound.headers, &inbound.body, &secrets, now)
        .map_err(|why| Reason::Unauthorized(why.to_string()))?;
    let credential = credentials.get(verified.secret).map(|credential| &***credential);
    Ok(Proof { credential, delivery_id: verified.delivery_id })
}
