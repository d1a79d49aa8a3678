//! States, of every tool: what a body says counts, and how it is written does not. A word that merely looks like a state neither
//! resolves nor acknowledges.

use super::place::{get, pointers, put, rewritten, scalars, without};
use super::*;
use crate::event::{DedupKey, Severity};

/// What a result comes to; `None` for a body that is not mapped.
fn told(result: Result<Normalised, Unmapped>) -> Option<Vec<(Action, DedupKey, Severity)>> {
    Some(events(&result.ok()?).map(|event| (event.action, event.dedup_key.clone(), event.severity)).collect())
}

/// As [`told`], without the keys.
fn asked(result: Result<Normalised, Unmapped>) -> Option<Vec<(Action, Severity)>> {
    Some(told(result)?.into_iter().map(|(action, _, severity)| (action, severity)).collect())
}

fn replaced(body: &Value, replace: &dyn Fn(&Value) -> Option<Value>) -> Value {
    match body {
        Value::Array(elements) => elements.iter().map(|element| replaced(element, replace)).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), replaced(member, replace))).collect(),
        scalar => replace(scalar).unwrap_or_else(|| scalar.clone()),
    }
}

fn as_text(value: &Value) -> Option<Value> {
    value.as_number().map(|number| json!(number.to_string()))
}

fn as_number(value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then(|| json!(number))
}

#[test]
fn numbers_and_texts_stand_for_each_other() {
    let (mut runs, mut wrong) = (0, Vec::new());
    for case in cases() {
        let Some(body) = case.json() else { continue };
        let sent = told(case.as_sent());
        for other in [replaced(&body, &as_text), replaced(&body, &as_number)].into_iter().filter(|other| *other != body) {
            let changed = told(case.with(&other));
            if changed != sent {
                wrong.push(format!("{}: {sent:?} becomes {changed:?}: {other}", case.name));
            }
            runs += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(runs > 50, "{runs} runs: the fixtures have neither numbers nor texts of digits");
}

#[test]
fn null_is_absent() {
    let mut wrong = Vec::new();
    for case in cases() {
        let Some(body) = case.json() else { continue };
        let mut places = Vec::new();
        pointers(&body, "", &mut places);
        // An element of a list that is null is still an element.
        let is_member =
            |place: &&String| place.rsplit_once('/').is_some_and(|(parent, _)| body.pointer(parent).unwrap().is_object());
        for place in places.iter().filter(is_member) {
            let unguessed = |body: &Value| {
                // A key that is guessed may be of the whole text.
                let guessed = |(action, key, severity): (Action, DedupKey, Severity)| {
                    (action, Some(key).filter(|key| !key.as_str().starts_with("auto:")), severity)
                };
                told(case.with(body)).map(|told| told.into_iter().map(guessed).collect::<Vec<_>>())
            };
            let null = unguessed(&put(&body, place, &Value::Null));
            let absent = unguessed(&without(&body, place).unwrap());
            if null != absent {
                wrong.push(format!("{}: {place}: null is {null:?}, absent is {absent:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn neither_order_nor_white_space_between_members_counts() {
    for case in cases() {
        if let Some(body) = case.json() {
            let text = rewritten(&body);
            let json: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(told(case.run(Some(&json), text.as_bytes())), told(case.as_sent()), "{}", case.name);
        } else if let Some(form) = body::form(&case.fixture.body) {
            assert_eq!(told(case.with(&form)), told(case.as_sent()), "{}: in the order of the alphabet", case.name);
        }
    }
}

/// What differs between a trigger and its resolve is the state, and what goes with it.
#[test]
fn neither_case_nor_white_space_around_a_state_counts() {
    type Write = fn(&str) -> String;
    let written: [(&str, Write); 3] = [
        ("white space", |text| format!(" {text}\n")),
        ("upper case", |text| text.to_ascii_uppercase()),
        ("lower case", |text| text.to_ascii_lowercase()),
    ];
    let all = cases();
    let named = |kind: &str, name: &str| all.iter().find(|case| case.name == format!("{kind}/{name}"));
    let (mut runs, mut wrong) = (0, Vec::new());
    for tool in Registry::built_in().tools() {
        let kind = tool.meta().kind;
        let (Some(trigger), Some(resolve)) = (named(kind, "trigger"), named(kind, "resolve")) else { continue };
        let (Some(opening), Some(closing)) = (trigger.object(), resolve.object()) else { continue };
        for (case, body, other) in [(trigger, &opening, &closing), (resolve, &closing, &opening)] {
            for place in scalars(body).into_iter().filter(|place| get(body, place) != get(other, place)) {
                let Some(Value::String(text)) = get(body, &place) else { continue };
                let (sent, same) = (asked(case.as_sent()), |how: &Write| put(body, &place, &json!(how(&text))));
                for (how, write) in written {
                    let changed = asked(case.with(&same(&write)));
                    runs += 1;
                    if changed != sent {
                        wrong.push(format!("{}: {place} in {how}: {sent:?} becomes {changed:?}", case.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(runs > 300, "{runs} runs: triggers and resolves have no words that differ");
}

/// Each holds a word that resolves or acknowledges for some tool, and is none.
const NO_STATES: [&str; 16] = [
    "never seen",
    "not ok",
    "not resolved",
    "unresolved",
    "inactive",
    "broken",
    "abnormal",
    "unclosed",
    "upstream",
    "ok?",
    "resolved with errors",
    "acknowledgement pending",
    "unacknowledged?",
    "clearing",
    "-",
    "",
];

#[test]
fn what_merely_looks_like_a_state_neither_resolves_nor_acknowledges() {
    let (mut runs, mut wrong) = (0, Vec::new());
    for case in cases() {
        let Some(body) = case.object() else { continue };
        let mut check = |body: &Value, what: &str| {
            runs += 1;
            let own = |(_, key, _): &(Action, DedupKey, Severity)| !key.as_str().starts_with("truncated:");
            for (action, key, _) in told(case.with(body)).into_iter().flatten().filter(own) {
                if action != Action::Trigger {
                    wrong.push(format!("{}: {what}: {} {key}", case.name, action.as_str()));
                }
            }
        };
        let places = scalars(&body);
        // A word in every place but those that hold the key: whatever the state was, this is none.
        let everywhere = |value: &Value| {
            let others = places.iter().filter(|place| !case.identity.contains(place));
            others.fold(body.clone(), |all, place| put(&all, place, value))
        };
        check(&everywhere(&Value::Null), "nothing but its key");
        for word in NO_STATES {
            check(&everywhere(&json!(word)), &format!("{word:?} everywhere"));
            for place in places.iter().filter(|_| case.name.ends_with("/trigger")) {
                check(&put(&body, place, &json!(word)), &format!("{word:?} at {place}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(runs > 5_000, "{runs} runs: the sweep has lost its fixtures");
}
