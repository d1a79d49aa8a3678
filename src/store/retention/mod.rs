//! What retention looks at and removes; what and when is decided in [`crate::retention`].
//!
//! The same words serve both databases, but for a few that are said where they stand.

mod aged;
mod bodies;
mod keyed;
#[cfg(test)]
mod tests;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel::{QueryableByName, sql_query};

use super::schema::{deliveries, outbox};
use super::{Conn, Result};
use crate::id;
use crate::time::Timestamp;

pub use aged::{Due, Page, page, refused, remove};
pub use bodies::{Measured, bodies, drop_bodies, measure};
pub use keyed::{Swept, sweep};

/// The advisory lock of the one node that removes ("retain" in ASCII).
const LOCK: i64 = 0x7265_7461_696e;

/// Loads rows, with the same text and binds on either database.
macro_rules! load {
    ($conn:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            Conn::Sqlite(conn) => sql_query($sql)$(.bind::<diesel::sql_types::Text, _>($bind))*.load(conn),
            Conn::Pg(conn) => sql_query($sql)$(.bind::<diesel::sql_types::Text, _>($bind))*.load(conn),
        }
    };
}

/// Runs a statement, with the same text and binds on either database.
macro_rules! execute {
    ($conn:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            Conn::Sqlite(conn) => sql_query($sql)$(.bind::<diesel::sql_types::Text, _>($bind))*.execute(conn),
            Conn::Pg(conn) => sql_query($sql)$(.bind::<diesel::sql_types::Text, _>($bind))*.execute(conn),
        }
    };
}

pub(crate) use {execute, load};

/// The numbers with commas between them; NULL, which is in no list, where there are none.
fn listed(ids: &[i64]) -> String {
    let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
    if texts.is_empty() { "NULL".to_owned() } else { texts.join(", ") }
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

/// Takes the lock of the one node that removes, for as long as the connection lives; whether it was free.
///
/// # Errors
/// The query failed.
pub fn claim(conn: &mut Conn) -> Result<bool> {
    let Conn::Pg(conn) = conn else { return Ok(true) };
    let locked: Vec<Locked> = sql_query(format!("SELECT pg_try_advisory_lock({LOCK}) AS locked")).load(conn)?;
    Ok(locked.iter().all(|row| row.locked))
}

/// When the oldest notice that waits for delivery was made, with the event or the change event that it tells of, or the oldest delivery
/// that is not at its end.
///
/// # Errors
/// The query failed.
pub fn oldest_notice(conn: &mut Conn) -> Result<Option<Timestamp>> {
    let oldest = outbox::table.order(outbox::id).select((outbox::event_id, outbox::change_id));
    let oldest: Option<(Option<i64>, Option<i64>)> = oldest.first(conn).optional()?;
    let notice = oldest.map(|(event, change)| id::made_at(event.or(change).unwrap_or(0)));
    // What is on its way is still asked for by its deliveries.
    let unfinished = deliveries::table.filter(deliveries::finished_at.is_null());
    let delivery: Option<i64> = unfinished.select(diesel::dsl::min(deliveries::created_at)).first(conn)?;
    Ok(notice.into_iter().chain(delivery.map(Timestamp)).min())
}

#[derive(QueryableByName)]
struct Pages {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// Bytes of the database file that hold nothing, and are filled before it grows; 0 on PostgreSQL, which does not tell.
///
/// # Errors
/// The query failed.
pub fn reusable_bytes(conn: &mut Conn) -> Result<u64> {
    let Conn::Sqlite(conn) = conn else { return Ok(0) };
    let sql = "SELECT freelist_count * page_size AS bytes FROM pragma_freelist_count, pragma_page_size";
    let pages: Vec<Pages> = sql_query(sql).load(conn)?;
    Ok(pages.iter().map(|row| row.bytes.max(0).unsigned_abs()).sum())
}
