//! Incidents, read.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::query::Query;
use super::{events, id_of, time};
use crate::app::App;
use crate::error::ApiError;
use crate::event::Severity;
use crate::http::auth::{Caller, Scope};
use crate::id::Kind;
use crate::incident::{Shown, Status};
use crate::store::incidents::{self, Filter, Incident};

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
    };
    query.finish()?;
    let page = paging.page.clone();
    let listed = app.store.read(move |conn| incidents::list(conn, &caller.tenant_id, &filter, &page)).await?;
    Ok(paging.answer(listed, |incident| view(&incident)))
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

/// `GET /incidents/{id}`
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let id = id_of(Kind::Incident, &path)?;
    let found = app.store.read(move |conn| incidents::find(conn, &caller.tenant_id, &id)).await?;
    Ok(HttpResponse::Ok().json(view(&found.ok_or(ApiError::NotFound)?)))
}

/// `GET /incidents/{id}/events`
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
            Ok(crate::store::events::timeline(conn, &caller.tenant_id, newest, &page)?)
        })
        .await?;
    Ok(paging.answer(listed, |event| events::view(&event)))
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
