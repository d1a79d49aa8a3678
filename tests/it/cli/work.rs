//! A day with incidents from the command line: sending, looking, acting, replaying, explaining.

use serde_json::json;

use super::{Shell, column, field};
use crate::support::{Callbox, Database, eventually, secrets};

on_both!(an_incident_from_its_trigger_to_its_end, lists_are_narrowed, the_ledger_is_read_followed_and_replayed);

/// A service, and a shell with an integration called `prod`.
async fn begin(database: &Database) -> (Callbox, Shell) {
    let service = Callbox::start(database).await;
    let shell = Shell::of(&service);
    let made = shell.json(&["integration", "create", "events", "--name", "prod", "--rate-limit", "0"]);
    secrets::remember(made["key"].as_str().unwrap());
    (service, shell)
}

fn send(shell: &Shell, arguments: &[&str]) -> String {
    shell.ok(&[&["send", "--integration", "prod"], arguments].concat()).trim().to_owned()
}

async fn an_incident_from_its_trigger_to_its_end(database: Database) {
    let (_service, shell) = begin(&database).await;
    let key = send(&shell, &["--summary", "disk full", "--source", "db1", "--severity", "critical", "--detail", "free=3"]);
    let item = shell.json(&["incident", "list"])["items"][0].clone();
    let (number, id) = (item["number"].to_string(), item["id"].as_str().unwrap().to_owned());
    for name in [&number, &format!("#{number}"), &id] {
        let out = shell.ok(&["incident", "show", name]);
        assert_eq!((field(&out, "title"), field(&out, "dedup key")), ("disk full".into(), key.clone()));
        assert!(field(&out, "integration").starts_with("prod (") && out.contains("\"free\": 3"), "{out}");
        assert!(out.lines().any(|line| line.contains("trigger") && line.contains("opened")), "{out}");
    }
    assert_eq!(shell.ok(&["incident", "ack", &number]), format!("#{number} acknowledged  disk full\n"));
    let shown = shell.ok(&["incident", "show", &number]);
    assert_eq!(field(&shown, "acknowledged by"), "CALLBOX_ADMIN_TOKEN");
    assert_eq!(shell.ok(&["incident", "resolve", &id]), format!("#{number} resolved  disk full\n"));
    assert!(shell.fails(1, &["incident", "ack", &number]).contains("the incident is resolved"));
    assert!(shell.fails(1, &["incident", "show", "4711"]).contains("no incident has the number 4711"));
    shell.fails(2, &["incident", "show", "disk"]);

    send(&shell, &["trigger", "--summary", "again", "--dedup-key", &key]);
    send(&shell, &["acknowledge", "--dedup-key", &key]);
    send(&shell, &["resolve", "--dedup-key", &key]);
    let again = shell.json(&["incident", "list", "--key", &key, "--limit", "1"]);
    assert_eq!((&again["items"][0]["status"], &again["items"][0]["previous_incident_id"]), (&json!("resolved"), &json!(id)));
    assert!(again["next"].is_string(), "there is an older one");

    let said = shell.callbox(&["incident", "ack", "4711", "#4712"]);
    assert!(said.code == 1 && said.err.contains("2 of 2 failed"), "{said:?}");
    let refused = shell.fails(1, &["send", "--key", &"0".repeat(32), "--summary", "x"]);
    assert!(refused.contains("Invalid routing key"), "{refused}");
}

async fn lists_are_narrowed(database: Database) {
    let (_service, shell) = begin(&database).await;
    shell.json(&["integration", "create", "events", "--name", "other"]);
    send(&shell, &["--summary", "disk full", "--dedup-key", "a", "--severity", "critical"]);
    send(&shell, &["--summary", "slow", "--dedup-key", "b", "--severity", "warning"]);
    send(&shell, &["resolve", "--dedup-key", "b"]);
    send(&shell, &["resolve", "--dedup-key", "c"]);
    shell.ok(&["send", "--integration", "other", "--summary", "elsewhere", "--dedup-key", "d"]);
    let keys = |arguments: &[&str]| column(&shell.json(&[&["incident", "list"], arguments].concat()), "dedup_key");
    assert_eq!(keys(&[]), ["d", "b", "a"]);
    assert_eq!(keys(&["--integration", "prod"]), ["b", "a"]);
    assert_eq!(keys(&["--service", "default", "--status", "resolved"]), ["b"]);
    assert_eq!(keys(&["--severity", "critical"]), ["a"]);
    assert_eq!(keys(&["--q", "DISK"]), ["a"]);
    assert_eq!(keys(&["--key", "b"]), ["b"]);
    assert_eq!(keys(&["--since", "1h", "--limit", "2"]), ["d", "b"]);
    assert!(keys(&["--until", "1h"]).is_empty());
    assert_eq!(keys(&["--all"]).len(), 3);
    assert!(shell.callbox(&["incident", "list", "--limit", "1"]).err.contains("there are more"));

    let unmatched = shell.json(&["event", "list", "--outcome", "unmatched"]);
    assert_eq!(column(&unmatched, "dedup_key"), ["c"]);
    assert_eq!(column(&shell.json(&["event", "list", "--action", "resolve", "--key", "b"]), "outcome"), ["resolved"]);
    let shown = shell.ok(&["event", "show", unmatched["items"][0]["id"].as_str().unwrap()]);
    assert_eq!((field(&shown, "action"), field(&shown, "outcome")), ("resolve".into(), "unmatched".into()));
    shell.fails(1, &["event", "list", "--outcome", "nonsense"]);
}

async fn the_ledger_is_read_followed_and_replayed(database: Database) {
    let (_service, shell) = begin(&database).await;
    assert!(shell.callbox(&["request", "list"]).err.contains("no requests"));
    let mut tail = shell.start(&["tail", "-f"]);
    send(&shell, &["--change", "--summary", "deployed 1.4.2", "--detail", "version=1.4.2"]);
    send(&shell, &["--summary", "down", "--dedup-key", "k"]);
    let _ = tail.until(|out, _| (out.contains("/v2/change/enqueue") && out.contains("opened")).then_some(())).await;
    assert!(tail.out().lines().all(|line| line.contains("accepted") && line.contains("prod")), "{}", tail.out());
    assert!(shell.ok(&["tail", "-n", "1"]).trim_end().ends_with("/v2/enqueue  opened"));
    assert!(shell.ok(&["change", "list"]).contains("deployed 1.4.2"));

    let list = shell.json(&["request", "list", "--integration", "prod"]);
    assert_eq!(list["items"][0]["outcomes"], json!({"opened": 1}));
    let id = list["items"][0]["id"].as_str().unwrap();
    let shown = shell.ok(&["request", "show", id]);
    assert!(shown.contains("\"summary\": \"down\"") && shown.contains("opened"), "{shown}");
    assert!(field(&shown, "integration").starts_with("prod ("), "{shown}");
    assert!(shown.contains(&"*".repeat(32)), "the key is masked: {shown}");

    let dry = shell.ok(&["request", "replay", id, "--dry-run"]);
    assert!(dry.contains("nothing was done; 0 of 1 events would be applied"), "{dry}");
    let replayed = shell.ok(&["request", "replay", id]);
    assert!(replayed.contains("0 of 1 events applied") && replayed.contains("unchanged"), "{replayed}");
    let events = || column(&shell.json(&["incident", "list"]), "event_count");
    assert_eq!(events(), ["1"], "a replay counts nothing twice");
    shell.ok(&["send", "resolve", "--integration", "prod", "--dedup-key", "k"]);
    let stale = shell.ok(&["request", "replay", id]);
    assert!(stale.contains("stale"), "{stale}");
    assert_eq!(column(&shell.json(&["incident", "list"]), "status"), ["resolved"]);
    assert!(shell.fails(1, &["request", "show", "req_1"]).contains("404"));

    let file = json!({"receiver": "callbox", "status": "firing", "alerts": [{"status": "firing", "fingerprint": "5f3c",
        "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"}, "annotations": {"summary": "full"},
        "startsAt": "2026-03-01T09:00:00Z"}]});
    std::fs::write(shell.path("body.json"), file.to_string()).unwrap();
    let explained = shell.ok(&["explain", "alertmanager", "--file", "body.json"]);
    for (name, value, from) in [("summary", "full", "annotations.summary"), ("key", "5f3c", "fingerprint")] {
        let row = explained.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(row.contains(value) && row.contains(from), "{explained}");
    }
    assert_eq!(shell.json(&["explain", "alertmanager", "--file", "body.json"])["verdict"], "accepted");
    eventually(
        async || if shell.json(&["request", "list"])["items"].as_array().unwrap().len() == 3 { Ok(()) } else { Err("".into()) },
    )
    .await;
}
