//! Values as templates see them, and as `json` writes them.
//!
//! The two differ: an incident without a component has the empty text in a template and `null` in JSON, and an application of Coroot's is
//! an object in a template and one text in JSON. [`Written`] knows the JSON of each object and list that has one of its own.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};
use std::sync::Arc;

use gotmpl::Value;
use serde::Serialize;

use super::VALUE_MAX;

/// The JSON of objects and lists, by their addresses: they live as long as the values of the run they are made for.
#[derive(Default)]
pub(super) struct Written(HashMap<usize, String>);

impl Written {
    /// `value`, of which `json` will write what `same` is.
    pub(super) fn with<T: Serialize + ?Sized>(&mut self, value: Value, same: &T) -> Value {
        if let (Some(address), Ok(json)) = (address(&value), serde_json::to_string(same)) {
            self.0.insert(address, json);
        }
        value
    }

    /// The text that a value is in JSON, where that is what an object is.
    pub(super) fn text(&self, value: &Value) -> Option<String> {
        let json = self.get(value).filter(|json| json.starts_with('"'))?;
        serde_json::from_str(json).ok()
    }

    fn get(&self, value: &Value) -> Option<&str> {
        address(value).and_then(|address| self.0.get(&address)).map(String::as_str)
    }
}

fn address(value: &Value) -> Option<usize> {
    match value {
        Value::Map(map) => Some(Arc::as_ptr(map) as usize),
        Value::List(list) => Some(Arc::as_ptr(list).cast::<Value>() as usize),
        _ => None,
    }
}

/// A text; one that is longer than a value may be loses its end.
pub(super) fn text(text: &str) -> Value {
    let end = text.floor_char_boundary(VALUE_MAX);
    Value::from(text.get(..end).unwrap_or_default())
}

/// A text, or an empty one: what is not there is shown as nothing, and is false.
pub(super) fn optional(given: Option<&str>) -> Value {
    text(given.unwrap_or_default())
}

/// An object.
pub(super) fn map<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::from(members.into_iter().map(|(name, value)| (Arc::from(name), value)).collect::<BTreeMap<Arc<str>, Value>>())
}

/// A list.
pub(super) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from(items.into_iter().collect::<Vec<_>>())
}

/// What a tool sent, as it is.
pub(super) fn of_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => {
            let whole = number.as_i64().map(Value::Int).or_else(|| number.as_u64().map(Value::Uint));
            whole.or_else(|| number.as_f64().map(Value::Float)).unwrap_or(Value::Nil)
        }
        Json::String(given) => text(given),
        Json::Array(items) => list(items.iter().map(of_json)),
        Json::Object(members) => map(members.iter().map(|(name, value)| (name.as_str(), of_json(value)))),
    }
}

/// A value as JSON; `None` when that would be longer than `max` bytes.
pub(super) fn json(value: &Value, written: &Written, max: usize) -> Option<String> {
    let mut out = Bounded::new(max);
    write_json(&mut out, value, written).ok()?;
    Some(out.into_text())
}

fn write_json(out: &mut Bounded, value: &Value, written: &Written) -> fmt::Result {
    if let Some(json) = written.get(value) {
        return out.write_str(json);
    }
    match value {
        Value::Nil | Value::Function(_) => out.write_str("null"),
        Value::Float(number) if !number.is_finite() => out.write_str("null"),
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => write!(out, "{value}"),
        Value::String(text) => write!(out, "{}", serde_json::Value::from(&**text)),
        Value::List(items) => {
            out.write_char('[')?;
            for (n, item) in items.iter().enumerate() {
                out.write_str(if n > 0 { "," } else { "" })?;
                write_json(out, item, written)?;
            }
            out.write_char(']')
        }
        Value::Map(members) => {
            out.write_char('{')?;
            for (n, (name, value)) in members.iter().enumerate() {
                out.write_str(if n > 0 { "," } else { "" })?;
                write!(out, "{}:", serde_json::Value::from(&**name))?;
                write_json(out, value, written)?;
            }
            out.write_char('}')
        }
    }
}

/// A text that takes no more than it may.
pub(super) struct Bounded {
    text: String,
    max: usize,
}

impl Bounded {
    /// An empty one.
    pub(super) const fn new(max: usize) -> Self {
        Self { text: String::new(), max }
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > self.max {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}
