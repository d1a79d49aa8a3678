//! Deliveries, and what they tell of, as they are asked for.

use diesel::prelude::*;

use crate::store::schema::{changes, incidents};
use crate::store::{Conn, Result};
use crate::store::{changes::Change, incidents::Incident};

/// The incidents with these numbers.
///
/// # Errors
/// The query failed.
pub fn incidents(conn: &mut Conn, numbers: &[i64]) -> Result<Vec<Incident>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    Ok(incidents::table.filter(incidents::id.eq_any(numbers)).select(Incident::as_select()).load(conn)?)
}

/// The change events with these numbers.
///
/// # Errors
/// The query failed.
pub fn changes(conn: &mut Conn, numbers: &[i64]) -> Result<Vec<Change>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    Ok(changes::table.filter(changes::id.eq_any(numbers)).select(Change::as_select()).load(conn)?)
}
