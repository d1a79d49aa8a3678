//! `POST /explain/{type}`: a request in the words of JSON, and what would become of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::acts::{compile, integration};
use super::fields::Fields;
use super::{BODY_MAX, unknown};
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::http::body::{decode, unread};
use crate::id::{self, Kind};
use crate::ingest::explain::{self, Question};
use crate::ingest::inbound::{Inbound, Route};
use crate::ingest::native;
use crate::ingest::refusal::Reason;
use crate::provider::Headers;

/// Characters that a subpath may have.
const SUBPATH_MAX: usize = 2_000;

/// `POST /explain/{type}`. The fields, none of them required:
///
/// - `method`, in capitals: `POST` unless given;
/// - `subpath`, what follows the integration's URL: `api/v2/alerts`;
/// - `headers` and `query`, objects of a text, or an array of texts, a name;
/// - `body_base64`, the body as it goes over the wire: what `Content-Encoding` says is taken off. Or `body`, a text or JSON, decoded;
/// - `integration_id`, as if it came to this integration; and `options`, in place of the integration's.
///
/// The body may be as large as that of a post.
pub async fn explain(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsRead)?;
    let provider =
        app.tools.by_type(&path).ok_or_else(|| ApiError::field("type", unknown("unknown type", &path, &app.tools.names())))?;
    let limit = native::largest_body(&app);
    // Held to the end: an explanation takes its share of the memory for bodies like a post.
    let body = app.bodies.read(request.headers(), &mut payload, enveloped(limit)).await.map_err(unread)?;
    let (bytes, reader) = (body.bytes.clone(), Arc::clone(&app));
    let asked = web::block(move || Asked::read(&reader, &bytes, limit)).await;
    let asked = asked.map_err(|error| ApiError::Unavailable(error.to_string()))??;
    let integration = asked.integration_id.map(|id| integration(&app, &caller, &id)).transpose()?;
    let options = asked.options.map(|options| compile(provider, &options)).transpose()?;
    let question = Question {
        provider,
        integration,
        options,
        inbound: asked.inbound,
        unread: asked.unread,
        sees_destinations: caller.may(Scope::DestinationsRead),
    };
    let explanation = explain::explain(&app, question).await?;
    Ok(HttpResponse::Ok().json(explain::to_json(&explanation)))
}

/// Bytes of a JSON body that holds a request of `limit` bytes as base64, and all that goes with it.
const fn enveloped(limit: usize) -> usize {
    limit.div_ceil(3).saturating_mul(4).saturating_add(BODY_MAX)
}

/// What is asked.
struct Asked {
    integration_id: Option<String>,
    options: Option<Value>,
    /// The request, as it would have come by a socket.
    inbound: Inbound,
    /// Why its body cannot be read.
    unread: Option<Reason>,
}

impl Asked {
    /// Reads what is asked; the body of the request in question may have `limit` bytes once decoded.
    fn read(app: &App, bytes: &[u8], limit: usize) -> Result<Self, ApiError> {
        let mut fields = Fields::parse(bytes)?;
        let integration_id = fields.text("integration_id", 64).flatten();
        let options = fields.object("options").flatten();
        let method = method(&mut fields);
        let subpath = subpath(&mut fields);
        let headers = Headers::new(pairs(&mut fields, "headers"));
        let query = pairs(&mut fields, "query");
        let body = body(&mut fields);
        fields.finish()?;
        let body = match body {
            Body::Decoded(body) => Ok(body),
            Body::Wire(wire) => decode(&headers, wire, limit),
        };
        let (body, unread) = match body {
            Ok(body) => (body, None),
            Err(reason) => (Bytes::new(), Some(reason)),
        };
        let inbound = Inbound {
            id: id::new(Kind::Request),
            route: Route::Native,
            method,
            headers,
            query,
            subpath,
            body,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            received_at: app.clock.now(),
            begun: Instant::now(),
        };
        Ok(Self { integration_id, options, inbound, unread })
    }
}

/// A method that no tool uses is answered by the explanation.
fn method(fields: &mut Fields) -> String {
    let method = fields.text("method", 20).flatten().unwrap_or_else(|| "POST".to_owned());
    if !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        fields.problem("method", "must be a method in capitals, such as POST or GET");
    }
    method
}

/// Empty for the integration's URL itself.
fn subpath(fields: &mut Fields) -> String {
    match fields.raw("subpath") {
        None => String::new(),
        Some(Value::String(path)) if is_subpath(&path) => path,
        Some(_) => {
            let must = "must be what follows the integration's URL, without the slash before it, such as api/v2/alerts";
            fields.problem("subpath", must);
            String::new()
        }
    }
}

fn is_subpath(path: &str) -> bool {
    !path.starts_with('/') && path.chars().count() <= SUBPATH_MAX && !path.chars().any(char::is_control)
}

/// The body of the request in question.
enum Body {
    /// As a person writes it down.
    Decoded(Bytes),
    /// As it travels, in its content encoding.
    Wire(Bytes),
}

fn body(fields: &mut Fields) -> Body {
    match (fields.raw("body"), fields.raw("body_base64")) {
        (Some(Value::String(text)), None) => Body::Decoded(Bytes::from(text)),
        // A body given as JSON is that JSON.
        (Some(value), None) => Body::Decoded(Bytes::from(value.to_string())),
        (None, Some(packed)) => {
            let wire = packed.as_str().and_then(|packed| STANDARD.decode(packed.trim()).ok());
            if wire.is_none() {
                fields.problem("body_base64", "must be base64");
            }
            Body::Wire(Bytes::from(wire.unwrap_or_default()))
        }
        (None, None) => Body::Wire(Bytes::new()),
        (Some(_), Some(_)) => {
            fields.problem("body", "give either body or body_base64");
            Body::Decoded(Bytes::new())
        }
    }
}

/// The pairs of an object whose values are a text, or several.
fn pairs(fields: &mut Fields, name: &'static str) -> Vec<(String, String)> {
    let Some(Value::Object(map)) = fields.object(name).flatten() else { return Vec::new() };
    map.into_iter().flat_map(|(name, value)| texts(value).into_iter().map(move |text| (name.clone(), text))).collect()
}

fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.into_iter().flat_map(texts).collect(),
        Value::String(text) => vec![text],
        other => vec![other.to_string()],
    }
}
