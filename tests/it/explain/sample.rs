//! Requests to explain and to post: the fixtures, what other projects publish, and what becomes of both when they are broken.

use std::path::Path;

use callbox::provider::Registry;
use callbox::provider::fixture::Fixture;
use serde_json::Value;

use crate::support::announce_skip;
use crate::support::tool::repository;

/// The header of a fixture that holds its integration's options.
const OPTIONS: &str = "x-fixture-options";
/// Headers that the connection decides.
const OF_THE_CONNECTION: [&str; 3] = ["host", "content-length", "connection"];

/// A request to an integration of type `kind` with these options.
#[derive(Clone)]
pub struct Sample {
    pub name: String,
    pub kind: &'static str,
    pub options: Value,
    pub method: String,
    pub query: Vec<(String, String)>,
    pub subpath: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Sample {
    /// A JSON body posted as it is.
    pub fn posted(name: &str, kind: &'static str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let (options, method, subpath) = (Value::Null, "POST".to_owned(), String::new());
        Self { name: name.to_owned(), kind, options, method, query: Vec::new(), subpath, headers, body }
    }

    fn of(kind: &'static str, path: &Path) -> Self {
        let fixture = Fixture::parse(&std::fs::read(path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let options = fixture.headers.get(OPTIONS).map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        let kept =
            fixture.headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(name) && !name.starts_with("x-fixture-"));
        Self {
            name: format!("{kind}/{}", path.file_stem().unwrap().display()),
            kind,
            options,
            subpath: fixture.subpath().to_owned(),
            headers: kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            query: fixture.query.into_iter().filter(|(name, _)| name != "integrationId").collect(),
            method: fixture.method,
            body: fixture.body,
        }
    }

    /// Which integration it needs: its type and options.
    pub fn needs(&self) -> String {
        format!("{} {}", self.kind, self.options)
    }
}

fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|have| have == extension));
    files.sort();
    files
}

/// Every fixture of every type: first as they are named, so that a resolve may meet its trigger, and what opens, what repeats and
/// what resolves once more in that order.
pub fn fixtures() -> Vec<Sample> {
    let mut samples = Vec::new();
    for provider in Registry::built_in().tools() {
        let kind = provider.meta().kind;
        let folder = repository().join("fixtures").join(kind);
        let all: Vec<Sample> = files(&folder, "http").iter().map(|file| Sample::of(kind, file)).collect();
        let life = ["trigger", "repeat", "resolve"].map(|name| format!("{kind}/{name}"));
        // A tool that never resolves has no such fixture.
        let again = life.iter().filter_map(|name| all.iter().find(|sample| sample.name == *name).cloned());
        samples.extend(all.iter().cloned().chain(again).collect::<Vec<_>>());
    }
    assert!(samples.len() > 60, "{} fixtures: some are lost", samples.len());
    samples
}

/// Every file of `../shared/payloads`: to its own tool's type where there is one, to the generic webhook otherwise.
pub fn payloads() -> Vec<Sample> {
    let shared = repository().join("../shared/payloads");
    if !shared.is_dir() {
        announce_skip("there is no ../shared/payloads beside the repository; the fixtures alone are compared");
        return Vec::new();
    }
    let mut samples = Vec::new();
    let mut folders: Vec<_> = std::fs::read_dir(&shared).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    for folder in folders {
        let tool = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let named = match tool.as_str() {
            "grafana-legacy" => "grafana",
            "pagerduty" => "events",
            other => other,
        };
        let kind = Registry::built_in().by_type(named).map_or("webhook", |tool| tool.meta().kind);
        for file in files(&folder, "json") {
            let name = format!("{tool}/{}", file.file_stem().unwrap().display());
            samples.push(Sample::posted(&name, kind, std::fs::read(&file).unwrap()));
        }
    }
    assert!(!samples.is_empty(), "../shared/payloads is empty");
    samples
}
