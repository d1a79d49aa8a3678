//! A whole service inside the test's own process, so that its parts can be asked directly; over real sockets all the same.

use callbox::app::{Running, start};
use callbox::config::{Config, Flags};
use callbox::ingest::inbound::{Inbound, Route};
use callbox::ingest::native::{self, Found};
use callbox::provider::Headers;
use callbox::time::{Clock, Timestamp};
use serde_json::{Value, json};

use super::sample::Sample;
use crate::support::callbox::{ADMIN_TOKEN, MASTER_KEY};
use crate::support::{Api, Database, Integration};

const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The moment at which the service's clock stands still: an hour after what the fixtures tell of.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-01-02T04:00:00Z").unwrap().at
}

/// Starts a service on `database`.
pub async fn service(database: &Database) -> (Running, Api) {
    let environment = [("CALLBOX_MASTER_KEY", MASTER_KEY), ("CALLBOX_ADMIN_TOKEN", ADMIN_TOKEN)];
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let flags = Flags { listen: Some("127.0.0.1:0".into()), database: Some(database.url().to_owned()), ..Flags::default() };
    let running = start(Config::load(None, environment, &flags).unwrap(), Clock::manual(now())).await.unwrap();
    let api = Api::new(&format!("http://{}", running.address), ADMIN_TOKEN, None);
    (running, api)
}

/// Creates the integration that a sample needs, without a rate limit.
pub async fn integration(api: &Api, sample: &Sample, name: &str) -> Integration {
    let mut fields = json!({"type": sample.kind, "name": name, "rate_limit_per_minute": 0});
    if !sample.options.is_null() {
        fields["options"] = sample.options.clone();
    }
    api.integration_from(fields).await
}

/// The integration as the ingest path finds it.
pub async fn found(running: &Running, kind: &str, integration: &Integration) -> Found {
    let found = native::find(&running.app, kind, Some(&integration.hook), LOOPBACK).await;
    found.unwrap_or_else(|refusal| panic!("{kind}: {}", refusal.reason))
}

/// A request as the ingest path sees it, received at `at`.
pub fn inbound(sample: &Sample, at: Timestamp) -> Inbound {
    Inbound {
        id: callbox::id::new(callbox::id::Kind::Request),
        route: Route::Native,
        method: sample.method.clone(),
        headers: Headers::new(sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        query: sample.query.clone(),
        subpath: sample.subpath.clone(),
        body: sample.body.clone().into(),
        peer: LOOPBACK,
        received_at: at,
        begun: std::time::Instant::now(),
    }
}

/// What an incident shows, without going through the API.
pub fn incident(running: &Running, id: &str) -> Value {
    let tenant_id = std::sync::Arc::clone(&running.app.default_tenant);
    let found = running.app.store.read_now(|conn| callbox::store::incidents::find(conn, &tenant_id, id)).unwrap();
    let found = found.unwrap_or_else(|| panic!("{id} is not there"));
    let mut shown = json!({"links": [], "images": []});
    let stored: Value = serde_json::from_str(&found.shown).unwrap();
    shown.as_object_mut().unwrap().extend(stored.as_object().unwrap().clone());
    for (name, value) in [
        ("title", &found.title),
        ("first_summary", found.first_summary.as_ref().unwrap_or(&found.title)),
        ("dedup_key", &found.dedup_key),
        ("severity", &found.severity),
        ("source", &found.source),
    ] {
        shown[name] = value.as_str().into();
    }
    shown
}
