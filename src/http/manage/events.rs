//! Events, read.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::query::Query;
use super::{id_of, time};
use crate::app::App;
use crate::error::ApiError;
use crate::event::Action;
use crate::http::auth::{Caller, Scope};
use crate::id::Kind;
use crate::incident::Outcome;
use crate::store::events::{self, Event, Filter, MadeBy};
use crate::store::page::Listed;
use crate::store::{Conn, requests};

/// Open keys that an unmatched one is compared with, how many are named, and how near they must be (Jaro-Winkler).
const COMPARED_MAX: i64 = 2000;
const NEAREST_MAX: usize = 3;
const NEAR: f64 = 0.7;

/// `GET /events`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let request_id = query.text("request_id");
    let mut filter = Filter {
        integration_id: query.text("integration_id"),
        incident_id: query.text("incident_id"),
        dedup_key: query.text("dedup_key"),
        action: query.word("action", &["trigger", "acknowledge", "resolve"], Action::parse).map(|action| action.as_str().into()),
        outcome: query.word("outcome", &Outcome::ALL.map(Outcome::as_str), outcome),
        made_by: None,
    };
    query.finish()?;
    let page = paging.page.clone();
    let listed = app
        .store
        .read(move |conn| {
            if let Some(request_id) = request_id {
                match made_by(conn, &caller.tenant_id, &request_id)? {
                    Some(found) => filter.made_by = Some(found),
                    None => return Ok(Listed { items: Vec::new(), next: None }),
                }
            }
            events::list(conn, &caller.tenant_id, &filter, &page)
        })
        .await?;
    Ok(paging.answer(listed, |event| view(&event)))
}

fn outcome(word: &str) -> Option<String> {
    Outcome::ALL.into_iter().map(Outcome::as_str).find(|known| *known == word).map(str::to_owned)
}

/// Between which ids the events of a request lie; `None` where there is no such request, or it made none.
fn made_by(conn: &mut Conn, tenant_id: &str, request_id: &str) -> crate::store::Result<Option<MadeBy>> {
    Ok(requests::summary(conn, tenant_id, request_id)?.as_ref().and_then(MadeBy::of))
}

/// `GET /events/{id}`; of one that matched nothing, also the open keys nearest to its own.
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let id = id_of(Kind::Event, &path)?;
    let found = app
        .store
        .read(move |conn| {
            let Some(event) = events::find(conn, &caller.tenant_id, &id)? else { return Err(ApiError::NotFound) };
            let open = if event.outcome == Outcome::Unmatched.as_str() {
                events::open_keys(conn, &caller.tenant_id, &event.integration_id, COMPARED_MAX)?
            } else {
                Vec::new()
            };
            Ok((event, open))
        })
        .await?;
    let (event, open) = found;
    let mut answer = view(&event);
    if let (Some(map), true) = (answer.as_object_mut(), event.outcome == Outcome::Unmatched.as_str()) {
        map.insert("nearest_keys".into(), nearest_keys(&event.dedup_key, open).into());
    }
    Ok(HttpResponse::Ok().json(answer))
}

fn nearest_keys(key: &str, open: Vec<String>) -> Vec<String> {
    let mut scored: Vec<(f64, String)> = open.into_iter().map(|one| (strsim::jaro_winkler(key, &one), one)).collect();
    scored.retain(|(score, _)| *score >= NEAR);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(NEAREST_MAX).map(|(_, one)| one).collect()
}

/// An event as the API shows it.
pub fn view(event: &Event) -> Value {
    json!({
        "id": event.id,
        "request_id": event.request_id,
        "integration_id": event.integration_id,
        "incident_id": event.incident_id,
        "action": event.action,
        "dedup_key": event.dedup_key,
        "outcome": event.outcome,
        "severity": event.severity,
        "summary": event.summary,
        "source": event.source,
        "actor": event.actor,
        "note": event.note,
        "occurred_at": time(event.occurred_at),
        "received_at": time(Some(event.received_at)),
    })
}
