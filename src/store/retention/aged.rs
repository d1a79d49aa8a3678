//! Tables whose identifiers rise with time: found from the left, removed by identifier.

use diesel::sql_types::{BigInt, Integer, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::{execute, json, listed, load};
use crate::id::{self, Kind};
use crate::retention::Aged;
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// A row that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its identifier.
    pub id: String,
    /// What it holds, as far as anybody counts it.
    pub bytes: u64,
}

/// Some rows of a table, from left to right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Those that may go.
    pub due: Vec<Due>,
    /// The last one that was looked at; `None`: there was none.
    pub last: Option<String>,
    /// How many were looked at.
    pub looked_at: usize,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = Integer)]
    stays: i32,
}

/// What a row `r` holds, as far as anybody counts it: the body of a request; of an event its texts, and roughly its identifiers
/// and its place in the index.
pub(super) fn bytes(table: Aged) -> &'static str {
    match table {
        Aged::Requests => "octet_length(r.body)",
        Aged::Events => {
            "octet_length(r.summary) + octet_length(r.source) + octet_length(r.dedup_key) + COALESCE(octet_length(r.note), 0) + 300"
        }
        Aged::Incidents | Aged::Changes | Aged::Outbox | Aged::Audit => "0",
    }
}

/// Whether the request `r` brought an event of an open incident. CROSS JOIN fixes the order on SQLite: the few events outside.
pub(super) const OF_OPEN_INCIDENT: &str = "EXISTS (SELECT 1 FROM events e CROSS JOIN incidents i \
     WHERE e.id BETWEEN r.first_event_id AND r.last_event_id AND e.request_id = r.id \
     AND i.id = e.incident_id AND i.open_key IS NOT NULL)";

/// The next rows of `table` after the identifier `after` that were made before `before`, `limit` at most; `now` is when remembered
/// delivery ids are compared with.
///
/// # Errors
/// The query failed.
pub fn page(conn: &mut Conn, table: Aged, after: &str, before: Timestamp, now: Timestamp, limit: usize) -> Result<Page> {
    let stays = match table {
        Aged::Requests => format!(
            "{OF_OPEN_INCIDENT} OR EXISTS (SELECT 1 FROM seen_deliveries s WHERE s.request_id = r.id AND s.expires_at > {})",
            now.0
        ),
        Aged::Events => "EXISTS (SELECT 1 FROM incidents i WHERE i.id = r.incident_id AND i.open_key IS NOT NULL)".to_owned(),
        // Resolved, but lately; or the one before an open incident of its key.
        Aged::Incidents => format!(
            "r.open_key IS NOT NULL OR COALESCE(r.resolved_at, r.last_seen) >= {} OR r.last_event_id >= '{}' \
             OR EXISTS (SELECT 1 FROM incidents o WHERE o.integration_id = r.integration_id AND o.open_key = r.dedup_key \
             AND o.previous_incident_id = r.id)",
            before.0,
            id::floor(Kind::Event, before)
        ),
        Aged::Changes | Aged::Outbox | Aged::Audit => "1 = 0".to_owned(),
    };
    read(conn, table, &stays, after, before, limit)
}

/// The next requests after `after` that were made before `before`, and of them those that were refused before anything was made of
/// them.
///
/// # Errors
/// The query failed.
pub fn refused(conn: &mut Conn, after: &str, before: Timestamp, limit: usize) -> Result<Page> {
    let stays = "r.verdict IN ('accepted', 'ignored', 'handshake', 'duplicate', 'invalid')";
    read(conn, Aged::Requests, stays, after, before, limit)
}

/// As [`page`], in other words of what stays.
pub(super) fn read(conn: &mut Conn, table: Aged, stays: &str, after: &str, before: Timestamp, limit: usize) -> Result<Page> {
    let sql = format!(
        "SELECT r.id, CAST({} AS BIGINT) AS bytes, CASE WHEN {stays} THEN 1 ELSE 0 END AS stays FROM {} r \
         WHERE r.id > $1 AND r.id < '{}' ORDER BY r.id LIMIT {limit}",
        bytes(table),
        table.name(),
        id::floor(table.kind(), before)
    );
    let rows: Vec<Row> = load!(conn, sql, after)?;
    let (looked_at, last) = (rows.len(), rows.last().map(|row| row.id.clone()));
    let due = rows.into_iter().filter(|row| row.stays == 0);
    let due = due.map(|row| Due { id: row.id, bytes: row.bytes.max(0).unsigned_abs() }).collect();
    Ok(Page { due, last, looked_at })
}

/// Removes rows; how many there were. Inside a transaction that may write.
///
/// # Errors
/// A statement failed.
pub fn remove(conn: &mut Conn, table: Aged, ids: &[impl AsRef<str>]) -> Result<usize> {
    let (ids, listed) = (json(ids), listed(conn));
    if table == Aged::Incidents {
        keep_number(conn)?;
        // What is remembered of the key stays its time, without the name of what is gone.
        let forget = format!(
            "UPDATE tombstones SET incident_id = NULL WHERE (integration_id, dedup_key, incident_id) IN \
             (SELECT i.integration_id, i.dedup_key, i.id FROM incidents i WHERE i.id IN ({listed}))"
        );
        execute!(conn, forget, &ids)?;
    }
    let sql = format!("DELETE FROM {} WHERE id IN ({listed})", table.name());
    Ok(execute!(conn, sql, &ids)?)
}

/// On SQLite numbers are counted on from the newest incident; if that one goes, its number is kept.
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
