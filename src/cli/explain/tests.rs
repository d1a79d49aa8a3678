//! The command `explain`: what it sends, and how it puts things.

use clap::Parser;

use super::super::testing::{Answer, Server};
use super::super::{Cli, dispatch};
use super::*;

#[tokio::test]
async fn a_request_file_is_taken_apart_and_flags_win() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.http");
    let request = b"PUT /api/integrations/x/HOOK/c/d?a=1&b=2&a=4 HTTP/1.1\r\nX-A: file\r\nX-B: b\r\nx-b: c\r\n\r\n{\"t\": 1}";
    std::fs::write(&file, request).unwrap();
    let server = Server::start([Answer::json(200, r#"{"verdict":"accepted"}"#)]);
    let line = ["callbox", "explain", "grafana", "--file", file.to_str().unwrap(), "--header", "x-a: flag", "--query", "b=3"];
    let more = ["--integration", "int_01j9zzzzzzzzzzzzzzzzzzzzzz", "--options", "{\"o\":true}"];
    let cli = Cli::try_parse_from(line.iter().chain(&more)).map_err(|error| error.to_string()).ok().unwrap();
    dispatch(&server.session(), cli.command).await.unwrap();
    let seen = server.requests();
    assert_eq!(seen[0].line, "POST /api/v1/explain/grafana HTTP/1.1");
    let expected = json!({
        "method": "PUT", "subpath": "c/d", "headers": {"x-a": "flag", "x-b": ["b", "c"]},
        "query": {"a": ["1", "4"], "b": "3"}, "body_base64": STANDARD.encode("{\"t\": 1}"),
        "integration_id": "int_01j9zzzzzzzzzzzzzzzzzzzzzz", "options": {"o": true},
    });
    assert_eq!(seen[0].json(), expected);
}

#[tokio::test]
async fn a_query_is_a_request_without_a_file() {
    let server = Server::start([Answer::json(200, r#"{"verdict":"accepted"}"#)]);
    let line = ["callbox", "explain", "prtg", "--method", "get", "--query", "a=1", "--query", "a=2", "--subpath", "x"];
    let cli = Cli::try_parse_from(line).map_err(|error| error.to_string()).ok().unwrap();
    dispatch(&server.session(), cli.command).await.unwrap();
    let expected = json!({"method": "GET", "subpath": "x", "headers": {}, "query": {"a": ["1", "2"]}, "body_base64": ""});
    assert_eq!(server.requests()[0].json(), expected);
    assert!(Cli::try_parse_from(["callbox", "explain", "prtg"]).is_err(), "nothing to explain");
}

#[test]
fn a_recipe_is_an_option_of_the_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tally.toml");
    std::fs::write(&file, "[event]\nkey = \"id\"\n").unwrap();
    let body = |kind: &str| {
        let path = file.to_str().unwrap();
        let line = ["callbox", "explain", kind, "--file", path, "--recipe", path];
        match Cli::try_parse_from(line).map_err(|error| error.to_string()).ok().unwrap().command {
            super::super::Command::Explain(args) => args.to_body(),
            _ => unreachable!("explain is explain"),
        }
    };
    assert_eq!(body("webhook").unwrap()["options"], json!({"recipe": "[event]\nkey = \"id\"\n"}));
    assert!(body("grafana").is_err());
}

#[test]
fn a_signature_in_one_line() {
    let value = json!({"scheme": "generic", "outcome": "differs", "signed": "body", "expected": null});
    assert_eq!(signature(&value), "generic: differs; signed: body");
    assert_eq!(signature(&json!({"verified": true})), "yes");
    assert_eq!(signature(&Value::Null), "");
    assert_eq!(signature(&json!("not required")), "not required");
}

#[test]
fn an_incident_in_one_line() {
    assert_eq!(incident_line(&json!({"number": 3, "status": "triggered", "title": "down"})), "#3 triggered down");
    assert_eq!(incident_line(&json!({"id": "inc_1"})), "inc_1");
}
