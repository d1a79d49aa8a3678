//! The templates of a destination, as they are set, shown and stored.
//!
//! `{"incident": {"source": "…", "body": "json", "content_type": "…"}, "change": {"name": "coroot"}}`; in place of the object a text is a
//! source, for JSON where it looks like that.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{About, Body, Named, Template};
use crate::delivery::message::Message;
use crate::delivery::rule::Problem;

/// Bytes of a content type.
const CONTENT_TYPE_MAX: usize = 100;

/// What a destination's own bodies are made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Those about incidents.
    pub incident: Option<Setting>,
    /// Those about changes.
    pub change: Option<Setting>,
}

/// One template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Setting {
    /// One that ships with Callbox.
    Named {
        /// Its name.
        name: String,
        /// How it is sent, where not as it usually is.
        content_type: Option<String>,
    },
    /// One of the user's own.
    Own {
        /// The template.
        source: String,
        /// What it makes; `None`: as it looks.
        body: Option<Body>,
        /// How it is sent, where not as it usually is.
        content_type: Option<String>,
    },
}

/// The same, compiled.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Templates {
    /// Those about incidents.
    pub incident: Option<Template>,
    /// Those about changes.
    pub change: Option<Template>,
}

impl Settings {
    /// Reads them as a user gives them, and tries each on samples.
    ///
    /// # Errors
    /// Everything that is wrong with them; fields as in `incident.source`.
    pub fn from_json(map: &Map<String, Value>) -> Result<Self, Vec<Problem>> {
        let (settings, mut problems) = read(map);
        problems.extend(settings.problems());
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// What is wrong with the templates themselves, each with its field; empty: nothing.
    pub fn problems(&self) -> Vec<Problem> {
        let of = |(place, about, setting): (&str, About, &Option<Setting>)| {
            let setting = setting.as_ref()?;
            let tried = setting.compile(about).and_then(|template| match setting {
                Setting::Named { .. } => Ok(()),
                Setting::Own { .. } => template.try_out(about).map_err(|problem| ("source", problem.to_string())),
            });
            tried.err().map(|(field, message)| Problem::new(format!("{place}.{field}"), message))
        };
        self.each().into_iter().filter_map(of).collect()
    }

    /// Compiles them, as stored: what was saved by an earlier release is not tried out anew.
    ///
    /// # Errors
    /// The first that does not compile, in a sentence.
    pub fn compile(&self) -> Result<Templates, String> {
        let one = |(place, about, setting): (&str, About, &Option<Setting>)| {
            let compiled = setting.as_ref().map(|setting| setting.compile(about)).transpose();
            compiled.map_err(|(field, why)| format!("its template {place}.{field} does not work any more: {why}"))
        };
        let [incident, change] = self.each();
        Ok(Templates { incident: one(incident)?, change: one(change)? })
    }

    /// As the management API shows them and the store keeps them.
    pub fn to_json(&self) -> Map<String, Value> {
        let given =
            self.each().into_iter().filter_map(|(place, _, setting)| Some((place.to_owned(), setting.as_ref()?.to_json())));
        given.collect()
    }

    const fn each(&self) -> [(&'static str, About, &Option<Setting>); 2] {
        [("incident", About::Incident, &self.incident), ("change", About::Change, &self.change)]
    }
}

impl Setting {
    fn compile(&self, about: About) -> Result<Template, (&'static str, String)> {
        let (template, content_type) = match self {
            Self::Named { name, content_type } => {
                let named = Named::by_name(name).ok_or_else(|| ("name", unknown(name)))?;
                let tells_nothing = || ("name", format!("{} tells of no changes: write a template of your own", named.of));
                let source = named.source(about).ok_or_else(tells_nothing)?;
                (Template::parse(source, Body::Json), content_type)
            }
            Self::Own { source, body, content_type } => (Template::parse_as(source, *body), content_type),
        };
        let template = template.map_err(|problem| ("source", problem.to_string()))?;
        let Some(content_type) = content_type else { return Ok(template) };
        let json = content_type.to_ascii_lowercase().contains("json");
        if !is_content_type(content_type) {
            return Err(("content_type", "must be a media type: application/json".to_owned()));
        }
        if json && template.body() == Body::Text {
            return Err((
                "content_type",
                "is JSON, and the body is not: set body to json, so that it is valid whatever it says".to_owned(),
            ));
        }
        Ok(template.sent_as(content_type))
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), value.into());
            }
        };
        match self {
            Self::Named { name, content_type } => {
                set("name", Some(name));
                set("content_type", content_type.as_deref());
            }
            Self::Own { source, body, content_type } => {
                set("source", Some(source));
                set("body", body.map(Body::as_str));
                set("content_type", content_type.as_deref());
            }
        }
        Value::Object(map)
    }
}

impl Templates {
    /// The one for this message, where there is one. A test of the destination is told as an incident.
    pub const fn of(&self, message: &Message) -> Option<&Template> {
        if message.change.is_some() { self.change.as_ref() } else { self.incident.as_ref() }
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// As stored: read, and neither compiled nor tried.
impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (settings, problems) = read(&Map::deserialize(deserializer)?);
        match problems.first() {
            None => Ok(settings),
            Some(problem) => Err(serde::de::Error::custom(format!("{}: {}", problem.field, problem.message))),
        }
    }
}

fn read(map: &Map<String, Value>) -> (Settings, Vec<Problem>) {
    let mut problems = Vec::new();
    for name in map.keys().filter(|name| !["incident", "change"].contains(&name.as_str())) {
        problems.push(Problem::new(name, "is unknown: there are incident and change"));
    }
    let mut one = |place: &str| match map.get(place) {
        None | Some(Value::Null) => None,
        Some(Value::String(source)) => Some(Setting::Own { source: source.clone(), body: None, content_type: None }),
        Some(Value::Object(given)) => setting(place, given, &mut problems),
        Some(_) => {
            problems.push(Problem::new(place, "must be a template, or an object with its source or name"));
            None
        }
    };
    let settings = Settings { incident: one("incident"), change: one("change") };
    (settings, problems)
}

fn setting(place: &str, given: &Map<String, Value>, problems: &mut Vec<Problem>) -> Option<Setting> {
    let before = problems.len();
    let mut wrong = |field: &str, why: String| problems.push(Problem::new(format!("{place}.{field}"), why));
    for name in given.keys().filter(|name| !["source", "name", "body", "content_type"].contains(&name.as_str())) {
        wrong(name, "is unknown: there are source, name, body and content_type".to_owned());
    }
    let mut text = |field: &str| match given.get(field) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            wrong(field, "must be a text".to_owned());
            None
        }
    };
    let (source, name, body, content_type) = (text("source"), text("name"), text("body"), text("content_type"));
    let body = body.map(|word| serde_json::from_value(json!(word)).map_err(|_| word));
    if let Some(Err(word)) = &body {
        wrong("body", format!("is {word:?}: must be json or text"));
    }
    let body = body.and_then(Result::ok);
    let setting = match (source, name) {
        (Some(source), None) => Some(Setting::Own { source, body, content_type }),
        (None, Some(name)) if body.is_none() => Some(Setting::Named { name, content_type }),
        (None, Some(_)) => {
            wrong("body", "is known of a template that is chosen by its name: leave it out".to_owned());
            None
        }
        (Some(_), Some(_)) => {
            wrong("name", "cannot be combined with source: use one of them".to_owned());
            None
        }
        (None, None) => {
            wrong("source", format!("is missing: write a template, or choose one by name: {}", names()));
            None
        }
    };
    setting.filter(|_| problems.len() == before)
}

fn unknown(name: &str) -> String {
    format!("{name:?} is none of the templates that ship with Callbox: {}", names())
}

fn names() -> String {
    super::NAMED.iter().map(|named| named.name).collect::<Vec<_>>().join(", ")
}

/// `type/subtype`, with parameters or without, as a header field can carry it.
fn is_content_type(text: &str) -> bool {
    let (kind, rest) = text.split_once('/').unwrap_or_default();
    let is_token =
        |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte));
    let visible = text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    text.len() <= CONTENT_TYPE_MAX && visible && is_token(kind) && is_token(rest.split([';', ' ']).next().unwrap_or_default())
}
