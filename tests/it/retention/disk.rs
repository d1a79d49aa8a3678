//! A small disk that would be full long before the end of the test.

use serde_json::{Value, json};

use super::metric;
use crate::support::api::event;
use crate::support::callbox::Options;
use crate::support::disk::SmallDisk;
use crate::support::{Callbox, Database, eventually};

/// The size of the disk, as mount(8) reads it.
const SIZE: &str = "256m";
/// Bytes of a body, and how many are posted: together more than the disk holds.
const BODY: usize = 400_000;
const BODIES: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_disk_loses_old_bodies_and_no_alert() {
    let Some(disk) = SmallDisk::mount(SIZE) else { return };
    let database = Database::sqlite_in(disk.path());
    // So low that the disk stays above it, whatever is dropped: what it says can be seen at leisure.
    let environment = vec![("CALLBOX_RETENTION_DISK_HIGH_WATER".to_owned(), "1%".to_owned())];
    let service = Callbox::start_with(&database, Options { environment, ..Options::default() }).await;
    let api = service.api();
    let integration = api.integration("events", "on a small disk").await;
    let mut body = event(&integration.key, "trigger", "open", "a large body");
    body["payload"]["custom_details"] = json!({"log": "x".repeat(BODY)});
    let first = api.send("/v2/enqueue", &body).await;
    let mut said = false;
    for n in 0..BODIES {
        body["dedup_key"] = json!(format!("k-{}", n % 10));
        let answer = api.send("/v2/enqueue", &body).await;
        assert_eq!(answer.status, 202, "after {n} bodies: {}", answer.body);
        if n % 20 == 0 {
            let ready = api.get("/readyz").await;
            assert_eq!((ready.status, &ready.body["status"]), (200, &json!("ready")));
            said |= ready.body["disk"].as_str().is_some_and(|disk| disk.starts_with("above high water"));
        }
    }
    assert!(said, "/readyz never said that the disk is above its mark");
    let verbose = api.get("/readyz?verbose").await.body;
    assert!(verbose["checks"]["disk_room_bytes"].as_u64().is_some_and(|room| room > 0), "{verbose}");

    // Every incident and every row of the ledger is there; the oldest body is not, and says so.
    assert_eq!(api.incidents(&integration).await.len(), 11);
    assert_eq!(api.requests(&integration).await.len(), BODIES + 1);
    let path = format!("/api/v1/requests/{}", first.request_id());
    let row = api.get(&path).await.body;
    assert_eq!((&row["body"], &row["verdict"]), (&Value::Null, &json!("accepted")));
    assert!(row["body_dropped_at"].is_string(), "{row}");
    let replay = api.post(&format!("{path}/replay"), &json!({})).await;
    assert_eq!((replay.status, &replay.body["error"]["code"]), (409, &json!("conflict")));
    assert!(replay.body["error"]["message"].as_str().unwrap().contains("dropped"), "{}", replay.body);
    let dropped = metric(&service, "callbox_retention_bodies_total").await as usize;
    assert!((100..=BODIES).contains(&dropped), "{dropped} bodies were dropped");
    // It is an incident about the service itself.
    eventually(async || {
        let incidents = api.all("/api/v1/incidents?dedup_key=store:disk").await;
        if incidents.len() == 1 { Ok(()) } else { Err(format!("{incidents:?}")) }
    })
    .await;
}
