//! The ledger, read: what was posted, and what became of it. Rows are written by the committer.

use diesel::prelude::*;

use super::body::unpacked;
use super::numbered::{OptEventId, RequestId};
use super::page::{Listed, Page, containing};
use super::schema::{events, requests};
use super::{Conn, Result, coalesce, lower};
use crate::id;
use crate::time::Timestamp;

/// A row without what may be large.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = requests)]
pub struct Summary {
    /// `req_…`.
    #[diesel(deserialize_as = RequestId)]
    pub id: String,
    /// The integration, where one was found.
    pub integration_id: Option<String>,
    /// The route's pattern.
    pub route: String,
    /// What was decided.
    pub verdict: String,
    /// The HTTP status that was answered.
    pub status: i32,
    /// When, in microseconds.
    pub received_at: i64,
    /// Why, where there is something to say.
    pub message: Option<String>,
    /// The first event it made.
    #[diesel(deserialize_as = OptEventId)]
    pub first_event_id: Option<String>,
    /// The last event it made, where that is another one.
    #[diesel(deserialize_as = OptEventId)]
    pub last_event_id: Option<String>,
    /// When retention dropped its body, in microseconds.
    pub body_dropped_at: Option<i64>,
}

/// What may be large.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = requests)]
pub struct Content {
    /// The header fields, JSON, credentials redacted.
    pub headers: String,
    /// The query string, credentials redacted.
    pub query: String,
    /// Method and path below the integration's URL; `None` for a POST to the integration itself.
    pub target: Option<String>,
    /// The body as received; empty also where it was dropped.
    pub body: Vec<u8>,
    /// How it is packed in the row; here it never is.
    body_encoding: Option<String>,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this integration.
    pub integration_id: Option<String>,
    /// With this verdict.
    pub verdict: Option<String>,
    /// Whose route or message contains this, in either case, or whose id it is.
    pub q: Option<String>,
    /// That made an event with this outcome.
    pub outcome: Option<String>,
    /// Received at this moment or later.
    pub since: Option<Timestamp>,
    /// Received before this moment.
    pub until: Option<Timestamp>,
}

/// By how much a row's number, which is made when its head is read, may lie before its receive time, in seconds.
const HEAD_BEFORE_BODY: i64 = 600;

/// The rows of a tenant, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, filter: &Filter, page: &Page) -> Result<Listed<Summary>> {
    let mut query = narrowed(tenant_id, filter);
    if let Some(before) = &page.before {
        query = query.filter(requests::id.lt(id::number(before)));
    }
    let rows = query.select(Summary::as_select()).order(requests::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

/// The rows of a tenant in the order in which they came, from the one after `after` on, at most `limit`; where `ids` are given,
/// only of those.
///
/// # Errors
/// The query failed.
pub fn oldest(
    conn: &mut Conn,
    tenant_id: &str,
    filter: &Filter,
    ids: Option<&[String]>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Summary>> {
    let mut query = narrowed(tenant_id, filter);
    if let Some(ids) = ids {
        let numbers: Vec<i64> = ids.iter().map(|id| id::number(id)).collect();
        query = query.filter(requests::id.eq_any(numbers));
    }
    if let Some(after) = after {
        query = query.filter(requests::id.gt(id::number(after)));
    }
    Ok(query.select(Summary::as_select()).order(requests::id.asc()).limit(limit).load(conn)?)
}

type Query<'a> = requests::BoxedQuery<'a, <Conn as Connection>::Backend>;

fn narrowed<'a>(tenant_id: &'a str, filter: &'a Filter) -> Query<'a> {
    let mut query = requests::table.filter(requests::tenant_id.eq(tenant_id)).into_boxed();
    if let Some(integration_id) = &filter.integration_id {
        query = query.filter(requests::integration_id.eq(integration_id));
    }
    if let Some(verdict) = &filter.verdict {
        query = query.filter(requests::verdict.eq(verdict));
    }
    if let Some(needle) = &filter.q {
        let pattern = lower(containing(needle));
        query = query.filter(
            requests::id.eq(id::number(needle)).or(lower(requests::route).like(pattern.clone()).escape('\\')).or(lower(
                requests::message.assume_not_null(),
            )
            .like(pattern)
            .escape('\\')),
        );
    }
    if let Some(outcome) = &filter.outcome {
        let last = coalesce(requests::last_event_id, requests::first_event_id);
        let made = events::table
            .filter(events::id.nullable().ge(requests::first_event_id))
            .filter(events::id.nullable().le(last))
            .filter(events::request_id.eq(requests::id.nullable()))
            .filter(events::outcome.eq(outcome));
        query = query.filter(diesel::dsl::exists(made));
    }
    if let Some(since) = filter.since {
        let floor = id::floor(since.plus_seconds(-HEAD_BEFORE_BODY));
        query = query.filter(requests::id.ge(floor)).filter(requests::received_at.ge(since.0));
    }
    if let Some(until) = filter.until {
        query = query.filter(requests::received_at.lt(until.0));
    }
    query
}

/// One row, whole.
///
/// # Errors
/// The query failed, or the body in the row is damaged.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<(Summary, Content)>> {
    let row: Option<(Summary, Content)> = requests::table
        .filter(requests::tenant_id.eq(tenant_id))
        .filter(requests::id.eq(id::number(id)))
        .select((Summary::as_select(), Content::as_select()))
        .first(conn)
        .optional()?;
    row.map(|(summary, mut content)| {
        content.body = unpacked(content.body, content.body_encoding.take().as_deref())?;
        Ok((summary, content))
    })
    .transpose()
}

/// One row without what may be large.
///
/// # Errors
/// The query failed.
pub fn summary(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Summary>> {
    Ok(requests::table
        .filter(requests::tenant_id.eq(tenant_id))
        .filter(requests::id.eq(id::number(id)))
        .select(Summary::as_select())
        .first(conn)
        .optional()?)
}
