//! The text of a recipe as tables of keys, each with its line; everything that is wrong with it is found at once.
//!
//! Owns lines, types and unknown names. Knows no key by name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::provider::OptionProblem;

/// Texts that one list may hold.
pub(super) const LIST_MAX: usize = 64;

/// One thing that is wrong with a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; `None` for what is not there.
    pub line: Option<usize>,
    /// The key: `severity.critical`; empty where the text is no TOML.
    pub key: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.said()),
            None => f.write_str(&self.said()),
        }
    }
}

impl Problem {
    /// The key and what is wrong with it, without the line.
    pub fn said(&self) -> String {
        if self.key.is_empty() { self.message.clone() } else { format!("{}: {}", self.key, self.message) }
    }
}

/// A table, from which keys are taken one by one.
pub(super) struct Table<'d> {
    text: &'d str,
    /// Its own name with a dot behind it; empty for the whole.
    prefix: String,
    line: Option<usize>,
    entries: BTreeMap<&'d str, Given<'d>>,
    asked: Vec<&'static str>,
    problems: Rc<RefCell<Vec<Problem>>>,
}

/// A key with its value and its line.
#[derive(Clone)]
pub(crate) struct Given<'d> {
    /// The full name.
    pub(super) key: String,
    /// The line of the key, from 1.
    pub(super) line: usize,
    /// Where the key stands, for the order of writing.
    at: usize,
    value: &'d DeValue<'d>,
}

/// Reads `text` with `read`; the problems of both are the error.
pub(super) fn read<T>(text: &str, read: impl FnOnce(&mut Table<'_>) -> Option<T>) -> Result<T, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let syntax = errors.iter().map(|error| Problem {
        line: error.span().map(|span| line_of(text, span.start)),
        key: String::new(),
        message: error.message().to_owned(),
    });
    let syntax: Vec<Problem> = syntax.collect();
    if !syntax.is_empty() {
        return Err(syntax);
    }
    let problems = Rc::new(RefCell::new(Vec::new()));
    let mut table = Table::new(text, String::new(), None, document.get_ref(), Rc::clone(&problems));
    let made = read(&mut table);
    table.finish();
    let mut problems = problems.take();
    problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    match made {
        Some(made) if problems.is_empty() => Ok(made),
        _ => Err(problems),
    }
}

impl<'d> Table<'d> {
    fn new(
        text: &'d str,
        prefix: String,
        line: Option<usize>,
        table: &'d DeTable<'d>,
        problems: Rc<RefCell<Vec<Problem>>>,
    ) -> Self {
        let given = |(name, value): (&'d Spanned<_>, &'d Spanned<DeValue<'d>>)| {
            let name: &std::borrow::Cow<'d, str> = name.get_ref();
            (&**name, value)
        };
        let mut entries = BTreeMap::new();
        for (name, value) in table {
            let at = name.span().start;
            let (name, value) = given((name, value));
            let key = format!("{prefix}{name}");
            entries.insert(name, Given { key, line: line_of(text, at), at, value: value.get_ref() });
        }
        Self { text, prefix, line, entries, asked: Vec::new(), problems }
    }

    /// Notes a problem with a key that is there.
    pub(super) fn wrong(&self, given: &Given<'_>, message: impl Into<String>) {
        self.note(Some(given.line), given.key.clone(), message.into());
    }

    /// Notes a problem with a key that is not there.
    pub(super) fn missing(&self, name: &str, message: impl Into<String>) {
        self.note(self.line, format!("{}{name}", self.prefix), message.into());
    }

    fn note(&self, line: Option<usize>, key: String, message: String) {
        self.problems.borrow_mut().push(Problem { line, key, message });
    }

    /// Whether a key is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Takes a key.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Given<'d>> {
        self.asked.push(name);
        self.entries.remove(name)
    }

    /// Takes everything that is left, in the order of writing: for tables whose keys are not ours to name.
    pub(super) fn take_rest(&mut self) -> Vec<(&'d str, Given<'d>)> {
        let mut rest: Vec<_> = std::mem::take(&mut self.entries).into_iter().collect();
        rest.sort_by_key(|(_, given)| given.at);
        rest
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let given = self.take(name)?;
        let text = given.scalar();
        if text.is_none() {
            self.wrong(&given, "must be a text");
        }
        text
    }

    /// A text or a list of them, each with what names it in problems.
    pub(super) fn texts(&mut self, name: &'static str) -> Option<(Given<'d>, Vec<String>)> {
        let given = self.take(name)?;
        let texts = self.list(&given)?;
        Some((given, texts))
    }

    /// As [`Table::texts`], for a key in hand.
    pub(super) fn list(&self, given: &Given<'_>) -> Option<Vec<String>> {
        let texts = given.texts();
        if texts.is_none() {
            self.wrong(given, format!("must be a text or a list of 1 to {LIST_MAX} texts"));
        }
        texts
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let given = self.take(name)?;
        let found = given.scalar().and_then(|text| words.iter().find(|(word, _)| *word == text));
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.wrong(&given, format!("must be one of {}", known.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// A table below this one.
    pub(super) fn table(&mut self, name: &'static str) -> Option<Table<'d>> {
        let given = self.take(name)?;
        let table = self.below(&given, given.value);
        if table.is_none() {
            self.wrong(&given, format!("must be a table: [{}]", given.key));
        }
        table
    }

    /// A list of tables, `[[name]]`.
    pub(super) fn tables(&mut self, name: &'static str) -> Vec<Table<'d>> {
        let Some(given) = self.take(name) else { return Vec::new() };
        let tables: Option<Vec<Table<'d>>> = given.value.as_array().and_then(|list| {
            let table = |element: &'d Spanned<DeValue<'d>>| {
                let line = line_of(self.text, element.span().start);
                self.below(&Given { line, ..given.clone() }, element.get_ref())
            };
            list.iter().map(table).collect()
        });
        tables.unwrap_or_else(|| {
            self.wrong(&given, format!("must be a list of tables: [[{}]]", given.key));
            Vec::new()
        })
    }

    fn below(&self, given: &Given<'d>, value: &'d DeValue<'d>) -> Option<Table<'d>> {
        let problems = Rc::clone(&self.problems);
        Some(Table::new(self.text, format!("{}.", given.key), Some(given.line), value.as_table()?, problems))
    }

    /// Takes a table below this one apart into dotted names: `a.b = "x"` and `"a.b" = "x"` say the same.
    pub(super) fn dotted(&mut self, name: &'static str) -> Option<Vec<(String, Given<'d>)>> {
        let mut out = Vec::new();
        self.table(name)?.flatten("", &mut out);
        Some(out)
    }

    fn flatten(mut self, before: &str, out: &mut Vec<(String, Given<'d>)>) {
        for (name, given) in self.take_rest() {
            let name = format!("{before}{name}");
            match self.below(&given, given.value) {
                Some(inner) => inner.flatten(&format!("{name}."), out),
                None => out.push((name, given)),
            }
        }
    }

    /// Says of each key that nobody asked for that it is unknown.
    pub(super) fn finish(&mut self) {
        for (name, given) in self.take_rest() {
            self.wrong(&given, OptionProblem::unknown(name, &self.asked).problem.replace("option", "key"));
        }
    }
}

impl Given<'_> {
    fn scalar(&self) -> Option<String> {
        scalar(self.value)
    }

    fn texts(&self) -> Option<Vec<String>> {
        match self.value {
            DeValue::Array(list) if (1..=LIST_MAX).contains(&list.len()) => {
                list.iter().map(|element| scalar(element.get_ref())).collect()
            }
            one => scalar(one).map(|text| vec![text]),
        }
    }
}

/// A text, or a number or boolean as its text: tools that send `1` are described with `1`.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
