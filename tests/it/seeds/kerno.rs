//! kerno told its sinks straight from the command line: several at once, with a floor, a dedupe window and a dry run.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::{Said, Shell};
use crate::support::callbox::program;
use crate::support::receiver::{Receiver, Way};
use crate::support::{Authority, Database, eventually, secrets};

/// `callbox send`, off the thread that serves the receivers.
async fn send(shell: &Shell, arguments: &[&str]) -> Said {
    let (shell, arguments) = (shell.clone(), arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
    let run = move || {
        let line: Vec<&str> = std::iter::once("send").chain(arguments.iter().map(String::as_str)).collect();
        shell.callbox(&line)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// What a receiver was told: the event and the dedup key of each.
fn told(receiver: &Receiver) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    receiver
        .seen()
        .iter()
        .map(|request| (text(&request.json()["event"]), text(&request.json()["incident"]["dedup_key"])))
        .collect()
}

fn pair(event: &str, key: &str) -> (String, String) {
    (format!("incident.{event}"), key.to_owned())
}

#[tokio::test]
async fn sinks_are_told_at_the_same_time() {
    let slow = || async { Receiver::deciding(|_| Way::Late(Duration::from_secs(2))).await };
    let (one, two) = (slow().await, slow().await);
    let said =
        send(&Shell::new(), &["--to", &one.url(), "--to", &two.url(), "--summary", "disk full", "--dedup-key", "disk"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "disk\n"), "{said:?}");
    assert_eq!(said.err.matches(": delivered").count(), 2, "{said:?}");
    let (first, second) = (one.seen()[0].at, two.seen()[0].at);
    let apart = first.max(second).duration_since(first.min(second));
    assert!(apart < Duration::from_secs(2), "the second waited for the first: {apart:?}");
}

#[tokio::test]
async fn one_sink_that_fails_is_not_fatal_to_the_others_but_shows() {
    let (well, refuses) = (Receiver::start().await, Receiver::deciding(|_| Way::status(403)).await);
    let line = ["--to", &refuses.url(), "--to", "http://127.0.0.1:1/dead", "--to", &well.url()];
    let said =
        send(&Shell::new(), &[line.as_slice(), &["--summary", "disk full", "--dedup-key", "disk", "--retries", "0"]].concat())
            .await;
    assert_eq!((said.code, said.out.as_str()), (1, "disk\n"), "{said:?}");
    assert_eq!(told(&well), [pair("triggered", "disk")]);
    assert!(said.err.contains(": refused: it answered 403") && said.err.contains("/dead: given up: 127.0.0.1"), "{said:?}");
    assert!(said.err.contains("error: not told: "), "{said:?}");
}

#[tokio::test]
async fn a_sink_in_trouble_is_tried_again_with_the_same_id() {
    let mut failures = 2;
    let receiver = Receiver::deciding(move |_| {
        failures -= 1;
        if failures >= 0 { Way::status(503) } else { Way::status(200) }
    })
    .await;
    let said = send(&Shell::new(), &["--to", &receiver.url(), "--summary", "disk full"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let seen = receiver.seen();
    assert!(seen.len() == 3 && seen.iter().all(|request| request.id() == seen[0].id() && request.body == seen[0].body));
}

#[tokio::test]
async fn severity_floor_leaves_out_what_is_beneath_it() {
    let (receiver, shell) = (Receiver::start().await, Shell::new());
    for (severity, key) in [("info", "a"), ("warning", "b"), ("critical", "c")] {
        let line = [
            "--to",
            &receiver.url(),
            "--summary",
            "x",
            "--severity",
            severity,
            "--dedup-key",
            key,
            "--severity-floor",
            "warning",
        ];
        let said = send(&shell, &line).await;
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(said.err.contains("skipped: info is less severe than warning"), severity == "info", "{said:?}");
    }
    let said = send(&shell, &["resolve", "--to", &receiver.url(), "--dedup-key", "c", "--severity-floor", "critical"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(told(&receiver), [pair("triggered", "b"), pair("triggered", "c"), pair("resolved", "c")]);
}

#[tokio::test]
async fn dedupe_leaves_out_repeats_over_runs_and_for_each_sink_by_itself() {
    let (one, two, shell) = (Receiver::start().await, Receiver::start().await, Shell::new());
    two.now(|_| Way::status(400));
    let run = async |action: &str| {
        let line = ["--to", &one.url(), "--to", &two.url(), "--dedupe", "5m", "--summary", "disk full", "--dedup-key", "disk"];
        send(&shell, &[&[action], line.as_slice()].concat()).await
    };
    assert_eq!(run("trigger").await.code, 1);
    two.now(|_| Way::status(200));
    let said = run("trigger").await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((said.err.matches("skipped").count(), said.err.matches("delivered").count()), (1, 1), "{said:?}");
    assert_eq!(run("resolve").await.err.matches("delivered").count(), 2, "an end is no repeat");
    assert_eq!(run("resolve").await.err.matches("skipped").count(), 2);
    assert_eq!(told(&one), [pair("triggered", "disk"), pair("resolved", "disk")]);
    assert_eq!(two.count(), 3);
    let state = std::fs::read_to_string(shell.path(".local/state/callbox/send.json")).unwrap();
    assert!(!state.contains("127.0.0.1") && !state.contains("disk"), "{state}");
    // A file of another name knows nothing of this one.
    let line = ["--to", &one.url(), "--dedupe", "5m", "--state", "here.json", "--summary", "x", "--dedup-key", "disk"];
    assert!(send(&shell, &line).await.err.contains("delivered"));
    assert!(shell.path("here.json").exists());
}

#[tokio::test]
async fn dry_run_prints_the_very_request_and_sends_nothing() {
    let (receiver, shell) = (Receiver::start().await, Shell::new());
    let key = "0123456789abcdef0123456789abcdef";
    secrets::remember(key);
    std::fs::write(shell.path("slack"), "slack://T0123/B0123/hush-hush\n").unwrap();
    let shell = shell.with("PAGER", &format!("pagerduty://{key}"));
    let sinks = ["--to", &receiver.url(), "--to", "@slack", "--to", "env:PAGER"];
    let event =
        ["--summary", "disk \"full\"", "--severity", "critical", "--dedup-key", "disk", "--detail", "host=db1", "--dedupe", "5m"];
    let said = send(&shell, &[&sinks, event.as_slice(), &["--dry-run"]].concat()).await;
    assert_eq!((said.code, receiver.count()), (0, 0), "{said:?}");
    assert!(!shell.path(".local/state/callbox/send.json").exists(), "nothing was told");
    for part in [
        &format!("POST {}\n", receiver.url()),
        "POST https://hooks.slack.com/services/T0123/B0123/***\n",
        "POST https://events.pagerduty.com/v2/enqueue\n",
        "content-type: application/json\n",
    ] {
        assert!(said.out.contains(part), "{part} is not in {}", said.out);
    }
    assert!(!format!("{said:?}").contains("hush-hush") && !format!("{said:?}").contains(key), "{said:?}");
    let bodies: Vec<Value> = said.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(bodies.len(), 3, "{}", said.out);
    let printed = bodies.iter().find(|body| body["event"] == "incident.triggered").unwrap();
    // What goes out without --dry-run is that, but for the time.
    let sent = send(&shell, &[&["--to", &receiver.url()], event.as_slice()].concat()).await;
    assert_eq!(sent.code, 0, "{sent:?}");
    let timeless = |body: &Value| {
        let mut body = body.clone();
        for (part, name) in [("", "timestamp"), ("/incident", "first_seen"), ("/incident", "last_seen")] {
            body.pointer_mut(part).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        }
        body
    };
    assert_eq!(timeless(&receiver.seen()[0].json()), timeless(printed));
    let line = send(&shell, &["--output", "json", "--to", "@slack", "--summary", "x", "--dry-run"]).await;
    let line: Value = serde_json::from_str(&line.out).unwrap();
    assert_eq!((&line["result"], &line["kind"]), (&json!("dry_run"), &json!("slack")));
}

/// kerno runs on; so does this, on what comes in.
#[tokio::test]
async fn a_stream_of_events_is_told_as_it_comes_and_a_dead_sink_holds_up_nobody() {
    let (well, shell) = (Receiver::start().await, Shell::new());
    let line = [
        "send",
        "--to",
        "http://127.0.0.1:1/dead",
        "--to",
        &well.url(),
        "--events",
        "-",
        "--dedupe",
        "5m",
        "--severity-floor",
        "warning",
        "--retries",
        "1",
    ];
    let mut command = shell.command(&program(), &line);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut events = child.stdin.take().unwrap();
    let mut say = |action: &str, key: &str, severity: &str| {
        let body =
            json!({"event_action": action, "dedup_key": key, "payload": {"summary": "x", "source": "db1", "severity": severity}});
        writeln!(events, "{body}").unwrap();
    };
    for (action, key, severity) in [
        ("trigger", "a", "error"),
        ("trigger", "a", "error"),
        ("trigger", "b", "info"),
        ("trigger", "c", "warning"),
        ("resolve", "a", "error"),
    ] {
        say(action, key, severity);
    }
    // While the input stays open, and the dead one is still tried.
    well.wait(3).await;
    assert_eq!(told(&well), [pair("triggered", "a"), pair("triggered", "c"), pair("resolved", "a")]);
    assert!(child.try_wait().unwrap().is_none());
    writeln!(events, "no event").unwrap();
    drop(events);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("line 6 is left out: not JSON") && said.contains("1 line was no event; not told: "), "{said}");
    assert_eq!(well.count(), 3);
}

/// PagerDuty as kerno told it: by the Events API, over TLS, one incident from its trigger to its end.
#[tokio::test]
async fn a_whole_life_is_told_to_what_speaks_pagerduty() {
    let authority = Authority::new();
    let far = authority.start(&Database::sqlite()).await;
    let there = far.api().integration("events", "kerno").await;
    let shell = Shell::new().with("SSL_CERT_FILE", authority.certificate().to_str().unwrap());
    let shell = shell.with("PAGER", &format!("pagerduty://{}@{}", there.key, far.address()));
    for (action, status) in [("trigger", "triggered"), ("acknowledge", "acknowledged"), ("resolve", "resolved")] {
        let said = send(&shell, &[action, "--to", "env:PAGER", "--summary", "disk full", "--dedup-key", "disk/db1"]).await;
        assert_eq!(said.code, 0, "{said:?}");
        eventually(async || match far.api().incidents(&there).await.as_slice() {
            [incident] if incident["status"] == status && incident["title"] == "disk full" => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
}
