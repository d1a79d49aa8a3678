//! Lenient reading of JSON that a tool built: null is absent, numbers and strings stand for each other, white space around text
//! does not count.
//!
//! Owns how a field is found and coerced. Knows no tool, and allocates nothing to say where a value came from: the paths that it
//! is given are the provenance.

use std::borrow::Cow;

use serde_json::Value;

use crate::event::without_nul;
use crate::time::{Parsed, Timestamp};

/// A text, and the path below the alert at which it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<'a> {
    /// The text: not blank, nothing around it, free of U+0000.
    pub text: Cow<'a, str>,
    /// The path it came from, as given to [`first`].
    pub path: &'static str,
}

/// A string, number or boolean as the text that its tool wrote; `None` for null, arrays and objects.
pub fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A scalar as text to show: trimmed, free of U+0000; `None` when nothing is left.
pub fn text(value: &Value) -> Option<Cow<'_, str>> {
    shown(scalar(value)?)
}

/// As [`text`], for a text that is already in hand.
pub fn shown(raw: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let shown = match raw {
        Cow::Borrowed(raw) => match without_nul(raw) {
            Cow::Borrowed(clean) => Cow::Borrowed(clean.trim()),
            Cow::Owned(clean) => Cow::Owned(clean.trim().to_owned()),
        },
        Cow::Owned(raw) => Cow::Owned(without_nul(&raw).trim().to_owned()),
    };
    (!shown.is_empty()).then_some(shown)
}

/// The value at a dotted path of member names; `None` when a step is missing or the value is null.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |inner, name| inner.get(name)).filter(|found| !found.is_null())
}

/// The text at a dotted path.
pub fn field<'a>(value: &'a Value, path: &str) -> Option<Cow<'a, str>> {
    at(value, path).and_then(text)
}

/// The text at a dotted path, owned.
pub fn owned(value: &Value, path: &str) -> Option<String> {
    field(value, path).map(Cow::into_owned)
}

/// The text at the first of `paths` that holds one.
pub fn first<'a>(value: &'a Value, paths: &[&'static str]) -> Option<Found<'a>> {
    paths.iter().find_map(|path| field(value, path).map(|text| Found { text, path }))
}

/// A whole number: a JSON integer, or a text of digits.
pub fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A moment: ISO 8601 text, or seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by their size.
pub fn time(value: &Value) -> Option<Parsed> {
    let number = match value {
        Value::String(text) => match Timestamp::parse(text) {
            Some(parsed) => return Some(parsed),
            None => text.trim().parse::<f64>().ok()?,
        },
        Value::Number(number) => number.as_f64()?,
        _ => return None,
    };
    let micros = match number.abs() {
        size if !size.is_finite() => return None,
        size if size < 1e11 => number * 1e6,
        size if size < 1e14 => number * 1e3,
        size if size < 1e17 => number,
        _ => number / 1e3,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, and the ends of the range are not trusted anyway"
    )]
    let at = Timestamp(micros as i64);
    Some(Parsed { at, has_offset: true })
}

/// Whether `text` is nothing but a template variable that its tool did not expand: `$ALERT_TRANSITION`, `*alertType*`,
/// `$HOSTNAME$`, `${event.id}`, `{{ .Value }}`, `{EVENT.ID}`, `{ProblemID}`, `%name%`, `|NAME|`, `##NAME##`, `<no value>`. Such a text is absent, and above all never
/// a key.
pub fn unexpanded(text: &str) -> bool {
    let text = text.trim();
    let between = |open: &str, close: &str| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    };
    let shouted = |text: &str| name(text) && !text.contains(|c: char| c.is_ascii_lowercase());
    // `{ProblemID}` and `{event.id}` are variables, `{web01}` may be a host.
    let named = |text: &str| name(text) && (text.contains(['.', '_']) || text.starts_with(|c: char| c.is_ascii_uppercase()));
    text == "<no value>"
        || text.strip_prefix('$').is_some_and(shouted)
        || between("${", "}").is_some_and(|inner| !inner.is_empty() && !inner.contains(['{', '}']))
        || between("$", "$").is_some_and(name)
        || between("*", "*").is_some_and(name)
        || between("{{", "}}").is_some_and(|inner| !inner.contains("}}"))
        || between("{", "}").is_some_and(named)
        || between("##", "##").is_some_and(name)
        || between("%", "%").is_some_and(name)
        || between("|", "|").is_some_and(name)
}

/// Whether `text` is an absolute web address, and so worth a link.
pub fn is_web_address(text: &str) -> bool {
    let scheme = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (scheme("https://") || scheme("http://")) && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_stand_for_each_other() {
        let body = json!({"a": {"n": 7, "s": " x\u{0} ", "b": true, "null": null, "blank": "  ", "list": [1], "big": 12345678901234567890_u64}});
        let get = |path| field(&body, path).map(Cow::into_owned);
        assert_eq!(get("a.n").as_deref(), Some("7"));
        assert_eq!(get("a.s").as_deref(), Some("x"));
        assert_eq!(get("a.b").as_deref(), Some("true"));
        assert_eq!(get("a.big").as_deref(), Some("12345678901234567890"));
        for absent in ["a.null", "a.blank", "a.list", "a", "a.n.x", "b"] {
            assert_eq!(get(absent), None, "{absent}");
        }
        let found = first(&body, &["a.blank", "a.n"]).unwrap();
        assert_eq!((found.text.as_ref(), found.path), ("7", "a.n"));
    }

    #[test]
    fn a_variable_that_was_not_expanded_is_absent() {
        for yes in [
            "$ALERT_TRANSITION",
            " $ID ",
            "*alertType*",
            "{{ .Labels.x }}",
            "{EVENT.ID}",
            "{ProblemID}",
            "<no value>",
            "$SERVICEDESC$",
            "$host.name$",
            "${latestEvent.id}",
            "{ProblemID}",
            "{event.id}",
            "%sensorid%",
            "|NAME|",
            "##INTERNALID##",
            "${N=Alerting;M=AlertObjectID}",
        ] {
            assert!(unexpanded(yes), "{yes}");
        }
        for no in [
            "$5 lost",
            "cost $USD now",
            "*",
            "**",
            "{}",
            "{a: 1}",
            "{{a}} and {{b}}",
            "$aws",
            "$",
            "ALERT",
            "{web01}",
            "$5",
            "%CPU",
            "95%",
            "{}",
            "|",
        ] {
            assert!(!unexpanded(no), "{no}");
        }
    }

    #[test]
    fn epoch_numbers_are_told_apart_by_size() {
        let micros = 1_700_000_000_000_000;
        for value in [json!(1_700_000_000), json!(1_700_000_000_000_i64), json!(micros), json!("1700000000"), json!(1.7e9)] {
            assert_eq!(time(&value).unwrap().at, Timestamp(micros), "{value}");
        }
        assert_eq!(time(&json!("2023-11-14T22:13:20Z")).unwrap().at, Timestamp(micros));
        for bad in [json!("soon"), json!(null), json!([1]), json!("NaN"), json!("inf")] {
            assert_eq!(time(&bad), None, "{bad}");
        }
    }

    #[test]
    fn web_addresses() {
        assert!(is_web_address("https://a/b") && is_web_address("HTTP://a"));
        for no in ["javascript:x", "/graph?g0", "dontcare", "https://a b", "é"] {
            assert!(!is_web_address(no), "{no}");
        }
    }
}
