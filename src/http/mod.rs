//! HTTP: every route, and how a server is set up.

pub mod actions;
pub mod answer;
pub mod auth;
pub mod body;
pub mod health;
pub mod ingest;
pub mod manage;
pub mod page;
pub mod request_id;
pub mod server;
pub mod tls;

use actix_web::{HttpRequest, HttpResponse, ResponseError};

use crate::error::ApiError;

/// The answer of a path that does not exist.
pub async fn not_found() -> HttpResponse {
    ApiError::NotFound.error_response()
}

/// The answer of a path that takes other methods.
pub async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    let _ = request;
    ApiError::MethodNotAllowed("POST".to_owned()).error_response()
}
