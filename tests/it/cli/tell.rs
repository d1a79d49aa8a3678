//! Destinations and rules from the command line.

use serde_json::json;

use super::{Shell, field};
use crate::support::{Callbox, Database, secrets};

on_both!(a_destination_has_a_life, rules_say_who_is_told_what);

async fn a_destination_has_a_life(database: Database) {
    let service = Callbox::start(&database).await;
    let shell = Shell::of(&service).with("TEAM", "hush-team");
    std::fs::write(shell.path("url"), "https://receiver.example/hook?token=hush-url\n").unwrap();
    let line = ["destination", "create", "webhook", "--name", "hub", "--to", "@url", "--header", "X-Team: env:TEAM"];
    let out = shell.ok(&line);
    let secret = field(&out, "signing secret");
    assert!(secret.starts_with("whsec_") && secret.ends_with("(shown once)"), "{out}");
    secrets::remember(secret.split(' ').next().unwrap());
    assert_eq!(
        (field(&out, "url"), field(&out, "rule")),
        ("https://receiver.example/hook?token=***".into(), "everything → hub".into())
    );

    let shown = shell.ok(&["destination", "show", "hub"]);
    assert_eq!(
        (field(&shown, "state"), field(&shown, "breaker")),
        ("enabled".into(), "rests 30s after 5 failures in a row".into())
    );
    assert!(field(&shown, "headers").contains("***") && !shown.contains("hush"), "{shown}");
    let changed = shell.ok(&["destination", "update", "hub", "--name", "hub 2", "--default", "--rate-limit", "30"]);
    assert_eq!((field(&changed, "state"), field(&changed, "rate limit")), ("enabled, default".into(), "30 a minute".into()));
    let rotated = shell.callbox(&["destination", "rotate", "hub 2", "--overlap", "1h"]);
    assert!(rotated.err.contains("signed with the old one too until"), "{rotated:?}");
    secrets::remember(field(&rotated.out, "signing secret").split(' ').next().unwrap());
    assert_eq!(shell.ok(&["destination", "disable", "hub 2"]), "hub 2 is disabled\n");
    assert!(shell.ok(&["destination", "list"]).contains("disabled, default"));
    assert_eq!(shell.ok(&["destination", "enable", "hub 2"]), "hub 2 is enabled\n");

    let said = shell.fails(1, &["destination", "create", "webhok", "--name", "x"]);
    assert!(said.contains("did you mean `webhook`?"), "{said}");
    let said = shell.fails(1, &["destination", "create", "webhook", "--name", "x", "--to", "https://127.0.0.1/"]);
    assert!(said.contains("outbound.allow"), "{said}");
    let said = shell.fails(2, &["destination", "create", "webhook", "--name", "x", "--to", "env:NOT_SET"]);
    assert!(said.contains("NOT_SET is not set"), "{said}");
    let said = shell.fails(1, &["destination", "create", "webhook", "--name", "x", "--to", "${HOME}"]);
    assert!(said.contains("outbound.secrets_env"), "{said}");

    let deleted = shell.callbox(&["destination", "delete", "hub 2"]);
    assert!(deleted.err.contains("everything → hub"), "{deleted:?}");
    assert!(shell.fails(1, &["destination", "show", "hub 2"]).contains("no destination has"));
    let warned = shell.ok(&["rule", "show", "everything → hub"]);
    assert!(warned.contains("warning:") && warned.contains("is deleted"), "{warned}");
}

async fn rules_say_who_is_told_what(database: Database) {
    let service = Callbox::start(&database).await;
    let (shell, api) = (Shell::of(&service), service.api());
    for name in ["ops", "boss"] {
        api.destination(name).await;
    }
    let line = ["rule", "create", "--name", "nights", "--to", "ops", "--severity-floor", "error", "--step", "10m=boss"];
    let quiet = ["--quiet", "sat,sun 00:00-24:00 Europe/Berlin", "--service", "default", "--dedupe", "5m"];
    let out = shell.ok(&[line.as_slice(), quiet.as_slice()].concat());
    assert_eq!((field(&out, "tells"), field(&out, "steps")), ("ops".into(), "after 10m: boss".into()));
    assert_eq!((field(&out, "services"), field(&out, "dedupe window")), ("default".into(), "5m".into()));
    assert!(field(&out, "quiet windows").contains("Europe/Berlin"), "{out}");
    let list = shell.ok(&["rule", "list"]);
    assert!(list.contains("ops + 1 later") && list.contains("everything → boss"), "{list}");
    let changed = shell.json(&[
        "rule",
        "update",
        "nights",
        "--clear",
        "quiet_windows",
        "--name",
        "days",
        "--to",
        "boss",
        "--clear",
        "steps",
    ]);
    assert_eq!(
        (&changed["quiet_windows"], &changed["steps"], &changed["severity_floor"]),
        (&json!([]), &json!([]), &json!("error"))
    );
    let said = shell.fails(1, &["rule", "create", "--name", "x", "--to", "nobody", "--condition", "1 +"]);
    assert!(said.contains("nobody") && said.contains("condition"), "{said}");
    assert_eq!(shell.ok(&["rule", "disable", "days"]), "days is disabled\n");
    assert_eq!(shell.ok(&["rule", "enable", "days"]), "days is enabled\n");
    assert_eq!(shell.ok(&["rule", "delete", "days"]), "days is deleted\n");
    std::fs::write(shell.path("rule.json"), json!({"destinations": ["ops"], "events": ["change.created"]}).to_string()).unwrap();
    let from_file = shell.json(&["rule", "create", "--name", "changes", "--json", "rule.json"]);
    assert_eq!(from_file["events"], json!(["change.created"]));
}
