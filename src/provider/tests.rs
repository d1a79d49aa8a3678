//! Every provider against its fixtures: golden results, one key from trigger to resolve, and no input that breaks one.
//!
//! `UPDATE_FIXTURES=1 cargo test --lib provider::tests` writes the golden files anew; read the diff before you commit it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::fixture::Fixture;
use super::*;
use crate::event::{Action, LINKS_MAX, SUMMARY_MAX};
use crate::time::Timestamp;

const REQUIRED: [&str; 5] = ["trigger", "repeat", "resolve", "test-ping", "malformed"];
/// The header of a fixture that holds its integration's options.
const OPTIONS: &str = "x-fixture-options";

fn received_at() -> Timestamp {
    Timestamp::parse("2026-01-02T04:00:00Z").unwrap().at
}

struct Case {
    provider: &'static dyn Provider,
    name: String,
    golden: PathBuf,
    fixture: Fixture,
    options: Compiled,
}

impl Case {
    fn load(provider: &'static dyn Provider, file: &Path) -> Self {
        let fixture = Fixture::parse(&fs::read(file).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let options = fixture.headers.get(OPTIONS).map(|text| serde_json::from_str(text).unwrap()).unwrap_or(Value::Null);
        let options = provider.compile(&options).unwrap_or_else(|problems| panic!("{}: {problems:?}", file.display()));
        let name = format!("{}/{}", provider.meta().kind, file.file_stem().unwrap().to_string_lossy());
        Self { provider, name, golden: file.with_extension("json"), fixture, options }
    }

    fn run(&self, json: Option<&Value>, body: &[u8]) -> Result<Normalised, Unmapped> {
        let query: Vec<_> = self.fixture.query.iter().filter(|(name, _)| name != "integrationId").cloned().collect();
        self.provider.normalise(&Request {
            body,
            json,
            headers: &self.fixture.headers,
            query: &query,
            subpath: self.fixture.subpath(),
            received_at: received_at(),
            options: &self.options,
        })
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.fixture.body).ok()
    }

    fn as_sent(&self) -> Result<Normalised, Unmapped> {
        self.run(self.json().as_ref(), &self.fixture.body)
    }
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let of = |provider: &'static dyn Provider| {
        let folder = root.join(provider.meta().kind);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "http"));
        files.sort();
        files.into_iter().map(move |file| Case::load(provider, &file)).collect::<Vec<_>>()
    };
    PROVIDERS.iter().copied().flat_map(of).collect()
}

/// Everything that a request would come to, the catch-all event of an unmapped body or item included.
fn outcome(case: &Case) -> Value {
    let json = case.json();
    let kind = case.provider.meta().kind;
    let catch_all = |value: Option<&Value>, why: &str| json!(unmapped::event(kind, value, &case.fixture.body, why));
    match case.as_sent() {
        Err(unmapped) => json!({ "unmapped": unmapped.why, "catch_all": catch_all(json.as_ref(), &unmapped.why) }),
        Ok(normalised) => {
            let mut outcome = serde_json::to_value(&normalised).unwrap();
            let catch_alls: Vec<Value> = normalised
                .items
                .iter()
                .filter_map(|item| match item {
                    Item::Unmapped { at, why } => Some(catch_all(json.as_ref().unwrap().pointer(at), why)),
                    _ => None,
                })
                .collect();
            if !catch_alls.is_empty() {
                outcome["catch_all"] = json!(catch_alls);
            }
            outcome
        }
    }
}

#[test]
fn fixtures_give_their_golden_results() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    for case in cases() {
        let outcome = outcome(&case);
        if update {
            fs::write(&case.golden, format!("{}\n", serde_json::to_string_pretty(&outcome).unwrap())).unwrap();
        }
        let golden = fs::read(&case.golden).unwrap_or_else(|error| panic!("{}: {error}", case.golden.display()));
        let golden: Value = serde_json::from_slice(&golden).unwrap();
        assert_eq!(outcome, golden, "{}", case.name);
    }
}

fn events(normalised: &Normalised) -> impl Iterator<Item = &Event> {
    let items = normalised.items.iter().filter_map(|item| match item {
        Item::Event(mapped) => Some(&mapped.event),
        _ => None,
    });
    items.chain(normalised.if_open.iter().map(|mapped| &mapped.event))
}

#[test]
fn every_provider_has_the_five_cases_and_keeps_one_key() {
    let cases: BTreeMap<String, Case> = cases().into_iter().map(|case| (case.name.clone(), case)).collect();
    for provider in PROVIDERS {
        let case = |name: &str| {
            let name = format!("{}/{name}", provider.meta().kind);
            cases.get(&name).unwrap_or_else(|| panic!("there is no fixture {name}"))
        };
        for name in REQUIRED {
            case(name);
        }
        let first = |name: &str| {
            let normalised = case(name).as_sent().unwrap_or_else(|why| panic!("{}: {why}", case(name).name));
            let event = events(&normalised).next().unwrap_or_else(|| panic!("{}: no event", case(name).name)).clone();
            (event.action, event.dedup_key)
        };
        let (action, key) = first("trigger");
        assert_eq!(action, Action::Trigger, "{}", case("trigger").name);
        assert_eq!(first("repeat"), (Action::Trigger, key.clone()), "{}", case("repeat").name);
        assert_eq!(first("resolve"), (Action::Resolve, key), "{}", case("resolve").name);
        assert!(case("malformed").as_sent().is_err(), "{}", case("malformed").name);
    }
}

fn check(case: &str, json: Option<&Value>, result: &Result<Normalised, Unmapped>) {
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

/// Pointers to every value below `value`, itself included.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(n, element)| pointers(element, &format!("{at}/{n}"), out))
        }
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            pointers(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), out);
        }),
        _ => {}
    }
}

fn without(body: &Value, pointer: &str) -> Option<Value> {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/')?;
    match body.pointer_mut(parent)? {
        Value::Array(elements) => {
            elements.remove(name.parse().ok()?);
        }
        Value::Object(members) => {
            members.remove(&name.replace("~1", "/").replace("~0", "~"))?;
        }
        _ => return None,
    }
    Some(body)
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
    let names = "(alerts|labels|status|state|payload|event_action|title|ruleId|application|url|id|a)";
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

proptest! {
    #[test]
    fn no_json_breaks_a_provider(body in any_json()) {
        for provider in PROVIDERS {
            let request = Request {
                body: b"", json: Some(&body), headers: &Headers::default(), query: &[], subpath: "", received_at: received_at(),
                options: &Compiled::none(),
            };
            check(provider.meta().kind, Some(&body), &provider.normalise(&request));
        }
        let _ = unmapped::event("webhook", Some(&body), b"", "x");
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
            let normalised = by_type(kind).unwrap().normalise(&request).unwrap();
            events(&normalised).map(|event| event.dedup_key.clone()).collect::<Vec<_>>()
        };
        for kind in ["prometheus", "grafana"] {
            let keys = keys(kind);
            prop_assert_eq!(keys[0] == keys[1], labels == other);
        }
    }
}

#[test]
fn types_and_aliases_are_unique_and_setup_texts_are_filled() {
    let mut names = Vec::new();
    for provider in PROVIDERS {
        let meta = provider.meta();
        names.push(meta.kind);
        names.extend(meta.aliases);
        assert!(meta.docs.starts_with("https://"), "{}", meta.kind);
        for (signed, key_required) in [(false, false), (true, true)] {
            let url = "https://c.example/api/integrations/x?integrationId=HOOK";
            let setup = (meta.setup)(&Setup {
                name: "one",
                url,
                base_url: "https://c.example/api/integrations/x/HOOK",
                origin: "https://c.example",
                key: "KEY-OF-32",
                signed,
                key_required,
            });
            assert!(setup.contains(url), "{}: {setup}", meta.kind);
            assert!(!setup.contains("<<") && !setup.lines().any(|line| line.starts_with('?')), "{}: {setup}", meta.kind);
            assert!(!key_required || setup.contains("KEY-OF-32"), "{}: {setup}", meta.kind);
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(by_type("prometheus").is_some() && by_type("generic").is_some() && by_type("Grafana").is_none());
}

#[test]
fn options_are_refused_where_there_are_none() {
    for kind in ["alertmanager", "datadog", "coroot", "events"] {
        let provider = by_type(kind).unwrap();
        assert!(provider.compile(&json!({})).is_ok() && provider.compile(&Value::Null).is_ok());
        assert_eq!(provider.compile(&json!({"mapping": {}})).err().unwrap()[0].problem, "unknown option");
    }
}

fn normalise(kind: &str, options: &Value, body: &Value) -> Result<Normalised, Unmapped> {
    let provider = by_type(kind).unwrap();
    let options = provider.compile(options).unwrap();
    provider.normalise(&Request {
        body: b"",
        json: Some(body),
        headers: &Headers::default(),
        query: &[],
        subpath: "",
        received_at: received_at(),
        options: &options,
    })
}

fn only(kind: &str, options: &Value, body: &Value) -> Mapped {
    let normalised = normalise(kind, options, body).unwrap_or_else(|why| panic!("{kind}: {why}: {body}"));
    match normalised.items.into_iter().next() {
        Some(Item::Event(mapped)) => *mapped,
        other => panic!("{kind}: {other:?}: {body}"),
    }
}

#[test]
fn whatever_a_mapped_path_selects_the_alert_comes_through() {
    let options = json!({"mapping": {"summaryField": "$.s", "dedupKeyField": "k", "severityField": "v", "actionField": "a"}});
    let cases = [
        (json!({"s": "text", "k": 7, "v": "p1", "a": "firing"}), "text", Some("7"), "critical"),
        (json!({"s": {"x": 1}, "k": [1, 2], "v": {}, "a": []}), r#"{"x":1}"#, Some("[1,2]"), "error"),
        (json!({"title": "guessed", "id": "i"}), "guessed", Some("i"), "error"),
        (json!({"s": null, "k": null, "message": "m"}), "m", None, "error"),
        (json!({"s": [], "k": {}, "name": "n", "v": "unheard of"}), "n", None, "error"),
    ];
    for (body, summary, key, severity) in cases {
        let event = only("webhook", &options, &body).event;
        assert_eq!(
            (event.action, event.summary.as_str(), event.severity.as_str()),
            (Action::Trigger, summary, severity),
            "{body}"
        );
        assert_eq!(event.key_guessed, key.is_none(), "{body}");
        assert!(key.is_none_or(|key| event.dedup_key.as_str() == key), "{body}: {}", event.dedup_key);
    }
    let warnings = normalise("webhook", &options, &json!({"title": "x"})).unwrap().warnings;
    let all = ["summary", "action", "dedupKey", "severity"].map(|name| format!("mapping.{name}Field found nothing"));
    assert_eq!(warnings, all);
}

#[test]
fn a_mapped_action_is_never_guessed_into_a_resolve() {
    let options = json!({"mapping": {"actionField": "alert.state", "resolveValues": ["fine"], "triggerValues": ["ok"]}});
    let action = |body: Value| only("webhook", &options, &body).event.action;
    assert_eq!(action(json!({"title": "t", "status": "ok"})), Action::Trigger, "the path finds nothing");
    assert_eq!(action(json!({"title": "t", "alert": {"state": "FINE"}})), Action::Resolve);
    assert_eq!(action(json!({"title": "t", "alert": {"state": "ok"}})), Action::Trigger, "the user's list goes first");
    assert_eq!(action(json!({"title": "t", "alert": {"state": "closed"}})), Action::Resolve, "then the table");
    assert_eq!(action(json!({"title": "t", "alert": {"state": "not ok"}})), Action::Trigger, "then the page");
    let pending = normalise("webhook", &options, &json!({"title": "t", "alert": {"state": "pending"}})).unwrap();
    assert!(matches!(pending.items.as_slice(), [Item::Ignored { .. }]));
}

#[test]
fn words_that_contain_a_state_are_not_that_state() {
    for word in ["broken", "not ok", "abnormal", "unresolved", "acknowledgement pending", "upstream"] {
        let event = only("webhook", &Value::Null, &json!({"title": "t", "status": word})).event;
        assert_eq!(event.action, Action::Trigger, "{word}");
    }
}

#[test]
fn a_group_is_never_one_alert() {
    let options = json!({"mapping": {"itemsField": "alerts", "dedupKeyField": "id", "summaryField": "$.name"}});
    let body = json!({"id": "group", "name": "group", "alerts": [{"id": "a", "name": "x"}, {"name": "y"}, 7, {"id": "c"}]});
    let normalised = normalise("webhook", &options, &body).unwrap();
    let keys: Vec<_> = events(&normalised).map(|event| (event.dedup_key.as_str().to_owned(), event.summary.clone())).collect();
    assert_eq!((keys[0].0.as_str(), keys[0].1.as_str()), ("a", "x"));
    assert!(keys[1].0.starts_with("auto:"), "the key of the group is not the key of its alerts: {keys:?}");
    assert_eq!(keys.iter().filter(|(key, _)| key == "group").count(), 0, "{keys:?}");
}

#[test]
fn a_datadog_recovery_without_a_key_finds_its_trigger() {
    let event = |title: &str| only("datadog", &Value::Null, &json!({"title": title, "id": "changes"})).event;
    let opened = event("[P2] [Triggered on {host:web1}] CPU 9 is high");
    let closed = event("[P2] [Recovered on {host:web1}] CPU 9 is high");
    assert_eq!((opened.action, closed.action), (Action::Trigger, Action::Resolve));
    assert_eq!(opened.dedup_key, closed.dedup_key);
    assert_eq!((opened.severity.as_str(), opened.source.as_str(), opened.summary.as_str()), ("error", "web1", "CPU 9 is high"));
    for other in ["[Triggered on {host:web2}] CPU 9 is high", "[Triggered on {host:web1}] CPU 8 is high"] {
        assert_ne!(event(other).dedup_key, opened.dedup_key, "{other}");
    }
}

#[test]
fn datadog_words() {
    let action = |body: Value| only("datadog", &Value::Null, &body).event;
    for word in [
        "Triggered",
        "Re-Triggered",
        "No Data",
        "Re-No Data",
        "Warn",
        "Re-Warn",
        "Renotify",
        "Null",
        "$ALERT_TRANSITION",
        "never seen",
    ] {
        assert_eq!(action(json!({"ALERT_TITLE": "t", "alert_transition": word})).action, Action::Trigger, "{word}");
    }
    assert_eq!(action(json!({"title": "t", "alert": {"transition": "Recovered", "cycle_key": 12}})).dedup_key.as_str(), "12");
    assert_eq!(action(json!({"title": "t", "alert_transition": "Null", "alert_type": "success"})).action, Action::Resolve);
    assert_eq!(action(json!({"title": "t", "alert_transition": "Warn"})).severity.as_str(), "warning");
    for (priority, severity) in
        [(json!("P1"), "critical"), (json!(2), "error"), (json!("3"), "warning"), (json!("normal"), "error")]
    {
        assert_eq!(action(json!({"title": "t", "priority": priority})).severity.as_str(), severity, "{priority}");
    }
    let monitor = |scope: &str| action(json!({"title": "t", "alert_id": 5, "alert_scope": scope})).dedup_key;
    assert_ne!(monitor("host:a"), monitor("host:b"), "a monitor's id is shared by its groups");
}

/// Real payloads that other projects publish; private test input that lies beside the repository, or does not.
#[test]
fn payloads_of_other_projects() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/payloads");
    if !shared.is_dir() {
        eprintln!("SKIPPED payloads_of_other_projects: there is no ../shared/payloads beside the repository");
        return;
    }
    let table: &[(&str, &str, &[(&str, &str)])] = &[
        ("alertmanager", "alertmanager/alerta_v3_numeric_groupkey.json", &[("trigger", "#labels")]),
        ("alertmanager", "alertmanager/alerta_v4_no_fingerprint.json", &[("trigger", "#labels")]),
        ("alertmanager", "alertmanager/goalert_minimal_no_groupkey.json", &[("trigger", "#labels")]),
        (
            "alertmanager",
            "alertmanager/goalert_two_firing.json",
            &[("trigger", "791cec13fcba0368"), ("trigger", "8df98227bdd81384")],
        ),
        ("grafana", "alertmanager/goalert_two_firing.json", &[("trigger", "791cec13fcba0368"), ("trigger", "8df98227bdd81384")]),
        ("grafana", "grafana-legacy/alerta_alerting.json", &[("trigger", "rule:7")]),
        ("grafana", "grafana-legacy/alerta_ok.json", &[("resolve", "rule:7")]),
        ("grafana", "grafana-legacy/alerta_example.json", &[("trigger", "rule:1")]),
        ("grafana", "grafana-legacy/alerta_v6_multi_evalmatch.json", &[("trigger", "rule:58")]),
        ("grafana", "grafana-legacy/goalert_alerting.json", &[("trigger", "rule:1")]),
        ("coroot", "coroot/docs_incident_warning.json", &[("trigger", "incident:123ab456")]),
        ("coroot", "coroot/docs_alert_warning.json", &[("trigger", "alert:abc123")]),
        ("coroot", "coroot/docs_deployment_deployed.json", &[("resolve", "deployment:default:Deployment:app1")]),
    ];
    for (kind, file, expected) in table {
        let body: Value = serde_json::from_slice(&fs::read(shared.join(file)).unwrap()).unwrap();
        let normalised = normalise(kind, &Value::Null, &body).unwrap_or_else(|why| panic!("{file}: {why}"));
        let got: Vec<_> = events(&normalised).filter(|event| !event.dedup_key.as_str().starts_with("truncated:")).collect();
        assert_eq!(got.len(), expected.len(), "{file}");
        for (event, (action, key)) in got.iter().zip(*expected) {
            let labels = body.pointer("/alerts/0/labels").and_then(Value::as_object);
            let key = if *key == "#labels" { labels::fingerprint(labels.unwrap()) } else { (*key).to_owned() };
            assert_eq!((event.action.as_str(), event.dedup_key.as_str()), (*action, key.as_str()), "{file}");
        }
    }
    every_file(&shared);
}

/// Each file, sent to each type: nothing breaks, whatever comes out is valid.
fn every_file(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            every_file(&path);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let json: Option<Value> = serde_json::from_slice(&bytes).ok();
        for provider in PROVIDERS {
            let request = Request {
                body: &bytes,
                json: json.as_ref(),
                headers: &Headers::default(),
                query: &[],
                subpath: "",
                received_at: received_at(),
                options: &Compiled::none(),
            };
            check(&path.display().to_string(), json.as_ref(), &provider.normalise(&request));
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
