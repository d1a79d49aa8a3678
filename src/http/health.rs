//! Whether the service lives, whether it can accept, and what it measures.

use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::app::App;
use crate::{metrics, store};

/// `GET /healthz`: the process answers.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /readyz`: migrated, the store can be written, the configuration is fresh. `?verbose` says which. A disk above its
/// high-water mark is told, and does not make it unready: what comes is still stored.
pub async fn readyz(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let writable = app.committer.write(store::facts::touch).await.is_ok();
    let fresh = app.directory.confirmed();
    let ready = writable && fresh;
    let mut body = json!({"status": if ready { "ready" } else { "not ready" }});
    let above = app.disk.above_high_water();
    if above && let Some(map) = body.as_object_mut() {
        map.insert("disk".into(), "above high water: the oldest request bodies are being dropped".into());
    }
    if Query::<std::collections::HashMap<String, String>>::from_query(request.query_string())
        .is_ok_and(|query| query.contains_key("verbose"))
        && let Some(map) = body.as_object_mut()
    {
        let depth = app.committer.depth();
        map.insert(
            "checks".into(),
            json!({
                "store_writable": writable,
                "configuration_fresh": fresh,
                "configuration_age_seconds": app.directory.age().as_secs_f64(),
                "queue_requests": depth.requests,
                "queue_oldest_seconds": depth.oldest.as_secs_f64(),
                "disk_above_high_water": above,
                "disk_room_bytes": app.disk.room(),
            }),
        );
    }
    if ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

/// `GET /metrics`: Prometheus text.
pub async fn numbers(app: Data<App>) -> HttpResponse {
    let depth = app.committer.depth();
    app.metrics.queue(depth.requests, depth.bytes, depth.oldest);
    app.metrics.snapshot_age(app.directory.age());
    HttpResponse::Ok().content_type(metrics::CONTENT_TYPE).body(app.metrics.render())
}
