//! What templates see, against the contract.

use std::collections::BTreeSet;

use gotmpl::Value;

use super::super::view::{Extent, View};
use super::*;

/// Every name that can be followed from `.`, a list by its first element: `.incident.links[].href`. What a tool said is its own.
pub(super) fn names(message: &Message) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    follow(&View::of(message, "dlv_1", Extent::Whole).root, "", &mut names);
    names
}

fn follow(value: &Value, path: &str, names: &mut BTreeSet<String>) {
    match value {
        Value::Map(members) if !path.ends_with(".custom_details") && !path.starts_with(".message.") => {
            members.iter().for_each(|(name, value)| {
                let path = format!("{path}.{name}");
                follow(value, &path, names);
                names.insert(path);
            });
        }
        Value::List(items) => {
            if let Some(first) = items.first() {
                follow(first, &format!("{path}[]"), names);
            }
        }
        _ => {}
    }
}

#[test]
fn every_name_is_there_for_every_incident_and_every_change() {
    for about in [About::Incident, About::Change] {
        let mut samples = sample::of(about)
            .into_iter()
            .map(|(_, message)| names(&message).into_iter().filter(|name| !name.contains("[]")).collect::<Vec<_>>());
        let first = samples.next().unwrap();
        assert!(samples.all(|names| names == first), "{about:?}");
    }
}

#[test]
fn every_name_of_the_contract_is_there() {
    fn walk(json: &Json, path: &str, seen: &BTreeSet<String>) {
        for (name, value) in json.as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            assert!(seen.contains(&path), "{path}");
            if name != "custom_details" {
                walk(value, &path, seen);
            }
        }
    }
    for message in [page(|_| {}), change(|_| {})] {
        walk(&serde_json::to_value(&message).unwrap(), "", &names(&message));
    }
}
