//! Incidents: numbered, inserted, updated, resolved.

use diesel::sql_types::BigInt;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use super::IncidentRow;
use super::write::{each, insert};
use crate::id;
use crate::incident::{Incident, Status};
use crate::statement;
use crate::store::facts::INCIDENT_NUMBER;
use crate::store::schema::{facts, incidents};
use crate::store::stmt::{Bind, Column};
use crate::store::{Conn, Result};

/// Gives each opened incident its number: on PostgreSQL from the sequence; on SQLite, where one thread writes, by counting on from
/// the newest incident, or from a newer one that retention has removed.
pub(super) fn number(conn: &mut Conn, opened: &mut [IncidentRow], next: &mut Option<i64>) -> Result<()> {
    if opened.is_empty() {
        return Ok(());
    }
    match conn {
        Conn::Sqlite(conn) => {
            let first = match *next {
                Some(next) => next,
                None => {
                    let newest: Option<i64> =
                        incidents::table.order(incidents::id.desc()).select(incidents::number).first(conn).optional()?;
                    let removed: Option<String> =
                        facts::table.find(INCIDENT_NUMBER).select(facts::value).first(conn).optional()?;
                    let removed = removed.and_then(|number| number.parse().ok());
                    newest.max(removed).unwrap_or(0).saturating_add(1)
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

/// The column: NULL while it is the title.
fn first_summary(incident: &Incident) -> Option<&str> {
    (incident.first_summary != incident.title).then_some(incident.first_summary.as_str())
}

pub(super) fn insert_incidents(conn: &mut Conn, rows: &[IncidentRow]) -> Result<()> {
    insert!(conn, "incidents (id, tenant_id, number, service_id, integration_id, dedup_key, open_key, status, title, first_summary, \
         severity, source, shown, evidence, event_count, first_seen, last_seen, acknowledged_at, acknowledged_by, resolved_at, \
         resolved_by, expires_at, reminded_at, previous_incident_id, last_event_id)", rows, |row| [
        Int: id::number(&row.incident.id), Text: &*row.tenant_id, Int: row.number, Text: row.incident.service_id.as_str(),
        Text: &*row.key.integration_id, Text: row.key.dedup_key.as_str(),
        OptText: (row.incident.status != Status::Resolved).then_some(row.key.dedup_key.as_str()),
        Text: row.incident.status.as_str(), Text: row.incident.title.as_str(), OptText: first_summary(&row.incident),
        Text: row.incident.severity.as_str(), Text: row.incident.source.as_str(), Text: &*row.shown, OptText: row.evidence.as_deref(),
        Int: row.incident.event_count, Int: row.incident.first_seen.0, Int: row.incident.last_seen.0,
        OptInt: row.incident.acknowledged_at.map(|at| at.0), OptText: row.incident.acknowledged_by.as_deref(),
        OptInt: row.incident.resolved_at.map(|at| at.0), OptText: row.incident.resolved_by.as_deref(),
        OptInt: row.incident.expires_at.map(|at| at.0), OptInt: row.incident.reminded_at.map(|at| at.0),
        OptInt: row.incident.previous_incident_id.as_deref().map(id::number), Int: id::number(&row.incident.last_event_id),
    ], "");
    Ok(())
}

/// Updates incidents that stay open. No column of a key is set: even `open_key = open_key` costs a fifth of the rate.
pub(super) fn update_incidents(conn: &mut Conn, rows: &[IncidentRow]) -> Result<()> {
    match conn {
        Conn::Sqlite(conn) => {
            for row in rows {
                let incident = &row.incident;
                statement!(parts [
                    "UPDATE incidents SET status = ", ", title = ", ", first_summary = ", ", severity = ", ", source = ", ", shown = ", ", evidence = ",
                    ", event_count = ", ", last_seen = ", ", acknowledged_at = ", ", acknowledged_by = ", ", expires_at = ",
                    ", reminded_at = ", ", last_event_id = ", " WHERE id = ", "",
                ], vec![
                    Bind::Text(incident.status.as_str()), Bind::Text(&incident.title), Bind::OptText(first_summary(incident)), Bind::Text(incident.severity.as_str()),
                    Bind::Text(&incident.source), Bind::Text(&row.shown), Bind::OptText(row.evidence.as_deref()),
                    Bind::Int(incident.event_count), Bind::Int(incident.last_seen.0),
                    Bind::OptInt(incident.acknowledged_at.map(|at| at.0)), Bind::OptText(incident.acknowledged_by.as_deref()),
                    Bind::OptInt(incident.expires_at.map(|at| at.0)), Bind::OptInt(incident.reminded_at.map(|at| at.0)),
                    Bind::Int(id::number(&incident.last_event_id)), Bind::Int(id::number(&incident.id)),
                ])
                .execute(conn)?;
            }
        }
        Conn::Pg(conn) if !rows.is_empty() => {
            statement!(
                list "UPDATE incidents AS i SET status = v.status, title = v.title, first_summary = v.first_summary, severity = v.severity, source = v.source, \
                 shown = v.shown, evidence = v.evidence, event_count = v.event_count, last_seen = v.last_seen, \
                 acknowledged_at = v.acknowledged_at, acknowledged_by = v.acknowledged_by, expires_at = v.expires_at, \
                 reminded_at = v.reminded_at, last_event_id = v.last_event_id FROM unnest(",
                open_state(rows),
                ") AS v(id, status, title, first_summary, severity, source, shown, evidence, event_count, last_seen, acknowledged_at, \
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
        Column::Int(each(rows, |row| id::number(&row.incident.id))),
        Column::Text(each(rows, |row| row.incident.status.as_str())),
        Column::Text(each(rows, |row| row.incident.title.as_str())),
        Column::OptText(each(rows, |row| first_summary(&row.incident))),
        Column::Text(each(rows, |row| row.incident.severity.as_str())),
        Column::Text(each(rows, |row| row.incident.source.as_str())),
        Column::Text(each(rows, |row| &*row.shown)),
        Column::OptText(each(rows, |row| row.evidence.as_deref())),
        Column::Int(each(rows, |row| row.incident.event_count)),
        Column::Int(each(rows, |row| row.incident.last_seen.0)),
        Column::OptInt(each(rows, |row| row.incident.acknowledged_at.map(|at| at.0))),
        Column::OptText(each(rows, |row| row.incident.acknowledged_by.as_deref())),
        Column::OptInt(each(rows, |row| row.incident.expires_at.map(|at| at.0))),
        Column::OptInt(each(rows, |row| row.incident.reminded_at.map(|at| at.0))),
        Column::Int(each(rows, |row| id::number(&row.incident.last_event_id))),
    ]
}

/// Resolves incidents: their last state first, then the columns of the end.
pub(super) fn resolve_incidents(conn: &mut Conn, rows: &[IncidentRow]) -> Result<()> {
    update_incidents(conn, rows)?;
    match conn {
        Conn::Sqlite(conn) => {
            for row in rows {
                statement!(parts ["UPDATE incidents SET open_key = NULL, resolved_at = ", ", resolved_by = ", " WHERE id = ", ""], vec![
                    Bind::OptInt(row.incident.resolved_at.map(|at| at.0)),
                    Bind::OptText(row.incident.resolved_by.as_deref()),
                    Bind::Int(id::number(&row.incident.id)),
                ])
                .execute(conn)?;
            }
        }
        Conn::Pg(conn) if !rows.is_empty() => {
            statement!(
                list "UPDATE incidents AS i SET open_key = NULL, resolved_at = v.resolved_at, resolved_by = v.resolved_by FROM unnest(",
                vec![
                    Column::Int(rows.iter().map(|row| id::number(&row.incident.id)).collect()),
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
