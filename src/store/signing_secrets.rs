//! What destinations' messages are signed with: at most two live ones each, the newer and the older with an expiry.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use diesel::prelude::*;

use super::schema::signing_secrets;
use super::{Conn, Result, StoreError};
use crate::id;
use crate::secret::{Cell, Sealer, Secret};
use crate::time::Timestamp;

/// Bytes of a secret that we make; Standard Webhooks asks for 24 to 64.
const LENGTH: usize = 32;

/// A signing secret, as stored; times in microseconds.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = signing_secrets)]
pub struct SigningSecret {
    /// `sig_…`.
    pub id: String,
    /// The destination it belongs to.
    pub destination_id: String,
    /// The sealed value.
    pub sealed: String,
    /// When it was made.
    pub created_at: i64,
    /// Until when it holds.
    pub expires_at: Option<i64>,
}

impl SigningSecret {
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

/// Whose signing secrets are meant.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The tenant.
    pub tenant_id: &'a str,
    /// The destination.
    pub destination_id: &'a str,
}

const fn cell(id: &str) -> Cell<'_> {
    Cell { table: "signing_secrets", row: id, column: "sealed" }
}

/// A new secret as Standard Webhooks writes it: `whsec_` and base64
/// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
///
/// # Errors
/// The system's random source failed.
pub fn generate() -> Result<Secret> {
    let mut bytes = [0u8; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Environment(error.to_string()))?;
    Ok(Secret::new(format!("whsec_{}", STANDARD.encode(bytes))))
}

/// Adds a secret, the newest from then on.
///
/// # Errors
/// The insert failed.
pub fn add(conn: &mut Conn, sealer: &Sealer, owner: Owner<'_>, value: &Secret, now: Timestamp) -> Result<()> {
    let id = id::new(id::Kind::SigningSecret);
    let sealed = sealer.seal(cell(&id), value.expose()).map_err(|error| StoreError::Environment(error.to_string()))?;
    diesel::insert_into(signing_secrets::table)
        .values((
            signing_secrets::id.eq(&id),
            signing_secrets::tenant_id.eq(owner.tenant_id),
            signing_secrets::destination_id.eq(owner.destination_id),
            signing_secrets::sealed.eq(sealed),
            signing_secrets::created_at.eq(now.0),
        ))
        .execute(conn)?;
    Ok(())
}

/// Puts a new secret in the place of the present one, which goes on signing beside it for `overlap` more seconds. What was kept from a
/// rotation before goes at once: there are never more than two.
///
/// # Errors
/// A statement failed.
pub fn rotate(conn: &mut Conn, sealer: &Sealer, owner: Owner<'_>, value: &Secret, overlap: i64, now: Timestamp) -> Result<()> {
    let all = of(conn, owner)?;
    let newest = all.iter().find(|have| have.live(now)).map(|have| have.id.clone()).filter(|_| overlap > 0);
    for have in all {
        let row = signing_secrets::table.filter(signing_secrets::id.eq(&have.id));
        if newest.as_ref() == Some(&have.id) {
            let end = now.plus_seconds(overlap).0;
            let end = have.expires_at.map_or(end, |before| before.min(end));
            diesel::update(row).set(signing_secrets::expires_at.eq(end)).execute(conn)?;
        } else {
            diesel::delete(row).execute(conn)?;
        }
    }
    add(conn, sealer, owner, value, now)
}

/// Removes all secrets of a destination.
///
/// # Errors
/// The delete failed.
pub fn remove(conn: &mut Conn, owner: Owner<'_>) -> Result<()> {
    diesel::delete(
        signing_secrets::table
            .filter(signing_secrets::tenant_id.eq(owner.tenant_id))
            .filter(signing_secrets::destination_id.eq(owner.destination_id)),
    )
    .execute(conn)?;
    Ok(())
}

/// The secrets of a destination, newest first, expired ones included.
///
/// # Errors
/// The query failed.
pub fn of(conn: &mut Conn, owner: Owner<'_>) -> Result<Vec<SigningSecret>> {
    of_all(conn, owner.tenant_id, &[owner.destination_id.to_owned()])
}

/// The secrets of several destinations, newest first.
///
/// # Errors
/// The query failed.
pub fn of_all(conn: &mut Conn, tenant_id: &str, destination_ids: &[String]) -> Result<Vec<SigningSecret>> {
    Ok(signing_secrets::table
        .filter(signing_secrets::tenant_id.eq(tenant_id))
        .filter(signing_secrets::destination_id.eq_any(destination_ids))
        .order(signing_secrets::id.desc())
        .select(SigningSecret::as_select())
        .load(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{tenants, testing};

    #[test]
    fn rotation_keeps_two_and_a_third_drops_the_oldest() {
        for database in testing::databases() {
            let (mut conn, sealer) = (database.store.writer().unwrap(), testing::sealer());
            let tenant_id = tenants::ensure(&mut conn, "default", Timestamp(1)).unwrap();
            let destination = testing::plant_destination(&mut conn, &tenant_id, "ops");
            let owner = Owner { tenant_id: &tenant_id, destination_id: &destination.id };
            let mut put = |value: &str, overlap: i64, now: i64| {
                rotate(&mut conn, &sealer, owner, &Secret::new(value), overlap, Timestamp::from_seconds(now)).unwrap();
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
    fn a_generated_secret_is_one_of_standard_webhooks() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert!(one != other);
        let bytes = STANDARD.decode(one.expose().strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(bytes.len(), 32);
    }
}
