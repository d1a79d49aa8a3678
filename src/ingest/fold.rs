//! A batch in memory: what it met, what each request did, and the rows that are left to write.
//!
//! However many events of a key a batch has, its incident is written once.

mod row;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::submission::{DUPLICATE, Effect, EventReceipt, Posted, Receipt, Submission};
use crate::event::{ChangeEvent, Severity};
use crate::id::{self, Kind};
use crate::incident::{self, Actor, Arrival, Change, Incident, KeyState};
use crate::store::ingest::{EventRow, IncidentRow, Key, Met, OutboxRow, ReplayRow, RequestRow, Rows, TombstoneRow};
use crate::time::Timestamp;

pub use row::{quarantined, seen_row};

/// Catch-all incidents that one integration may have open; what comes after them shares one.
pub const CATCH_ALL_MAX: i64 = 20;
/// The key of that one.
pub const CATCH_ALL_OTHER: &str = "unmapped:other";
/// What the keys of catch-all incidents begin with.
pub const CATCH_ALL_PREFIX: &str = "unmapped:";

/// One key of the batch.
#[derive(Default)]
struct Slot {
    tenant_id: Arc<str>,
    state: KeyState,
    /// Where the open incident is in the store already: its last event there.
    stored: Option<String>,
    touched: bool,
    buried: Option<Timestamp>,
}

impl Slot {
    /// A key as the store has it.
    fn of(state: KeyState) -> Self {
        Self { stored: state.open.as_ref().map(|open| open.last_event_id.clone()), state, ..Self::default() }
    }
}

/// A batch being folded.
#[derive(Default)]
pub struct Fold<'a> {
    /// In the order in which they were first met: what is opened is nearly sorted by its id.
    slots: IndexMap<Key, Slot>,
    rows: Rows<'a>,
    /// Open catch-all incidents by integration, for those that the batch may add to.
    catch_alls: HashMap<Arc<str>, i64>,
}

impl<'a> Fold<'a> {
    /// A batch of so many keys that met this, and these numbers of open catch-alls.
    pub fn new(keys: usize, met: Met, catch_alls: HashMap<Arc<str>, i64>) -> Self {
        let mut slots: IndexMap<Key, Slot> = IndexMap::with_capacity(keys);
        for (key, incident) in met.open {
            slots.insert(key, Slot::of(KeyState { open: Some(incident), tombstone: None }));
        }
        for (key, tombstone) in met.tombstones {
            slots.entry(key).or_default().state.tombstone = Some(tombstone);
        }
        let rows = Rows { events: Vec::with_capacity(keys), ..Rows::default() };
        Self { slots, rows, catch_alls }
    }

    /// Adds a key whose state is known.
    pub fn remember(&mut self, key: Key, state: KeyState) {
        self.slots.insert(key, Slot::of(state));
    }

    /// The incident that an item meets at this point of the batch.
    pub fn open(&self, submission: &Submission, item: &Posted) -> Option<&Incident> {
        self.open_of(submission, self.dedup_key(submission, item))
    }

    /// Applies the items of a submission, in order. `at` is when it counts as received.
    pub fn items(&mut self, submission: &'a Submission, items: &'a [Posted], at: Timestamp) -> Vec<EventReceipt> {
        items.iter().filter_map(|item| self.item(submission, item, at)).collect()
    }

    /// Applies one item; `None`: it is no event, as things stand.
    pub fn item(&mut self, submission: &'a Submission, item: &'a Posted, at: Timestamp) -> Option<EventReceipt> {
        self.item_by(submission, item, at, &submission.actor)
    }

    /// As [`Fold::item`], where somebody else than the submission's actor does it.
    pub fn item_by(
        &mut self,
        submission: &'a Submission,
        item: &'a Posted,
        at: Timestamp,
        actor: &Actor,
    ) -> Option<EventReceipt> {
        let dedup_key = self.dedup_key(submission, item);
        let key = Key { integration_id: Arc::clone(&submission.integration_id), dedup_key: dedup_key.to_owned() };
        let slot = self.slots.entry(key.clone()).or_default();
        let open = slot.state.open.as_ref();
        if item.is_catch_all() && open.is_none() {
            *self.catch_alls.entry(Arc::clone(&submission.integration_id)).or_default() += 1;
        }
        let meant = item.incident_id.as_ref().is_none_or(|id| open.is_some_and(|open| open.id == *id));
        let seen = item.unseen_since.is_some_and(|since| open.is_some_and(|open| open.last_seen > since));
        if seen || !meant || (item.only_if_open && open.is_none()) {
            return None;
        }
        let event_id = id::new(Kind::Event);
        let arrival = Arrival { received_at: at, event_id: &event_id, service_id: &submission.service_id, actor: actor.clone() };
        slot.tenant_id = Arc::clone(&submission.tenant_id);
        slot.touched = true;
        let change = affect(&mut slot.state, &item.effect, &arrival);
        if change.buried {
            slot.buried = Some(at);
        }
        let receipt = EventReceipt {
            id: event_id,
            action: item.action(),
            dedup_key: dedup_key.to_owned(),
            outcome: change.outcome,
            incident_id: change.incident_id.clone(),
        };
        self.record(submission, item, dedup_key, (at, actor), &receipt, change, key);
        Some(receipt)
    }

    /// The key that an item counts for at this point of the batch; a catch-all beyond the twentieth shares one.
    fn dedup_key<'i>(&self, submission: &Submission, item: &'i Posted) -> &'i str {
        let key = item.key.as_str();
        let full = || self.catch_alls.get(&submission.integration_id).is_some_and(|count| *count >= CATCH_ALL_MAX);
        if item.is_catch_all() && self.open_of(submission, key).is_none() && full() { CATCH_ALL_OTHER } else { key }
    }

    fn open_of(&self, submission: &Submission, dedup_key: &str) -> Option<&Incident> {
        let key = Key { integration_id: Arc::clone(&submission.integration_id), dedup_key: dedup_key.to_owned() };
        self.slots.get(&key)?.state.open.as_ref()
    }

    #[allow(clippy::too_many_arguments)]
    fn record(
        &mut self,
        submission: &'a Submission,
        item: &'a Posted,
        dedup_key: &'a str,
        (at, actor): (Timestamp, &Actor),
        receipt: &EventReceipt,
        change: Change,
        key: Key,
    ) {
        let report = match &item.effect {
            Effect::Report(report) => Some(&**report),
            Effect::Unacknowledge | Effect::Remind => None,
        };
        self.rows.events.push(EventRow {
            id: receipt.id.clone(),
            tenant_id: &submission.tenant_id,
            request_id: submission.request_id(),
            integration_id: &submission.integration_id,
            incident_id: change.incident_id.clone(),
            previous_event_id: change.previous_event_id,
            action: receipt.action.as_str(),
            dedup_key,
            outcome: change.outcome.as_str(),
            severity: report.map_or(Severity::Info, |report| report.severity).as_str(),
            summary: report.map_or("", |report| &report.summary),
            source: report.map_or("", |report| &report.source),
            actor: actor.name(),
            note: item.note.as_deref(),
            occurred_at: item.occurred_at,
            received_at: at,
        });
        if let Some(notice) = change.notice.filter(|_| submission.notifies()) {
            let open = self.slots.get(&key).and_then(|slot| slot.state.open.as_ref());
            let about = open.into_iter().chain(&change.closed).find(|incident| Some(&incident.id) == change.incident_id.as_ref());
            self.rows.outbox.push(OutboxRow {
                severity: about.map(|incident| incident.severity.as_str()),
                tenant_id: &submission.tenant_id,
                event: notice.as_str(),
                incident_id: change.incident_id,
                change_id: None,
                event_id: Some(receipt.id.clone()),
                created_at: at,
            });
        }
        if let Some(closed) = change.closed {
            let slot = self.slots.entry(key.clone()).or_default();
            let row = IncidentRow::new(Arc::clone(&submission.tenant_id), key, closed, slot.stored.take());
            if row.met.is_some() { self.rows.resolved.push(row) } else { self.rows.opened.push(row) }
        }
    }

    /// Whether the batch, or what it met, has news of an item's key that is newer than `at`.
    pub fn has_news(&self, submission: &Submission, item: &Posted, at: Timestamp) -> bool {
        let dedup_key = self.dedup_key(submission, item).to_owned();
        let slot = self.slots.get(&Key { integration_id: Arc::clone(&submission.integration_id), dedup_key });
        slot.is_some_and(|slot| {
            slot.buried.is_some_and(|buried| buried > at) || slot.state.open.as_ref().is_some_and(|open| open.last_seen > at)
        })
    }

    /// Adds what a replay did with an event of its request.
    pub fn replayed(&mut self, row: ReplayRow<'a>) {
        self.rows.replays.push(row);
    }

    /// What replays of this batch did so far.
    pub fn replays(&self) -> &[ReplayRow<'a>] {
        &self.rows.replays
    }

    /// Adds the change events of a submission.
    pub fn changes(&mut self, submission: &'a Submission, at: Timestamp) {
        for change in &submission.changes {
            self.change(submission, change, at);
        }
    }

    fn change(&mut self, submission: &'a Submission, change: &'a ChangeEvent, at: Timestamp) {
        let id = id::new(Kind::Change);
        if submission.notifies() {
            self.rows.outbox.push(OutboxRow {
                tenant_id: &submission.tenant_id,
                event: "change.created",
                incident_id: None,
                change_id: Some(id.clone()),
                event_id: None,
                created_at: at,
                severity: None,
            });
        }
        self.rows.changes.push(row::change(submission, change, id, at));
    }

    /// Adds the ledger row and the delivery id of a submission whose events are `events`.
    pub fn ledger(&mut self, submission: &'a Submission, events: &[EventReceipt], at: Timestamp) {
        let Some(ledger) = &submission.ledger else { return };
        let bounds = events.first().zip(events.last()).map(|(first, last)| (first.id.clone(), last.id.clone()));
        let verdict = if events.is_empty() { ledger.verdict } else { ledger.verdict.acting() };
        self.rows.requests.push(row::request(submission, ledger, verdict.as_str(), at, bounds));
        if let Some(seen) = seen_row(submission, at) {
            self.rows.seen.push(seen);
        }
    }

    /// Adds the ledger row of a delivery that had its effect before.
    pub fn duplicate(&mut self, submission: &'a Submission, at: Timestamp) -> Receipt {
        if let Some(ledger) = &submission.ledger {
            let row = row::request(submission, ledger, "duplicate", at, None);
            self.rows.requests.push(RequestRow { message: Some(DUPLICATE), ..row });
        }
        Receipt::default()
    }

    /// The rows to write.
    pub fn finish(mut self) -> Rows<'a> {
        let opens = self.slots.values().filter(|slot| slot.state.open.is_some() && slot.stored.is_none()).count();
        self.rows.opened.reserve(opens);
        for (key, slot) in self.slots {
            if !slot.touched {
                continue;
            }
            if let (Some(updated_at), Some(tombstone)) = (slot.buried, slot.state.tombstone.clone()) {
                let tenant_id = Arc::clone(&slot.tenant_id);
                self.rows.tombstones.push(TombstoneRow { tenant_id, key: key.clone(), tombstone, updated_at });
            }
            if let Some(incident) = slot.state.open {
                let mut row = IncidentRow::new(slot.tenant_id, key, incident, slot.stored);
                row.tombstone = slot.state.tombstone;
                if row.met.is_some() { self.rows.updated.push(row) } else { self.rows.opened.push(row) }
            }
        }
        // Ids rise with time: in this order the index grows at its right edge. Updates lock in the order of the keys.
        // (Rows are large, and moved once each where their keys are sorted for them.)
        self.rows.opened.sort_by_cached_key(|row| id::number(&row.incident.id));
        self.rows.updated.sort_by_cached_key(|row| row.key.clone());
        self.rows.resolved.sort_by_cached_key(|row| row.key.clone());
        self.rows.tombstones.sort_by_cached_key(|row| row.key.clone());
        self.rows
    }
}

fn affect(state: &mut KeyState, effect: &Effect, arrival: &Arrival<'_>) -> Change {
    match effect {
        Effect::Report(report) => incident::apply(state, report, arrival, || id::new(Kind::Incident)),
        Effect::Unacknowledge => incident::unacknowledge(state, arrival),
        Effect::Remind => incident::remind(state, arrival),
    }
}
