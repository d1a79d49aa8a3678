//! What the workers of a destination claim and record.

use diesel::prelude::*;

use super::rows::{Attempt, Breaker, NewDelivery, Progress, Thread, Turned};
use super::{insert, update};
use crate::id;
use crate::store::schema::{breakers, deliveries, threads};
use crate::store::{Conn, Result};

/// How the receiver is doing; on PostgreSQL its row is locked until the transaction ends, so that one node at a time takes turns.
///
/// # Errors
/// The query failed.
pub fn breaker(conn: &mut Conn, destination_id: &str) -> Result<Breaker> {
    let row = breakers::table.find(destination_id).select(breakers::all_columns);
    let found: Option<Breaker> = match conn {
        Conn::Sqlite(conn) => row.first(conn).optional()?,
        Conn::Pg(conn) => row.for_update().first(conn).optional()?,
    };
    Ok(found.unwrap_or_else(|| Breaker { destination_id: destination_id.to_owned(), ..Breaker::default() }))
}

/// Keeps how the receiver is doing.
///
/// # Errors
/// A statement failed.
pub fn keep_breaker(conn: &mut Conn, breaker: &Breaker) -> Result<()> {
    let known = diesel::update(breakers::table.find(&breaker.destination_id)).set(breaker).execute(conn)?;
    if known == 0 {
        let rows = [breaker];
        insert!(conn, "breakers (destination_id, failures, open_until, probing_until, paused_until, recovered_at, gone_at, paced_at, \
             skipped, opened_at, delivered_at, failed_at)", &rows, |row| [
            Text: row.destination_id.as_str(), Int: i64::from(row.failures), OptInt: row.open_until, OptInt: row.probing_until,
            OptInt: row.paused_until, OptInt: row.recovered_at, OptInt: row.gone_at, OptInt: row.paced_at, Int: row.skipped,
            OptInt: row.opened_at, OptInt: row.delivered_at, OptInt: row.failed_at,
        ], "ON CONFLICT (destination_id) DO NOTHING");
    }
    Ok(())
}

/// Takes the threads of a destination that are due, the longest due first, until `until`. Until it is recorded what came of them, it is in
/// doubt what their receiver knows; what is returned says whether it was before.
///
/// # Errors
/// A statement failed.
pub fn claim(conn: &mut Conn, destination_id: &str, lease: &str, now: i64, until: i64, limit: i64) -> Result<Vec<Thread>> {
    let due = threads::table
        .filter(threads::destination_id.eq(destination_id))
        .filter(threads::due_at.le(now))
        .filter(threads::due_at.is_not_null())
        .order(threads::due_at)
        .limit(limit)
        .select(threads::all_columns);
    let mut taken: Vec<Thread> = match conn {
        Conn::Sqlite(conn) => due.load(conn)?,
        Conn::Pg(conn) => due.for_update().skip_locked().load(conn)?,
    };
    update!(conn, "threads SET lease = v.column1, due_at = v.column2, in_doubt = 1", "(column1, column2, column3, column4)", &taken, |row| [
        Text: lease, Int: until, Text: row.destination_id.as_str(), Text: row.subject.as_str(),
    ], "threads.destination_id = v.column3 AND threads.subject = v.column4");
    for thread in &mut taken {
        thread.lease = Some(lease.to_owned());
        thread.due_at = Some(until);
    }
    Ok(taken)
}

/// Adds deliveries to a thread that a worker has.
///
/// # Errors
/// A statement failed.
pub fn add(conn: &mut Conn, rows: &[NewDelivery]) -> Result<()> {
    super::route::write(conn, &super::route::Plan { deliveries: rows.to_vec(), ..Default::default() })
}

/// Records attempts.
///
/// # Errors
/// A statement failed.
pub fn attempted(conn: &mut Conn, rows: &[Attempt]) -> Result<()> {
    // Two nodes may have made the same attempt, where one outlived its lease.
    insert!(conn, "attempts (delivery_id, number, started_at, took, result, status, error, request, answer)", rows, |row| [
        Int: id::number(&row.delivery_id), Int: i64::from(row.number), Int: row.started_at, Int: row.took, Text: row.result,
        OptInt: row.status.map(i64::from), OptText: row.error.as_deref(), Text: row.request.as_str(), OptText: row.answer.as_deref(),
    ], "ON CONFLICT (delivery_id, number) DO NOTHING");
    Ok(())
}

/// Records what became of deliveries. One that came to its end stays there, whatever another worker met, unless it was delivered after all.
///
/// # Errors
/// A statement failed.
pub fn progressed(conn: &mut Conn, rows: &[Progress]) -> Result<()> {
    update!(conn, "deliveries SET status = v.column2, reason = v.column3, attempts = v.column4, failures = v.column5, \
         finished_at = v.column6", "(column1, column2, column3, column4, column5, column6)", rows, |row| [
        Int: id::number(&row.id), Text: row.status, OptText: row.reason.as_deref(), Int: i64::from(row.attempts),
        Int: i64::from(row.failures), OptInt: row.finished_at,
    ], "deliveries.id = v.column1 AND deliveries.status <> 'delivered' AND (deliveries.finished_at IS NULL OR v.column2 = 'delivered')");
    Ok(())
}

/// Gives threads back. What holds them is the router's to say, and stays.
///
/// # Errors
/// A statement failed.
pub fn give_back(conn: &mut Conn, rows: &[Turned]) -> Result<()> {
    update!(conn, "threads SET due_at = v.column3, lease = NULL, told_status = v.column4, told_severity = v.column5, \
         remembered = v.column6, updated_at = v.column7, in_doubt = v.column9",
        "(column1, column2, column3, column4, column5, column6, column7, column8, column9)", rows, |row| [
        Text: row.thread.destination_id.as_str(), Text: row.thread.subject.as_str(), OptInt: row.thread.due_at,
        OptText: row.thread.told_status.as_deref(), OptText: row.thread.told_severity.as_deref(),
        OptText: row.thread.remembered.as_deref(), Int: row.thread.updated_at, Text: row.lease.as_str(), Int: i64::from(row.thread.in_doubt),
    ], "threads.destination_id = v.column1 AND threads.subject = v.column2 AND threads.lease = v.column8");
    Ok(())
}

/// Puts off what is due at a destination that is left alone; how many threads that are.
///
/// # Errors
/// The update failed.
pub fn put_off(conn: &mut Conn, destination_id: &str, now: i64, until: i64) -> Result<usize> {
    let due = threads::table.filter(threads::destination_id.eq(destination_id)).filter(threads::due_at.le(now));
    let due = due.filter(threads::due_at.is_not_null()).filter(threads::lease.is_null());
    Ok(diesel::update(due).set(threads::due_at.eq(until)).execute(conn)?)
}

/// Gives back everything that a worker of this node has: those that are gone with the process, on SQLite.
///
/// # Errors
/// The update failed.
pub fn release_all(conn: &mut Conn, now: i64) -> Result<usize> {
    let leased = threads::table.filter(threads::lease.is_not_null()).filter(threads::due_at.is_not_null());
    Ok(diesel::update(leased).set((threads::lease.eq(None::<String>), threads::due_at.eq(now))).execute(conn)?)
}

/// Gives up what has been tried, or has waited, since before `before`, and is on its way nowhere; how much that is.
///
/// # Errors
/// The update failed.
pub fn end_before(conn: &mut Conn, destination_id: &str, before: i64, why: &str, now: i64) -> Result<usize> {
    let old = deliveries::table
        .filter(deliveries::destination_id.eq(destination_id))
        .filter(deliveries::finished_at.is_null())
        .filter(deliveries::tried_since.lt(before));
    let given_up = (deliveries::status.eq("dead"), deliveries::reason.eq(why), deliveries::finished_at.eq(now));
    Ok(diesel::update(old).set(given_up).execute(conn)?)
}

/// Gives up everything that is still to be told to a destination.
///
/// # Errors
/// An update failed.
pub fn give_up(conn: &mut Conn, destination_id: &str, why: &str, now: i64) -> Result<usize> {
    // Threads first, as in a turn: two that lock in different orders wait for each other.
    let all = threads::table.filter(threads::destination_id.eq(destination_id)).filter(threads::due_at.is_not_null());
    diesel::update(all).set((threads::due_at.eq(None::<i64>), threads::lease.eq(None::<String>))).execute(conn)?;
    let left = deliveries::table.filter(deliveries::destination_id.eq(destination_id)).filter(deliveries::finished_at.is_null());
    let given_up = diesel::update(left)
        .set((deliveries::status.eq("dead"), deliveries::reason.eq(why), deliveries::finished_at.eq(now)))
        .execute(conn)?;
    Ok(given_up)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::id::Kind;
    use crate::store::outbox::read;
    use crate::store::outbox::route::{Plan, write};
    use crate::store::outbox::waiting::{held, unfinished};
    use crate::store::{tenants, testing};
    use crate::time::Timestamp;

    const NOW: i64 = 1_000;

    /// A destination with a thread that is due for each subject, each with one delivery.
    pub(in crate::store::outbox) fn due(conn: &mut Conn, subjects: &[&str]) -> (String, String) {
        let tenant = tenants::ensure(conn, "default", Timestamp(1)).unwrap();
        let destination = testing::plant_destination(conn, &tenant, "ops").id;
        let mut plan = Plan::default();
        for subject in subjects {
            let mut thread = Thread::new(&tenant, &destination, subject, None, None);
            thread.due_at = Some(NOW);
            plan.threads.push(thread);
            plan.deliveries.push(NewDelivery {
                id: id::new(Kind::Delivery),
                tenant_id: tenant.clone(),
                destination_id: destination.clone(),
                subject: (*subject).to_owned(),
                rule_id: None,
                incident_id: None,
                event_id: None,
                event: "incident.triggered",
                message: "{}".to_owned(),
                created_at: NOW,
            });
        }
        write(conn, &plan).unwrap();
        (tenant, destination)
    }

    #[test]
    fn what_a_worker_that_died_may_have_told_is_in_doubt() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let (_, destination) = due(&mut conn, &["a", "b"]);
            let first = claim(&mut conn, &destination, "w1", NOW, NOW + 10, 9).unwrap();
            assert!(first.iter().all(|thread| thread.in_doubt == 0), "nothing was sent before");
            // One came to its end and was given back; the other never.
            let done = first.iter().find(|thread| thread.subject == "a").cloned().unwrap();
            let told = Thread { told_status: Some("triggered".into()), due_at: Some(NOW + 11), ..done };
            give_back(&mut conn, &[Turned { thread: told, lease: "w1".into() }]).unwrap();
            let again = claim(&mut conn, &destination, "w2", NOW + 11, NOW + 20, 9).unwrap();
            let doubts: Vec<(&str, i32)> = again.iter().map(|thread| (thread.subject.as_str(), thread.in_doubt)).collect();
            assert_eq!(doubts, [("b", 1), ("a", 0)]);
            // Who lost its lease changes nothing any more.
            assert_eq!(held(&mut conn, &destination, &["w1"], &["a", "b"]).unwrap(), []);
        }
    }

    #[test]
    fn what_waited_too_long_for_a_destination_comes_to_its_end() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let (tenant, destination) = due(&mut conn, &["a"]);
            assert_eq!(end_before(&mut conn, &destination, NOW, "too long", NOW + 5).unwrap(), 0);
            assert_eq!(end_before(&mut conn, &destination, NOW + 1, "too long", NOW + 5).unwrap(), 1);
            let filter = read::Filter { status: vec!["dead".to_owned()], ..read::Filter::default() };
            let dead = read::dead(&mut conn, &tenant, &filter, 9).unwrap();
            assert_eq!((dead[0].reason.as_deref(), dead[0].finished_at), (Some("too long"), Some(NOW + 5)));
            assert!(unfinished(&mut conn, &destination, &["a"]).unwrap().is_empty());
        }
    }
}
