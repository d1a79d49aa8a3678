//! Putting values into the JSON that a template wrote, so that no value can be more than a value.
//!
//! While a template for JSON runs, each value that it puts out is set aside, and a mark stands in its place: what ran is the author's own
//! text, with marks. Inside quotes a mark becomes the value's text, escaped. Outside it must be a number, `true`, `false`, nothing, or what
//! `json` wrote; a text there is an error, whatever it says. So an alert's words can neither end a string nor add a member.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Failure, RESULT_MAX};

/// What a mark is made of; no template holds them, and no value gets into the result but through a mark.
pub(super) const MARKS: [char; 2] = [OPEN, CLOSE];
const OPEN: char = '\u{1}';
const CLOSE: char = '\u{2}';

/// A value that was set aside, and the line that put it out.
pub(super) struct Piece {
    pub(super) line: usize,
    pub(super) value: Kept,
}

/// What it is.
pub(super) enum Kept {
    /// A text, which needs quotes.
    Text(Arc<str>),
    /// JSON already: a number, a truth, what `json` wrote.
    Json(Arc<str>),
    /// Nothing: an empty text inside quotes, `null` outside.
    Nothing,
}

/// The mark of the piece with this index.
pub(super) fn mark(index: usize) -> String {
    format!("{OPEN}{index}{CLOSE}")
}

/// The result with its values in their places, raw control characters inside strings escaped: JSON.
///
/// # Errors
/// A text outside quotes; a result that is no JSON, is longer than a result may be, or says the same thing twice.
pub(super) fn splice(written: &str, pieces: &[Piece]) -> Result<String, Failure> {
    let mut out = String::with_capacity(written.len());
    let (mut inside, mut escaped, mut rest) = (false, false, written);
    while let Some(letter) = rest.chars().next() {
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        if letter == OPEN {
            let (index, after) = rest.split_once(CLOSE).unwrap_or_default();
            rest = after;
            let Some(piece) = index.parse().ok().and_then(|index: usize| pieces.get(index)) else { continue };
            if escaped {
                return Err(Failure::at(piece.line, "a backslash stands right before a value: take it out, values are escaped"));
            }
            put(&mut out, piece, inside)?;
        } else if inside && letter < ' ' {
            // As a tool's own template leaves them; with the backslash that may stand before, it is an escape.
            if !std::mem::take(&mut escaped) {
                out.push('\\');
            }
            out.push_str(&escape(letter));
        } else {
            out.push(letter);
            if escaped {
                escaped = false;
            } else if letter == '"' {
                inside = !inside;
            } else {
                escaped = inside && letter == '\\';
            }
        }
        if out.len() > RESULT_MAX {
            return Err(Failure::too_large());
        }
    }
    check(&out)?;
    Ok(out)
}

fn put(out: &mut String, piece: &Piece, inside: bool) -> Result<(), Failure> {
    match &piece.value {
        Kept::Text(text) | Kept::Json(text) if inside => out.push_str(&quoted(text)),
        Kept::Json(json) => out.push_str(json),
        Kept::Nothing if inside => {}
        Kept::Nothing => out.push_str("null"),
        Kept::Text(text) if text.trim_ascii().is_empty() => {}
        Kept::Text(_) => {
            let why = "a text is put out where no quotes are: set it in quotes, or put it through json: {{ json … }}";
            return Err(Failure::at(piece.line, why));
        }
    }
    Ok(())
}

/// The text as it stands between quotes.
fn quoted(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// What follows the backslash in a control character's escape.
fn escape(letter: char) -> Cow<'static, str> {
    match letter {
        '\n' => "n".into(),
        '\r' => "r".into(),
        '\t' => "t".into(),
        _ => format!("u{:04x}", u32::from(letter)).into(),
    }
}

/// That the result is JSON of which every reader reads the same.
fn check(json: &str) -> Result<(), Failure> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = Unambiguous.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    read.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let near = json.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let near: String = near.chars().skip(column.saturating_sub(20)).take(40).collect();
        // serde_json's own words, without the place that they end in.
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        Failure::of(format!("the result is not JSON: {said}, in its line {line} near {near:?}"))
    })
}

/// Any value, in whose objects no name comes twice: of two, one reader takes the first and another the last.
#[derive(Clone, Copy)]
struct Unambiguous;

impl<'de> DeserializeSeed<'de> for Unambiguous {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            entries.next_value_seed(Self)?;
            if !names.insert(name) {
                return Err(A::Error::custom("a name comes twice in one object"));
            }
        }
        Ok(())
    }
}
