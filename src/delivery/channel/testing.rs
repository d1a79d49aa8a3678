//! Messages for the tests of channels.

use serde_json::Map;

use super::{Channel, Letter, Parcel, Sending, Target};
use crate::delivery::message::{Incident, Message, Named, Occasion};
use crate::event::{Severity, Urgency};
use crate::incident::Status;
use crate::secret::Secret;
use crate::time::Timestamp;

/// When everything happens.
pub const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);

/// A page of an incident with this title.
pub fn incident(title: &str) -> Message {
    let time = "2025-06-15T15:06:40.000000Z";
    let named = |id: &str, name: &str| Named { id: id.to_owned(), name: name.to_owned(), kind: None };
    Message {
        event: Occasion::Triggered,
        timestamp: time.to_owned(),
        incident: Some(Incident {
            id: "inc_1".to_owned(),
            number: 7,
            title: title.to_owned(),
            status: Status::Triggered,
            urgency: Urgency::High,
            severity: Severity::Critical,
            service: named("svc_1", "checkout"),
            integration: named("int_1", "production"),
            dedup_key: "disk:db-1".to_owned(),
            source: "db-1.example.com".to_owned(),
            component: None,
            group: None,
            class: None,
            event_count: 1,
            first_seen: time.to_owned(),
            last_seen: time.to_owned(),
            acknowledged_at: None,
            acknowledged_by: None,
            resolved_at: None,
            resolved_by: None,
            assignee: None,
            url: Some("https://callbox.example/incidents/inc_1".to_owned()),
            details: None,
        }),
        change: None,
        notes: Vec::new(),
    }
}

/// A destination there.
pub fn target(url: &str) -> Target {
    Target {
        name: "receiver".to_owned(),
        url: Secret::new(url),
        token: Some(Secret::new("the-token")),
        signing: Vec::new(),
        headers: Vec::new(),
        basic_auth: None,
        options: Map::new(),
    }
}

/// The first attempt at it.
pub fn letter(message: &Message) -> Letter<'_> {
    Letter { id: "dlv_1", message, now: NOW, remembered: None }
}

/// What a channel sends there, by HTTP.
pub fn parcel(channel: &dyn Channel, target: &Target, letter: &Letter<'_>) -> Parcel {
    http(channel.parcel(target, letter).unwrap())
}

/// What it sends where that is refused.
pub fn plain(channel: &dyn Channel, target: &Target, letter: &Letter<'_>) -> Parcel {
    http(channel.plain(target, letter).unwrap())
}

fn http(sending: Sending) -> Parcel {
    match sending {
        Sending::Http(parcel) => parcel,
        Sending::Mail(mail) => panic!("a mail: {mail:?}"),
    }
}
