//! Every provider against its fixtures: golden results, one key from trigger to resolve, and no input that breaks one.
//!
//! `UPDATE_FIXTURES=1 cargo test --lib provider::tests` writes the golden files anew; read the diff before you commit it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::fixture::{Fixture, OPTIONS, RECEIVED_AT};
use super::*;
use crate::event::{Action, Event};
use crate::time::Timestamp;

mod clocks;
mod clouds;
mod guesses;
mod identity;
mod pairs;
mod payloads;
mod place;
mod recipes;
mod rules;
mod severities;
mod signatures;
mod sources;
mod states;
mod sweep;

const REQUIRED: [&str; 5] = ["trigger", "repeat", "resolve", "test-ping", "malformed"];
/// The header of a trigger that names, by the places in its body, what its key is made of; of a resolve where it has that elsewhere.
const IDENTITY: &str = "x-fixture-identity";

fn received_at() -> Timestamp {
    RECEIVED_AT
}

struct Case {
    provider: &'static dyn Provider,
    name: String,
    golden: PathBuf,
    fixture: Fixture,
    options: Compiled,
    identity: Vec<String>,
}

impl Case {
    fn load(provider: &'static dyn Provider, file: &Path) -> Self {
        let fixture = Fixture::parse(&fs::read(file).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let options = fixture.headers.get(OPTIONS).map(|text| serde_json::from_str(text).unwrap()).unwrap_or(Value::Null);
        let options = provider.compile(&options).unwrap_or_else(|problems| panic!("{}: {problems:?}", file.display()));
        let name = format!("{}/{}", provider.meta().kind, file.file_stem().unwrap().to_string_lossy());
        let identity = fixture.headers.get(IDENTITY).unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
        Self { provider, name, golden: file.with_extension("json"), fixture, options, identity }
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

    /// The body as JSON, or as the object that a form stands for.
    fn object(&self) -> Option<Value> {
        self.json().or_else(|| body::form(&self.fixture.body))
    }

    /// What comes of another body that is sent the way this one was.
    fn with(&self, body: &Value) -> Result<Normalised, Unmapped> {
        if self.json().is_some() {
            return self.run(Some(body), body.to_string().as_bytes());
        }
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        match body.as_object() {
            Some(fields) if fields.values().all(|value| !value.is_object() && !value.is_array()) => {
                let written = |value| read::scalar(value).unwrap_or_default().into_owned();
                form.extend_pairs(fields.iter().map(|(name, value)| (name, written(value))));
            }
            _ => drop(form.append_pair("payload", &body.to_string())),
        }
        self.run(None, form.finish().as_bytes())
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
    Registry::built_in().tools().flat_map(of).collect()
}

#[test]
fn fixtures_give_their_golden_results() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    for case in cases() {
        let outcome = case.fixture.outcome(case.provider, &case.options);
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
    for provider in Registry::built_in().tools() {
        let case = |name: &str| {
            let name = format!("{}/{name}", provider.meta().kind);
            cases.get(&name).unwrap_or_else(|| panic!("there is no fixture {name}"))
        };
        // A tool that never says that an alert is over has nothing to resolve it with.
        let resolves = provider.meta().resolves != Resolves::Never;
        for name in REQUIRED.into_iter().filter(|name| resolves || *name != "resolve") {
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
        if resolves {
            assert_eq!(first("resolve"), (Action::Resolve, key), "{}", case("resolve").name);
        }
        assert!(case("malformed").as_sent().is_err(), "{}", case("malformed").name);
    }
}

/// What a tool sends in several forms: `NAME.http` and `NAME-resolved.http`.
#[test]
fn each_form_of_a_resolve_closes_what_its_trigger_opened() {
    let cases: BTreeMap<String, Case> = cases().into_iter().map(|case| (case.name.clone(), case)).collect();
    let (mut wrong, mut pairs) = (Vec::new(), 0);
    for (name, resolved) in &cases {
        let Some(trigger) = name.strip_suffix("-resolved").and_then(|name| cases.get(name)) else { continue };
        pairs += 1;
        let first = |case: &Case| {
            case.as_sent().ok().and_then(|sent| events(&sent).next().map(|event| (event.action, event.dedup_key.clone())))
        };
        let (opened, closed) = (first(trigger), first(resolved));
        let fits = opened
            .as_ref()
            .is_some_and(|(action, key)| *action == Action::Trigger && closed == Some((Action::Resolve, key.clone())));
        if !fits {
            wrong.push(format!("{name}: {opened:?}, then {closed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(pairs >= 65, "{pairs} pairs: their names have lost `-resolved`");
}

fn normalise(kind: &str, options: &Value, body: &Value) -> Result<Normalised, Unmapped> {
    let provider = Registry::built_in().by_type(kind).unwrap();
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
fn types_and_aliases_are_unique_and_setup_texts_are_filled() {
    let mut names = Vec::new();
    for provider in Registry::built_in().tools() {
        let meta = provider.meta();
        names.push(meta.kind);
        names.extend(meta.aliases);
        assert!(meta.docs.starts_with("https://"), "{}", meta.kind);
        for (signed, key_required) in [(false, false), (true, true)] {
            let url = "https://c.example/api/integrations/x?integrationId=HOOK";
            let setup = meta.setup(&Setup {
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
    assert!(
        Registry::built_in().by_type("prometheus").is_some()
            && Registry::built_in().by_type("generic").is_some()
            && Registry::built_in().by_type("Grafana").is_none()
    );
}

#[test]
fn options_are_refused_where_there_are_none() {
    for kind in ["alertmanager", "datadog", "coroot", "events"] {
        let provider = Registry::built_in().by_type(kind).unwrap();
        assert!(provider.compile(&json!({})).is_ok() && provider.compile(&Value::Null).is_ok());
        assert_eq!(provider.compile(&json!({"mapping": {}})).err().unwrap()[0].problem, "unknown option");
    }
}
