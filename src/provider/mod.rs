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
mod meta;
pub mod netdata;
mod normalised;
mod options;
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

use serde_json::Value;

use crate::signature::Scheme;
use crate::signature::published::Published;

pub use body::has_parameters;
pub use meta::{Clock, Meta, Method, Resolves, Setup};
pub use normalised::{Confirm, Item, Mapped, Normalised, Origin, Reply, Unmapped};
pub use options::{Compiled, OptionProblem};
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
