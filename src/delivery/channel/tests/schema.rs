//! A vendor's schema as data: which members there may be, which there must be, of which type and length.

use serde_json::Value;

use super::Verdict;
use crate::delivery::limit::Unit;

/// What a value may be. A member that is not named may not be there.
pub enum Shape {
    /// A text of so many characters, from and to.
    Text(usize, usize),
    /// The same, counted in another unit.
    Counted(usize, usize, Unit),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An address of the web.
    Url(usize),
    /// A whole number in a range.
    Number(i64, i64),
    /// True or false.
    Flag,
    /// Null.
    Null,
    /// So many of these, from and to.
    List(usize, usize, &'static Shape),
    /// These members; those that are true must be there.
    Object(&'static [(&'static str, bool, Shape)]),
    /// Members of any name.
    Map(usize, &'static Shape),
    /// One of these.
    Either(&'static [Shape]),
}

/// Whether `value` is what `shape` says.
pub fn check(shape: &Shape, value: &Value) -> Verdict {
    at(shape, value, "$")
}

fn at(shape: &Shape, value: &Value, path: &str) -> Verdict {
    let text = || value.as_str().ok_or(format!("{path} is no text: {value}"));
    let within = |length: usize, min: usize, max: usize| match (min..=max).contains(&length) {
        true => Ok(()),
        false => Err(format!("{path} has a length of {length}, not {min} to {max}")),
    };
    match shape {
        Shape::Text(min, max) => within(Unit::Characters.length(text()?), *min, *max),
        Shape::Counted(min, max, unit) => within(unit.length(text()?), *min, *max),
        Shape::Word(words) => {
            text().and_then(|text| if words.contains(&text) { Ok(()) } else { Err(format!("{path} is {text:?}")) })
        }
        Shape::Url(max) => {
            within(text()?.len(), 1, *max)?;
            let parsed = url::Url::parse(text()?).map_err(|error| format!("{path}: {error}"))?;
            if matches!(parsed.scheme(), "http" | "https") { Ok(()) } else { Err(format!("{path} leads to {parsed}")) }
        }
        Shape::Number(min, max) if value.as_i64().is_some_and(|number| (*min..=*max).contains(&number)) => Ok(()),
        Shape::Flag if value.is_boolean() => Ok(()),
        Shape::Null if value.is_null() => Ok(()),
        Shape::Number(..) | Shape::Flag | Shape::Null => Err(format!("{path} is {value}")),
        Shape::List(min, max, each) => {
            let list = value.as_array().ok_or(format!("{path} is no list"))?;
            within(list.len(), *min, *max)?;
            list.iter().enumerate().try_for_each(|(index, one)| at(each, one, &format!("{path}[{index}]")))
        }
        Shape::Object(members) => {
            let have = value.as_object().ok_or(format!("{path} is no object"))?;
            if let Some(name) = have.keys().find(|name| !members.iter().any(|(known, ..)| known == name)) {
                return Err(format!("{path}.{name} is unknown"));
            }
            members.iter().try_for_each(|(name, needed, shape)| match have.get(*name) {
                Some(value) => at(shape, value, &format!("{path}.{name}")),
                None if *needed => Err(format!("{path}.{name} is missing")),
                None => Ok(()),
            })
        }
        Shape::Map(max, each) => {
            let have = value.as_object().ok_or(format!("{path} is no object"))?;
            within(have.len(), 0, *max)?;
            have.iter().try_for_each(|(name, value)| at(each, value, &format!("{path}.{name}")))
        }
        Shape::Either(shapes) => {
            let wrong: Vec<String> = shapes.iter().filter_map(|shape| at(shape, value, path).err()).collect();
            if wrong.len() < shapes.len() { Ok(()) } else { Err(wrong.join(", or ")) }
        }
    }
}

/// Every text in a value with the name of the member that holds it.
pub fn texts(value: &Value) -> Vec<(String, String)> {
    fn walk(name: &str, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => found.push((name.to_owned(), text.clone())),
            Value::Array(list) => list.iter().for_each(|one| walk(name, one, found)),
            Value::Object(members) => members.iter().for_each(|(name, value)| walk(name, value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk("", value, &mut found);
    found
}

/// Whether a person's text holds what no reader should get: control characters, marks that turn what follows.
pub fn clean(value: &Value) -> Verdict {
    let bad = |character: char| {
        (character.is_control() && character != '\n') || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    match texts(value).into_iter().find(|(_, text)| text.chars().any(bad)) {
        Some((name, text)) => Err(format!("{name} holds what nobody sees: {text:?}")),
        None => Ok(()),
    }
}

#[test]
fn what_is_wrong_is_found() {
    use serde_json::json;
    const SHAPE: Shape = Shape::Object(&[("a", true, Shape::Text(1, 3)), ("b", false, Shape::List(0, 1, &Shape::Url(30)))]);
    assert_eq!(check(&SHAPE, &json!({ "a": "é😀x", "b": ["https://a.example"] })), Ok(()));
    for bad in [
        json!({}),
        json!({ "a": "" }),
        json!({ "a": "long" }),
        json!({ "a": 1 }),
        json!({ "a": "x", "c": 1 }),
        json!({ "a": "x", "b": ["ftp://a"] }),
        json!([]),
    ] {
        assert!(check(&SHAPE, &bad).is_err(), "{bad}");
    }
    assert!(clean(&json!([{ "a": "x\u{202e}y" }])).is_err() && clean(&json!("x\ny")).is_ok());
}
