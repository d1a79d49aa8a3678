//! The hooks, keys and signature secrets of integrations: at most two live of a kind, the newer and the older with an expiry.

use diesel::prelude::*;

use super::schema::{credentials, integrations};
use super::{Conn, Result, StoreError};
use crate::id;
use crate::ingest::snapshot::CredentialKind;
use crate::secret::{Cell, CredentialHash, Sealer, Secret};
use crate::time::Timestamp;

/// A credential, as stored; times in microseconds.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = credentials)]
pub struct Credential {
    /// `crd_…`.
    pub id: String,
    /// The integration it belongs to.
    pub integration_id: String,
    /// What it is for.
    pub kind: String,
    /// The sealed value.
    pub sealed: String,
    /// When it was made.
    pub created_at: i64,
    /// Until when it holds.
    pub expires_at: Option<i64>,
    /// When it was last used, as far as the store has been told.
    pub last_used_at: Option<i64>,
}

impl Credential {
    /// Whether it holds at `now`.
    pub fn live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now.0 < end)
    }

    /// Its value.
    ///
    /// # Errors
    /// It does not open with this key.
    pub fn open(&self, sealer: &Sealer) -> Result<Secret> {
        sealer.open(cell(&self.id), &self.sealed).map_err(|error| StoreError::Refused(error.to_string()))
    }
}

/// Whose credentials are meant.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The tenant.
    pub tenant_id: &'a str,
    /// The integration.
    pub integration_id: &'a str,
}

const fn cell(id: &str) -> Cell<'_> {
    Cell { table: "credentials", row: id, column: "sealed" }
}

/// A new value for a credential of `kind`: 26 characters for a hook, 32 hex digits for a key, 64 for a secret.
///
/// # Errors
/// The system's random source failed.
pub fn generate(kind: CredentialKind) -> Result<Secret> {
    let no_random = |error: getrandom::Error| StoreError::Environment(error.to_string());
    let hex = |bytes: &mut [u8]| {
        getrandom::fill(bytes).map_err(no_random)?;
        Ok(Secret::new(hex::encode(bytes)))
    };
    match kind {
        CredentialKind::Hook => id::random26().map(Secret::new).map_err(no_random),
        CredentialKind::Key => hex(&mut [0u8; 16]),
        CredentialKind::Secret => hex(&mut [0u8; 32]),
    }
}

/// Adds a credential; a hook or key is found by its hash from then on.
///
/// # Errors
/// [`StoreError::Conflict`] when another integration has this hook or key; or the insert failed.
pub fn add(
    conn: &mut Conn,
    sealer: &Sealer,
    owner: Owner<'_>,
    kind: CredentialKind,
    value: &Secret,
    now: Timestamp,
) -> Result<()> {
    let id = id::new(id::Kind::Credential);
    let sealed = sealer.seal(cell(&id), value.expose()).map_err(|error| StoreError::Environment(error.to_string()))?;
    let hash = match kind {
        CredentialKind::Hook | CredentialKind::Key => Some(CredentialHash::of(value.expose()).to_hex()),
        CredentialKind::Secret => None,
    };
    diesel::insert_into(credentials::table)
        .values((
            credentials::id.eq(&id),
            credentials::tenant_id.eq(owner.tenant_id),
            credentials::integration_id.eq(owner.integration_id),
            credentials::kind.eq(kind.as_str()),
            credentials::hash.eq(hash),
            credentials::sealed.eq(sealed),
            credentials::created_at.eq(now.0),
        ))
        .execute(conn)?;
    Ok(())
}

/// Puts a new credential in the place of the present one, which holds for `overlap` more seconds. What was kept from a rotation
/// before goes at once: there are never more than two.
///
/// # Errors
/// As [`add`].
pub fn rotate(
    conn: &mut Conn,
    sealer: &Sealer,
    owner: Owner<'_>,
    (kind, value): (CredentialKind, &Secret),
    overlap: i64,
    now: Timestamp,
) -> Result<()> {
    let newest = of(conn, owner)?.into_iter().find(|have| have.kind == kind.as_str() && have.live(now));
    for have in of(conn, owner)?.into_iter().filter(|have| have.kind == kind.as_str()) {
        let row = credentials::table.filter(credentials::id.eq(&have.id));
        if overlap > 0 && newest.as_ref().is_some_and(|newest| newest.id == have.id) {
            let end = now.plus_seconds(overlap).0;
            let end = have.expires_at.map_or(end, |before| before.min(end));
            diesel::update(row).set(credentials::expires_at.eq(end)).execute(conn)?;
        } else {
            diesel::delete(row).execute(conn)?;
        }
    }
    add(conn, sealer, owner, kind, value, now)
}

/// Removes all credentials of `kind`.
///
/// # Errors
/// The delete failed.
pub fn remove(conn: &mut Conn, owner: Owner<'_>, kind: CredentialKind) -> Result<()> {
    diesel::delete(
        credentials::table
            .filter(credentials::tenant_id.eq(owner.tenant_id))
            .filter(credentials::integration_id.eq(owner.integration_id))
            .filter(credentials::kind.eq(kind.as_str())),
    )
    .execute(conn)?;
    Ok(())
}

/// The credentials of an integration, newest first, expired ones included.
///
/// # Errors
/// The query failed.
pub fn of(conn: &mut Conn, owner: Owner<'_>) -> Result<Vec<Credential>> {
    of_all(conn, owner.tenant_id, &[owner.integration_id.to_owned()])
}

/// The credentials of several integrations, newest first.
///
/// # Errors
/// The query failed.
pub fn of_all(conn: &mut Conn, tenant_id: &str, integration_ids: &[String]) -> Result<Vec<Credential>> {
    Ok(credentials::table
        .filter(credentials::tenant_id.eq(tenant_id))
        .filter(credentials::integration_id.eq_any(integration_ids))
        .order(credentials::id.desc())
        .select(Credential::as_select())
        .load(conn)?)
}

/// Whether a hook or key stands in the way of the same value elsewhere. What has expired, or belongs to a deleted integration of
/// the same tenant, does not: it is removed, so that a key can be imported again.
///
/// # Errors
/// A statement failed.
pub fn taken(conn: &mut Conn, tenant_id: &str, kind: CredentialKind, value: &Secret, now: Timestamp) -> Result<bool> {
    let hash = CredentialHash::of(value.expose()).to_hex();
    let same = credentials::table.filter(credentials::kind.eq(kind.as_str())).filter(credentials::hash.eq(&hash));
    let found: Option<(String, String, Option<i64>, Option<i64>)> = same
        .inner_join(integrations::table.on(integrations::id.eq(credentials::integration_id)))
        .select((credentials::id, credentials::tenant_id, credentials::expires_at, integrations::deleted_at))
        .first(conn)
        .optional()?;
    let Some((id, owner, expires_at, deleted_at)) = found else { return Ok(false) };
    let over = expires_at.is_some_and(|end| end <= now.0) || deleted_at.is_some();
    if owner != tenant_id || !over {
        return Ok(true);
    }
    diesel::delete(credentials::table.filter(credentials::id.eq(id))).execute(conn)?;
    Ok(false)
}

/// Writes back when a credential was last used.
///
/// # Errors
/// The update failed.
pub fn touch(conn: &mut Conn, id: &str, at: Timestamp) -> Result<()> {
    diesel::update(credentials::table.filter(credentials::id.eq(id))).set(credentials::last_used_at.eq(at.0)).execute(conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{integrations as store_integrations, services, tenants, testing};

    /// A tenant with one integration; returns their ids.
    fn integration(conn: &mut Conn, tenant: &str, name: &str) -> (String, String) {
        let tenant = tenants::ensure(conn, tenant, Timestamp(1)).unwrap();
        let service = services::by_name(conn, &tenant, services::DEFAULT).unwrap().unwrap();
        let integration = store_integrations::Integration {
            id: id::new(id::Kind::Integration),
            tenant_id: tenant.clone(),
            service_id: service.id,
            kind: "events".into(),
            name: name.into(),
            live_name: Some(name.into()),
            policy: None,
            enabled: 1,
            rate_limit_per_minute: 120,
            auto_resolve_after: None,
            acknowledge_timeout: None,
            remind_after: None,
            native_body_limit: None,
            options: "{}".into(),
            created_by: "test".into(),
            created_at: 1,
            updated_at: 1,
            deleted_at: None,
        };
        store_integrations::insert(conn, &integration).unwrap();
        (tenant, integration.id)
    }

    #[test]
    fn d9_rotation_keeps_two_and_a_third_drops_the_oldest() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let sealer = testing::sealer();
            let (tenant_id, integration_id) = integration(&mut conn, "default", "a");
            let owner = Owner { tenant_id: &tenant_id, integration_id: &integration_id };
            let mut put = |value: &str, overlap: i64, now: i64| {
                let value = (CredentialKind::Key, &Secret::new(value));
                rotate(&mut conn, &sealer, owner, value, overlap, Timestamp::from_seconds(now)).unwrap();
                let have = of(&mut conn, owner).unwrap();
                have.into_iter().map(|one| (one.open(&sealer).unwrap().expose().to_owned(), one.expires_at)).collect::<Vec<_>>()
            };
            assert_eq!(put("one", 60, 0), [("one".to_owned(), None)]);
            assert_eq!(put("two", 60, 10), [("two".to_owned(), None), ("one".to_owned(), Some(70_000_000))]);
            assert_eq!(put("three", 60, 20), [("three".to_owned(), None), ("two".to_owned(), Some(80_000_000))]);
            assert_eq!(put("four", 0, 30), [("four".to_owned(), None)]);
        }
    }

    #[test]
    fn d14_nothing_is_stored_in_clear_and_d15_a_moved_cell_does_not_open() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let sealer = testing::sealer();
            let (tenant_id, integration_id) = integration(&mut conn, "default", "a");
            let owner = Owner { tenant_id: &tenant_id, integration_id: &integration_id };
            for kind in [CredentialKind::Hook, CredentialKind::Key, CredentialKind::Secret] {
                let value = generate(kind).unwrap();
                add(&mut conn, &sealer, owner, kind, &value, Timestamp(1)).unwrap();
                let rows = of(&mut conn, owner).unwrap();
                assert!(rows.iter().all(|row| !format!("{row:?}").contains(value.expose())));
            }
            let rows = of(&mut conn, owner).unwrap();
            let moved = Credential { sealed: rows[0].sealed.clone(), ..rows[1].clone() };
            assert!(matches!(moved.open(&sealer), Err(StoreError::Refused(_))));
        }
    }

    #[test]
    fn a_key_is_free_again_when_its_integration_is_gone_but_never_for_another_tenant() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let sealer = testing::sealer();
            let (tenant_id, integration_id) = integration(&mut conn, "default", "a");
            let (other, _) = integration(&mut conn, "other", "a");
            let owner = Owner { tenant_id: &tenant_id, integration_id: &integration_id };
            let key = Secret::new("A".repeat(32));
            let now = Timestamp(5);
            assert!(!taken(&mut conn, &tenant_id, CredentialKind::Key, &key, now).unwrap());
            add(&mut conn, &sealer, owner, CredentialKind::Key, &key, now).unwrap();
            let again = add(&mut conn, &sealer, owner, CredentialKind::Key, &key, now);
            assert!(matches!(again, Err(StoreError::Conflict(_))));
            assert!(taken(&mut conn, &tenant_id, CredentialKind::Key, &key, now).unwrap());
            let mut gone = store_integrations::find(&mut conn, &tenant_id, &integration_id).unwrap().unwrap();
            gone.deleted_at = Some(5);
            gone.live_name = None;
            store_integrations::update(&mut conn, &gone, now).unwrap();
            assert!(taken(&mut conn, &other, CredentialKind::Key, &key, now).unwrap());
            assert!(!taken(&mut conn, &tenant_id, CredentialKind::Key, &key, now).unwrap());
        }
    }
}
