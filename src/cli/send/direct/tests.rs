//! What is left out, what is told, and what is remembered over runs.

use clap::Parser;
use serde_json::json;

use super::*;
use crate::cli::{Cli, Command};
use crate::event::{Action, Severity};
use crate::time::Timestamp;

fn told(action: &str, key: &str, severity: &str) -> Told {
    let payload = json!({"summary": "disk full", "source": "db1", "severity": severity});
    let body = json!({"event_action": action, "dedup_key": key, "payload": payload});
    Told::event(&body, false, at(0)).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_000_000 + seconds)
}

fn window() -> Span {
    "5m".parse().unwrap()
}

/// Told at once if it is to be told.
fn tell(memory: &mut Memory, sink: &str, told: &Told, now: Timestamp) -> bool {
    let claimed = memory.claim(sink, told, now);
    if claimed {
        memory.settle(sink, told, true, now);
    }
    claimed
}

#[test]
fn the_same_again_is_left_out_and_a_change_of_state_never_is() {
    let mut memory = Memory::open(window(), None, false);
    let mut tell = |action, severity, seconds| tell(&mut memory, "slack", &told(action, "disk", severity), at(seconds));
    assert!(tell("trigger", "warning", 0));
    assert!(!tell("trigger", "warning", 1));
    assert!(!tell("trigger", "info", 2), "it got no worse");
    assert!(tell("trigger", "critical", 3), "it got worse");
    assert!(!tell("trigger", "error", 4));
    assert!(tell("resolve", "error", 5));
    assert!(tell("trigger", "error", 6), "whoever heard that it is over must hear that it is not");
    assert!(!tell("trigger", "error", 305));
    assert!(tell("trigger", "error", 306), "the window began with what was told");
    assert!(tell("trigger", "error", 300), "the clock was set back");
}

#[test]
fn destinations_and_alerts_are_told_apart() {
    let mut memory = Memory::open(window(), None, false);
    for (sink, key) in [("slack", "disk"), ("pagerduty", "disk"), ("slack", "cpu")] {
        assert!(tell(&mut memory, sink, &told("trigger", key, "error"), at(0)), "{sink} {key}");
        assert!(!tell(&mut memory, sink, &told("trigger", key, "error"), at(1)), "{sink} {key}");
    }
}

#[test]
fn runs_share_a_file_and_what_failed_is_no_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/send.json");
    let open = |dry| Memory::open(window(), Some(file.clone()), dry);
    let event = told("trigger", "disk", "error");
    let (mut first, mut second) = (open(false), open(false));
    assert!(first.claim("slack", &event, at(0)));
    assert!(!second.claim("slack", &event, at(1)), "the other is about to tell it");
    first.settle("slack", &event, false, at(2));
    assert!(tell(&mut second, "slack", &event, at(3)), "the other could not");
    assert!(!open(false).claim("slack", &event, at(4)));
    assert!(!open(true).claim("slack", &event, at(4)));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("disk") && !text.contains("slack"), "{text}");
    // A run that died while it told: soon its note is worth nothing.
    let other = told("trigger", "cpu", "error");
    assert!(first.claim("slack", &other, at(10)));
    assert!(!second.claim("slack", &other, at(69)));
    assert!(second.claim("slack", &other, at(70)));
    // Nothing is kept for ever.
    assert!(tell(&mut first, "slack", &told("trigger", "new", "error"), at(200_000)));
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept.as_object().unwrap().len(), 1, "{kept}");
}

#[test]
fn a_dry_run_writes_nothing_and_a_bad_file_keeps_nobody_from_being_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("send.json");
    let event = told("trigger", "disk", "error");
    let mut dry = Memory::open(window(), Some(file.clone()), true);
    assert!(dry.claim("slack", &event, at(0)));
    assert!(!dry.claim("slack", &event, at(1)), "it would have been told");
    assert!(!file.exists());
    std::fs::write(&file, "[1, 2").unwrap();
    let mut memory = Memory::open(window(), Some(file.clone()), false);
    assert!(tell(&mut memory, "slack", &event, at(0)));
    assert!(memory.trouble().unwrap().contains("send.json: it is not what"));
    assert!(memory.trouble().is_none(), "said once");
    assert!(!tell(&mut memory, "slack", &event, at(1)), "remembered in this run");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "[1, 2");
}

#[test]
fn an_event_becomes_what_is_told_of_it() {
    let trigger = told("trigger", "disk", "critical");
    let incident = trigger.message.incident.as_ref().unwrap();
    assert_eq!((incident.title.as_str(), incident.source.as_str(), incident.dedup_key.as_str()), ("disk full", "db1", "disk"));
    let resolve = Told::event(&json!({"event_action": "resolve", "dedup_key": "disk"}), false, at(9)).unwrap();
    let end = resolve.message.incident.as_ref().unwrap();
    assert_eq!(end.id, incident.id, "the same incident, over runs too");
    assert_eq!((end.title.as_str(), resolve.severity), ("disk", None));
    assert_ne!(told("trigger", "cpu", "error").message.incident.unwrap().id, incident.id);
    assert_eq!(
        Told::event(&json!({"event_action": "resolve", "dedup_key": "disk", "payload": {"severity": "info"}}), false, at(0))
            .unwrap()
            .severity,
        Some(Severity::Info)
    );
    let measured = |percent: u8| {
        let payload = json!({"summary": format!("disk {percent}% full"), "source": "db1"});
        Told::event(&json!({"event_action": "trigger", "payload": payload}), true, at(0)).unwrap().key.unwrap()
    };
    assert_eq!(measured(91), measured(92));
    assert_eq!(trigger.action, Some(Action::Trigger));
    assert!(Told::event(&json!({"event_action": "resolve"}), false, at(0)).unwrap_err().contains("dedup_key"));
    let change = Told::change(&json!({"routing_key": "x", "payload": {"summary": "deployed"}}), at(0)).unwrap();
    assert_eq!((change.message.title(), change.key), ("deployed", None));
}

#[test]
fn what_names_no_destination_is_wrong_usage_and_shows_no_secret() {
    let client = sink::client().unwrap();
    let read = |urls: &[&str]| {
        let sources: Vec<Source> = urls.iter().map(|url| url.parse().unwrap()).collect();
        sink::read(&sources, &client).map(|sinks| sinks.into_iter().map(|sink| sink.name).collect::<Vec<_>>())
    };
    let key = "0123456789abcdef0123456789abcdef";
    let sinks = read(&[
        &format!("pagerduty://{key}"),
        "https://a.example/hooks/hush",
        "http://10.0.0.1/x",
        "https://a.example/hooks/hush2",
    ]);
    let names = [
        "pagerduty",
        "webhook https://a.example/hooks/***",
        "webhook http://10.0.0.1/x",
        "webhook https://a.example/hooks/*** (2)",
    ];
    assert_eq!(sinks.unwrap(), names);
    assert_eq!(read(&["slack://T0/B0/x", "slack://T0/B0/x"]).unwrap().len(), 1);
    for bad in
        ["hush-hush", "hush://hush-hush", "pagerduty://hush-hush", "slack://hush-hush", "http://169.254.169.254/hooks/hush-hush"]
    {
        let error = read(&[bad]).unwrap_err();
        assert!(error.is::<crate::cli::failure::Usage>() && !error.to_string().contains("hush-hush"), "{error}");
    }
}

#[test]
fn flags_that_say_nothing_together_are_refused() {
    let parse = |line: &[&str]| match Cli::try_parse_from(["callbox", "send"].iter().chain(line)).ok()?.command {
        Command::Send(args) => Some(args.is_direct()),
        _ => None,
    };
    assert_eq!(parse(&["--summary", "x"]), Some(false));
    assert_eq!(
        parse(&["--to", "slack://a/b/c", "--summary", "x", "--severity-floor", "warning", "--dedupe", "5m", "--dry-run"]),
        Some(true)
    );
    assert_eq!(parse(&["--to", "slack://a/b/c", "--events", "-", "--retries", "0"]), Some(true));
    for bad in [
        vec!["--summary", "x", "--dry-run"],
        vec!["--summary", "x", "--dedupe", "5m"],
        vec!["--to", "slack://a/b/c", "--integration", "prod"],
        vec!["--to", "slack://a/b/c", "--events", "-", "--summary", "x"],
        vec!["--to", "slack://a/b/c", "--events", "-", "resolve"],
        vec!["--to", "slack://a/b/c", "--change", "--summary", "x", "--dedupe", "5m"],
        vec!["--to", "slack://a/b/c", "--summary", "x", "--state", "f"],
    ] {
        assert_eq!(parse(&bad), None, "{bad:?}");
    }
}
