//! Incidents, read. Rows are written by the committer.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use super::numbered::{EventId, IncidentId, OptIncidentId};
use super::page::{Listed, Page, containing};
use super::schema::{incidents, outbox, threads};
use super::{Conn, Result, lower};
use crate::id;
use crate::incident::Status;
use crate::time::Timestamp;

/// An incident, as stored; times in microseconds.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = incidents)]
pub struct Incident {
    /// `inc_…`.
    #[diesel(deserialize_as = IncidentId)]
    pub id: String,
    /// Its number, for people; rises, with gaps.
    pub number: i64,
    /// The service it belongs to.
    pub service_id: String,
    /// The integration that opened it.
    pub integration_id: String,
    /// Which problem it is about.
    pub dedup_key: String,
    /// Where it stands.
    pub status: String,
    /// The newest summary.
    pub title: String,
    /// The first summary, where it is not the title.
    pub first_summary: Option<String>,
    /// The worst severity so far.
    pub severity: String,
    /// What is affected.
    pub source: String,
    /// What else is shown, JSON.
    pub shown: String,
    /// Triggers so far.
    pub event_count: i64,
    /// When the first trigger was received.
    pub first_seen: i64,
    /// When the newest trigger was received.
    pub last_seen: i64,
    /// When it was acknowledged.
    pub acknowledged_at: Option<i64>,
    /// By whom.
    pub acknowledged_by: Option<String>,
    /// When it was resolved.
    pub resolved_at: Option<i64>,
    /// By whom.
    pub resolved_by: Option<String>,
    /// The incident of the same key before.
    #[diesel(deserialize_as = OptIncidentId)]
    pub previous_incident_id: Option<String>,
    /// The newest event of its timeline.
    #[diesel(deserialize_as = EventId)]
    pub last_event_id: String,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this number.
    pub number: Option<i64>,
    /// In any of these; empty: in all.
    pub status: Vec<Status>,
    /// Of this integration.
    pub integration_id: Option<String>,
    /// Of this service.
    pub service_id: Option<String>,
    /// Of this key.
    pub dedup_key: Option<String>,
    /// Of this severity.
    pub severity: Option<String>,
    /// Whose title, key or source contains this, in either case.
    pub q: Option<String>,
    /// First seen at this moment or later.
    pub since: Option<Timestamp>,
    /// First seen before this moment.
    pub until: Option<Timestamp>,
    /// Of which no rule has told anybody, as far as is known: those that are open, or were first seen at this moment or later.
    pub unrouted_since: Option<Timestamp>,
}

impl Filter {
    /// Whether only open incidents can match.
    fn open_only(&self) -> bool {
        !self.status.is_empty() && !self.status.contains(&Status::Resolved)
    }
}

/// The incidents of a tenant, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, filter: &Filter, page: &Page) -> Result<Listed<Incident>> {
    let mut query = in_state(tenant_id, filter);
    query = by_field(query, filter);
    if let Some(since) = filter.unrouted_since {
        let told =
            threads::table.filter(threads::incident_id.eq(incidents::id.nullable())).filter(threads::rule_id.is_not_null());
        let noted = outbox::table.filter(outbox::incident_id.eq(incidents::id.nullable()));
        query = query.filter(incidents::open_key.is_not_null().or(incidents::first_seen.ge(since.0)));
        query = query.filter(not(exists(told))).filter(not(exists(noted)));
    }
    if let Some(before) = &page.before {
        query = query.filter(incidents::id.lt(id::number(before)));
    }
    let rows = query.select(Incident::as_select()).order(incidents::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

type Query<'a> = incidents::BoxedQuery<'a, <Conn as Connection>::Backend>;

/// Where only open ones are wanted the query says so in the words of the partial index.
fn in_state<'a>(tenant_id: &'a str, filter: &'a Filter) -> Query<'a> {
    let mut query = incidents::table.filter(incidents::tenant_id.eq(tenant_id)).into_boxed();
    if filter.open_only() {
        query = query.filter(incidents::open_key.is_not_null());
        if let Some(dedup_key) = &filter.dedup_key {
            query = query.filter(incidents::open_key.eq(dedup_key));
        }
    }
    if !filter.status.is_empty() {
        let words: Vec<&str> = filter.status.iter().map(|status| status.as_str()).collect();
        query = query.filter(incidents::status.eq_any(words));
    }
    query
}

fn by_field<'a>(mut query: Query<'a>, filter: &'a Filter) -> Query<'a> {
    if let Some(number) = filter.number {
        query = query.filter(incidents::number.eq(number));
    }
    if let Some(integration_id) = &filter.integration_id {
        query = query.filter(incidents::integration_id.eq(integration_id));
    }
    if let Some(service_id) = &filter.service_id {
        query = query.filter(incidents::service_id.eq(service_id));
    }
    if let Some(dedup_key) = &filter.dedup_key {
        query = query.filter(incidents::dedup_key.eq(dedup_key));
    }
    if let Some(severity) = &filter.severity {
        query = query.filter(incidents::severity.eq(severity));
    }
    if let Some(needle) = &filter.q {
        let like = lower(containing(needle));
        query = query.filter(
            lower(incidents::title)
                .like(like.clone())
                .escape('\\')
                .or(lower(incidents::dedup_key).like(like.clone()).escape('\\'))
                .or(lower(incidents::source).like(like).escape('\\')),
        );
    }
    if let Some(since) = filter.since {
        query = query.filter(incidents::first_seen.ge(since.0));
    }
    if let Some(until) = filter.until {
        query = query.filter(incidents::first_seen.lt(until.0));
    }
    query
}

/// The incident with this id.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Incident>> {
    Ok(incidents::table
        .filter(incidents::tenant_id.eq(tenant_id))
        .filter(incidents::id.eq(id::number(id)))
        .select(Incident::as_select())
        .first(conn)
        .optional()?)
}
