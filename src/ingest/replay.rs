//! A request of the ledger, run again by today's rules.
//!
//! Idempotent: an event that the request has made already is not made twice, and what a replay made is remembered with it. What
//! has newer news of its key is stale, unless it is forced.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::inbound::{Inbound, Route};
use super::interpret::{self, Material, posted};
use super::keyed::{self, Wish};
use super::snapshot::Integration;
use super::submission::{Delivery, Mode, Posted, Refused, Submission};
use super::timers::resolving;
use crate::app::App;
use crate::event::{Action, ChangeEvent, DedupKey};
use crate::incident::{Actor, Outcome};
use crate::json;
use crate::provider::{Clock, Compiled};
use crate::store::events::Event as Made;
use crate::store::{self, StoreError};

/// How a replay is done.
#[derive(Clone, Default)]
pub struct Options {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Apply events although the request has made them before or their keys have newer news; a forced replay too counts once.
    pub force: bool,
    /// Tell the outside world.
    pub notify: bool,
    /// Options in place of the integration's: a draft mapping.
    pub draft: Option<Compiled>,
}

/// What a replay did to one event.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// What it asks for.
    pub action: Action,
    /// Its dedup key.
    pub dedup_key: String,
    /// Its summary.
    pub summary: String,
    /// What it did, or would do.
    pub effect: Effect,
    /// The outcome, where it was applied.
    pub outcome: Option<Outcome>,
    /// The incident it belongs to.
    pub incident_id: Option<String>,
}

/// What became of an event of a replay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It was applied.
    Applied,
    /// It would be applied.
    WouldApply,
    /// The request, or a replay of it, has made it already.
    Unchanged,
    /// Its key has newer news.
    Stale,
}

/// What the ledger has of a request.
pub struct Row {
    /// The request, rebuilt; credentials are gone from it.
    pub inbound: Inbound,
    /// The events it made.
    pub made: Vec<Made>,
}

/// Replays a request of `integration`.
///
/// # Errors
/// The store cannot be read, or cannot promise anything now.
pub async fn replay(app: &App, integration: &Arc<Integration>, row: &Row, options: &Options) -> Result<Vec<Replayed>, Refused> {
    let (items, changes) = read(integration, row, options.draft.as_ref());
    let mut all = Vec::with_capacity(items.len());
    let maps = !items.iter().any(is_catch_all);
    for item in items {
        all.push(one(app, integration, row, item, options).await?);
    }
    if !options.dry_run && !changes.is_empty() && row.made.is_empty() {
        let submission = submission(integration, row, Vec::new(), changes, options, "changes");
        app.commit(submission).await?;
    }
    // What was not understood then and is now: the catch-all that stood for it is over.
    for catch_all in row.made.iter().filter(|made| maps && made.outcome == Outcome::Unmapped.as_str()) {
        let Some(key) = DedupKey::lenient(&catch_all.dedup_key) else { continue };
        if !options.dry_run {
            let item = Posted { only_if_open: true, ..resolving(key) };
            app.commit(submission(integration, row, vec![item], Vec::new(), options, "catch-all")).await?;
        }
    }
    Ok(all)
}

/// Reads the request by today's rules; what can no longer be read makes nothing.
fn read(integration: &Integration, row: &Row, draft: Option<&Compiled>) -> (Vec<Posted>, Vec<ChangeEvent>) {
    let inbound = &row.inbound;
    if inbound.route == Route::Native {
        let options = draft.unwrap_or(&integration.options);
        let read = interpret::native(&Material { provider: integration.provider, options, inbound }).unwrap_or_default();
        return (read.posted(integration.meta().clock), read.changes);
    }
    let Ok(mut parsed) = json::parse(&inbound.body) else { return Default::default() };
    // The credential is gone from the ledger; the integration is known.
    if let Some(body) = parsed.value.as_object_mut() {
        for name in ["routing_key", "service_key"] {
            body.insert(name.to_owned(), Value::String("0".repeat(32)));
        }
    }
    match keyed::wish(inbound, &parsed) {
        Ok(Wish::Event(event)) if event.key_guessed && !row.made.is_empty() => Default::default(),
        Ok(Wish::Event(event)) => (vec![posted(&event, Clock::Arrival)], Vec::new()),
        Ok(Wish::Change(change)) => (Vec::new(), vec![*change]),
        Err(_) => Default::default(),
    }
}

fn is_catch_all(item: &Posted) -> bool {
    matches!(&item.effect, super::submission::Effect::Report(report) if report.catch_all.is_some())
}

async fn one(app: &App, integration: &Arc<Integration>, row: &Row, item: Posted, options: &Options) -> Result<Replayed, Refused> {
    let summary = match &item.effect {
        super::submission::Effect::Report(report) => report.summary.clone(),
        _ => String::new(),
    };
    let said = Replayed {
        action: item.action(),
        dedup_key: item.key.as_str().to_owned(),
        summary,
        effect: Effect::Unchanged,
        outcome: None,
        incident_id: None,
    };
    if !options.force && newer_news(app, integration, row, &item).await? {
        return Ok(Replayed { effect: Effect::Stale, outcome: Some(Outcome::Stale), ..said });
    }
    if !options.force && made_already(row, &item) {
        return Ok(said);
    }
    if options.dry_run {
        return Ok(Replayed { effect: Effect::WouldApply, ..said });
    }
    let mark = format!("{}:{}", item.action().as_str(), item.key);
    let receipt = app.commit(submission(integration, row, vec![item], Vec::new(), options, &mark)).await?;
    Ok(match receipt.events.into_iter().next() {
        Some(event) => Replayed { effect: Effect::Applied, outcome: Some(event.outcome), incident_id: event.incident_id, ..said },
        None => said,
    })
}

fn made_already(row: &Row, item: &Posted) -> bool {
    row.made.iter().any(|made| {
        let understood = made.outcome != Outcome::Unmapped.as_str() && made.outcome != Outcome::Quarantined.as_str();
        made.dedup_key == item.key.as_str() && made.action == item.action().as_str() && (understood || is_catch_all(item))
    })
}

/// Whether something about the key was received after this request.
async fn newer_news(app: &App, integration: &Integration, row: &Row, item: &Posted) -> Result<bool, StoreError> {
    let key = store::ingest::Key { integration_id: Arc::clone(&integration.id), dedup_key: item.key.as_str().to_owned() };
    let received_at = row.inbound.received_at;
    app.store
        .read(move |conn| {
            let open = store::ingest::load_open(conn, &[&key], store::ingest::Purpose::Look)?;
            let newer = open.iter().any(|(_, incident)| incident.last_seen > received_at);
            Ok(newer || store::ingest::resolved_after(conn, &key, received_at)?)
        })
        .await
}

fn submission(
    integration: &Integration,
    row: &Row,
    items: Vec<Posted>,
    changes: Vec<ChangeEvent>,
    options: &Options,
    mark: &str,
) -> Submission {
    let id = &row.inbound.id;
    let items = items.into_iter().map(|item| Posted { note: Some(format!("replay of {id}")), ..item }).collect();
    Submission {
        tenant_id: Arc::clone(&integration.tenant_id),
        integration_id: Arc::clone(&integration.id),
        service_id: Arc::clone(&integration.service_id),
        received_at: row.inbound.received_at,
        actor: Actor::Tool,
        mode: Mode::Replay { notify: options.notify },
        ledger: None,
        items,
        changes,
        delivery: Some(Delivery {
            id: format!("replay:{id}"),
            body_hash: hex::encode(Sha256::digest(mark)),
            remembered: i64::from(u32::MAX),
        }),
    }
}
