//! The management API under `/api/v1`: every route in one list, one file a noun.
//!
//! Handlers check the scope, read the request, run a query or a write, and render. What a thing may be is decided here; how it is
//! stored is not known here; which status an error has is known only to [`crate::error`].

mod acts;
mod audit;
mod change;
mod changes;
mod deliveries;
mod destinations;
mod draft;
mod events;
mod explain;
mod fields;
mod incidents;
pub mod integrations;
mod query;
mod replay;
mod requests;
mod rotation;
mod rules;
mod services;
mod tokens;
mod types;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use actix_web::http::Method;
use actix_web::{HttpResponse, web};

use super::auth::Scope;
use crate::error::ApiError;
use crate::id::Kind;

/// Bytes that a body of the management API may have.
pub const BODY_MAX: usize = 1 << 20;
/// What every path begins with.
pub const PREFIX: &str = "/api/v1";

/// A route: method, path below [`PREFIX`], what a token must be allowed (`None`: any token), and its handler.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with names in braces.
    pub path: &'static str,
    /// The scope that the handler asks for.
    pub scope: Option<Scope>,
    /// Makes the handler.
    handler: fn() -> actix_web::Route,
}

macro_rules! route {
    ($method:ident $path:literal, $scope:expr, $handler:path) => {
        Route { method: Method::$method, path: $path, scope: $scope, handler: || web::to($handler) }
    };
}

/// Every route of the management API.
pub static ROUTES: &[Route] = &[
    route!(GET "/types", None, types::list),
    route!(POST "/integrations", Some(Scope::IntegrationsWrite), integrations::create),
    route!(GET "/integrations", Some(Scope::IntegrationsRead), integrations::list),
    route!(GET "/integrations/{id}", Some(Scope::IntegrationsRead), integrations::show),
    route!(PATCH "/integrations/{id}", Some(Scope::IntegrationsWrite), integrations::update),
    route!(DELETE "/integrations/{id}", Some(Scope::IntegrationsWrite), integrations::delete),
    route!(POST "/integrations/{id}/rotate", Some(Scope::IntegrationsWrite), rotation::rotate),
    route!(POST "/integrations/{id}/test", Some(Scope::IntegrationsWrite), acts::test),
    route!(POST "/explain/{type}", Some(Scope::IntegrationsRead), explain::explain),
    route!(POST "/services", Some(Scope::IntegrationsWrite), services::create),
    route!(GET "/services", Some(Scope::IntegrationsRead), services::list),
    route!(GET "/services/{id}", Some(Scope::IntegrationsRead), services::show),
    route!(PATCH "/services/{id}", Some(Scope::IntegrationsWrite), services::update),
    route!(DELETE "/services/{id}", Some(Scope::IntegrationsWrite), services::delete),
    route!(GET "/incidents", Some(Scope::IncidentsRead), incidents::list),
    route!(GET "/incidents/{id}", Some(Scope::IncidentsRead), incidents::show),
    route!(GET "/incidents/{id}/events", Some(Scope::IncidentsRead), incidents::timeline),
    route!(POST "/incidents/{id}/acknowledge", Some(Scope::IncidentsWrite), acts::acknowledge),
    route!(POST "/incidents/{id}/resolve", Some(Scope::IncidentsWrite), acts::resolve),
    route!(GET "/events", Some(Scope::IncidentsRead), events::list),
    route!(GET "/events/{id}", Some(Scope::IncidentsRead), events::show),
    route!(GET "/requests", Some(Scope::IncidentsRead), requests::list),
    route!(GET "/requests/{id}", Some(Scope::IncidentsRead), requests::show),
    route!(POST "/requests/replay", Some(Scope::IncidentsWrite), replay::many),
    route!(POST "/requests/{id}/replay", Some(Scope::IncidentsWrite), replay::one),
    route!(GET "/changes", Some(Scope::IncidentsRead), changes::list),
    route!(POST "/destinations", Some(Scope::DestinationsWrite), destinations::create),
    route!(GET "/destinations", Some(Scope::DestinationsRead), destinations::list),
    route!(GET "/destinations/{id}", Some(Scope::DestinationsRead), destinations::show),
    route!(PATCH "/destinations/{id}", Some(Scope::DestinationsWrite), destinations::update),
    route!(DELETE "/destinations/{id}", Some(Scope::DestinationsWrite), destinations::delete),
    route!(POST "/destinations/{id}/rotate", Some(Scope::DestinationsWrite), destinations::rotate),
    route!(POST "/destinations/{id}/test", Some(Scope::DestinationsWrite), destinations::test),
    route!(POST "/rules", Some(Scope::DestinationsWrite), rules::create),
    route!(GET "/rules", Some(Scope::DestinationsRead), rules::list),
    route!(GET "/rules/{id}", Some(Scope::DestinationsRead), rules::show),
    route!(PATCH "/rules/{id}", Some(Scope::DestinationsWrite), rules::update),
    route!(DELETE "/rules/{id}", Some(Scope::DestinationsWrite), rules::delete),
    route!(POST "/rules/{id}/test", Some(Scope::DestinationsRead), rules::test),
    route!(GET "/deliveries", Some(Scope::IncidentsRead), deliveries::list),
    route!(POST "/deliveries/retry", Some(Scope::IncidentsWrite), deliveries::retry_many),
    route!(POST "/deliveries/drop", Some(Scope::IncidentsWrite), deliveries::drop_many),
    route!(GET "/deliveries/{id}", Some(Scope::IncidentsRead), deliveries::show),
    route!(POST "/deliveries/{id}/retry", Some(Scope::IncidentsWrite), deliveries::retry),
    route!(POST "/deliveries/{id}/drop", Some(Scope::IncidentsWrite), deliveries::drop_one),
    route!(POST "/tokens", Some(Scope::Admin), tokens::create),
    route!(GET "/tokens", Some(Scope::Admin), tokens::list),
    route!(GET "/tokens/{id}", Some(Scope::Admin), tokens::show),
    route!(DELETE "/tokens/{id}", Some(Scope::Admin), tokens::revoke),
    route!(GET "/audit", Some(Scope::Admin), audit::list),
];

/// Puts the management API into a server. Needs `web::Data<App>` among its data, and [`super::request_id::layer`] around it.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut paths: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in ROUTES {
        paths.entry(route.path).or_default().push(route);
    }
    let mut scope = web::scope(PREFIX).app_data(web::PayloadConfig::new(BODY_MAX)).default_service(web::to(not_found));
    for (path, routes) in paths {
        let allowed = routes.iter().map(|route| route.method.as_str()).collect::<Vec<_>>().join(", ");
        let mut resource = web::resource(path).default_service(web::to(move || method_not_allowed(allowed.clone())));
        for route in routes {
            resource = resource.route((route.handler)().method(route.method.clone()));
        }
        scope = scope.service(resource);
    }
    config.service(scope);
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound)
}

async fn method_not_allowed(allowed: String) -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed(allowed))
}

/// An id from a path. What cannot be an id of `kind` does not exist, and is not asked for.
fn id_of(kind: Kind, text: &str) -> Result<String, ApiError> {
    if looks_like(kind, text) { Ok(text.to_owned()) } else { Err(ApiError::NotFound) }
}

/// Whether a text has the form of an id of `kind`.
pub fn looks_like(kind: Kind, text: &str) -> bool {
    text.strip_prefix(kind.prefix()).is_some_and(|rest| rest.len() == 26 && rest.bytes().all(is_id_byte))
}

const fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// A moment as stored, or null.
fn time(at: Option<i64>) -> serde_json::Value {
    at.map_or(serde_json::Value::Null, |at| crate::time::Timestamp(at).to_string().into())
}

/// The nearest of `known` to `name`, if one is near.
fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|one| (strsim::jaro_winkler(name, one), one))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, one)| one)
}

/// "… is unknown", with the nearest of `known`.
fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("{what}; did you mean `{near}`?"),
        None => format!("{what}; known: {}", known.join(", ")),
    }
}
