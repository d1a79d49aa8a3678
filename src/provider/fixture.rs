//! Requests kept as text files: what `fixtures/` holds, what `explain` reads, what a capture writes.
//!
//! A file is a request as it travels: request line, header fields, an empty line, the body byte for byte. Lines may end in LF or
//! CRLF. Reads bytes, never files.

pub mod capture;
pub mod mask;

use serde_json::{Value, json};

use super::request::{Headers, Request};
use super::{Compiled, Item, Provider, unmapped};
use crate::time::{SECOND, Timestamp};

/// The header of a fixture that holds its integration's options.
pub const OPTIONS: &str = "x-fixture-options";
/// The one subpath that is routed without a hook before it.
const WITHOUT_HOOK: &str = "api/v2/alerts";
/// When every fixture counts as received: 2026-01-02T04:00:00Z.
pub const RECEIVED_AT: Timestamp = Timestamp(1_767_326_400 * SECOND);

/// A request read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixture {
    /// The method: `POST`.
    pub method: String,
    /// The path without its query: `/api/integrations/alertmanager`.
    pub path: String,
    /// The query, decoded, in the order written.
    pub query: Vec<(String, String)>,
    /// The header fields.
    pub headers: Headers,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

/// Why a file is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARequest {
    /// No empty line after the header.
    #[error("there is no empty line between the header and the body")]
    NoEmptyLine,
    /// The part above the empty line is not UTF-8.
    #[error("the header is not UTF-8")]
    NotUtf8,
    /// The first line is not a method in capitals and a path or URL.
    #[error("the first line is not a request line such as `POST /path HTTP/1.1`")]
    RequestLine,
    /// A header line is no name, colon and value.
    #[error("line {0} of the header is not `Name: value`")]
    HeaderLine(usize),
}

impl Fixture {
    /// Reads a request.
    ///
    /// # Errors
    /// What about the text is not a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotARequest> {
        let (head, body) = split(bytes).ok_or(NotARequest::NoEmptyLine)?;
        let head = str::from_utf8(head).map_err(|_| NotARequest::NotUtf8)?;
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(NotARequest::RequestLine);
        };
        let is_target = target.starts_with('/') || target.contains("://");
        if !is_target || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(NotARequest::RequestLine);
        }
        let mut headers = Vec::new();
        for (number, line) in lines.enumerate() {
            let header = line.split_once(':').filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace));
            headers.push(header.ok_or(NotARequest::HeaderLine(number + 2))?);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: Headers::new(headers),
            body: body.to_vec(),
        })
    }

    /// The request as it travels, its lines ended by LF; what [`Fixture::parse`] reads.
    pub fn render(&self) -> Vec<u8> {
        let mut target = self.path.clone();
        if !self.query.is_empty() {
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
            target = format!("{target}?{query}");
        }
        let mut text = format!("{} {target} HTTP/1.1\n", self.method);
        for (name, value) in self.headers.iter() {
            text.push_str(&format!("{}: {value}\n", spelled(name)));
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The body as JSON, where it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// What the request comes to, the catch-all event of an unmapped body or item included: the golden result of a fixture.
    pub fn outcome(&self, provider: &dyn Provider, options: &Compiled) -> Value {
        let json = self.json();
        let meta = provider.meta();
        let catch_all = |value: Option<&Value>, why: &str| json!(unmapped::event(meta, value, &self.body, why));
        let query: Vec<(String, String)> = self.query.iter().filter(|(name, _)| name != "integrationId").cloned().collect();
        let request = Request {
            body: &self.body,
            json: json.as_ref(),
            headers: &self.headers,
            query: &query,
            subpath: self.subpath(),
            received_at: RECEIVED_AT,
            options,
        };
        let normalised = match provider.normalise(&request) {
            Ok(normalised) => normalised,
            Err(unmapped) => return json!({ "unmapped": unmapped.why, "catch_all": catch_all(json.as_ref(), &unmapped.why) }),
        };
        let mut outcome = json!(normalised);
        let unmapped = normalised.items.iter().filter_map(|item| match item {
            Item::Unmapped { at, why } => Some(catch_all(json.as_ref().and_then(|json| json.pointer(at)), why)),
            _ => None,
        });
        let catch_alls: Vec<Value> = unmapped.collect();
        if let Some(map) = outcome.as_object_mut().filter(|_| !catch_alls.is_empty()) {
            map.insert("catch_all".to_owned(), catch_alls.into());
        }
        outcome
    }

    /// The path below the integration: what follows `/api/integrations/{type}/{hook}/`; empty for the integration itself. The hook is
    /// not in the path of a tool that sends it as a password.
    pub fn subpath(&self) -> &str {
        let (_, below) = self.path.split_once("/api/integrations/").unwrap_or_default();
        let (_, below) = below.split_once('/').unwrap_or_default();
        if below == WITHOUT_HOOK { below } else { below.split_once('/').unwrap_or_default().1 }
    }
}

/// A header's name as people spell it: `Content-Type`.
fn spelled(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

/// The bytes above and below the first empty line.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        if matches!(line, b"\n" | b"\r\n") {
            return Some((bytes.get(..start)?, bytes.get(end..)?));
        }
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_request() {
        let file = b"POST /api/integrations/alertmanager/HOOK/api/v2/alerts?a=b%20c HTTP/1.1\r\nX-One:  1 \nHost: h:80\n\n{\"a\":\n\n1}\n";
        let fixture = Fixture::parse(file).unwrap();
        assert_eq!((fixture.method.as_str(), fixture.subpath()), ("POST", "api/v2/alerts"));
        assert_eq!(fixture.query, [("a".to_owned(), "b c".to_owned())]);
        assert_eq!((fixture.headers.get("x-one"), fixture.headers.get("host")), (Some("1"), Some("h:80")));
        assert_eq!(fixture.body, b"{\"a\":\n\n1}\n");
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let file = b"GET /api/integrations/x/HOOK/a/b?integrationId=HOOK&a=b+c HTTP/1.1\nHost: h\nX-One: 1\n\n{\"a\":\n\n1}";
        let fixture = Fixture::parse(file).unwrap();
        assert_eq!(fixture.render(), file);
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text: &[u8]| Fixture::parse(text).unwrap_err();
        assert_eq!(error(b"POST / HTTP/1.1\nA: b"), NotARequest::NoEmptyLine);
        assert_eq!(error(b"POST\n\n"), NotARequest::RequestLine);
        assert_eq!(error(b"POST nowhere\n\n"), NotARequest::RequestLine);
        assert_eq!(error(b"{\"a\": /1}\n\n"), NotARequest::RequestLine, "a body alone");
        assert_eq!(error(b"POST /\nA: b\nnope\n\n"), NotARequest::HeaderLine(3));
        assert_eq!(error(b"POST /\n{\"a\" : 1}\n\n"), NotARequest::HeaderLine(2));
        assert_eq!(error(b"POST /\nA: \xff\n\n"), NotARequest::NotUtf8);
    }

    #[test]
    fn a_subpath_is_below_the_integration() {
        let of = |target: &str| Fixture::parse(format!("POST {target} HTTP/1.1\n\n").as_bytes()).unwrap().subpath().to_owned();
        assert_eq!(of("https://callbox.example/below/api/integrations/alertmanager/HOOK/api/v2/alerts?a=b"), "api/v2/alerts");
        assert_eq!(of("/api/integrations/alertmanager/api/v2/alerts"), "api/v2/alerts", "the hook is a password");
        assert_eq!(of("/api/integrations/alertmanager/HOOK"), "");
        assert_eq!(of("/api/integrations/alertmanager/HOOK/"), "");
    }

    #[test]
    fn the_integration_itself_has_no_subpath() {
        assert_eq!(Fixture::parse(b"PUT /api/integrations/grafana?integrationId=X\n\n").unwrap().subpath(), "");
        assert_eq!(Fixture::parse(b"GET /\n\n").unwrap().subpath(), "");
    }
}
