//! The commands on rules: what they send.

use clap::Parser;

use super::*;
use crate::cli::testing::{Answer, Server};
use crate::cli::{Cli, Command as Top, dispatch};

const ID: &str = "rul_01j9zzzzzzzzzzzzzzzzzzzzzz";

async fn run(server: &Server, line: &[&str]) -> anyhow::Result<()> {
    let cli = Cli::try_parse_from(["callbox", "rule"].iter().chain(line)).map_err(|error| error.to_string()).ok().unwrap();
    assert!(matches!(cli.command, Top::Rule(_)));
    dispatch(&server.session(), cli.command).await
}

#[tokio::test]
async fn create_sends_what_was_given_over_what_the_file_says() {
    let server = Server::start([Answer::json(201, r#"{"id":"rul_1"}"#)]);
    let json = r#"{"destinations":["a"],"severity_floor":"info","enabled":false}"#;
    run(&server, &["create", "--name", "nights", "--json", json, "--severity-floor", "error"]).await.unwrap();
    let seen = server.requests();
    assert_eq!(seen[0].line, "POST /api/v1/rules HTTP/1.1");
    let expected = json!({"name": "nights", "destinations": ["a"], "severity_floor": "error", "enabled": false});
    assert_eq!(seen[0].json(), expected);
}

#[tokio::test]
async fn update_clears_enable_delete() {
    let server = Server::start((0..3).map(|_| Answer::json(200, "{}")));
    run(&server, &["update", ID, "--clear", "condition", "--name", "days"]).await.unwrap();
    run(&server, &["enable", ID]).await.unwrap();
    run(&server, &["delete", ID]).await.unwrap();
    let seen = server.requests();
    assert_eq!(seen[0].line, format!("PATCH /api/v1/rules/{ID} HTTP/1.1"));
    assert_eq!((seen[0].json(), seen[1].json()), (json!({"condition": null, "name": "days"}), json!({"enabled": true})));
    assert_eq!(seen[2].line, format!("DELETE /api/v1/rules/{ID} HTTP/1.1"));
    assert!(run(&server, &["create", "--name", "x", "--json", "[]"]).await.is_err());
}

#[tokio::test]
async fn a_test_sends_what_is_asked_and_is_dry() {
    let incident = "inc_01j9zzzzzzzzzzzzzzzzzzzzzz";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alert.json");
    std::fs::write(&file, r#"{"event_action":"trigger"}"#).unwrap();
    let server = Server::start((0..2).map(|_| Answer::json(200, r#"{"matches":true}"#)));
    run(&server, &["test", ID, "--dry-run", "--event", "incident.open_for:2h", "--incident", incident]).await.unwrap();
    run(&server, &["test", ID, "--dry-run", "--file", file.to_str().unwrap()]).await.unwrap();
    let seen = server.requests();
    assert_eq!(seen[0].line, format!("POST /api/v1/rules/{ID}/test HTTP/1.1"));
    assert_eq!(seen[0].json(), json!({"dry_run": true, "event": "incident.open_for:2h", "incident_id": incident}));
    assert_eq!(seen[1].json(), json!({"dry_run": true, "alert": {"event_action": "trigger"}}));
    for wrong in [&["test", ID][..], &["test", ID, "--dry-run", "--incident", "1", "--file", "x"]] {
        assert!(Cli::try_parse_from(["callbox", "rule"].iter().chain(wrong)).is_err(), "{wrong:?}");
    }
}
