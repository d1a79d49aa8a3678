//! A recipe of the operator's own: a file in a folder makes a tool, without a rebuild.

use serde_json::json;

use crate::support::api::Integration;
use crate::support::callbox::{Options, program};
use crate::support::{Api, Callbox, Database};

on_both!(
    a_file_in_the_folder_is_a_tool,
    a_recipe_that_is_gone_loses_no_alert,
    the_example_for_contributors_works_as_it_stands,
    a_recipe_may_stand_in_place_of_a_built_in_tool_and_is_read_anew_at_each_start,
    a_recipe_saved_on_an_integration_can_be_tried_before_and_changed_after
);

const TALLY: &str = r#"
name = "Tally"
aliases = "tally-backups"
[event]
key = "{job}:{host?}"
summary = "{job} on {host}"
source = "host"
[action]
field = "state"
trigger = "failed"
resolve = "done"
[setup]
text = "In Tally: Webhooks, Add: <<url>>"
"#;

async fn a_file_in_the_folder_is_a_tool(database: Database) {
    let folder = tempfile::TempDir::with_prefix("callbox-recipes-").unwrap();
    std::fs::write(folder.path().join("tally.toml"), TALLY).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "not a recipe").unwrap();
    let environment = vec![("CALLBOX_PROVIDERS_RECIPES".to_owned(), folder.path().display().to_string())];
    let service = Callbox::start_with(&database, Options { environment, ..Options::default() }).await;
    let api = service.api();
    let tally = api.integration("tally-backups", "backups").await;
    assert_eq!(tally.body["type"], "tally", "an alias makes the type: {}", tally.body);
    let post = async |state: &str, host: &str| {
        let answer = api.send(&tally.path, &json!({"job": "nightly", "host": host, "state": state})).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    };
    post("failed", "db1").await;
    post("failed", "db1").await;
    post("failed", "db2").await;
    post("done", "db1").await;
    let mut incidents: Vec<_> = api
        .incidents(&tally)
        .await
        .iter()
        .map(|incident| {
            [&incident["dedup_key"], &incident["status"], &incident["title"]].map(|value| value.as_str().unwrap().to_owned())
        })
        .collect();
    incidents.sort();
    assert_eq!(incidents, [["nightly:db1", "resolved", "nightly on db1"], ["nightly:db2", "triggered", "nightly on db2"]]);
}

/// A folder with this one recipe, and a service that reads it.
async fn with_recipe(database: &Database, name: &str, text: &str) -> (tempfile::TempDir, Callbox) {
    let folder = tempfile::TempDir::with_prefix("callbox-recipes-").unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    let environment = vec![("CALLBOX_PROVIDERS_RECIPES".to_owned(), folder.path().display().to_string())];
    let service = Callbox::start_with(database, Options { environment, ..Options::default() }).await;
    (folder, service)
}

/// Key, status, title and severity of each incident, by key.
async fn stands(api: &Api, integration: &Integration) -> Vec<[String; 4]> {
    let incidents = api.incidents(integration).await;
    let shown = incidents.iter().map(|incident| {
        ["dedup_key", "status", "title", "severity"].map(|name| incident[name].as_str().unwrap_or_default().to_owned())
    });
    let mut shown: Vec<_> = shown.collect();
    shown.sort();
    shown
}

/// The recipe that CONTRIBUTING shows, word for word, as a file in the folder.
async fn the_example_for_contributors_works_as_it_stands(database: Database) {
    let guide = include_str!("../../CONTRIBUTING.md");
    let (_, from) = guide.split_once("```toml\n").expect("CONTRIBUTING shows a recipe");
    let (text, _) = from.split_once("```").unwrap();
    assert!(text.lines().count() < 40, "{} lines", text.lines().count());
    let (_folder, service) = with_recipe(&database, "tally.toml", text).await;
    let api = service.api();
    let tally = api.integration("tally", "backups").await;
    assert!(tally.body["setup"].as_str().unwrap().contains(&tally.path), "{}", tally.body["setup"]);
    for (state, id) in [("failed", 7), ("late", 8), ("failed", 7), ("started", 8), ("recovered", 7), ("test", 9)] {
        let body = json!({
            "job": {"id": id, "name": "nightly", "url": "https://tally.example/7"}, "host": "db1", "state": state, "message": "no space",
            "level": state, "changed_at": "2026-01-02T03:04:05Z"
        });
        let answer = api.send(&tally.path, &body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    let expected = [
        ["7:db1", "resolved", "nightly on db1: no space", "error"],
        ["8:db1", "triggered", "nightly on db1: no space", "warning"],
    ];
    assert_eq!(stands(&api, &tally).await, expected);
    assert_eq!(api.incidents(&tally).await[0]["links"][0]["href"], "https://tally.example/7");
}

async fn a_recipe_may_stand_in_place_of_a_built_in_tool_and_is_read_anew_at_each_start(database: Database) {
    let of = |summary: &str| {
        format!(
            "name = \"Our Pingdom\"\n[event]\nkey = \"check\"\nsummary = \"{summary}\"\n[action]\nfield = \"is\"\ntrigger = \"bad\"\nresolve = \"good\"\n"
        )
    };
    let (folder, service) = with_recipe(&database, "pingdom.toml", &of("{check} is ours")).await;
    let pingdom = service.api().integration("pingdom", "checks").await;
    let say = async |service: &Callbox, state: &str| {
        let answer = service.api().send(&pingdom.path, &json!({"check": "a", "is": state})).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    };
    say(&service, "bad").await;
    assert_eq!(stands(&service.api(), &pingdom).await, [["a", "triggered", "a is ours", "error"]]);
    // A file that changes counts from the next start on.
    std::fs::write(folder.path().join("pingdom.toml"), of("{check} is ours, again")).unwrap();
    say(&service, "bad").await;
    assert_eq!(stands(&service.api(), &pingdom).await[0][2], "a is ours");
    let service = service.kill_and_restart().await;
    say(&service, "bad").await;
    assert_eq!(stands(&service.api(), &pingdom).await[0][2], "a is ours, again");
    // Without it the tool is the built-in one again, for the same integration.
    std::fs::remove_file(folder.path().join("pingdom.toml")).unwrap();
    let service = service.kill_and_restart().await;
    let down = json!({"check_id": 5, "check_name": "shop", "current_state": "DOWN", "importance_level": "HIGH"});
    let answer = service.api().send(&pingdom.path, &down).await;
    assert_eq!(answer.body["events"][0]["dedup_key"], "5", "{}", answer.body);
}

async fn a_recipe_saved_on_an_integration_can_be_tried_before_and_changed_after(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let body = json!({"job": "nightly", "host": "db1", "state": "failed"});
    // A draft, tried on a body: nothing is written.
    let draft = api.post("/api/v1/explain/webhook", &json!({"body": body, "options": {"recipe": TALLY}})).await;
    assert_eq!((draft.status, &draft.body["events"][0]["dedup_key"]), (200, &json!("nightly:db1")), "{}", draft.body);
    let wrong = TALLY.replace("summary", "sumary");
    let draft = api.post("/api/v1/explain/webhook", &json!({"body": body, "options": {"recipe": wrong}})).await;
    assert!(draft.status == 400 && draft.body.to_string().contains("line 6: event.sumary: unknown key"), "{}", draft.body);

    let fields = json!({"type": "webhook", "name": "backups", "options": {"recipe": TALLY}});
    let tally = api.integration_from(fields).await;
    assert_eq!(api.send(&tally.path, &body).await.status, 202);
    assert_eq!(stands(&api, &tally).await, [["nightly:db1", "triggered", "nightly on db1", "error"]]);
    // A recipe that is wrong is not saved, and the one before goes on.
    let path = format!("/api/v1/integrations/{}", tally.id);
    let refused = api.patch(&path, &json!({"options": {"recipe": wrong}})).await;
    assert!(refused.status == 400 && refused.body.to_string().contains("line 6: event.sumary"), "{}", refused.body);
    // One that is sound counts at once, without a restart.
    let other = TALLY.replace("{job} on {host}", "backup {job}").replace("\"done\"", "\"finished\"");
    assert_eq!(api.patch(&path, &json!({"options": {"recipe": other}})).await.status, 200);
    assert_eq!(api.send(&tally.path, &body).await.status, 202);
    assert_eq!(stands(&api, &tally).await[0][2], "backup nightly");
    assert_eq!(api.send(&tally.path, &json!({"job": "nightly", "host": "db1", "state": "finished"})).await.status, 202);
    assert_eq!(stands(&api, &tally).await[0][1], "resolved");
}

async fn a_recipe_that_is_gone_loses_no_alert(database: Database) {
    let folder = tempfile::TempDir::with_prefix("callbox-recipes-").unwrap();
    std::fs::write(folder.path().join("tally.toml"), TALLY).unwrap();
    let environment = vec![("CALLBOX_PROVIDERS_RECIPES".to_owned(), folder.path().display().to_string())];
    let service = Callbox::start_with(&database, Options { environment, ..Options::default() }).await;
    let tally = service.api().integration("tally", "backups").await;
    std::fs::remove_file(folder.path().join("tally.toml")).unwrap();
    let service = service.kill_and_restart().await;
    let api = service.api();
    let answer = api.send(&tally.path, &json!({"job": "nightly", "title": "the backup failed", "state": "failed"})).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.body["events"][0]["outcome"], "opened", "{}", answer.body);
    let shown = api.get(&format!("/api/v1/integrations/{}", tally.id)).await.body;
    assert!(shown["warnings"].to_string().contains("there is no tool of type"), "{shown}");
    assert_eq!(shown["type"], "tally");
}

#[test]
fn a_recipe_that_is_wrong_stops_the_start_and_is_named_with_its_line() {
    let folder = tempfile::TempDir::with_prefix("callbox-recipes-").unwrap();
    std::fs::write(folder.path().join("one.toml"), "[event]\nkey = \"id\"\nsumary = \"title\"\n").unwrap();
    std::fs::write(folder.path().join("two.toml"), "[event]\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(program());
        let command =
            command.args(arguments).env_clear().env("CALLBOX_PROVIDERS_RECIPES", folder.path()).current_dir(folder.path());
        let ended = command.output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap() + &String::from_utf8(ended.stdout).unwrap())
    };
    let (code, said) = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(2), "{said}");
    for expected in ["one.toml:3: event.sumary: unknown key; did you mean `summary`?", "two.toml:1: event.key: is missing"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let (code, said) = run(&["doctor"]);
    assert!(code == Some(1) && said.contains("one.toml:3: event.sumary"), "{said}");
}

/// What keeps a service from starting, besides a recipe that is wrong by itself.
#[test]
fn a_folder_that_cannot_be_used_stops_the_start() {
    let folder = tempfile::TempDir::with_prefix("callbox-recipes-").unwrap();
    let run = |recipes: &std::path::Path| {
        let mut command = std::process::Command::new(program());
        command.args(["serve", "--listen", "127.0.0.1:0"]).env_clear().env("CALLBOX_PROVIDERS_RECIPES", recipes);
        let ended = command.current_dir(folder.path()).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        String::from_utf8(ended.stderr).unwrap() + &String::from_utf8(ended.stdout).unwrap()
    };
    let missing = folder.path().join("nowhere");
    let said = run(&missing);
    assert!(said.contains("providers.recipes: ") && said.contains(missing.to_str().unwrap()), "{said}");
    // A type that the program itself needs, a name that is no type, and one that is two recipes' alias.
    for (name, why) in [("webhook", "cannot be taken"), ("Our Tool", "the name of the file is the type")] {
        let recipes = tempfile::TempDir::with_prefix("callbox-recipes-").unwrap();
        std::fs::write(recipes.path().join(format!("{name}.toml")), TALLY).unwrap();
        let said = run(recipes.path());
        assert!(said.contains(&format!("{name}.toml: ")) && said.contains(why), "{name}: {said}");
    }
    for name in ["one.toml", "two.toml"] {
        std::fs::write(folder.path().join(name), TALLY).unwrap();
    }
    let said = run(folder.path());
    assert!(said.contains("two.toml: ") && said.contains("the alias \"tally-backups\""), "{said}");
}
