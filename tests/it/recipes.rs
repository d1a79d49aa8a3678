//! A recipe of the operator's own: a file in a folder makes a tool, without a rebuild.

use serde_json::json;

use crate::support::callbox::Options;
use crate::support::{Callbox, Database};

on_both!(a_file_in_the_folder_is_a_tool);

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
        .map(|incident| [&incident["dedup_key"], &incident["status"], &incident["title"]].map(|value| value.as_str().unwrap().to_owned()))
        .collect();
    incidents.sort();
    assert_eq!(incidents, [["nightly:db1", "resolved", "nightly on db1"], ["nightly:db2", "triggered", "nightly on db2"]]);
}
