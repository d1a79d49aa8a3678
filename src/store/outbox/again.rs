//! Dead letters that people deal with.

use diesel::prelude::*;

use crate::id;
use crate::store::schema::deliveries;
use crate::store::{Conn, Result};

/// Puts a dead letter back among what is to be told; its age counts anew.
///
/// # Errors
/// The update failed.
pub fn queue(conn: &mut Conn, id: &str, message: &str, reason: &str, now: i64) -> Result<usize> {
    let dead = deliveries::table.filter(deliveries::id.eq(id::number(id))).filter(deliveries::status.eq("dead"));
    Ok(diesel::update(dead)
        .set((
            deliveries::status.eq("pending"),
            deliveries::reason.eq(reason),
            deliveries::message.eq(message),
            deliveries::failures.eq(0),
            deliveries::tried_since.eq(now),
            deliveries::finished_at.eq(None::<i64>),
        ))
        .execute(conn)?)
}

/// Drops a dead letter: it is told no more, and is no dead letter any longer.
///
/// # Errors
/// The update failed.
pub fn end(conn: &mut Conn, id: &str, reason: &str, now: i64) -> Result<usize> {
    let dead = deliveries::table.filter(deliveries::id.eq(id::number(id))).filter(deliveries::status.eq("dead"));
    Ok(diesel::update(dead)
        .set((deliveries::status.eq("skipped"), deliveries::reason.eq(reason), deliveries::finished_at.eq(now)))
        .execute(conn)?)
}
