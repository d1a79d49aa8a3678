//! Messages for the tests of channels.

use serde_json::{Map, Value};

use super::{Channel, Letter, Parcel, Sending, Target};
use crate::delivery::message::{Change, Incident, Message, Named, Occasion};
use crate::event::{Link, Severity, Urgency};
use crate::incident::Status;
use crate::secret::Secret;
use crate::time::Timestamp;

/// When everything happens.
pub const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);

const TIME: &str = "2025-06-15T15:06:40.000000Z";

fn named(id: &str, name: &str) -> Named {
    Named { id: id.to_owned(), name: name.to_owned(), kind: None }
}

/// A page of an incident with this title.
pub fn incident(title: &str) -> Message {
    let time = TIME;
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
        hops: 0,
    }
}

/// A change with this summary.
pub fn change(summary: &str) -> Message {
    Message {
        event: Occasion::Change,
        timestamp: TIME.to_owned(),
        incident: None,
        change: Some(Change {
            id: "chg_1".to_owned(),
            summary: summary.to_owned(),
            source: Some("ci.example.com".to_owned()),
            service: named("svc_1", "checkout"),
            integration: named("int_1", "production"),
            timestamp: TIME.to_owned(),
            custom_details: None,
            links: vec![Link { href: "https://ci.example.com/runs/1".to_owned(), text: Some("Run 1".to_owned()) }],
        }),
        notes: Vec::new(),
        hops: 0,
    }
}

/// A test of a destination.
pub fn test() -> Message {
    Message { event: Occasion::Test, timestamp: TIME.to_owned(), incident: None, change: None, notes: Vec::new(), hops: 0 }
}

/// A destination there, without a token.
pub fn target(url: &str) -> Target {
    Target {
        name: "receiver".to_owned(),
        url: Secret::new(url),
        token: None,
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

/// A destination with options.
pub fn with(target: Target, options: &Value) -> Target {
    Target { options: options.as_object().unwrap().clone(), ..target }
}

/// A destination with a token.
pub fn known(target: Target, token: &str) -> Target {
    Target { token: Some(Secret::new(token)), ..target }
}

/// What a parcel of JSON holds.
pub fn sent(parcel: &Parcel) -> Value {
    serde_json::from_slice(&parcel.body).unwrap()
}

/// A header field of a parcel.
pub fn header<'a>(parcel: &'a Parcel, name: &str) -> Option<&'a str> {
    parcel.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.expose())
}

/// The names of the settings that a channel finds wrong.
pub fn wrong(channel: &dyn Channel, target: &Target) -> Vec<&'static str> {
    channel.problems(target).into_iter().map(|(name, _)| name).collect()
}
