//! The audit log, read.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::query::Query;
use super::time;
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::store::audit::{self, Entry, Filter};

/// `GET /audit`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::Admin)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let filter = Filter {
        actor: query.text("actor"),
        action: query.text("action"),
        object_type: query.text("object_type"),
        object_id: query.text("object_id"),
    };
    query.finish()?;
    let page = paging.page.clone();
    let listed = app.store.read(move |conn| audit::list(conn, &caller.tenant_id, &filter, &page)).await?;
    Ok(paging.answer(listed, |entry| view(&entry)))
}

fn view(entry: &Entry) -> Value {
    let stored = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    json!({
        "id": entry.id,
        "actor": entry.actor,
        "action": entry.action,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "before": stored(&entry.before),
        "after": stored(&entry.after),
        "created_by": entry.actor,
        "created_at": time(Some(entry.created_at)),
        "updated_at": time(Some(entry.created_at)),
    })
}
