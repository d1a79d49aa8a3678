//! Bodies of the ledger, which go before their rows where room is short, and what tables hold.

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Nullable};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::aged::{OF_OPEN_INCIDENT, Page, bytes, read};
use super::{listed, load};
use crate::id;
use crate::retention::Aged;
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// The next requests after `after` that were made before `before`, and of them those with a body that can be dropped; without
/// those that brought an event of an open incident where `spare_open` says so.
///
/// # Errors
/// The query failed.
pub fn bodies(conn: &mut Conn, after: i64, before: Timestamp, spare_open: bool, limit: usize) -> Result<Page> {
    let spared = if spare_open { OF_OPEN_INCIDENT } else { "1 = 0" };
    let stays = format!("octet_length(r.body) = 0 OR {spared}");
    read(conn, Aged::Requests, &stays, after, before, limit)
}

/// Drops the bodies of requests; their rows stay and say so. Inside a transaction that may write.
///
/// # Errors
/// A statement failed.
pub fn drop_bodies(conn: &mut Conn, ids: &[i64], now: Timestamp) -> Result<usize> {
    let (ids, now) = (listed(ids), now.0);
    match conn {
        // A row that shrinks in its place leaves a hole in its page and gives nothing back (measured: of 25,000 pages with bodies
        // of 1 KB not one). All of them taken out and put back without their bodies, they share a few pages, and 16,000 are free.
        Conn::Sqlite(conn) => {
            conn.batch_execute("CREATE TEMP TABLE IF NOT EXISTS slim AS SELECT * FROM requests LIMIT 0; DELETE FROM temp.slim")?;
            let taken = sql_query(format!("INSERT INTO temp.slim SELECT * FROM requests WHERE id IN ({ids})")).execute(conn)?;
            conn.batch_execute(&format!(
                "UPDATE temp.slim SET body = x'', body_encoding = NULL, body_dropped_at = {now}; DELETE FROM requests WHERE id IN ({ids}); \
                 INSERT INTO requests SELECT * FROM temp.slim ORDER BY id; DELETE FROM temp.slim"
            ))?;
            Ok(taken)
        }
        Conn::Pg(conn) => {
            let sql = format!("UPDATE requests SET body = '', body_encoding = NULL, body_dropped_at = {now} WHERE id IN ({ids})");
            Ok(sql_query(sql).execute(conn)?)
        }
    }
}

/// What some rows hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes of all of them.
    pub bytes: u64,
    /// The last of them; `None`: there was none.
    pub last: Option<i64>,
    /// How many there were.
    pub rows: usize,
}

#[derive(QueryableByName)]
struct Sum {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    last: Option<i64>,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// What the next rows of `table` after `after` hold that were made before `before`, `limit` at most: of requests their bodies.
///
/// # Errors
/// The query failed.
pub fn measure(conn: &mut Conn, table: Aged, after: i64, before: Timestamp, limit: usize) -> Result<Measured> {
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes, MAX(id) AS last, COUNT(*) AS count FROM \
         (SELECT r.id, {} AS bytes FROM {} r WHERE r.id > {after} AND r.id < {} ORDER BY r.id LIMIT {limit}) AS measured",
        bytes(table),
        table.name(),
        id::floor(before)
    );
    let sums: Vec<Sum> = load!(conn, sql)?;
    let sum = sums.into_iter().next().unwrap_or(Sum { bytes: 0, last: None, count: 0 });
    let rows = usize::try_from(sum.count).unwrap_or(0);
    Ok(Measured { bytes: sum.bytes.max(0).unsigned_abs(), last: sum.last, rows })
}
