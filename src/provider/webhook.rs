//! Any JSON over HTTP: the body of a tool that we do not know, read by a user's mapping, by PagerDuty's form, or by guesses.
//!
//! Paths are RFC 9535 JSONPath (<https://www.rfc-editor.org/rfc/rfc9535>) or dotted names. What a path selects is coerced, so that
//! no alert is lost to its mapping:
//!
//! - a string, number or boolean is its text;
//! - of many values the first that is not null counts;
//! - an object or array is its JSON for summary, source and key, and nothing for the other fields;
//! - nothing is a warning, and the field is guessed as if it were not mapped; only a mapped action that finds nothing is a
//!   trigger, because a guess could resolve.
//!
//! With `itemsField` each element is an alert. Fields are looked for in the element, then in the whole body; the key in the
//! element only, because a key they share would make one alert of them.

use std::borrow::Cow;

use serde_json::Value;

use super::mapping::{Field, Mapping};
use super::{
    Clock, Compiled, Item, Meta, Normalised, OptionProblem, Origin, Provider, Request, Resolves, Setup, Unmapped, events, key,
    labels, read, setup, tokens,
};
use crate::event::{Action, DedupKey, Event, Image, Severity};
use crate::signature::Scheme;
use crate::time::Timestamp;

mod guess;

/// Any tool that can post JSON.
pub struct Webhook;

static META: Meta = Meta {
    kind: "webhook",
    aliases: &["generic"],
    name: "Webhook",
    docs: "https://www.rfc-editor.org/rfc/rfc9535",
    clock: Clock::Arrival,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    secret_fields: SECRET_FIELDS,
    methods: &[],
    setup: setup_text,
};

const SECRET_FIELDS: &[&str] = &["routing_key", "service_key", "integration_key", "api_key"];

impl Provider for Webhook {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let mapping = request.options.get::<Mapping>();
        let mut warnings = Vec::new();
        let (items, one) = items(body, mapping, &mut warnings);
        if items.is_empty() {
            return Ok(Normalised { note: Some("the list of alerts is empty".into()), warnings, ..Normalised::default() });
        }
        let mut read: Vec<Item> = Vec::with_capacity(items.len());
        for (value, at) in items {
            read.push(Reader { value, body, mapping, request, warnings: &mut warnings }.item(at));
        }
        match read.pop() {
            Some(Item::Unmapped { why, .. }) if one => Err(Unmapped { why }),
            last => {
                read.extend(last);
                Ok(Normalised { items: read, warnings, ..Normalised::default() })
            }
        }
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        let members = match options {
            Value::Null => return Ok(Compiled::none()),
            Value::Object(members) => members,
            _ => return Err(vec![OptionProblem::new("options", "must be an object")]),
        };
        let unknown = members.keys().filter(|name| *name != "mapping");
        let mut problems: Vec<OptionProblem> = unknown.map(|name| OptionProblem::unknown(name, &["mapping"])).collect();
        let mapping = members.get("mapping").filter(|mapping| !mapping.is_null()).map(Mapping::compile).transpose();
        let mapping = mapping.unwrap_or_else(|found| {
            problems.extend(found);
            None
        });
        if problems.is_empty() { Ok(mapping.map_or(Compiled::none(), Compiled::new)) } else { Err(problems) }
    }
}

/// The alerts of a body with their JSON pointers, and whether the one there is is the body itself.
fn items<'a>(
    body: &'a Value,
    mapping: Option<&Mapping>,
    warnings: &mut Vec<Cow<'static, str>>,
) -> (Vec<(&'a Value, String)>, bool) {
    if let Some(mapping) = mapping.filter(|mapping| !mapping.items.is_empty()) {
        let found = mapping.items.iter().map(|path| path.all(body)).find(|found| !found.is_empty()).unwrap_or_default();
        match found.as_slice() {
            [(Value::Array(elements), at)] => return (numbered(elements, at), false),
            [] => warnings.push("mapping.itemsField found nothing: the whole body was read as one alert".into()),
            _ => return (found, false),
        }
    }
    match body {
        Value::Array(elements) => (numbered(elements, ""), false),
        _ => (vec![(body, String::new())], true),
    }
}

fn numbered<'a>(elements: &'a [Value], at: &str) -> Vec<(&'a Value, String)> {
    elements.iter().enumerate().map(|(n, element)| (element, format!("{at}/{n}"))).collect()
}

/// A text, and where it came from.
type Said<'a> = (Cow<'a, str>, Cow<'static, str>);

/// An action, where it came from, and the word that asked for it.
type Asked<'a> = (Action, Cow<'static, str>, Option<Cow<'a, str>>);

/// One alert while it is read.
struct Reader<'a, 'w> {
    value: &'a Value,
    body: &'a Value,
    mapping: Option<&'a Mapping>,
    request: &'a Request<'a>,
    warnings: &'w mut Vec<Cow<'static, str>>,
}

impl<'a> Reader<'a, '_> {
    fn item(&mut self, at: String) -> Item {
        let mapped_summary = self.mapped("summary", |mapping| &mapping.summary, Scope::Anywhere, text_of);
        if mapped_summary.is_none() && events::is_events_body(self.value) {
            return events::item(self.value, at, META.name, self.request);
        }
        let (action, action_from, word) = match self.action() {
            Ok(found) => found,
            Err(why) => return Item::Ignored { at, why: why.into() },
        };
        let summary = mapped_summary.or_else(|| guess::summary(self.value));
        let key = self.mapped("dedupKey", |mapping| &mapping.dedup_key, Scope::Item, key_of);
        let key = key.and_then(|(text, from)| Some((DedupKey::lenient(&text)?, from))).or_else(|| guess::dedup_key(self.value));
        let Some((summary, summary_from)) = summary.or_else(|| stand_in(key.as_ref(), word.as_deref())) else {
            return Item::Unmapped { at, why: "no field holds a summary, a key or a state; name them in options.mapping".into() };
        };
        let (source, source_from) = self
            .mapped("source", |mapping| &mapping.source, Scope::Anywhere, text_of)
            .or_else(|| guess::source(self.value))
            .unwrap_or((META.name.into(), "default: the type".into()));
        let (severity, severity_from) = self.severity(word.as_deref());
        let key_guessed = key.is_none();
        let (dedup_key, key_from) =
            key.unwrap_or_else(|| (key::guess(&summary, &source), "default: guessed from summary and source".into()));
        let mut event = Event::new(action, dedup_key, &summary, &source, severity);
        event.key_guessed = key_guessed;
        self.decorate(&mut event);
        let origin = Origin {
            at,
            action: action_from,
            dedup_key: key_from,
            summary: summary_from,
            source: source_from,
            severity: severity_from,
        };
        Item::event(event, origin)
    }

    /// What a mapped field says; a warning when it is mapped and says nothing.
    fn mapped(
        &mut self,
        name: &'static str,
        of: impl Fn(&'a Mapping) -> &'a Field,
        scope: Scope,
        coerce: fn(&'a Value) -> Option<Cow<'a, str>>,
    ) -> Option<Said<'a>> {
        let field = of(self.mapping?);
        let places = [Some(self.value), Some(self.body).filter(|_| scope == Scope::Anywhere)];
        let found = places.into_iter().flatten().find_map(|place| {
            field.iter().find_map(|path| Some((coerce(path.first(place)?)?, Cow::Owned(path.as_str().to_owned()))))
        });
        if found.is_none() && !field.is_empty() {
            self.warn(format!("mapping.{name}Field found nothing"));
        }
        found
    }

    fn warn(&mut self, warning: String) {
        if !self.warnings.iter().any(|known| *known == warning) {
            self.warnings.push(warning.into());
        }
    }

    /// What the alert asks for; the error is why it asks for nothing.
    fn action(&mut self) -> Result<Asked<'a>, &'static str> {
        let Some(mapping) = self.mapping.filter(|mapping| !mapping.action.is_empty()) else {
            return guess::action(self.value);
        };
        let Some((word, from)) = self.mapped("action", |mapping| &mapping.action, Scope::Anywhere, read::text) else {
            return Ok((Action::Trigger, "default: trigger (mapping.actionField found nothing)".into(), None));
        };
        match mapping.action_of(&word).map(tokens::Meaning::Act).or_else(|| tokens::meaning(&word)) {
            Some(tokens::Meaning::Act(action)) => Ok((action, from, Some(word))),
            Some(tokens::Meaning::Nothing) => Err("its state asks for nothing"),
            None => Ok((Action::Trigger, "default: trigger (mapping.actionField holds an unknown word)".into(), Some(word))),
        }
    }

    /// By the user's map, the table, a state that is a severity, else `error`.
    fn severity(&mut self, state: Option<&str>) -> (Severity, Cow<'static, str>) {
        if let Some((word, from)) = self.mapped("severity", |mapping| &mapping.severity, Scope::Anywhere, read::text) {
            let mapped = self.mapping.and_then(|mapping| mapping.severity_of(&word));
            return match mapped.or_else(|| tokens::severity(&word)) {
                Some(severity) => (severity, from),
                None => (Severity::Error, "default: error (mapping.severityField holds an unknown word)".into()),
            };
        }
        guess::severity(self.value, state)
    }

    fn decorate(&mut self, event: &mut Event) {
        let field = |names: &[&'static str]| read::first(self.value, names).map(|found| found.text.into_owned());
        event.component = field(&["component"]);
        event.group = field(&["group"]);
        event.class = field(&["class"]);
        event.images = guess::image(self.value).map(|src| Image { src, href: None, alt: None }).into_iter().collect();
        event.custom_details = Some(events::without_secrets(self.value, SECRET_FIELDS));
        let links = self.mapping.map(|mapping| &mapping.link).filter(|link| !link.is_empty());
        match links {
            Some(paths) => paths.iter().flat_map(|path| path.all(self.value)).for_each(|(value, _)| push_links(event, value)),
            None => guess::links(self.value, &mut event.links),
        }
        let mapped = self.mapping.and_then(|mapping| mapping.timestamp.iter().find_map(|path| path.first(self.value)));
        let time = mapped.and_then(read::time).or_else(|| guess::time(self.value));
        event.occurred_at = Timestamp::trusted(time, self.request.received_at);
    }
}

/// Where a mapped path is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In the alert.
    Item,
    /// In the alert, then in the whole body.
    Anywhere,
}

/// A mapped link: an address, or a list of them.
fn push_links(event: &mut Event, value: &Value) {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    for value in list {
        labels::push_link(&mut event.links, read::text(value), "Link");
    }
}

/// A value as text to show; objects and arrays as their JSON, unless they are empty.
fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    key_of(value).and_then(read::shown)
}

/// As [`text_of`], as sent: for keys, in which U+0000 must not vanish. The names in the JSON are sorted, so that it is stable.
fn key_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Array(elements) if elements.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        Value::Array(_) | Value::Object(_) => Some(Cow::Owned(value.to_string())),
        scalar => read::scalar(scalar),
    }
}

/// A summary for an alert that has a key or a state, and nothing to say.
fn stand_in<'a>(key: Option<&(DedupKey, Cow<'static, str>)>, word: Option<&str>) -> Option<Said<'a>> {
    match (key, word) {
        (Some((key, _)), _) => Some((format!("Alert {key}").into(), "default: the key".into())),
        (None, Some(word)) => Some((format!("Alert: {word}").into(), "default: the state".into())),
        (None, None) => None,
    }
}

fn setup_text(values: &Setup<'_>) -> String {
    setup::fill(include_str!("setup/webhook.md"), values)
}
