//! The rows of a batch, as the fold leaves them.

use std::sync::Arc;

use crate::incident::{Incident, Status, Tombstone};
use crate::store::body::Kept;
use crate::store::{changes, incidents};
use crate::time::Timestamp;

/// A dedup key in its scope.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// The integration.
    pub integration_id: Arc<str>,
    /// The dedup key.
    pub dedup_key: String,
}

/// A ledger row.
#[derive(Debug)]
pub struct RequestRow<'a> {
    /// `req_…`.
    pub id: &'a str,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The integration, where one was found.
    pub integration_id: Option<&'a str>,
    /// The route's pattern.
    pub route: &'a str,
    /// What became of it.
    pub verdict: &'a str,
    /// The status it was answered with.
    pub status: u16,
    /// When it was received.
    pub received_at: Timestamp,
    /// Redacted headers, a JSON list of pairs.
    pub headers: &'a str,
    /// The redacted query string.
    pub query: &'a str,
    /// Method and subpath, where it is no POST to the integration itself.
    pub target: Option<&'a str>,
    /// The body, credentials overwritten.
    pub body: &'a Kept,
    /// The reason, where there is one.
    pub message: Option<&'a str>,
    /// The first of its events.
    pub first_event_id: Option<String>,
    /// The last of its events, where that is another one.
    pub last_event_id: Option<String>,
}

/// An event row.
#[derive(Debug)]
pub struct EventRow<'a> {
    /// `evt_…`.
    pub id: String,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The request it came with.
    pub request_id: Option<&'a str>,
    /// The integration.
    pub integration_id: &'a str,
    /// The incident it belongs to.
    pub incident_id: Option<String>,
    /// The event before it in the incident's timeline.
    pub previous_event_id: Option<String>,
    /// trigger, acknowledge or resolve.
    pub action: &'static str,
    /// The dedup key.
    pub dedup_key: &'a str,
    /// What it did.
    pub outcome: &'static str,
    /// Its severity.
    pub severity: &'static str,
    /// Its summary.
    pub summary: &'a str,
    /// Its source.
    pub source: &'a str,
    /// Who did it, where it was no tool.
    pub actor: Option<String>,
    /// What else there is to say.
    pub note: Option<&'a str>,
    /// When the tool says it happened.
    pub occurred_at: Option<Timestamp>,
    /// When it was received.
    pub received_at: Timestamp,
}

/// A change event's row.
#[derive(Debug)]
pub struct ChangeRow<'a> {
    /// `chg_…`.
    pub id: String,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The integration.
    pub integration_id: &'a str,
    /// Its service.
    pub service_id: &'a str,
    /// The request it came with.
    pub request_id: Option<&'a str>,
    /// The summary.
    pub summary: &'a str,
    /// The source.
    pub source: Option<&'a str>,
    /// JSON: custom_details, links, images.
    pub details: String,
    /// When it happened.
    pub occurred_at: Option<Timestamp>,
    /// When it was received.
    pub received_at: Timestamp,
}

impl ChangeRow<'_> {
    /// It as it will be read.
    pub fn as_read(&self) -> changes::Change {
        changes::Change {
            id: self.id.clone(),
            integration_id: self.integration_id.to_owned(),
            service_id: self.service_id.to_owned(),
            request_id: self.request_id.map(str::to_owned),
            summary: self.summary.to_owned(),
            source: self.source.map(str::to_owned),
            details: self.details.clone(),
            occurred_at: self.occurred_at.map(|at| at.0),
            received_at: self.received_at.0,
        }
    }
}

/// A row of the outbox.
#[derive(Debug)]
pub struct OutboxRow<'a> {
    /// The tenant.
    pub tenant_id: &'a str,
    /// `incident.triggered`, …, `change.created`.
    pub event: &'static str,
    /// The incident.
    pub incident_id: Option<String>,
    /// The change event.
    pub change_id: Option<String>,
    /// The event that caused it.
    pub event_id: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// How severe the incident was then.
    pub severity: Option<&'static str>,
}

/// An incident to write, with the columns that its state does not hold.
#[derive(Debug)]
pub struct IncidentRow {
    /// The tenant.
    pub tenant_id: Arc<str>,
    /// Its key.
    pub key: Key,
    /// Its number; given when it is inserted, on SQLite.
    pub number: i64,
    /// Its last event when it was read from the store, if it was.
    pub met: Option<String>,
    /// Its state.
    pub incident: Incident,
    /// What else the next event of its key meets; not written with it.
    pub tombstone: Option<Tombstone>,
    pub(super) shown: Arc<str>,
    pub(super) evidence: Option<String>,
}

impl IncidentRow {
    /// Renders the JSON columns.
    pub fn new(tenant_id: Arc<str>, key: Key, incident: Incident, met: Option<String>) -> Self {
        let shown = incident.shown.to_json();
        let evidence = incident.evidence.as_ref().and_then(|evidence| serde_json::to_string(evidence).ok());
        Self { tenant_id, key, number: 0, met, incident, tombstone: None, shown, evidence }
    }

    /// The column: NULL while it is the title.
    pub(super) fn first_summary(&self) -> Option<&str> {
        (self.incident.first_summary != self.incident.title).then_some(self.incident.first_summary.as_str())
    }

    /// It as it will be read; of one that is not written yet the number is 0.
    pub fn as_read(&self) -> incidents::Incident {
        let incident = &self.incident;
        let time = |at: Option<Timestamp>| at.map(|at| at.0);
        incidents::Incident {
            id: incident.id.clone(),
            number: self.number,
            service_id: incident.service_id.clone(),
            integration_id: self.key.integration_id.to_string(),
            dedup_key: self.key.dedup_key.clone(),
            status: incident.status.as_str().to_owned(),
            title: incident.title.clone(),
            first_summary: self.first_summary().map(str::to_owned),
            severity: incident.severity.as_str().to_owned(),
            source: incident.source.clone(),
            shown: self.shown.to_string(),
            event_count: incident.event_count,
            first_seen: incident.first_seen.0,
            last_seen: incident.last_seen.0,
            acknowledged_at: time(incident.acknowledged_at),
            acknowledged_by: incident.acknowledged_by.clone(),
            resolved_at: time(incident.resolved_at),
            resolved_by: incident.resolved_by.clone(),
            previous_incident_id: incident.previous_incident_id.clone(),
            last_event_id: incident.last_event_id.clone(),
        }
    }

    /// The column: NULL once it is resolved.
    pub(super) fn open_key(&self) -> Option<&str> {
        (self.incident.status != Status::Resolved).then_some(self.key.dedup_key.as_str())
    }
}

/// A tombstone to write.
#[derive(Debug)]
pub struct TombstoneRow {
    /// The tenant.
    pub tenant_id: Arc<str>,
    /// The key.
    pub key: Key,
    /// What is remembered.
    pub tombstone: Tombstone,
    /// When it changed.
    pub updated_at: Timestamp,
}

/// A delivery id that must not have an effect again.
#[derive(Debug)]
pub struct SeenRow<'a> {
    /// The integration.
    pub integration_id: &'a str,
    /// The id that the sender guarantees.
    pub delivery_id: &'a str,
    /// SHA-256 of the body, hex.
    pub body_hash: &'a str,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The request that had the effect.
    pub request_id: &'a str,
    /// Until when it is remembered.
    pub expires_at: Timestamp,
}

/// What a replay did with one event of its request.
#[derive(Debug)]
pub struct ReplayRow<'a> {
    /// The request.
    pub request_id: &'a str,
    /// Which event of it.
    pub mark: String,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The event that was made; `None` where one is only counted as understood now.
    pub event_id: Option<String>,
    /// The incident of that event, or the catch-all incident in which it stood.
    pub incident_id: Option<String>,
    /// When.
    pub replayed_at: Timestamp,
}

/// All that one batch writes.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    /// Ledger rows.
    pub requests: Vec<RequestRow<'a>>,
    /// Event rows, in order.
    pub events: Vec<EventRow<'a>>,
    /// Incidents opened in this batch (and perhaps resolved in it).
    pub opened: Vec<IncidentRow>,
    /// Incidents that stay open.
    pub updated: Vec<IncidentRow>,
    /// Incidents that were open before and are resolved now.
    pub resolved: Vec<IncidentRow>,
    /// Tombstones.
    pub tombstones: Vec<TombstoneRow>,
    /// Change events.
    pub changes: Vec<ChangeRow<'a>>,
    /// The outbox.
    pub outbox: Vec<OutboxRow<'a>>,
    /// Delivery ids.
    pub seen: Vec<SeenRow<'a>>,
    /// What replays did.
    pub replays: Vec<ReplayRow<'a>>,
}
