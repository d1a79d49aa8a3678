//! Reading one JSON object of a rule: every problem is noted, and reading goes on.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Problem;
use crate::duration::Span;

/// The fields of an object, asked for one by one; whatever nobody asked for is unknown in the end. A field that is absent, null or
/// wrong is `None`.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// The path to this object, with a dot at its end; empty for the rule itself.
    path: String,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// Of the rule itself.
    pub fn of(map: &'a Map<String, Value>, problems: &'a mut Vec<Problem>) -> Self {
        Self { map, path: String::new(), known: Vec::new(), problems }
    }

    /// Of an object within another, in the place `at` of it.
    pub fn within<'b>(&'b mut self, at: impl fmt::Display, map: &'b Map<String, Value>) -> Fields<'b> {
        Fields { map, path: format!("{}{at}.", self.path), known: Vec::new(), problems: self.problems }
    }

    /// Notes that what stands at `at` is wrong.
    pub fn problem(&mut self, at: impl fmt::Display, message: impl Into<String>) {
        self.problems.push(Problem::new(format!("{}{at}", self.path), message));
    }

    /// Notes that a field is needed, where it is absent or null.
    pub fn demand(&mut self, name: &'static str, message: &str) {
        if self.get(name).is_none() {
            self.problem(name, message);
        }
    }

    /// Whether something of a field was wrong.
    pub fn is_wrong(&self, name: &str) -> bool {
        let within =
            |field: &str| field.strip_prefix(&self.path)?.strip_prefix(name).map(|rest| rest.is_empty() || rest.starts_with('.'));
        self.problems.iter().any(|problem| within(&problem.field) == Some(true))
    }

    /// A value that is there and not null.
    pub fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Reads a field with `read`; what it cannot read `must` be something else.
    pub fn with<T>(
        &mut self,
        name: &'static str,
        must: impl fmt::Display,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        let read = read(value);
        if read.is_none() {
            self.problem(name, must.to_string());
        }
        read
    }

    /// A text of 1 to `max` characters, not blank, without control characters.
    pub fn text(&mut self, name: &'static str, max: usize) -> Option<&'a str> {
        self.with(name, format_args!("must be a text of 1 to {max} characters, not blank, without control characters"), |value| {
            let good =
                |text: &&str| !text.trim().is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control);
            value.as_str().filter(good)
        })
    }

    /// True or false.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.with(name, "must be true or false", Value::as_bool)
    }

    /// A whole number in `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let must = format!("must be a whole number from {} to {}", range.start(), range.end());
        self.with(name, must, |value| u32::try_from(value.as_u64()?).ok().filter(|number| range.contains(number)))
    }

    /// A length of time of at most `max` seconds; zero, which is written `off` too, is one.
    pub fn duration(&mut self, name: &'static str, max: u32) -> Option<Duration> {
        let longest = Span::from_seconds(max).unwrap_or(Span::MAX);
        let must = format!("must be a duration like \"90s\", \"5m\", \"24h\" or \"7d\", at most {longest}");
        self.with(name, must, |value| span(value).filter(|span| *span <= longest).map(length))
    }

    /// One of some words.
    pub fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.with(name, format_args!("must be one of {}", known.join(", ")), |value| {
            words.iter().find(|(word, _)| value.as_str() == Some(*word)).map(|(_, one)| *one)
        })
    }

    /// An array of at most `max`; an absent one is empty.
    pub fn list(&mut self, name: &'static str, max: usize) -> &'a [Value] {
        let must = format_args!("must be an array of at most {max}");
        self.with(name, must, |value| value.as_array().filter(|list| list.len() <= max)).map_or(&[], Vec::as_slice)
    }

    /// Ends the reading: what nobody asked for is unknown.
    pub fn finish(mut self) {
        let unknown: Vec<&String> = self.map.keys().filter(|name| !self.known.contains(&name.as_str())).collect();
        for name in unknown {
            let near =
                self.known.iter().map(|known| (strsim::jaro_winkler(name, known), known)).filter(|(score, _)| *score > 0.8);
            let message = match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((_, near)) => format!("unknown field; did you mean `{near}`?"),
                None => format!("unknown field; known: {}", self.known.join(", ")),
            };
            self.problem(name, message);
        }
    }
}

/// A length of time as it is written.
pub(super) fn span(value: &Value) -> Option<Span> {
    value.as_str()?.parse().ok()
}

/// The same as the rest of the rule counts it.
pub(super) fn length(span: Span) -> Duration {
    Duration::from_secs(u64::try_from(span.seconds()).unwrap_or(0))
}
