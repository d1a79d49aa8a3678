//! Departures from a plan: what holds when certain fields say certain words.

use serde_json::Value;

use super::field::{self, Field, Template};
use crate::event::{Action, Severity};
use crate::provider::read;

/// What holds instead of the plan when all of its conditions do.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Its conditions; never empty.
    pub when: Vec<Condition>,
    /// Why there is nothing to do.
    pub ignore: Option<String>,
    /// What the alert asks for.
    pub action: Option<Action>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// The dedup key.
    pub key: Field,
    /// The summary.
    pub summary: Field,
    /// What is affected.
    pub source: Field,
}

/// What one field must say.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The field: a lone path.
    pub field: Template,
    /// What it must say.
    pub test: Test,
}

/// What a field must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Nothing: it is missing, null, blank, or a variable that was not expanded.
    Nothing,
    /// Anything but that.
    Something,
    /// A moment that has come: no word, and not the zero of a clock.
    Moment,
    /// One of these words, ASCII case aside.
    OneOf(Vec<String>),
}

impl Case {
    /// Whether every condition holds.
    pub(super) fn holds(&self, places: &[&Value]) -> bool {
        self.when.iter().all(|condition| condition.holds(places))
    }

    /// The conditions in words, for traces.
    pub(super) fn described(&self) -> String {
        let fields: Vec<&str> = self.when.iter().map(|condition| condition.field.as_str()).collect();
        format!("case: {}", fields.join(", "))
    }
}

impl Condition {
    fn holds(&self, places: &[&Value]) -> bool {
        let said = self.field.value(places).and_then(field::shown);
        let nothing = said.as_deref().is_none_or(read::unexpanded);
        match &self.test {
            Test::Nothing => nothing,
            Test::Something => !nothing,
            Test::Moment => self.field.value(places).and_then(read::time).is_some_and(|time| time.at.0 > 0),
            Test::OneOf(words) => said.is_some_and(|said| words.iter().any(|word| word.eq_ignore_ascii_case(&said))),
        }
    }
}
