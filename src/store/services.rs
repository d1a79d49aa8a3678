//! Services: what alerts are about. Each has a built-in integration of type `api` for events that come with an API token.

use diesel::prelude::*;

use super::page::{Listed, Page};
use super::schema::{incidents, integrations, services};
use super::{Conn, Result};
use crate::time::Timestamp;
use crate::{id, provider, store};

/// The name of the service that every tenant has.
pub const DEFAULT: &str = "default";

/// A service, as stored.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = services)]
pub struct Service {
    /// `svc_…`.
    pub id: String,
    /// Its name, unique in its tenant.
    pub name: String,
    /// Who made it.
    pub created_by: String,
    /// When, in microseconds.
    pub created_at: i64,
    /// When it was last changed, in microseconds.
    pub updated_at: i64,
}

/// Makes a service and its built-in `api` integration.
///
/// # Errors
/// [`super::StoreError::Conflict`] when the name is taken; or the insert failed.
pub fn create(conn: &mut Conn, tenant_id: &str, name: &str, created_by: &str, now: Timestamp) -> Result<Service> {
    let service = Service {
        id: id::new(id::Kind::Service),
        name: name.to_owned(),
        created_by: created_by.to_owned(),
        created_at: now.0,
        updated_at: now.0,
    };
    diesel::insert_into(services::table)
        .values((
            services::id.eq(&service.id),
            services::tenant_id.eq(tenant_id),
            services::name.eq(name),
            services::created_by.eq(created_by),
            services::created_at.eq(now.0),
            services::updated_at.eq(now.0),
        ))
        .execute(conn)?;
    store::integrations::insert_built_in(conn, tenant_id, &service.id, provider::API, now)?;
    Ok(service)
}

/// The service with this id.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Service>> {
    Ok(services::table
        .filter(services::tenant_id.eq(tenant_id))
        .filter(services::id.eq(id))
        .select(Service::as_select())
        .first(conn)
        .optional()?)
}

/// The service with this name.
///
/// # Errors
/// The query failed.
pub fn by_name(conn: &mut Conn, tenant_id: &str, name: &str) -> Result<Option<Service>> {
    Ok(services::table
        .filter(services::tenant_id.eq(tenant_id))
        .filter(services::name.eq(name))
        .select(Service::as_select())
        .first(conn)
        .optional()?)
}

/// The service that a person means by an id or a name.
///
/// # Errors
/// The query failed.
pub fn by_id_or_name(conn: &mut Conn, tenant_id: &str, text: &str) -> Result<Option<Service>> {
    match find(conn, tenant_id, text)? {
        Some(service) => Ok(Some(service)),
        None => by_name(conn, tenant_id, text),
    }
}

/// The services of a tenant, newest first; with `name` the one of that name.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, name: Option<&str>, page: &Page) -> Result<Listed<Service>> {
    let mut query = services::table.filter(services::tenant_id.eq(tenant_id)).select(Service::as_select()).into_boxed();
    if let Some(name) = name {
        query = query.filter(services::name.eq(name));
    }
    if let Some(before) = &page.before {
        query = query.filter(services::id.lt(before));
    }
    let rows = query.order(services::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

/// Gives a service another name.
///
/// # Errors
/// [`super::StoreError::Conflict`] when the name is taken; or the update failed.
pub fn rename(conn: &mut Conn, tenant_id: &str, id: &str, name: &str, now: Timestamp) -> Result<()> {
    diesel::update(services::table.filter(services::tenant_id.eq(tenant_id)).filter(services::id.eq(id)))
        .set((services::name.eq(name), services::updated_at.eq(now.0)))
        .execute(conn)?;
    Ok(())
}

/// What still depends on a service: its living integrations (without the built-in one), and its open incidents.
///
/// # Errors
/// A query failed.
pub fn dependents(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<(i64, i64)> {
    let living = integrations::table
        .filter(integrations::tenant_id.eq(tenant_id))
        .filter(integrations::service_id.eq(id))
        .filter(integrations::deleted_at.is_null())
        .filter(integrations::kind.ne(provider::API))
        .count()
        .get_result(conn)?;
    let open = incidents::table
        .filter(incidents::tenant_id.eq(tenant_id))
        .filter(incidents::open_key.is_not_null())
        .filter(incidents::service_id.eq(id))
        .count()
        .get_result(conn)?;
    Ok((living, open))
}

/// Removes a service on which nothing depends. Its built-in integration goes with it; deleted integrations, which are kept to
/// recognise late requests, move to the service `heir`.
///
/// # Errors
/// A statement failed.
pub fn delete(conn: &mut Conn, tenant_id: &str, id: &str, heir: &str) -> Result<()> {
    let of_service = integrations::table.filter(integrations::tenant_id.eq(tenant_id)).filter(integrations::service_id.eq(id));
    diesel::delete(of_service.filter(integrations::kind.eq(provider::API))).execute(conn)?;
    let of_service = integrations::table.filter(integrations::tenant_id.eq(tenant_id)).filter(integrations::service_id.eq(id));
    diesel::update(of_service).set(integrations::service_id.eq(heir)).execute(conn)?;
    diesel::delete(services::table.filter(services::tenant_id.eq(tenant_id)).filter(services::id.eq(id))).execute(conn)?;
    Ok(())
}
