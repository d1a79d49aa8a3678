//! Rules as users write them, and what becomes of them.

mod reading;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{Kind, Lookup, Problem, Rule};

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
