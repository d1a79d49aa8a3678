//! `docs/templates.md` against the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::view::names;
use super::*;

fn page_text() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates.md")).unwrap()
}

/// The names in the first column of the tables under a heading.
fn listed(page: &str, heading: &str) -> BTreeSet<String> {
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let names = cells.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`').to_owned());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn every_field_is_listed_and_every_listed_field_is_there() {
    let page_text = page_text();
    let union = |messages: Vec<Message>| {
        messages.iter().flat_map(names).filter(|name| !name.starts_with(".message.")).collect::<BTreeSet<_>>()
    };
    let samples = |about| union(sample::of(about).into_iter().map(|(_, message)| message).collect());
    let with = |part: &[&str]| part.iter().flat_map(|heading| listed(&page_text, heading)).collect::<BTreeSet<_>>();
    let of_incident = with(&["Fields of every message", "Fields of an incident", "Coroot's names for an incident"]);
    let of_change = with(&["Fields of every message", "Fields of a change", "Coroot's names for a change"]);
    // Lists of notes hold texts, and so nothing to follow.
    assert_eq!(of_incident, samples(About::Incident));
    assert_eq!(of_change, samples(About::Change));
}

#[test]
fn every_function_is_listed() {
    let page = page_text();
    let functions = page.split("\n## Functions\n").nth(1).unwrap().split("\n## ").next().unwrap();
    for name in instrument::FUNCTIONS {
        assert!(functions.contains(&format!("`{name}`")), "{name}");
    }
    for named in NAMED {
        assert!(page.contains(&format!("| `{}` |", named.name)) && page.contains(named.docs), "{}", named.name);
    }
}

#[test]
fn every_example_can_be_saved() {
    let page = page_text();
    let examples: Vec<&str> = page.split("```gotemplate\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 5);
    for example in examples {
        let about = if example.contains(".change") { About::Change } else { About::Incident };
        let template = Template::parse_as(example, None).unwrap_or_else(|problem| panic!("{problem}\n{example}"));
        template.try_out(about).unwrap_or_else(|problem| panic!("{problem}\n{example}"));
    }
}
