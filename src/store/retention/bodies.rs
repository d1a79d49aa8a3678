//! Bodies of the ledger, which go before their rows where room is short, and what tables hold.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::aged::{OF_OPEN_INCIDENT, Page, bytes, read};
use super::{execute, json, listed, load};
use crate::id;
use crate::retention::Aged;
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// The next requests after `after` that were made before `before`, and of them those with a body that can be dropped; without
/// those that brought an event of an open incident where `spare_open` says so.
///
/// # Errors
/// The query failed.
pub fn bodies(conn: &mut Conn, after: &str, before: Timestamp, spare_open: bool, limit: usize) -> Result<Page> {
    let spared = if spare_open { OF_OPEN_INCIDENT } else { "1 = 0" };
    let stays = format!("octet_length(r.body) = 0 OR {spared}");
    read(conn, Aged::Requests, &stays, after, before, limit)
}

/// Drops the bodies of requests; their rows stay and say so. Inside a transaction that may write.
///
/// On SQLite a row that shrinks in its place leaves a hole in its page and frees nothing (measured: bodies of 1 KB, not one page of
/// 25,000). So the row moves to another place, left of all that will ever be inserted, and its page is freed with its neighbours'.
///
/// # Errors
/// A statement failed.
pub fn drop_bodies(conn: &mut Conn, ids: &[impl AsRef<str>], now: Timestamp) -> Result<usize> {
    let moved = match conn {
        Conn::Sqlite(_) => "rowid = CASE WHEN rowid > 0 THEN rowid - 4611686018427387904 ELSE rowid END,",
        Conn::Pg(_) => "",
    };
    let (ids, listed) = (json(ids), listed(conn));
    let empty = if matches!(conn, Conn::Sqlite(_)) { "x''" } else { "''" };
    let sql = format!("UPDATE requests SET {moved} body = {empty}, body_dropped_at = {} WHERE id IN ({listed})", now.0);
    Ok(execute!(conn, sql, &ids)?)
}

/// What some rows hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes of all of them.
    pub bytes: u64,
    /// The last of them; `None`: there was none.
    pub last: Option<String>,
    /// How many there were.
    pub rows: usize,
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = Nullable<Text>)]
    last: Option<String>,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// What the next rows of `table` after `after` hold that were made before `before`, `limit` at most: of requests their bodies.
///
/// # Errors
/// The query failed.
pub fn measure(conn: &mut Conn, table: Aged, after: &str, before: Timestamp, limit: usize) -> Result<Measured> {
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes, MAX(id) AS last, COUNT(*) AS count FROM \
         (SELECT r.id, {} AS bytes FROM {} r WHERE r.id > $1 AND r.id < '{}' ORDER BY r.id LIMIT {limit}) AS measured",
        bytes(table),
        table.name(),
        id::floor(table.kind(), before)
    );
    let sums: Vec<Sum> = load!(conn, sql, after)?;
    let sum = sums.into_iter().next().unwrap_or(Sum { bytes: 0, last: None, count: 0 });
    let rows = usize::try_from(sum.count).unwrap_or(0);
    Ok(Measured { bytes: sum.bytes.max(0).unsigned_abs(), last: sum.last, rows })
}
