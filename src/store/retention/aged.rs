//! Tables whose numbers rise with time: found from the left, removed by number.

use diesel::sql_types::{BigInt, Integer};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::{execute, listed, load};
use crate::id;
use crate::retention::Aged;
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// A row that may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number.
    pub id: i64,
    /// What it holds, as far as anybody counts it.
    pub bytes: u64,
}

/// Some rows of a table, from left to right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Those that may go.
    pub due: Vec<Due>,
    /// The last one that was looked at; `None`: there was none.
    pub last: Option<i64>,
    /// How many were looked at; less than the limit: there are no more.
    pub looked_at: usize,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = Integer)]
    stays: i32,
}

/// What a row `r` holds, as far as anybody counts it: the body of a request; of an event its texts, and roughly the rest.
pub(super) fn bytes(table: Aged) -> &'static str {
    match table {
        Aged::Requests => "octet_length(r.body)",
        Aged::Events => {
            "octet_length(r.summary) + octet_length(r.source) + octet_length(r.dedup_key) + COALESCE(octet_length(r.note), 0) + 160"
        }
        Aged::Incidents | Aged::Changes | Aged::Outbox => "0",
    }
}

/// Whether the request `r`, or a replay of it, brought an event of an open incident. CROSS JOIN fixes the order on SQLite: the few events outside.
pub(super) const OF_OPEN_INCIDENT: &str = "(EXISTS (SELECT 1 FROM events e CROSS JOIN incidents i \
     WHERE e.id BETWEEN r.first_event_id AND COALESCE(r.last_event_id, r.first_event_id) AND e.request_id = r.id \
     AND i.id = e.incident_id AND i.open_key IS NOT NULL) \
     OR EXISTS (SELECT 1 FROM replays p CROSS JOIN incidents i \
     WHERE p.request_id = r.id AND i.id = p.incident_id AND i.open_key IS NOT NULL))";

/// Whether an open incident of the same key names the incident `r` as the one before it.
const BEFORE_AN_OPEN_ONE: &str = "EXISTS (SELECT 1 FROM incidents o WHERE o.integration_id = r.integration_id \
     AND o.open_key = r.dedup_key AND o.previous_incident_id = r.id)";

/// The next rows of `table` after the number `after` that were made before `before`, `limit` at most. `now` is what the expiry of
/// remembered delivery ids is compared with.
///
/// # Errors
/// The query failed.
pub fn page(conn: &mut Conn, table: Aged, after: i64, before: Timestamp, now: Timestamp, limit: usize) -> Result<Page> {
    let floor = id::floor(before);
    let stays = match table {
        Aged::Requests => format!(
            "{OF_OPEN_INCIDENT} OR EXISTS (SELECT 1 FROM seen_deliveries s WHERE s.request_id = r.id AND s.expires_at > {})",
            now.0
        ),
        Aged::Events => "EXISTS (SELECT 1 FROM incidents i WHERE i.id = r.incident_id AND i.open_key IS NOT NULL)".to_owned(),
        // Resolved, but lately.
        Aged::Incidents => format!(
            "r.open_key IS NOT NULL OR COALESCE(r.resolved_at, r.last_seen) >= {} OR r.last_event_id >= {floor} \
             OR {BEFORE_AN_OPEN_ONE}",
            before.0
        ),
        Aged::Changes => "1 = 0".to_owned(),
        Aged::Outbox => return notices(conn, after, floor, limit),
    };
    read(conn, table, &stays, after, before, limit)
}

/// Notices are numbered by the table and not by time; those to the right of one that is young are younger still.
fn notices(conn: &mut Conn, after: i64, floor: i64, limit: usize) -> Result<Page> {
    let sql = format!(
        "SELECT r.id, CAST(0 AS BIGINT) AS bytes, CASE WHEN COALESCE(r.event_id, r.change_id, 0) >= {floor} THEN 1 ELSE 0 END AS stays \
         FROM outbox r WHERE r.id > {after} ORDER BY r.id LIMIT {limit}"
    );
    let rows: Vec<Row> = load!(conn, sql)?;
    let old = rows.into_iter().take_while(|row| row.stays == 0);
    let due: Vec<Due> = old.map(|row| Due { id: row.id, bytes: 0 }).collect();
    Ok(Page { last: due.last().map(|row| row.id), looked_at: due.len(), due })
}

/// The next requests after `after` that were made before `before`, and of them those that were refused before anything was made of
/// them.
///
/// # Errors
/// The query failed.
pub fn refused(conn: &mut Conn, after: i64, before: Timestamp, limit: usize) -> Result<Page> {
    let stays = "r.verdict IN ('accepted', 'ignored', 'handshake', 'duplicate', 'invalid')";
    read(conn, Aged::Requests, stays, after, before, limit)
}

/// As [`page`], in other words of what stays.
pub(super) fn read(conn: &mut Conn, table: Aged, stays: &str, after: i64, before: Timestamp, limit: usize) -> Result<Page> {
    let sql = format!(
        "SELECT r.id, CAST({} AS BIGINT) AS bytes, CASE WHEN {stays} THEN 1 ELSE 0 END AS stays FROM {} r \
         WHERE r.id > {after} AND r.id < {} ORDER BY r.id LIMIT {limit}",
        bytes(table),
        table.name(),
        id::floor(before)
    );
    let rows: Vec<Row> = load!(conn, sql)?;
    let (looked_at, last) = (rows.len(), rows.last().map(|row| row.id));
    let due = rows.into_iter().filter(|row| row.stays == 0);
    let due = due.map(|row| Due { id: row.id, bytes: row.bytes.max(0).unsigned_abs() }).collect();
    Ok(Page { due, last, looked_at })
}

/// Removes rows; how many there were. Inside a transaction that may write.
///
/// # Errors
/// A statement failed.
pub fn remove(conn: &mut Conn, table: Aged, ids: &[i64]) -> Result<usize> {
    let ids = listed(ids);
    if table == Aged::Requests {
        execute!(&mut *conn, format!("DELETE FROM replays WHERE request_id IN ({ids})"))?;
    }
    if table != Aged::Incidents {
        return Ok(execute!(conn, format!("DELETE FROM {} WHERE id IN ({ids})", table.name()))?);
    }
    keep_number(conn)?;
    // An incident that was opened since they were found may name one of them.
    let these = format!("r.id IN ({ids}) AND NOT {BEFORE_AN_OPEN_ONE}");
    // What is remembered of a key stays its time, without the name of what is gone.
    let forget = format!(
        "UPDATE tombstones SET incident_id = NULL WHERE (integration_id, dedup_key, incident_id) IN \
         (SELECT r.integration_id, r.dedup_key, r.id FROM incidents r WHERE {these})"
    );
    execute!(&mut *conn, forget)?;
    Ok(execute!(conn, format!("DELETE FROM incidents AS r WHERE {these}"))?)
}

/// On SQLite the numbers that people see are counted on from the newest incident; if that one goes, its number is kept.
fn keep_number(conn: &mut Conn) -> Result<()> {
    if let Conn::Sqlite(conn) = conn {
        let sql = format!(
            "INSERT INTO facts (name, value) SELECT '{}', number FROM incidents WHERE true ORDER BY id DESC LIMIT 1 \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            crate::store::facts::INCIDENT_NUMBER
        );
        sql_query(sql).execute(conn)?;
    }
    Ok(())
}
