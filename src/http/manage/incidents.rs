//! Incidents, read.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::query::Query;
use super::{deliveries, events, id_of, time};
use crate::app::App;
use crate::error::ApiError;
use crate::event::Severity;
use crate::http::auth::{Caller, Scope};
use crate::id::{self, Kind};
use crate::incident::{Shown, Status};
use crate::store::StoreError;
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
            let items = rows.items.into_iter().map(|row| with_route(view(&row), unrouted(&row, &routed, since))).collect();
            Ok::<_, StoreError>(Listed { items, next: rows.next })
        })
        .await?;
    Ok(paging.answer(listed, |view: Value| view))
}

/// Whether no rule has told anybody of an incident; null where that is not known any more.
fn unrouted(row: &Incident, routed: &HashSet<i64>, since: Timestamp) -> Option<bool> {
    let known = row.resolved_at.is_none() || row.first_seen >= since.0;
    known.then(|| !routed.contains(&id::number(&row.id)))
}

fn with_route(mut view: Value, unrouted: Option<bool>) -> Value {
    if let Some(map) = view.as_object_mut() {
        map.insert("unrouted".into(), unrouted.into());
    }
    view
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
            let mut view = with_route(view(&row), unrouted(&row, &routed, since));
            if let Some(map) = view.as_object_mut() {
                map.insert("deliveries".into(), deliveries::of_incident(&told, &threads));
                map.insert("holds".into(), deliveries::holds(&threads));
            }
            Ok::<_, ApiError>(view)
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
    Ok(paging.answer(listed, |view: Value| view))
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

/// An incident as the API shows it.
pub fn view(incident: &Incident) -> Value {
    let shown = Shown::from_json(incident.shown.as_str());
    let shown = shown.fields();
    json!({
        "id": incident.id,
        "number": incident.number,
        "service_id": incident.service_id,
        "integration_id": incident.integration_id,
        "dedup_key": incident.dedup_key,
        "status": incident.status,
        "title": incident.title,
        "first_summary": incident.first_summary.as_ref().unwrap_or(&incident.title),
        "severity": incident.severity,
        "urgency": Severity::parse(&incident.severity).map(|severity| severity.urgency().as_str()),
        "source": incident.source,
        "component": shown.component,
        "group": shown.group,
        "class": shown.class,
        "custom_details": shown.custom_details,
        "links": shown.links,
        "images": shown.images,
        "client": shown.client,
        "client_url": shown.client_url,
        "event_count": incident.event_count,
        "first_seen": time(Some(incident.first_seen)),
        "last_seen": time(Some(incident.last_seen)),
        "acknowledged_at": time(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": time(incident.resolved_at),
        "resolved_by": incident.resolved_by,
        "previous_incident_id": incident.previous_incident_id,
    })
}
