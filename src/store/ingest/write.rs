//! Writing a batch.

use diesel::{RunQueryDsl, SqliteConnection};

use super::incidents::{insert_incidents, number, resolve_incidents, update_incidents};
use super::{Rows, postgres};
use crate::id;
use crate::statement;
use crate::store::stmt::Bind;
use crate::store::{Conn, Result};

/// Inserts rows one by one.
macro_rules! insert {
    ($conn:expr, $into:literal, $rows:expr, |$row:ident| [$($kind:ident: $value:expr),+ $(,)?], $conflict:literal) => {
        for $row in $rows {
            statement!(list concat!("INSERT INTO ", $into, " VALUES ("), vec![$(Bind::$kind($value)),+], concat!(") ", $conflict))
                .execute($conn)?;
        }
    };
}

pub(super) use insert;

/// Writes a batch: on SQLite inside its transaction; on PostgreSQL all of it or nothing, in a transaction or without.
///
/// # Errors
/// A statement failed; nothing of the batch may then be committed. [`StoreError::Conflict`](crate::store::StoreError::Conflict) on
/// PostgreSQL also where an incident is no longer what it was when it was read.
pub fn write(conn: &mut Conn, rows: &mut Rows<'_>, next_number: &mut Option<i64>) -> Result<()> {
    match conn {
        Conn::Sqlite(conn) => write_each(conn, rows, next_number),
        Conn::Pg(conn) => postgres::write(conn, rows),
    }
}

fn write_each(conn: &mut SqliteConnection, rows: &mut Rows<'_>, next_number: &mut Option<i64>) -> Result<()> {
    insert!(conn, "requests (id, tenant_id, integration_id, route, verdict, status, received_at, headers, query, target, body, message, \
         first_event_id, last_event_id)", &rows.requests, |row| [
        Int: id::number(row.id), Text: row.tenant_id, OptText: row.integration_id, Text: row.route, Text: row.verdict,
        Int: i64::from(row.status), Int: row.received_at.0, Text: row.headers, Text: row.query, OptText: row.target, Bytes: row.body,
        OptText: row.message, OptInt: row.first_event_id.as_deref().map(id::number),
        OptInt: row.last_event_id.as_deref().map(id::number),
    ], "");
    insert!(conn, "events (id, tenant_id, request_id, integration_id, incident_id, previous_event_id, action, dedup_key, outcome, \
         severity, summary, source, actor, note, occurred_at, received_at)", &rows.events, |row| [
        Int: id::number(&row.id), Text: row.tenant_id, OptInt: row.request_id.map(id::number), Text: row.integration_id,
        OptInt: row.incident_id.as_deref().map(id::number), OptInt: row.previous_event_id.as_deref().map(id::number), Text: row.action, Text: row.dedup_key,
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
        OptInt: row.tombstone.incident_id.as_deref().map(id::number), OptInt: row.tombstone.order_at.map(|at| at.0),
        OptInt: row.tombstone.resolved_at.map(|at| at.0), Int: row.updated_at.0,
    ], "ON CONFLICT (integration_id, dedup_key) DO UPDATE SET incident_id = excluded.incident_id, order_at = excluded.order_at, \
         resolved_at = excluded.resolved_at, updated_at = excluded.updated_at");
    insert!(conn, "changes (id, tenant_id, integration_id, service_id, request_id, summary, source, details, occurred_at, \
         received_at)", &rows.changes, |row| [
        Int: id::number(&row.id), Text: row.tenant_id, Text: row.integration_id, Text: row.service_id,
        OptInt: row.request_id.map(id::number),
        Text: row.summary, OptText: row.source, Text: row.details.as_str(), OptInt: row.occurred_at.map(|at| at.0),
        Int: row.received_at.0,
    ], "");
    insert!(conn, "outbox (tenant_id, event, incident_id, change_id, event_id, created_at, severity)", &rows.outbox, |row| [
        Text: row.tenant_id, Text: row.event, OptInt: row.incident_id.as_deref().map(id::number),
        OptInt: row.change_id.as_deref().map(id::number), OptInt: row.event_id.as_deref().map(id::number), Int: row.created_at.0,
        OptText: row.severity,
    ], "");
    insert!(conn, "seen_deliveries (integration_id, delivery_id, body_hash, tenant_id, request_id, expires_at)", &rows.seen, |row| [
        Text: row.integration_id, Text: row.delivery_id, Text: row.body_hash, Text: row.tenant_id, Int: id::number(row.request_id),
        Int: row.expires_at.0,
    ], "ON CONFLICT (integration_id, delivery_id, body_hash) DO UPDATE SET request_id = excluded.request_id, \
         expires_at = excluded.expires_at");
    insert!(conn, "replays (request_id, mark, tenant_id, event_id, incident_id, replayed_at)", &rows.replays, |row| [
        Int: id::number(row.request_id), Text: row.mark.as_str(), Text: row.tenant_id,
        OptInt: row.event_id.as_deref().map(id::number), OptInt: row.incident_id.as_deref().map(id::number), Int: row.replayed_at.0,
    ], "");
    Ok(())
}
