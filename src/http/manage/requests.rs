//! The ledger, read.

use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::query::Query;
use super::{events, id_of, time};
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::id::Kind;
use crate::ingest::inbound::method_and_subpath;
use crate::store;
use crate::store::events::MadeBy;
use crate::store::page::{Listed, Page};
use crate::store::requests::{self, Content, Filter, Summary};

/// Events that are shown with their request; the others by `GET /events?request_id=`.
const EVENTS_SHOWN: i64 = 500;
/// Every verdict, as the contract names them.
pub const VERDICTS: [&str; 12] = [
    "accepted",
    "ignored",
    "handshake",
    "duplicate",
    "invalid",
    "unauthorized",
    "wrong_type",
    "limited",
    "disabled",
    "deleted",
    "too_large",
    "failed",
];

/// Every outcome of an event, as the contract names them.
pub const OUTCOMES: [&str; 9] =
    ["opened", "updated", "escalated", "acknowledged", "resolved", "unmatched", "stale", "unmapped", "quarantined"];

/// `GET /requests`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let filter = Filter {
        integration_id: query.text("integration_id"),
        verdict: query.word("verdict", &VERDICTS, |word| VERDICTS.contains(&word).then(|| word.to_owned())),
        q: query.text("q"),
        outcome: query.word("outcome", &OUTCOMES, |word| OUTCOMES.contains(&word).then(|| word.to_owned())),
        since: query.time("since"),
        until: query.time("until"),
    };
    query.finish()?;
    let page = paging.page.clone();
    let (listed, outcomes) = app
        .store
        .read(move |conn| {
            let listed = requests::list(conn, &caller.tenant_id, &filter, &page)?;
            let made: Vec<MadeBy> = listed.items.iter().filter_map(MadeBy::of).collect();
            let outcomes = store::events::outcomes(conn, &caller.tenant_id, &made)?;
            Ok::<_, store::StoreError>((listed, outcomes))
        })
        .await?;
    Ok(paging.answer(listed, |row| {
        let mut item = view(&row);
        if let Some(map) = item.as_object_mut() {
            map.insert("outcomes".into(), json!(outcomes.get(&row.id).cloned().unwrap_or_default()));
        }
        item
    }))
}

/// `GET /requests/{id}`
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let id = id_of(Kind::Request, &path)?;
    let tenant_id = caller.tenant_id;
    let (row, content, made) = app.store.read(move |conn| load(conn, &tenant_id, &id, EVENTS_SHOWN)).await?;
    let mut answer = view(&row);
    if let Some(map) = answer.as_object_mut() {
        let items: Vec<Value> = made.items.iter().rev().map(events::view).collect();
        map.insert("events".into(), items.into());
        map.insert("more_events".into(), made.next.is_some().into());
        add_content(map, content, row.body_dropped_at.is_some());
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// A row, its content, and at most `limit` of the events it made, newest first.
///
/// # Errors
/// There is no such row, or a query failed.
pub fn load(
    conn: &mut store::Conn,
    tenant_id: &str,
    id: &str,
    limit: i64,
) -> Result<(Summary, Content, Listed<store::events::Event>), ApiError> {
    let Some((row, content)) = requests::find(conn, tenant_id, id)? else { return Err(ApiError::NotFound) };
    let made = match MadeBy::of(&row) {
        Some(made_by) => {
            let filter = store::events::Filter { made_by: Some(made_by), ..Default::default() };
            store::events::list(conn, tenant_id, &filter, &Page { limit, before: None })?
        }
        None => Listed { items: Vec::new(), next: None },
    };
    Ok((row, content, made))
}

fn view(row: &Summary) -> Value {
    json!({
        "id": row.id,
        "integration_id": row.integration_id,
        "route": row.route,
        "verdict": row.verdict,
        "status": row.status,
        "received_at": time(Some(row.received_at)),
        "message": row.message,
        "body_dropped_at": time(row.body_dropped_at),
    })
}

/// The body as text where it is one, otherwise as base64; null where it was dropped, and is not just empty.
fn add_content(map: &mut serde_json::Map<String, Value>, content: Content, dropped: bool) {
    let stored = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    let (method, subpath) = method_and_subpath(content.target.as_deref());
    map.insert("method".into(), method.into());
    map.insert("subpath".into(), subpath.into());
    map.insert("headers".into(), stored(content.headers));
    map.insert("query".into(), stored(content.query));
    match String::from_utf8(content.body) {
        Ok(_) if dropped => map.insert("body".into(), Value::Null),
        Ok(text) => map.insert("body".into(), text.into()),
        Err(error) => map.insert("body_base64".into(), STANDARD.encode(error.as_bytes()).into()),
    };
}
