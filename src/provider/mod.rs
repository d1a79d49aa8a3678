//! Monitoring tools that can send us alerts: what each sends, what it means, and what it can prove.
//!
//! A simple tool is a [`recipe`]: one file in `recipes/` and one folder under `fixtures/`. A tool that needs code is one file here, one
//! folder under `fixtures/`, and one line in [`PROVIDERS`]. Either turns a request into events and nothing more: no clock, no I/O, no
//! state. What is verified is declared in [`Meta`] and done by [`crate::signature`]. The [`Registry`] finds a tool by its type.

pub mod alert;
pub mod alertmanager;
pub mod azure;
pub mod azure_devops;
pub mod bitbucket;
mod body;
pub mod cloudwatch;
pub mod coroot;
pub mod datadog;
pub mod elastic;
pub mod eventbridge;
pub mod events;
pub mod fixture;
mod flat;
pub mod forge;
pub mod github;
pub mod gitlab;
pub mod google_cloud_monitoring;
pub mod grafana;
pub mod jira;
pub mod key;
pub mod labels;
mod loose;
pub mod mapping;
pub mod netdata;
pub mod pagerduty;
pub mod path;
pub mod plan;
pub mod read;
pub mod recipe;
mod registry;
mod request;
pub mod sentry;
mod setup;
pub mod slack;
pub mod sns;
pub mod sources;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod unmapped;
pub mod uptime_kuma;
pub mod webhook;

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::event::{ChangeEvent, Event};
use crate::signature::Scheme;
use crate::signature::published::Published;

pub use body::has_parameters;
pub use registry::Registry;
pub use request::{Headers, Request};

/// The tools that need code, in the order in which they are listed to people.
pub static PROVIDERS: &[&dyn Provider] = &[
    &alertmanager::Alertmanager,
    &grafana::Grafana,
    &datadog::Datadog,
    &coroot::Coroot,
    &cloudwatch::CloudWatch,
    &eventbridge::EventBridge,
    &azure::Azure,
    &google_cloud_monitoring::GoogleCloudMonitoring,
    &sentry::Sentry,
    &elastic::Elastic,
    &uptime_kuma::UptimeKuma,
    &netdata::Netdata,
    &github::GitHub,
    &gitlab::GitLab,
    &bitbucket::Bitbucket,
    &azure_devops::AzureDevOps,
    &jira::Jira,
    &pagerduty::PagerDuty,
    &slack::Slack,
    &events::Events,
    &webhook::Webhook,
];

/// The type of the integration that a service has for events posted with an API token.
pub const API: &str = "api";
/// The type of the integration whose incidents say what threatens a tenant's alerts.
pub const OWN: &str = "callbox";

/// A monitoring tool that can send us alerts.
pub trait Provider: Send + Sync {
    /// What is true of the tool whatever it sends.
    fn meta(&self) -> &'static Meta;

    /// Turns one request into events. Pure: no clock, no I/O, no panic on any input; every event that comes out is valid.
    ///
    /// # Errors
    /// [`Unmapped`] when the body is not a shape this tool sends; the caller turns it into a catch-all incident.
    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped>;

    /// How the tool signs, given an integration's options.
    fn scheme(&self, _options: &Compiled) -> Scheme {
        self.meta().scheme.clone()
    }

    /// The header, in lower case, with a delivery's id, given an integration's options.
    fn delivery_header<'a>(&self, _options: &'a Compiled) -> Option<&'a str> {
        self.meta().delivery_header
    }

    /// What the sender must prove by keys that it publishes, given an integration's options; `None`: nothing.
    fn published(&self, _options: &Compiled) -> Option<Published> {
        None
    }

    /// Whether it sends a user name and password only to who has asked for them by a 401: its first request brings none, and is no
    /// attempt at anything.
    fn is_challenged(&self) -> bool {
        false
    }

    /// Compiles an integration's options, once, when they are saved or loaded.
    ///
    /// # Errors
    /// Every problem found, each with the option's name.
    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        match options {
            Value::Null => Ok(Compiled::none()),
            Value::Object(map) if map.is_empty() => Ok(Compiled::none()),
            Value::Object(map) => Err(map.keys().map(|key| OptionProblem::unknown(key, &[])).collect()),
            _ => Err(vec![OptionProblem::new("options", "must be an object")]),
        }
    }
}

/// An integration's options in the form its provider works with; cheap to clone.
#[derive(Clone)]
pub struct Compiled(Option<Arc<dyn Any + Send + Sync>>);

impl Compiled {
    /// No options.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Options of the provider's own type.
    pub fn new<T: Any + Send + Sync>(options: T) -> Self {
        Self(Some(Arc::new(options)))
    }

    /// The options, if they are of type `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

/// One thing wrong with an integration's options.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OptionProblem {
    /// The option, as a dotted path below `options`.
    pub option: String,
    /// What is wrong with it.
    pub problem: String,
}

impl OptionProblem {
    /// `option` has this `problem`.
    pub fn new(option: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { option: option.into(), problem: problem.into() }
    }

    /// `option` is not one of `known`; names the nearest when one is near.
    pub fn unknown(option: &str, known: &[&str]) -> Self {
        let near = known
            .iter()
            .map(|name| (strsim::jaro_winkler(option, name), name))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match near {
            Some((_, name)) => Self::new(option, format!("unknown option; did you mean `{name}`?")),
            None => Self::new(option, "unknown option"),
        }
    }
}

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

/// What one request said.
#[derive(Debug, Default, Serialize)]
pub struct Normalised {
    /// One item an alert, in the order of the body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// Resolves that the request implies without saying so (a group that is complete again, a deployment that went through).
    /// Each is to be applied only where an incident with its key is open; elsewhere it is nothing, not even `unmatched`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub if_open: Vec<Mapped>,
    /// Change events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeEvent>,
    /// Why there is nothing to do, where there is not (a ping, a pending state).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Cow<'static, str>>,
    /// What the integration's owner should know although every alert came through: a mapped path that found nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Cow<'static, str>>,
    /// The answer a handshake needs; a request with one makes no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// What the handshake asks us to visit; only where it is proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// The id under which the tool guarantees to deliver this body again, where it writes one into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<String>,
}

/// What a handshake is answered with.
#[derive(Debug, PartialEq, Eq, Clone, Serialize)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers to add.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON.
    pub body: String,
}

/// A subscription that is confirmed by a visit.
#[derive(Debug, PartialEq, Eq, Clone, Serialize)]
pub struct Confirm {
    /// The topic, which the integration names.
    pub topic: String,
    /// The address to visit, as sent.
    pub url: String,
}

impl Reply {
    /// 200 with `body`.
    pub fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }
}

impl Normalised {
    /// One item.
    pub fn one(item: Item) -> Self {
        Self { items: vec![item], ..Self::default() }
    }

    /// Many items.
    pub fn many(items: Vec<Item>) -> Self {
        Self { items, ..Self::default() }
    }

    /// Nothing to do, and why.
    pub fn ignored(why: impl Into<Cow<'static, str>>) -> Self {
        Self { note: Some(why.into()), ..Self::default() }
    }
}

/// What one alert of a request is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Item {
    /// An event.
    Event(Box<Mapped>),
    /// Understood, and nothing to do.
    Ignored {
        /// Where in the body, as a JSON pointer (RFC 6901).
        at: String,
        /// Why.
        why: Cow<'static, str>,
    },
    /// Not a shape this tool sends; its neighbours go on.
    Unmapped {
        /// Where in the body, as a JSON pointer (RFC 6901).
        at: String,
        /// What was missing.
        why: Cow<'static, str>,
    },
}

impl Item {
    /// An event, and where its fields came from.
    pub fn event(event: Event, origin: Origin) -> Self {
        Self::Event(Box::new(Mapped { event, origin }))
    }
}

/// An event, and where its fields came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mapped {
    /// The event.
    pub event: Event,
    /// Where it came from.
    pub origin: Origin,
}

/// Where an event's fields came from: for each a path below [`Origin::at`] (`labels.severity`), or the rule that made it
/// (`default: error`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Origin {
    /// The alert's place in the body, as a JSON pointer; empty for the whole.
    pub at: String,
    /// What said trigger, acknowledge or resolve.
    pub action: Cow<'static, str>,
    /// The parts of the dedup key.
    pub dedup_key: Cow<'static, str>,
    /// The summary.
    pub summary: Cow<'static, str>,
    /// The source.
    pub source: Cow<'static, str>,
    /// The severity, or the rule that set it.
    pub severity: Cow<'static, str>,
}

/// A body that is not a shape its tool sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unmapped {
    /// What was missing, in words that name no value of the body.
    pub why: Cow<'static, str>,
}

impl Unmapped {
    /// Not a shape this tool sends, because of `why`.
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into() }
    }
}
