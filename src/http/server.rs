//! The listeners: what is served where, within which limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, Service};
use actix_web::http::KeepAlive;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpServer, middleware};

use super::tls::Certificate;
use super::{actions, health, ingest, manage, page, request_id};
use crate::app::App;
use crate::config::Config;

/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(75);
/// How long the other side may take to close.
const CLOSING: Duration = Duration::from_secs(2);

/// What a listener serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Face {
    /// Everything.
    All,
    /// What senders use, and whether the service is up.
    Senders,
    /// API and metrics.
    Operators,
}

/// Binds a listener; it serves once the server is awaited.
///
/// # Errors
/// The address cannot be bound, or TLS cannot be set up.
pub fn listen(
    app: &Arc<App>,
    config: &Config,
    face: Face,
    address: SocketAddr,
    certificate: Option<&Arc<Certificate>>,
) -> anyhow::Result<(Server, SocketAddr)> {
    let data = Data::from(Arc::clone(app));
    let factory = move || {
        actix_web::App::new()
            .app_data(data.clone())
            .wrap_fn(request_id::layer)
            .wrap_fn(log)
            .wrap(middleware::DefaultHeaders::new().add(("referrer-policy", "no-referrer")).add(("cache-control", "no-store")))
            .configure(move |config| routes(config, face))
            .default_service(web::to(super::not_found))
    };
    let workers = match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let server = HttpServer::new(factory)
        .workers(workers)
        .max_connections(config.server.max_connections.div_ceil(workers))
        .client_request_timeout(config.limits.header_timeout)
        .client_disconnect_timeout(CLOSING)
        .keep_alive(KeepAlive::Timeout(IDLE))
        .shutdown_timeout(config.shutdown.grace.as_secs().max(1))
        .disable_signals();
    let server = match certificate {
        Some(certificate) => server.bind_rustls_0_23(address, certificate.server()?)?,
        None => server.bind(address)?,
    };
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), bound))
}

/// Every route of a listener. They are tried in this order, so what senders ask for comes first.
fn routes(config: &mut ServiceConfig, face: Face) {
    if face != Face::Operators {
        ingest::configure(config);
    }
    config
        .service(web::resource("/healthz").route(web::get().to(health::healthz)))
        .service(web::resource("/readyz").route(web::get().to(health::readyz)));
    // What messages lead to, wherever they are read. Before the management API, which has all else that begins so.
    actions::configure(config);
    page::configure(config);
    if face != Face::Senders {
        config.service(web::resource("/metrics").route(web::get().to(health::numbers)));
        manage::configure(config);
    }
}

/// One line a request: the route's pattern, never its path, and neither body nor query.
fn log<S, B>(
    request: actix_web::dev::ServiceRequest,
    next: &S,
) -> impl Future<Output = Result<actix_web::dev::ServiceResponse<B>, actix_web::Error>> + use<S, B>
where
    S: Service<actix_web::dev::ServiceRequest, Response = actix_web::dev::ServiceResponse<B>, Error = actix_web::Error>,
{
    let begun = std::time::Instant::now();
    let answer = next.call(request);
    async move {
        let answer = answer.await?;
        let request = answer.request();
        let id = answer.headers().get(request_id::HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
        tracing::info!(
            method = %request.method(),
            route = request.match_pattern().as_deref().unwrap_or("-"),
            status = answer.status().as_u16(),
            request_id = id,
            micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request"
        );
        Ok(answer)
    }
}
