//! What a batch meets: the open incidents and tombstones of its keys, and delivery ids that had their effect.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, Queryable, RunQueryDsl, TextExpressionMethods};
use serde::{Serialize, Serializer};

use super::{Key, SeenRow};
use crate::event::Severity;
use crate::id::{self, Kind};
use crate::incident::{Evidence, Incident, Shown, Status, Tombstone};
use crate::statement;
use crate::store::numbered::{EventId, IncidentId, OptIncidentId};
use crate::store::schema::{incidents, seen_deliveries, tombstones};
use crate::store::stmt::{Bind, Column};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

#[rustfmt::skip]
type OpenSql = (
    Text, Text, BigInt, Text, Text, Text, Nullable<Text>, Text, Text, Text,
    Nullable<Text>, BigInt, BigInt, BigInt, Nullable<BigInt>, Nullable<Text>, Nullable<BigInt>,
    Nullable<BigInt>, Nullable<BigInt>, BigInt,
);

#[derive(Queryable)]
struct OpenRow {
    integration_id: String,
    open_key: String,
    #[diesel(deserialize_as = IncidentId)]
    id: String,
    service_id: String,
    status: String,
    title: String,
    first_summary: Option<String>,
    severity: String,
    source: String,
    shown: String,
    evidence: Option<String>,
    event_count: i64,
    first_seen: i64,
    last_seen: i64,
    acknowledged_at: Option<i64>,
    acknowledged_by: Option<String>,
    expires_at: Option<i64>,
    reminded_at: Option<i64>,
    #[diesel(deserialize_as = OptIncidentId)]
    previous_incident_id: Option<String>,
    #[diesel(deserialize_as = EventId)]
    last_event_id: String,
}

impl OpenRow {
    fn into_incident(self) -> (Key, Incident) {
        let key = Key { integration_id: self.integration_id.into(), dedup_key: self.open_key };
        let incident = Incident {
            id: self.id,
            service_id: self.service_id,
            status: Status::parse(&self.status).unwrap_or(Status::Triggered),
            first_summary: self.first_summary.unwrap_or_else(|| self.title.clone()),
            title: self.title,
            severity: Severity::parse(&self.severity).unwrap_or(Severity::Error),
            source: self.source,
            shown: Shown::from_json(self.shown),
            evidence: self.evidence.and_then(|text| serde_json::from_str::<Evidence>(&text).ok()),
            event_count: self.event_count,
            first_seen: Timestamp(self.first_seen),
            last_seen: Timestamp(self.last_seen),
            acknowledged_at: self.acknowledged_at.map(Timestamp),
            acknowledged_by: self.acknowledged_by,
            resolved_at: None,
            resolved_by: None,
            expires_at: self.expires_at.map(Timestamp),
            reminded_at: self.reminded_at.map(Timestamp),
            previous_incident_id: self.previous_incident_id,
            last_event_id: self.last_event_id,
        };
        (key, incident)
    }
}

/// The columns of [`OpenRow`].
macro_rules! open_columns {
    () => {
        "i.integration_id, i.open_key, i.id, i.service_id, i.status, i.title, i.first_summary, i.severity, i.source, i.shown, \
         i.evidence, i.event_count, i.first_seen, i.last_seen, i.acknowledged_at, i.acknowledged_by, i.expires_at, \
         i.reminded_at, i.previous_incident_id, i.last_event_id"
    };
}

/// What the open incidents are loaded for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To be changed: on PostgreSQL they are locked, in the order of their keys, until the transaction ends.
    Change,
    /// To be looked at: nobody waits for the reader, and the reader for nobody.
    Look,
}

/// From `JOIN` to the end of the statement that loads open incidents on PostgreSQL.
macro_rules! joined_in_order {
    () => {
        ") AS k(integration_id, open_key) JOIN incidents i ON i.integration_id = k.integration_id AND i.open_key = k.open_key \
         WHERE i.open_key IS NOT NULL ORDER BY i.integration_id, i.open_key"
    };
}

/// The open incidents of `keys`.
///
/// # Errors
/// The query failed.
pub fn load_open(conn: &mut Conn, keys: &[&Key], purpose: Purpose) -> Result<Vec<(Key, Incident)>> {
    let rows: Vec<OpenRow> = match conn {
        Conn::Sqlite(conn) => {
            let keys = json_keys(keys);
            statement!(parts [
            // CROSS JOIN fixes the order: the keys outside, the unique index inside.
            concat!("SELECT ", open_columns!(), " FROM json_each("),
            ") k CROSS JOIN incidents i ON i.integration_id = k.value AND i.open_key = k.key WHERE i.open_key IS NOT NULL",
        ], vec![Bind::Text(&keys)] => OpenSql)
            .load(conn)?
        }
        Conn::Pg(conn) => match purpose {
            Purpose::Change => statement!(parts [
                concat!("SELECT ", open_columns!(), " FROM unnest("), ", ",
                concat!(joined_in_order!(), " FOR UPDATE OF i"),
            ], key_columns(keys) => OpenSql)
            .load(conn)?,
            Purpose::Look => statement!(parts [
                concat!("SELECT ", open_columns!(), " FROM unnest("), ", ", joined_in_order!(),
            ], key_columns(keys) => OpenSql)
            .load(conn)?,
        },
    };
    Ok(rows.into_iter().map(OpenRow::into_incident).collect())
}

/// What keys meet in the store.
#[derive(Debug, Default)]
pub struct Met {
    /// Their open incidents.
    pub open: Vec<(Key, Incident)>,
    /// Their tombstones.
    pub tombstones: Vec<(Key, Tombstone)>,
}

/// What `keys` meet.
///
/// # Errors
/// A query failed.
pub fn load(conn: &mut Conn, keys: &[&Key], purpose: Purpose) -> Result<Met> {
    match (conn, purpose) {
        _ if keys.is_empty() => Ok(Met::default()),
        (Conn::Pg(conn), Purpose::Look) => load_both(conn, keys),
        // Tombstones after the lock, not with it: whoever held it may have left one.
        (conn, _) => Ok(Met { open: load_open(conn, keys, purpose)?, tombstones: load_tombstones(conn, keys)? }),
    }
}

/// Both in one round trip, and as of one moment.
fn load_both(conn: &mut PgConnection, keys: &[&Key]) -> Result<Met> {
    let rows: Vec<(Option<OpenRow>, Option<TombstoneRow>)> = statement!(parts [
        concat!("SELECT ", open_columns!(), ", t.integration_id, t.dedup_key, t.incident_id, t.order_at, t.resolved_at FROM unnest("),
        ", ",
        ") AS k(integration_id, dedup_key) \
         LEFT JOIN incidents i ON i.integration_id = k.integration_id AND i.open_key = k.dedup_key AND i.open_key IS NOT NULL \
         LEFT JOIN tombstones t ON t.integration_id = k.integration_id AND t.dedup_key = k.dedup_key \
         WHERE i.id IS NOT NULL OR t.dedup_key IS NOT NULL",
    ], key_columns(keys) => (Nullable<OpenSql>, Nullable<TombstoneSql>))
    .load(conn)?;
    let (open, tombstones): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let open = open.into_iter().flatten().map(OpenRow::into_incident).collect();
    Ok(Met { open, tombstones: tombstones.into_iter().flatten().map(tombstone).collect() })
}

type TombstoneSql = (Text, Text, Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>);
type TombstoneRow = (String, String, Option<i64>, Option<i64>, Option<i64>);

fn tombstone((integration_id, dedup_key, incident_id, order_at, resolved_at): TombstoneRow) -> (Key, Tombstone) {
    let key = Key { integration_id: integration_id.into(), dedup_key };
    let incident_id = incident_id.map(|number| id::text(Kind::Incident, number));
    (key, Tombstone { incident_id, order_at: order_at.map(Timestamp), resolved_at: resolved_at.map(Timestamp) })
}

fn load_tombstones(conn: &mut Conn, keys: &[&Key]) -> Result<Vec<(Key, Tombstone)>> {
    let rows: Vec<TombstoneRow> = match conn {
        Conn::Sqlite(conn) => {
            let keys = json_keys(keys);
            statement!(parts [
            "SELECT t.integration_id, t.dedup_key, t.incident_id, t.order_at, t.resolved_at FROM json_each(",
            ") k CROSS JOIN tombstones t ON t.integration_id = k.value AND t.dedup_key = k.key",
        ], vec![Bind::Text(&keys)] => TombstoneSql)
        .load(conn)?
        }
        Conn::Pg(conn) => statement!(parts [
            "SELECT t.integration_id, t.dedup_key, t.incident_id, t.order_at, t.resolved_at FROM unnest(", ", ",
            ") AS k(integration_id, dedup_key) JOIN tombstones t ON t.integration_id = k.integration_id AND t.dedup_key = k.dedup_key",
        ], key_columns(keys) => TombstoneSql)
        .load(conn)?,
    };
    Ok(rows.into_iter().map(tombstone).collect())
}

/// The request that had the effect of this delivery id with this body, if it is remembered at `now`.
///
/// # Errors
/// The query failed.
pub fn find_seen(conn: &mut Conn, seen: &SeenRow<'_>, now: Timestamp) -> Result<Option<String>> {
    use seen_deliveries::dsl;
    let first: Option<i64> = dsl::seen_deliveries
        .filter(dsl::integration_id.eq(seen.integration_id))
        .filter(dsl::delivery_id.eq(seen.delivery_id))
        .filter(dsl::body_hash.eq(seen.body_hash))
        .filter(dsl::expires_at.gt(now.0))
        .select(dsl::request_id)
        .first(conn)
        .optional()?;
    Ok(first.map(|number| id::text(Kind::Request, number)))
}

/// Keys as a JSON object, the dedup key as the name and its integration as the value, so that SQLite reads both without taking each
/// apart again; a name may come twice.
fn json_keys(keys: &[&Key]) -> String {
    struct Keys<'a>(&'a [&'a Key]);
    impl Serialize for Keys<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|key| (&key.dedup_key, &*key.integration_id)))
        }
    }
    serde_json::to_string(&Keys(keys)).unwrap_or_else(|_| "{}".to_owned())
}

fn key_columns<'a>(keys: &[&'a Key]) -> Vec<Column<'a>> {
    vec![
        Column::Text(keys.iter().map(|key| &*key.integration_id).collect()),
        Column::Text(keys.iter().map(|key| key.dedup_key.as_str()).collect()),
    ]
}

/// How many incidents of the integration are open whose key begins with `prefix` (which holds no wildcard).
///
/// # Errors
/// The query failed.
pub fn count_open_like(conn: &mut Conn, integration_id: &str, prefix: &str) -> Result<i64> {
    Ok(incidents::table
        .filter(incidents::integration_id.eq(integration_id))
        .filter(incidents::open_key.like(format!("{prefix}%")))
        .count()
        .get_result(conn)?)
}

/// The keys of the integration's open incidents that begin with `prefix` (which holds no wildcard).
///
/// # Errors
/// The query failed.
pub fn open_keys_like(conn: &mut Conn, integration_id: &str, prefix: &str) -> Result<Vec<String>> {
    Ok(incidents::table
        .filter(incidents::integration_id.eq(integration_id))
        .filter(incidents::open_key.like(format!("{prefix}%")))
        .select(incidents::dedup_key)
        .load(conn)?)
}

/// The keys of the integration's open incidents, at most `limit`.
///
/// # Errors
/// The query failed.
pub fn open_keys(conn: &mut Conn, integration_id: &str, limit: i64) -> Result<Vec<String>> {
    Ok(incidents::table
        .filter(incidents::integration_id.eq(integration_id))
        .filter(incidents::open_key.is_not_null())
        .select(incidents::dedup_key)
        .limit(limit)
        .load(conn)?)
}

/// Whether the key was resolved, or spoken of by a resolve, after `moment`.
///
/// # Errors
/// The query failed.
pub fn resolved_after(conn: &mut Conn, key: &Key, moment: Timestamp) -> Result<bool> {
    use tombstones::dsl;
    let count: i64 = dsl::tombstones
        .filter(dsl::integration_id.eq(&*key.integration_id))
        .filter(dsl::dedup_key.eq(&key.dedup_key))
        .filter(dsl::updated_at.gt(moment.0))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}
