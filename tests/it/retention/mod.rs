//! Retention, met from outside: old rows go beside ingest, what is needed stays, and a small disk does not fill up.

mod cost;
mod disk;
mod old;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::event;
use crate::support::callbox::STOP_WITHIN;
use crate::support::{Api, Callbox, Database, eventually};

on_both!(ingest_is_answered_while_a_large_delete_runs, what_is_old_goes_and_what_an_open_incident_stands_on_stays);

/// Requests that are planted, each with an event of its own.
const OLD_ROWS: i64 = 40_000;
/// The longest that a request may take meanwhile; on a loaded machine in a build for development.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The value of a metric, summed over its labels.
async fn metric(service: &Callbox, name: &str) -> f64 {
    let page = reqwest::get(format!("{}/metrics", service.base())).await.unwrap().text().await.unwrap();
    let lines = page.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

async fn ingest_is_answered_while_a_large_delete_runs(database: Database) {
    drop(Callbox::start(&database).await);
    old::plant(&database, OLD_ROWS, 100, 500);
    let service = Callbox::start(&database).await;
    let integration = service.api().integration("events", "beside a delete").await;
    let removed = async || metric(&service, "callbox_retention_rows_total").await as i64;
    let begun = removed().await;
    assert!(begun < OLD_ROWS, "{begun} rows are gone already");
    let mut slowest = Duration::ZERO;
    for n in 0..300 {
        let sent = Instant::now();
        let answer = service.api().send("/v2/enqueue", &event(&integration.key, "trigger", &format!("k-{n}"), "now")).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        slowest = slowest.max(sent.elapsed());
    }
    assert!(slowest < ANSWER_WITHIN, "the slowest took {slowest:?}");
    let meanwhile = removed().await;
    assert!(meanwhile > begun, "nothing was removed meanwhile");

    // It stops when it is told to, in the middle of it, and the next start goes on.
    let told = Instant::now();
    service.terminate();
    let (status, log) = service.wait().await;
    assert!(status.success() && told.elapsed() < STOP_WITHIN, "{status} after {:?}", told.elapsed());
    assert!(!log.contains("retention could not go on"), "{log}");
    let service = Callbox::start(&database).await;
    eventually(async || match rows_of(&service.api()).await {
        (300, 300) => Ok(()),
        left => Err(format!("{left:?} requests and events are left")),
    })
    .await;
    assert_eq!(service.api().incidents(&integration).await.len(), 300);
}

/// Requests and events that the API lists.
async fn rows_of(api: &Api) -> (usize, usize) {
    let mut counts = [0, 0];
    for (list, count) in ["requests", "events"].iter().zip(&mut counts) {
        let mut cursor = String::new();
        loop {
            let page = api.get(&format!("/api/v1/{list}?limit=500{cursor}")).await;
            assert_eq!(page.status, 200, "reading beside a delete: {}", page.body);
            *count += page.body["items"].as_array().unwrap().len();
            // As many as are looked for; the rest is not worth the time.
            let Some(next) = page.body["next"].as_str().filter(|_| *count < 1000) else { break };
            cursor = format!("&cursor={next}");
        }
    }
    (counts[0], counts[1])
}

async fn what_is_old_goes_and_what_an_open_incident_stands_on_stays(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let integration = api.integration("events", "long ago").await;
    let send = async |api: &Api, action: &str, key: &str| {
        let answer = api.send("/v2/enqueue", &event(&integration.key, action, key, key)).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.request_id().to_owned()
    };
    let mut kept = Vec::new();
    for key in ["open", "over", "again", "open", "open"] {
        let id = send(&api, "trigger", key).await;
        kept.extend((key == "open").then_some(id));
    }
    for key in ["over", "again"] {
        send(&api, "resolve", key).await;
    }
    kept.push(send(&api, "trigger", "again").await);
    let incidents = api.incidents(&integration).await;
    let find = |key: &str, status: &str| -> Value {
        incidents.iter().find(|one| one["dedup_key"] == key && one["status"] == status).unwrap().clone()
    };
    let (open, over) = (find("open", "triggered"), find("over", "resolved"));
    let (again, before) = (find("again", "triggered"), find("again", "resolved"));
    assert_eq!(again["previous_incident_id"], before["id"]);
    service.terminate();
    service.wait().await;

    old::age(&database, 400);
    // Whatever waits for delivery lets go of it too.
    let service = Callbox::start(&database).await;
    let api = service.api();
    let at = |id: &Value| format!("/api/v1/incidents/{}", old::aged(id.as_str().unwrap(), 400));
    eventually(async || match api.get(&at(&over["id"])).await.status {
        404 => Ok(()),
        status => Err(format!("{status}: what was resolved long ago is still there")),
    })
    .await;
    eventually(async || match rows_of(&api).await {
        (4, 4) => Ok(()),
        left => Err(format!("{left:?} requests and events are left")),
    })
    .await;
    let shown = api.get(&at(&open["id"])).await;
    assert_eq!((&shown.body["status"], &shown.body["event_count"]), (&json!("triggered"), &json!(3)));
    let timeline = api.get(&format!("{}/events", at(&open["id"]))).await;
    assert_eq!(timeline.body["items"].as_array().unwrap().len(), 3, "{}", timeline.body);
    for id in kept {
        let request = api.get(&format!("/api/v1/requests/{}", old::aged(&id, 400))).await;
        assert!(request.body["body"].as_str().is_some_and(|body| body.contains("trigger")), "{}", request.body);
    }
    assert_eq!(
        api.get(&at(&again["id"])).await.body["previous_incident_id"],
        json!(old::aged(before["id"].as_str().unwrap(), 400))
    );
    assert_eq!(api.get(&at(&before["id"])).await.status, 200, "the one before an open one stays");
    assert_eq!(api.get(&format!("{}/events", at(&before["id"]))).await.body["items"], json!([]), "without its events");

    // Life goes on where it stood.
    let answer = api.post(&format!("{}/resolve", at(&open["id"])), &json!({})).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("resolved")));
    send(&api, "trigger", "over").await;
    let newest = api.incidents(&integration).await;
    let newest = newest.iter().find(|one| one["dedup_key"] == "over").unwrap();
    assert_eq!(newest["previous_incident_id"], Value::Null, "it names none that is gone");
    assert!(newest["number"].as_i64() > again["number"].as_i64());
}
