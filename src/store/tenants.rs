//! Tenants, and what each has from its first moment: a service called `default` and the integration for incidents about itself.

use diesel::prelude::*;

use super::schema::{integrations, services, tenants};
use super::{Conn, Result, StoreError, snapshot};
use crate::provider;
use crate::time::Timestamp;
use crate::{id, store};

/// The tenant that exists without being made.
pub const DEFAULT: &str = "default";
/// Who made what nobody asked for, in `created_by`.
pub const SYSTEM: &str = "callbox";
/// How often a start is tried again when another node starts at the same moment.
const ATTEMPTS: u32 = 5;

/// Makes sure that the default tenant exists with all that it needs, and returns its id. Does nothing when it does; safe when
/// several nodes start at once. Runs in transactions of its own.
///
/// # Errors
/// The store cannot be written.
pub fn ensure_default(conn: &mut Conn, now: Timestamp) -> Result<String> {
    ensure(conn, DEFAULT, now)
}

/// As [`ensure_default`], for the tenant called `name`.
///
/// # Errors
/// The store cannot be written.
pub fn ensure(conn: &mut Conn, name: &str, now: Timestamp) -> Result<String> {
    let mut attempt = 1;
    loop {
        match conn.transaction_immediate(|conn| complete(conn, name, now)) {
            Err(StoreError::Conflict(_)) if attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

/// The unique name of the tenant makes the slower of two nodes fail here, and find everything done when it tries again.
fn complete(conn: &mut Conn, name: &str, now: Timestamp) -> Result<String> {
    let found: Option<String> = tenants::table.filter(tenants::name.eq(name)).select(tenants::id).first(conn).optional()?;
    let mut changed = found.is_none();
    let tenant = match found {
        Some(id) => id,
        None => create(conn, name, now)?,
    };
    let default = store::services::by_name(conn, &tenant, store::services::DEFAULT)?;
    let default = match default {
        Some(service) => service.id,
        None => {
            changed = true;
            store::services::create(conn, &tenant, store::services::DEFAULT, SYSTEM, now)?.id
        }
    };
    if !has_own(conn, &tenant)? {
        changed = true;
        store::integrations::insert_built_in(conn, &tenant, &default, provider::OWN, now)?;
    }
    for service in without_api(conn, &tenant)? {
        changed = true;
        store::integrations::insert_built_in(conn, &tenant, &service, provider::API, now)?;
    }
    if changed {
        snapshot::bump(conn)?;
    }
    Ok(tenant)
}

fn create(conn: &mut Conn, name: &str, now: Timestamp) -> Result<String> {
    // Every row has it, so it is short.
    let id = format!("{}{}", id::Kind::Tenant.prefix(), tenants::table.count().get_result::<i64>(conn)? + 1);
    diesel::insert_into(tenants::table)
        .values((tenants::id.eq(&id), tenants::name.eq(name), tenants::created_at.eq(now.0)))
        .execute(conn)?;
    Ok(id)
}

fn has_own(conn: &mut Conn, tenant_id: &str) -> Result<bool> {
    let count: i64 = integrations::table
        .filter(integrations::tenant_id.eq(tenant_id))
        .filter(integrations::kind.eq(provider::OWN))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}

fn without_api(conn: &mut Conn, tenant_id: &str) -> Result<Vec<String>> {
    let all: Vec<String> = services::table.filter(services::tenant_id.eq(tenant_id)).select(services::id).load(conn)?;
    let with: Vec<String> = integrations::table
        .filter(integrations::tenant_id.eq(tenant_id))
        .filter(integrations::kind.eq(provider::API))
        .select(integrations::service_id)
        .load(conn)?;
    Ok(all.into_iter().filter(|service| !with.contains(service)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::reference::References;
    use crate::store::testing;

    #[test]
    fn the_default_tenant_is_made_once_with_all_it_needs() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let first = ensure_default(&mut conn, Timestamp(1)).unwrap();
            let version = snapshot::version(&mut conn).unwrap();
            assert_eq!(ensure_default(&mut conn, Timestamp(2)).unwrap(), first);
            assert_eq!(snapshot::version(&mut conn).unwrap(), version, "the second time changes nothing");
            let snapshot =
                snapshot::load(&mut conn, &testing::sealer(), crate::provider::Registry::built_in(), &References::default())
                    .unwrap();
            assert!(snapshot.own.contains_key(first.as_str()));
            assert_eq!(snapshot.services.len(), 1);
            assert!(snapshot.services.values().all(|service| service.name == "default" && service.api_integration.is_some()));
        }
    }

    #[test]
    fn nodes_that_start_at_once_agree_on_one_tenant() {
        for database in testing::databases() {
            let starts: Vec<_> = (0..6)
                .map(|_| {
                    let store = database.store.clone();
                    std::thread::spawn(move || ensure_default(&mut store.writer().unwrap(), Timestamp(1)).unwrap())
                })
                .collect();
            let ids: Vec<String> = starts.into_iter().map(|start| start.join().unwrap()).collect();
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
            let mut conn = database.store.writer().unwrap();
            let built_in: i64 = integrations::table.count().get_result(&mut conn).unwrap();
            assert_eq!(built_in, 2);
        }
    }
}
