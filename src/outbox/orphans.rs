//! What is meant for a destination that is gone: a router that did not know of the deletion yet may have made it. Nobody has a lane for it,
//! so it is given up here.

use crate::app::App;
use crate::store::destinations;
use crate::store::{Conn, Result, StoreError};

/// Gives up what waits for those of these destinations that are deleted; others are new here, and will be known soon.
pub async fn give_up(app: &App, unknown: Vec<String>) {
    if unknown.is_empty() {
        return;
    }
    match swept(app, unknown).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "deliveries to destinations that are deleted were given up"),
        Err(error) => {
            app.metrics.store_error(error.class());
            tracing::warn!(%error, "what waits for deleted destinations could not be given up; again soon");
        }
    }
}

async fn swept(app: &App, unknown: Vec<String>) -> Result<usize> {
    let gone = app.store.read(move |conn| destinations::deleted(conn, &unknown)).await?;
    if gone.is_empty() {
        return Ok(0);
    }
    let now = app.clock.now();
    let work = move |conn: &mut Conn| {
        let mut count = 0;
        for (id, tenant_id) in &gone {
            count += destinations::drop_undelivered(conn, tenant_id, id, now)?;
        }
        Ok::<_, StoreError>(count)
    };
    app.committer.tidy(work).await
}
