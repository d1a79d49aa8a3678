//! Request bodies as JSON: the one parse of each, its repair, and the masking of credentials in what is stored.
//!
//! Owns every decision about bytes that claim to be JSON. Knows nothing of events or tools. An error names a place in the
//! body, never its content.

mod mask;
mod repair;

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

pub use mask::{mask, mask_form};

/// A body that is JSON.
#[derive(Clone, PartialEq, Debug)]
pub struct Parsed {
    /// The value; of equal names in one object the last one counts.
    pub value: Value,
    /// Names that the outermost object holds more than once, each listed once, in the order found.
    pub duplicates: Vec<String>,
    /// Whether raw control characters inside strings had to be escaped before it was JSON.
    pub repaired: bool,
}

/// Why a body is not JSON, and where that showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problem} at line {line}, column {column}")]
pub struct ParseError {
    /// What was wrong.
    pub problem: Problem,
    /// The line, from 1; 0 for an empty body's end.
    pub line: usize,
    /// The column in bytes, from 1; 0 before the first byte of a line.
    pub column: usize,
}

/// What kept a body from being JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It has no bytes, or white space only.
    Empty,
    /// It stops in the middle.
    Truncated,
    /// Arrays and objects are nested more than 127 deep.
    TooDeep,
    /// Something that JSON does not allow, RFC 8259.
    Malformed,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the body is empty",
            Self::Truncated => "the JSON ends too early",
            Self::TooDeep => "the JSON is nested more than 127 deep",
            Self::Malformed => "the body is not JSON",
        })
    }
}

/// Parses `body` as one JSON value in UTF-8, up to 127 levels deep, with nothing but white space after it.
///
/// # Errors
/// Anything that RFC 8259 does not allow (a byte order mark, `NaN`, lone surrogates, text after the value), numbers beyond
/// the range of a double, and deeper nesting.
pub fn parse(body: &[u8]) -> Result<Parsed, ParseError> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = deserializer.deserialize_any(Outermost { duplicates: &mut duplicates });
    let value = value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| ParseError::of(&error, body))?;
    Ok(Parsed { value, duplicates, repaired: false })
}

/// As [`parse`]; a body that fails is tried once more with the raw control characters inside its strings escaped, because
/// templates of several tools put line breaks there.
///
/// # Errors
/// As [`parse`], with the place in the body as it was received.
pub fn parse_lenient(body: &[u8]) -> Result<Parsed, ParseError> {
    parse(body).or_else(|error| {
        let repaired = repair::escape_controls(body).ok_or(error)?;
        parse(&repaired).map(|parsed| Parsed { repaired: true, ..parsed }).map_err(|_| error)
    })
}

impl ParseError {
    fn of(error: &serde_json::Error, body: &[u8]) -> Self {
        let problem = if body.iter().all(u8::is_ascii_whitespace) {
            Problem::Empty
        } else if error.is_eof() {
            Problem::Truncated
        } else if error.to_string().starts_with("recursion limit exceeded") {
            Problem::TooDeep
        } else {
            Problem::Malformed
        };
        Self { problem, line: error.line(), column: error.column() }
    }
}

/// Builds the outermost value as [`Value`] would be built, and notes names that come twice.
struct Outermost<'a> {
    duplicates: &'a mut Vec<String>,
}

impl<'de> Visitor<'de> for Outermost<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut noted = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            if object.contains_key(&name) && noted.insert(name.clone()) {
                self.duplicates.push(name.clone());
            }
            object.insert(name, entries.next_value()?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn nested(depth: usize) -> Vec<u8> {
        let mut text = "[".repeat(depth);
        text.push_str(&"]".repeat(depth));
        text.into_bytes()
    }

    #[test]
    fn what_comes_twice_in_the_outermost_object_is_named_once_and_the_last_one_counts() {
        let parsed = parse(br#"{"a":1,"b":{"x":1,"x":2},"\u0061":2,"a":3,"c":[{"a":1}]}"#).unwrap();
        assert_eq!(parsed.value, json!({"a": 3, "b": {"x": 2}, "c": [{"a": 1}]}));
        assert_eq!(parsed.duplicates, ["a"]);
        assert!(!parsed.repaired);
    }

    #[test]
    fn nesting_of_127_is_read_and_128_is_not() {
        assert!(parse(&nested(127)).is_ok());
        for depth in [128, 100_000] {
            assert_eq!(parse(&nested(depth)).unwrap_err().problem, Problem::TooDeep, "{depth}");
        }
        let deep_inside = [br#"{"a":"#.as_slice(), &nested(127), b"}"].concat();
        assert_eq!(parse(&deep_inside).unwrap_err().problem, Problem::TooDeep);
    }

    #[test]
    fn what_is_not_json_is_an_error_with_its_place() {
        let cases: [(&[u8], Problem, usize, usize); 11] = [
            (b"", Problem::Empty, 1, 0),
            (b" \n ", Problem::Empty, 2, 1),
            (b"\xef\xbb\xbf{}", Problem::Malformed, 1, 1),
            (b"{} x", Problem::Malformed, 1, 4),
            (b"{\n\"a\":NaN}", Problem::Malformed, 2, 5),
            (br#"{"a":"\ud800"}"#, Problem::Malformed, 1, 12),
            (b"{\"a\":\"\xff\"}", Problem::Malformed, 1, 7),
            (br#"{"a":1e999}"#, Problem::Malformed, 1, 10),
            (br#"{"a":"hush"#, Problem::Truncated, 1, 10),
            (b"routing_key=hush&event_action=trigger", Problem::Malformed, 1, 1),
            (b"{'a':'hush'}", Problem::Malformed, 1, 2),
        ];
        for (body, problem, line, column) in cases {
            let error = parse(body).unwrap_err();
            let shown = String::from_utf8_lossy(body);
            assert_eq!((error.problem, error.line), (problem, line), "{shown}");
            assert!(error.column.abs_diff(column) <= 1, "{shown}: {error}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn scalars_are_json_too() {
        for (body, value) in
            [("null", json!(null)), ("\"x\"", json!("x")), ("[]", json!([])), ("-1", json!(-1)), ("1.5", json!(1.5))]
        {
            assert_eq!(parse(body.as_bytes()).unwrap().value, value);
        }
    }

    #[test]
    fn raw_control_characters_in_strings_are_repaired_once() {
        let parsed = parse_lenient(b"{\"a\":\"one\ntwo\tthree\x01\",\n\"b\\\n\":1}").unwrap();
        assert_eq!(parsed.value, json!({"a": "one\ntwo\tthree\u{1}", "b\n": 1}));
        assert!(parsed.repaired);
        assert!(!parse_lenient(b"{\"a\":1}").unwrap().repaired);
        assert_eq!(parse_lenient(b"{\"a\":\"\n").unwrap_err().line, parse(b"{\"a\":\"\n").unwrap_err().line);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_lenient(&body);
            let _ = mask(&body, &["a"]);
            let _ = mask_form(&body, &["a"]);
        }

        #[test]
        fn it_reads_what_serde_json_reads(body in r#"[\[\]{}",:0-9eE\\a-b \n-]{0,40}"#) {
            let expected: Option<Value> = serde_json::from_str(&body).ok();
            prop_assert_eq!(parse(body.as_bytes()).ok().map(|parsed| parsed.value), expected);
        }
    }
}
