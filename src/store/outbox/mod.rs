//! The outbox and what comes out of it: notices, deliveries, threads.
//!
//! A notice is written in the commit of what happened. The router ([`route`]) turns notices into deliveries; workers ask
//! what waits ([`waiting`]), claim the threads of a destination, and record what became of them ([`lane`]). Nothing here decides what is told to whom.

pub mod again;
pub mod lane;
pub mod read;
pub mod route;
mod rows;
pub mod waiting;

pub use rows::{Attempt, Attempted, Breaker, Delivery, NewDelivery, Page, Progress, Thread, Turned, Watch};

/// Writes rows: one by one on SQLite, where a statement costs no round trip, all at once on PostgreSQL.
macro_rules! insert {
    ($conn:expr, $into:literal, $rows:expr, |$row:ident| [$($kind:ident: $value:expr),+ $(,)?], $tail:literal) => {
        match &mut *$conn {
            $crate::store::Conn::Sqlite(conn) => {
                for $row in $rows {
                    let binds = vec![$($crate::store::stmt::Bind::$kind($value)),+];
                    diesel::RunQueryDsl::execute($crate::statement!(list concat!("INSERT INTO ", $into, " VALUES ("), binds, concat!(") ", $tail)), conn)?;
                }
            }
            $crate::store::Conn::Pg(conn) => {
                if !$rows.is_empty() {
                    let binds = vec![$($crate::store::stmt::Column::$kind($rows.iter().map(|$row| { let _ = $row; $value }).collect())),+];
                    let tail = concat!(") ", $tail);
                    diesel::RunQueryDsl::execute($crate::statement!(list concat!("INSERT INTO ", $into, " SELECT * FROM unnest("), binds, tail), conn)?;
                }
            }
        }
    };
}

/// Updates rows, likewise: the values of a row are `v.column1`, `v.column2`, …, named so in `$names`.
macro_rules! update {
    ($conn:expr, $set:literal, $names:literal, $rows:expr, |$row:ident| [$($kind:ident: $value:expr),+ $(,)?], $tail:literal) => {
        match &mut *$conn {
            $crate::store::Conn::Sqlite(conn) => {
                for $row in $rows {
                    let binds = vec![$($crate::store::stmt::Bind::$kind($value)),+];
                    let tail = concat!(")) AS v WHERE ", $tail);
                    diesel::RunQueryDsl::execute($crate::statement!(list concat!("UPDATE ", $set, " FROM (VALUES ("), binds, tail), conn)?;
                }
            }
            $crate::store::Conn::Pg(conn) => {
                if !$rows.is_empty() {
                    let binds = vec![$($crate::store::stmt::Column::$kind($rows.iter().map(|$row| { let _ = $row; $value }).collect())),+];
                    let tail = concat!(") AS v ", $names, " WHERE ", $tail);
                    diesel::RunQueryDsl::execute($crate::statement!(list concat!("UPDATE ", $set, " FROM unnest("), binds, tail), conn)?;
                }
            }
        }
    };
}

use {insert, update};
