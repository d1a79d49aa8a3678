//! Deliveries, and what they tell of, as they are asked for.

use std::collections::{HashMap, HashSet};

use diesel::dsl::{count_star, min, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::rows::{Attempted, Breaker, Delivery, Thread};
use crate::id;
use crate::store::page::{Listed, Page};
use crate::store::schema::{attempts, breakers, changes, deliveries, incidents, outbox, threads};
use crate::store::{Conn, Result, changes::Change, incidents::Incident};
use crate::time::Timestamp;

/// What a list of deliveries is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In any of these; empty: in all.
    pub status: Vec<String>,
    /// To this destination.
    pub destination_id: Option<String>,
    /// By this rule.
    pub rule_id: Option<String>,
    /// About this incident.
    pub incident_id: Option<String>,
    /// Made at this moment or later.
    pub since: Option<Timestamp>,
    /// Made before this moment.
    pub until: Option<Timestamp>,
}

type Query<'a> = deliveries::BoxedQuery<'a, <Conn as Connection>::Backend>;

/// In the words of the partial index, which a plan that is made without knowing its parameters finds only by them.
fn is_dead() -> SqlLiteral<Bool> {
    sql("deliveries.status = 'dead'")
}

fn narrowed<'a>(tenant_id: &'a str, filter: &'a Filter) -> Query<'a> {
    let mut query = deliveries::table.filter(deliveries::tenant_id.eq(tenant_id)).into_boxed();
    if filter.status == ["dead"] {
        query = query.filter(is_dead());
    } else if !filter.status.is_empty() {
        query = query.filter(deliveries::status.eq_any(&filter.status));
    }
    if let Some(destination_id) = &filter.destination_id {
        query = query.filter(deliveries::destination_id.eq(destination_id));
    }
    if let Some(rule_id) = &filter.rule_id {
        query = query.filter(deliveries::rule_id.eq(rule_id));
    }
    if let Some(incident_id) = &filter.incident_id {
        query = query.filter(deliveries::incident_id.eq(id::number(incident_id)));
    }
    if let Some(since) = filter.since {
        query = query.filter(deliveries::created_at.ge(since.0));
    }
    if let Some(until) = filter.until {
        query = query.filter(deliveries::created_at.lt(until.0));
    }
    query
}

/// The deliveries of a tenant, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, filter: &Filter, page: &Page) -> Result<Listed<Delivery>> {
    let mut query = narrowed(tenant_id, filter);
    if let Some(before) = &page.before {
        query = query.filter(deliveries::id.lt(id::number(before)));
    }
    let rows = query.select(Delivery::as_select()).order(deliveries::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

/// The delivery with this id.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Delivery>> {
    let of = deliveries::table.filter(deliveries::tenant_id.eq(tenant_id)).filter(deliveries::id.eq(id::number(id)));
    Ok(of.select(Delivery::as_select()).first(conn).optional()?)
}

/// The oldest dead letters that a filter leaves, at most `limit`.
///
/// # Errors
/// The query failed.
pub fn dead(conn: &mut Conn, tenant_id: &str, filter: &Filter, limit: i64) -> Result<Vec<Delivery>> {
    let query = narrowed(tenant_id, filter).filter(is_dead());
    Ok(query.select(Delivery::as_select()).order(deliveries::id).limit(limit).load(conn)?)
}

/// A delivery, as far as what comes after it depends on it.
#[derive(Queryable, Clone, Debug)]
pub struct Standing {
    /// Where it went.
    pub destination_id: String,
    /// What it told.
    pub event: String,
    /// Where it stands.
    pub status: String,
    /// When it was made.
    pub created_at: i64,
}

/// Where the deliveries about an incident stand.
///
/// # Errors
/// The query failed.
pub fn told(conn: &mut Conn, incident: i64) -> Result<Vec<Standing>> {
    let of = deliveries::table.filter(deliveries::incident_id.eq(incident)).filter(deliveries::incident_id.is_not_null());
    let columns = (deliveries::destination_id, deliveries::event, deliveries::status, deliveries::created_at);
    Ok(of.select(columns).order(deliveries::id).load(conn)?)
}

/// The attempts of a delivery, the first one first.
///
/// # Errors
/// The query failed.
pub fn attempts(conn: &mut Conn, id: &str) -> Result<Vec<Attempted>> {
    let of = attempts::table.filter(attempts::delivery_id.eq(id::number(id)));
    Ok(of.select(Attempted::as_select()).order(attempts::number).load(conn)?)
}

/// One subject at one destination.
///
/// # Errors
/// The query failed.
pub fn thread(conn: &mut Conn, destination_id: &str, subject: &str) -> Result<Option<Thread>> {
    Ok(threads::table.find((destination_id, subject)).select(Thread::as_select()).first(conn).optional()?)
}

/// How the receivers of these destinations are doing; one that was never told anything is not among them.
///
/// # Errors
/// The query failed.
pub fn breakers(conn: &mut Conn, destinations: &[&str]) -> Result<Vec<Breaker>> {
    Ok(breakers::table.filter(breakers::destination_id.eq_any(destinations)).select(Breaker::as_select()).load(conn)?)
}

/// What waits for a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Queue {
    /// Deliveries that have not come to their end.
    pub deliveries: i64,
    /// When the oldest of them was made, in microseconds.
    pub oldest: Option<i64>,
    /// Incidents that are on hold there.
    pub held: i64,
}

/// What waits for these destinations; one for which nothing does is not among them.
///
/// # Errors
/// A query failed.
pub fn queues(conn: &mut Conn, destinations: &[&str]) -> Result<HashMap<String, Queue>> {
    let mut queues: HashMap<String, Queue> = HashMap::new();
    let left =
        deliveries::table.filter(deliveries::destination_id.eq_any(destinations)).filter(deliveries::finished_at.is_null());
    let left = left.group_by(deliveries::destination_id);
    let left: Vec<(String, i64, Option<i64>)> =
        left.select((deliveries::destination_id, count_star(), min(deliveries::created_at))).load(conn)?;
    for (id, deliveries, oldest) in left {
        queues.insert(id, Queue { deliveries, oldest, held: 0 });
    }
    let held = threads::table.filter(threads::destination_id.eq_any(destinations)).filter(threads::held_until.is_not_null());
    let held = held.group_by(threads::destination_id).select((threads::destination_id, count_star()));
    for (id, held) in held.load::<(String, i64)>(conn)? {
        queues.entry(id).or_default().held = held;
    }
    Ok(queues)
}

/// The newest deliveries about an incident, at most `limit`; the oldest of them first.
///
/// # Errors
/// The query failed.
pub fn about(conn: &mut Conn, incident: i64, limit: i64) -> Result<Vec<Delivery>> {
    let of = deliveries::table.filter(deliveries::incident_id.eq(incident)).filter(deliveries::incident_id.is_not_null());
    let mut rows: Vec<Delivery> = of.select(Delivery::as_select()).order(deliveries::id.desc()).limit(limit).load(conn)?;
    rows.reverse();
    Ok(rows)
}

/// The deliveries about an incident that these events caused, in order.
///
/// # Errors
/// The query failed.
pub fn caused(conn: &mut Conn, incident: i64, events: &[i64]) -> Result<Vec<Delivery>> {
    let of = deliveries::table.filter(deliveries::incident_id.eq(incident)).filter(deliveries::incident_id.is_not_null());
    Ok(of.filter(deliveries::event_id.eq_any(events)).select(Delivery::as_select()).order(deliveries::id).load(conn)?)
}

/// Those of these incidents of which a rule has told somebody, or may yet: what happened is still to be looked at.
///
/// # Errors
/// A query failed.
pub fn routed(conn: &mut Conn, incidents: &[i64]) -> Result<HashSet<i64>> {
    let told = threads::table.filter(threads::incident_id.eq_any(incidents)).filter(threads::incident_id.is_not_null());
    let told: Vec<Option<i64>> =
        told.filter(threads::rule_id.is_not_null()).select(threads::incident_id).distinct().load(conn)?;
    let noted: Vec<Option<i64>> =
        outbox::table.filter(outbox::incident_id.eq_any(incidents)).select(outbox::incident_id).load(conn)?;
    Ok(told.into_iter().chain(noted).flatten().collect())
}

/// Deliveries to a destination that have not come to their end.
///
/// # Errors
/// The query failed.
pub fn waiting(conn: &mut Conn, destination_id: &str) -> Result<i64> {
    let of = deliveries::table.filter(deliveries::destination_id.eq(destination_id)).filter(deliveries::finished_at.is_null());
    Ok(of.count().get_result(conn)?)
}

/// How many dead letters there are, and when the oldest delivery that has not come to its end was made.
///
/// # Errors
/// A query failed.
pub fn standing(conn: &mut Conn) -> Result<(i64, Option<i64>)> {
    let dead = deliveries::table.filter(is_dead()).count().get_result(conn)?;
    let oldest = deliveries::table.filter(deliveries::finished_at.is_null()).select(diesel::dsl::min(deliveries::created_at));
    Ok((dead, oldest.first(conn)?))
}

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
