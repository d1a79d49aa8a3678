//! The commands that run on the machine itself, and how commands end.

use super::Shell;
use crate::support::callbox::MASTER_KEY;
use crate::support::{Callbox, Database, secrets};

on_both!(the_first_token_is_made_in_the_database, settings_are_found_as_serve_finds_them);

async fn the_first_token_is_made_in_the_database(database: Database) {
    let service = Callbox::start(&database).await;
    let token = Shell::new().ok(&["token", "create", "--admin", "--database", database.url()]);
    let token = token.trim();
    secrets::remember(token);
    let shell = Shell::new().with("CALLBOX_URL", &service.base()).with("CALLBOX_TOKEN", token);
    let tokens = shell.json(&["token", "list"]);
    assert_eq!(tokens["items"][0]["scopes"], serde_json::json!(["admin"]), "{tokens}");
    let entries = shell.json(&["audit", "list"]);
    assert_eq!(entries["items"][0]["actor"], "database access", "{entries}");
}

/// The database may be named by the environment, by a file in it, by the settings file, or by a flag.
async fn settings_are_found_as_serve_finds_them(database: Database) {
    let shell = Shell::new();
    std::fs::write(shell.path("url"), database.url()).unwrap();
    std::fs::write(shell.path("callbox.toml"), "[store]\ndatabase_file = \"url\"\n").unwrap();
    let said = shell.ok(&["migrate", "--database", database.url()]);
    let ways = [shell.clone().with("CALLBOX_DATABASE_FILE", "url"), shell.clone().with("CALLBOX_CONFIG", "callbox.toml")];
    for way in &ways {
        assert_eq!(way.ok(&["migrate"]), said);
        let token = way.json(&["token", "create", "--admin", "--name", "by settings"]);
        secrets::remember(token["token"].as_str().unwrap());
    }
    assert_eq!(shell.ok(&["migrate", "--config", "callbox.toml"]), said);
    let doctor = ways[0].clone().with("CALLBOX_MASTER_KEY", MASTER_KEY).json(&["doctor"]);
    let checks = doctor["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["check"] == "master key" && check["status"] == "ok"), "{doctor}");
    assert!(!shell.path("callbox.db").exists(), "the default was not touched");
    assert!(!said.contains('@'), "{said}");
}

#[test]
fn doctor_says_what_it_found_and_fails_when_a_start_would() {
    let shell = Shell::new();
    let said = shell.ok(&["doctor"]);
    assert!(said.contains("note  database") && said.contains("does not exist yet"), "{said}");
    let said = shell.callbox(&["doctor", "--database", "postgres://u:hush@127.0.0.1:1/x"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("FAIL  database") && said.err.contains("1 of 3 checks failed"), "{said:?}");
    assert!(!format!("{said:?}").contains("hush"));
}

#[test]
fn completions_for_each_shell() {
    let shell = Shell::new();
    for (name, mark) in [("bash", "complete -F _callbox"), ("zsh", "#compdef callbox"), ("fish", "complete -c callbox")] {
        let script = shell.ok(&["completions", name]);
        assert!(script.contains(mark) && script.contains("incident"), "{name}");
    }
}

#[test]
fn a_wrong_call_ends_with_2_and_a_failure_with_1() {
    let shell = Shell::new();
    for wrong in [
        &["incident", "list", "--status", "open"][..],
        &["no-such-command"],
        &["incident", "list", "--url", "ftp://x"],
        &["migrate", "--database", "mysql://x"],
        &["token", "create", "--name", "x", "--scope", "admin", "--database", "sqlite:x.db"],
    ] {
        shell.fails(2, wrong);
    }
    let said = shell.fails(1, &["incident", "list", "--url", "http://127.0.0.1:1"]);
    assert!(said.contains("cannot reach http://127.0.0.1:1") && said.contains("callbox serve"), "{said}");
}
