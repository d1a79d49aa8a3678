//! Arguments that several commands share, and how their texts are read.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::failure::usage;
use crate::config;
use crate::duration::Span;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How much of a list is fetched.
#[derive(Args, Clone, Copy)]
pub struct Paging {
    /// Rows to fetch, the newest first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500), value_name = "N")]
    pub limit: u16,
    /// Fetch every row, page by page
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
}

/// A moment given as such (`2026-03-01T09:00:00Z`) or as time gone by (`2h`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// The moment.
    At(Timestamp),
    /// So long before now.
    Ago(Span),
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(parsed) = Timestamp::parse(text) {
            return Ok(Self::At(parsed.at));
        }
        match text.parse::<Span>() {
            Ok(span) if text != "off" => Ok(Self::Ago(span)),
            _ => Err("not a moment: write how long ago (90s, 2h, 7d) or an RFC 3339 time (2026-03-01T09:00:00Z)"),
        }
    }
}

impl Moment {
    /// The point in time, `now` being now.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => now.plus_seconds(-span.seconds()),
        }
    }
}

/// A timer's setting: a length, off, or the default of the integration's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// What the type says.
    Default,
    /// This long, or off.
    Span(Span),
}

impl FromStr for Timer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Self::Default),
            text => text.parse().map(Self::Span).map_err(|error| format!("{error}, or default")),
        }
    }
}

impl Timer {
    /// As the API has it: the text, or null for the default.
    pub fn to_json(self) -> Value {
        match self {
            Self::Default => Value::Null,
            Self::Span(span) => Value::String(span.to_string()),
        }
    }
}

/// `name=value`, where the value is JSON if it reads as JSON, else a text: `retries=3`, `name=disk`, `tags=["a"]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// Before the first `=`.
    pub name: String,
    /// After it.
    pub value: Value,
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = split_pair(text)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self { name: name.to_owned(), value })
    }
}

/// `name=value`, both texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextPair {
    /// Before the first `=`.
    pub name: String,
    /// After it.
    pub value: String,
}

impl FromStr for TextPair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = split_pair(text)?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

fn split_pair(text: &str) -> Result<(&str, &str), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
        _ => Err("not a pair: write name=value"),
    }
}

/// A header as it stands in a request: `Name: value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The name, in lower case.
    pub name: String,
    /// The value, without the spaces around it.
    pub value: String,
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
                Ok(Self { name: name.to_ascii_lowercase(), value: value.trim().to_owned() })
            }
            _ => Err("not a header: write 'Name: value'"),
        }
    }
}

/// A secret, or where to find it: `@FILE` (`@-` for standard input), `env:NAME`, or the text itself.
#[derive(Clone, Debug)]
pub enum Source {
    /// The text.
    Given(Secret),
    /// The text of this file, without the line break at its end.
    File(PathBuf),
    /// The value of this variable of our environment.
    Variable(String),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match (text.strip_prefix('@'), text.strip_prefix("env:")) {
            (Some(path), _) => Self::File(PathBuf::from(path)),
            (None, Some(name)) => Self::Variable(name.to_owned()),
            (None, None) => Self::Given(Secret::new(text)),
        })
    }
}

impl Source {
    /// The secret; `what` is what it is called in an error.
    ///
    /// # Errors
    /// It is not there, not text, or empty.
    pub fn read(&self, what: &str) -> anyhow::Result<Secret> {
        let text = match self {
            Self::Given(secret) => secret.clone(),
            Self::File(path) => {
                let text = String::from_utf8(read_file(path)?).map_err(|_| usage(format!("{what} is not UTF-8 text")))?;
                Secret::new(text.trim_end_matches(['\r', '\n']))
            }
            Self::Variable(name) => {
                let found = config::environment().find(|(have, _)| have == name);
                Secret::new(found.ok_or_else(|| usage(format!("{what}: {name} is not set in the environment")))?.1)
            }
        };
        if text.expose().is_empty() { Err(usage(format!("{what} is empty"))) } else { Ok(text) }
    }
}

/// Words that the API spells in lower case, from an enumeration of clap.
pub fn word<E: clap::ValueEnum>(value: E) -> Word {
    Word(value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default())
}

/// One word of the API.
pub struct Word(String);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The bytes of a file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// JSON given in place (it begins with `{` or `[`) or as the path of a file.
///
/// # Errors
/// The file cannot be read, or the text is not JSON ([`super::failure::Usage`]).
pub fn json_or_file(option: &str, text: &str) -> anyhow::Result<Value> {
    if text.trim_start().starts_with(['{', '[']) {
        return serde_json::from_str(text).map_err(|error| usage(format!("{option} is not valid JSON: {error}")));
    }
    let bytes = read_file(Path::new(text))?;
    serde_json::from_slice(&bytes).map_err(|error| usage(format!("{option}: {text} is not valid JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_absolute_or_ago() {
        let now = Timestamp::from_seconds(1_000_000);
        let at = |text: &str| text.parse::<Moment>().map(|moment| moment.resolve(now));
        assert_eq!(at("2h"), Ok(Timestamp::from_seconds(1_000_000 - 7_200)));
        assert_eq!(at("1970-01-01T00:00:10Z"), Ok(Timestamp::from_seconds(10)));
        assert_eq!(at("1970-01-01T01:00:10+01:00"), Ok(Timestamp::from_seconds(10)));
        for bad in ["off", "yesterday", "", "2"] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn timers_know_off_and_default() {
        assert_eq!("default".parse::<Timer>().unwrap().to_json(), Value::Null);
        assert_eq!("off".parse::<Timer>().unwrap().to_json(), json!("off"));
        assert_eq!("90m".parse::<Timer>().unwrap().to_json(), json!("90m"));
        assert!("soon".parse::<Timer>().unwrap_err().ends_with("or default"));
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        let pair = |text: &str| text.parse::<Pair>().map(|pair| (pair.name, pair.value));
        assert_eq!(pair("a=b=c"), Ok(("a".into(), json!("b=c"))));
        assert_eq!(pair("n=3"), Ok(("n".into(), json!(3))));
        assert_eq!(pair("t=[\"x\"]"), Ok(("t".into(), json!(["x"]))));
        assert_eq!(pair("e="), Ok(("e".into(), json!(""))));
        assert!(pair("=x").is_err() && pair("x").is_err());
        assert_eq!("n=3".parse(), Ok(TextPair { name: "n".into(), value: "3".into() }));
    }

    #[test]
    fn headers() {
        assert_eq!("X-Sig:  a:b ".parse(), Ok(Header { name: "x-sig".into(), value: "a:b".into() }));
        assert!("no colon".parse::<Header>().is_err() && "a b: c".parse::<Header>().is_err());
    }

    #[test]
    fn json_in_place_or_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "{\"a\":1}").unwrap();
        assert_eq!(json_or_file("--mapping", "{\"a\":1}").unwrap(), json!({"a": 1}));
        assert_eq!(json_or_file("--mapping", file.path().to_str().unwrap()).unwrap(), json!({"a": 1}));
        assert!(json_or_file("--mapping", "{a").is_err());
    }
}
