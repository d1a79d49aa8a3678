//! What the router reads and writes.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::{QueryableByName, sql_query};

use super::rows::{NewDelivery, Page, Thread, Watch};
use super::{insert, update};
use crate::id;
use crate::store::schema::{outbox, pages, threads, watches};
use crate::store::{Conn, Result};

/// The advisory lock of the one router ("router" in ASCII): it keeps the order of what happened.
const LOCK: i64 = 0x726f_7574_6572;

/// Something that the outside world must be told.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = outbox)]
pub struct Notice {
    /// Its number: the order.
    pub id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// What happened.
    pub event: String,
    /// The incident.
    pub incident_id: Option<i64>,
    /// The change event.
    pub change_id: Option<i64>,
    /// The event that caused it.
    pub event_id: Option<i64>,
    /// When.
    pub created_at: i64,
    /// How severe the incident was then: it may be worse by now, which is another notice.
    pub severity: Option<String>,
}

/// All that one turn of the router writes.
#[derive(Debug, Default)]
pub struct Plan {
    /// Deliveries, in order.
    pub deliveries: Vec<NewDelivery>,
    /// Threads that are new or have something to do.
    pub threads: Vec<Thread>,
    /// Pages of rules with a dedupe window.
    pub pages: Vec<Page>,
    /// Incidents to look at again; they replace what there was.
    pub watches: Vec<Watch>,
    /// Incidents that a rule begins to look at again; what it has done there already stays done.
    pub begun: Vec<Watch>,
    /// Those that are over: rule and incident.
    pub unwatched: Vec<(String, i64)>,
    /// Incidents that are over, and not looked at again by any rule.
    pub over: Vec<i64>,
    /// Notices that are dealt with.
    pub done: Vec<i64>,
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Bool)]
    locked: bool,
}

/// Becomes the router of this database for as long as the connection lives; whether that place was free.
///
/// # Errors
/// The query failed.
pub fn lead(conn: &mut Conn) -> Result<bool> {
    let Conn::Pg(conn) = conn else { return Ok(true) };
    let locked: Vec<Locked> = sql_query(format!("SELECT pg_try_advisory_lock({LOCK}) AS locked")).load(conn)?;
    Ok(locked.iter().all(|row| row.locked))
}

/// The oldest notices, in order.
///
/// # Errors
/// The query failed.
pub fn notices(conn: &mut Conn, limit: i64) -> Result<Vec<Notice>> {
    Ok(outbox::table.select(Notice::as_select()).order(outbox::id).limit(limit).load(conn)?)
}

/// The threads of these incidents.
///
/// # Errors
/// The query failed.
pub fn threads_of(conn: &mut Conn, incidents: &[i64]) -> Result<Vec<Thread>> {
    let of = threads::table.filter(threads::incident_id.eq_any(incidents)).filter(threads::incident_id.is_not_null());
    Ok(of.select(Thread::as_select()).load(conn)?)
}

/// Threads whose hold is over and that no worker has, locked on PostgreSQL.
///
/// # Errors
/// The query failed.
pub fn held_until(conn: &mut Conn, now: i64, limit: i64) -> Result<Vec<Thread>> {
    let over = threads::table
        .filter(threads::held_until.le(now))
        .filter(threads::held_until.is_not_null())
        .filter(threads::lease.is_null().or(threads::due_at.le(now)))
        .order(threads::held_until)
        .limit(limit)
        .select(threads::all_columns);
    Ok(match conn {
        Conn::Sqlite(conn) => over.load(conn)?,
        Conn::Pg(conn) => over.for_update().load(conn)?,
    })
}

/// Ends holds.
///
/// # Errors
/// A statement failed.
pub fn settled(conn: &mut Conn, rows: &[Thread]) -> Result<()> {
    update!(conn, "threads SET held_until = NULL, held_by = NULL, lease = NULL, due_at = v.column3, updated_at = v.column4",
        "(column1, column2, column3, column4)", rows, |row| [
        Text: row.destination_id.as_str(), Text: row.subject.as_str(), OptInt: row.due_at, Int: row.updated_at,
    ], "threads.destination_id = v.column1 AND threads.subject = v.column2");
    Ok(())
}

/// When the next hold ends.
///
/// # Errors
/// The query failed.
pub fn next_hold(conn: &mut Conn) -> Result<Option<i64>> {
    let held = threads::table.filter(threads::held_until.is_not_null());
    Ok(held.select(diesel::dsl::min(threads::held_until)).first(conn)?)
}

/// When a rule last paged for a key.
///
/// # Errors
/// The query failed.
pub fn paged_at(conn: &mut Conn, rule_id: &str, integration_id: &str, dedup_key: &str) -> Result<Option<i64>> {
    let key = (rule_id, integration_id, dedup_key);
    Ok(pages::table.find(key).select(pages::paged_at).first(conn).optional()?)
}

/// The watches that are due, the oldest first.
///
/// # Errors
/// The query failed.
pub fn watches_due(conn: &mut Conn, now: i64, limit: i64) -> Result<Vec<Watch>> {
    let due = watches::table.filter(watches::due_at.le(now)).order(watches::due_at).limit(limit);
    Ok(due.select(Watch::as_select()).load(conn)?)
}

/// Has an incident looked at again by its rules at once: what became of a delivery may be for them to know.
///
/// # Errors
/// The update failed.
pub fn look_again(conn: &mut Conn, incidents: &[i64], now: i64) -> Result<()> {
    let of = watches::table.filter(watches::incident_id.eq_any(incidents)).filter(watches::due_at.gt(now));
    diesel::update(of).set(watches::due_at.eq(now)).execute(conn)?;
    Ok(())
}

/// When the next watch is due.
///
/// # Errors
/// The query failed.
pub fn next_watch(conn: &mut Conn) -> Result<Option<i64>> {
    Ok(watches::table.select(diesel::dsl::min(watches::due_at)).first(conn)?)
}

/// Writes a plan; inside a transaction.
///
/// # Errors
/// A statement failed; nothing of the plan may then be committed.
pub fn write(conn: &mut Conn, plan: &Plan) -> Result<()> {
    insert!(conn, "deliveries (id, tenant_id, destination_id, subject, rule_id, incident_id, event_id, event, status, reason, message, \
         attempts, failures, created_at, tried_since, finished_at)", &plan.deliveries, |row| [
        Int: id::number(&row.id), Text: row.tenant_id.as_str(), Text: row.destination_id.as_str(), Text: row.subject.as_str(),
        OptText: row.rule_id.as_deref(), OptInt: row.incident_id, OptInt: row.event_id, Text: row.event, Text: "pending",
        OptText: None, Text: row.message.as_str(), Int: 0, Int: 0, Int: row.created_at, Int: row.created_at, OptInt: None,
    ], "");
    // A thread that a worker has, or that waits for its next attempt, keeps its time.
    insert!(conn, "threads (destination_id, subject, tenant_id, incident_id, rule_id, wants, due_at, held_until, held_by, updated_at)",
        &plan.threads, |row| [
        Text: row.destination_id.as_str(), Text: row.subject.as_str(), Text: row.tenant_id.as_str(), OptInt: row.incident_id,
        OptText: row.rule_id.as_deref(), Text: row.wants.as_str(), OptInt: row.due_at, OptInt: row.held_until,
        OptText: row.held_by.as_deref(), Int: row.updated_at,
    ], "ON CONFLICT (destination_id, subject) DO UPDATE SET wants = excluded.wants, \
         due_at = COALESCE(threads.due_at, excluded.due_at), held_until = excluded.held_until, held_by = excluded.held_by, \
         updated_at = excluded.updated_at");
    // A key once in a statement, the last one of it: PostgreSQL takes no row twice in one that updates.
    let key = |page: &Page| (page.rule_id.clone(), page.integration_id.clone(), page.dedup_key.clone());
    let pages: BTreeMap<_, _> = plan.pages.iter().map(|page| (key(page), page)).collect();
    let pages: Vec<&Page> = pages.into_values().collect();
    insert!(conn, "pages (rule_id, integration_id, dedup_key, paged_at)", &pages, |row| [
        Text: row.rule_id.as_str(), Text: row.integration_id.as_str(), Text: row.dedup_key.as_str(), Int: row.paged_at,
    ], "ON CONFLICT (rule_id, integration_id, dedup_key) DO UPDATE SET paged_at = excluded.paged_at");
    let begun = begun(conn, &plan.begun)?;
    let watched = begun.iter().chain(&plan.watches);
    let watched: BTreeMap<_, _> = watched.map(|watch| ((watch.rule_id.as_str(), watch.incident_id), watch)).collect();
    let watched: Vec<&Watch> = watched.into_values().collect();
    insert!(conn, "watches (rule_id, incident_id, tenant_id, started_at, due_at, state)", &watched, |row| [
        Text: row.rule_id.as_str(), Int: row.incident_id, Text: row.tenant_id.as_str(), Int: row.started_at, Int: row.due_at,
        Text: row.state.as_str(),
    ], "ON CONFLICT (rule_id, incident_id) DO UPDATE SET started_at = excluded.started_at, due_at = excluded.due_at, \
         state = excluded.state");
    for (rule_id, incident_id) in &plan.unwatched {
        diesel::delete(watches::table.find((rule_id, incident_id))).execute(conn)?;
    }
    for over in plan.over.chunks(500) {
        diesel::delete(watches::table.filter(watches::incident_id.eq_any(over))).execute(conn)?;
    }
    for done in plan.done.chunks(500) {
        diesel::delete(outbox::table.filter(outbox::id.eq_any(done))).execute(conn)?;
    }
    Ok(())
}

/// What is news of these, with what was done already: a page that a rule has paged before begins nothing anew.
fn begun(conn: &mut Conn, begun: &[Watch]) -> Result<Vec<Watch>> {
    let mut news: Vec<Watch> = Vec::new();
    for watch in begun {
        let same = |other: &&Watch| other.rule_id == watch.rule_id && other.incident_id == watch.incident_id;
        let before = match news.iter().rfind(same) {
            Some(earlier) => Some(earlier.done()),
            None => {
                let known = watches::table.find((&watch.rule_id, watch.incident_id)).select(Watch::as_select());
                known.first(conn).optional()?.map(|known| known.done())
            }
        };
        let mut done = watch.done();
        if before.as_ref().is_none_or(|before| !done.is_subset(before)) {
            done.extend(before.unwrap_or_default());
            let mut watch = watch.clone();
            watch.set_done(&done);
            news.push(watch);
        }
    }
    Ok(news)
}
