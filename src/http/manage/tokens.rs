//! API tokens: made, listed, revoked. The text of one is shown once, when it is made.

use std::sync::atomic::Ordering;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::change::{self, audited};
use super::draft::NAME_MAX;
use super::fields::Fields;
use super::query::Query;
use super::{id_of, time};
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, ENVIRONMENT, Scope};
use crate::id::Kind;
use crate::ingest::snapshot::Snapshot;
use crate::secret::Secret;
use crate::store::Conn;
use crate::store::tokens::{self, New, Token};
use crate::time::Timestamp;

/// What a token to be made shall be.
struct Wanted {
    name: String,
    scopes: Vec<Scope>,
    expires_at: Option<Timestamp>,
}

/// `POST /tokens`
pub async fn create(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::Admin)?;
    let now = app.clock.now();
    let wanted = Wanted::read(Fields::read(&request, payload).await?, now)?;
    let (token, text) = change::commit(&app, move |conn| insert(conn, &caller, &wanted, now)).await?;
    let mut answer = view(&token);
    if let Some(map) = answer.as_object_mut() {
        map.insert("token".into(), text.expose().into());
    }
    Ok(HttpResponse::Created().json(answer))
}

impl Wanted {
    fn read(mut fields: Fields, now: Timestamp) -> Result<Self, ApiError> {
        let name = fields.text("name", NAME_MAX);
        let name = fields.required("name", name);
        let scopes = fields.words("scopes", &Scope::ALL.map(Scope::as_str), Scope::parse);
        let scopes = fields.required("scopes", scopes);
        let expires_at = fields.future("expires_at", now).flatten();
        fields.finish()?;
        match (name, scopes) {
            (Some(name), Some(scopes)) => Ok(Self { name, scopes, expires_at }),
            _ => Err(ApiError::field("name", "is required")),
        }
    }
}

fn insert(conn: &mut Conn, caller: &Caller, wanted: &Wanted, now: Timestamp) -> Result<(Token, Secret), ApiError> {
    if wanted.name == ENVIRONMENT || tokens::name_taken(conn, &caller.tenant_id, &wanted.name)? {
        return Err(ApiError::conflict("a token of this name exists already; names stand for their tokens in the audit log"));
    }
    let scopes: Vec<&str> = wanted.scopes.iter().map(|scope| scope.as_str()).collect();
    let new = New {
        tenant_id: &caller.tenant_id,
        name: &wanted.name,
        scopes: &scopes,
        created_by: &caller.name,
        expires_at: wanted.expires_at,
    };
    let (token, text) = tokens::create(conn, &new, now)?;
    audited(conn, caller, ("token.created", &token.id), (None, Some(&view(&token))), now)?;
    Ok((token, text))
}

/// `GET /tokens`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::Admin)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    query.finish()?;
    let page = paging.page.clone();
    let listed = app.store.read(move |conn| tokens::list(conn, &caller.tenant_id, &page)).await?;
    let snapshot = app.directory.snapshot();
    Ok(paging.answer(listed, |token| view(&with_last_used(token, &snapshot))))
}

/// `GET /tokens/{id}`
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::Admin)?;
    let id = id_of(Kind::Token, &path)?;
    let found = app.store.read(move |conn| tokens::find(conn, &caller.tenant_id, &id)).await?;
    let token = with_last_used(found.ok_or(ApiError::NotFound)?, &app.directory.snapshot());
    Ok(HttpResponse::Ok().json(view(&token)))
}

/// `DELETE /tokens/{id}`: takes it back. This process refuses it at once, others within a second.
pub async fn revoke(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::Admin)?;
    let id = id_of(Kind::Token, &path)?;
    let (now, gone) = (app.clock.now(), id.clone());
    change::commit(&app, move |conn| {
        let token = tokens::find(conn, &caller.tenant_id, &gone)?.ok_or(ApiError::NotFound)?;
        tokens::revoke(conn, &caller.tenant_id, &gone, now)?;
        audited(conn, &caller, ("token.revoked", &gone), (Some(&view(&token)), None), now)
    })
    .await?;
    Ok(HttpResponse::Ok().json(json!({"id": id, "revoked": true})))
}

/// Memory knows better than the store when a token was last used.
fn with_last_used(mut token: Token, snapshot: &Snapshot) -> Token {
    let same = snapshot.tokens.values().find(|same| same.id == token.id);
    let in_memory = same.map(|same| same.last_used.load(Ordering::Relaxed)).filter(|at| *at > 0);
    token.last_used_at = token.last_used_at.max(in_memory);
    token
}

fn view(token: &Token) -> Value {
    let scopes: Value = serde_json::from_str(&token.scopes).unwrap_or_else(|_| json!([]));
    json!({
        "id": token.id,
        "name": token.name,
        "scopes": scopes,
        "expires_at": time(token.expires_at),
        "last_used_at": time(token.last_used_at),
        "created_by": token.created_by,
        "created_at": time(Some(token.created_at)),
        "updated_at": time(token.revoked_at.or(Some(token.created_at))),
    })
}
