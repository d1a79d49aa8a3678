//! Other people's software against the service: what it really sends, and what it makes of our answers.
//!
//! Installed by `scripts/setup-tests`; a test whose tool is missing is skipped loudly, and fails under `CI=true`.

mod alertmanager;
mod clients;
mod prometheus;

use serde_json::Value;

use crate::support::{Api, Integration, eventually};

/// Waits until the integration has `count` incidents of `status` and no other, and returns them.
async fn incidents_become(api: &Api, integration: &Integration, status: &str, count: usize) -> Vec<Value> {
    eventually(async || {
        let incidents = api.incidents(integration).await;
        let fits = incidents.len() == count && incidents.iter().all(|incident| incident["status"] == status);
        if fits { Ok(incidents) } else { Err(format!("expected {count} {status}, have {incidents:#?}")) }
    })
    .await
}
