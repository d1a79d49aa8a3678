//! No input breaks a provider, and whatever comes out of one is valid.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::place::{pointers, without};
use super::*;
use crate::event::{LINKS_MAX, SUMMARY_MAX};

pub(super) fn check(case: &str, json: Option<&Value>, result: &Result<Normalised, Unmapped>) {
    let Ok(normalised) = result else { return };
    for event in events(normalised) {
        let trigger = event.action == Action::Trigger;
        assert!(!trigger || !event.summary.trim().is_empty(), "{case}: a trigger without summary: {event:?}");
        assert!(!trigger || !event.source.trim().is_empty(), "{case}: a trigger without source: {event:?}");
        assert!(event.summary.chars().count() <= SUMMARY_MAX, "{case}: a long summary");
        assert!(crate::event::DedupKey::strict(event.dedup_key.as_str()).is_ok(), "{case}: key {:?}", event.dedup_key);
        assert!(event.links.len() <= LINKS_MAX && event.images.len() <= LINKS_MAX, "{case}: links");
        for text in [&event.summary, &event.source].into_iter().chain(&event.component).chain(&event.class).chain(&event.group) {
            assert!(!text.contains('\0'), "{case}: U+0000 in {text:?}");
        }
    }
    for change in &normalised.changes {
        assert!(!change.summary.is_empty() && change.summary.chars().count() <= SUMMARY_MAX, "{case}: a change's summary");
    }
    for item in &normalised.items {
        let (Item::Ignored { at, .. } | Item::Unmapped { at, .. }) = item else { continue };
        assert!(json.is_none_or(|json| json.pointer(at).is_some()), "{case}: {at} leads nowhere");
    }
    let said = !normalised.items.is_empty() || !normalised.changes.is_empty() || normalised.note.is_some();
    assert!(said, "{case}: nothing came of it and nobody said why");
}

#[test]
fn no_single_change_breaks_a_provider() {
    let replacements = [
        json!(null),
        json!(7),
        json!(-1.5),
        json!(""),
        json!("x"),
        json!("\u{0}"),
        json!("é".repeat(1_200)),
        json!("$ALERT_ID"),
        json!(true),
        json!([]),
        json!([[1], {"labels": 1}, null]),
        json!({}),
        json!({"a": {"b": "c"}}),
    ];
    let mut runs = 0;
    for case in cases() {
        let Some(body) = case.json() else { continue };
        let mut places = Vec::new();
        pointers(&body, "", &mut places);
        for place in &places {
            let replaced = replacements.iter().map(|replacement| {
                let mut body = body.clone();
                *body.pointer_mut(place).unwrap() = replacement.clone();
                body
            });
            for changed in replaced.chain(without(&body, place)) {
                let bytes = serde_json::to_vec(&changed).unwrap();
                check(&format!("{} at {place}: {changed}", case.name), Some(&changed), &case.run(Some(&changed), &bytes));
                runs += 1;
            }
        }
    }
    assert!(runs > 5_000, "{runs} runs: the sweep has lost its fixtures");
}

#[test]
fn no_cut_body_breaks_a_provider() {
    for case in cases() {
        let body = &case.fixture.body;
        for end in 0..body.len() {
            let cut = &body[..end];
            let json: Option<Value> = serde_json::from_slice(cut).ok();
            check(&case.name, json.as_ref(), &case.run(json.as_ref(), cut));
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = "(alerts|labels|status|state|payload|event_action|title|ruleId|application|url|id|a|data|alert|action|type|name|host|event)";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,8}".prop_map(Value::from),
        "(ok|firing|resolved|trigger|Stuck|Deployed|Recovered)".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::btree_map(names, inner, 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Tools that put everything into the query are not spared.
#[test]
fn no_changed_query_breaks_a_provider() {
    let values = ["", " ", "x", "\0", "*alertType*", "$ID", "{\"a\": 1}", "1"];
    let mut runs = 0;
    for mut case in cases() {
        let sent = case.fixture.query.clone();
        for place in 0..sent.len() {
            for value in values.map(Some).into_iter().chain([None]) {
                case.fixture.query.clone_from(&sent);
                match value {
                    Some(value) => value.clone_into(&mut case.fixture.query[place].1),
                    None => drop(case.fixture.query.remove(place)),
                }
                check(&case.name, case.json().as_ref(), &case.as_sent());
                runs += 1;
            }
        }
    }
    assert!(runs > 200, "{runs} runs: the sweep has lost its fixtures");
}

/// Each fixture with its body and everything that the fixtures of its tool hold.
static PIECES: LazyLock<Vec<(Case, Value, Vec<Value>)>> = LazyLock::new(|| {
    let whole: Vec<(Case, Value)> = cases().into_iter().filter_map(|case| case.object().map(|body| (case, body))).collect();
    let pieces_of = |kind: &str| {
        let of = whole.iter().filter(|(case, _)| case.provider.meta().kind == kind);
        let pieces = of.flat_map(|(_, body)| {
            let mut places = Vec::new();
            pointers(body, "", &mut places);
            places.into_iter().map(|place| body.pointer(&place).unwrap().clone()).collect::<Vec<_>>()
        });
        pieces.collect::<Vec<Value>>()
    };
    let pieces: Vec<Vec<Value>> = whole.iter().map(|(case, _)| pieces_of(case.provider.meta().kind)).collect();
    whole.into_iter().zip(pieces).map(|((case, body), pieces)| (case, body, pieces)).collect()
});

proptest! {
    /// What is nearly right: a tool's body with pieces of its others in the wrong places.
    #[test]
    fn no_mixture_of_its_bodies_breaks_a_provider(which in any::<Index>(), edits in proptest::collection::vec(any::<(Index, Index)>(), 1..6)) {
        let (case, body, pieces) = which.get(&PIECES);
        let mut mixed = body.clone();
        for (place, piece) in edits {
            let mut places = Vec::new();
            pointers(&mixed, "", &mut places);
            *mixed.pointer_mut(&places[place.index(places.len())]).unwrap() = piece.get(pieces).clone();
        }
        check(&case.name, Some(&mixed).filter(|_| case.json().is_some()), &case.with(&mixed));
    }

    #[test]
    fn no_json_breaks_a_provider(body in any_json()) {
        for provider in Registry::built_in().tools() {
            let request = Request {
                body: b"", json: Some(&body), headers: &Headers::default(), query: &[], subpath: "", received_at: received_at(),
                options: &Compiled::none(),
            };
            check(provider.meta().kind, Some(&body), &provider.normalise(&request));
        }
        let _ = unmapped::event(Registry::built_in().of_stored("webhook").meta(), Some(&body), b"", "x");
    }

    #[test]
    fn alerts_that_differ_in_any_label_never_share_a_key(
        labels in proptest::collection::btree_map("[a-z_]{1,6}", "[ -~]{0,8}", 1..6), name in "[a-z_]{1,6}", value in "[ -~]{0,8}",
    ) {
        let mut other = labels.clone();
        other.insert(name, value);
        let keys = |kind: &str| {
            let body = json!({"alerts": [{"status": "firing", "labels": labels.clone()}, {"status": "firing", "labels": other.clone()}]});
            let request = Request {
                body: b"", json: Some(&body), headers: &Headers::default(), query: &[], subpath: "", received_at: received_at(),
                options: &Compiled::none(),
            };
            let normalised = Registry::built_in().by_type(kind).unwrap().normalise(&request).unwrap();
            events(&normalised).map(|event| event.dedup_key.clone()).collect::<Vec<_>>()
        };
        for kind in ["prometheus", "grafana"] {
            let keys = keys(kind);
            prop_assert_eq!(keys[0] == keys[1], labels == other);
        }
    }
}

#[test]
fn many_alerts_are_read_in_linear_time() {
    let alert = |n: usize| json!({"status": "firing", "labels": {"alertname": "x", "n": n.to_string()}});
    let body = json!({"version": "4", "groupKey": "g", "alerts": (0..20_000).map(alert).collect::<Vec<_>>()});
    let normalised = normalise("alertmanager", &Value::Null, &body).unwrap();
    let keys: std::collections::BTreeSet<_> = events(&normalised).map(|event| event.dedup_key.clone()).collect();
    assert_eq!(keys.len(), 20_000);
}
