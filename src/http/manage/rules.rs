//! Rules: making, showing, changing, deleting. What a rule may say is known to [`crate::delivery::rule`] alone.

mod trial;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use super::change::{self, audited};
use super::draft::NAME_MAX;
use super::fields::Fields;
use super::query::Query;
use super::{id_of, time};
use crate::app::App;
use crate::delivery::limit::{self, Unit};
use crate::delivery::rule;
use crate::error::{ApiError, Problem};
use crate::http::auth::{Caller, Scope};
use crate::id::{self, Kind};
use crate::store::Conn;
use crate::store::destinations::Destination;
use crate::store::rules::{self, Named, Rule};
use crate::time::Timestamp;

pub use trial::test;

/// What can be shown of a rule and not be set.
const READ_ONLY: [&str; 6] = ["id", "made_for", "warnings", "created_by", "created_at", "updated_at"];

/// `POST /rules`
pub async fn create(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsWrite)?;
    let map = Fields::read(&request, payload).await?.rest()?;
    let now = app.clock.now();
    let row = change::commit(&app, move |conn| {
        let names = Named::load(conn, &caller.tenant_id)?;
        let read = read(&map, &names)?;
        free_name(conn, &caller, &read.name)?;
        insert(conn, &caller, &read, None, now)
    })
    .await?;
    Ok(HttpResponse::Created().json(view(&app, &row)))
}

/// Makes the rule that tells a new destination everything. It is a rule like any other from then on.
///
/// # Errors
/// A statement failed.
pub(super) fn insert_for(conn: &mut Conn, caller: &Caller, destination: &Destination, now: Timestamp) -> Result<Rule, ApiError> {
    let name = free_name_for(conn, caller, &destination.name)?;
    let everything = rule::Rule::everything(name, vec![destination.id.clone()]);
    insert(conn, caller, &everything, Some(&destination.id), now)
}

/// A name for that rule that no other rule has.
fn free_name_for(conn: &mut Conn, caller: &Caller, destination: &str) -> Result<String, ApiError> {
    let whole = format!("everything → {destination}");
    let mut name = limit::cut(&whole, NAME_MAX, Unit::Characters).into_owned();
    let mut number = 1;
    while rules::find_by_name(conn, &caller.tenant_id, &name)?.is_some() {
        number += 1;
        let end = format!(" ({number})");
        name = format!("{}{end}", limit::cut(&whole, NAME_MAX - end.len(), Unit::Characters));
    }
    Ok(name)
}

fn insert(conn: &mut Conn, caller: &Caller, rule: &rule::Rule, made_for: Option<&str>, now: Timestamp) -> Result<Rule, ApiError> {
    let mut row = Rule {
        id: id::new(Kind::Rule),
        tenant_id: caller.tenant_id.to_string(),
        name: String::new(),
        live_name: None,
        definition: String::new(),
        enabled: 1,
        made_for: made_for.map(str::to_owned),
        created_by: caller.name.clone(),
        created_at: now.0,
        updated_at: now.0,
        deleted_at: None,
    };
    row.say(rule);
    rules::insert(conn, &row)?;
    audited(conn, caller, ("rule.created", &row.id), (None, Some(&Value::Object(row.definition()))), now)?;
    Ok(row)
}

/// `GET /rules`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let name = query.text("name");
    query.finish()?;
    let page = paging.page.clone();
    let listed = app.store.read(move |conn| rules::list(conn, &caller.tenant_id, name.as_deref(), &page)).await?;
    Ok(paging.answer(listed, |row| view(&app, &row)))
}

/// `GET /rules/{id}`
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsRead)?;
    let id = id_of(Kind::Rule, &path)?;
    let found = app.store.read(move |conn| rules::find(conn, &caller.tenant_id, &id)).await?;
    Ok(HttpResponse::Ok().json(view(&app, &found.ok_or(ApiError::NotFound)?)))
}

/// `PATCH /rules/{id}`: a field that is named takes the place of what it was, as a whole; null is the default.
pub async fn update(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsWrite)?;
    let id = id_of(Kind::Rule, &path)?;
    let fields = Fields::read(&request, payload).await?;
    let now = app.clock.now();
    let row = change::commit(&app, move |conn| patch(conn, &caller, &id, fields, now)).await?;
    Ok(HttpResponse::Ok().json(view(&app, &row)))
}

fn patch(conn: &mut Conn, caller: &Caller, id: &str, mut fields: Fields, now: Timestamp) -> Result<Rule, ApiError> {
    let mut row = rules::find(conn, &caller.tenant_id, id)?.ok_or(ApiError::NotFound)?;
    fields.read_only(&READ_ONLY);
    let before = row.definition();
    let mut whole = before.clone();
    whole.extend(fields.rest()?);
    // What the rule names already it may go on naming, though it be deleted.
    let names = Named::load(conn, &caller.tenant_id)?.and_ids_of(&rule::Rule::stored(&before).0);
    let read = read(&whole, &names)?;
    if read.name != row.name {
        free_name(conn, caller, &read.name)?;
    }
    row.say(&read);
    rules::update(conn, &row, now)?;
    row.updated_at = now.0;
    let (before, after) = (Value::Object(before), Value::Object(row.definition()));
    audited(conn, caller, ("rule.updated", id), (Some(&before), Some(&after)), now)?;
    Ok(row)
}

/// `DELETE /rules/{id}`: what was told by it before is still told its end.
pub async fn delete(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsWrite)?;
    let id = id_of(Kind::Rule, &path)?;
    let (now, gone) = (app.clock.now(), id.clone());
    change::commit(&app, move |conn| {
        let mut row = rules::find(conn, &caller.tenant_id, &gone)?.ok_or(ApiError::NotFound)?;
        (row.deleted_at, row.live_name) = (Some(now.0), None);
        rules::update(conn, &row, now)?;
        audited(conn, &caller, ("rule.deleted", &gone), (Some(&Value::Object(row.definition())), None), now)
    })
    .await?;
    Ok(HttpResponse::Ok().json(json!({"id": id, "deleted": true})))
}

fn read(map: &Map<String, Value>, names: &Named) -> Result<rule::Rule, ApiError> {
    let as_field = |problem: rule::Problem| Problem::new(problem.field, problem.message);
    rule::Rule::from_json(map, names).map_err(|problems| ApiError::Invalid(problems.into_iter().map(as_field).collect()))
}

fn free_name(conn: &mut Conn, caller: &Caller, name: &str) -> Result<(), ApiError> {
    match rules::find_by_name(conn, &caller.tenant_id, name)? {
        Some(_) => Err(ApiError::conflict("a rule of this name exists already")),
        None => Ok(()),
    }
}

fn view(app: &App, row: &Rule) -> Value {
    let mut view = row.definition();
    let snapshot = app.directory.snapshot();
    let (rule, problems) = rule::Rule::stored(&view);
    let mut warnings: Vec<String> =
        problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
    let gone = rule.reaches().into_iter().filter(|id| !snapshot.destinations.contains_key(*id));
    warnings.extend(gone.map(|id| format!("the destination {id} is deleted: the rule tells it nothing")));
    view.insert("id".into(), row.id.clone().into());
    view.insert("made_for".into(), row.made_for.clone().into());
    view.insert("warnings".into(), warnings.into());
    view.insert("created_by".into(), row.created_by.clone().into());
    view.insert("created_at".into(), time(Some(row.created_at)));
    view.insert("updated_at".into(), time(Some(row.updated_at)));
    Value::Object(view)
}
