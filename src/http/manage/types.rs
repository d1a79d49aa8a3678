//! The tools that can be integrated.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::Caller;
use crate::provider::Provider;
use crate::signature::Scheme;

/// `GET /types`
pub async fn list(app: web::Data<App>, _caller: Caller) -> Result<HttpResponse, ApiError> {
    let items: Vec<_> = app
        .tools
        .tools()
        .map(Provider::meta)
        .map(|meta| {
            json!({
                "type": meta.kind,
                "name": meta.name,
                "docs": meta.docs,
                "aliases": meta.aliases,
                "resolves": meta.resolves,
                "clock": meta.clock,
                "signature": (meta.scheme != Scheme::Generic).then(|| meta.scheme.name()),
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": null})))
}
