//! `POST /api/v1/destinations/{id}/actions`: somebody pressed a button under a message in a chat.
//!
//! The one route under `/api/v1` without a token: whoever sends proves by a signature that the press comes from the chat that the
//! destination tells. It is served wherever senders are served, because that is where the vendor reaches us. What is refused is refused
//! alike, whatever is at the path.

use std::sync::Arc;

use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::body::unread;
use super::ingest::sender;
use crate::app::App;
use crate::delivery::channel::{Channel, Deed, Press};
use crate::delivery::destination::Destination;
use crate::error::ApiError;
use crate::event::{Action, clip};
use crate::incident::Status;
use crate::ingest::acts;
use crate::provider::Headers;
use crate::secret::Secret;
use crate::signature::{self, Scheme};
use crate::store::audit::{self, Record};
use crate::store::incidents::{self, Incident};
use crate::store::outbox::read;
use crate::store::{Conn, StoreError};

/// Where it is.
pub const PATH: &str = "/api/v1/destinations/{id}/actions";
/// Bytes of a press; it holds the message that it was under.
const BODY_MAX: usize = 256 * 1024;
/// Characters of a name.
const NAME_MAX: usize = 100;
/// Seconds after which somebody who failed too often may try again.
const SHIELDED: u64 = 60;

/// Puts the route into a server.
pub fn configure(config: &mut ServiceConfig) {
    let resource = web::resource(PATH).route(web::post().to(press));
    config.service(resource.default_service(web::to(super::method_not_allowed)));
}

async fn press(
    app: Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    mut payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let app = app.into_inner();
    let body = app.bodies.read(request.headers(), &mut payload, BODY_MAX).await.map_err(unread)?;
    let (peer, headers) = sender(&app, &request);
    let Some((destination, channel)) = proved(&app, &path, &headers, &body.bytes) else {
        let shielded = app.shield.is_up(peer);
        app.shield.failed(peer);
        return Err(if shielded { ApiError::Limited(SHIELDED) } else { ApiError::Unverified });
    };
    // What is no press of ours, such as the link under a message, is taken all the same: the vendor would show an error.
    let Some(press) = channel.pressed(&body.bytes) else { return Ok(HttpResponse::Ok().finish()) };
    let who = format!("{} in {}", clip(press.by.trim(), NAME_MAX), channel.name());
    let told = done(&app, &destination, &press, &who).await?;
    Ok(match told.map(|text| channel.whisper(&text)) {
        None => HttpResponse::Ok().finish(),
        Some(whisper) => {
            whispered(&app, &press, &whisper);
            HttpResponse::Ok().json(whisper)
        }
    })
}

/// The destination, where the request proves that it comes from its chat. Takes as long where there is none.
fn proved(app: &App, id: &str, headers: &Headers, body: &[u8]) -> Option<(Arc<Destination>, &'static dyn Channel)> {
    let now = app.clock.now();
    let found = app.directory.snapshot().destinations.get(id).cloned();
    let open = found.as_ref().and_then(|destination| {
        let (channel, target) = destination.open(now).ok()?;
        Some((channel, channel.buttons_signed_by()?, target.signing))
    });
    let (channel, scheme, secrets) = match open {
        Some((channel, scheme, secrets)) => (Some(channel), scheme, secrets),
        None => (None, Scheme::Hmac(signature::SLACK), vec![Secret::new("nobody knows this destination")]),
    };
    let held = signature::check(&scheme, headers, body, &secrets, now).is_ok();
    channel.zip(found).filter(|_| held).map(|(channel, destination)| (destination, channel))
}

/// Does what was pressed; what to tell who pressed it, where it was for nothing.
async fn done(app: &App, destination: &Destination, press: &Press, who: &str) -> Result<Option<String>, ApiError> {
    let unknown = || Ok(Some("Callbox does not know this incident any more, or never told of it here.".to_owned()));
    let Some(incident) = told_here(app, destination, &press.incident).await? else { return unknown() };
    if let Some(answer) = already(&incident, press.deed, who) {
        return Ok(answer);
    }
    let integration = app.directory.snapshot().integrations.get(incident.integration_id.as_str()).cloned();
    let Some(integration) = integration.filter(|found| found.tenant_id == destination.tenant_id) else { return unknown() };
    let action = match press.deed {
        Deed::Acknowledge => Action::Acknowledge,
        Deed::Resolve => Action::Resolve,
    };
    let receipt = acts::on_incident(app, &integration, &incident.id, &incident.dedup_key, action, who).await;
    if receipt.map_err(|refused| ApiError::Unavailable(refused.to_string()))?.is_none() {
        // Somebody was faster.
        let now = told_here(app, destination, &press.incident).await?;
        return Ok(now.and_then(|incident| already(&incident, Deed::Acknowledge, who)).flatten());
    }
    record(app, destination, &incident, press.deed, who).await;
    Ok(None)
}

/// What is said of a press that changes nothing, where it does not; nothing is said of one that came twice.
fn already(incident: &Incident, deed: Deed, who: &str) -> Option<Option<String>> {
    let (is, by, same) = match (Status::parse(&incident.status)?, deed) {
        (Status::Resolved, _) => ("resolved", incident.resolved_by.as_deref(), deed == Deed::Resolve),
        (Status::Acknowledged, Deed::Acknowledge) => ("acknowledged", incident.acknowledged_by.as_deref(), true),
        _ => return None,
    };
    if same && by == Some(who) {
        return Some(None);
    }
    let by = by.map_or_else(String::new, |by| format!(", by {by}"));
    Some(Some(format!("Nothing to do: incident #{} is {is} already{by}.", incident.number)))
}

/// The incident, where it is of the destination's tenant and was told there.
async fn told_here(app: &App, destination: &Destination, id: &str) -> Result<Option<Incident>, StoreError> {
    let (tenant_id, destination_id, id) = (Arc::clone(&destination.tenant_id), Arc::clone(&destination.id), id.to_owned());
    let find = move |conn: &mut Conn| {
        let found = incidents::find(conn, &tenant_id, &id)?;
        let known = read::thread(conn, &destination_id, &id)?;
        Ok(found.zip(known).map(|(incident, _)| incident))
    };
    app.store.read(find).await
}

/// Puts an act into the audit log. It is done by now, and stands in the incident's timeline: that this fails is no reason to say that it
/// was not.
async fn record(app: &App, destination: &Destination, incident: &Incident, deed: Deed, who: &str) {
    let action = match deed {
        Deed::Acknowledge => "incident.acknowledged",
        Deed::Resolve => "incident.resolved",
    };
    let after = json!({"destination_id": &*destination.id, "destination": destination.name});
    let (tenant_id, id, who, now) = (Arc::clone(&destination.tenant_id), incident.id.clone(), who.to_owned(), app.clock.now());
    let write = move |conn: &mut Conn| {
        let (tenant_id, actor) = (&*tenant_id, who.as_str());
        let (object_type, object_id, after) = ("incident", id.as_str(), Some(&after));
        audit::record(conn, &Record { tenant_id, actor, action, object_type, object_id, before: None, after }, now)
    };
    if let Err(error) = app.committer.write(write).await {
        tracing::warn!(%error, incident = %incident.id, "an act from a chat could not be put into the audit log");
    }
}

/// Tells who pressed a button, where the vendor says that this is to be told; without holding up the answer.
fn whispered(app: &Arc<App>, press: &Press, whisper: &Value) {
    let url = press.whispers_to.as_ref().and_then(|url| Url::parse(url.expose()).ok());
    let (Some(url), Ok(client)) = (url, app.outbound.clone()) else { return };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let body = whisper.to_string().into_bytes();
    tokio::spawn(async move {
        if let Err(failure) = client.send(reqwest::Method::POST, &url, headers, body).await {
            tracing::debug!(%failure, "whoever pressed a button could not be told");
        }
    });
}
