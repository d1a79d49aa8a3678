//! The tools that can be integrated.

use actix_web::HttpResponse;
use serde_json::json;

use crate::error::ApiError;
use crate::http::auth::Caller;
use crate::provider::PROVIDERS;

/// `GET /types`
pub async fn list(_caller: Caller) -> Result<HttpResponse, ApiError> {
    let items: Vec<_> = PROVIDERS
        .iter()
        .map(|provider| {
            let meta = provider.meta();
            json!({
                "type": meta.kind,
                "name": meta.name,
                "docs": meta.docs,
                "aliases": meta.aliases,
                "resolves": meta.resolves,
                "clock": meta.clock,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": null})))
}
