//! Two processes on one PostgreSQL, and a PostgreSQL that goes away.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::api::event;
use crate::support::tool::repository;
use crate::support::{Api, Callbox, Database, eventually, skip};

/// How soon a change made through one process must hold in the other.
const SPREADS_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_creates_the_other_accepts_at_once() {
    let Some(database) = Database::postgres() else { return };
    let (first, second) = (Callbox::start(&database).await, Callbox::start(&database).await);
    for round in 0..5 {
        let integration = first.api().integration("alertmanager", &format!("shared {round}")).await;
        let answer = second.api().send("/v2/enqueue", &event(&integration.key, "trigger", "k", "by the key")).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let integration = first.api().integration("webhook", &format!("hooked {round}")).await;
        let answer = second.api().send(&integration.path, &json!({"summary": "by the hook"})).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert_eq!(first.api().incidents(&integration).await.len(), 1, "both see the same incidents");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_disables_or_rotates_the_other_refuses_soon() {
    let Some(database) = Database::postgres() else { return };
    let (first, second) = (Callbox::start(&database).await, Callbox::start(&database).await);
    let (api, other) = (first.api(), second.api());
    let body = json!({"summary": "is anybody there"});

    let integration = api.integration("webhook", "to be disabled").await;
    assert_eq!(other.send(&integration.path, &body).await.status, 202);
    let answer = api.patch(&format!("/api/v1/integrations/{}", integration.id), &json!({"enabled": false})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    becomes(&other, &integration.path, &body, 403).await;

    let integration = api.integration("events", "to be rotated").await;
    let old = event(&integration.key, "trigger", "k", "with the old key");
    assert_eq!(other.send("/v2/enqueue", &old).await.status, 202);
    let path = format!("/api/v1/integrations/{}/rotate", integration.id);
    let answer = api.post(&path, &json!({"what": "key", "overlap": "0s"})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let new = event(answer.text("key"), "trigger", "k", "with the new key");
    assert_eq!(other.send("/v2/enqueue", &new).await.status, 202, "the new key holds at once");
    becomes(&other, "/v2/enqueue", &old, 400).await;
}

/// Posts until the answer is `status`; fails when that takes longer than a change may take to spread.
async fn becomes(api: &Api, path: &str, body: &serde_json::Value, status: u16) {
    let start = Instant::now();
    eventually(async || {
        let answer = api.send(path, body).await;
        if answer.status == status { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    })
    .await;
    assert!(start.elapsed() < SPREADS_WITHIN, "took {:?}", start.elapsed());
}

/// Each event has one incident and each incident one number, however the two race.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_race_for_one_key() {
    let Some(database) = Database::postgres() else { return };
    let (first, second) = (Callbox::start(&database).await, Callbox::start(&database).await);
    let integration = first.api().integration("events", "raced for").await;
    let send = |api: Api| {
        let body = event(&integration.key, "trigger", "the one", "both say so");
        tokio::spawn(async move {
            for _ in 0..50 {
                let answer = api.send("/v2/enqueue", &body).await;
                assert_eq!(answer.status, 202, "{}", answer.body);
            }
        })
    };
    for sender in [first.api(), second.api(), first.api(), second.api()].map(send) {
        sender.await.unwrap();
    }
    let incidents = first.api().incidents(&integration).await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    assert_eq!(incidents[0]["event_count"], 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_gone_is_503_and_never_a_refusal() {
    if std::env::var_os("CALLBOX_TEST_POSTGRES").is_none() {
        return skip("no PostgreSQL for the tests (scripts/test provides it)");
    }
    let cluster = Cluster::start();
    let database = Database::postgres_on(&cluster.url);
    let service = Callbox::start(&database).await;
    let api = service.api();
    let native = api.integration("webhook", "native").await;
    let events = api.integration("events", "events").await;
    assert_eq!(api.send("/v2/enqueue", &event(&events.key, "trigger", "k", "before")).await.status, 202);

    cluster.run("pause");
    let unknown = "0123456789abcdef0123456789abcdef";
    let start = Instant::now();
    // Through the moment in which the snapshot ages (5 s), known and unknown senders alike.
    while start.elapsed() < Duration::from_secs(7) {
        let asked = Instant::now();
        for (path, body) in [
            ("/v2/enqueue", event(&events.key, "trigger", "k", "while it is gone")),
            ("/v2/enqueue", event(unknown, "trigger", "k", "of nobody known")),
            (native.path.as_str(), json!({"summary": "while it is gone"})),
            ("/api/integrations/webhook?integrationId=nobodyknowsthishookatall00", json!({"summary": "of nobody known"})),
        ] {
            let answer = api.send(path, &body).await;
            assert_eq!(answer.status, 503, "{path}: {}", answer.body);
            let wait = answer.headers.get("retry-after").expect("503 says when to come again").to_str().unwrap();
            assert!(wait.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "Retry-After: {wait}");
            assert!(!answer.body.to_string().contains("127.0.0.1"), "the answer tells of the inside: {}", answer.body);
        }
        tokio::time::sleep(Duration::from_millis(200).saturating_sub(asked.elapsed())).await;
    }
    assert_eq!(api.get("/healthz").await.status, 200, "the process lives");
    assert_eq!(api.get("/readyz").await.status, 503, "but takes nothing");

    cluster.run("start");
    eventually(async || {
        let answer = api.send("/v2/enqueue", &event(&events.key, "trigger", "k", "after")).await;
        if answer.status == 202 { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    })
    .await;
    let incidents = api.incidents(&events).await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
}

/// A cluster of the test's own, which it may stop. Removed when dropped.
struct Cluster {
    folder: TempDir,
    url: String,
}

impl Cluster {
    fn start() -> Self {
        let mut cluster = Self { folder: TempDir::with_prefix("callbox-cluster-").unwrap(), url: String::new() };
        let output = cluster.run("start");
        cluster.url = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        cluster
    }

    fn run(&self, what: &str) -> Output {
        let script = repository().join("scripts/postgres");
        let output = Command::new(script).arg("--dir").arg(self.folder.path()).arg(what).output().unwrap();
        assert!(output.status.success(), "scripts/postgres {what}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.run("stop");
    }
}
