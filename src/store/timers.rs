//! Which open incidents have a timer that has run out, or will next.

use diesel::prelude::*;

use super::numbered::IncidentId;
use super::schema::incidents;
use super::{Conn, Result};
use crate::id;
use crate::time::Timestamp;

/// An open incident, as timers see it.
#[derive(Queryable, Debug)]
pub struct Ticking {
    /// Its id.
    #[diesel(deserialize_as = IncidentId)]
    pub id: String,
    /// Its integration, whose timers count.
    pub integration_id: String,
    /// Its key.
    pub dedup_key: String,
    /// `triggered` or `acknowledged`.
    pub status: String,
    /// When the newest trigger was received.
    pub last_seen: i64,
    /// When it was acknowledged.
    pub acknowledged_at: Option<i64>,
    /// When it counts as over unless repeated.
    pub expires_at: Option<i64>,
    /// When it was last reminded of.
    pub reminded_at: Option<i64>,
}

/// The open incidents after the id `after`, in the order of their ids, at most `limit`.
///
/// # Errors
/// The query failed.
pub fn open_after(conn: &mut Conn, tenant_id: &str, after: &str, limit: i64) -> Result<Vec<Ticking>> {
    Ok(incidents::table
        .filter(incidents::tenant_id.eq(tenant_id))
        .filter(incidents::open_key.is_not_null())
        .filter(incidents::id.gt(id::number(after)))
        .order(incidents::id)
        .limit(limit)
        .select((
            incidents::id,
            incidents::integration_id,
            incidents::dedup_key,
            incidents::status,
            incidents::last_seen,
            incidents::acknowledged_at,
            incidents::expires_at,
            incidents::reminded_at,
        ))
        .load(conn)?)
}

/// The database's clock on PostgreSQL, by which nodes agree on timers; `None` on SQLite, whose clock is the process's.
///
/// # Errors
/// The query failed.
pub fn database_now(conn: &mut Conn) -> Result<Option<Timestamp>> {
    let Conn::Pg(conn) = conn else { return Ok(None) };
    let micros: i64 = diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>(
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    ))
    .get_result(conn)?;
    Ok(Some(Timestamp(micros)))
}
