//! What goes through the ingest path although no tool sent it: acts of people, and tests.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{id_of, incidents};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::http::auth::{Caller, Scope};
use crate::id::Kind;
use crate::incident::{Actor, Status};
use crate::ingest::interpret::posted;
use crate::ingest::snapshot::Integration;
use crate::ingest::submission::Refused;
use crate::ingest::{acts, timers};
use crate::provider::{self, Clock, Compiled, Provider};
use crate::store;

/// What the store could not promise, for whoever asked.
pub fn unavailable(refused: Refused) -> ApiError {
    ApiError::Unavailable(refused.to_string())
}

/// `POST /incidents/{id}/acknowledge`
pub async fn acknowledge(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    act(&app, caller, &path, Action::Acknowledge).await
}

/// `POST /incidents/{id}/resolve`
pub async fn resolve(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    act(&app, caller, &path, Action::Resolve).await
}

/// Acting twice is acting once; what is resolved cannot be acknowledged.
async fn act(app: &App, caller: Caller, id: &str, action: Action) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsWrite)?;
    let id = id_of(Kind::Incident, id)?;
    let incident = incident(app, &caller, &id).await?;
    let resolved = incident.status == Status::Resolved.as_str();
    if resolved && action == Action::Acknowledge {
        return Err(ApiError::conflict("the incident is resolved"));
    }
    let there = resolved || (action == Action::Acknowledge && incident.status == Status::Acknowledged.as_str());
    if !there {
        let integration = integration(app, &caller, &incident.integration_id)?;
        acts::on_incident(app, &integration, &id, &incident.dedup_key, action, &caller.name).await.map_err(unavailable)?;
    }
    Ok(HttpResponse::Ok().json(incidents::view(&self::incident(app, &caller, &id).await?, incidents::Around::default())?))
}

async fn incident(app: &App, caller: &Caller, id: &str) -> Result<store::incidents::Incident, ApiError> {
    let (tenant_id, id) = (Arc::clone(&caller.tenant_id), id.to_owned());
    let found = app.store.read(move |conn| store::incidents::find(conn, &tenant_id, &id)).await?;
    found.ok_or(ApiError::NotFound)
}

/// The integration in memory; one that was deleted counts, for its incidents.
pub fn integration(app: &App, caller: &Caller, id: &str) -> Result<Arc<Integration>, ApiError> {
    let found = app.directory.snapshot().integrations.get(id).cloned();
    found.filter(|found| found.tenant_id == caller.tenant_id).ok_or(ApiError::NotFound)
}

/// `POST /integrations/{id}/test`: opens an incident and resolves it, as the tool would.
pub async fn test(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsWrite)?;
    let id = id_of(Kind::Integration, &path)?;
    let integration = integration(&app, &caller, &id)?;
    if integration.deleted {
        return Err(ApiError::NotFound);
    }
    let key = DedupKey::random().map_err(|error| ApiError::Internal(error.to_string()))?;
    let mut events = Vec::new();
    for action in [Action::Trigger, Action::Resolve] {
        let summary = format!("Test of {} by {}", integration.name, caller.name);
        let event = Event::new(action, key.clone(), &summary, "callbox", Severity::Info);
        let item = posted(&event, Clock::Arrival);
        let submission = timers::act(&integration, Actor::Person(caller.name.clone()), vec![item], app.clock.now());
        events.extend(app.commit(submission).await.map_err(unavailable)?.events);
    }
    Ok(HttpResponse::Ok().json(json!({
        "message": "an incident was opened and resolved",
        "incident_id": events.first().and_then(|event| event.incident_id.clone()),
        "events": events,
    })))
}

/// Options that compile.
///
/// # Errors
/// Every problem with them.
pub fn compile(provider: &dyn Provider, options: &Value) -> Result<Compiled, ApiError> {
    provider.compile(options).map_err(|problems| {
        let problem = |found: provider::OptionProblem| Problem::new(format!("options.{}", found.option), found.problem);
        ApiError::Invalid(problems.into_iter().map(problem).collect())
    })
}
