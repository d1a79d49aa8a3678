//! Who changed what, and when; written in the transaction of the change. Only ever added to.

use diesel::prelude::*;
use serde_json::Value;

use super::page::{Listed, Page};
use super::schema::audit;
use super::{Conn, Result};
use crate::id;
use crate::time::Timestamp;

/// A change, as it is recorded. `before` and `after` never hold a secret.
#[derive(Debug)]
pub struct Record<'a> {
    /// The tenant.
    pub tenant_id: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// What was done: `integration.created`.
    pub action: &'a str,
    /// What kind of thing it was done to: `integration`.
    pub object_type: &'a str,
    /// To which one.
    pub object_id: &'a str,
    /// As it was; `None` for what is new.
    pub before: Option<&'a Value>,
    /// As it is; `None` for what is gone.
    pub after: Option<&'a Value>,
}

/// An entry, as stored.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = audit)]
pub struct Entry {
    /// `aud_…`.
    pub id: String,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What kind of thing it was done to.
    pub object_type: String,
    /// To which one.
    pub object_id: String,
    /// As it was, JSON.
    pub before: Option<String>,
    /// As it is, JSON.
    pub after: Option<String>,
    /// When, in microseconds.
    pub created_at: i64,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// By whom.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// To what kind of thing.
    pub object_type: Option<String>,
    /// To which one.
    pub object_id: Option<String>,
}

/// Records a change; a failure must fail the change.
///
/// # Errors
/// The insert failed.
pub fn record(conn: &mut Conn, record: &Record<'_>, now: Timestamp) -> Result<()> {
    diesel::insert_into(audit::table)
        .values((
            audit::id.eq(id::new(id::Kind::Audit)),
            audit::tenant_id.eq(record.tenant_id),
            audit::actor.eq(record.actor),
            audit::action.eq(record.action),
            audit::object_type.eq(record.object_type),
            audit::object_id.eq(record.object_id),
            audit::before.eq(record.before.map(Value::to_string)),
            audit::after.eq(record.after.map(Value::to_string)),
            audit::created_at.eq(now.0),
        ))
        .execute(conn)?;
    Ok(())
}

/// The entries of a tenant, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, filter: &Filter, page: &Page) -> Result<Listed<Entry>> {
    let mut query = audit::table.filter(audit::tenant_id.eq(tenant_id)).select(Entry::as_select()).into_boxed();
    if let Some(actor) = &filter.actor {
        query = query.filter(audit::actor.eq(actor));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit::action.eq(action));
    }
    if let Some(object_type) = &filter.object_type {
        query = query.filter(audit::object_type.eq(object_type));
    }
    if let Some(object_id) = &filter.object_id {
        query = query.filter(audit::object_id.eq(object_id));
    }
    if let Some(before) = &page.before {
        query = query.filter(audit::id.lt(before));
    }
    let rows = query.order(audit::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}
