//! The PagerDuty routes as PagerDuty answers them: whole requests through a socket, on both databases.
//!
//! Two sets run through the same replay: the project's own (`cases.rs`), and, where the checkout has it beside it, the larger
//! collection `../shared/conformance/cases.json`.

mod cases;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::support::{Api, Callbox, Database, announce_skip, raw};

on_both!(own_cases, shared_cases);

async fn own_cases(database: Database) {
    assert_all_hold(&cases::all(), &database).await;
}

async fn shared_cases(database: Database) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/cases.json");
    match std::fs::read(&file) {
        Ok(text) => assert_all_hold(&serde_json::from_slice::<Vec<Value>>(&text).unwrap(), &database).await,
        // A clone on its own is complete without it, so this is no failure anywhere.
        Err(error) => announce_skip(&format!("{}: {error}", file.display())),
    }
}

/// Replays all cases and names every one that fails, not only the first.
async fn assert_all_hold(cases: &[Value], database: &Database) {
    let service = Callbox::start(database).await;
    let api = service.api();
    let mut groups: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for case in cases {
        // Cases without a group are independent of each other: they share the group without a name.
        groups.entry(case["group"].as_str().unwrap_or_default()).or_default().push(case);
    }
    let mut failures = Vec::new();
    for (group, cases) in groups {
        // Two new integrations are a fresh state: nothing reaches across integrations.
        let keys = Keys::create(&api, group).await;
        for case in cases {
            if let Err(why) = replay(case, &keys, service.address()).await {
                failures.push(format!("{}: {why}", case["name"].as_str().unwrap_or("(no name)")));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// What stands for `$ROUTING_KEY` and `$ROUTING_KEY_2`.
struct Keys([String; 2]);

impl Keys {
    async fn create(api: &Api, group: &str) -> Self {
        let first = api.integration("events", &format!("first {group}")).await;
        let second = api.integration("events", &format!("second {group}")).await;
        Self([first.key, second.key])
    }

    fn fill(&self, text: &str) -> String {
        // The longer name first: the shorter is its beginning.
        repeat(&text.replace("$ROUTING_KEY_2", &self.0[1]).replace("$ROUTING_KEY", &self.0[0]))
    }

    fn fill_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_all(item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, value)| (name.clone(), self.fill_all(value))).collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }
}

/// `$REPEAT(x,N)` is N times x.
fn repeat(text: &str) -> String {
    let Some((before, rest)) = text.split_once("$REPEAT(") else { return text.to_owned() };
    let (arguments, after) = rest.split_once(')').expect("$REPEAT has an end");
    let (what, count) = arguments.rsplit_once(',').expect("$REPEAT has two arguments");
    format!("{before}{}{}", what.repeat(count.trim().parse().unwrap()), repeat(after))
}

async fn replay(case: &Value, keys: &Keys, address: &str) -> Result<(), String> {
    let body = match &case["body"] {
        Value::Null => Vec::new(),
        Value::Object(fields) if fields.contains_key("$raw") => keys.fill(fields["$raw"].as_str().unwrap()).into_bytes(),
        body => serde_json::to_vec(&keys.fill_all(body)).unwrap(),
    };
    let headers: Vec<(String, String)> =
        case["headers"].as_object().into_iter().flatten().map(|(n, v)| (n.clone(), keys.fill(v.as_str().unwrap()))).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let bytes = raw::request(case["method"].as_str().unwrap(), case["path"].as_str().unwrap(), &headers, &body);
    let reply = raw::send(address, &bytes).await;
    let text = String::from_utf8_lossy(&reply.body);
    if u64::from(reply.status) != case["expect"]["status"].as_u64().unwrap() {
        return Err(format!("expected {}, got {} {text}", case["expect"]["status"], reply.status));
    }
    holds(&keys.fill_all(&case["expect"]["json_subset"]), &reply.json()).map_err(|why| format!("{why} in {text}"))
}

/// Whether `actual` has what `expected` lists: objects field by field, of an array every element listed, in any order.
fn holds(expected: &Value, actual: &Value) -> Result<(), String> {
    match expected {
        Value::Object(fields) => {
            fields.iter().try_for_each(|(name, value)| holds(value, &actual[name]).map_err(|why| format!("{name}: {why}")))
        }
        Value::Array(items) => {
            let found = actual.as_array().ok_or_else(|| format!("no array but {actual}"))?;
            match items.iter().find(|item| !found.iter().any(|candidate| holds(item, candidate).is_ok())) {
                None => Ok(()),
                Some(item) => Err(format!("{item} is missing")),
            }
        }
        Value::String(text) if text == "$NONEMPTY" => {
            actual.as_str().filter(|text| !text.is_empty()).map(drop).ok_or_else(|| format!("no text but {actual}"))
        }
        _ if expected == actual => Ok(()),
        _ => Err(format!("expected {expected}, got {actual}")),
    }
}
