//! What waits for a destination when somebody changes or deletes it.
//!
//! Rows are locked in the order in which workers do: the breaker, threads, deliveries.

use diesel::prelude::*;

use crate::store::outbox::lane;
use crate::store::schema::{deliveries, destinations, threads};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// What is still to be told to a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pending {
    /// Deliveries that have not come to their end.
    pub deliveries: i64,
    /// Incidents that are on hold: what is told at the end of that is no delivery yet.
    pub held: i64,
}

/// What is still to be told to a destination.
///
/// # Errors
/// A query failed.
pub fn undelivered(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Pending> {
    let left = deliveries::table.filter(deliveries::tenant_id.eq(tenant_id)).filter(deliveries::destination_id.eq(id));
    let left = left.filter(deliveries::finished_at.is_null()).count().get_result(conn)?;
    let held = threads::table.filter(threads::tenant_id.eq(tenant_id)).filter(threads::destination_id.eq(id));
    let held = held.filter(threads::held_until.is_not_null()).count().get_result(conn)?;
    Ok(Pending { deliveries: left, held })
}

/// Those of `ids` that are deleted, each with its tenant.
///
/// # Errors
/// The query failed.
pub fn deleted(conn: &mut Conn, ids: &[String]) -> Result<Vec<(String, String)>> {
    let gone = destinations::table.filter(destinations::id.eq_any(ids)).filter(destinations::deleted_at.is_not_null());
    Ok(gone.select((destinations::id, destinations::tenant_id)).load(conn)?)
}

/// Gives up what is still to be delivered to a destination that is deleted, and returns how much that was.
///
/// # Errors
/// A statement failed.
pub fn drop_undelivered(conn: &mut Conn, tenant_id: &str, id: &str, now: Timestamp) -> Result<usize> {
    lane::breaker(conn, id)?;
    let own = threads::table.filter(threads::tenant_id.eq(tenant_id)).filter(threads::destination_id.eq(id));
    let busy = own.filter(threads::due_at.is_not_null().or(threads::held_until.is_not_null()));
    let idle = (threads::due_at.eq(None::<i64>), threads::held_until.eq(None::<i64>), threads::lease.eq(None::<String>));
    diesel::update(busy).set(idle).execute(conn)?;
    let unfinished = deliveries::table
        .filter(deliveries::tenant_id.eq(tenant_id))
        .filter(deliveries::destination_id.eq(id))
        .filter(deliveries::finished_at.is_null());
    let skipped = (
        deliveries::status.eq("skipped"),
        deliveries::reason.eq("the destination was deleted"),
        deliveries::finished_at.eq(now.0),
    );
    Ok(diesel::update(unfinished).set(skipped).execute(conn)?)
}

/// Forgets how the receiver was doing, and tries at once what waits for its next attempt: the destination leads elsewhere now, or is
/// enabled again. What is on its way, or on hold for another reason, stays as it is.
///
/// # Errors
/// A statement failed.
pub fn begin_anew(conn: &mut Conn, tenant_id: &str, id: &str, now: Timestamp) -> Result<()> {
    let before = lane::breaker(conn, id)?;
    let mut breaker = before.clone();
    // What was made until now waited for the receiver to come back, and may be merged.
    if breaker.open_until.is_some() {
        breaker.recovered_at = Some(now.0);
    }
    breaker.failures = 0;
    (breaker.open_until, breaker.probing_until, breaker.paused_until, breaker.gone_at) = (None, None, None, None);
    breaker.opened_at = None;
    if breaker != before {
        lane::keep_breaker(conn, &breaker)?;
    }
    let own = threads::table.filter(threads::tenant_id.eq(tenant_id)).filter(threads::destination_id.eq(id));
    let later = own.filter(threads::due_at.gt(now.0)).filter(threads::lease.is_null()).filter(threads::held_until.is_null());
    diesel::update(later).set(threads::due_at.eq(now.0)).execute(conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::Breaker;
    use crate::store::{tenants, testing};

    #[test]
    fn a_destination_that_leads_elsewhere_is_tried_at_once() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let tenant = tenants::ensure(&mut conn, "default", Timestamp(1)).unwrap();
            let id = testing::plant_destination(&mut conn, &tenant, "ops").id;
            let down = Breaker {
                failures: 7,
                open_until: Some(90),
                gone_at: Some(3),
                opened_at: Some(60),
                delivered_at: Some(2),
                paced_at: Some(5),
                skipped: 2,
                ..Breaker { destination_id: id.clone(), ..Breaker::default() }
            };
            lane::keep_breaker(&mut conn, &down).unwrap();
            let cases = [
                ("later", Some(90), None, None),
                ("on its way", Some(90), Some("w1"), None),
                ("on hold", Some(90), None, Some(90)),
                ("idle", None, None, None),
                ("due", Some(4), None, None),
            ];
            for (subject, due, lease, held) in cases {
                let row = (
                    (threads::destination_id.eq(&id), threads::subject.eq(subject), threads::tenant_id.eq(&tenant)),
                    (threads::wants.eq(""), threads::due_at.eq(due), threads::lease.eq(lease), threads::held_until.eq(held)),
                    threads::updated_at.eq(1),
                );
                diesel::insert_into(threads::table).values(row).execute(&mut conn).unwrap();
            }
            begin_anew(&mut conn, &tenant, &id, Timestamp(10)).unwrap();
            let breaker = lane::breaker(&mut conn, &id).unwrap();
            let expected =
                Breaker { recovered_at: Some(10), paced_at: Some(5), skipped: 2, delivered_at: Some(2), ..Breaker::default() };
            assert_eq!(breaker, Breaker { destination_id: id.clone(), ..expected });
            let due = threads::table.order(threads::subject).select((threads::subject, threads::due_at));
            let due: Vec<(String, Option<i64>)> = due.load(&mut conn).unwrap();
            let due: Vec<(&str, Option<i64>)> = due.iter().map(|(subject, due)| (subject.as_str(), *due)).collect();
            let expected =
                [("due", Some(4)), ("idle", None), ("later", Some(10)), ("on hold", Some(90)), ("on its way", Some(90))];
            assert_eq!(due, expected);
        }
    }
}
