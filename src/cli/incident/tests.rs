//! The commands on incidents: what they send, and how they put things.

use clap::Parser;
use serde_json::json;

use super::super::testing::{Answer, Server};
use super::super::{Cli, dispatch};
use super::*;

async fn run(server: &Server, line: &[&str]) -> anyhow::Result<()> {
    let cli = Cli::try_parse_from(["callbox", "incident"].iter().chain(line)).map_err(|error| error.to_string()).ok().unwrap();
    dispatch(&server.session(), cli.command).await
}

#[tokio::test]
async fn every_filter_is_passed_on() {
    let list = || Answer::json(200, r#"{"items":[{"id":"int_1","name":"prod"}],"next":null}"#);
    let services = Answer::json(200, r#"{"items":[{"id":"svc_1","name":"db"}],"next":null}"#);
    let server = Server::start([list(), services, Answer::json(200, r#"{"items":[],"next":null}"#)]);
    let line = "list --status triggered --status resolved --integration prod --service db --key k/1 --severity critical --q disk --unrouted \
                --since 2026-03-01T00:00:00Z --limit 7";
    run(&server, &line.split_whitespace().collect::<Vec<_>>()).await.unwrap();
    assert_eq!(
        server.requests()[2].line,
        "GET /api/v1/incidents?status=triggered&status=resolved&integration_id=int_1&service_id=svc_1&dedup_key=k%2F1\
         &severity=critical&q=disk&unrouted=true&since=2026-03-01T00%3A00%3A00.000000Z&limit=7 HTTP/1.1"
    );
}

#[tokio::test]
async fn one_failure_does_not_stop_the_others() {
    let (a, b) = ("inc_01j9zzzzzzzzzzzzzzzzzzzzza", "inc_01j9zzzzzzzzzzzzzzzzzzzzzb");
    let refusal = r#"{"error":{"code":"not_found","message":"no such incident","request_id":"req_1"}}"#;
    let server = Server::start([Answer::json(404, refusal), Answer::json(200, r#"{"number":2,"status":"acknowledged"}"#)]);
    let error = run(&server, &["ack", a, b]).await.unwrap_err();
    assert_eq!(error.to_string(), "1 of 2 failed");
    let lines: Vec<String> = server.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(lines[1], format!("POST /api/v1/incidents/{b}/acknowledge HTTP/1.1"));
}

#[test]
fn what_was_done_in_one_line() {
    let answer = json!({"number": 12, "status": "resolved", "title": "disk\u{1b}[31m full"});
    assert_eq!(done("inc_1", "resolve", &answer), "#12 resolved  disk\\u{1b}[31m full");
    assert_eq!(done("#12", "acknowledge", &Value::Null), "#12 acknowledged");
}

#[test]
fn a_row_of_the_timeline() {
    let out = Output::new(super::super::output::Format::Table, true);
    let event = json!({"received_at": "2026-03-01T00:00:00Z", "action": "trigger", "outcome": "opened", "summary": "down"});
    assert_eq!(timeline_row(&event, &out), ["2026-03-01 00:00:00Z", "trigger", "opened", "", "down"]);
    let act = json!({"at": "2026-03-01T00:00:01Z", "kind": "acknowledged", "by": "token ops"});
    assert_eq!(timeline_row(&act, &out), ["2026-03-01 00:00:01Z", "acknowledged", "", "token ops", ""]);
}
