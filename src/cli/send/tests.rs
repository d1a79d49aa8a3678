//! The body that is posted.

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

pub(super) fn args(line: &[&str]) -> Box<SendArgs> {
    let cli = Cli::try_parse_from(["callbox", "send"].iter().chain(line)).map_err(|error| error.to_string()).ok().unwrap();
    match cli.command {
        Command::Send(args) => args,
        _ => panic!("another command"),
    }
}

fn body(line: &[&str]) -> anyhow::Result<Value> {
    args(line).to_body(&Secret::new("k"))
}

#[test]
fn every_field_has_its_place() {
    let line = [
        "--summary",
        "s",
        "--source",
        "h",
        "--severity",
        "critical",
        "--dedup-key",
        "d",
        "--component",
        "c",
        "--group",
        "g",
        "--class",
        "x",
        "--detail",
        "n=3",
        "--detail",
        "t=a=b",
        "--link",
        "https://r.example=Runbook",
        "--client",
        "cli",
        "--client-url",
        "https://c.example",
        "--timestamp",
        "2026-03-01T00:00:00Z",
    ];
    let expected = json!({
        "routing_key": "k", "event_action": "trigger", "dedup_key": "d", "client": "cli", "client_url": "https://c.example",
        "links": [{"href": "https://r.example", "text": "Runbook"}],
        "payload": {
            "summary": "s", "source": "h", "severity": "critical", "component": "c", "group": "g", "class": "x",
            "timestamp": "2026-03-01T00:00:00.000000Z", "custom_details": {"n": 3, "t": "a=b"},
        },
    });
    assert_eq!(body(&line).unwrap(), expected);
}

#[test]
fn what_is_missing_is_said_before_anything_is_sent() {
    assert!(body(&[]).unwrap_err().to_string().contains("--summary"));
    assert!(body(&["resolve"]).unwrap_err().to_string().contains("--dedup-key"));
    let resolve = json!({"routing_key": "k", "event_action": "resolve", "dedup_key": "d"});
    assert_eq!(body(&["resolve", "--dedup-key", "d"]).unwrap(), resolve);
    let trigger = body(&["--summary", "s"]).unwrap();
    assert_eq!(trigger["dedup_key"].as_str().unwrap().len(), 32);
    assert!(!trigger["payload"]["source"].as_str().unwrap().is_empty());
    assert_eq!(trigger["payload"]["severity"], "error");
}

#[test]
fn a_change_has_no_action_and_no_key() {
    let expected = json!({"routing_key": "k", "payload": {"summary": "s", "source": "h"}});
    assert_eq!(body(&["--change", "--summary", "s", "--source", "h"]).unwrap(), expected);
    assert!(Cli::try_parse_from(["callbox", "send", "--change", "--dedup-key", "d"]).is_err());
}

#[test]
fn links_with_a_query_are_whole() {
    assert_eq!(link("https://a.example/?x=1"), json!({"href": "https://a.example/?x=1"}));
    assert_eq!(link("https://a.example"), json!({"href": "https://a.example"}));
}
