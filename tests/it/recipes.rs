//! A recipe of the operator's own: a file in a folder makes a tool, without a rebuild.

use serde_json::json;

use crate::support::callbox::{Options, program};
use crate::support::{Callbox, Database};

on_both!(a_file_in_the_folder_is_a_tool, a_recipe_that_is_gone_loses_no_alert);

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
