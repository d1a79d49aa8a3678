//! A request as the ingest path sees it, and what it is answered; no HTTP library in sight.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;

use super::submission::{Effect, EventReceipt, Posted, Verdict};
use crate::delivery::message::HOPS;
use crate::event::{ChangeEvent, DedupKey};
use crate::provider::{Headers, Reply};
use crate::time::Timestamp;

/// Which family of routes a request came by: it decides how credentials are found and how everything is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Route {
    /// `POST /v2/enqueue`.
    V2,
    /// `POST /v2/change/enqueue`.
    Change,
    /// `POST /generic/2010-04-15/create_event.json`.
    V1,
    /// `POST /api/events`.
    Api,
    /// `POST /api/integrations/{type}`.
    Native,
}

impl Route {
    /// The pattern: what logs, metrics and the ledger show instead of a path.
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::V2 => "/v2/enqueue",
            Self::Change => "/v2/change/enqueue",
            Self::V1 => "/generic/2010-04-15/create_event.json",
            Self::Api => "/api/events",
            Self::Native => "/api/integrations/{type}",
        }
    }

    /// From the pattern.
    pub fn parse(pattern: &str) -> Option<Self> {
        [Self::V2, Self::Change, Self::V1, Self::Api, Self::Native].into_iter().find(|route| route.pattern() == pattern)
    }
}

/// A request whose body has been read and decoded.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// `req_…`: in every answer, log line and, where there is one, the ledger row.
    pub id: String,
    /// By which family of routes it came.
    pub route: Route,
    /// Its method, upper case.
    pub method: String,
    /// Its headers.
    pub headers: Headers,
    /// Its query, decoded.
    pub query: Vec<(String, String)>,
    /// The path below the integration's URL.
    pub subpath: String,
    /// Its body after the content encoding was removed.
    pub body: Bytes,
    /// Who sent it, as far as trusted proxies tell.
    pub peer: IpAddr,
    /// When its body was complete.
    pub received_at: Timestamp,
    /// When its head had been read, for measuring.
    pub begun: Instant,
}

impl Inbound {
    /// Notes on what a request brought through how many Callboxes it came, where it says so: one that goes in a circle is stopped by that.
    pub fn mark(&self, items: &mut [Posted], changes: &mut [ChangeEvent]) {
        let Some(hops) = self.headers.get(HOPS).map(|text| text.parse().unwrap_or(1)).filter(|hops| *hops > 0) else { return };
        for item in items {
            if let Effect::Report(report) = &mut item.effect {
                report.shown.fields_mut().hops = hops;
            }
        }
        for change in changes {
            change.hops = hops;
        }
    }

    /// Method and subpath as the ledger keeps them; `None` for a POST to the integration itself, which is nearly every request.
    pub fn target(&self) -> Option<String> {
        match (self.method.as_str(), self.subpath.as_str()) {
            ("POST", "") => None,
            (method, "") => Some(method.to_owned()),
            // A column of text takes no U+0000.
            (method, subpath) => Some(format!("{method} {}", subpath.replace('\0', ""))),
        }
    }
}

/// The method and the subpath that [`Inbound::target`] spelled.
pub fn method_and_subpath(target: Option<&str>) -> (&str, &str) {
    let target = target.unwrap_or("POST");
    target.split_once(' ').unwrap_or((target, ""))
}

/// A request that was accepted.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// What the ledger says.
    pub verdict: Option<Verdict>,
    /// The status, where the route does not fix it.
    pub status: u16,
    /// What to say.
    pub message: String,
    /// What its events did.
    pub events: Vec<EventReceipt>,
    /// The dedup key to echo on the routes that do.
    pub dedup_key: Option<DedupKey>,
    /// A handshake's answer.
    pub reply: Option<Reply>,
}
