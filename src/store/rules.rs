//! Rules: what is told to which destinations. Deleted ones stay, so that what was delivered by them can be read.

use diesel::prelude::*;

use super::page::{Listed, Page};
use super::schema::rules;
use super::{Conn, Result};
use crate::time::Timestamp;

/// A rule, as stored; times in microseconds.
#[derive(Queryable, Selectable, Insertable, Debug, Clone)]
#[diesel(table_name = rules)]
pub struct Rule {
    /// `rul_…`.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant_id: String,
    /// Its name.
    pub name: String,
    /// The name while it lives; unique in its tenant.
    pub live_name: Option<String>,
    /// JSON: what it matches and whom it tells, by ids.
    pub definition: String,
    /// 1: it counts.
    pub enabled: i32,
    /// The destination that it was made with.
    pub made_for: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
    /// When it was deleted.
    pub deleted_at: Option<i64>,
}

/// What can be changed, with the values to hold afterwards.
#[derive(AsChangeset, Debug, Clone)]
#[diesel(table_name = rules, treat_none_as_null = true)]
struct Changes<'a> {
    name: &'a str,
    live_name: Option<&'a str>,
    definition: &'a str,
    enabled: i32,
    updated_at: i64,
    deleted_at: Option<i64>,
}

/// Stores a new rule.
///
/// # Errors
/// [`super::StoreError::Conflict`] when the name is taken; or the insert failed.
pub fn insert(conn: &mut Conn, rule: &Rule) -> Result<()> {
    diesel::insert_into(rules::table).values(rule).execute(conn)?;
    Ok(())
}

/// Writes everything that can be changed of a rule; `updated_at` becomes `now`.
///
/// # Errors
/// As [`insert`].
pub fn update(conn: &mut Conn, rule: &Rule, now: Timestamp) -> Result<()> {
    let changes = Changes {
        name: &rule.name,
        live_name: rule.live_name.as_deref(),
        definition: &rule.definition,
        enabled: rule.enabled,
        updated_at: now.0,
        deleted_at: rule.deleted_at,
    };
    let row = rules::table.filter(rules::tenant_id.eq(&rule.tenant_id)).filter(rules::id.eq(&rule.id));
    diesel::update(row).set(changes).execute(conn)?;
    Ok(())
}

/// The living rule with this id.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Rule>> {
    Ok(rules::table
        .filter(rules::tenant_id.eq(tenant_id))
        .filter(rules::id.eq(id))
        .filter(rules::deleted_at.is_null())
        .select(Rule::as_select())
        .first(conn)
        .optional()?)
}

/// The living rule of this name.
///
/// # Errors
/// The query failed.
pub fn find_by_name(conn: &mut Conn, tenant_id: &str, name: &str) -> Result<Option<Rule>> {
    Ok(rules::table
        .filter(rules::tenant_id.eq(tenant_id))
        .filter(rules::live_name.eq(name))
        .select(Rule::as_select())
        .first(conn)
        .optional()?)
}

/// The living rules of a tenant, newest first; with `name`, the one of that name.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, name: Option<&str>, page: &Page) -> Result<Listed<Rule>> {
    let mut query = rules::table
        .filter(rules::tenant_id.eq(tenant_id))
        .filter(rules::deleted_at.is_null())
        .select(Rule::as_select())
        .into_boxed();
    if let Some(name) = name {
        query = query.filter(rules::name.eq(name.to_owned()));
    }
    if let Some(before) = &page.before {
        query = query.filter(rules::id.lt(before));
    }
    let rows = query.order(rules::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}
