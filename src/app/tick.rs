//! What happens every second: the configuration is confirmed, timers run out, lazy rows are written.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::App;
use crate::http::tls::Certificate;
use crate::ingest::own;
use crate::ingest::refusals::Unwritten;
use crate::ingest::snapshot::Snapshot;
use crate::ingest::timers;
use crate::store::{self, Conn, Result, StoreError};
use crate::time::Timestamp;

const EVERY: Duration = Duration::from_secs(1);
/// Last-used times are written this often: they are for people, and need not be exact.
const LAST_USED_EVERY: u32 = 10;

/// Ticks until it is dropped.
pub async fn tick(app: Arc<App>, certificate: Option<Arc<Certificate>>) {
    let mut round: u32 = 0;
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        round = round.wrapping_add(1);
        if let Some(certificate) = certificate.clone() {
            let _ = tokio::task::spawn_blocking(move || certificate.refresh()).await;
        }
        let version = app.directory.snapshot().version;
        if let Err(error) = app.directory.refresh().await {
            app.metrics.store_error(error.class());
            tracing::warn!(%error, "the configuration could not be confirmed");
            continue;
        }
        if app.directory.snapshot().version != version {
            app.timers.by(Timestamp(0));
        }
        if let Err(error) = timers::sweep(&app).await {
            tracing::warn!(%error, "timers could not be run; again in a second");
        }
        own::tick(&app);
        flush(&app, round.is_multiple_of(LAST_USED_EVERY)).await;
    }
}

/// Writes what was put off.
pub async fn flush(app: &Arc<App>, last_used: bool) {
    if let Some(unwritten) = app.refusals.take() {
        let counts = unwritten.counts();
        if let Err(error) = write_refusals(app, unwritten).await {
            tracing::warn!(%error, "refusals could not be counted in the store; again in a second");
            app.refusals.put_back(counts);
        }
    }
    if last_used {
        let snapshot = app.directory.snapshot();
        if let Err(error) = app.committer.write(move |conn| write_last_used(conn, &snapshot)).await {
            tracing::warn!(%error, "last-used times could not be written");
        }
    }
}

/// Looks into refusals where that disturbs nobody, and then writes them.
async fn write_refusals(app: &Arc<App>, mut unwritten: Unwritten) -> Result<()> {
    let sealer = app.sealer.clone();
    let unwritten = app
        .store
        .read(move |conn| {
            unwritten.look_into(conn, &sealer)?;
            Ok::<_, StoreError>(unwritten)
        })
        .await?;
    app.committer.write(move |conn| unwritten.write(conn)).await
}

fn write_last_used(conn: &mut Conn, snapshot: &Snapshot) -> Result<()> {
    for credential in snapshot.integrations.values().flat_map(|integration| &integration.credentials) {
        let at = credential.last_used.load(Ordering::Relaxed);
        if credential.last_used_written.swap(at, Ordering::Relaxed) != at {
            store::credentials::touch(conn, &credential.id, Timestamp(at))?;
        }
    }
    for token in snapshot.tokens.values() {
        let at = token.last_used.load(Ordering::Relaxed);
        if token.last_used_written.swap(at, Ordering::Relaxed) != at {
            store::tokens::touch(conn, &token.id, Timestamp(at))?;
        }
    }
    Ok(())
}
