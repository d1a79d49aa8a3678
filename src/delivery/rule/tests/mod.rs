//! Rules as users write them, and what becomes of them.

mod conditions;
mod documented;
mod pacing;
mod planning;
mod reading;
mod wanting;
mod windows;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{Kind, Lookup, Problem, Rule};
use crate::delivery::message::{Change, Incident, Message, Named, Occasion};
use crate::event::{Severity, Urgency};
use crate::incident::Status;

/// Knows `ops`, `sms`, `push`, `slack` and `email` by the ids `dst_ops`…, every service and integration that begins with `known`, and the
/// zones of this machine but `Europe/Gone`.
struct Here;

impl Lookup for Here {
    fn id(&self, kind: Kind, word: &str) -> Result<String, String> {
        let known = match kind {
            Kind::Destination => ["ops", "sms", "push", "slack", "email"].contains(&word),
            Kind::Service | Kind::Integration => word.starts_with("known"),
        };
        let prefix = if kind == Kind::Destination { "dst" } else { "id" };
        if known { Ok(format!("{prefix}_{word}")) } else { Err(format!("there is no {} {word:?}", kind.as_str())) }
    }

    fn zone(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(name).ok()
    }
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

fn read(value: Value) -> Result<Rule, Vec<Problem>> {
    Rule::from_json(&map(value), &Here)
}

fn rule(value: Value) -> Rule {
    read(value).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn named(name: &str) -> Named {
    Named { id: format!("id_known_{name}"), name: name.to_owned(), kind: Some("prometheus".to_owned()) }
}

/// A critical incident of the service `shop`, just opened.
pub(super) fn triggered() -> Message {
    let incident = Incident {
        id: "inc_1".to_owned(),
        number: 7,
        title: "Disk full on db1".to_owned(),
        status: Status::Triggered,
        urgency: Urgency::High,
        severity: Severity::Critical,
        service: named("shop"),
        integration: named("alerts"),
        dedup_key: "disk/db1".to_owned(),
        source: "db1.example".to_owned(),
        component: None,
        group: None,
        class: None,
        event_count: 2,
        first_seen: "2026-11-21T09:00:00.000000Z".to_owned(),
        last_seen: "2026-11-21T09:01:00.000000Z".to_owned(),
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        assignee: None,
        url: None,
        details: None,
    };
    let timestamp = "2026-11-21T09:01:00.000000Z".to_owned();
    Message { event: Occasion::Triggered, timestamp, incident: Some(incident), change: None, notes: Vec::new(), hops: 0 }
}

/// A change of the same service.
pub(super) fn changed() -> Message {
    let change = Change {
        id: "chg_1".to_owned(),
        summary: "Deployed shop 4.2".to_owned(),
        source: None,
        service: named("shop"),
        integration: named("alerts"),
        timestamp: "2026-11-21T09:01:00.000000Z".to_owned(),
        custom_details: None,
        links: Vec::new(),
    };
    let timestamp = change.timestamp.clone();
    Message { event: Occasion::Change, timestamp, incident: None, change: Some(change), notes: Vec::new(), hops: 0 }
}
