//! What retention looks at and removes; what and when is decided in [`crate::retention`].
//!
//! The same words serve both databases; only the list of identifiers that a statement is given is spelled differently.

mod aged;
mod bodies;
mod keyed;
#[cfg(test)]
mod tests;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel::{QueryableByName, sql_query};

use super::schema::outbox;
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

/// The identifiers in `$1`, a JSON list, as a query of one column.
fn listed(conn: &Conn) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "SELECT value FROM json_each($1)",
        Conn::Pg(_) => "SELECT json_array_elements_text($1::json)",
    }
}

fn json(texts: &[impl AsRef<str>]) -> String {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    serde_json::to_string(&texts).unwrap_or_else(|_| "[]".to_owned())
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

/// When the oldest notice that waits for delivery was made.
///
/// # Errors
/// The query failed.
pub fn oldest_notice(conn: &mut Conn) -> Result<Option<Timestamp>> {
    let oldest: Option<String> = outbox::table.select(diesel::dsl::min(outbox::id)).first(conn)?;
    Ok(oldest.as_deref().and_then(id::made_at))
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
