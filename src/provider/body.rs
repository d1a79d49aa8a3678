//! Bodies that are not JSON by themselves: forms, multipart, and requests that carry everything in their query. Each becomes the object
//! that it stands for.
//!
//! A content type decides nothing but where the parts of a multipart body end: what reads as JSON is JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::recipe::Given;
use super::{Request, Unmapped};

/// Fields that one body may hold.
const FIELDS_MAX: usize = 256;
/// A field whose value is the JSON that is meant.
const ENVELOPES: [&str; 2] = ["payload", "data"];
/// Parameters that are ours and not the tool's.
const OURS: [&str; 3] = ["integrationId", "key", "token"];

/// How a body may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// JSON, whatever its content type says.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// No body: the query.
    Query,
}

impl Kind {
    /// Reads a recipe's list of kinds; JSON when there is none.
    pub(super) fn read(given: Option<&(Given<'_>, Vec<String>)>, wrong: impl Fn(&Given<'_>, String)) -> Vec<Self> {
        let Some((given, words)) = given else { return vec![Self::Json] };
        let kinds = [("json", Self::Json), ("form", Self::Form), ("multipart", Self::Multipart), ("query", Self::Query)];
        let of = |word: &String| kinds.iter().find(|(known, _)| known == word).map(|(_, kind)| *kind);
        if let Some(word) = words.iter().find(|word| of(word).is_none()) {
            wrong(given, format!("{word:?} is no kind of body: there are json, form, multipart and query"));
        }
        words.iter().filter_map(of).collect()
    }
}

/// The body of a request as an object, or whatever JSON it is; `None` when there is nothing to read at all.
///
/// # Errors
/// It is none of `kinds`.
pub(super) fn read<'a>(kinds: &[Kind], request: &Request<'a>) -> Result<Option<Cow<'a, Value>>, Unmapped> {
    if let Some(json) = request.json.filter(|_| kinds.contains(&Kind::Json)) {
        return Ok(Some(Cow::Borrowed(json)));
    }
    let bare = request.body.iter().all(u8::is_ascii_whitespace);
    if bare && kinds.contains(&Kind::Query) {
        let fields = request.query.iter().filter(|(name, _)| !OURS.contains(&name.as_str())).cloned();
        let object = object(fields);
        return Ok(object.map(Cow::Owned));
    }
    let multipart = || multipart(request.body, request.headers.get("content-type")?);
    let read = kinds.iter().find_map(|kind| match kind {
        Kind::Form => form(request.body),
        Kind::Multipart => multipart(),
        Kind::Json | Kind::Query => None,
    });
    read.map(|body| Some(Cow::Owned(body))).ok_or(Unmapped::new(if kinds == [Kind::Json] {
        "the body is not JSON"
    } else {
        "the body is of no kind that this tool sends"
    }))
}

/// Whether a query holds parameters of a tool's.
pub fn has_parameters(query: &[(String, String)]) -> bool {
    query.iter().any(|(name, _)| !OURS.contains(&name.as_str()))
}

/// A form as the object it stands for: its fields, or the JSON in the field that is nothing but an envelope. `None` for what is not a
/// form.
pub(super) fn form(body: &[u8]) -> Option<Value> {
    let text = str::from_utf8(body).ok()?.trim();
    let (name, _) = text.split_once('=')?;
    // Some tools leave white space in values as it is; no name has any.
    if name.is_empty() || name.starts_with(['{', '[', '<', '"']) || name.contains(char::is_whitespace) {
        return None;
    }
    object(url::form_urlencoded::parse(text.as_bytes()).into_owned())
}

/// Fields as an object; of fields with one name the last counts.
fn object(fields: impl Iterator<Item = (String, String)>) -> Option<Value> {
    let fields: Map<String, Value> = fields.take(FIELDS_MAX).map(|(name, value)| (name, value.into())).collect();
    let enveloped = ENVELOPES.iter().find_map(|name| {
        let value: Value = serde_json::from_str(fields.get(*name)?.as_str()?).ok()?;
        value.is_object().then_some(value)
    });
    enveloped.or_else(|| (!fields.is_empty()).then_some(Value::Object(fields)))
}

/// The parts of a multipart body that are fields (RFC 7578); files are their text.
fn multipart(body: &[u8], content_type: &str) -> Option<Value> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())?;
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    object(parts(&text, &boundary).into_iter().filter_map(part))
}

/// What stands between the delimiters (RFC 2046, 5.1.1): lines of two dashes and the boundary, the last with two more dashes. What
/// was cut off counts as far as it goes.
fn parts<'a>(text: &'a str, boundary: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (None, 0);
    for line in text.split_inclusive('\n') {
        let here = at;
        at += line.len();
        let delimiter = line.strip_prefix("--").and_then(|line| line.strip_prefix(boundary)).map(str::trim_end);
        let Some(end @ ("" | "--")) = delimiter else { continue };
        parts.extend(start.and_then(|start| text.get(start..here)));
        start = (end.is_empty() && parts.len() < FIELDS_MAX).then_some(at);
        if start.is_none() {
            return parts;
        }
    }
    parts.extend(start.and_then(|start| text.get(start..)));
    parts
}

fn part(part: &str) -> Option<(String, String)> {
    let (head, content) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
    let disposition = head.lines().filter_map(|line| line.split_once(':'));
    let (_, disposition) = disposition.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))?;
    // The line break before a delimiter is part of the delimiter.
    let content = content.strip_suffix('\n').map_or(content, |content| content.strip_suffix('\r').unwrap_or(content));
    Some((parameter(disposition, "name")?, content.to_owned()))
}

/// A parameter of a header field's value (RFC 9110, 5.6.6): `; name=token` or `; name="quoted"`.
fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once(';') {
        let (found, value) = after.split_once('=')?;
        let found = found.rsplit(';').next().unwrap_or_default().trim();
        let (text, after) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (token, after) = value.split_at(value.find(';').unwrap_or(value.len()));
                (token.trim().to_owned(), after)
            }
        };
        if found.eq_ignore_ascii_case(name) {
            return Some(text);
        }
        rest = after;
    }
    None
}

/// A quoted string up to its closing quote, without escapes, and what follows.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => text.push(character),
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms_and_their_envelopes() {
        assert_eq!(form(b"a=b+c&d=%7B1&a=e"), Some(json!({"a": "e", "d": "{1"})));
        assert_eq!(form(b"payload=%7B%22a%22%3A1%7D&x=y"), Some(json!({"a": 1})));
        assert_eq!(form(b"payload=text"), Some(json!({"payload": "text"})));
        for body in ["", "text", "{\"a\": \"=\"}", "a = b", "<a b='c'/>", "=b", "it is a=b"] {
            assert_eq!(form(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn multipart_fields() {
        let body = b"--X\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{\"a\": 1}\r\n--X--\r\n";
        assert_eq!(multipart(body, "multipart/form-data; boundary=X"), Some(json!({"a": 1})));
        let body = b"--X Y\ncontent-disposition: form-data; name=\"a\"; filename=\"f\"\n\n1\n2\n--X Y\nContent-Disposition: form-data; name=\"b\"\n\n\n--X Y--";
        assert_eq!(multipart(body, "multipart/form-data; boundary=\"X Y\"; charset=utf-8"), Some(json!({"a": "1\n2", "b": ""})));
        let body = b"preamble --X\r\n--X \r\nContent-Type: text/plain\r\ncontent-DISPOSITION: form-data; filename=\"name=\\\"f\\\"; x\"; name=a;q\r\n\r\n1--X--\r\n--Xyz\r\n\r\n--X\r\n\r\nno head\r\n--X\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\ncut off";
        let kind = "Multipart/Form-Data; charset=\"utf-8; boundary=Y\"; BOUNDARY=X";
        assert_eq!(multipart(body, kind), Some(json!({"a": "1--X--\r\n--Xyz\r\n", "c": "cut off"})));
        assert_eq!(multipart(b"--X\r\n--X\r\n--X--", "multipart/form-data; boundary=X"), None);
        let many = "--X\nContent-Disposition: form-data; name=a\n\n1\n".repeat(2 * FIELDS_MAX);
        assert_eq!(parts(&many, "X").len(), FIELDS_MAX);
        for kind in ["multipart/form-data", "multipart/form-data; boundary=", "text/plain; boundary=X"] {
            assert_eq!(multipart(body, kind), None, "{kind}");
        }
    }

    #[test]
    fn our_own_parameters_are_none_of_the_tools() {
        let pairs = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect::<Vec<_>>();
        assert!(!has_parameters(&pairs(&["integrationId", "key"])) && has_parameters(&pairs(&["token", "status"])));
    }
}
