//! A disk that fills up under load, on a small file system of the test's own.

use std::time::{Duration, Instant};

use crate::support::api::event;
use crate::support::disk::SmallDisk;
use crate::support::{Api, Callbox, Database, eventually};

/// Requests that wait at once.
const CALLERS: usize = 256;
/// How often they do before one of them is refused as a whole.
const WAVES: usize = 50;
/// Senders while the disk fills up.
const LOADERS: usize = 8;
/// The size of the file system, as mount(8) reads it.
const SIZE: &str = "24m";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_answers_503_at_once_and_recovers_without_a_restart() {
    let Some(disk) = SmallDisk::mount(SIZE) else { return };
    let database = Database::sqlite_in(disk.path());
    let service = Callbox::start(&database).await;
    let integration = service.api().integration("events", "on a small disk").await;
    assert_eq!(call(&service.api(), &integration.key, "before").await.0, 202);

    let loaders: Vec<_> = (0..LOADERS).map(|number| tokio::spawn(load(service.api(), integration.key.clone(), number))).collect();
    let filler = disk.fill();
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for loader in loaders {
        accepted.extend(loader.await.unwrap());
    }
    // The log of SQLite has room left in its pages: what that still takes is accepted, and stored. Then nothing is.
    for wave in 0.. {
        assert!(wave < WAVES, "a full disk takes more and more");
        let answers = callers(&service.api(), &integration.key, wave).await;
        let all = answers.iter().all(|(_, status)| *status == 503);
        for (dedup_key, status) in answers {
            if status == 503 { refused.push(dedup_key) } else { accepted.push(dedup_key) }
        }
        if all {
            break;
        }
    }

    std::fs::remove_file(filler).unwrap();
    eventually(async || match call(&service.api(), &integration.key, "after").await.0 {
        202 => Ok(()),
        status => Err(format!("{status} with room on the disk")),
    })
    .await;
    let stored = service.api().incidents(&integration).await;
    let has = |key: &str| stored.iter().any(|incident| incident["dedup_key"] == key);
    assert!(has("before") && has("after"));
    assert!(accepted.iter().all(|key| has(key)), "202 and not stored");
    assert!(refused.len() >= CALLERS && !refused.iter().any(|key| has(key)), "503 and stored");
}

/// Posts of many at once; the key of each and its status, which is 202 or 503 and does not keep them waiting.
async fn callers(api: &Api, key: &str, wave: usize) -> Vec<(String, u16)> {
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (api, key, dedup_key) = (api.clone(), key.to_owned(), format!("full-{wave}-{number}"));
            tokio::spawn(async move { (call(&api, &key, &dedup_key).await, dedup_key) })
        })
        .collect();
    let mut answers = Vec::new();
    for caller in callers {
        let ((status, after), dedup_key) = caller.await.unwrap();
        assert!([202, 503].contains(&status), "{status}");
        assert!(after < Duration::from_secs(10), "{status} after {after:?}");
        answers.push((dedup_key, status));
    }
    answers
}

/// Posts until it is answered 503; the keys that were answered 202.
async fn load(api: Api, key: String, number: usize) -> Vec<String> {
    let mut accepted = Vec::new();
    for turn in 0.. {
        let dedup_key = format!("load-{number}-{turn}");
        match call(&api, &key, &dedup_key).await.0 {
            202 => accepted.push(dedup_key),
            503 => break,
            status => panic!("{status} while the disk fills up"),
        }
    }
    accepted
}

/// Posts a trigger; the status and how long it took.
async fn call(api: &Api, key: &str, dedup_key: &str) -> (u16, Duration) {
    let begun = Instant::now();
    let answer = api.send("/v2/enqueue", &event(key, "trigger", dedup_key, "a disk fills up")).await;
    (answer.status, begun.elapsed())
}
