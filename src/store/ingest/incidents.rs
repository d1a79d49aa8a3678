//! Incidents on SQLite: numbered, inserted, updated, resolved.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SqliteConnection};

use super::IncidentRow;
use super::write::insert;
use crate::id;
use crate::statement;
use crate::store::Result;
use crate::store::facts::INCIDENT_NUMBER;
use crate::store::schema::{facts, incidents};
use crate::store::stmt::Bind;

/// Gives each opened incident its number: one thread writes, so it counts on from the newest incident, or from a newer one that
/// retention has removed. (On PostgreSQL a sequence does.)
pub(super) fn number(conn: &mut SqliteConnection, opened: &mut [IncidentRow], next: &mut Option<i64>) -> Result<()> {
    if opened.is_empty() {
        return Ok(());
    }
    let first = match *next {
        Some(next) => next,
        None => {
            let newest: Option<i64> =
                incidents::table.order(incidents::id.desc()).select(incidents::number).first(conn).optional()?;
            let removed: Option<String> = facts::table.find(INCIDENT_NUMBER).select(facts::value).first(conn).optional()?;
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
    Ok(())
}

pub(super) fn insert_incidents(conn: &mut SqliteConnection, rows: &[IncidentRow]) -> Result<()> {
    insert!(conn, "incidents", rows, |row| {
        id = Int: id::number(&row.incident.id), tenant_id = Text: &*row.tenant_id, number = Int: row.number,
        service_id = Text: row.incident.service_id.as_str(), integration_id = Text: &*row.key.integration_id,
        dedup_key = Text: row.key.dedup_key.as_str(), open_key = OptText: row.open_key(), status = Text: row.incident.status.as_str(),
        title = Text: row.incident.title.as_str(), severity = Text: row.incident.severity.as_str(),
        source = Text: row.incident.source.as_str(), shown = Text: &*row.shown, evidence = OptText: row.evidence.as_deref(),
        event_count = Int: row.incident.event_count, first_seen = Int: row.incident.first_seen.0,
        last_seen = Int: row.incident.last_seen.0, last_event_id = Int: id::number(&row.incident.last_event_id),
    } rare {
        first_summary = OptText: row.first_summary(), acknowledged_at = OptInt: row.incident.acknowledged_at.map(|at| at.0),
        acknowledged_by = OptText: row.incident.acknowledged_by.as_deref(),
        resolved_at = OptInt: row.incident.resolved_at.map(|at| at.0), resolved_by = OptText: row.incident.resolved_by.as_deref(),
        expires_at = OptInt: row.incident.expires_at.map(|at| at.0), reminded_at = OptInt: row.incident.reminded_at.map(|at| at.0),
        previous_incident_id = OptInt: row.incident.previous_incident_id.as_deref().map(id::number),
    } "");
    Ok(())
}

/// Updates incidents that stay open. No column of a key is set: even `open_key = open_key` costs a fifth of the rate.
pub(super) fn update_incidents(conn: &mut SqliteConnection, rows: &[IncidentRow]) -> Result<()> {
    for row in rows {
        let incident = &row.incident;
        statement!(parts [
            "UPDATE incidents SET status = ", ", title = ", ", first_summary = ", ", severity = ", ", source = ", ", shown = ", ", evidence = ",
            ", event_count = ", ", last_seen = ", ", acknowledged_at = ", ", acknowledged_by = ", ", expires_at = ",
            ", reminded_at = ", ", last_event_id = ", " WHERE id = ", "",
        ], vec![
            Bind::Text(incident.status.as_str()), Bind::Text(&incident.title), Bind::OptText(row.first_summary()), Bind::Text(incident.severity.as_str()),
            Bind::Text(&incident.source), Bind::Text(&row.shown), Bind::OptText(row.evidence.as_deref()),
            Bind::Int(incident.event_count), Bind::Int(incident.last_seen.0),
            Bind::OptInt(incident.acknowledged_at.map(|at| at.0)), Bind::OptText(incident.acknowledged_by.as_deref()),
            Bind::OptInt(incident.expires_at.map(|at| at.0)), Bind::OptInt(incident.reminded_at.map(|at| at.0)),
            Bind::Int(id::number(&incident.last_event_id)), Bind::Int(id::number(&incident.id)),
        ])
        .execute(conn)?;
    }
    Ok(())
}

/// Resolves incidents: their last state first, then the columns of the end.
pub(super) fn resolve_incidents(conn: &mut SqliteConnection, rows: &[IncidentRow]) -> Result<()> {
    update_incidents(conn, rows)?;
    for row in rows {
        statement!(parts ["UPDATE incidents SET open_key = NULL, resolved_at = ", ", resolved_by = ", " WHERE id = ", ""], vec![
            Bind::OptInt(row.incident.resolved_at.map(|at| at.0)),
            Bind::OptText(row.incident.resolved_by.as_deref()),
            Bind::Int(id::number(&row.incident.id)),
        ])
        .execute(conn)?;
    }
    Ok(())
}
