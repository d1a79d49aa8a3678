//! How a change of configuration is made: one transaction with its audit entry, then in memory before the answer.

use serde_json::Value;

use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::Caller;
use crate::store::audit::{self, Record};
use crate::store::{Conn, snapshot};
use crate::time::Timestamp;

/// Commits a change of configuration and makes this process serve it. `config_version` is raised first: its row is locked from
/// then on, so changes follow one another, and what one has checked still holds when it commits.
///
/// # Errors
/// What `work` says, or that it could not be committed. That the change is not yet in memory is no error: it is committed, and the
/// poll that runs every second brings it in.
pub async fn commit<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&mut Conn) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = app
        .committer
        .write(move |conn| {
            snapshot::bump(conn)?;
            work(conn)
        })
        .await?;
    if let Err(error) = app.directory.refresh().await {
        tracing::warn!(%error, "a configuration change is committed, and not yet in memory");
    }
    Ok(done)
}

/// Puts a change into the audit log: what was done (`service.created`) to which object, as it was and as it is, without secrets.
///
/// # Errors
/// The insert failed; the change must fail with it.
pub fn audited(
    conn: &mut Conn,
    caller: &Caller,
    (action, object_id): (&str, &str),
    (before, after): (Option<&Value>, Option<&Value>),
    now: Timestamp,
) -> Result<(), ApiError> {
    let object_type = action.split('.').next().unwrap_or(action);
    let record = Record { tenant_id: &caller.tenant_id, actor: &caller.name, action, object_type, object_id, before, after };
    Ok(audit::record(conn, &record, now)?)
}
