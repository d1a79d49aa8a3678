//! Messages out of events: what a destination is told where no service keeps the incident.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::delivery::message::{Change, Details, Incident, Message, Named, Occasion};
use crate::event::v2::{self, Mode};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::id::{self, Kind};
use crate::incident::Status;
use crate::provider::key;
use crate::time::Timestamp;

/// An event and what is told of it.
#[derive(Debug)]
pub struct Told {
    /// What is told.
    pub message: Message,
    /// What it asks for; `None` of a change.
    pub action: Option<Action>,
    /// Which alert it is about; `None` of a change.
    pub key: Option<DedupKey>,
    /// How bad it says it is; `None` where it says nothing, as an acknowledge need not.
    pub severity: Option<Severity>,
}

impl Told {
    /// Of an event of the Events API v2. A trigger without a key gets one: made of its summary and source if `guess`, else a new one.
    ///
    /// # Errors
    /// It is none: a sentence.
    pub fn event(body: &Value, guess: bool, now: Timestamp) -> Result<Self, String> {
        let draft = v2::parse(body, &[], None, Mode::Api, now).map_err(|invalid| invalid.to_string())?;
        let says_severity = draft.action == Action::Trigger || draft.provenance.severity == "payload.severity";
        let guessed = guess.then(|| key::guess(&draft.summary, &draft.source));
        let event = draft.into_event(|| guessed.map_or_else(DedupKey::random, Ok)).map_err(|error| error.to_string())?;
        let (occasion, status) = match event.action {
            Action::Trigger => (Occasion::Triggered, Status::Triggered),
            Action::Acknowledge => (Occasion::Acknowledged, Status::Acknowledged),
            Action::Resolve => (Occasion::Resolved, Status::Resolved),
        };
        let (action, key, severity) = (event.action, event.dedup_key.clone(), event.severity);
        let at = event.occurred_at.unwrap_or(now).to_string();
        let incident = incident(event, status, &at);
        let message = Message {
            event: occasion,
            timestamp: now.to_string(),
            incident: Some(incident),
            change: None,
            notes: Vec::new(),
            hops: 0,
        };
        Ok(Self { message, action: Some(action), key: Some(key), severity: says_severity.then_some(severity) })
    }

    /// Of a change event.
    ///
    /// # Errors
    /// It is none: a sentence.
    pub fn change(body: &Value, now: Timestamp) -> Result<Self, String> {
        let mut body = body.clone();
        if let Some(members) = body.as_object_mut() {
            members.remove("routing_key");
        }
        // A key is of no use here, and without one it would be no change event.
        let change = v2::parse_change(&body, &[], Some(&"0".repeat(32))).map_err(|invalid| invalid.to_string())?;
        let change = Change {
            id: id::new(Kind::Change),
            summary: change.summary,
            source: change.source,
            service: Named::default(),
            integration: sender(None),
            timestamp: change.occurred_at.unwrap_or(now).to_string(),
            custom_details: change.custom_details,
            links: change.links,
        };
        let message = Message {
            event: Occasion::Change,
            timestamp: now.to_string(),
            incident: None,
            change: Some(change),
            notes: Vec::new(),
            hops: 0,
        };
        Ok(Self { message, action: None, key: None, severity: None })
    }
}

/// The incident that the events of one key are about.
fn incident(event: Event, status: Status, at: &str) -> Incident {
    let title = if event.summary.trim().is_empty() { event.dedup_key.to_string() } else { event.summary };
    let custom_details = event.custom_details.and_then(|details| serde_json::value::to_raw_value(&details).ok());
    let when = |is: bool| is.then(|| at.to_owned());
    Incident {
        id: incident_id(&event.dedup_key),
        number: 0,
        title,
        status,
        urgency: event.severity.urgency(),
        severity: event.severity,
        service: Named::default(),
        integration: sender(event.client.as_deref()),
        dedup_key: event.dedup_key.to_string(),
        source: event.source,
        component: event.component,
        group: event.group,
        class: event.class,
        event_count: 1,
        first_seen: at.to_owned(),
        last_seen: at.to_owned(),
        acknowledged_at: when(status == Status::Acknowledged),
        acknowledged_by: None,
        resolved_at: when(status == Status::Resolved),
        resolved_by: None,
        assignee: None,
        // There is none to look at.
        url: None,
        details: Some(Details {
            custom_details,
            links: event.links,
            images: event.images,
            client: event.client,
            client_url: event.client_url,
        }),
    }
}

/// An id that all events of a key share, over runs too: by it receivers know what an acknowledge or a resolve is about.
fn incident_id(key: &DedupKey) -> String {
    let digest = Sha256::digest(key.as_str());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    id::text(Kind::Incident, (number >> 1).cast_signed())
}

fn sender(client: Option<&str>) -> Named {
    Named { id: String::new(), name: client.unwrap_or("callbox send").to_owned(), kind: None }
}
