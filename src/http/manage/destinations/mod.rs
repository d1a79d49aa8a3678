//! Destinations: making, showing, changing, rotating, deleting.

mod check;
mod draft;
mod view;
mod write;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use self::draft::{Creation, Draft};
use self::write::{Maker, SIGNED};
use super::change;
use super::fields::Fields;
use super::id_of;
use super::query::Query;
use crate::app::App;
use crate::delivery::message::Occasion;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::id::Kind;
use crate::outbox;
use crate::store::destinations::{self, Filter};
use crate::store::{self, Conn, signing_secrets};

/// `POST /destinations`
pub async fn create(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsWrite)?;
    let fields = Fields::read(&request, payload).await?;
    let creation = off_thread(move || Creation::read(fields)).await?;
    let generates = creation.channel.kind() == SIGNED && creation.draft.signing_secret.is_none();
    let generated = generates.then(signing_secrets::generate).transpose()?;
    let secret = generated.clone().or_else(|| creation.draft.signing_secret.clone().flatten());
    let maker = Maker::of(&app, &caller);
    let work = move |conn: &mut Conn| maker.insert(conn, &creation, secret.as_ref());
    let (loaded, rule) = change::commit(&app, work).await?;
    let mut answer = view::with_secret(view::destination(&app, &loaded), generated);
    if let Some(map) = answer.as_object_mut() {
        map.insert("rule".into(), rule.map(|rule| json!({"id": rule.id, "name": rule.name})).into());
    }
    Ok(HttpResponse::Created().json(answer))
}

/// Reads what takes some work to check, without holding up other requests.
async fn off_thread<T: Send + 'static>(read: impl FnOnce() -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
    web::block(read).await.map_err(|error| ApiError::Internal(error.to_string()))?
}

/// `GET /destinations`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let filter = Filter { kind: query.text("kind"), name: query.text("name") };
    query.finish()?;
    let (page, tenant) = (paging.page.clone(), caller.tenant_id.clone());
    let listed = app
        .store
        .read(move |conn| {
            let rows = destinations::list(conn, &tenant, &filter, &page)?;
            let items = view::load(conn, &tenant, rows.items)?;
            Ok::<_, ApiError>(store::page::Listed { items, next: rows.next })
        })
        .await?;
    Ok(paging.answer(listed, |loaded| view::destination(&app, &loaded)))
}

/// `GET /destinations/{id}`
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsRead)?;
    let id = id_of(Kind::Destination, &path)?;
    let loaded = app
        .store
        .read(move |conn| {
            let row = destinations::find(conn, &caller.tenant_id, &id)?.ok_or(ApiError::NotFound)?;
            Ok::<_, ApiError>(view::load_one(conn, row)?)
        })
        .await?;
    Ok(HttpResponse::Ok().json(view::destination(&app, &loaded)))
}

/// `PATCH /destinations/{id}`: counts from the next attempt on. What waits for it stays; where it leads elsewhere now, or is enabled again,
/// it is tried at once.
pub async fn update(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsWrite)?;
    let id = id_of(Kind::Destination, &path)?;
    let fields = Fields::read(&request, payload).await?;
    let draft = off_thread(move || Draft::read_patch(fields)).await?;
    let maker = Maker::of(&app, &caller);
    let loaded = change::commit(&app, move |conn| maker.patch(conn, &id, draft)).await?;
    app.outbox.wake(&loaded.row.id);
    Ok(HttpResponse::Ok().json(view::destination(&app, &loaded)))
}

/// `POST /destinations/{id}/rotate`: a new signing secret; the present one goes on signing beside it for a time.
pub async fn rotate(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsWrite)?;
    let id = id_of(Kind::Destination, &path)?;
    let fields = Fields::read(&request, payload).await?;
    let maker = Maker::of(&app, &caller);
    let (loaded, generated) = change::commit(&app, move |conn| maker.rotate(conn, &id, fields)).await?;
    Ok(HttpResponse::Ok().json(view::with_secret(view::destination(&app, &loaded), generated)))
}

/// `DELETE /destinations/{id}`; with `?pending=drop` also where something is still to be delivered, which is then dropped. Rules that
/// name it stay, and tell one fewer.
pub async fn delete(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsWrite)?;
    let id = id_of(Kind::Destination, &path)?;
    let mut query = Query::of(&request);
    let drops = query.word("pending", &["drop"], |word| (word == "drop").then_some(())).is_some();
    query.finish()?;
    let (maker, gone) = (Maker::of(&app, &caller), id.clone());
    let buried = change::commit(&app, move |conn| maker.bury(conn, &gone, drops)).await?;
    let rules: Vec<Value> = buried.rules.iter().map(|rule| json!({"id": rule.id, "name": rule.name})).collect();
    Ok(HttpResponse::Ok().json(json!({"id": id, "deleted": true, "dropped_deliveries": buried.dropped, "rules": rules})))
}

/// `POST /destinations/{id}/test`: sends a message that says that it is a test, or, with `dry_run`, shows what would go out.
pub async fn test(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsWrite)?;
    let id = id_of(Kind::Destination, &path)?;
    let mut fields = Fields::read(&request, payload).await?;
    let dry = fields.boolean("dry_run").flatten().unwrap_or(false);
    let words: Vec<&str> = TRIED.iter().map(|occasion| occasion.as_str()).collect();
    let named = |word: &str| TRIED.into_iter().find(|occasion| occasion.as_str() == word);
    let occasion = fields.word("event", &words, named).flatten();
    let found = app.directory.snapshot().destinations.get(id.as_str()).cloned();
    let destination = found.filter(|found| found.tenant_id == caller.tenant_id).ok_or(ApiError::NotFound)?;
    fields.finish()?;
    // A template is about an incident, and has nothing to say without one.
    let plain = if destination.templates.incident.is_some() { Occasion::Triggered } else { Occasion::Test };
    let tried = outbox::trial(&app, &destination, occasion.unwrap_or(plain), dry).await.map_err(ApiError::conflict)?;
    Ok(HttpResponse::Ok().json(tried))
}

/// What a destination can be tried with.
const TRIED: [Occasion; 5] = [Occasion::Test, Occasion::Triggered, Occasion::Acknowledged, Occasion::Updated, Occasion::Resolved];
