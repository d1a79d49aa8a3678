//! H3 to H5: a clock that jumps, and a database that is busy, full or gone.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use callbox::app::Running;
use callbox::config::{Config, Flags};
use callbox::time::{Clock, Timestamp};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::support::api::event;
use crate::support::callbox::{ADMIN_TOKEN, MASTER_KEY, program};
use crate::support::{Api, eventually, secrets};

on_both!(h3_a_clock_that_jumps_blocks_nothing, h4_a_database_that_is_busy_is_503_and_recovers);

/// Runs statements on the service's database beside it.
pub fn execute(database: &Database, sql: &str) {
    match database.file() {
        Some(file) => SqliteConnection::establish(&file.display().to_string()).unwrap().batch_execute(sql).unwrap(),
        None => PgConnection::establish(database.url()).unwrap().batch_execute(sql).unwrap(),
    }
}

/// A service in this process, whose clock is ours.
async fn in_process(database: &Database, clock: Clock) -> (Running, Api) {
    secrets::remember(ADMIN_TOKEN);
    let environment = [
        ("CALLBOX_DATABASE", database.url()),
        ("CALLBOX_LISTEN", "127.0.0.1:0"),
        ("CALLBOX_ADMIN_TOKEN", ADMIN_TOKEN),
        ("CALLBOX_MASTER_KEY", MASTER_KEY),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::load(None, environment.into_iter(), &Flags::default()).unwrap();
    let running = callbox::app::start(config, clock).await.unwrap();
    let api = Api::new(&format!("http://{}", running.address), ADMIN_TOKEN, None);
    (running, api)
}

async fn h3_a_clock_that_jumps_blocks_nothing(database: Database) {
    let clock = Clock::manual(Timestamp::parse("2026-03-01T12:00:00Z").unwrap().at);
    let (running, api) = in_process(&database, clock.clone()).await;
    let secret = "the secret of a clock that jumps";
    let fields = json!({"type": "events", "name": "timed", "auto_resolve_after": "2h", "rate_limit_per_minute": 100});
    let timed = api.integration_from(fields).await;
    let fields = json!({"type": "grafana", "name": "signed with time", "signature_secret": secret,
        "options": {"timestampHeader": "X-Grafana-Alerting-Timestamp"}});
    let signed = api.integration_from(fields).await;
    let send = async |action: &str, key: &str| api.send(V2, &event(&timed.key, action, key, "s")).await.status;
    let sign = async || {
        let (time, body) = (clock.now().seconds().to_string(), br#"{"alerts": []}"#);
        let signature = super::signatures::hmac(secret, &[time.as_bytes(), b":", body]);
        let headers = [("X-Grafana-Alerting-Signature", &*signature), ("X-Grafana-Alerting-Timestamp", &time)];
        post(&running.address.to_string(), "192.0.2.73", native(&signed), &headers, body).await.status
    };
    assert_eq!((send("trigger", "before").await, sign().await), (202, 202));
    for (jump, hours) in [("back 1 h", -1), ("forward 1 day", 24), ("back 1 day", -24)] {
        clock.advance(hours * 3600);
        assert_eq!(sign().await, 202, "{jump}: what is signed now is new");
        for _ in 0..10 {
            assert_eq!(send("trigger", jump).await, 202, "{jump}");
        }
        let open = |incident: &Value| incident["dedup_key"] == jump && incident["status"] != "resolved";
        assert!(api.incidents(&timed).await.iter().any(open), "{jump}: it opens");
        if hours == 24 {
            // Two hours and more have passed for the first one, and for none that is new.
            eventually(async || {
                let incidents = api.incidents(&timed).await;
                let first = incidents.iter().find(|incident| incident["dedup_key"] == "before").unwrap();
                if first["status"] == "resolved" { Ok(()) } else { Err(format!("{first}")) }
            })
            .await;
        }
        let limited = (0..200).map(|_| send("acknowledge", "nothing"));
        let mut refused = 0;
        for status in limited {
            refused += usize::from(status.await == 429);
        }
        assert!(refused > 0, "{jump}: the limit holds");
        // A minute of the limiter's own clock is too long to wait for; a new setting starts a new one.
        let limit = json!({"rate_limit_per_minute": 100 + refused % 7 + 1 + hours.unsigned_abs() as usize});
        assert_eq!(api.patch(&format!("/api/v1/integrations/{}", timed.id), &limit).await.status, 200);
        assert_eq!(api.get("/readyz").await.status, 200, "{jump}");
    }
    // After all of it the timers still run.
    clock.advance(50 * 3600);
    eventually(async || match api.incidents(&timed).await.iter().find(|incident| incident["status"] != "resolved") {
        None => Ok(()),
        Some(open) => Err(format!("still open: {open}")),
    })
    .await;
    running.stop().await;
}

async fn h4_a_database_that_is_busy_is_503_and_recovers(database: Database) {
    let promised = [("CALLBOX_LIMITS_ANSWER_WITHIN", "800ms"), ("CALLBOX_LIMITS_MAX_WAIT", "5s")];
    let environment = promised.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let service = Callbox::start_with(&database, Options { environment, ..Options::default() }).await;
    let api = service.api();
    let integration = api.integration("events", "while it is busy").await;
    let send = async |key: String| {
        let begun = Instant::now();
        let answer = api.send(V2, &event(&integration.key, "trigger", &key, "s")).await;
        (answer, begun.elapsed())
    };
    assert_eq!(send("before".into()).await.0.status, 202);
    // Somebody else holds the one lock that every write needs, for longer than anything here waits.
    let held = hold(&database);
    let many = (0..64).map(|n| send(format!("during {n}")));
    for (answer, took) in futures_util::future::join_all(many).await {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (answer, took) = send("still during".into()).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(took < Duration::from_secs(3), "{took:?}");
    drop(held);
    eventually(async || match send("after".into()).await.0 {
        answer if answer.status == 202 => Ok(()),
        answer => Err(answer.body.to_string()),
    })
    .await;
    assert_whole(&api, &integration).await;
}

/// A connection that keeps others from writing until it is dropped.
enum Held {
    Sqlite { _connection: SqliteConnection },
    Postgres { _connection: PgConnection },
}

fn hold(database: &Database) -> Held {
    match database.file() {
        Some(file) => {
            let mut connection = SqliteConnection::establish(&file.display().to_string()).unwrap();
            connection.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").unwrap();
            Held::Sqlite { _connection: connection }
        }
        None => {
            let mut connection = PgConnection::establish(database.url()).unwrap();
            connection.batch_execute("BEGIN; LOCK TABLE incidents, events, requests IN EXCLUSIVE MODE").unwrap();
            Held::Postgres { _connection: connection }
        }
    }
}

/// Nothing is half written: each event has its incident and its request, and each incident its events.
async fn assert_whole(api: &Api, integration: &Integration) {
    let (events, incidents) = (api.events(integration).await, api.incidents(integration).await);
    let ids = |list: &[Value], name: &str| list.iter().map(|item| item[name].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&events, "incident_id"), ids(&incidents, "id"));
    let counted: u64 = incidents.iter().map(|incident| incident["event_count"].as_u64().unwrap()).sum();
    assert_eq!(counted, events.len() as u64);
    assert!(ids(&events, "request_id").is_subset(&ids(&api.requests(integration).await, "id")));
}

/// Connections are cut in the middle of transactions while senders go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_postgres_cut_in_the_middle_loses_nothing_it_promised() {
    let Some(database) = Database::postgres() else { return };
    let service = Callbox::start(&database).await;
    let api = service.api();
    let integration = api.integration("events", "cut off").await;
    let until = Instant::now() + Duration::from_secs(3);
    let sender = |sender: usize| {
        let (api, key) = (api.clone(), integration.key.clone());
        tokio::spawn(async move {
            let (mut promised, mut refused) = (Vec::new(), 0);
            for n in 0.. {
                if Instant::now() > until {
                    break;
                }
                let dedup_key = format!("{sender} {n}");
                let answer = api.send(V2, &event(&key, "trigger", &dedup_key, "s")).await;
                match answer.status {
                    202 => promised.push(dedup_key),
                    503 => refused += 1,
                    status => panic!("{status}: {}", answer.body),
                }
            }
            (promised, refused)
        })
    };
    let senders: Vec<_> = (0..8).map(sender).collect();
    while Instant::now() < until {
        execute(
            &database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let (mut promised, mut refused) = (BTreeSet::new(), 0);
    for sender in senders {
        let (keys, failed) = sender.await.unwrap();
        promised.extend(keys);
        refused += failed;
    }
    assert!(!promised.is_empty() && refused > 0, "{} promised, {refused} refused", promised.len());
    eventually(async || match api.send(V2, &event(&integration.key, "trigger", "after", "s")).await {
        answer if answer.status == 202 => Ok(()),
        answer => Err(answer.body.to_string()),
    })
    .await;
    let stored: BTreeSet<String> =
        api.incidents(&integration).await.iter().map(|incident| incident["dedup_key"].as_str().unwrap().to_owned()).collect();
    let lost: Vec<_> = promised.difference(&stored).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_whole(&api, &integration).await;
}

/// The file may grow no more, as on a full disk, under 256 senders that wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h5_a_full_disk_is_503_for_everybody_and_recovers_without_restart() {
    let database = Database::sqlite();
    let folder = TempDir::new().unwrap();
    let (mut child, address) = with_signals_ignored(&database, &folder);
    let api = Api::new(&format!("http://{address}"), ADMIN_TOKEN, None);
    eventually(async || match api.try_get("/readyz").await {
        Ok(answer) if answer.status == 200 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let integration = api.integration("events", "on a full disk").await;
    let send = async |key: String| {
        let begun = Instant::now();
        let answer = api.send(V2, &event(&integration.key, "trigger", &key, &"s".repeat(1000))).await;
        (answer.status, begun.elapsed())
    };
    assert_eq!(send("before".into()).await.0, 202);
    let limit = |bytes: &str| {
        let set = Command::new("prlimit").args(["--pid", &child.id().to_string(), &format!("--fsize={bytes}:")]).status();
        assert!(set.unwrap().success());
    };
    limit("4096");
    let answers = futures_util::future::join_all((0..256).map(|n| send(format!("while it is full {n}")))).await;
    for (status, took) in answers {
        assert_eq!(status, 503);
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    assert_eq!(api.get("/healthz").await.status, 200);
    assert_eq!(api.get("/readyz").await.status, 503, "it says that it takes nothing");
    limit("unlimited");
    eventually(async || match send("after".into()).await.0 {
        202 => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    let keys: Vec<_> = api.incidents(&integration).await.iter().map(|incident| incident["dedup_key"].clone()).collect();
    assert_eq!(keys, ["after", "before"]);
    assert_whole(&api, &integration).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts the service so that a write beyond a limit fails, as it does on a full disk, instead of ending the process by SIGXFSZ.
fn with_signals_ignored(database: &Database, folder: &TempDir) -> (std::process::Child, String) {
    use std::io::BufRead as _;
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(program())
        .args(["serve", "--listen", "127.0.0.1:0", "--database", database.url()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs([("CALLBOX_ADMIN_TOKEN", ADMIN_TOKEN), ("CALLBOX_MASTER_KEY", MASTER_KEY)])
        .current_dir(folder.path())
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.by_ref().find_map(|line| {
        let line: Value = serde_json::from_str(&line).ok()?;
        (line["message"] == "listening").then(|| line["address"].as_str().map(str::to_owned))?
    });
    // Read on, so that it never waits for a reader of its log.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address.expect("it says where it listens"))
}
