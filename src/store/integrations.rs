//! Integrations: the configured tools of a tenant. Deleted ones stay, so that late requests are recognised.

mod made;

use std::collections::HashMap;

use diesel::prelude::*;

use super::page::{Listed, Page};
use super::schema::{incidents, integrations, refusals};
use super::{Conn, Result};
use crate::provider;
use crate::time::{SECOND, Timestamp};

pub use made::{create_demo, insert_built_in};

/// Requests a minute that an integration may send unless it is set otherwise.
pub const RATE_LIMIT_DEFAULT: i64 = 120;

/// An integration, as stored; times in microseconds, timers in seconds.
#[derive(Queryable, Selectable, Insertable, Debug, Clone)]
#[diesel(table_name = integrations)]
pub struct Integration {
    /// `int_…`.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant_id: String,
    /// The service whose incidents it opens.
    pub service_id: String,
    /// Its type.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The name while it lives, and is not built in; unique in its tenant.
    pub live_name: Option<String>,
    /// The policy that was chosen, if one was.
    pub policy: Option<String>,
    /// 1: accepts.
    pub enabled: i32,
    /// Requests a minute; 0: no limit.
    pub rate_limit_per_minute: i64,
    /// `None`: the type's default; 0: off.
    pub auto_resolve_after: Option<i64>,
    /// `None` or 0: off.
    pub acknowledge_timeout: Option<i64>,
    /// `None` or 0: off.
    pub remind_after: Option<i64>,
    /// Bytes; `None`: the service's limit.
    pub native_body_limit: Option<i64>,
    /// JSON.
    pub options: String,
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
#[diesel(table_name = integrations, treat_none_as_null = true)]
struct Settings<'a> {
    service_id: &'a str,
    name: &'a str,
    live_name: Option<&'a str>,
    policy: Option<&'a str>,
    enabled: i32,
    rate_limit_per_minute: i64,
    auto_resolve_after: Option<i64>,
    acknowledge_timeout: Option<i64>,
    remind_after: Option<i64>,
    native_body_limit: Option<i64>,
    options: &'a str,
    updated_at: i64,
    deleted_at: Option<i64>,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this type.
    pub kind: Option<String>,
    /// Of this service.
    pub service_id: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// With those that we make ourselves.
    pub built_in: bool,
}

impl Integration {
    /// Whether it is one that we make ourselves.
    pub fn built_in(&self) -> bool {
        self.kind == provider::OWN || self.kind == provider::API
    }
}

/// Stores a new integration.
///
/// # Errors
/// [`super::StoreError::Conflict`] when the name is taken; or the insert failed.
pub fn insert(conn: &mut Conn, integration: &Integration) -> Result<()> {
    diesel::insert_into(integrations::table).values(integration).execute(conn)?;
    Ok(())
}

/// The living integration of this name.
///
/// # Errors
/// The query failed.
pub fn find_by_name(conn: &mut Conn, tenant_id: &str, name: &str) -> Result<Option<Integration>> {
    Ok(integrations::table
        .filter(integrations::tenant_id.eq(tenant_id))
        .filter(integrations::live_name.eq(name))
        .select(Integration::as_select())
        .first(conn)
        .optional()?)
}

/// The living integration with this id.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Integration>> {
    Ok(find_with_deleted(conn, tenant_id, id)?.filter(|integration| integration.deleted_at.is_none()))
}

/// The integration with this id, deleted or not.
///
/// # Errors
/// The query failed.
pub fn find_with_deleted(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Integration>> {
    Ok(integrations::table
        .filter(integrations::tenant_id.eq(tenant_id))
        .filter(integrations::id.eq(id))
        .select(Integration::as_select())
        .first(conn)
        .optional()?)
}

/// The living integrations of a tenant, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, filter: &Filter, page: &Page) -> Result<Listed<Integration>> {
    let mut query = integrations::table
        .filter(integrations::tenant_id.eq(tenant_id))
        .filter(integrations::deleted_at.is_null())
        .select(Integration::as_select())
        .into_boxed();
    if !filter.built_in {
        query = query.filter(integrations::kind.ne_all([provider::OWN, provider::API]));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(integrations::kind.eq(kind));
    }
    if let Some(service_id) = &filter.service_id {
        query = query.filter(integrations::service_id.eq(service_id));
    }
    if let Some(name) = &filter.name {
        query = query.filter(integrations::name.eq(name));
    }
    if let Some(before) = &page.before {
        query = query.filter(integrations::id.lt(before));
    }
    let rows = query.order(integrations::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

/// Whether a living integration has this name already.
///
/// # Errors
/// The query failed.
pub fn name_taken(conn: &mut Conn, tenant_id: &str, name: &str) -> Result<bool> {
    let count: i64 = integrations::table
        .filter(integrations::tenant_id.eq(tenant_id))
        .filter(integrations::live_name.eq(name))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}

/// Writes everything that can be changed of an integration; `updated_at` becomes `now`.
///
/// # Errors
/// [`super::StoreError::Conflict`] when the name is taken; or the update failed.
pub fn update(conn: &mut Conn, integration: &Integration, now: Timestamp) -> Result<()> {
    let settings = Settings {
        service_id: &integration.service_id,
        name: &integration.name,
        live_name: integration.live_name.as_deref(),
        policy: integration.policy.as_deref(),
        enabled: integration.enabled,
        rate_limit_per_minute: integration.rate_limit_per_minute,
        auto_resolve_after: integration.auto_resolve_after,
        acknowledge_timeout: integration.acknowledge_timeout,
        remind_after: integration.remind_after,
        native_body_limit: integration.native_body_limit,
        options: &integration.options,
        updated_at: now.0,
        deleted_at: integration.deleted_at,
    };
    let row = integrations::table
        .filter(integrations::tenant_id.eq(&integration.tenant_id))
        .filter(integrations::id.eq(&integration.id));
    diesel::update(row).set(settings).execute(conn)?;
    Ok(())
}

/// Open incidents of an integration.
///
/// # Errors
/// The query failed.
pub fn open_incidents(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<i64> {
    Ok(incidents::table
        .filter(incidents::tenant_id.eq(tenant_id))
        .filter(incidents::integration_id.eq(id))
        .filter(incidents::open_key.is_not_null())
        .count()
        .get_result(conn)?)
}

/// How many open incidents of each of these integrations have a key that begins with `prefix`.
///
/// # Errors
/// The query failed.
pub fn open_with_prefix(conn: &mut Conn, tenant_id: &str, ids: &[String], prefix: &str) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = incidents::table
        .filter(incidents::tenant_id.eq(tenant_id))
        .filter(incidents::integration_id.eq_any(ids))
        .filter(incidents::open_key.like(format!("{prefix}%")))
        .group_by(incidents::integration_id)
        .select((incidents::integration_id, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Requests of an integration that were refused since `since`, by verdict.
///
/// # Errors
/// The query failed.
pub fn refusals_since(conn: &mut Conn, tenant_id: &str, id: &str, since: Timestamp) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = refusals::table
        .filter(refusals::tenant_id.eq(tenant_id))
        .filter(refusals::integration_id.eq(id))
        .filter(refusals::minute.ge(since.0.div_euclid(60 * SECOND)))
        .select((refusals::verdict, refusals::count))
        .load(conn)?;
    let mut sums = HashMap::new();
    for (verdict, count) in rows {
        *sums.entry(verdict).or_insert(0) += count;
    }
    Ok(sums)
}
