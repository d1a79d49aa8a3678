//! Kinds of destination: how each is told, within what it takes.
//!
//! A channel is one file here and one line in [`CHANNELS`]. It turns a [`Message`] into a [`Parcel`], pure: no clock, no I/O, and valid for
//! its vendor whatever the text. What is sent, when and how often, is not its business.

pub mod discord;
pub mod msteams;
pub mod pagerduty;
pub mod slack;
pub mod telegram;
#[cfg(test)]
mod testing;
pub mod webhook;

use serde_json::{Map, Value};

use super::message::Message;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The kinds, in the order in which they are listed to people.
pub static CHANNELS: &[&dyn Channel] =
    &[&webhook::Webhook, &slack::Slack, &pagerduty::PagerDuty, &msteams::MsTeams, &discord::Discord, &telegram::Telegram];

/// The channel of this kind.
pub fn by_kind(kind: &str) -> Option<&'static dyn Channel> {
    CHANNELS.iter().copied().find(|channel| channel.kind() == kind)
}

/// A kind of destination.
pub trait Channel: Send + Sync {
    /// The kind: `slack`.
    fn kind(&self) -> &'static str;

    /// As the vendor spells it.
    fn name(&self) -> &'static str;

    /// The vendor's page on what it takes.
    fn docs(&self) -> &'static str;

    /// What is wrong with a destination's settings, each with the setting's name; empty: nothing.
    fn problems(&self, target: &Target) -> Vec<(&'static str, String)>;

    /// What to send.
    ///
    /// # Errors
    /// It cannot be said to this destination; a sentence that names no secret.
    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Parcel, String>;

    /// The same in plain text, for a receiver that refuses the rich form; `None` where there is no plainer one.
    fn plain(&self, _target: &Target, _letter: &Letter<'_>) -> Option<Parcel> {
        None
    }

    /// What to remember of an answer, so that the next message of the incident can change this one in place.
    fn remember(&self, _target: &Target, _body: &[u8]) -> Option<Value> {
        None
    }
}

/// A destination, opened: what an attempt needs to know of it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Where it is; often a secret in itself.
    pub url: Secret,
    /// What proves us to the vendor's API, where that is not in the URL: a routing key, a bot's token.
    pub token: Option<Secret>,
    /// Live signing secrets, the newest first.
    pub signing: Vec<Secret>,
    /// Header fields to add.
    pub headers: Vec<(String, Secret)>,
    /// User and password.
    pub basic_auth: Option<(String, Secret)>,
    /// What else the kind can be told.
    pub options: Map<String, Value>,
}

/// One message on its way to one destination.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The delivery's id, the same over all attempts.
    pub id: &'a str,
    /// What is told.
    pub message: &'a Message,
    /// When this attempt is made.
    pub now: Timestamp,
    /// What was remembered of the message before this one, of the same incident.
    pub remembered: Option<&'a Value>,
}

/// What is put on the wire.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The method.
    pub method: &'static str,
    /// Where it goes.
    pub url: Secret,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Target {
    /// An option that is a text.
    fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }
}

impl Parcel {
    /// A POST of JSON.
    pub fn json(url: &Secret, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), Secret::new("application/json"))];
        Self { method: "POST", url: url.clone(), headers, body: body.to_string().into_bytes() }
    }
}
