//! Messages out of rows: what happened to an incident, or a change, in the words of [`crate::delivery::message`].

use serde_json::Value;

use crate::delivery::message::{Change, Details, Incident, Message, Named, Occasion};
use crate::delivery::thread::{self, State};
use crate::event::Severity;
use crate::incident::{Shown, Status};
use crate::ingest::snapshot::Snapshot;
use crate::store::{changes, incidents};
use crate::time::Timestamp;

/// What is not in the rows.
pub struct Context<'a> {
    /// Names.
    pub snapshot: &'a Snapshot,
    /// What links begin with.
    pub public_url: &'a str,
}

/// Where an incident stands.
pub fn state(row: &incidents::Incident) -> State {
    State {
        status: Status::parse(&row.status).unwrap_or(Status::Triggered),
        severity: Severity::parse(&row.severity).unwrap_or(Severity::Error),
    }
}

/// What is told of an incident to which this happened at `at`.
pub fn of_incident(context: &Context<'_>, row: &incidents::Incident, occasion: Occasion, at: Timestamp) -> Message {
    let State { status, severity } = thread::at(occasion, state(row), row.acknowledged_at.is_some());
    let time = |at: Option<i64>| at.map(|at| Timestamp(at).to_string());
    let fields = Shown::from_json(row.shown.as_str()).fields().into_owned();
    // An incident may have gone on since: a message tells of its moment.
    let acknowledged = status != Status::Triggered;
    let resolved = status == Status::Resolved;
    let integration = context.snapshot.integrations.get(row.integration_id.as_str());
    Message {
        event: occasion,
        timestamp: at.to_string(),
        incident: Some(Incident {
            id: row.id.clone(),
            number: row.number,
            title: row.title.clone(),
            status,
            urgency: severity.urgency(),
            severity,
            service: service(context, &row.service_id),
            integration: Named {
                id: row.integration_id.clone(),
                name: integration.map_or_else(String::new, |integration| integration.name.clone()),
                kind: integration.map(|integration| integration.kind.clone()),
            },
            dedup_key: row.dedup_key.clone(),
            source: row.source.clone(),
            component: fields.component,
            group: fields.group,
            class: fields.class,
            event_count: row.event_count,
            first_seen: Timestamp(row.first_seen).to_string(),
            last_seen: Timestamp(row.last_seen).to_string(),
            acknowledged_at: time(row.acknowledged_at).filter(|_| acknowledged),
            acknowledged_by: row.acknowledged_by.clone().filter(|_| acknowledged),
            resolved_at: time(row.resolved_at).filter(|_| resolved),
            resolved_by: row.resolved_by.clone().filter(|_| resolved),
            assignee: None,
            url: Some(format!("{}/incidents/{}", context.public_url, row.id)),
            details: None,
        }),
        change: None,
        notes: Vec::new(),
        hops: fields.hops,
    }
}

/// What a tool said besides, for destinations that include it.
pub fn details(row: &incidents::Incident) -> Details {
    let fields = Shown::from_json(row.shown.as_str()).fields().into_owned();
    Details {
        custom_details: fields.custom_details,
        links: fields.links,
        images: fields.images,
        client: fields.client,
        client_url: fields.client_url,
    }
}

/// What is told of a change.
pub fn of_change(context: &Context<'_>, row: &changes::Change, at: Timestamp) -> Message {
    let mut details: Value = serde_json::from_str(&row.details).unwrap_or_default();
    let mut take = |name: &str| details.get_mut(name).map(Value::take).filter(|value| !value.is_null());
    let custom_details = take("custom_details");
    let hops = take("hops").and_then(|hops| serde_json::from_value(hops).ok()).unwrap_or_default();
    let links = take("links").and_then(|links| serde_json::from_value(links).ok()).unwrap_or_default();
    let integration = context.snapshot.integrations.get(row.integration_id.as_str());
    Message {
        event: Occasion::Change,
        timestamp: at.to_string(),
        incident: None,
        change: Some(Change {
            id: row.id.clone(),
            summary: row.summary.clone(),
            source: row.source.clone(),
            service: service(context, &row.service_id),
            integration: Named {
                id: row.integration_id.clone(),
                name: integration.map_or_else(String::new, |integration| integration.name.clone()),
                kind: integration.map(|integration| integration.kind.clone()),
            },
            timestamp: Timestamp(row.occurred_at.unwrap_or(row.received_at)).to_string(),
            custom_details,
            links,
        }),
        notes: Vec::new(),
        hops,
    }
}

fn service(context: &Context<'_>, id: &str) -> Named {
    let name = context.snapshot.services.get(id).map_or_else(String::new, |service| service.name.clone());
    Named { id: id.to_owned(), name, kind: None }
}
