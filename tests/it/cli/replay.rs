//! A mapping that comes late, from the command line: look, try a draft, map, replay, and replay again.

use serde_json::{Value, json};

use super::Shell;
use crate::support::{Callbox, Database};

on_both!(a_draft_is_tried_and_the_mapping_replayed);

const MAPPING: &str = r#"{"summaryField": "a.txt", "dedupKeyField": "a.n", "severityField": "a.lvl"}"#;

async fn a_draft_is_tried_and_the_mapping_replayed(database: Database) {
    let service = Callbox::start(&database).await;
    let (shell, api) = (Shell::of(&service), service.api());
    let tool = api.integration("webhook", "disks").await;
    for name in ["disk-1", "disk-2"] {
        let body = json!({"a": {"n": name, "lvl": "crit", "txt": format!("{name} is bad")}});
        assert_eq!(api.send(&tool.path, &body).await.status, 202);
    }
    let listed = shell.json(&["request", "list", "--integration", "disks", "--outcome", "unmapped", "--since", "1h"]);
    let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(shell.json(&["request", "list", "--outcome", "opened"])["items"], json!([]));

    std::fs::write(shell.path("mapping.json"), MAPPING).unwrap();
    let bulk = ["request", "replay", "--integration", "disks", "--outcome", "unmapped", "--since", "1h"];
    let with = |more: &[&str]| shell.ok(&[&bulk, more].concat());
    let dry = with(&["--mapping", "mapping.json", "--dry-run"]);
    for part in ["-> disk-1", "error -> critical", "unmapped -> opened", "would apply", "nothing was done", "would be resolved"] {
        assert!(dry.contains(part), "{part}: {dry}");
    }
    assert_eq!(api.incidents(&tool).await.len(), 1, "a dry run does nothing");
    shell.ok(&["integration", "update", "disks", "--mapping", "mapping.json"]);
    let done = with(&[]);
    assert!(done.contains("2 requests; events applied: 2, unchanged: 0, stale: 0") && done.contains(": resolved"), "{done}");
    let again = with(&[]);
    assert!(again.contains("events applied: 0, unchanged: 2, stale: 0"), "{again}");
    assert!(with(&["--after", ids[1]]).contains("1 requests;"), "only the one after it");

    let named: Value = shell.json(&["request", "replay", ids[0], ids[1], "--force"]);
    assert_eq!((&named["counts"]["unchanged"], &named["next"]), (&json!(2), &Value::Null), "{named}");
    assert_eq!(named["items"][0]["request_id"], ids[1], "in the order in which they came, however they are named");
    assert!(shell.fails(2, &["request", "replay"]).contains("REQUEST"));
    assert!(
        shell.fails(2, &["request", "replay", "--integration", "disks", "--mapping", "{}", "--recipe", "x"]).contains("recipe")
    );
}
