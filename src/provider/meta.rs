//! What is true of a tool whatever it sends: its names, its clock, how it proves who it is, what to paste into it.

use serde::Serialize;

use super::setup;
#[cfg(doc)]
use crate::event::Event;
use crate::signature::Scheme;

/// What the times in a tool's messages mean (which decides what may overtake what).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The order of arrival; times are for show.
    Arrival,
    /// Each message carries the moment at which the state it reports began ([`Event::occurred_at`]).
    Transition,
    /// A start that stays the same while the alert fires ([`Event::starts_at`]).
    Episode,
}

/// Whether a tool says that an alert is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolves {
    /// It never does: a timer must.
    Never,
    /// It says so once, when the state changes.
    OnTransition,
    /// It repeats the alert while it fires, so silence means something.
    Repeats,
}

/// What is true of a tool whatever it sends.
pub struct Meta {
    /// The type in the URL: `alertmanager`.
    pub kind: &'static str,
    /// Other names for it in URLs.
    pub aliases: &'static [&'static str],
    /// As the vendor spells it.
    pub name: &'static str,
    /// The vendor's page on what it sends.
    pub docs: &'static str,
    /// What its times mean; the provider's file names the page that proves it.
    pub clock: Clock,
    /// Whether it resolves.
    pub resolves: Resolves,
    /// The status of an accepted request: 202, or 200 where the tool insists.
    pub success_status: u16,
    /// The status of a request over the limit: 429, or 503 where the tool retries nothing else.
    pub throttle_status: u16,
    /// How it signs. [`Scheme::Generic`] for tools that cannot.
    pub scheme: Scheme,
    /// Headers, in lower case, in which this tool can carry the integration's key besides the universal ones.
    pub key_headers: &'static [&'static str],
    /// The header, in lower case, with a delivery's id, where the tool guarantees that an id means one delivery over all attempts.
    pub delivery_header: Option<&'static str>,
    /// Top-level fields of the body that hold a credential: overwritten in the ledger.
    pub secret_fields: &'static [&'static str],
    /// Methods besides POST and PUT.
    pub methods: &'static [Method],
    /// What to paste into the tool's own configuration: a template.
    pub setup: &'static str,
}

impl Meta {
    /// What to paste into the tool's own configuration, filled with an integration's values.
    pub fn setup(&self, values: &Setup<'_>) -> String {
        setup::fill(self.setup, values)
    }

    /// What its setup text notes about `topic`: `auth`, what it can prove; `redelivery`, when it sends again. Empty where it says nothing.
    pub fn about(&self, topic: &str) -> String {
        setup::about(self.setup, topic)
    }
}

/// A method that a tool sends besides POST and PUT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Everything in the query string.
    Get,
    /// A handshake.
    Options,
}

/// What a setup text may name.
pub struct Setup<'a> {
    /// The integration's name.
    pub name: &'a str,
    /// The full URL to post to, hook included.
    pub url: &'a str,
    /// The URL without its query, with the hook in the path: tools that append a path of their own get this one.
    pub base_url: &'a str,
    /// `https://host[:port]` of this service: where the PagerDuty routes are.
    pub origin: &'a str,
    /// The routing key.
    pub key: &'a str,
    /// Whether requests must be signed.
    pub signed: bool,
    /// Whether requests must carry the key too.
    pub key_required: bool,
}
