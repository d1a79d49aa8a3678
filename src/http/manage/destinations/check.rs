//! Whether a destination can be told anything, as far as that shows when it is saved.

use std::sync::Arc;

use serde_json::Map;
use url::Url;

use crate::app::App;
use crate::delivery::channel::Channel;
use crate::delivery::destination::{Settings, Signing, Way};
use crate::error::{ApiError, Problem};
use crate::net::{Client, Failure};
use crate::secret::Secret;
use crate::secret::reference::References;
use crate::store::destinations::Destination;

/// Settings with a field of their own; all others are options.
const OWN_FIELDS: [&str; 8] =
    ["templates", "options", "url", "token", "headers", "basic_auth", "signing_secret", "signature_header"];

/// What is needed to look at settings.
#[derive(Clone)]
pub struct Check {
    references: Arc<References>,
    client: Result<Client, Failure>,
    /// Our own address.
    own: Option<Url>,
}

impl Check {
    /// As this service sees the outside.
    pub fn of(app: &App) -> Self {
        Self { references: Arc::clone(&app.references), client: app.outbound.clone(), own: Url::parse(app.public_url()).ok() }
    }

    /// Looks at a destination of this kind with these settings, and at what they stand for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn destination(
        &self,
        channel: &'static dyn Channel,
        row: &Destination,
        settings: &Settings,
        signing: Vec<Secret>,
    ) -> Result<(), ApiError> {
        let options: Map<_, _> = serde_json::from_str(&row.options).unwrap_or_default();
        let mut problems = match settings.resolved(|value| self.references.resolve(value)) {
            Err(unresolved) => unresolved,
            Ok(resolved) => {
                let url = self.url(resolved.url.expose()).err().map(|problem| ("url", problem));
                let signing = signing.into_iter().map(|secret| Signing { secret, expires_at: None }).collect();
                let way = Way::new(channel, row.name.clone(), resolved, signing, options);
                url.into_iter().chain(way.problems()).collect()
            }
        };
        if row.templates != "{}" && channel.kind() != "webhook" {
            let why = format!("are for destinations of kind webhook: {} has a shape of its own", channel.name());
            problems.push(("templates", why));
        }
        if !settings.headers.is_empty() && channel.kind() != "webhook" {
            problems.push(("headers", format!("are for destinations of kind webhook: {} asks for its own", channel.name())));
        }
        problems.dedup_by(|later, earlier| later.0 == "url" && earlier.0 == "url");
        if problems.is_empty() { Ok(()) } else { Err(ApiError::Invalid(problems.into_iter().map(as_field).collect())) }
    }

    /// Whether a URL may be requested. Names are looked at again whenever they are resolved.
    fn url(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let url = Url::parse(text).map_err(|_| "is not a URL, such as https://receiver.example/hook".to_owned())?;
        if self.own.as_ref().is_some_and(|own| own.origin() == url.origin()) {
            return Err("is this service itself: what it tells would come back as an alert".to_owned());
        }
        match &self.client {
            Ok(client) => {
                let mail = matches!(url.scheme(), "smtp" | "smtps");
                let checked = if mail { client.check_host(url.host_str().unwrap_or_default()) } else { client.check(&url) };
                checked.map_err(|failure| failure.to_string())
            }
            // Nothing is sent without a client.
            Err(_) => Ok(()),
        }
    }
}

fn as_field((setting, problem): (&'static str, String)) -> Problem {
    if OWN_FIELDS.contains(&setting) {
        Problem::new(setting, problem)
    } else {
        Problem::new(format!("options.{setting}"), problem)
    }
}
