//! What the wire forms of the Events API share: reading fields of JSON, collecting problems, and the event before it has a key.
//!
//! Null is absent, and a number stands for its text, as everywhere in this service. Blank text is absent too, as on PagerDuty.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Action, DedupKey, Event, Image, Invalid, KeyProblem, LINKS_MAX, Link, Severity, without_nul};
use crate::time::Timestamp;

/// A well-formed event that may still lack its dedup key.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft<'a> {
    /// What it asks for.
    pub action: Action,
    /// The key sent. `None` only on a trigger, for which whoever accepts the event generates one.
    pub dedup_key: Option<DedupKey>,
    /// One line for a human, at most 1024 characters on a trigger.
    pub summary: Cow<'a, str>,
    /// What is affected.
    pub source: Cow<'a, str>,
    /// How bad it is.
    pub severity: Severity,
    /// Where these five came from.
    pub provenance: Provenance,
    pub(super) details: Details,
}

/// Where a draft's fields came from: a path in the body, or the rule that made the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Provenance {
    /// What said trigger, acknowledge or resolve.
    pub action: &'static str,
    /// The dedup key.
    pub dedup_key: &'static str,
    /// The summary.
    pub summary: &'static str,
    /// The source.
    pub source: &'static str,
    /// The severity.
    pub severity: &'static str,
}

/// The optional fields of a draft, in an event's terms.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Details {
    pub(super) component: Option<String>,
    pub(super) group: Option<String>,
    pub(super) class: Option<String>,
    pub(super) custom_details: Option<Value>,
    pub(super) links: Vec<Link>,
    pub(super) images: Vec<Image>,
    pub(super) client: Option<String>,
    pub(super) client_url: Option<String>,
    pub(super) occurred_at: Option<Timestamp>,
}

impl Draft<'_> {
    /// The event; `generate` makes the key where none was sent, [`DedupKey::random`] in service.
    ///
    /// # Errors
    /// Those of `generate`.
    pub fn into_event<E>(self, generate: impl FnOnce() -> Result<DedupKey, E>) -> Result<Event, E> {
        let key = self.dedup_key.map_or_else(generate, Ok)?;
        let Details { component, group, class, custom_details, links, images, client, client_url, occurred_at } = self.details;
        Ok(Event {
            component,
            group,
            class,
            custom_details,
            links,
            images,
            client,
            client_url,
            occurred_at,
            ..Event::new(self.action, key, &self.summary, &self.source, self.severity)
        })
    }
}

/// The problems found so far, one sentence each.
#[derive(Default)]
pub(super) struct Problems(Vec<Cow<'static, str>>);

impl Problems {
    pub(super) fn add(&mut self, problem: impl Into<Cow<'static, str>>) {
        self.0.push(problem.into());
    }

    /// Each of `names` that the body held more than once.
    pub(super) fn add_repeated(&mut self, duplicates: &[String], names: &[&str]) {
        for name in names.iter().filter(|name| duplicates.iter().any(|found| found == *name)) {
            self.add(format!("'{name}' is present more than once"));
        }
    }

    pub(super) fn extend(&mut self, invalid: Invalid) {
        self.0.extend(invalid.problems);
    }

    /// `Ok` when there are none.
    pub(super) fn check(self) -> Result<(), Invalid> {
        if self.0.is_empty() { Ok(()) } else { Err(Invalid { problems: self.0 }) }
    }
}

/// A scalar field as text.
pub(super) enum Text<'a> {
    /// Missing, null or blank.
    Absent,
    /// As sent, U+0000 included.
    Given(Cow<'a, str>),
    /// Neither text nor a number.
    Wrong,
}

impl<'a> Text<'a> {
    pub(super) fn of(value: Option<&'a Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Absent,
            Some(Value::String(text)) if text.trim().is_empty() => Self::Absent,
            Some(Value::String(text)) => Self::Given(Cow::Borrowed(text)),
            Some(Value::Number(number)) => Self::Given(Cow::Owned(number.to_string())),
            Some(_) => Self::Wrong,
        }
    }

    /// For people: U+0000 removed, and absent when nothing else is left.
    pub(super) fn shown(value: Option<&'a Value>) -> Self {
        match Self::of(value) {
            Self::Given(text) if text.contains('\0') => match without_nul(&text).into_owned() {
                clean if clean.trim().is_empty() => Self::Absent,
                clean => Self::Given(Cow::Owned(clean)),
            },
            other => other,
        }
    }

    /// The text, if there is a usable one.
    pub(super) fn ok(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Given(text) => Some(text),
            Self::Absent | Self::Wrong => None,
        }
    }
}

/// The text of an optional field that is only shown; a value of another type is left out, as the body keeps it.
pub(super) fn optional(value: Option<&Value>) -> Option<String> {
    Text::shown(value).ok().map(Cow::into_owned)
}

/// The dedup key, `None` when absent. `sentences` are the problems: wrong type, too long.
pub(super) fn dedup_key(value: Option<&Value>, sentences: [&'static str; 2], problems: &mut Problems) -> Option<DedupKey> {
    let [wrong_type, too_long] = sentences;
    match Text::of(value) {
        Text::Absent => None,
        Text::Wrong => {
            problems.add(wrong_type);
            None
        }
        Text::Given(text) => match DedupKey::strict(&text) {
            Ok(key) => Some(key),
            Err(KeyProblem::Blank) => None,
            Err(KeyProblem::TooLong) => {
                problems.add(too_long);
                None
            }
        },
    }
}

/// Whether a routing key has the right length, and the right characters.
pub(super) fn key_shape(key: &str) -> (bool, bool) {
    (key.chars().count() == KEY_LENGTH, key.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Characters of a routing key or service key.
const KEY_LENGTH: usize = 32;

/// The links of an array; entries without a usable `href` are left out, and so is whatever is no array.
pub(super) fn links(value: Option<&Value>) -> Vec<Link> {
    entries(value).filter_map(link).take(LINKS_MAX).collect()
}

/// The images of an array; entries without a usable `src` are left out, and so is whatever is no array.
pub(super) fn images(value: Option<&Value>) -> Vec<Image> {
    entries(value).filter_map(image).take(LINKS_MAX).collect()
}

pub(super) fn link(entry: &Map<String, Value>) -> Option<Link> {
    Some(Link { href: optional(entry.get("href"))?, text: optional(entry.get("text")) })
}

pub(super) fn image(entry: &Map<String, Value>) -> Option<Image> {
    Some(Image { src: optional(entry.get("src"))?, href: optional(entry.get("href")), alt: optional(entry.get("alt")) })
}

/// The objects in an array, if `value` is one.
pub(super) fn entries(value: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}
