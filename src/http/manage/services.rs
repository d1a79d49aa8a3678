//! Services: what alerts are about.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::change::{self, audited};
use super::draft::NAME_MAX;
use super::fields::Fields;
use super::query::Query;
use super::{id_of, time};
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::id::Kind;
use crate::store::Conn;
use crate::store::services::{self, Service};
use crate::time::Timestamp;

/// `POST /services`
pub async fn create(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsWrite)?;
    let name = name_in(Fields::read(&request, payload).await?)?;
    let now = app.clock.now();
    let service = change::commit(&app, move |conn| {
        free_name(conn, &caller, &name)?;
        let service = services::create(conn, &caller.tenant_id, &name, &caller.name, now)?;
        audited(conn, &caller, ("service.created", &service.id), (None, Some(&view(&service))), now)?;
        Ok::<_, ApiError>(service)
    })
    .await?;
    Ok(HttpResponse::Created().json(view(&service)))
}

/// `GET /services`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let name = query.text("name");
    query.finish()?;
    let page = paging.page.clone();
    let listed = app.store.read(move |conn| services::list(conn, &caller.tenant_id, name.as_deref(), &page)).await?;
    Ok(paging.answer(listed, |service| view(&service)))
}

/// `GET /services/{id}`
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsRead)?;
    let id = id_of(Kind::Service, &path)?;
    let found = app.store.read(move |conn| services::find(conn, &caller.tenant_id, &id)).await?;
    Ok(HttpResponse::Ok().json(view(&found.ok_or(ApiError::NotFound)?)))
}

/// `PATCH /services/{id}`
pub async fn update(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsWrite)?;
    let id = id_of(Kind::Service, &path)?;
    let fields = Fields::read(&request, payload).await?;
    let now = app.clock.now();
    let service = change::commit(&app, move |conn| rename(conn, &caller, &id, fields, now)).await?;
    Ok(HttpResponse::Ok().json(view(&service)))
}

fn rename(conn: &mut Conn, caller: &Caller, id: &str, fields: Fields, now: Timestamp) -> Result<Service, ApiError> {
    let before = services::find(conn, &caller.tenant_id, id)?.ok_or(ApiError::NotFound)?;
    let name = name_in(fields)?;
    if name == before.name {
        return Ok(before);
    }
    not_default(&before)?;
    free_name(conn, caller, &name)?;
    services::rename(conn, &caller.tenant_id, id, &name, now)?;
    let after = Service { name, updated_at: now.0, ..before.clone() };
    audited(conn, caller, ("service.updated", id), (Some(&view(&before)), Some(&view(&after))), now)?;
    Ok(after)
}

/// `DELETE /services/{id}`: only where nothing depends on it.
pub async fn delete(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsWrite)?;
    let id = id_of(Kind::Service, &path)?;
    let (now, gone) = (app.clock.now(), id.clone());
    change::commit(&app, move |conn| remove(conn, &caller, &gone, now)).await?;
    Ok(HttpResponse::Ok().json(json!({"id": id, "deleted": true})))
}

fn remove(conn: &mut Conn, caller: &Caller, id: &str, now: Timestamp) -> Result<(), ApiError> {
    let service = services::find(conn, &caller.tenant_id, id)?.ok_or(ApiError::NotFound)?;
    not_default(&service)?;
    let (integrations, open) = services::dependents(conn, &caller.tenant_id, id)?;
    if integrations > 0 || open > 0 {
        return Err(ApiError::Conflict {
            message: format!("the service has {integrations} integrations and {open} open incidents; move or delete them first"),
            details: Some(json!({"integrations": integrations, "open_incidents": open})),
        });
    }
    let heir = services::by_name(conn, &caller.tenant_id, services::DEFAULT)?;
    let heir = heir.ok_or_else(|| ApiError::Internal("the tenant has no default service".into()))?;
    services::delete(conn, &caller.tenant_id, id, &heir.id)?;
    audited(conn, caller, ("service.deleted", id), (Some(&view(&service)), None), now)
}

/// Integrations that name no service belong to the one called `default`, so it stays what it is.
fn not_default(service: &Service) -> Result<(), ApiError> {
    if service.name == services::DEFAULT {
        return Err(ApiError::conflict("the default service can be neither renamed nor deleted"));
    }
    Ok(())
}

fn free_name(conn: &mut Conn, caller: &Caller, name: &str) -> Result<(), ApiError> {
    match services::by_name(conn, &caller.tenant_id, name)? {
        Some(_) => Err(ApiError::conflict("a service of this name exists already")),
        None => Ok(()),
    }
}

fn name_in(mut fields: Fields) -> Result<String, ApiError> {
    let name = fields.text("name", NAME_MAX);
    let name = fields.required("name", name);
    fields.finish()?;
    name.ok_or_else(|| ApiError::field("name", "is required"))
}

fn view(service: &Service) -> Value {
    json!({
        "id": service.id,
        "name": service.name,
        "created_by": service.created_by,
        "created_at": time(Some(service.created_at)),
        "updated_at": time(Some(service.updated_at)),
    })
}
