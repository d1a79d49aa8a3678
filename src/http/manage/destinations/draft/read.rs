//! Reading the fields of a destination that have a form of their own.

use serde_json::{Map, Value};

use crate::delivery::template;
use crate::http::manage::draft::SECRET_MAX;
use crate::http::manage::fields::Fields;
use crate::secret::Secret;

/// What stands in an answer where a secret was.
pub const MASK: &str = "***";
const MASKED: &str = "is masked: send it whole, or leave it out to keep what is set";
/// Header fields of one destination, and characters of a value.
const HEADERS_MAX: usize = 50;
const HEADER_MAX: usize = 4000;
/// Seconds that a breaker may rest.
const REST_MAX: i64 = 86_400;

/// Header fields that a body names: null takes one away; null for all of them takes all away.
pub type Headers = Option<Option<Vec<(String, Option<Secret>)>>>;

/// How much a destination is told.
pub fn include(word: &str) -> Option<&'static str> {
    ["summary", "details"].into_iter().find(|known| *known == word)
}

/// The members of an object.
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A secret as it is given; what an answer shows in its place is none.
pub fn secret(fields: &mut Fields, name: &'static str, max: usize) -> Option<Option<Secret>> {
    let text = fields.text(name, max)?;
    if text.as_ref().is_some_and(|text| text.contains(MASK)) {
        fields.problem(name, MASKED);
        return None;
    }
    Some(text.map(Secret::new))
}

/// Header fields, each of them or all.
pub fn headers(fields: &mut Fields) -> Headers {
    let Some(map) = fields.object("headers")?.map(object) else { return Some(None) };
    if map.len() > HEADERS_MAX {
        fields.problem("headers", format!("must be at most {HEADERS_MAX}"));
    }
    let mut all = Vec::new();
    for (name, value) in map {
        match value {
            Value::Null => all.push((name, None)),
            Value::String(text) if text.contains(MASK) => fields.problem(format!("headers.{name}"), MASKED),
            Value::String(text) if text.chars().count() <= HEADER_MAX => all.push((name, Some(Secret::new(text)))),
            _ => fields.problem(format!("headers.{name}"), format!("must be a text of at most {HEADER_MAX} characters, or null")),
        }
    }
    Some(Some(all))
}

/// User and password.
pub fn basic_auth(fields: &mut Fields) -> Option<Option<(String, Secret)>> {
    let Some(given) = fields.object("basic_auth")? else { return Some(None) };
    let text = |name: &str| given.get(name).and_then(Value::as_str).filter(|text| text.len() <= SECRET_MAX);
    let only = given.as_object().is_some_and(|map| map.keys().all(|key| key == "user" || key == "password"));
    match (text("user"), text("password")) {
        (_, Some(MASK)) => fields.problem("basic_auth.password", MASKED),
        (Some(user), Some(password)) if only => return Some(Some((user.to_owned(), Secret::new(password)))),
        _ => fields.problem("basic_auth", "must be an object of two texts: user and password"),
    }
    None
}

/// Templates that work, as far as trying them shows.
pub fn templates(fields: &mut Fields) -> Option<Option<Map<String, Value>>> {
    let Some(given) = fields.object("templates")?.map(object) else { return Some(None) };
    match template::Settings::from_json(&given) {
        Ok(settings) => {
            let mut stored = settings.to_json();
            stored.extend(given.into_iter().filter(|(_, template)| template.is_null()));
            Some(Some(stored))
        }
        Err(problems) => {
            problems.into_iter().for_each(|problem| fields.problem(format!("templates.{}", problem.field), problem.message));
            None
        }
    }
}

/// How long a breaker rests, in seconds.
pub fn breaker_rest(fields: &mut Fields) -> Option<Option<i64>> {
    let rest = fields.duration("breaker_rest", REST_MAX)?;
    if rest == Some(0) {
        fields.problem("breaker_rest", "must be longer than 0s; breaker_failures: 0 switches the breaker off");
        return None;
    }
    Some(rest)
}
