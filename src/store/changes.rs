//! Change events, read: what was done on purpose. Rows are written by the committer.

use diesel::prelude::*;

use super::numbered::{ChangeId, OptRequestId};
use super::page::{Listed, Page};
use super::schema::changes;
use super::{Conn, Result};
use crate::id;
use crate::time::Timestamp;

/// A change event, as stored; times in microseconds.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = changes)]
pub struct Change {
    /// `chg_…`.
    #[diesel(deserialize_as = ChangeId)]
    pub id: String,
    /// The integration that brought it.
    pub integration_id: String,
    /// The service it is about.
    pub service_id: String,
    /// The request that brought it.
    #[diesel(deserialize_as = OptRequestId)]
    pub request_id: Option<String>,
    /// One line for a human.
    pub summary: String,
    /// What was changed.
    pub source: Option<String>,
    /// JSON: custom_details, links, images.
    pub details: String,
    /// When it happened.
    pub occurred_at: Option<i64>,
    /// When it was received.
    pub received_at: i64,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this integration.
    pub integration_id: Option<String>,
    /// Of this service.
    pub service_id: Option<String>,
    /// Received at this moment or later.
    pub since: Option<Timestamp>,
    /// Received before this moment.
    pub until: Option<Timestamp>,
}

/// By how much the number of a change event may lie behind that of its request, in seconds.
const AFTER_REQUEST: i64 = 600;

/// Whether this request brought change events when it came in.
///
/// # Errors
/// The query failed.
pub fn any_of(conn: &mut Conn, request_id: &str) -> Result<bool> {
    let request = id::number(request_id);
    let until = id::floor(id::made_at(request).plus_seconds(AFTER_REQUEST));
    let count: i64 = changes::table
        .filter(changes::id.between(request, until))
        .filter(changes::request_id.eq(request))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}

/// The change events of a tenant, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, filter: &Filter, page: &Page) -> Result<Listed<Change>> {
    let mut query = changes::table.filter(changes::tenant_id.eq(tenant_id)).select(Change::as_select()).into_boxed();
    if let Some(integration_id) = &filter.integration_id {
        query = query.filter(changes::integration_id.eq(integration_id));
    }
    if let Some(service_id) = &filter.service_id {
        query = query.filter(changes::service_id.eq(service_id));
    }
    if let Some(since) = filter.since {
        query = query.filter(changes::received_at.ge(since.0));
    }
    if let Some(until) = filter.until {
        query = query.filter(changes::received_at.lt(until.0));
    }
    if let Some(before) = &page.before {
        query = query.filter(changes::id.lt(id::number(before)));
    }
    let rows = query.order(changes::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}
