//! Keys, of every tool: made of what identifies the alert and of nothing else, the same from its trigger to its resolve, never a
//! template variable. What identifies it is named in the header `X-Fixture-Identity` of its fixture `trigger`.

use std::collections::BTreeSet;

use super::place::{get, put, scalars};
use super::*;
use crate::event::DedupKey;

/// Where the fields of the first event of a result came from.
fn origin(result: Result<Normalised, Unmapped>) -> Option<Origin> {
    let normalised = result.ok()?;
    let first = normalised.items.iter().find_map(|item| match item {
        Item::Event(mapped) => Some(&**mapped),
        _ => None,
    });
    Some(first.or(normalised.if_open.first())?.origin.clone())
}

/// The first event of a result.
fn first(result: Result<Normalised, Unmapped>) -> Option<Event> {
    events(&result.ok()?).next().cloned()
}

/// The fixtures of one name, with their bodies, and what identifies their alerts.
fn named(name: &str) -> Vec<(Case, Value, Vec<String>)> {
    let all = cases();
    let of_trigger = |kind: &str| {
        let trigger = all.iter().find(|case| case.name == format!("{kind}/trigger")).unwrap();
        assert!(
            !trigger.identity.is_empty(),
            "{}: say in the header X-Fixture-Identity which places in the body identify the alert, such as: /host /service",
            trigger.name
        );
        trigger.identity.clone()
    };
    let identities: Vec<Vec<String>> = all.iter().map(|case| of_trigger(case.provider.meta().kind)).collect();
    let suffix = format!("/{name}");
    let named = all.into_iter().zip(identities).filter(|(case, _)| case.name.ends_with(&suffix)).map(|(case, identity)| {
        let body = case.object().unwrap_or_else(|| panic!("{} is neither JSON nor a form", case.name));
        let own = if case.identity.is_empty() { identity.clone() } else { case.identity.clone() };
        assert_eq!(own.len(), identity.len(), "{}: as many places as its trigger names", case.name);
        for place in &own {
            assert!(get(&body, place).is_some(), "{}: there is nothing at {place}, which identifies the alert", case.name);
        }
        (case, body, own)
    });
    named.collect()
}

#[test]
fn a_key_is_made_of_what_identifies_the_alert_and_of_nothing_else() {
    let mut wrong = Vec::new();
    for name in ["trigger", "repeat", "resolve"] {
        for (case, body, identity) in named(name) {
            let Some(sent) = first(case.with(&body)).filter(|event| !event.key_guessed) else {
                wrong.push(format!("{}: no event with a key that is not guessed", case.name));
                continue;
            };
            let of = |place: &str, value: &Value| first(case.with(&put(&body, place, value))).map(|event| event.dedup_key);
            for other in [json!("another"), json!(987_654)] {
                for place in identity.iter().filter(|place| of(place, &other).is_none_or(|key| key == sent.dedup_key)) {
                    wrong.push(format!("{}: {place} = {other} does not count", case.name));
                }
                let rest = scalars(&body).into_iter().filter(|place| !identity.iter().any(|counts| counts.starts_with(place)));
                // A body that is read in another way is a body of another kind.
                let same = |place: &String| {
                    let names = |body: &Value| origin(case.with(body)).map(|origin| (origin.dedup_key, origin.source));
                    names(&put(&body, place, &other)) == names(&body)
                };
                for place in rest.filter(|place| of(place, &other).is_some_and(|key| key != sent.dedup_key) && same(place)) {
                    wrong.push(format!("{}: {place} = {other} counts", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_resolve_closes_what_its_trigger_opened_and_nothing_else() {
    let long = "long ".repeat(80);
    let values = ["another", "a:b", "é/ü", " x ", "0", "7", "\u{0}y", "NULL", "A", &long];
    let triggers = named("trigger");
    let mut wrong = Vec::new();
    for (resolve, over, at_end) in named("resolve") {
        let kind = resolve.provider.meta().kind;
        let (trigger, body, at_start) = triggers.iter().find(|(case, ..)| case.provider.meta().kind == kind).unwrap();
        let opened = |place: &str, value: &Value| first(trigger.with(&put(body, place, value))).map(|event| event.dedup_key);
        let closed = |place: &str, value: &Value| {
            let event = first(resolve.with(&put(&over, place, value))).filter(|event| event.action == Action::Resolve);
            event.map(|event| event.dedup_key)
        };
        for (start, end) in at_start.iter().zip(&at_end) {
            let mut seen: Vec<Option<DedupKey>> = Vec::new();
            for value in values.iter().map(|value| json!(value)) {
                let (opened, closed) = (opened(start, &value), closed(end, &value));
                if opened != closed {
                    wrong.push(format!("{kind}: {value}: {start} opens {opened:?}, {end} closes {closed:?}"));
                }
                if opened.is_some() && seen.contains(&opened) {
                    wrong.push(format!("{kind}: {value} at {start} shares the key {opened:?}"));
                }
                seen.push(opened);
            }
            if seen.iter().flatten().count() < 2 {
                wrong.push(format!("{kind}: no other {start} makes an event"));
            }
            let pairs = [(json!("12345"), json!(12345)), (json!(12345), json!("12345"))];
            for (one, other) in pairs.iter().filter(|(one, other)| opened(start, one) != closed(end, other)) {
                wrong.push(format!("{kind}: {one} at {start}, {other} at {end}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Variables of the template languages that tools have, as they look when nothing filled them in.
const UNEXPANDED: [&str; 12] = [
    "$ALERT_ID",
    "${latestEvent.id}",
    "$HOSTNAME$",
    "$result.host$",
    "*monitorID*",
    "{EVENT.ID}",
    "{ProblemID}",
    "{{ $alert_id }}",
    "{{alert.id}}",
    "%sensorid%",
    "|NAME|",
    "<no value>",
];

#[test]
fn a_variable_that_was_not_filled_in_is_no_key() {
    let mut wrong = Vec::new();
    for name in ["trigger", "resolve"] {
        for (case, body, identity) in named(name) {
            for text in UNEXPANDED {
                let value = json!(text);
                let everywhere = scalars(&body).iter().fold(body.clone(), |all, place| put(&all, place, &value));
                let each = identity.iter().map(|place| put(&body, place, &value)).chain([everywhere.clone()]);
                for event in each.filter_map(|changed| first(case.with(&changed))) {
                    if event.dedup_key.as_str().contains(text.trim_matches(|c: char| !c.is_alphanumeric())) {
                        wrong.push(format!("{}: {text} makes the key {}", case.name, event.dedup_key));
                    }
                }
                if first(case.with(&everywhere)).is_some_and(|event| event.action != Action::Trigger) {
                    wrong.push(format!("{}: {text} everywhere does not page", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_alerts_of_one_request_have_keys_of_their_own() {
    let mut groups = 0;
    for case in cases() {
        let Ok(normalised) = case.as_sent() else { continue };
        // One that opens and one that closes may be the same alert, later.
        let keys: Vec<_> = events(&normalised).map(|event| (event.dedup_key.clone(), event.action.as_str())).collect();
        groups += usize::from(keys.len() > 1);
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{}: {keys:?}", case.name);
    }
    assert!(groups > 3, "{groups} requests with more than one alert");
}

#[test]
fn a_test_message_leaves_real_incidents_alone() {
    let triggers = named("trigger");
    let mut wrong = Vec::new();
    for case in cases().into_iter().filter(|case| case.name.ends_with("/test-ping")) {
        let kind = case.provider.meta().kind;
        let (trigger, body, _) = triggers.iter().find(|(trigger, ..)| trigger.provider.meta().kind == kind).unwrap();
        let real = first(trigger.with(body)).map(|event| event.dedup_key);
        let Ok(normalised) = case.as_sent() else {
            wrong.push(format!("{}: is unmapped", case.name));
            continue;
        };
        for event in events(&normalised).filter(|event| !event.dedup_key.as_str().starts_with("truncated:")) {
            if Some(&event.dedup_key) == real.as_ref() {
                wrong.push(format!("{}: {} {}", case.name, event.action.as_str(), event.dedup_key));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
