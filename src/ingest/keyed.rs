//! Requests whose credential is a routing key in the body: the PagerDuty routes and `/api/events`. One parse, look up, enabled,
//! limit, validate, commit.

use std::sync::Arc;

use serde_json::Value;

use super::inbound::{Done, Inbound, Route};
use super::interpret::posted;
use super::refusal::{Reason, Refusal};
use super::snapshot::{CredentialKind, Integration};
use super::submission::{Effect, Mode, Posted, Submission, Verdict};
use super::timers::EXPIRY_GRACE;
use super::{desk, ledger, lookup, native};
use crate::app::App;
use crate::event::v2::Mode as Form;
use crate::event::{ChangeEvent, DedupKey, Event, Invalid, v1, v2};
use crate::incident::Actor;
use crate::json::{self, Parsed};
use crate::provider::Clock;
use crate::secret::CredentialHash;
use crate::signature::Scheme;
use crate::time::Timestamp;

/// What a valid body asks for.
#[derive(Debug)]
pub enum Wish {
    /// An event.
    Event(Box<Event>),
    /// A change event.
    Change(Box<ChangeEvent>),
}

/// Accepts a request of a body-keyed route, or says why not.
///
/// # Errors
/// See [`Reason`].
pub async fn accept(app: &App, inbound: &Inbound) -> Result<Done, Refusal> {
    let parsed = parse(app, &inbound.body).await?;
    let integration = match sender(inbound, &parsed)? {
        Sender::Key(key) => by_key(app, inbound, &key).await?,
        Sender::Bearer(token) => by_bearer(app, inbound, &parsed, &token).await?,
    };
    let refuse = |reason| Refusal::new(reason, Some(&integration));
    if !integration.enabled {
        return disabled(app, &integration, inbound).await;
    }
    app.limits.check(&integration).map_err(refuse)?;
    app.committer.check(&integration.id).map_err(|refused| refuse(refused.into()))?;
    match wish(inbound, &parsed) {
        Ok(wish) => submit(app, &integration, inbound, wish).await,
        Err(invalid) => {
            let row = ledger::row(inbound, None, Verdict::Invalid, 400, Some(invalid.to_string()));
            let empty = submission(&integration, inbound, row);
            app.commit(empty).await.map_err(|refused| refuse(refused.into()))?;
            Err(Refusal { stored: true, ..refuse(Reason::Invalid(invalid)) })
        }
    }
}

async fn parse(app: &App, body: &[u8]) -> Result<Parsed, Refusal> {
    let turn = desk::turn(body.len(), app.committer.answer_within()).await;
    let _turn = turn.map_err(|_| Refusal::new(Reason::Unavailable, None))?;
    json::parse(body).map_err(|_| Refusal::new(Reason::NotJson, None))
}

enum Sender {
    Key(String),
    Bearer(String),
}

/// Where the credential is: in the body, or in a header that the route allows.
fn sender(inbound: &Inbound, parsed: &Parsed) -> Result<Sender, Refusal> {
    let header = inbound.headers.get("x-routing-key");
    if inbound.route == Route::Api {
        let authorization = inbound.headers.get("authorization").unwrap_or_default();
        if let Some((scheme, credential)) = authorization.split_once(' ') {
            let credential = credential.trim();
            if scheme.eq_ignore_ascii_case("bearer") {
                return Ok(Sender::Bearer(credential.to_owned()));
            }
            if let Some(key) = credential.strip_prefix("token=").filter(|_| scheme.eq_ignore_ascii_case("token")) {
                return Ok(Sender::Key(key.trim_matches('"').to_owned()));
            }
        }
    }
    let key = match inbound.route {
        Route::V1 => v1::service_key(&parsed.value),
        _ => v2::routing_key(&parsed.value, header),
    };
    match key {
        Ok(key) => Ok(Sender::Key(key.to_owned())),
        Err(only) => {
            // With the key's problems, all others are named too.
            let all = wish(inbound, parsed).err().unwrap_or(only);
            Err(Refusal::new(Reason::KeyMalformed(all), None))
        }
    }
}

async fn by_key(app: &App, inbound: &Inbound, key: &str) -> Result<Arc<Integration>, Refusal> {
    let hash = CredentialHash::of(key);
    let (integration, credential) = lookup::credential(app, CredentialKind::Key, &hash, inbound.peer)
        .await?
        .ok_or_else(|| Refusal::new(Reason::UnknownKey, None))?;
    if integration.deleted {
        return Err(Refusal::deleted(Reason::UnknownKey, &integration));
    }
    if integration.sealed_shut {
        return Err(Refusal::new(Reason::Unavailable, Some(&integration)));
    }
    if integration.signed() {
        // A key whose integration demands signatures is unknown without one.
        native::signature(&integration, &Scheme::Generic, inbound, inbound.received_at)
            .map_err(|_| lookup::failed(app, inbound.peer, Refusal::new(Reason::UnknownKey, Some(&integration))))?
            .used(inbound.received_at);
    }
    credential.used(inbound.received_at);
    Ok(integration)
}

/// An API token with the scope to send events speaks for its service's built-in integration; anything else is taken for a key.
async fn by_bearer(app: &App, inbound: &Inbound, parsed: &Parsed, bearer: &str) -> Result<Arc<Integration>, Refusal> {
    let hash = CredentialHash::of(bearer);
    let tenant_id = match app.administrator(&hash) {
        Some(tenant_id) => tenant_id,
        None => match lookup::token(app, &hash, inbound.peer).await? {
            None => return by_key(app, inbound, bearer).await,
            Some(token) => {
                token.last_used.fetch_max(inbound.received_at.0, std::sync::atomic::Ordering::Relaxed);
                if !token.scopes.iter().any(|scope| scope == "events:write" || scope == "admin") {
                    return Err(Refusal::new(Reason::Forbidden, None));
                }
                token.tenant_id
            }
        },
    };
    let wanted = parsed.value.get("service_id").and_then(Value::as_str).unwrap_or("default");
    let snapshot = app.directory.snapshot();
    snapshot
        .services
        .values()
        .find(|service| service.tenant_id == tenant_id && (&*service.id == wanted || service.name == wanted))
        .and_then(|service| snapshot.integrations.get(service.api_integration.as_ref()?))
        .cloned()
        .ok_or_else(|| {
            let problem = "'service_id' names no service of this token's tenant".into();
            Refusal::new(Reason::Invalid(Invalid { problems: vec![problem] }), None)
        })
}

/// Reads the event that a body asks for.
///
/// # Errors
/// All that is wrong with it.
pub fn wish(inbound: &Inbound, parsed: &Parsed) -> Result<Wish, Invalid> {
    let Parsed { value, duplicates, .. } = parsed;
    let header = inbound.headers.get("x-routing-key");
    let draft = match inbound.route {
        Route::Change => return v2::parse_change(value, duplicates, header).map(|change| Wish::Change(Box::new(change))),
        Route::V1 => v1::parse(value, duplicates)?,
        Route::V2 => v2::parse(value, duplicates, header, Form::PagerDuty, inbound.received_at)?,
        Route::Api | Route::Native => v2::parse(value, duplicates, header, Form::Api, inbound.received_at)?,
    };
    let generated = draft.dedup_key.is_none();
    let mut event =
        draft.into_event(DedupKey::random).map_err(|_| Invalid { problems: vec!["'dedup_key' is missing".into()] })?;
    event.key_guessed = generated;
    Ok(Wish::Event(Box::new(event)))
}

/// A key that we generated is never repeated: unless its sender resolves it, a timer must.
pub fn expire(item: &mut Posted, integration: &Integration, received_at: Timestamp) {
    item.note = Some("key: generated".to_owned());
    if let (Effect::Report(report), Some(after)) = (&mut item.effect, integration.timers.made_up_after) {
        report.expires_at = Some(received_at.plus_seconds(after - EXPIRY_GRACE));
    }
}

async fn submit(app: &App, integration: &Arc<Integration>, inbound: &Inbound, wish: Wish) -> Result<Done, Refusal> {
    let status = if inbound.route == Route::V1 { 200 } else { 202 };
    let mut submission = submission(integration, inbound, ledger::row(inbound, None, Verdict::Accepted, status, None));
    let mut done = Done { verdict: Some(Verdict::Accepted), status, ..Done::default() };
    match wish {
        Wish::Event(event) => {
            done.dedup_key = Some(event.dedup_key.clone());
            let mut item = posted(&event, Clock::Arrival);
            if event.key_guessed {
                expire(&mut item, integration, inbound.received_at);
            }
            submission.items.push(item);
        }
        Wish::Change(change) => submission.changes.push(*change),
    }
    inbound.mark(&mut submission.items, &mut submission.changes);
    let receipt = app.commit(submission).await.map_err(|refused| Refusal::new(refused.into(), Some(integration)))?;
    done.events = receipt.events;
    Ok(done)
}

/// PagerDuty accepts events of a disabled service and drops them; so do we on its routes, but the ledger keeps them.
async fn disabled(app: &App, integration: &Arc<Integration>, inbound: &Inbound) -> Result<Done, Refusal> {
    let refusal = Refusal::new(Reason::Disabled, Some(integration));
    let status = match inbound.route {
        Route::Api | Route::Native => return Err(refusal),
        Route::V1 => 200,
        Route::V2 | Route::Change => 202,
    };
    let message = "the integration is disabled: stored here, opened nothing".to_owned();
    let row = ledger::row(inbound, None, Verdict::Disabled, status, Some(message));
    let submission = submission(integration, inbound, row);
    app.commit(submission).await.map_err(|refused| Refusal::new(refused.into(), Some(integration)))?;
    let parsed = json::parse(&inbound.body).ok();
    let dedup_key = parsed.and_then(|parsed| match wish(inbound, &parsed) {
        Ok(Wish::Event(event)) => Some(event.dedup_key),
        _ => DedupKey::random().ok(),
    });
    Ok(Done { verdict: Some(Verdict::Disabled), status, dedup_key, ..Done::default() })
}

fn submission(integration: &Integration, inbound: &Inbound, row: super::submission::Ledger) -> Submission {
    Submission {
        tenant_id: Arc::clone(&integration.tenant_id),
        integration_id: Arc::clone(&integration.id),
        service_id: Arc::clone(&integration.service_id),
        received_at: Timestamp(inbound.received_at.0),
        actor: Actor::Tool,
        mode: Mode::Live,
        ledger: Some(row),
        items: Vec::new(),
        changes: Vec::new(),
        delivery: None,
        tells: integration.tells,
    }
}
