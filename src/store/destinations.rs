//! Destinations: where the outside world is told. Deleted ones stay, so that what was delivered to them can be read.

mod sealed;
mod waiting;

use diesel::prelude::*;

use super::page::{Listed, Page};
use super::schema::destinations;
use super::{Conn, Result};
use crate::delivery::destination::Settings;
use crate::secret::Sealer;
use crate::time::Timestamp;

pub use waiting::{Pending, begin_anew, deleted, drop_undelivered, undelivered};

/// A destination, as stored; times in microseconds.
#[derive(Queryable, Selectable, Insertable, Debug, Clone)]
#[diesel(table_name = destinations)]
pub struct Destination {
    /// `dst_…`.
    pub id: String,
    /// The tenant it belongs to.
    pub tenant_id: String,
    /// Its name.
    pub name: String,
    /// The name while it lives; unique in its tenant.
    pub live_name: Option<String>,
    /// The kind of its channel.
    pub kind: String,
    /// Its [`Settings`], sealed.
    pub sealed: String,
    /// JSON.
    pub options: String,
    /// JSON: its templates by what they render.
    pub templates: String,
    /// `summary` or `details`.
    pub include: String,
    /// 1: it is told.
    pub enabled: i32,
    /// Why it is disabled, where nobody wanted that: `gone`.
    pub disabled_why: Option<String>,
    /// 1: it gets what no rule matches.
    pub is_default: i32,
    /// Failures in a row that open its breaker; 0: it never opens; `None`: the default.
    pub breaker_failures: Option<i64>,
    /// Seconds that an open breaker rests; `None`: the default.
    pub breaker_rest: Option<i64>,
    /// Messages a minute; `None`: no limit.
    pub rate_per_minute: Option<i64>,
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
#[diesel(table_name = destinations, treat_none_as_null = true)]
struct Changes<'a> {
    name: &'a str,
    live_name: Option<&'a str>,
    sealed: &'a str,
    options: &'a str,
    templates: &'a str,
    include: &'a str,
    enabled: i32,
    disabled_why: Option<&'a str>,
    is_default: i32,
    breaker_failures: Option<i64>,
    breaker_rest: Option<i64>,
    rate_per_minute: Option<i64>,
    updated_at: i64,
    deleted_at: Option<i64>,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this name.
    pub name: Option<String>,
}

impl Destination {
    /// Its settings.
    ///
    /// # Errors
    /// They do not open with this key.
    pub fn open(&self, sealer: &Sealer) -> Result<Settings> {
        sealed::open(sealer, &self.id, &self.sealed)
    }

    /// Seals `settings` into it.
    ///
    /// # Errors
    /// The system's random source failed.
    pub fn seal(&mut self, sealer: &Sealer, settings: &Settings) -> Result<()> {
        self.sealed = sealed::seal(sealer, &self.id, settings)?;
        Ok(())
    }
}

/// Stores a new destination.
///
/// # Errors
/// [`StoreError::Conflict`](super::StoreError::Conflict) when the name is taken, or the tenant has a default destination already; or the insert failed.
pub fn insert(conn: &mut Conn, destination: &Destination) -> Result<()> {
    diesel::insert_into(destinations::table).values(destination).execute(conn)?;
    Ok(())
}

/// Writes everything that can be changed of a destination; `updated_at` becomes `now`.
///
/// # Errors
/// As [`insert`].
pub fn update(conn: &mut Conn, destination: &Destination, now: Timestamp) -> Result<()> {
    let changes = Changes {
        name: &destination.name,
        live_name: destination.live_name.as_deref(),
        sealed: &destination.sealed,
        options: &destination.options,
        templates: &destination.templates,
        include: &destination.include,
        enabled: destination.enabled,
        disabled_why: destination.disabled_why.as_deref(),
        is_default: destination.is_default,
        breaker_failures: destination.breaker_failures,
        breaker_rest: destination.breaker_rest,
        rate_per_minute: destination.rate_per_minute,
        updated_at: now.0,
        deleted_at: destination.deleted_at,
    };
    let row = destinations::table
        .filter(destinations::tenant_id.eq(&destination.tenant_id))
        .filter(destinations::id.eq(&destination.id));
    diesel::update(row).set(changes).execute(conn)?;
    Ok(())
}

/// Stops telling a destination whose receiver says that it is there no longer; nobody asked for it, so it is audited as our own act.
///
/// # Errors
/// A statement failed.
pub fn disable(conn: &mut Conn, tenant_id: &str, id: &str, why: &str, now: Timestamp) -> Result<()> {
    let of = destinations::table.filter(destinations::tenant_id.eq(tenant_id)).filter(destinations::id.eq(id));
    let set = (destinations::enabled.eq(0), destinations::disabled_why.eq("gone"), destinations::updated_at.eq(now.0));
    diesel::update(of.filter(destinations::enabled.eq(1))).set(set).execute(conn)?;
    super::snapshot::bump(conn)?;
    let after = serde_json::json!({"enabled": false, "disabled_why": why});
    let record = super::audit::Record {
        tenant_id,
        actor: "callbox",
        action: "destination.disabled",
        object_type: "destination",
        object_id: id,
        before: Some(&serde_json::json!({"enabled": true})),
        after: Some(&after),
    };
    super::audit::record(conn, &record, now)
}

/// The living destination with this id.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Destination>> {
    Ok(destinations::table
        .filter(destinations::tenant_id.eq(tenant_id))
        .filter(destinations::id.eq(id))
        .filter(destinations::deleted_at.is_null())
        .select(Destination::as_select())
        .first(conn)
        .optional()?)
}

/// The living destination of this name.
///
/// # Errors
/// The query failed.
pub fn find_by_name(conn: &mut Conn, tenant_id: &str, name: &str) -> Result<Option<Destination>> {
    Ok(destinations::table
        .filter(destinations::tenant_id.eq(tenant_id))
        .filter(destinations::live_name.eq(name))
        .select(Destination::as_select())
        .first(conn)
        .optional()?)
}

/// The tenant's default destination.
///
/// # Errors
/// The query failed.
pub fn default_of(conn: &mut Conn, tenant_id: &str) -> Result<Option<Destination>> {
    Ok(destinations::table
        .filter(destinations::tenant_id.eq(tenant_id))
        .filter(destinations::is_default.eq(1))
        .select(Destination::as_select())
        .first(conn)
        .optional()?)
}

/// The living destinations of a tenant, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, filter: &Filter, page: &Page) -> Result<Listed<Destination>> {
    let mut query = destinations::table
        .filter(destinations::tenant_id.eq(tenant_id))
        .filter(destinations::deleted_at.is_null())
        .select(Destination::as_select())
        .into_boxed();
    if let Some(kind) = &filter.kind {
        query = query.filter(destinations::kind.eq(kind));
    }
    if let Some(name) = &filter.name {
        query = query.filter(destinations::name.eq(name));
    }
    if let Some(before) = &page.before {
        query = query.filter(destinations::id.lt(before));
    }
    let rows = query.order(destinations::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoreError, tenants, testing};

    #[test]
    fn a_tenant_has_one_default_and_a_name_one_living_destination() {
        for database in testing::databases() {
            let mut conn = database.store.writer().unwrap();
            let tenant = tenants::ensure(&mut conn, "default", Timestamp(1)).unwrap();
            let other = tenants::ensure(&mut conn, "other", Timestamp(1)).unwrap();
            let mut one = testing::plant_destination(&mut conn, &tenant, "one");
            let mut two = testing::plant_destination(&mut conn, &tenant, "two");
            (one.is_default, two.is_default) = (1, 1);
            update(&mut conn, &one, Timestamp(2)).unwrap();
            assert!(matches!(update(&mut conn, &two, Timestamp(2)), Err(StoreError::Conflict(_))));
            let mut theirs = testing::plant_destination(&mut conn, &other, "one");
            theirs.is_default = 1;
            update(&mut conn, &theirs, Timestamp(2)).unwrap();
            assert_eq!(default_of(&mut conn, &tenant).unwrap().unwrap().id, one.id);
            let same = Destination { id: "dst_x".to_owned(), is_default: 0, ..one.clone() };
            assert!(matches!(insert(&mut conn, &same), Err(StoreError::Conflict(_))));
            (one.deleted_at, one.live_name, one.is_default) = (Some(3), None, 0);
            update(&mut conn, &one, Timestamp(3)).unwrap();
            insert(&mut conn, &same).unwrap();
            assert_eq!(find_by_name(&mut conn, &tenant, "one").unwrap().unwrap().id, "dst_x");
            assert!(find(&mut conn, &tenant, &one.id).unwrap().is_none());
            assert!(find(&mut conn, &other, &two.id).unwrap().is_none(), "of another tenant");
        }
    }
}
