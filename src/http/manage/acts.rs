//! What goes through the ingest path although no tool sent it: acts of people, explain, tests.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fields::Fields;
use super::{id_of, incidents, unknown};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::http::auth::{Caller, Scope};
use crate::id::{self, Kind};
use crate::incident::{Actor, Status};
use crate::ingest::explain::{self as explaining, Question};
use crate::ingest::inbound::{Inbound, Route};
use crate::ingest::interpret::posted;
use crate::ingest::snapshot::Integration;
use crate::ingest::submission::Refused;
use crate::ingest::{acts, timers};
use crate::provider::{self, Clock, Compiled, Headers, Provider};
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
    Ok(HttpResponse::Ok().json(incidents::view(&self::incident(app, &caller, &id).await?)))
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

/// `POST /explain/{type}`
pub async fn explain(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsRead)?;
    let provider =
        app.tools.by_type(&path).ok_or_else(|| ApiError::field("type", unknown("unknown type", &path, &app.tools.names())))?;
    let mut fields = Fields::read(&request, payload).await?;
    let integration_id = fields.text("integration_id", 64).flatten();
    let options = fields.object("options").flatten();
    let inbound = inbound(&app, &mut fields);
    fields.finish()?;
    let integration = integration_id.map(|id| integration(&app, &caller, &id)).transpose()?;
    let options = options.map(|options| compile(provider, &options)).transpose()?;
    let question = Question { provider, integration, options, inbound: inbound? };
    let explanation = explaining::explain(&app, question).await?;
    Ok(HttpResponse::Ok().json(explaining::to_json(&explanation)))
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

/// The request that is to be explained, as it would have come by a socket.
fn inbound(app: &App, fields: &mut Fields) -> Result<Inbound, ApiError> {
    let headers = fields.object("headers").flatten().unwrap_or_default();
    let query = fields.object("query").flatten().unwrap_or_default();
    let text = fields.raw("body");
    let packed = fields.raw("body_base64");
    let method = fields.text("method", 10).flatten().unwrap_or_else(|| "POST".to_owned());
    let subpath = fields.text("subpath", 200).flatten().unwrap_or_default();
    let body = match (text, packed) {
        (Some(Value::String(text)), None) => Bytes::from(text),
        // A body given as JSON is that JSON.
        (Some(value), None) => Bytes::from(value.to_string()),
        (None, Some(Value::String(packed))) => {
            Bytes::from(STANDARD.decode(packed.trim()).map_err(|_| ApiError::field("body_base64", "must be base64"))?)
        }
        (None, None) => Bytes::new(),
        _ => return Err(ApiError::field("body", "give either body or body_base64")),
    };
    let pairs = |value: &Value| -> Vec<(String, String)> {
        value.as_object().map(|map| map.iter().flat_map(|(name, value)| texts(name, value)).collect()).unwrap_or_default()
    };
    Ok(Inbound {
        id: id::new(Kind::Request),
        route: Route::Native,
        method,
        headers: Headers::new(pairs(&headers)),
        query: pairs(&query),
        subpath,
        body,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        received_at: app.clock.now(),
        begun: Instant::now(),
    })
}

/// A header or query field: one text, or several.
fn texts(name: &str, value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Array(values) => values.iter().map(|value| (name.to_owned(), text(value))).collect(),
        value => vec![(name.to_owned(), text(value))],
    }
}
