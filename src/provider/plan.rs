//! How events are read from a body, as data: where its alerts are, which field is made of what, what the words of a state mean.
//!
//! Owns the reading. Plans are compiled, once, from a tool's recipe ([`super::recipe`]) or from the mapping of an integration of type
//! `webhook` ([`super::mapping`]); what a plan leaves open is guessed for the latter and never for the former.

use std::borrow::Cow;

use serde_json::Value;

use super::path::Path;
use super::{Item, Normalised, Request, Unmapped};
use crate::event::{Action, Severity};

mod case;
pub mod field;
mod guess;
mod names;
mod reader;
mod words;

pub use case::{Case, Condition, Test};
pub use field::{Field, Template};
pub use names::Names;
pub use words::Words;

use super::tokens::Meaning;
use guess::Guess;
use reader::Reader;

/// How events are read from a body.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tool's name, for alerts that name no source.
    pub tool: Cow<'static, str>,
    /// How the fields are called where the plan was written, for traces and warnings.
    pub labels: &'static Labels,
    /// How names are compared.
    pub names: Names,
    /// The list whose elements are the alerts: the first path that selects something. Empty: the body, or its elements.
    pub items: Vec<Path>,
    /// The dedup key, looked for in the alert only: a key that alerts share would make one of them.
    pub key: Field,
    /// The ways of keys, those of cases included, that begin with a text of their own; no two begin alike. A key of another way is
    /// changed where it could be one of theirs.
    pub marked: Vec<Template>,
    /// The summary.
    pub summary: Field,
    /// What is affected.
    pub source: Field,
    /// The part of it.
    pub component: Field,
    /// Its logical group.
    pub group: Field,
    /// The class of the event.
    pub class: Field,
    /// What the alert asks for.
    pub action: Words<Meaning>,
    /// What a state word asks for that is not in the table.
    pub unknown: Unknown,
    /// How bad it is.
    pub severity: Words<Severity>,
    /// How bad it is when nothing says so.
    pub default_severity: Severity,
    /// When the reported state began; lone paths.
    pub occurred_at: Field,
    /// When the present firing began; lone paths.
    pub starts_at: Field,
    /// Links: what to show, and the address.
    pub links: Vec<(String, Field)>,
    /// The address of an image.
    pub image: Field,
    /// Departures from all this, the first that applies.
    pub cases: Vec<Case>,
    /// Members of the alert that are credentials, and not shown.
    pub secret_fields: Vec<String>,
    /// Whether what is open is guessed by the names of fields.
    pub guesses: bool,
}

/// What a state word asks for that is in no table of the plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unknown {
    /// What it means for most tools, else a page.
    #[default]
    Common,
    /// A page.
    Page,
    /// Nothing.
    Nothing,
}

/// How the fields are called where a plan was written.
#[derive(Debug)]
pub struct Labels {
    /// The action.
    pub action: &'static str,
    /// The severity.
    pub severity: &'static str,
    /// The key.
    pub key: &'static str,
    /// The summary.
    pub summary: &'static str,
    /// The source.
    pub source: &'static str,
    /// The list of alerts.
    pub items: &'static str,
}

impl Plan {
    /// A plan that maps nothing yet.
    pub fn new(tool: impl Into<Cow<'static, str>>, labels: &'static Labels) -> Self {
        Self {
            tool: tool.into(),
            labels,
            names: Names::Exact,
            items: Vec::new(),
            key: Field::new(),
            marked: Vec::new(),
            summary: Field::new(),
            source: Field::new(),
            component: Field::new(),
            group: Field::new(),
            class: Field::new(),
            action: Words::default(),
            unknown: Unknown::default(),
            severity: Words::default(),
            default_severity: Severity::Error,
            occurred_at: Field::new(),
            starts_at: Field::new(),
            links: Vec::new(),
            image: Field::new(),
            cases: Vec::new(),
            secret_fields: Vec::new(),
            guesses: false,
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// The body is one alert, and not a shape that the plan reads.
    pub fn normalise(&self, body: &Value, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let seen = self.names.seen(body);
        let mut warnings = Vec::new();
        let (items, one) = self.items(&seen, &mut warnings);
        if items.is_empty() {
            return Ok(Normalised { note: Some("the list of alerts is empty".into()), warnings, ..Normalised::default() });
        }
        let mut read: Vec<Item> = Vec::with_capacity(items.len());
        for (value, at) in items {
            // What is shown is the alert as it was sent. Pointers lead into what paths see, which is the same but for the names.
            let sent = if self.names == Names::Exact { value } else { body.pointer(&at).unwrap_or(value) };
            let guess = self.guesses.then(|| Guess::of(value));
            read.push(Reader { plan: self, value, body: &seen, sent, guess, request, warnings: &mut warnings }.item(at));
        }
        match read.pop() {
            Some(Item::Unmapped { why, .. }) if one => Err(Unmapped { why }),
            last => {
                read.extend(last);
                Ok(Normalised { items: read, warnings, ..Normalised::default() })
            }
        }
    }

    /// The alerts of a body with their JSON pointers, and whether the one there is is the body itself.
    fn items<'a>(&self, body: &'a Value, warnings: &mut Vec<Cow<'static, str>>) -> (Vec<(&'a Value, String)>, bool) {
        if !self.items.is_empty() {
            let found = self.items.iter().map(|path| path.all(body)).find(|found| !found.is_empty()).unwrap_or_default();
            match found.as_slice() {
                [(Value::Array(elements), at)] => return (numbered(elements, at), false),
                [] if self.guesses => {
                    warnings.push(format!("{} found nothing: the whole body was read as one alert", self.labels.items).into());
                }
                [] => {}
                _ => return (found, false),
            }
        }
        let list = if self.guesses && self.items.is_empty() { guess::list(body) } else { None };
        match (body, list) {
            (_, Some((elements, at))) => (numbered(elements, &at), false),
            (Value::Array(elements), None) => (numbered(elements, ""), false),
            _ => (vec![(body, String::new())], true),
        }
    }

    /// What `word` asks for, and whether a table says so.
    fn asked(&self, word: &str) -> (Meaning, bool) {
        let known = self.action.of(word);
        let common = || if self.unknown == Unknown::Common { super::tokens::meaning(word) } else { None };
        let stray = if self.unknown == Unknown::Nothing { Meaning::Nothing } else { Meaning::Act(Action::Trigger) };
        known.or_else(common).map_or((stray, false), |meaning| (meaning, true))
    }
}

fn numbered<'a>(elements: &'a [Value], at: &str) -> Vec<(&'a Value, String)> {
    elements.iter().enumerate().map(|(n, element)| (element, format!("{at}/{n}"))).collect()
}
