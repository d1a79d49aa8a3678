//! What replays have done, and what a replay must know: which events of a request were made already, and which keys have newer news.

use std::collections::{HashMap, HashSet};

use diesel::dsl::max;
use diesel::prelude::*;

use super::events::Event;
use super::schema::{events, replays};
use super::{Conn, Result};
use crate::id;
use crate::time::Timestamp;

/// Keys that one query is asked for: SQLite binds 32,766 values at most.
const KEYS_AT_ONCE: usize = 5_000;

/// The marks of what replays of this request have done.
///
/// # Errors
/// The query failed.
pub fn marks(conn: &mut Conn, request_id: &str) -> Result<HashSet<String>> {
    let marks: Vec<String> =
        replays::table.filter(replays::request_id.eq(id::number(request_id))).select(replays::mark).load(conn)?;
    Ok(marks.into_iter().collect())
}

/// The events that replays of this request made, the oldest first.
///
/// # Errors
/// The query failed.
pub fn made(conn: &mut Conn, tenant_id: &str, request_id: &str) -> Result<Vec<Event>> {
    let ids: Vec<Option<i64>> = replays::table
        .filter(replays::request_id.eq(id::number(request_id)))
        .filter(replays::event_id.is_not_null())
        .select(replays::event_id)
        .load(conn)?;
    let ids: Vec<i64> = ids.into_iter().flatten().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(events::table
        .filter(events::tenant_id.eq(tenant_id))
        .filter(events::id.eq_any(ids))
        .select(Event::as_select())
        .order(events::id.asc())
        .load(conn)?)
}

/// How many events of a catch-all incident replays have found to be understood now.
///
/// # Errors
/// The query failed.
pub fn understood(conn: &mut Conn, incident_id: &str) -> Result<i64> {
    Ok(replays::table
        .filter(replays::incident_id.eq(id::number(incident_id)))
        .filter(replays::event_id.is_null())
        .count()
        .get_result(conn)?)
}

/// The number of the newest event there is.
///
/// # Errors
/// The query failed.
pub fn newest_event(conn: &mut Conn) -> Result<i64> {
    Ok(events::table.select(max(events::id)).first::<Option<i64>>(conn)?.unwrap_or(0))
}

/// When each of `keys` was last spoken of, by a tool, a person or a timer, in events with a number above `after`.
///
/// # Errors
/// The query failed.
pub fn last_received(conn: &mut Conn, integration_id: &str, keys: &[&str], after: i64) -> Result<HashMap<String, Timestamp>> {
    let mut found = HashMap::new();
    for some in keys.chunks(KEYS_AT_ONCE) {
        let rows: Vec<(String, Option<i64>)> = events::table
            .filter(events::id.gt(after))
            .filter(events::integration_id.eq(integration_id))
            .filter(events::dedup_key.eq_any(some))
            .group_by(events::dedup_key)
            .select((events::dedup_key, max(events::received_at)))
            .load(conn)?;
        found.extend(rows.into_iter().filter_map(|(key, at)| Some((key, Timestamp(at?)))));
    }
    Ok(found)
}
