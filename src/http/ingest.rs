//! The ingest routes: from a socket's request to [`crate::ingest`], and back.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use ipnet::IpNet;

use super::answer;
use super::body::{Body, PAGERDUTY_MAX};
use super::request_id::RequestId;
use crate::app::App;
use crate::id::{self, Kind};
use crate::ingest::inbound::{Done, Inbound, Route};
use crate::ingest::refusal::{Reason, Refusal};
use crate::ingest::submission::Verdict;
use crate::ingest::{keyed, native, own};
use crate::provider::Headers;
use crate::signature::presented_keys;

/// Bytes that are read of a body whose sender is refused already.
const REFUSED_MAX: usize = 64 * 1024;

/// Every ingest route.
pub fn configure(config: &mut ServiceConfig) {
    for (paths, route) in [
        (&["/v2/enqueue", "/v2/enqueue/"][..], Route::V2),
        (&["/v2/change/enqueue", "/v2/change/enqueue/"], Route::Change),
        (&["/generic/2010-04-15/create_event.json", "/generic/2010-04-15/create_event.json/"], Route::V1),
        (&["/api/events", "/api/events/"], Route::Api),
    ] {
        for path in paths {
            config.service(
                web::resource(*path)
                    .route(web::post().to(move |app, request, payload| on_keyed(route, app, request, payload)))
                    .default_service(web::to(super::method_not_allowed)),
            );
        }
    }
    config
        .service(web::resource("/api/integrations/{type}").to(on_native))
        .service(web::resource("/api/integrations/{type}/").to(on_native))
        .service(web::resource("/api/integrations/{type}/{subpath:api/v2/alerts}").to(on_native))
        .service(web::resource("/api/integrations/{type}/{hook}").to(on_native))
        .service(web::resource("/api/integrations/{type}/{hook}/{subpath:.*}").to(on_native));
}

async fn on_keyed(route: Route, app: Data<App>, request: HttpRequest, mut payload: Payload) -> HttpResponse {
    let app = app.into_inner();
    let read = app.bodies.read(request.headers(), &mut payload, PAGERDUTY_MAX).await;
    let (body, read) = split(read);
    let inbound = inbound(&app, route, &request, &body);
    let result = match read {
        Ok(()) => keyed::accept(&app, &inbound).await,
        Err(reason) => Err(Refusal::new(reason, None)),
    };
    finish(&app, &inbound, result)
}

async fn on_native(app: Data<App>, request: HttpRequest, mut payload: Payload) -> HttpResponse {
    let app = app.into_inner();
    let mut inbound = inbound(&app, Route::Native, &request, &Body::empty());
    let kind = request.match_info().get("type").unwrap_or_default().to_owned();
    inbound.subpath = request.match_info().get("subpath").unwrap_or_default().to_owned();
    if !matches!(*request.method(), Method::POST | Method::PUT | Method::GET | Method::OPTIONS) {
        return finish(&app, &inbound, Err(Refusal::new(Reason::MethodNotAllowed, None)));
    }
    let hook = hook(&request, &inbound);
    let found = native::find(&app, &kind, hook.as_deref(), inbound.peer).await;
    let limit = match &found {
        Ok(found) => native::body_limit(&app, &found.integration),
        Err(_) => REFUSED_MAX,
    };
    let (body, read) = split(app.bodies.read(request.headers(), &mut payload, limit).await);
    inbound.body = body.bytes.clone();
    inbound.received_at = app.clock.now();
    let result = match (found, read) {
        (Err(refusal), _) => Err(refusal),
        (Ok(found), Err(reason)) => Err(Refusal::new(reason, Some(&found.integration))),
        (Ok(found), Ok(())) => native::accept(&app, &found, &inbound).await,
    };
    finish(&app, &inbound, result)
}

fn split(read: Result<Body, Reason>) -> (Body, Result<(), Reason>) {
    match read {
        Ok(body) => (body, Ok(())),
        Err(reason) => (Body::empty(), Err(reason)),
    }
}

/// The hook: in the path, as `integrationId=`, or, for tools that can send neither, as Basic password or Bearer.
fn hook(request: &HttpRequest, inbound: &Inbound) -> Option<String> {
    let named = request.match_info().get("hook").filter(|hook| !hook.is_empty()).map(str::to_owned);
    let asked = || inbound.query.iter().find(|(name, _)| name == "integrationId").map(|(_, value)| value.clone());
    let presented = || {
        let keys = presented_keys(&inbound.headers, &[], &[]);
        keys.into_iter().find(|key| key.place.starts_with("authorization")).map(|key| key.key.expose().to_owned())
    };
    named.or_else(asked).or_else(presented)
}

fn inbound(app: &App, route: Route, request: &HttpRequest, body: &Body) -> Inbound {
    let given = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let (peer, headers) = sender(app, request);
    Inbound {
        id: given.unwrap_or_else(|| id::new(Kind::Request)),
        route,
        method: request.method().as_str().to_owned(),
        peer,
        headers,
        query: url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect(),
        subpath: String::new(),
        body: body.bytes.clone(),
        received_at: app.clock.now(),
        begun: std::time::Instant::now(),
    }
}

/// The sender's address, and what its header fields say.
pub fn sender(app: &App, request: &HttpRequest) -> (IpAddr, Headers) {
    let pairs = request.headers().iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    let headers = Headers::new(pairs);
    let socket = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    (peer(socket, &headers, &app.trusted_proxies), headers)
}

/// The sender's address: the socket's, or, behind proxies that are trusted, the rightmost forwarded one that is none of them.
pub fn peer(socket: IpAddr, headers: &Headers, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !is_trusted(&socket) {
        return socket;
    }
    let forwarded: Vec<&str> = headers.all("x-forwarded-for").flat_map(|value| value.split(',')).collect();
    let mut last = socket;
    for text in forwarded.iter().rev() {
        let Ok(address) = text.trim().parse::<IpAddr>() else { return last };
        last = address;
        if !is_trusted(&address) {
            return address;
        }
    }
    last
}

/// Counts and answers.
fn finish(app: &Arc<App>, inbound: &Inbound, result: Result<Done, Refusal>) -> HttpResponse {
    let verdict = match &result {
        Ok(done) => done.verdict.unwrap_or(Verdict::Accepted),
        Err(refusal) => {
            own::note(app, refusal);
            if !refusal.stored {
                app.refusals.add(refusal, inbound, answer::status(inbound.route, refusal), &app.default_tenant);
            }
            app.metrics.refusal(refusal.verdict.as_str());
            refusal.verdict
        }
    };
    app.metrics.request(inbound.route.pattern(), verdict.as_str(), inbound.begun.elapsed());
    answer::render(inbound.route, &inbound.id, &result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_is_the_rightmost_address_that_is_no_trusted_proxy() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let of = |socket: &str, forwarded: &str| {
            peer(socket.parse().unwrap(), &Headers::new([("X-Forwarded-For", forwarded)]), &trusted).to_string()
        };
        assert_eq!(of("192.0.2.1", "198.51.100.7"), "192.0.2.1", "an untrusted socket says nothing of others");
        assert_eq!(of("10.0.0.1", "203.0.113.9, 198.51.100.7"), "198.51.100.7");
        assert_eq!(of("10.0.0.1", "198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(of("10.0.0.1", "junk"), "10.0.0.1");
        assert_eq!(of("10.0.0.1", ""), "10.0.0.1");
    }
}
