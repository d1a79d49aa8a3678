//! What docs/rules.md shows is accepted, and what there is stands in it.

use serde_json::{Value, json};

use super::super::{Asked, Condition, Kind, Lookup, Rule};
use super::{map, rule};
use crate::delivery::message::Occasion;

const PAGE: &str = include_str!("../../../../docs/rules.md");

struct Anything;

impl Lookup for Anything {
    fn id(&self, _kind: Kind, word: &str) -> Result<String, String> {
        Ok(word.to_owned())
    }
}

/// The blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let mut parts = PAGE.split("```");
    let mut found = Vec::new();
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        found.extend(block.strip_prefix(language).and_then(|block| block.strip_prefix('\n')));
    }
    found
}

#[test]
fn every_example_is_a_rule_or_a_window() {
    let (mut rules, mut windows) = (0, 0);
    for block in blocks("json") {
        for value in serde_json::Deserializer::from_str(block).into_iter::<Value>() {
            let value = value.unwrap_or_else(|error| panic!("{error}: {block}"));
            let is_rule = value.get("name").is_some();
            let body = if is_rule { value } else { json!({"name": "x", "destinations": ["d"], "quiet_windows": [value]}) };
            if let Err(problems) = Rule::from_json(&map(body), &Anything) {
                panic!("{problems:?}: {block}");
            }
            if is_rule { rules += 1 } else { windows += 1 }
        }
    }
    assert!(rules >= 8 && windows == 2, "{rules} rules and {windows} windows");
}

#[test]
fn every_condition_is_one() {
    let conditions: Vec<&str> = blocks("").into_iter().flat_map(str::lines).collect();
    assert_eq!(conditions.len(), 4);
    for condition in conditions {
        assert!(Condition::new(condition).is_ok(), "{condition}: {:?}", Condition::new(condition));
    }
}

#[test]
fn every_field_event_and_default_stands_in_it() {
    let plain = rule(json!({"name": "x", "destinations": ["ops"]})).to_json();
    let retry = plain.get("retry").and_then(Value::as_object).unwrap();
    for name in plain.keys().chain(retry.keys()) {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
    for occasion in Occasion::ALL.into_iter().filter(|occasion| *occasion != Occasion::Test) {
        assert!(PAGE.contains(&format!("| `{}", occasion.as_str())), "{occasion:?}");
    }
    for (name, value) in retry.iter().filter(|(_, value)| !value.is_null()) {
        let line = PAGE.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap();
        assert!(line.ends_with(&format!("| `{}` |", value.as_str().unwrap())), "{line}");
    }
    assert_eq!(Asked::DEFAULT.len(), 4, "the page says the first four");
}
