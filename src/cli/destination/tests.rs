use clap::Parser;

use super::super::testing::{Answer, Server};
use super::super::{Cli, Command as Top, dispatch};
use super::*;

const ID: &str = "dst_01j9zzzzzzzzzzzzzzzzzzzzzz";

async fn run(server: &Server, line: &[&str]) -> anyhow::Result<()> {
    let cli = Cli::try_parse_from(["callbox", "destination"].iter().chain(line)).map_err(|error| error.to_string()).ok().unwrap();
    assert!(matches!(cli.command, Top::Destination(_)));
    dispatch(&server.session(), cli.command).await
}

#[tokio::test]
async fn create_sends_what_was_given() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "https://hooks.example/x\n").unwrap();
    let from_file = format!("@{}", file.path().display());
    let server = Server::start([Answer::json(201, r#"{"id":"dst_1"}"#)]);
    let line = ["create", "slack", "--name", "ops", "--to", &from_file, "--no-rule", "--option", "channel=C1", "--default"];
    run(&server, &line).await.unwrap();
    let seen = server.requests();
    assert_eq!(seen[0].line, "POST /api/v1/destinations HTTP/1.1");
    let expected = json!({
        "kind": "slack", "name": "ops", "url": "https://hooks.example/x", "no_rule": true, "options": {"channel": "C1"},
        "default": true,
    });
    assert_eq!(seen[0].json(), expected);
}

#[tokio::test]
async fn update_keeps_the_options_it_does_not_name() {
    let server = Server::start([
        Answer::json(200, r#"{"items":[{"id":"dst_1","name":"ops"}],"next":null}"#),
        Answer::json(200, r#"{"options":{"a":1,"b":2}}"#),
        Answer::json(200, "{}"),
    ]);
    run(&server, &["update", "ops", "--option", "b=3"]).await.unwrap();
    let seen = server.requests();
    assert_eq!(seen[2].line, "PATCH /api/v1/destinations/dst_1 HTTP/1.1");
    assert_eq!(seen[2].json(), json!({"options": {"a": 1, "b": 3}}));
}

#[tokio::test]
async fn rotate_disable_delete() {
    let server =
        Server::start((0..4).map(|_| Answer::json(200, "{}")).chain([Answer::json(409, r#"{"error":{"message":"3"}}"#)]));
    run(&server, &["rotate", ID, "--overlap", "1h", "--signing-secret", "hush"]).await.unwrap();
    run(&server, &["disable", ID]).await.unwrap();
    run(&server, &["enable", ID]).await.unwrap();
    run(&server, &["delete", ID, "--drop-pending"]).await.unwrap();
    let refused = run(&server, &["delete", ID]).await.unwrap_err().to_string();
    assert!(refused.contains("--drop-pending"), "{refused}");
    let seen = server.requests();
    assert_eq!(seen[0].line, format!("POST /api/v1/destinations/{ID}/rotate HTTP/1.1"));
    assert_eq!(seen[0].json(), json!({"overlap": "1h", "signing_secret": "hush"}));
    assert_eq!((seen[1].json(), seen[2].json()), (json!({"enabled": false}), json!({"enabled": true})));
    assert_eq!(seen[3].line, format!("DELETE /api/v1/destinations/{ID}?pending=drop HTTP/1.1"));
}
