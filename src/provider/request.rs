//! A request as a provider sees it: no HTTP library in sight, so that a fixture file and a socket build the same value.

use serde_json::Value;

use super::Compiled;
use crate::time::Timestamp;

/// Header fields in the order received; names in lower case, values as text (bytes outside UTF-8 replaced).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// From pairs; names are put in lower case, white space around values goes.
    pub fn new<N: Into<String>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| {
                    let mut name = name.into();
                    name.make_ascii_lowercase();
                    (name, value.as_ref().trim().to_owned())
                })
                .collect(),
        )
    }

    /// The first value of `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// Every value of `name` (lower case), in the order received.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// All pairs, in the order received.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// One request to an integration, its credential already proved.
pub struct Request<'a> {
    /// The body after its content encoding was removed.
    pub body: &'a [u8],
    /// The body as JSON, when it is (raw control characters inside strings are repaired); parsed once, by the caller.
    pub json: Option<&'a Value>,
    /// The header fields.
    pub headers: &'a Headers,
    /// The query, decoded, without credentials.
    pub query: &'a [(String, String)],
    /// The path below the integration's URL: `api/v2/alerts`; empty for the integration itself.
    pub subpath: &'a str,
    /// When the request was received.
    pub received_at: Timestamp,
    /// The integration's options.
    pub options: &'a Compiled,
}

impl Request<'_> {
    /// The first query value of `name`.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}
