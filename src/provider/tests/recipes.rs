//! Recipes as such: those that are built in, keys that never meet, what is said of a recipe that is wrong, the example for
//! contributors.

use std::collections::BTreeMap;

use super::recipe::{EMBEDDED, Recipe};
use super::*;

fn parse(text: &str) -> Recipe {
    Recipe::parse("example", text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

fn problems(text: &str) -> Vec<String> {
    let problems = Recipe::parse("example", text).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

fn run(recipe: &Recipe, body: &Value) -> Result<Normalised, Unmapped> {
    recipe.normalise(&Request {
        body: b"",
        json: Some(body),
        headers: &Headers::default(),
        query: &[],
        subpath: "",
        received_at: received_at(),
        options: &Compiled::none(),
    })
}

fn event(recipe: &Recipe, body: &Value) -> Event {
    let normalised = run(recipe, body).unwrap_or_else(|why| panic!("{why}: {body}"));
    let event = events(&normalised).next().unwrap_or_else(|| panic!("{normalised:?}: {body}"));
    event.clone()
}

#[test]
fn every_recipe_that_is_built_in_is_sound() {
    assert!(EMBEDDED.len() >= 15, "{} recipes", EMBEDDED.len());
    for (kind, text) in EMBEDDED {
        let recipe = Recipe::parse(kind, text).unwrap_or_else(|problems| panic!("{kind}.toml: {problems:?}"));
        assert!(recipe::is_type(kind) && text.starts_with("# "), "{kind}.toml: a header says what the tool is like");
        assert!(text.contains("\n[setup]\n"), "{kind}.toml: has no setup text");
        let known = Registry::built_in().by_type(kind).unwrap_or_else(|| panic!("{kind} is not registered")).meta();
        assert_eq!((known.kind, known.name, known.docs), (*kind, recipe.name.as_str(), recipe.docs.as_str()));
    }
}

/// The values at every pointer, changed one at a time and two at a time with the separators of keys in them: as long as a tool keeps
/// its key, two alerts with the same key are the same in all that their key is made of.
#[test]
fn two_different_alerts_never_share_a_key() {
    let values = ["a", "b", ":", "a:", ":a", "\\", "a\\", "\\:a", "url:a", "name:a", "name:a:", "flapping:a:", "expiry:a"];
    let mut tried = 0;
    for case in cases().into_iter().filter(|case| case.name.ends_with("/trigger")) {
        let kind = case.provider.meta().kind;
        let Some((_, text)) = EMBEDDED.iter().find(|(known, _)| *known == kind) else { continue };
        let recipe = Recipe::parse(kind, text).unwrap();
        let Some(body) = case.json().or_else(|| body::form(&case.fixture.body)) else { continue };
        let key = |body: &Value| {
            let normalised = run(&recipe, body).ok()?;
            events(&normalised).find(|event| !event.key_guessed).map(|event| event.dedup_key.clone())
        };
        // Which values the key is made of, as the key itself tells.
        let first = key(&body).unwrap_or_else(|| panic!("{}: no key", case.name));
        let mut places = Vec::new();
        place::pointers(&body, "", &mut places);
        let with = |changes: &[(&String, &str)]| {
            let mut body = body.clone();
            for (place, value) in changes {
                *body.pointer_mut(place).unwrap() = json!(value);
            }
            body
        };
        let scalar = |place: &&String| !body.pointer(place).unwrap().is_object() && !body.pointer(place).unwrap().is_array();
        let parts: Vec<&String> = places
            .iter()
            .filter(scalar)
            .filter(|place| key(&with(&[(*place, "another")])).is_some_and(|key| key != first))
            .collect();
        assert!(!parts.is_empty(), "{}: its key is made of nothing", case.name);
        tried += 1;
        let mut seen: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let last = parts.len().min(3);
        let mut chosen = vec![0; last];
        loop {
            let changes: Vec<(&String, &str)> = parts.iter().copied().zip(chosen.iter().map(|n| values[*n])).collect();
            let tuple: Vec<&str> = changes.iter().map(|(_, value)| *value).collect();
            if let Some(key) = key(&with(&changes)) {
                let known = seen.entry(key.as_str().to_owned()).or_insert_with(|| tuple.clone());
                assert_eq!(*known, tuple, "{}: share the key {key}", case.name);
            }
            let Some(place) = chosen.iter().rposition(|n| n + 1 < values.len()) else { break };
            chosen[place] += 1;
            chosen[place + 1..].fill(0);
        }
    }
    assert_eq!(tried, EMBEDDED.len(), "each recipe has a trigger that is JSON or a form");
}

#[test]
fn keys_of_different_ways_never_meet() {
    let recipe = parse("[event]\nkey = [\"{a}:{b?}\", \"name:{c}\"]\nsummary = \"s\"\n");
    let key = |body: Value| event(&recipe, &body).dedup_key.as_str().to_owned();
    assert_eq!(key(json!({"a": "x", "b": "y", "s": "t"})), "x:y");
    assert_eq!(key(json!({"c": "x", "s": "t"})), "name:x");
    assert_eq!(key(json!({"a": "name", "b": "x", "s": "t"})), "\\name:x", "not the key of the other way");
    assert_eq!(key(json!({"a": "\\name", "b": "x", "s": "t"})), "\\\\\\name:x");
}

#[test]
fn everything_that_is_wrong_is_said_with_line_and_key() {
    let text = r#"name = "Example"
clok = "arrival"
resolves = "sometimes"
body = ["json", "xml"]

[event]
key = ["{a}{b}", "c"]
summary = "{title"
items = "$..a..b"

[action]
field = "state"
trigger = ["bad"]
resolve = ["good", "BAD"]

[severity]
critical = ["red"]

[[case]]
ignore = "x"

[[case]]
when = { type = "ping" }

[auth]
scheme = "rsa"
"#;
    let said = problems(text);
    let expected = [
        "line 2: clok: unknown key; did you mean `clock`?",
        "line 3: resolves: must be one of \"never\", \"on_transition\", \"repeats\"",
        "line 4: body: \"xml\" is no kind of body: there are json, form, multipart and query",
        "line 7: event.key: \"c\" needs a text of its own in front, so that it never equals a key of another way, such as \"name:{c}\"; \
         names of one and the same thing are written {a|b}",
        "line 7: event.key: \"{a}{b}\" has two values side by side: put a separator between them",
        "line 8: event.summary: \"{title\" has a `{` without `}`; a brace itself is written `{{`",
        "line 9: event.items: \"$..a..b\" has more than one `..`",
        "line 14: action.resolve: \"BAD\" has another meaning above: a word has one",
        "line 16: severity.field: is missing: name the field that holds these words",
        "line 19: case.when: is missing: say which fields hold which words, such as when = { type = \"test\" }",
        "line 22: case.ignore: is missing: a case says what holds in it (ignore, action, severity, key, summary or source)",
    ];
    assert_eq!(said[..expected.len()], expected);
    assert!(said[expected.len()].starts_with("line 26: auth.scheme: \"rsa\" is no scheme; there are generic, "), "{said:?}");
    assert_eq!(
        problems("name = \"x\""),
        ["event: is missing: the table [event] says which fields an alert's key and summary are"]
    );
    let syntax = problems("name = \"x\"\n[event\nkey = 1");
    assert!(syntax[0].starts_with("line 2: "), "{syntax:?}");
    for (ways, why) in [
        ("[\"a\", \"x:{b}\", \"x:y:{c}\"]", "begins like another way"),
        ("[\"x:{b}\", \"x:{c}\"]", "begins like another way"),
        ("\"{b\"", "without `}`"),
        ("[]", "1 to 64 texts"),
        ("1.5", "1 to 64 texts"),
    ] {
        let said = problems(&format!("[event]\nkey = {ways}\nsummary = \"s\"\n"));
        assert!(said.iter().any(|said| said.starts_with("line 2: event.key: ") && said.contains(why)), "{ways}: {said:?}");
    }
}

#[test]
fn what_a_recipe_can_say() {
    let recipe = parse(
        r#"
names = "loose"
clock = "transition"
[event]
key = "{check.id}:{host?}"
summary = ["{check.title} on {host}", "{check.title}"]
source = "host"
component = "part"
occurred_at = "since"
[action]
field = ["state", "old_state"]
trigger = ["RED", 2]
resolve = "GREEN"
acknowledge = "SEEN"
ignore = "YELLOW"
[severity]
field = "level"
critical = [5]
default = "warning"
[[case]]
when = { kind = ["probe", "test"] }
ignore = "a test"
[[case]]
when = { kind = "expiry", host = "" }
severity = "info"
key = "expiry:{check.id}"
[links]
Check = "check.url"
Search = "https://search.example/?q={check.id}"
"#,
    );
    let body = json!({
        "Check": {"ID": 7, "Title": "disk", "URL": "https://tool.example/7"}, "HOST": "db1", "State": "red", "level": "5",
        "since": 1_767_322_845, "part": null, "secret": "x",
    });
    let first = event(&recipe, &body);
    assert_eq!((first.action, first.dedup_key.as_str(), first.summary.as_str()), (Action::Trigger, "7:db1", "disk on db1"));
    assert_eq!((first.source.as_str(), first.severity.as_str()), ("db1", "critical"));
    let links: Vec<_> = first.links.iter().map(|link| link.href.as_str()).collect();
    assert_eq!(links, ["https://tool.example/7", "https://search.example/?q=7"], "in the order of writing");
    assert_eq!((first.client.as_deref(), first.custom_details.as_ref()), (Some("example"), Some(&body)), "shown as sent");
    assert_eq!(first.occurred_at, Some(Timestamp(1_767_322_845_000_000)));
    let with = |changes: Value| {
        let mut body = body.clone();
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    assert_eq!(event(&recipe, &with(json!({"State": "green"}))).action, Action::Resolve);
    assert_eq!(event(&recipe, &with(json!({"State": 2}))).action, Action::Trigger);
    assert_eq!(event(&recipe, &with(json!({"State": null, "OldState": "seen"}))).action, Action::Acknowledge);
    assert_eq!(event(&recipe, &with(json!({"State": "greenish"}))).action, Action::Trigger, "an unknown word pages");
    assert_eq!(event(&recipe, &with(json!({"level": "who knows"}))).severity.as_str(), "warning");
    assert_eq!(event(&recipe, &with(json!({"level": "Sev1"}))).severity.as_str(), "error", "the common words hold too");
    let expiry = event(&recipe, &with(json!({"kind": "EXPIRY", "HOST": " "})));
    assert_eq!((expiry.dedup_key.as_str(), expiry.severity.as_str(), expiry.summary.as_str()), ("expiry:7", "info", "disk"));
    for changes in [json!({"State": "yellow"}), json!({"kind": "Probe"})] {
        assert!(matches!(run(&recipe, &with(changes)).unwrap().items.as_slice(), [Item::Ignored { .. }]));
    }
    assert!(run(&recipe, &json!({"Check": {}})).is_err(), "neither a key nor a word of the tool");
    assert!(event(&recipe, &json!({"Check": {"title": "t"}, "state": "red"})).key_guessed, "no page is lost for want of a key");
}

#[test]
fn alerts_in_a_list_and_a_recipe_on_an_integration() {
    let text =
        "[event]\nitems = \"alerts\"\nkey = \"id\"\nsummary = \"{title}\"\nsource = \"host\"\n[action]\nfield = \"state\"\n";
    let options = json!({ "recipe": text });
    let body = json!({"host": "db1", "id": "group", "alerts": [{"id": 1, "title": "a", "state": "firing"}, {"title": "b"}, {"id": 2, "state": "ok"}]});
    let normalised = normalise("webhook", &options, &body).unwrap();
    let read: Vec<_> = events(&normalised).map(|event| (event.action, event.dedup_key.as_str(), event.source.as_str())).collect();
    assert_eq!(read, [(Action::Trigger, "1", "db1"), (Action::Resolve, "2", "db1")]);
    assert!(matches!(&normalised.items[1], Item::Unmapped { at, .. } if at == "/alerts/1"), "the key of a group is no alert's");
    let webhook = Registry::built_in().by_type("webhook").unwrap();
    let refused = webhook.compile(&json!({"recipe": "[event]\nkey = 1.5\n"})).err().unwrap();
    assert_eq!(refused[0], OptionProblem::new("recipe", "line 2: event.key: must be a text or a list of 1 to 64 texts"));
    assert_eq!(webhook.compile(&json!({"recipe": text, "mapping": {}})).err().unwrap()[0].option, "recipe");
    let signed =
        webhook.compile(&json!({"recipe": format!("{text}[auth]\nheader = \"X-Sign\"\nalgorithm = \"sha1\"\n")})).unwrap();
    assert!(matches!(webhook.scheme(&signed), Scheme::Hmac(hmac) if hmac.header == "x-sign"));
}

#[test]
fn a_recipe_of_the_operators_stands_in_place_of_a_built_in_one() {
    let recipe = |kind: &str| Recipe::parse(kind, "name = \"Mine\"\naliases = \"mine-too\"\n[event]\nkey = \"id\"\n").unwrap();
    let (registry, replaced) = Registry::built_in().with(vec![recipe("pingdom"), recipe("our-tool"), recipe("webhook")]);
    assert_eq!(replaced, ["pingdom"]);
    let name = |kind: &str| registry.by_type(kind).map(|tool| tool.meta().name);
    assert_eq!((name("pingdom"), name("our-tool"), name("grafana")), (Some("Mine"), Some("Mine"), Some("Grafana")));
    assert_eq!(registry.tools().count(), Registry::built_in().tools().count() + 1);
    assert_eq!(name("webhook"), Some("Webhook"), "nobody takes the place of what the program itself needs");
    assert!(registry.is_lost("gone") && !registry.is_lost(API) && registry.of_stored("gone").meta().kind == "webhook");
}

#[test]
fn the_example_for_contributors_is_a_recipe() {
    let guide = include_str!("../../../CONTRIBUTING.md");
    let (_, from) = guide.split_once("```toml\n").unwrap();
    let (text, _) = from.split_once("```").unwrap();
    assert!(text.lines().count() < 40, "{} lines", text.lines().count());
    let recipe = parse(text);
    let body = json!({
        "job": {"id": "j-7", "name": "nightly", "url": "https://tally.example/j-7"}, "host": "db1", "state": "failed", "message": "no space",
        "level": "late", "changed_at": "2026-01-02T03:04:05Z",
    });
    let failed = event(&recipe, &body);
    assert_eq!((failed.action, failed.dedup_key.as_str(), failed.severity.as_str()), (Action::Trigger, "j-7:db1", "warning"));
    assert_eq!((failed.summary.as_str(), failed.links.len()), ("nightly on db1: no space", 1));
    let mut body = body;
    body["state"] = json!("recovered");
    let recovered = event(&recipe, &body);
    assert_eq!((recovered.action, recovered.dedup_key), (Action::Resolve, failed.dedup_key));
}
