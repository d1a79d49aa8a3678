//! Integrations: making, showing, changing, rotating, deleting.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::change::{self, audited};
use super::draft::{Creation, Draft};
use super::fields::Fields;
use super::id_of;
use super::query::Query;
use super::view::{self, Loaded};
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::id::{self, Kind};
use crate::ingest::acts;
use crate::ingest::snapshot::CredentialKind;
use crate::provider::{self, Registry};
use crate::secret::{Sealer, Secret};
use crate::store::credentials::{self, Owner};
use crate::store::integrations::{self, Filter, Integration, RATE_LIMIT_DEFAULT};
use crate::store::{self, Conn, services};
use crate::time::Timestamp;

/// Seconds over which refusals are counted when one integration is shown.
const REFUSALS_SECONDS: i64 = 3600;

/// `POST /integrations`
pub async fn create(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsWrite)?;
    let creation = Creation::read(Fields::read(&request, payload).await?, app.tools)?;
    let generated = creation.generate_secret.then(|| credentials::generate(CredentialKind::Secret)).transpose()?;
    let secret = generated.clone().or_else(|| creation.draft.signature_secret.clone().flatten());
    let (who, sealer, tools, now) = (caller.clone(), app.sealer.clone(), app.tools, app.clock.now());
    let loaded = change::commit(&app, move |conn| insert(conn, &who, &sealer, tools, &creation, secret.as_ref(), now)).await?;
    Ok(HttpResponse::Created().json(with_secret(view::integration(&app, &caller, &loaded), generated)))
}

fn insert(
    conn: &mut Conn,
    caller: &Caller,
    sealer: &Sealer,
    tools: &Registry,
    creation: &Creation,
    secret: Option<&Secret>,
    now: Timestamp,
) -> Result<Loaded, ApiError> {
    let name = creation.draft.name.clone().unwrap_or_default();
    free_name(conn, caller, &name)?;
    let service = creation.draft.service.as_deref().unwrap_or(services::DEFAULT);
    let mut row = Integration {
        id: id::new(Kind::Integration),
        tenant_id: caller.tenant_id.to_string(),
        service_id: service_id(conn, caller, service)?,
        kind: creation.provider.meta().kind.to_owned(),
        live_name: Some(name.clone()),
        name,
        policy: None,
        enabled: 1,
        rate_limit_per_minute: RATE_LIMIT_DEFAULT,
        auto_resolve_after: None,
        acknowledge_timeout: None,
        remind_after: None,
        native_body_limit: None,
        options: "{}".to_owned(),
        created_by: caller.name.clone(),
        created_at: now.0,
        updated_at: now.0,
        deleted_at: None,
    };
    creation.draft.apply(&mut row);
    integrations::insert(conn, &row)?;
    let owner = Owner { tenant_id: &caller.tenant_id, integration_id: &row.id };
    let key = new_key(conn, caller, creation.key.clone(), now)?;
    credentials::add(conn, sealer, owner, CredentialKind::Hook, &credentials::generate(CredentialKind::Hook)?, now)?;
    credentials::add(conn, sealer, owner, CredentialKind::Key, &key, now)?;
    if let Some(secret) = secret {
        credentials::add(conn, sealer, owner, CredentialKind::Secret, secret, now)?;
    }
    let after = view::settings(tools, &row);
    audited(conn, caller, ("integration.created", &row.id), (None, Some(&after)), now)?;
    Ok(view::load_one(conn, row)?)
}

/// `GET /integrations`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let filter = Filter {
        kind: query.text("type").map(|kind| app.tools.by_type(&kind).map_or(kind, |found| found.meta().kind.to_owned())),
        service_id: query.text("service_id"),
        name: query.text("name"),
        built_in: query.word("built_in", &["true", "false"], |word| word.parse().ok()).unwrap_or(false),
    };
    query.finish()?;
    let (page, tenant) = (paging.page.clone(), caller.tenant_id.clone());
    let listed = app
        .store
        .read(move |conn| {
            let rows = integrations::list(conn, &tenant, &filter, &page)?;
            let items = view::load(conn, &tenant, rows.items)?;
            Ok::<_, ApiError>(store::page::Listed { items, next: rows.next })
        })
        .await?;
    Ok(paging.answer(listed, |loaded| view::integration(&app, &caller, &loaded)))
}

/// `GET /integrations/{id}`
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsRead)?;
    let id = id_of(Kind::Integration, &path)?;
    let (tenant, since) = (caller.tenant_id.clone(), app.clock.now().plus_seconds(-REFUSALS_SECONDS));
    let (loaded, refusals) = app
        .store
        .read(move |conn| {
            let row = integrations::find(conn, &tenant, &id)?.ok_or(ApiError::NotFound)?;
            let refusals = integrations::refusals_since(conn, &tenant, &id, since)?;
            Ok::<_, ApiError>((view::load_one(conn, row)?, refusals))
        })
        .await?;
    let mut answer = view::integration(&app, &caller, &loaded);
    if let Some(map) = answer.as_object_mut() {
        map.insert("refusals_last_hour".into(), json!(refusals));
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// `PATCH /integrations/{id}`
pub async fn update(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsWrite)?;
    let id = id_of(Kind::Integration, &path)?;
    let fields = Fields::read(&request, payload).await?;
    let (who, sealer, tools, now) = (caller.clone(), app.sealer.clone(), app.tools, app.clock.now());
    let loaded = change::commit(&app, move |conn| patch(conn, &who, &sealer, tools, &id, fields, now)).await?;
    Ok(HttpResponse::Ok().json(view::integration(&app, &caller, &loaded)))
}

fn patch(
    conn: &mut Conn,
    caller: &Caller,
    sealer: &Sealer,
    tools: &Registry,
    id: &str,
    fields: Fields,
    now: Timestamp,
) -> Result<Loaded, ApiError> {
    let row = integrations::find(conn, &caller.tenant_id, id)?.ok_or(ApiError::NotFound)?;
    let present = view::load_one(conn, row)?;
    let draft = Draft::read_patch(fields, tools.of_stored(&present.row.kind), present.has_secret())?;
    let mut row = present.row;
    check_built_in(&row, Some(&draft))?;
    let before = view::settings(tools, &row);
    draft.apply(&mut row);
    if let Some(name) = draft.name.as_ref().filter(|name| **name != row.name) {
        free_name(conn, caller, name)?;
        row.name.clone_from(name);
        row.live_name = Some(name.clone());
    }
    if let Some(service) = &draft.service {
        row.service_id = service_id(conn, caller, service)?;
    }
    let secret = change_secret(conn, sealer, &mut row, draft.signature_secret.as_ref(), now)?;
    integrations::update(conn, &row, now)?;
    row.updated_at = now.0;
    let mut after = view::settings(tools, &row);
    if let (Some(what), Some(map)) = (secret, after.as_object_mut()) {
        map.insert("signature_secret".into(), what.into());
    }
    audited(conn, caller, ("integration.updated", id), (Some(&before), Some(&after)), now)?;
    Ok(view::load_one(conn, row)?)
}

/// Sets or takes away the signature secret, and says in one word what it did.
fn change_secret(
    conn: &mut Conn,
    sealer: &Sealer,
    row: &mut Integration,
    secret: Option<&Option<Secret>>,
    now: Timestamp,
) -> Result<Option<&'static str>, ApiError> {
    let owner = Owner { tenant_id: &row.tenant_id, integration_id: &row.id };
    match secret {
        None => Ok(None),
        Some(Some(secret)) => {
            credentials::rotate(conn, sealer, owner, (CredentialKind::Secret, secret), 0, now)?;
            Ok(Some("set"))
        }
        Some(None) => {
            credentials::remove(conn, owner, CredentialKind::Secret)?;
            if row.policy.as_deref() == Some("signature") {
                row.policy = None;
            }
            Ok(Some("removed"))
        }
    }
}

/// `DELETE /integrations/{id}`; with `?open=resolve` also where incidents are open, which are then resolved. Asked again so after a
/// failure, it resolves what is still open.
pub async fn delete(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsWrite)?;
    let id = id_of(Kind::Integration, &path)?;
    let mut query = Query::of(&request);
    let resolve = query.word("open", &["resolve"], |word| (word == "resolve").then_some(())).is_some();
    query.finish()?;
    let (who, integration_id, tools, now) = (caller.clone(), id.clone(), app.tools, app.clock.now());
    let open = change::commit(&app, move |conn| bury(conn, &who, tools, &integration_id, resolve, now)).await?;
    let resolved = if open > 0 { resolve_open(&app, &id, &caller.name).await? } else { 0 };
    Ok(HttpResponse::Ok().json(json!({"id": id, "deleted": true, "resolved_incidents": resolved})))
}

/// Marks the integration deleted and returns how many of its incidents are open.
fn bury(conn: &mut Conn, caller: &Caller, tools: &Registry, id: &str, resolve: bool, now: Timestamp) -> Result<i64, ApiError> {
    let mut row = integrations::find_with_deleted(conn, &caller.tenant_id, id)?.ok_or(ApiError::NotFound)?;
    let open = integrations::open_incidents(conn, &caller.tenant_id, id)?;
    if row.deleted_at.is_some() {
        return if resolve && open > 0 { Ok(open) } else { Err(ApiError::NotFound) };
    }
    check_built_in(&row, None)?;
    if open > 0 && !resolve {
        return Err(ApiError::Conflict {
            message: format!("{open} incidents of this integration are open; resolve them, or delete with ?open=resolve"),
            details: Some(json!({"open_incidents": open})),
        });
    }
    let before = view::settings(tools, &row);
    row.deleted_at = Some(now.0);
    row.live_name = None;
    integrations::update(conn, &row, now)?;
    audited(conn, caller, ("integration.deleted", id), (Some(&before), None), now)?;
    Ok(open)
}

/// Resolves all open incidents of an integration on behalf of `actor`, and returns how many they were.
///
/// # Errors
/// [`ApiError::Unavailable`] while it cannot be done.
pub async fn resolve_open(app: &App, integration_id: &str, actor: &str) -> Result<u64, ApiError> {
    let integration = app.directory.snapshot().integrations.get(integration_id).cloned();
    let integration = integration.ok_or_else(|| ApiError::Unavailable("the integration is not in memory yet".to_owned()))?;
    acts::resolve_all(app, &integration, actor).await.map_err(|refused| ApiError::Unavailable(refused.to_string()))
}

fn free_name(conn: &mut Conn, caller: &Caller, name: &str) -> Result<(), ApiError> {
    if integrations::name_taken(conn, &caller.tenant_id, name)? {
        return Err(ApiError::conflict("an integration of this name exists already"));
    }
    Ok(())
}

fn service_id(conn: &mut Conn, caller: &Caller, text: &str) -> Result<String, ApiError> {
    let found = services::by_id_or_name(conn, &caller.tenant_id, text)?;
    found.map(|service| service.id).ok_or_else(|| ApiError::field("service", "no service has this name or id"))
}

/// The key to use: the one given, if it is free, or a new one.
pub(super) fn new_key(conn: &mut Conn, caller: &Caller, given: Option<Secret>, now: Timestamp) -> Result<Secret, ApiError> {
    let Some(key) = given else { return Ok(credentials::generate(CredentialKind::Key)?) };
    if credentials::taken(conn, &caller.tenant_id, CredentialKind::Key, &key, now)? {
        return Err(ApiError::conflict("this key is in use already"));
    }
    Ok(key)
}

/// Integrations that we make ourselves can be limited and timed, and nothing else; the one for our own incidents not even that.
pub(super) fn check_built_in(row: &Integration, draft: Option<&Draft>) -> Result<(), ApiError> {
    match draft {
        _ if !row.built_in() => Ok(()),
        Some(draft) if row.kind == provider::API => match draft.not_for_built_in() {
            problems if problems.is_empty() => Ok(()),
            problems => Err(ApiError::Invalid(problems)),
        },
        _ => Err(ApiError::conflict("this integration is built in")),
    }
}

pub(super) fn with_secret(mut view: Value, secret: Option<Secret>) -> Value {
    if let (Some(secret), Some(map)) = (secret, view.as_object_mut()) {
        map.insert("signature_secret".into(), secret.expose().into());
    }
    view
}
