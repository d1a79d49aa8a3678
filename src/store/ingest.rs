//! The writer's path: loads what a batch of requests meets, and writes what it changed.
//!
//! Every statement here is prepared once a connection. On SQLite rows are written one by one, on PostgreSQL one statement a table
//! with the columns as arrays: both are what was measured fastest through diesel.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{OptionalExtension, QueryDsl, Queryable, RunQueryDsl};

use super::schema::incidents;
use super::stmt::{Bind, Column};
use super::{Conn, Result};
use crate::event::Severity;
use crate::incident::{Evidence, Incident, Shown, Status, Tombstone};
use crate::statement;
use crate::time::Timestamp;

/// A dedup key in its scope.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// The integration.
    pub integration_id: std::sync::Arc<str>,
    /// The dedup key.
    pub dedup_key: String,
}

/// A ledger row.
#[derive(Debug)]
pub struct RequestRow<'a> {
    /// `req_…`.
    pub id: &'a str,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The integration, where one was found.
    pub integration_id: Option<&'a str>,
    /// The route's pattern.
    pub route: &'a str,
    /// What became of it.
    pub verdict: &'a str,
    /// The status it was answered with.
    pub status: u16,
    /// When it was received.
    pub received_at: Timestamp,
    /// Redacted headers, a JSON list of pairs.
    pub headers: &'a str,
    /// The redacted query string.
    pub query: &'a str,
    /// The body, credentials overwritten.
    pub body: &'a [u8],
    /// The reason, where there is one.
    pub message: Option<&'a str>,
    /// The first of its events.
    pub first_event_id: Option<String>,
    /// The last of its events.
    pub last_event_id: Option<String>,
}

/// An event row.
#[derive(Debug)]
pub struct EventRow<'a> {
    /// `evt_…`.
    pub id: String,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The request it came with.
    pub request_id: Option<&'a str>,
    /// The integration.
    pub integration_id: &'a str,
    /// The incident it belongs to.
    pub incident_id: Option<String>,
    /// The event before it in the incident's timeline.
    pub previous_event_id: Option<String>,
    /// trigger, acknowledge or resolve.
    pub action: &'static str,
    /// The dedup key.
    pub dedup_key: &'a str,
    /// What it did.
    pub outcome: &'static str,
    /// Its severity.
    pub severity: &'static str,
    /// Its summary.
    pub summary: &'a str,
    /// Its source.
    pub source: &'a str,
    /// Who did it, where it was no tool.
    pub actor: Option<String>,
    /// What else there is to say.
    pub note: Option<&'a str>,
    /// When the tool says it happened.
    pub occurred_at: Option<Timestamp>,
    /// When it was received.
    pub received_at: Timestamp,
}

/// A change event's row.
#[derive(Debug)]
pub struct ChangeRow<'a> {
    /// `chg_…`.
    pub id: String,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The integration.
    pub integration_id: &'a str,
    /// Its service.
    pub service_id: &'a str,
    /// The request it came with.
    pub request_id: Option<&'a str>,
    /// The summary.
    pub summary: &'a str,
    /// The source.
    pub source: Option<&'a str>,
    /// JSON: custom_details, links, images.
    pub details: String,
    /// When it happened.
    pub occurred_at: Option<Timestamp>,
    /// When it was received.
    pub received_at: Timestamp,
}

/// A row of the outbox.
#[derive(Debug)]
pub struct OutboxRow<'a> {
    /// `out_…`.
    pub id: String,
    /// The tenant.
    pub tenant_id: &'a str,
    /// `incident.triggered`, …, `change.created`.
    pub event: &'static str,
    /// The incident.
    pub incident_id: Option<String>,
    /// The change event.
    pub change_id: Option<String>,
    /// The event that caused it.
    pub event_id: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// An incident to write, with the columns that its state does not hold.
#[derive(Debug)]
pub struct IncidentRow {
    /// The tenant.
    pub tenant_id: std::sync::Arc<str>,
    /// Its key.
    pub key: Key,
    /// Its number; given when it is inserted.
    pub number: i64,
    /// Its state.
    pub incident: Incident,
    shown: String,
    evidence: Option<String>,
}

impl IncidentRow {
    /// Renders the JSON columns.
    pub fn new(tenant_id: std::sync::Arc<str>, key: Key, incident: Incident) -> Self {
        let shown = incident.shown.to_json();
        let evidence = incident.evidence.as_ref().and_then(|evidence| serde_json::to_string(evidence).ok());
        Self { tenant_id, key, number: 0, incident, shown, evidence }
    }
}

/// A tombstone to write.
#[derive(Debug)]
pub struct TombstoneRow {
    /// The tenant.
    pub tenant_id: std::sync::Arc<str>,
    /// The key.
    pub key: Key,
    /// What is remembered.
    pub tombstone: Tombstone,
    /// When it changed.
    pub updated_at: Timestamp,
}

/// A delivery id that must not have an effect again.
#[derive(Debug)]
pub struct SeenRow<'a> {
    /// The integration.
    pub integration_id: &'a str,
    /// The id that the sender guarantees.
    pub delivery_id: &'a str,
    /// SHA-256 of the body, hex.
    pub body_hash: &'a str,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The request that had the effect.
    pub request_id: &'a str,
    /// Until when it is remembered.
    pub expires_at: Timestamp,
}

/// All that one batch writes.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    /// Ledger rows.
    pub requests: Vec<RequestRow<'a>>,
    /// Event rows, in order.
    pub events: Vec<EventRow<'a>>,
    /// Incidents opened in this batch (and perhaps resolved in it).
    pub opened: Vec<IncidentRow>,
    /// Incidents that stay open.
    pub updated: Vec<IncidentRow>,
    /// Incidents that were open before and are resolved now.
    pub resolved: Vec<IncidentRow>,
    /// Tombstones.
    pub tombstones: Vec<TombstoneRow>,
    /// Change events.
    pub changes: Vec<ChangeRow<'a>>,
    /// The outbox.
    pub outbox: Vec<OutboxRow<'a>>,
    /// Delivery ids.
    pub seen: Vec<SeenRow<'a>>,
}

#[rustfmt::skip]
type OpenSql = (
    Text, Text, Text, Text, Text, Text, Text, Text, Text, Text,
    Nullable<Text>, BigInt, BigInt, BigInt, Nullable<BigInt>, Nullable<Text>, Nullable<BigInt>,
    Nullable<BigInt>, Nullable<Text>, Text,
);

#[derive(Queryable)]
struct OpenRow {
    integration_id: String,
    open_key: String,
    id: String,
    service_id: String,
    status: String,
    title: String,
    first_summary: String,
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
    previous_incident_id: Option<String>,
    last_event_id: String,
}

impl OpenRow {
    fn into_incident(self) -> (Key, Incident) {
        let key = Key { integration_id: self.integration_id.into(), dedup_key: self.open_key };
        let incident = Incident {
            id: self.id,
            service_id: self.service_id,
            status: Status::parse(&self.status).unwrap_or(Status::Triggered),
            title: self.title,
            first_summary: self.first_summary,
            severity: Severity::parse(&self.severity).unwrap_or(Severity::Error),
            source: self.source,
            shown: Shown::from_json(&self.shown),
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

/// The open incidents of `keys`. On PostgreSQL they are locked, in the order of their keys, until the transaction ends.
///
/// # Errors
/// The query failed.
pub fn load_open(conn: &mut Conn, keys: &[&Key]) -> Result<Vec<(Key, Incident)>> {
    let rows: Vec<OpenRow> = match conn {
        Conn::Sqlite(conn) => {
            let keys = json_keys(keys);
            statement!(parts [
            // CROSS JOIN fixes the order: the keys outside, the unique index inside.
            concat!("SELECT ", open_columns!(), " FROM json_each("),
            ") k CROSS JOIN incidents i ON i.integration_id = k.value->>0 AND i.open_key = k.value->>1",
        ], vec![Bind::Text(&keys)] => OpenSql)
        .load(conn)?
        }
        Conn::Pg(conn) => statement!(parts [
            concat!("SELECT ", open_columns!(), " FROM unnest("), ", ",
            ") AS k(integration_id, open_key) JOIN incidents i ON i.integration_id = k.integration_id AND i.open_key = k.open_key \
             ORDER BY i.integration_id, i.open_key FOR UPDATE OF i",
        ], key_columns(keys) => OpenSql)
        .load(conn)?,
    };
    Ok(rows.into_iter().map(OpenRow::into_incident).collect())
}

type TombstoneSql = (Text, Text, Nullable<Text>, Nullable<BigInt>, Nullable<BigInt>);

/// The tombstones of `keys`.
///
/// # Errors
/// The query failed.
pub fn load_tombstones(conn: &mut Conn, keys: &[&Key]) -> Result<Vec<(Key, Tombstone)>> {
    type Row = (String, String, Option<String>, Option<i64>, Option<i64>);
    let rows: Vec<Row> = match conn {
        Conn::Sqlite(conn) => {
            let keys = json_keys(keys);
            statement!(parts [
            "SELECT t.integration_id, t.dedup_key, t.incident_id, t.order_at, t.resolved_at FROM json_each(",
            ") k CROSS JOIN tombstones t ON t.integration_id = k.value->>0 AND t.dedup_key = k.value->>1",
        ], vec![Bind::Text(&keys)] => TombstoneSql)
        .load(conn)?
        }
        Conn::Pg(conn) => statement!(parts [
            "SELECT t.integration_id, t.dedup_key, t.incident_id, t.order_at, t.resolved_at FROM unnest(", ", ",
            ") AS k(integration_id, dedup_key) JOIN tombstones t ON t.integration_id = k.integration_id AND t.dedup_key = k.dedup_key",
        ], key_columns(keys) => TombstoneSql)
        .load(conn)?,
    };
    let stone = |(integration_id, dedup_key, incident_id, order_at, resolved_at): Row| {
        let key = Key { integration_id: integration_id.into(), dedup_key };
        (key, Tombstone { incident_id, order_at: order_at.map(Timestamp), resolved_at: resolved_at.map(Timestamp) })
    };
    Ok(rows.into_iter().map(stone).collect())
}

/// The request that had the effect of this delivery id with this body, if it is remembered at `now`.
///
/// # Errors
/// The query failed.
pub fn find_seen(conn: &mut Conn, seen: &SeenRow<'_>, now: Timestamp) -> Result<Option<String>> {
    use super::schema::seen_deliveries::dsl;
    use diesel::ExpressionMethods;
    Ok(dsl::seen_deliveries
        .filter(dsl::integration_id.eq(seen.integration_id))
        .filter(dsl::delivery_id.eq(seen.delivery_id))
        .filter(dsl::body_hash.eq(seen.body_hash))
        .filter(dsl::expires_at.gt(now.0))
        .select(dsl::request_id)
        .first(conn)
        .optional()?)
}

fn json_keys(keys: &[&Key]) -> String {
    let pairs: Vec<[&str; 2]> = keys.iter().map(|key| [&*key.integration_id, key.dedup_key.as_str()]).collect();
    serde_json::to_string(&pairs).unwrap_or_else(|_| "[]".to_owned())
}

fn key_columns<'a>(keys: &[&'a Key]) -> Vec<Column<'a>> {
    vec![
        Column::Text(keys.iter().map(|key| &*key.integration_id).collect()),
        Column::Text(keys.iter().map(|key| key.dedup_key.as_str()).collect()),
    ]
}

/// One column of all rows.
fn each<'a, R, T>(rows: &'a [R], column: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

/// Inserts rows: on SQLite one by one, on PostgreSQL as one statement over arrays.
macro_rules! insert {
    ($conn:expr, $into:literal, $rows:expr, |$row:ident| [$($kind:ident: $value:expr),+ $(,)?], $conflict:literal) => {
        match $conn {
            Conn::Sqlite(conn) => {
                for $row in $rows {
                    statement!(list concat!("INSERT INTO ", $into, " VALUES ("), vec![$(Bind::$kind($value)),+], concat!(") ", $conflict))
                        .execute(conn)?;
                }
            }
            Conn::Pg(conn) if !$rows.is_empty() => {
                statement!(
                    list concat!("INSERT INTO ", $into, " SELECT * FROM unnest("),
                    vec![$(Column::$kind(each($rows, |$row| $value))),+],
                    concat!(") ", $conflict)
                )
                .execute(conn)?;
            }
            Conn::Pg(_) => {}
        }
    };
}

/// Writes a batch; inside its transaction.
///
/// # Errors
/// A statement failed; nothing of the batch may then be committed.
pub fn write(conn: &mut Conn, rows: &mut Rows<'_>, next_number: &mut Option<i64>) -> Result<()> {
    insert!(conn, "requests (id, tenant_id, integration_id, route, verdict, status, received_at, headers, query, body, message, \
         first_event_id, last_event_id)", &rows.requests, |row| [
        Text: row.id, Text: row.tenant_id, OptText: row.integration_id, Text: row.route, Text: row.verdict,
        Int: i64::from(row.status), Int: row.received_at.0, Text: row.headers, Text: row.query, Bytes: row.body,
        OptText: row.message, OptText: row.first_event_id.as_deref(), OptText: row.last_event_id.as_deref(),
    ], "");
    insert!(conn, "events (id, tenant_id, request_id, integration_id, incident_id, previous_event_id, action, dedup_key, outcome, \
         severity, summary, source, actor, note, occurred_at, received_at)", &rows.events, |row| [
        Text: row.id.as_str(), Text: row.tenant_id, OptText: row.request_id, Text: row.integration_id,
        OptText: row.incident_id.as_deref(), OptText: row.previous_event_id.as_deref(), Text: row.action, Text: row.dedup_key,
        Text: row.outcome, Text: row.severity, Text: row.summary, Text: row.source, OptText: row.actor.as_deref(),
        OptText: row.note, OptInt: row.occurred_at.map(|at| at.0), Int: row.received_at.0,
    ], "");
    number(conn, &mut rows.opened, next_number)?;
    insert_incidents(conn, &rows.opened)?;
    update_incidents(conn, &rows.updated)?;
    resolve_incidents(conn, &rows.resolved)?;
    insert!(conn, "tombstones (integration_id, dedup_key, tenant_id, incident_id, order_at, resolved_at, updated_at)",
        &rows.tombstones, |row| [
        Text: &*row.key.integration_id, Text: row.key.dedup_key.as_str(), Text: &*row.tenant_id,
        OptText: row.tombstone.incident_id.as_deref(), OptInt: row.tombstone.order_at.map(|at| at.0),
        OptInt: row.tombstone.resolved_at.map(|at| at.0), Int: row.updated_at.0,
    ], "ON CONFLICT (integration_id, dedup_key) DO UPDATE SET incident_id = excluded.incident_id, order_at = excluded.order_at, \
         resolved_at = excluded.resolved_at, updated_at = excluded.updated_at");
    insert!(conn, "changes (id, tenant_id, integration_id, service_id, request_id, summary, source, details, occurred_at, \
         received_at)", &rows.changes, |row| [
        Text: row.id.as_str(), Text: row.tenant_id, Text: row.integration_id, Text: row.service_id, OptText: row.request_id,
        Text: row.summary, OptText: row.source, Text: row.details.as_str(), OptInt: row.occurred_at.map(|at| at.0),
        Int: row.received_at.0,
    ], "");
    insert!(conn, "outbox (id, tenant_id, event, incident_id, change_id, event_id, created_at)", &rows.outbox, |row| [
        Text: row.id.as_str(), Text: row.tenant_id, Text: row.event, OptText: row.incident_id.as_deref(),
        OptText: row.change_id.as_deref(), OptText: row.event_id.as_deref(), Int: row.created_at.0,
    ], "");
    insert!(conn, "seen_deliveries (integration_id, delivery_id, body_hash, tenant_id, request_id, expires_at)", &rows.seen, |row| [
        Text: row.integration_id, Text: row.delivery_id, Text: row.body_hash, Text: row.tenant_id, Text: row.request_id,
        Int: row.expires_at.0,
    ], "ON CONFLICT (integration_id, delivery_id, body_hash) DO UPDATE SET request_id = excluded.request_id, \
         expires_at = excluded.expires_at");
    Ok(())
}

/// Gives each opened incident its number: on PostgreSQL from the sequence; on SQLite, where one thread writes, by counting on from
/// the newest incident.
fn number(conn: &mut Conn, opened: &mut [IncidentRow], next: &mut Option<i64>) -> Result<()> {
    if opened.is_empty() {
        return Ok(());
    }
    match conn {
        Conn::Sqlite(conn) => {
            use diesel::ExpressionMethods;
            let first = match *next {
                Some(next) => next,
                None => {
                    let newest: Option<i64> =
                        incidents::table.order(incidents::id.desc()).select(incidents::number).first(conn).optional()?;
                    newest.unwrap_or(0).saturating_add(1)
                }
            };
            let mut number = first;
            for row in opened {
                row.number = number;
                number = number.saturating_add(1);
            }
            *next = Some(number);
        }
        Conn::Pg(conn) => {
            let one: Vec<i64> = vec![0; opened.len()];
            let numbers: Vec<i64> =
                statement!(parts ["SELECT nextval('incident_number') FROM unnest(", ") AS n"], vec![Column::Int(one)] => BigInt)
                    .load(conn)?;
            for (row, number) in opened.iter_mut().zip(numbers) {
                row.number = number;
            }
        }
    }
    Ok(())
}

fn insert_incidents(conn: &mut Conn, rows: &[IncidentRow]) -> Result<()> {
    insert!(conn, "incidents (id, tenant_id, number, service_id, integration_id, dedup_key, open_key, status, title, first_summary, \
         severity, source, shown, evidence, event_count, first_seen, last_seen, acknowledged_at, acknowledged_by, resolved_at, \
         resolved_by, expires_at, reminded_at, previous_incident_id, last_event_id)", rows, |row| [
        Text: row.incident.id.as_str(), Text: &*row.tenant_id, Int: row.number, Text: row.incident.service_id.as_str(),
        Text: &*row.key.integration_id, Text: row.key.dedup_key.as_str(),
        OptText: (row.incident.status != Status::Resolved).then_some(row.key.dedup_key.as_str()),
        Text: row.incident.status.as_str(), Text: row.incident.title.as_str(), Text: row.incident.first_summary.as_str(),
        Text: row.incident.severity.as_str(), Text: row.incident.source.as_str(), Text: row.shown.as_str(), OptText: row.evidence.as_deref(),
        Int: row.incident.event_count, Int: row.incident.first_seen.0, Int: row.incident.last_seen.0,
        OptInt: row.incident.acknowledged_at.map(|at| at.0), OptText: row.incident.acknowledged_by.as_deref(),
        OptInt: row.incident.resolved_at.map(|at| at.0), OptText: row.incident.resolved_by.as_deref(),
        OptInt: row.incident.expires_at.map(|at| at.0), OptInt: row.incident.reminded_at.map(|at| at.0),
        OptText: row.incident.previous_incident_id.as_deref(), Text: row.incident.last_event_id.as_str(),
    ], "");
    Ok(())
}

/// Updates incidents that stay open. No column of a key is set: even `open_key = open_key` costs a fifth of the rate.
fn update_incidents(conn: &mut Conn, rows: &[IncidentRow]) -> Result<()> {
    match conn {
        Conn::Sqlite(conn) => {
            for row in rows {
                let incident = &row.incident;
                statement!(parts [
                    "UPDATE incidents SET status = ", ", title = ", ", severity = ", ", source = ", ", shown = ", ", evidence = ",
                    ", event_count = ", ", last_seen = ", ", acknowledged_at = ", ", acknowledged_by = ", ", expires_at = ",
                    ", reminded_at = ", ", last_event_id = ", " WHERE id = ", "",
                ], vec![
                    Bind::Text(incident.status.as_str()), Bind::Text(&incident.title), Bind::Text(incident.severity.as_str()),
                    Bind::Text(&incident.source), Bind::Text(&row.shown), Bind::OptText(row.evidence.as_deref()),
                    Bind::Int(incident.event_count), Bind::Int(incident.last_seen.0),
                    Bind::OptInt(incident.acknowledged_at.map(|at| at.0)), Bind::OptText(incident.acknowledged_by.as_deref()),
                    Bind::OptInt(incident.expires_at.map(|at| at.0)), Bind::OptInt(incident.reminded_at.map(|at| at.0)),
                    Bind::Text(&incident.last_event_id), Bind::Text(&incident.id),
                ])
                .execute(conn)?;
            }
        }
        Conn::Pg(conn) if !rows.is_empty() => {
            statement!(
                list "UPDATE incidents AS i SET status = v.status, title = v.title, severity = v.severity, source = v.source, \
                 shown = v.shown, evidence = v.evidence, event_count = v.event_count, last_seen = v.last_seen, \
                 acknowledged_at = v.acknowledged_at, acknowledged_by = v.acknowledged_by, expires_at = v.expires_at, \
                 reminded_at = v.reminded_at, last_event_id = v.last_event_id FROM unnest(",
                open_state(rows),
                ") AS v(id, status, title, severity, source, shown, evidence, event_count, last_seen, acknowledged_at, \
                 acknowledged_by, expires_at, reminded_at, last_event_id) WHERE i.id = v.id"
            )
            .execute(conn)?;
        }
        Conn::Pg(_) => {}
    }
    Ok(())
}

fn open_state(rows: &[IncidentRow]) -> Vec<Column<'_>> {
    vec![
        Column::Text(each(rows, |row| row.incident.id.as_str())),
        Column::Text(each(rows, |row| row.incident.status.as_str())),
        Column::Text(each(rows, |row| row.incident.title.as_str())),
        Column::Text(each(rows, |row| row.incident.severity.as_str())),
        Column::Text(each(rows, |row| row.incident.source.as_str())),
        Column::Text(each(rows, |row| row.shown.as_str())),
        Column::OptText(each(rows, |row| row.evidence.as_deref())),
        Column::Int(each(rows, |row| row.incident.event_count)),
        Column::Int(each(rows, |row| row.incident.last_seen.0)),
        Column::OptInt(each(rows, |row| row.incident.acknowledged_at.map(|at| at.0))),
        Column::OptText(each(rows, |row| row.incident.acknowledged_by.as_deref())),
        Column::OptInt(each(rows, |row| row.incident.expires_at.map(|at| at.0))),
        Column::OptInt(each(rows, |row| row.incident.reminded_at.map(|at| at.0))),
        Column::Text(each(rows, |row| row.incident.last_event_id.as_str())),
    ]
}

/// Resolves incidents: their last state first, then the columns of the end.
fn resolve_incidents(conn: &mut Conn, rows: &[IncidentRow]) -> Result<()> {
    update_incidents(conn, rows)?;
    match conn {
        Conn::Sqlite(conn) => {
            for row in rows {
                statement!(parts ["UPDATE incidents SET open_key = NULL, resolved_at = ", ", resolved_by = ", " WHERE id = ", ""], vec![
                    Bind::OptInt(row.incident.resolved_at.map(|at| at.0)),
                    Bind::OptText(row.incident.resolved_by.as_deref()),
                    Bind::Text(&row.incident.id),
                ])
                .execute(conn)?;
            }
        }
        Conn::Pg(conn) if !rows.is_empty() => {
            statement!(
                list "UPDATE incidents AS i SET open_key = NULL, resolved_at = v.resolved_at, resolved_by = v.resolved_by FROM unnest(",
                vec![
                    Column::Text(rows.iter().map(|row| row.incident.id.as_str()).collect()),
                    Column::OptInt(rows.iter().map(|row| row.incident.resolved_at.map(|at| at.0)).collect()),
                    Column::OptText(rows.iter().map(|row| row.incident.resolved_by.as_deref()).collect()),
                ],
                ") AS v(id, resolved_at, resolved_by) WHERE i.id = v.id"
            )
            .execute(conn)?;
        }
        Conn::Pg(_) => {}
    }
    Ok(())
}

/// How many incidents of the integration are open whose key begins with `prefix` (which holds no wildcard).
///
/// # Errors
/// The query failed.
pub fn count_open_like(conn: &mut Conn, integration_id: &str, prefix: &str) -> Result<i64> {
    use diesel::{ExpressionMethods, TextExpressionMethods};
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
    use diesel::{ExpressionMethods, TextExpressionMethods};
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
    use diesel::ExpressionMethods;
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
    use super::schema::tombstones::dsl;
    use diesel::ExpressionMethods;
    let count: i64 = dsl::tombstones
        .filter(dsl::integration_id.eq(&*key.integration_id))
        .filter(dsl::dedup_key.eq(&key.dedup_key))
        .filter(dsl::updated_at.gt(moment.0))
        .count()
        .get_result(conn)?;
    Ok(count > 0)
}
