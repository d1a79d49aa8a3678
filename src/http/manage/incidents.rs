//! Incidents, read.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::query::Query;
use super::{deliveries, events, id_of};
use crate::app::App;
use crate::error::ApiError;
use crate::event::{Image, Link, Severity};
use crate::http::auth::{Caller, Scope};
use crate::id::{self, Kind};
use crate::incident::{Shown, Status};
use crate::store::events::Event;
use crate::store::incidents::{self, Filter, Incident};
use crate::store::outbox::{Delivery, read, route};
use crate::store::page::Listed;
use crate::time::Timestamp;

/// Deliveries that are shown with an incident; `GET /deliveries?incident_id=` has all.
const TOLD_MAX: i64 = 100;

/// `GET /incidents`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let filter = Filter {
        number: number(&mut query),
        status: statuses(&mut query),
        integration_id: query.text("integration_id"),
        service_id: query.text("service_id"),
        dedup_key: query.text("dedup_key"),
        severity: query
            .word("severity", &Severity::ALL.map(Severity::as_str), Severity::parse)
            .map(|severity| severity.as_str().to_owned()),
        q: query.text("q"),
        since: query.time("since"),
        until: query.time("until"),
        unrouted_since: query.word("unrouted", &["true"], |word| (word == "true").then(|| app.told_since())),
    };
    query.finish()?;
    let (page, since) = (paging.page.clone(), app.told_since());
    let listed = app
        .store
        .read(move |conn| {
            let rows = incidents::list(conn, &caller.tenant_id, &filter, &page)?;
            let numbers: Vec<i64> = rows.items.iter().map(|row| id::number(&row.id)).collect();
            let routed = read::routed(conn, &numbers)?;
            let around = |row: &Incident| Around { unrouted: Some(unrouted(row, &routed, since)), ..Around::default() };
            let items = rows.items.iter().map(|row| view(row, around(row))).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, ApiError>(Listed { items, next: rows.next })
        })
        .await?;
    Ok(paging.answer(listed, |view| view))
}

/// Whether no rule has told anybody of an incident; null where that is not known any more.
fn unrouted(row: &Incident, routed: &HashSet<i64>, since: Timestamp) -> Option<bool> {
    let known = row.resolved_at.is_none() || row.first_seen >= since.0;
    known.then(|| !routed.contains(&id::number(&row.id)))
}

fn number(query: &mut Query) -> Option<i64> {
    let text = query.text("number")?;
    let number = text.parse().ok();
    if number.is_none() {
        query.problem("number", "must be a whole number");
    }
    number
}

fn statuses(query: &mut Query) -> Vec<Status> {
    let words = query.all("status");
    let parsed: Vec<Status> = words.iter().filter_map(|word| Status::parse(word)).collect();
    if parsed.len() < words.len() {
        query.problem("status", "must be triggered, acknowledged or resolved; repeat it for several");
    }
    parsed
}

/// `GET /incidents/{id}`: with its newest deliveries, and what is on hold.
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let id = id_of(Kind::Incident, &path)?;
    let since = app.told_since();
    let view = app
        .store
        .read(move |conn| {
            let row = incidents::find(conn, &caller.tenant_id, &id)?.ok_or(ApiError::NotFound)?;
            let number = id::number(&row.id);
            let (told, threads) = (read::about(conn, number, TOLD_MAX)?, route::threads_of(conn, &[number])?);
            let routed = read::routed(conn, &[number])?;
            let around = Around {
                unrouted: Some(unrouted(&row, &routed, since)),
                deliveries: Some(deliveries::of_incident(&told, &threads)),
                holds: Some(deliveries::holds(&threads)),
            };
            view(&row, around)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

/// `GET /incidents/{id}/events`: each with the deliveries that it caused.
pub async fn timeline(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let id = id_of(Kind::Incident, &path)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    query.finish()?;
    let page = paging.page.clone();
    let listed = app
        .store
        .read(move |conn| {
            let Some(incident) = incidents::find(conn, &caller.tenant_id, &id)? else { return Err(ApiError::NotFound) };
            let newest = page.before.as_ref().unwrap_or(&incident.last_event_id);
            let listed = crate::store::events::timeline(conn, &caller.tenant_id, newest, &page)?;
            let numbers: Vec<i64> = listed.items.iter().map(|event| id::number(&event.id)).collect();
            let number = id::number(&id);
            let told = read::caused(conn, number, &numbers)?;
            let items = listed.items.iter().map(|event| with_told(event, &told)).collect();
            Ok(Listed { items, next: listed.next })
        })
        .await?;
    Ok(paging.answer(listed, |view| view))
}

/// An event of a timeline, with what was told because of it.
fn with_told(event: &Event, told: &[Delivery]) -> Value {
    let number = id::number(&event.id);
    let caused = told.iter().filter(|delivery| delivery.event_id == Some(number)).map(deliveries::view);
    let mut view = events::view(event);
    if let Some(map) = view.as_object_mut() {
        map.insert("deliveries".into(), caused.collect::<Vec<_>>().into());
    }
    view
}

/// An incident as the API shows it, as JSON: written once, since a page of them is what a reader asks for most.
///
/// # Errors
/// It cannot be written.
pub fn view(incident: &Incident, around: Around) -> Result<Box<RawValue>, ApiError> {
    let shown = Shown::from_json(incident.shown.as_str());
    let shown = shown.fields();
    let view = View {
        id: &incident.id,
        number: incident.number,
        service_id: &incident.service_id,
        integration_id: &incident.integration_id,
        dedup_key: &incident.dedup_key,
        status: &incident.status,
        title: &incident.title,
        first_summary: incident.first_summary.as_ref().unwrap_or(&incident.title),
        severity: &incident.severity,
        urgency: Severity::parse(&incident.severity).map(|severity| severity.urgency().as_str()),
        source: &incident.source,
        component: shown.component.as_deref(),
        group: shown.group.as_deref(),
        class: shown.class.as_deref(),
        custom_details: shown.custom_details.as_deref(),
        links: &shown.links,
        images: &shown.images,
        client: shown.client.as_deref(),
        client_url: shown.client_url.as_deref(),
        event_count: incident.event_count,
        first_seen: Timestamp(incident.first_seen),
        last_seen: Timestamp(incident.last_seen),
        acknowledged_at: incident.acknowledged_at.map(Timestamp),
        acknowledged_by: incident.acknowledged_by.as_deref(),
        resolved_at: incident.resolved_at.map(Timestamp),
        resolved_by: incident.resolved_by.as_deref(),
        previous_incident_id: incident.previous_incident_id.as_deref(),
        around,
    };
    to_raw_value(&view).map_err(|error| ApiError::Internal(error.to_string()))
}

/// What stands beside an incident where it is read.
#[derive(Serialize, Default)]
pub struct Around {
    /// Whether no rule has told anybody of it; null where that is not known any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    unrouted: Option<Option<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<Value>,
}

#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    number: i64,
    service_id: &'a str,
    integration_id: &'a str,
    dedup_key: &'a str,
    status: &'a str,
    title: &'a str,
    first_summary: &'a str,
    severity: &'a str,
    urgency: Option<&'static str>,
    source: &'a str,
    component: Option<&'a str>,
    group: Option<&'a str>,
    class: Option<&'a str>,
    custom_details: Option<&'a RawValue>,
    links: &'a [Link],
    images: &'a [Image],
    client: Option<&'a str>,
    client_url: Option<&'a str>,
    event_count: i64,
    first_seen: Timestamp,
    last_seen: Timestamp,
    acknowledged_at: Option<Timestamp>,
    acknowledged_by: Option<&'a str>,
    resolved_at: Option<Timestamp>,
    resolved_by: Option<&'a str>,
    previous_incident_id: Option<&'a str>,
    #[serde(flatten)]
    around: Around,
}
