//! Writing a batch.

use diesel::{RunQueryDsl, SqliteConnection};

use super::incidents::{insert_incidents, number, resolve_incidents, update_incidents};
use super::{Rows, postgres};
use crate::id;
use crate::statement;
use crate::store::stmt::Bind;
use crate::store::{Conn, Result};

/// Inserts rows one by one. To bind a value costs more than to store it, so columns that are NULL in most rows stand in a list of their
/// own: where all of them are, the statement does without.
macro_rules! insert {
    ($conn:expr, $table:literal, $rows:expr, |$row:ident| {
        $first:ident = $kind:ident: $value:expr, $($name:ident = $kinds:ident: $values:expr),* $(,)?
    } rare { $($rare:ident = $rare_kind:ident: $rare_value:expr),* $(,)? } $tail:literal) => {
        for $row in $rows {
            let mut binds = vec![Bind::$kind($value), $(Bind::$kinds($values)),*];
            let rare = [$(Bind::$rare_kind($rare_value)),*];
            if rare.iter().all(Bind::is_null) {
                let head = concat!("INSERT INTO ", $table, " (", stringify!($first), $(", ", stringify!($name),)* ") VALUES (");
                statement!(list head, binds, concat!(") ", $tail)).execute($conn)?;
            } else {
                binds.extend(rare);
                let head = concat!("INSERT INTO ", $table, " (", stringify!($first), $(", ", stringify!($name),)*
                    $(", ", stringify!($rare),)* ") VALUES (");
                statement!(list head, binds, concat!(") ", $tail)).execute($conn)?;
            }
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
    insert!(conn, "requests", &rows.requests, |row| {
        id = Int: id::number(row.id), tenant_id = Text: row.tenant_id, integration_id = OptText: row.integration_id,
        route = Text: row.route, verdict = Text: row.verdict, status = Int: i64::from(row.status), received_at = Int: row.received_at.0,
        headers = Text: row.headers, query = Text: row.query, first_event_id = OptInt: row.first_event_id.as_deref().map(id::number),
        body = Bytes: &row.body.bytes,
    } rare {
        target = OptText: row.target, message = OptText: row.message,
        last_event_id = OptInt: row.last_event_id.as_deref().map(id::number), body_encoding = OptText: row.body.encoding,
    } "");
    insert!(conn, "events", &rows.events, |row| {
        id = Int: id::number(&row.id), tenant_id = Text: row.tenant_id, request_id = OptInt: row.request_id.map(id::number),
        integration_id = Text: row.integration_id, incident_id = OptInt: row.incident_id.as_deref().map(id::number),
        action = Text: row.action, dedup_key = Text: row.dedup_key, outcome = Text: row.outcome, severity = Text: row.severity,
        summary = Text: row.summary, source = Text: row.source, received_at = Int: row.received_at.0,
        previous_event_id = OptInt: row.previous_event_id.as_deref().map(id::number),
        occurred_at = OptInt: row.occurred_at.map(|at| at.0),
    } rare {
        actor = OptText: row.actor.as_deref(), note = OptText: row.note,
    } "");
    number(conn, &mut rows.opened, next_number)?;
    insert_incidents(conn, &rows.opened)?;
    update_incidents(conn, &rows.updated)?;
    resolve_incidents(conn, &rows.resolved)?;
    insert!(conn, "tombstones", &rows.tombstones, |row| {
        integration_id = Text: &*row.key.integration_id, dedup_key = Text: row.key.dedup_key.as_str(), tenant_id = Text: &*row.tenant_id,
        incident_id = OptInt: row.tombstone.incident_id.as_deref().map(id::number),
        order_at = OptInt: row.tombstone.order_at.map(|at| at.0), resolved_at = OptInt: row.tombstone.resolved_at.map(|at| at.0),
        updated_at = Int: row.updated_at.0,
    } rare {} "ON CONFLICT (integration_id, dedup_key) DO UPDATE SET incident_id = excluded.incident_id, order_at = excluded.order_at, \
         resolved_at = excluded.resolved_at, updated_at = excluded.updated_at");
    insert!(conn, "changes", &rows.changes, |row| {
        id = Int: id::number(&row.id), tenant_id = Text: row.tenant_id, integration_id = Text: row.integration_id,
        service_id = Text: row.service_id, request_id = OptInt: row.request_id.map(id::number), summary = Text: row.summary,
        source = OptText: row.source, details = Text: row.details.as_str(), occurred_at = OptInt: row.occurred_at.map(|at| at.0),
        received_at = Int: row.received_at.0,
    } rare {} "");
    insert!(conn, "outbox", &rows.outbox, |row| {
        tenant_id = Text: row.tenant_id, event = Text: row.event, incident_id = OptInt: row.incident_id.as_deref().map(id::number),
        change_id = OptInt: row.change_id.as_deref().map(id::number), event_id = OptInt: row.event_id.as_deref().map(id::number),
        created_at = Int: row.created_at.0, severity = OptText: row.severity,
    } rare {} "");
    insert!(conn, "seen_deliveries", &rows.seen, |row| {
        integration_id = Text: row.integration_id, delivery_id = Text: row.delivery_id, body_hash = Text: row.body_hash,
        tenant_id = Text: row.tenant_id, request_id = Int: id::number(row.request_id), expires_at = Int: row.expires_at.0,
    } rare {} "ON CONFLICT (integration_id, delivery_id, body_hash) DO UPDATE SET request_id = excluded.request_id, \
         expires_at = excluded.expires_at");
    insert!(conn, "replays", &rows.replays, |row| {
        request_id = Int: id::number(row.request_id), mark = Text: row.mark.as_str(), tenant_id = Text: row.tenant_id,
        event_id = OptInt: row.event_id.as_deref().map(id::number),
        incident_id = OptInt: row.incident_id.as_deref().map(id::number), replayed_at = Int: row.replayed_at.0,
    } rare {} "");
    Ok(())
}
