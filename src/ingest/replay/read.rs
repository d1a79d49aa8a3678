//! From a row of the ledger to what its replay submits. Pure but for the rows it is given.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::apply::understood;
use super::{Options, Replaying, Step};
use crate::event::{Action, ChangeEvent, DedupKey};
use crate::incident::{Actor, Outcome};
use crate::ingest::fold::CATCH_ALL_OTHER;
use crate::ingest::inbound::{Inbound, Route};
use crate::ingest::interpret::{self, Material, posted};
use crate::ingest::keyed::{self, Wish};
use crate::ingest::snapshot::Integration;
use crate::ingest::submission::{Mode, Posted, Submission};
use crate::ingest::timers::resolving;
use crate::json;
use crate::provider::Clock;
use crate::store::events::Event as Made;
use crate::time::Timestamp;

/// A row of the ledger, and what came of it.
pub struct Row {
    /// The request, rebuilt; credentials are gone from it.
    pub inbound: Inbound,
    /// The events it made when it came in, the oldest first.
    pub made: Vec<Made>,
    /// The events that replays of it made, the oldest first.
    pub replayed: Vec<Made>,
    /// The marks of what replays of it have done.
    pub marks: HashSet<String>,
    /// Whether it brought change events when it came in.
    pub has_changes: bool,
}

impl Row {
    /// The events that stand for the request today: without those in place of which a replay has made others.
    pub fn stands(&self) -> impl Iterator<Item = &Made> {
        self.made.iter().chain(&self.replayed).filter(|made| !self.marks.contains(&understood(&made.id)))
    }
}

/// What a request says by the rules of today, or of a draft.
struct Read {
    items: Vec<Posted>,
    changes: Vec<ChangeEvent>,
}

/// What a replay of `row` submits. `now` is when it is asked for.
///
/// # Errors
/// Why the request cannot be read: a sentence.
pub fn submission(integration: &Integration, row: &Row, options: &Options, now: Timestamp) -> Result<Submission, String> {
    let Read { items, changes } = read(integration, row, options)?;
    let is_understood = !items.iter().any(Posted::is_catch_all);
    let id = &row.inbound.id;
    let mut all = Vec::with_capacity(items.len());
    let mut steps = Vec::with_capacity(items.len());
    let mut met: HashMap<(Action, String), usize> = HashMap::new();
    for item in items {
        let place = met.entry((item.action(), item.key.as_str().to_owned())).or_default();
        steps.push(Step::Event {
            mark: format!("{place}:{}:{}", item.action().as_str(), item.key.as_str()),
            made: row.made.iter().filter(|made| is(made, &item)).count() > *place,
            stale: false,
        });
        *place += 1;
        let note = item.note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
        all.push(Posted { note: Some(format!("replay of {id} by {}{note}", options.by)), ..item });
    }
    if is_understood {
        for (incident_id, (key, events)) in catch_alls(row) {
            let note = Some(format!("replay of {id} by {}: every request in it is understood now", options.by));
            let incident = Some(incident_id.clone());
            all.push(Posted { only_if_open: true, incident_id: incident, note, ..resolving(key) });
            steps.push(Step::CatchAll { incident_id, events });
        }
    }
    Ok(Submission {
        tenant_id: Arc::clone(&integration.tenant_id),
        integration_id: Arc::clone(&integration.id),
        service_id: Arc::clone(&integration.service_id),
        received_at: row.inbound.received_at,
        actor: Actor::Tool,
        mode: Mode::Replay(Box::new(Replaying {
            request_id: id.clone(),
            by: options.by.clone(),
            at: now,
            force: options.force,
            notify: options.notify,
            draft: options.draft.is_some(),
            seen_to: 0,
            steps,
        })),
        ledger: None,
        items: all,
        changes: if row.has_changes { Vec::new() } else { changes },
        delivery: None,
        tells: integration.tells,
    })
}

/// Whether the request made this event when it came in.
fn is(made: &Made, item: &Posted) -> bool {
    if made.action != item.action().as_str() {
        return false;
    }
    let same = made.dedup_key == item.key.as_str();
    match Outcome::Unmapped.as_str() == made.outcome || Outcome::Quarantined.as_str() == made.outcome {
        true => item.is_catch_all() && (same || made.dedup_key == CATCH_ALL_OTHER),
        false => same,
    }
}

/// The catch-all incidents in which events of the request stand: the key of each, and those events.
fn catch_alls(row: &Row) -> BTreeMap<String, (DedupKey, Vec<String>)> {
    let mut found: BTreeMap<String, (DedupKey, Vec<String>)> = BTreeMap::new();
    for made in row.made.iter().chain(&row.replayed).filter(|made| made.outcome == Outcome::Unmapped.as_str()) {
        let Some((incident_id, key)) = made.incident_id.clone().zip(DedupKey::lenient(&made.dedup_key)) else { continue };
        found.entry(incident_id).or_insert_with(|| (key, Vec::new())).1.push(made.id.clone());
    }
    found
}

fn read(integration: &Integration, row: &Row, options: &Options) -> Result<Read, String> {
    let inbound = &row.inbound;
    if inbound.route == Route::Native {
        let (provider, compiled) = match &options.draft {
            Some(draft) => (draft.provider, &draft.options),
            None => (integration.provider, &integration.options),
        };
        let read = interpret::native(&Material { provider, options: compiled, inbound });
        let read = read.map_err(|reason| format!("it cannot be read: {reason}"))?;
        return Ok(Read { items: read.posted(provider.meta().clock), changes: read.changes });
    }
    let mut parsed = json::parse(&inbound.body).map_err(|_| "its body is not JSON".to_owned())?;
    // The credential is gone from the ledger; the integration is known.
    if let Some(body) = parsed.value.as_object_mut() {
        for name in ["routing_key", "service_key"] {
            body.insert(name.to_owned(), Value::String("0".repeat(32)));
        }
    }
    match keyed::wish(inbound, &parsed).map_err(|invalid| invalid.to_string())? {
        Wish::Event(mut event) => {
            let guessed = event.key_guessed;
            if guessed && let Some(key) = generated(row) {
                event.dedup_key = key;
            }
            let mut item = posted(&event, Clock::Arrival);
            if guessed {
                keyed::expire(&mut item, integration, inbound.received_at);
            }
            Ok(Read { items: vec![item], changes: Vec::new() })
        }
        Wish::Change(change) => Ok(Read { items: Vec::new(), changes: vec![*change] }),
    }
}

/// The key of an event that came without one: as it was generated then, or one that every replay of the request generates again.
fn generated(row: &Row) -> Option<DedupKey> {
    match row.made.first() {
        Some(made) => DedupKey::lenient(&made.dedup_key),
        None => {
            let mut digits = hex::encode(Sha256::digest(format!("replay of {}", row.inbound.id)));
            digits.truncate(32);
            DedupKey::lenient(&digits)
        }
    }
}
