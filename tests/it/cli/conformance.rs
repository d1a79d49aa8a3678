//! `callbox conformance`: the kit against a service of its own, and against one that runs.

use callbox::provider::Registry;
use serde_json::{Value, json};

use super::*;
use crate::support::Database;

on_both!(an_integration_that_runs_is_tested_and_left_as_it_was);

/// What each scheme must have been held to.
const CASES: [&str; 22] = [
    "good",
    "one bit off",
    "one byte more",
    "wrong secret",
    "missing",
    "empty",
    "the key as signature",
    "the key as bearer",
    "doubled, bad last",
    "doubled, bad first",
    "wrong prefix",
    "wrong encoding",
    "upper-case hex",
    "old timestamp",
    "future timestamp",
    "two timestamps",
    "emoji body",
    "CRLF body",
    "form body",
    "gzip, signed before it",
    "gzip, signed after it",
    "rotated, old after overlap",
];

#[test]
fn every_tool_of_this_program_conforms() {
    let report = Shell::new().json(&["conformance"]);
    assert_eq!(report["failed"], 0);
    let cases = report["cases"].as_array().unwrap();
    let of = |kind: &str, case: &str| {
        let found: Vec<&Value> = cases.iter().filter(|row| row["type"] == kind && row["case"] == case).collect();
        assert!(!found.is_empty(), "{kind}: {case} was not tried");
        found
    };
    assert_eq!(report["not_covered"], json!([]));
    for tool in Registry::built_in().tools() {
        let kind = tool.meta().kind;
        CASES.iter().for_each(|case| drop(of(kind, case)));
        assert!(of(kind, "good").iter().all(|row| row["result"] == "ok"), "{kind}");
    }
    // Those that sign with keys which they publish are held to theirs too.
    for (kind, scheme) in [("cloudwatch", "Amazon SNS"), ("google-cloud-monitoring", "OpenID Connect")] {
        let tried = cases.iter().filter(|row| row["type"] == kind && row["scheme"] == scheme && row["result"] == "ok").count();
        assert!(tried >= 19, "{kind}: {tried}");
    }
    // Where a time or an id is signed, what is about it was really tried.
    for (scheme, case) in [("Grafana, with a timestamp", "old timestamp"), ("Standard Webhooks", "two ids")] {
        let tried = |row: &&Value| row["scheme"] == scheme && row["case"] == case && row["result"] == "ok";
        assert_eq!(cases.iter().filter(tried).count(), 1, "{scheme}: {case}");
    }
}

#[test]
fn one_type_is_shown_case_by_case() {
    let shell = Shell::new();
    let shown = shell.ok(&["conformance", "--type", "prometheus"]);
    assert!(shown.contains("alertmanager  generic  one bit off"), "{shown}");
    assert!(!shown.contains("grafana"), "{shown}");
    assert!(shell.fails(2, &["conformance", "--type", "nagiosxx"]).contains("no type"));
}

async fn an_integration_that_runs_is_tested_and_left_as_it_was(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let secret = "the secret of the integration that is tested";
    secrets::remember(secret);
    // With the rate limit that every integration has.
    for kind in ["webhook", "grafana"] {
        let fields = json!({"type": kind, "name": kind, "signature_secret": secret});
        let integration = api.integration_from(fields).await;
        let shell = Shell::of(&service);
        std::fs::write(shell.path("secret.txt"), format!("{secret}\n")).unwrap();
        let run = ["conformance", "--integration", kind, "--signature-secret-file"];
        let (line, from_file) = ([&run[..], &["secret.txt"]].concat(), shell.clone());
        let report = tokio::task::spawn_blocking(move || from_file.json(&line)).await.unwrap();
        assert_eq!(report["failed"], 0, "{report}");
        assert!(report["ok"].as_u64().unwrap() >= 15, "{report}");
        let rows = report["cases"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["case"] == "good" && row["result"] == "ok"), "{kind}: {report}");
        assert!(api.incidents(&integration).await.is_empty(), "{kind}: it opens nothing");

        // The shield lets one address fail sixty times a minute: once is enough.
        if kind == "grafana" {
            let shell = shell.with("CALLBOX_SIGNATURE_SECRET", "another");
            let run = move || shell.callbox(&["conformance", "--integration", "grafana"]);
            let said = tokio::task::spawn_blocking(run).await.unwrap();
            assert_eq!(said.code, 1, "{said:?}");
            assert!(said.out.contains("FAIL") && !said.out.contains(secret), "{said:?}");
            assert!(api.incidents(&integration).await.is_empty(), "nor with a wrong secret");
        }
    }
    api.integration("webhook", "unsigned").await;
    let shell = Shell::of(&service).with("CALLBOX_SIGNATURE_SECRET", "x");
    let (unsigned, none) = (shell.clone(), Shell::of(&service));
    let err =
        tokio::task::spawn_blocking(move || unsigned.fails(2, &["conformance", "--integration", "unsigned"])).await.unwrap();
    assert!(err.contains("demands no signature"), "{err}");
    let err = tokio::task::spawn_blocking(move || none.fails(2, &["conformance", "--integration", "unsigned"])).await.unwrap();
    assert!(err.contains("CALLBOX_SIGNATURE_SECRET"), "{err}");
}
