//! A batch on PostgreSQL: one statement, whatever it writes. Outside a transaction it is one by itself, so a batch costs one round
//! trip to write and commit.
//!
//! It also finds out whether somebody else was faster: an incident is updated only if its last event is still the one it had when
//! it was read, and where one is not, the statement fails as a whole. Every change of an open incident is an event of it.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, SqlType};
use diesel::{PgConnection, QueryResult, RunQueryDsl};

use super::{IncidentRow, Rows};
use crate::id;
use crate::store::Result;
use crate::store::records::{Record, Records};

macro_rules! composites {
    ($($name:ident = $sql:literal),* $(,)?) => {
        $(#[derive(Debug, SqlType)]
        #[diesel(postgres_type(name = $sql))]
        struct $name;)*
    };
}

composites! {
    Request = "request_row", Event = "event_row", Opened = "incident_row", State = "incident_state", Tombstone = "tombstone_row",
    Change = "change_row", Outbox = "outbox_row", Seen = "seen_row", Replay = "replay_row",
}

/// The columns of an incident that change while it is open.
macro_rules! set_state {
    () => {
        "status = v.status, title = v.title, first_summary = v.first_summary, severity = v.severity, source = v.source, \
         shown = v.shown, evidence = v.evidence, event_count = v.event_count, last_seen = v.last_seen, \
         acknowledged_at = v.acknowledged_at, acknowledged_by = v.acknowledged_by, expires_at = v.expires_at, \
         reminded_at = v.reminded_at, last_event_id = v.last_event_id"
    };
}

/// The statement. The server starts and ends each part of it, empty or not, so what most batches have nothing of is only in the
/// `WHOLE` one.
struct Write<const WHOLE: bool> {
    requests: Records<Request>,
    events: Records<Event>,
    updated: Records<State>,
    resolved: Records<State>,
    opened: Records<Opened>,
    tombstones: Records<Tombstone>,
    changes: Records<Change>,
    outbox: Records<Outbox>,
    seen: Records<Seen>,
    replays: Records<Replay>,
    /// Incidents that must be found as they were read.
    met: i64,
}

/// Writes a batch.
pub(super) fn write(conn: &mut PgConnection, rows: &Rows<'_>) -> Result<()> {
    let Rows { resolved, tombstones, changes, seen, replays, .. } = rows;
    let usual = resolved.is_empty() && tombstones.is_empty() && changes.is_empty() && seen.is_empty() && replays.is_empty();
    if usual {
        Write::<false>::of(rows).execute(conn)?;
    } else {
        Write::<true>::of(rows).execute(conn)?;
    }
    Ok(())
}

impl<const WHOLE: bool> Write<WHOLE> {
    fn of(rows: &Rows<'_>) -> Self {
        Self {
            requests: Records::of(&rows.requests, |row, to| {
                to.int(id::number(row.id)).text(row.tenant_id).text(row.integration_id).text(row.route).text(row.verdict);
                to.small(i32::from(row.status))
                    .int(row.received_at.0)
                    .text(row.headers)
                    .text(row.query)
                    .text(row.target)
                    .text(row.message);
                to.int(row.first_event_id.as_deref().map(id::number)).int(row.last_event_id.as_deref().map(id::number));
                to.text(row.body.encoding).blob(&row.body.bytes);
            }),
            events: Records::of(&rows.events, |row, to| {
                to.int(id::number(&row.id)).text(row.tenant_id).int(row.request_id.map(id::number)).text(row.integration_id);
                to.int(row.incident_id.as_deref().map(id::number)).int(row.previous_event_id.as_deref().map(id::number));
                to.text(row.action).text(row.dedup_key).text(row.outcome).text(row.severity).text(row.summary).text(row.source);
                to.text(row.actor.as_deref()).text(row.note).int(row.occurred_at.map(|at| at.0)).int(row.received_at.0);
            }),
            updated: Records::of(&rows.updated, state),
            resolved: Records::of(&rows.resolved, state),
            opened: Records::of(&rows.opened, opened),
            tombstones: Records::of(&rows.tombstones, |row, to| {
                let tombstone = &row.tombstone;
                to.text(&*row.key.integration_id).text(row.key.dedup_key.as_str()).text(&*row.tenant_id);
                to.int(tombstone.incident_id.as_deref().map(id::number)).int(tombstone.order_at.map(|at| at.0));
                to.int(tombstone.resolved_at.map(|at| at.0)).int(row.updated_at.0);
            }),
            changes: Records::of(&rows.changes, |row, to| {
                to.int(id::number(&row.id)).text(row.tenant_id).text(row.integration_id).text(row.service_id);
                to.int(row.request_id.map(id::number)).text(row.summary).text(row.source).text(row.details.as_str());
                to.int(row.occurred_at.map(|at| at.0)).int(row.received_at.0);
            }),
            outbox: Records::of(&rows.outbox, |row, to| {
                to.text(row.tenant_id).text(row.event).int(row.incident_id.as_deref().map(id::number));
                to.int(row.change_id.as_deref().map(id::number)).int(row.event_id.as_deref().map(id::number));
                to.int(row.created_at.0).text(row.severity);
            }),
            seen: Records::of(&rows.seen, |row, to| {
                to.text(row.integration_id).text(row.delivery_id).text(row.body_hash).text(row.tenant_id);
                to.int(id::number(row.request_id)).int(row.expires_at.0);
            }),
            replays: Records::of(&rows.replays, |row, to| {
                to.int(id::number(row.request_id)).text(row.mark.as_str()).text(row.tenant_id);
                to.int(row.event_id.as_deref().map(id::number)).int(row.incident_id.as_deref().map(id::number));
                to.int(row.replayed_at.0);
            }),
            met: i64::try_from(rows.updated.len() + rows.resolved.len()).unwrap_or(i64::MAX),
        }
    }

    /// The inserts that only the whole statement has.
    fn rare<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            ", buried AS (INSERT INTO tombstones (integration_id, dedup_key, tenant_id, incident_id, order_at, resolved_at, \
             updated_at) SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<Tombstone>, _>(&self.tombstones)?;
        out.push_sql(
            ") ON CONFLICT (integration_id, dedup_key) DO UPDATE SET incident_id = excluded.incident_id, \
             order_at = excluded.order_at, resolved_at = excluded.resolved_at, updated_at = excluded.updated_at), \
             changed AS (INSERT INTO changes (id, tenant_id, integration_id, service_id, request_id, summary, source, details, \
             occurred_at, received_at) SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<Change>, _>(&self.changes)?;
        out.push_sql(
            ")), seen AS (INSERT INTO seen_deliveries (integration_id, delivery_id, body_hash, tenant_id, request_id, expires_at) \
             SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<Seen>, _>(&self.seen)?;
        out.push_sql(
            ") ON CONFLICT (integration_id, delivery_id, body_hash) DO UPDATE SET request_id = excluded.request_id, \
             expires_at = excluded.expires_at), \
             replayed AS (INSERT INTO replays (request_id, mark, tenant_id, event_id, incident_id, replayed_at) \
             SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<Replay>, _>(&self.replays)?;
        out.push_sql("))");
        Ok(())
    }
}

/// As `incident_state` has it.
fn state(row: &IncidentRow, to: &mut Record<'_>) {
    let incident = &row.incident;
    to.int(id::number(&incident.id)).int(row.met.as_deref().map(id::number)).text(incident.status.as_str());
    to.text(incident.title.as_str()).text(row.first_summary()).text(incident.severity.as_str()).text(incident.source.as_str());
    to.text(&*row.shown).text(row.evidence.as_deref()).int(incident.event_count).int(incident.last_seen.0);
    to.int(incident.acknowledged_at.map(|at| at.0)).text(incident.acknowledged_by.as_deref());
    to.int(incident.resolved_at.map(|at| at.0)).text(incident.resolved_by.as_deref()).int(incident.expires_at.map(|at| at.0));
    to.int(incident.reminded_at.map(|at| at.0)).int(id::number(&incident.last_event_id));
}

/// As `incident_row` has it.
fn opened(row: &IncidentRow, to: &mut Record<'_>) {
    let incident = &row.incident;
    to.int(id::number(&incident.id)).text(&*row.tenant_id).text(incident.service_id.as_str()).text(&*row.key.integration_id);
    to.text(row.key.dedup_key.as_str()).text(row.open_key()).text(incident.status.as_str()).text(incident.title.as_str());
    to.text(row.first_summary()).text(incident.severity.as_str()).text(incident.source.as_str()).text(&*row.shown);
    to.text(row.evidence.as_deref()).int(incident.event_count).int(incident.first_seen.0).int(incident.last_seen.0);
    to.int(incident.acknowledged_at.map(|at| at.0)).text(incident.acknowledged_by.as_deref());
    to.int(incident.resolved_at.map(|at| at.0)).text(incident.resolved_by.as_deref()).int(incident.expires_at.map(|at| at.0));
    to.int(incident.reminded_at.map(|at| at.0)).int(incident.previous_incident_id.as_deref().map(id::number));
    to.int(id::number(&incident.last_event_id));
}

impl<const WHOLE: bool> QueryId for Write<WHOLE> {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const WHOLE: bool> RunQueryDsl<PgConnection> for Write<WHOLE> {}

impl<const WHOLE: bool> QueryFragment<Pg> for Write<WHOLE> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "WITH noted AS (INSERT INTO requests (id, tenant_id, integration_id, route, verdict, status, received_at, headers, \
             query, target, message, first_event_id, last_event_id, body_encoding, body) SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<Request>, _>(&self.requests)?;
        out.push_sql(
            ")), happened AS (INSERT INTO events (id, tenant_id, request_id, integration_id, incident_id, previous_event_id, \
             action, dedup_key, outcome, severity, summary, source, actor, note, occurred_at, received_at) SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<Event>, _>(&self.events)?;
        // No column of a key is set where an incident stays open: then its row stays in its page, and no index is touched.
        out.push_sql(concat!(")), updated AS (UPDATE incidents AS i SET ", set_state!(), " FROM unnest("));
        out.push_bind_param::<Array<State>, _>(&self.updated)?;
        out.push_sql(") AS v WHERE i.id = v.id AND i.last_event_id = v.met_event_id RETURNING i.id), ");
        if WHOLE {
            out.push_sql(concat!(
                "resolved AS (UPDATE incidents AS i SET open_key = NULL, resolved_at = v.resolved_at, resolved_by = v.resolved_by, ",
                set_state!(),
                " FROM unnest("
            ));
            out.push_bind_param::<Array<State>, _>(&self.resolved)?;
            // Counting what is resolved puts it before what is opened: a key may have both.
            out.push_sql(
                ") AS v WHERE i.id = v.id AND i.last_event_id = v.met_event_id RETURNING i.id), \
                 met AS (SELECT (SELECT count(*) FROM resolved) + (SELECT count(*) FROM updated) AS count), ",
            );
        } else {
            out.push_sql("met AS (SELECT count(*) AS count FROM updated), ");
        }
        out.push_sql(
            "opened AS (INSERT INTO incidents (id, tenant_id, service_id, integration_id, dedup_key, open_key, status, title, \
             first_summary, severity, source, shown, evidence, event_count, first_seen, last_seen, acknowledged_at, \
             acknowledged_by, resolved_at, resolved_by, expires_at, reminded_at, previous_incident_id, last_event_id) \
             SELECT v.* FROM unnest(",
        );
        out.push_bind_param::<Array<Opened>, _>(&self.opened)?;
        out.push_sql(
            ") AS v WHERE (SELECT count FROM met) IS NOT NULL), \
             told AS (INSERT INTO outbox (tenant_id, event, incident_id, change_id, event_id, created_at, severity) \
             SELECT * FROM unnest(",
        );
        out.push_bind_param::<Array<Outbox>, _>(&self.outbox)?;
        out.push_sql("))");
        if WHOLE {
            self.rare(&mut out)?;
        }
        out.push_sql(" SELECT CASE WHEN (SELECT count FROM met) = ");
        out.push_bind_param::<BigInt, _>(&self.met)?;
        out.push_sql(" THEN true ELSE lost_race() END");
        Ok(())
    }
}
