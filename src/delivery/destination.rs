//! A destination as an attempt meets it: what kind it is, its secrets opened, and how much it takes.
//!
//! One whose secrets do not open, or whose kind is gone, is still a destination: what is meant for it waits, and is never dropped.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::breaker;
use super::channel::{Channel, Target};
use super::template::Templates;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Where the outside world is told.
#[derive(Clone, Debug)]
pub struct Destination {
    /// `dst_…`.
    pub id: Arc<str>,
    /// The tenant it belongs to.
    pub tenant_id: Arc<str>,
    /// Its name.
    pub name: String,
    /// Its kind, as stored.
    pub kind: String,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Whether it gets what no rule matches.
    pub is_default: bool,
    /// Whether its messages carry the details of an alert.
    pub include_details: bool,
    /// Its own bodies, where it has any.
    pub templates: Templates,
    /// When it is left alone.
    pub breaker: breaker::Settings,
    /// Messages a minute; `None`: no limit.
    pub per_minute: Option<u32>,
    /// The way to it; or why there is none now: a sentence that names no secret.
    pub way: Result<Way, String>,
}

/// How a destination is reached.
#[derive(Clone)]
pub struct Way {
    channel: &'static dyn Channel,
    /// Without signing secrets: which of them hold is a matter of time.
    target: Target,
    signing: Vec<Signing>,
}

/// What is wrong with a setting: its name, and a sentence that names no secret.
pub type Problem = (&'static str, String);

/// A signing secret.
#[derive(Clone, Debug)]
pub struct Signing {
    /// Its value.
    pub secret: Secret,
    /// Until when it holds.
    pub expires_at: Option<Timestamp>,
}

/// What is secret in a destination's settings, as it was given: each value may name another one instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where it is; empty where its kind knows.
    pub url: Secret,
    /// What proves us to the vendor's API.
    pub token: Option<Secret>,
    /// Header fields to add.
    pub headers: Vec<(String, Secret)>,
    /// User and password.
    pub basic_auth: Option<(String, Secret)>,
}

impl Destination {
    /// Whether what is sent there may show what a tool said besides.
    pub fn wants_details(&self) -> bool {
        self.include_details || self.templates != Templates::default()
    }

    /// Its channel, and what that needs to know for an attempt at `now`: with the signing secrets that hold then, the newest first.
    ///
    /// # Errors
    /// Why nothing can be sent: a sentence that names no secret.
    pub fn open(&self, now: Timestamp) -> Result<(&'static dyn Channel, Target), &str> {
        self.way.as_ref().map(|way| (way.channel, way.target(now))).map_err(String::as_str)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { url: Secret::new(""), token: None, headers: Vec::new(), basic_auth: None }
    }
}

impl Settings {
    /// The settings with what their values stand for.
    ///
    /// # Errors
    /// What `resolve` says of each value that stands for nothing, with the setting's name.
    pub fn resolved<E: ToString>(&self, resolve: impl Fn(&Secret) -> Result<Secret, E>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut read = |setting, value: &Secret| {
            resolve(value).unwrap_or_else(|error| {
                problems.push((setting, error.to_string()));
                Secret::new("")
            })
        };
        let resolved = Self {
            url: read("url", &self.url),
            token: self.token.as_ref().map(|token| read("token", token)),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), read("headers", value))).collect(),
            basic_auth: self.basic_auth.as_ref().map(|(user, password)| (user.clone(), read("basic_auth", password))),
        };
        if problems.is_empty() { Ok(resolved) } else { Err(problems) }
    }

    /// Every value.
    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        let named = self.headers.iter().chain(&self.basic_auth).map(|(_, value)| value);
        std::iter::once(&self.url).chain(&self.token).chain(named)
    }
}

impl Way {
    /// The way to a destination of this channel; its signing secrets the newest first.
    pub fn new(
        channel: &'static dyn Channel,
        name: String,
        settings: Settings,
        signing: Vec<Signing>,
        options: Map<String, Value>,
    ) -> Self {
        let Settings { url, token, headers, basic_auth } = settings;
        let target = Target { name, url, token, signing: Vec::new(), headers, basic_auth, options };
        Self { channel, target, signing }
    }

    /// What is wrong with it; empty: nothing.
    pub fn problems(&self) -> Vec<Problem> {
        let signing = self.signing.iter().map(|signing| signing.secret.clone()).collect();
        self.channel.problems(&Target { signing, ..self.target.clone() })
    }

    fn target(&self, now: Timestamp) -> Target {
        let live = self.signing.iter().filter(|signing| signing.expires_at.is_none_or(|end| now < end));
        Target { signing: live.map(|signing| signing.secret.clone()).collect(), ..self.target.clone() }
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Way").field("channel", &self.channel.kind()).field("target", &self.target).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::channel;

    /// The page on destinations lists what there is: kinds with all their options.
    #[test]
    fn every_kind_is_documented_with_its_options() {
        let page = include_str!("../../docs/destinations.md");
        for channel in channel::CHANNELS {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", channel.kind())));
            let row = row.unwrap_or_else(|| panic!("docs/destinations.md has no row of {}", channel.kind()));
            let missing: Vec<_> = channel.options().iter().filter(|option| !row.contains(&format!("`{option}`"))).collect();
            assert!(missing.is_empty(), "{}: {missing:?}", channel.kind());
        }
    }

    #[test]
    fn an_attempt_is_signed_with_what_holds_when_it_is_made() {
        let at = Timestamp::from_seconds;
        let signing = vec![
            Signing { secret: Secret::new("new"), expires_at: None },
            Signing { secret: Secret::new("old"), expires_at: Some(at(10)) },
        ];
        let settings = Settings { url: Secret::new("https://a.example"), token: None, headers: Vec::new(), basic_auth: None };
        let webhook = channel::by_kind("webhook").unwrap();
        let destination = Destination {
            id: "dst_1".into(),
            tenant_id: "ten_1".into(),
            name: "ops".into(),
            kind: "webhook".into(),
            enabled: true,
            is_default: false,
            include_details: false,
            templates: Templates::default(),
            breaker: breaker::Settings::default(),
            per_minute: None,
            way: Ok(Way::new(webhook, "ops".into(), settings, signing, Map::new())),
        };
        let signed = |now| {
            let (_, target) = destination.open(at(now)).unwrap();
            target.signing.iter().map(|secret| secret.expose().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(signed(9), ["new", "old"]);
        assert_eq!(signed(10), ["new"]);
        let shut = Destination { way: Err("it does not open".into()), ..destination };
        assert_eq!(shut.open(at(0)).err(), Some("it does not open"));
    }
}
