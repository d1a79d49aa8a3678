//! Change events, read.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::query::Query;
use super::time;
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::store::changes::{self, Change, Filter};

/// `GET /changes`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let filter = Filter {
        integration_id: query.text("integration_id"),
        service_id: query.text("service_id"),
        since: query.time("since"),
        until: query.time("until"),
    };
    query.finish()?;
    let page = paging.page.clone();
    let listed = app.store.read(move |conn| changes::list(conn, &caller.tenant_id, &filter, &page)).await?;
    Ok(paging.answer(listed, |change| view(&change)))
}

fn view(change: &Change) -> Value {
    let details: Value = serde_json::from_str(&change.details).unwrap_or_default();
    let list = |name: &str| details.get(name).cloned().unwrap_or_else(|| json!([]));
    json!({
        "id": change.id,
        "integration_id": change.integration_id,
        "service_id": change.service_id,
        "request_id": change.request_id,
        "summary": change.summary,
        "source": change.source,
        "custom_details": details.get("custom_details"),
        "links": list("links"),
        "images": list("images"),
        "occurred_at": time(change.occurred_at),
        "received_at": time(Some(change.received_at)),
    })
}
