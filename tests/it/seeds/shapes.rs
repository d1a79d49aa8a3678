//! Receivers that were written for one of the five understand Callbox by the templates that are named after them. The receiver here is
//! another Callbox, by its integration for that system: what it makes of the body it would make of the system's own.

use serde_json::json;

use crate::delivery::{destination_from, send, sender, start};
use crate::support::{Database, eventually};

on_both!(what_reads_opsknight_reads_callbox, what_reads_exosphere_reads_callbox, what_reads_pilot_reads_callbox);
on_both!(what_reads_coroot_reads_callbox);

async fn what_reads_opsknight_reads_callbox(database: Database) {
    chain(&database, "opsknight", "disk is in trouble").await;
}

async fn what_reads_exosphere_reads_callbox(database: Database) {
    chain(&database, "exosphere", "disk is in trouble").await;
}

async fn what_reads_pilot_reads_callbox(database: Database) {
    // Its events have no text of their own.
    chain(&database, "pilot", "node.deregistered").await;
}

async fn what_reads_coroot_reads_callbox(database: Database) {
    chain(&database, "coroot", "disk is in trouble").await;
}

/// An incident here is one there, from its page to its end, whose title says `says`.
async fn chain(database: &Database, system: &str, says: &str) {
    let far = start(&Database::sqlite()).await;
    let there = far.api().integration(system, system).await;
    let near = start(database).await;
    let url = format!("{}{}", far.base(), there.path);
    destination_from(&near, json!({"name": "far", "kind": "webhook", "url": url, "templates": {"incident": {"name": system}}}))
        .await;
    let tool = sender(&near).await;
    for (action, status) in [("trigger", "triggered"), ("resolve", "resolved")] {
        send(&near, &tool, action, "disk").await;
        eventually(async || match far.api().incidents(&there).await.as_slice() {
            [incident] if incident["status"] == status => Ok(()),
            other => Err(format!("not one that is {status}: {other:?}")),
        })
        .await;
    }
    let incidents = far.api().incidents(&there).await;
    let title = incidents[0]["title"].as_str().unwrap();
    assert!(title.contains(says), "{title}");
    assert!(!incidents[0]["dedup_key"].as_str().unwrap().starts_with("unmapped:"), "{incidents:?}");
}
