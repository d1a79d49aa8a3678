//! Events, read: what each alert asked for and what came of it. Rows are written by the committer.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use diesel::{sql_query, sql_types};

use super::numbered::{EventId, OptIncidentId, OptRequestId};
use super::page::{Listed, Page};
use super::schema::{events, incidents};
use super::{Conn, Result};
use crate::id::{self, Kind};

/// An event, as stored; times in microseconds.
#[derive(Queryable, Selectable, Debug, Clone)]
#[diesel(table_name = events)]
pub struct Event {
    /// `evt_…`.
    #[diesel(deserialize_as = EventId)]
    pub id: String,
    /// The request that brought it.
    #[diesel(deserialize_as = OptRequestId)]
    pub request_id: Option<String>,
    /// The integration it belongs to.
    pub integration_id: String,
    /// The incident it concerned.
    #[diesel(deserialize_as = OptIncidentId)]
    pub incident_id: Option<String>,
    /// What it asked for.
    pub action: String,
    /// Which problem it is about.
    pub dedup_key: String,
    /// What it did.
    pub outcome: String,
    /// How bad.
    pub severity: String,
    /// One line for a human.
    pub summary: String,
    /// What is affected.
    pub source: String,
    /// Who did it, where it was a person or a timer.
    pub actor: Option<String>,
    /// A remark.
    pub note: Option<String>,
    /// When the tool says it happened.
    pub occurred_at: Option<i64>,
    /// When it was received.
    pub received_at: i64,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this integration.
    pub integration_id: Option<String>,
    /// Of this key.
    pub dedup_key: Option<String>,
    /// With this action.
    pub action: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Of this incident.
    pub incident_id: Option<String>,
    /// Made by this request.
    pub made_by: Option<MadeBy>,
}

/// The events of a request lie between two ids.
#[derive(Clone, Debug)]
pub struct MadeBy {
    /// The number of the request.
    pub request_id: i64,
    /// That of its first event.
    pub first: i64,
    /// That of its last event.
    pub last: i64,
}

impl MadeBy {
    /// What a row of the ledger made, if anything.
    pub fn of(row: &super::requests::Summary) -> Option<Self> {
        let first = id::number(row.first_event_id.as_deref()?);
        let last = row.last_event_id.as_deref().map_or(first, id::number);
        Some(Self { request_id: id::number(&row.id), first, last })
    }
}

/// The events of a tenant, newest first.
///
/// # Errors
/// The query failed.
pub fn list(conn: &mut Conn, tenant_id: &str, filter: &Filter, page: &Page) -> Result<Listed<Event>> {
    let mut query = events::table.filter(events::tenant_id.eq(tenant_id)).select(Event::as_select()).into_boxed();
    if let Some(integration_id) = &filter.integration_id {
        query = query.filter(events::integration_id.eq(integration_id));
    }
    if let Some(dedup_key) = &filter.dedup_key {
        query = query.filter(events::dedup_key.eq(dedup_key));
    }
    if let Some(action) = &filter.action {
        query = query.filter(events::action.eq(action));
    }
    if let Some(outcome) = &filter.outcome {
        query = query.filter(events::outcome.eq(outcome));
    }
    if let Some(incident_id) = &filter.incident_id {
        query = query.filter(events::incident_id.eq(id::number(incident_id)));
    }
    if let Some(made_by) = &filter.made_by {
        query = query.filter(events::id.between(made_by.first, made_by.last)).filter(events::request_id.eq(made_by.request_id));
    }
    if let Some(before) = &page.before {
        query = query.filter(events::id.lt(id::number(before)));
    }
    let rows = query.order(events::id.desc()).limit(page.fetch()).load(conn)?;
    Ok(page.cut(rows, |row| &row.id))
}

/// How many events of each outcome the given requests made, by request. The ids of a request's events are `MadeBy`'s.
///
/// # Errors
/// A query failed.
pub fn outcomes(conn: &mut Conn, tenant_id: &str, requests: &[MadeBy]) -> Result<HashMap<String, BTreeMap<String, i64>>> {
    let mut counts: HashMap<String, BTreeMap<String, i64>> = HashMap::new();
    let (single, grouped): (Vec<&MadeBy>, Vec<&MadeBy>) = requests.iter().partition(|made_by| made_by.first == made_by.last);
    // Most requests make one event: those are one query.
    let ids: Vec<i64> = single.iter().map(|made_by| made_by.first).collect();
    let rows: Vec<(Option<i64>, String)> = events::table
        .filter(events::tenant_id.eq(tenant_id))
        .filter(events::id.eq_any(ids))
        .select((events::request_id, events::outcome))
        .load(conn)?;
    for (request_id, outcome) in rows {
        let request_id = request_id.map(|number| id::text(Kind::Request, number));
        counts.entry(request_id.unwrap_or_default()).or_default().insert(outcome, 1);
    }
    for made_by in grouped {
        let rows: Vec<(String, i64)> = events::table
            .filter(events::tenant_id.eq(tenant_id))
            .filter(events::id.between(made_by.first, made_by.last))
            .filter(events::request_id.eq(made_by.request_id))
            .group_by(events::outcome)
            .select((events::outcome, diesel::dsl::count_star()))
            .load(conn)?;
        counts.insert(id::text(Kind::Request, made_by.request_id), rows.into_iter().collect());
    }
    Ok(counts)
}

/// The event with this id.
///
/// # Errors
/// The query failed.
pub fn find(conn: &mut Conn, tenant_id: &str, id: &str) -> Result<Option<Event>> {
    Ok(events::table
        .filter(events::tenant_id.eq(tenant_id))
        .filter(events::id.eq(id::number(id)))
        .select(Event::as_select())
        .first(conn)
        .optional()?)
}

/// The keys of an integration's open incidents, at most `limit`.
///
/// # Errors
/// The query failed.
pub fn open_keys(conn: &mut Conn, tenant_id: &str, integration_id: &str, limit: i64) -> Result<Vec<String>> {
    Ok(incidents::table
        .filter(incidents::tenant_id.eq(tenant_id))
        .filter(incidents::integration_id.eq(integration_id))
        .filter(incidents::open_key.is_not_null())
        .order(incidents::id.desc())
        .select(incidents::dedup_key)
        .limit(limit)
        .load(conn)?)
}

#[derive(QueryableByName)]
struct Link {
    #[diesel(sql_type = sql_types::BigInt)]
    id: i64,
}

/// Follows the chain from the event `$1` at most `$2` steps back. Every table has the tenant; no index is needed but the key.
const CHAIN: &str = "WITH RECURSIVE chain (id, depth) AS ( \
     SELECT events.id, CAST(1 AS BIGINT) FROM events WHERE events.id = $1 AND events.tenant_id = $2 \
     UNION ALL \
     SELECT older.id, chain.depth + 1 FROM chain \
     JOIN events AS newer ON newer.id = chain.id \
     JOIN events AS older ON older.id = newer.previous_event_id \
     WHERE chain.depth < $3 AND older.tenant_id = newer.tenant_id) \
     SELECT id FROM chain ORDER BY depth";

/// The timeline that ends with the event `newest`, newest first, along the chain. [`Listed::next`] is the `newest` of the next
/// page; [`Page::before`] is not looked at.
///
/// # Errors
/// A query failed.
pub fn timeline(conn: &mut Conn, tenant_id: &str, newest: &str, page: &Page) -> Result<Listed<Event>> {
    let query = || {
        sql_query(CHAIN)
            .bind::<sql_types::BigInt, _>(id::number(newest))
            .bind::<sql_types::Text, _>(tenant_id.to_owned())
            .bind::<sql_types::BigInt, _>(page.fetch())
    };
    let links: Vec<Link> = match conn {
        Conn::Sqlite(conn) => query().load(conn)?,
        Conn::Pg(conn) => query().load(conn)?,
    };
    let mut ids: Vec<i64> = links.into_iter().map(|link| link.id).collect();
    let wanted = usize::try_from(page.limit).unwrap_or(0);
    let next = ids.get(wanted).map(|next| id::text(Kind::Event, *next));
    ids.truncate(wanted);
    let mut items: Vec<Event> = events::table
        .filter(events::tenant_id.eq(tenant_id))
        .filter(events::id.eq_any(&ids))
        .select(Event::as_select())
        .load(conn)?;
    items.sort_by_key(|event| ids.iter().position(|id| *id == id::number(&event.id)));
    Ok(Listed { items, next })
}
