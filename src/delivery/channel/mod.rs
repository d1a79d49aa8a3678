//! Kinds of destination: how each is told, within what it takes.
//!
//! A channel is one file here and one line in [`CHANNELS`]. It turns a [`Message`] into a [`Sending`], pure: no clock, no I/O, and valid for
//! its vendor whatever the text. What is sent, when and how often, is not its business.

mod attachment;
pub mod aws_sns;
pub mod discord;
pub mod email;
pub mod google_chat;
mod gsm;
mod mask;
pub mod mattermost;
mod mention;
pub mod msteams;
pub mod opsgenie;
pub mod pagerduty;
mod printable;
pub mod push;
mod sending;
mod settings;
pub mod shorthand;
mod shown;
pub mod slack;
pub mod sms;
pub mod telegram;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod twilio;
pub mod webhook;
pub mod whatsapp;

use serde_json::{Map, Value};

use super::message::Message;
use crate::secret::Secret;
use crate::signature::Scheme;
use crate::time::Timestamp;

pub use sending::{Mail, MailServer, MailTls, Parcel, Sending};
pub use settings::Problem;

/// The kinds, in the order in which they are listed to people.
pub static CHANNELS: &[&dyn Channel] = &[
    &webhook::Webhook,
    &slack::Slack,
    &pagerduty::PagerDuty,
    &opsgenie::Opsgenie,
    &msteams::MsTeams,
    &discord::Discord,
    &google_chat::GoogleChat,
    &mattermost::Mattermost,
    &telegram::Telegram,
    &email::Email,
    &sms::Sms,
    &whatsapp::WhatsApp,
    &push::Push,
    &aws_sns::AwsSns,
];

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

    /// What it can be told besides: the names of options.
    fn options(&self) -> &'static [&'static str];

    /// What is wrong with a destination's settings, each with the setting's name; empty: nothing.
    fn problems(&self, target: &Target) -> Vec<Problem>;

    /// What to send.
    ///
    /// # Errors
    /// It cannot be said to this destination; a sentence that names no secret.
    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String>;

    /// The same in plain text, for a receiver that refuses the rich form with a 4xx; `None` where there is no plainer one.
    fn plain(&self, _target: &Target, _letter: &Letter<'_>) -> Option<Sending> {
        None
    }

    /// What to remember of an answer, so that the next message of the incident can change this one in place or join its thread; `None`:
    /// what was remembered before stays.
    fn remember(&self, _target: &Target, _body: &[u8]) -> Option<Value> {
        None
    }

    /// The status that an answer amounts to, for vendors that refuse with 200 or say "slower" with 400.
    fn status(&self, _target: &Target, status: u16, _body: &[u8]) -> u16 {
        status
    }

    /// How long to wait, as in `Retry-After`, for vendors that say it in the body; whole seconds. It counts before the header.
    fn retry_after(&self, _body: &[u8]) -> Option<String> {
        None
    }

    /// How the vendor signs what it sends when a button under a message is pressed; `None`: its messages have no buttons of ours.
    fn buttons_signed_by(&self) -> Option<Scheme> {
        None
    }

    /// A text that only who pressed a button sees.
    fn whisper(&self, text: &str) -> Value {
        Value::from(text)
    }

    /// What was pressed, by the body of the vendor's request, whose signature has been verified; `None`: nothing of ours.
    fn pressed(&self, _body: &[u8]) -> Option<Press> {
        None
    }

    /// A destination's URL, or that of something sent to it, as people may see it: without what in it is a secret.
    fn masked_url(&self, url: &str) -> String {
        mask::masked(url, |segment| ["hook", "hooks", "webhook", "webhooks"].iter().any(|name| segment.after(name) == Some(1)))
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
    /// What was remembered of the messages before this one, of the same incident. Where a receiver refuses what was made of it with a
    /// 4xx, the same letter is tried once without: what was to be changed is there no longer.
    pub remembered: Option<&'a Value>,
}

/// What a button under a message does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// Acknowledges the incident.
    Acknowledge,
    /// Resolves it.
    Resolve,
}

/// A button that somebody pressed under a message.
#[derive(Clone, PartialEq, Debug)]
pub struct Press {
    /// What it does.
    pub deed: Deed,
    /// The incident's id, as it stood in the button.
    pub incident: String,
    /// Who pressed it, as the vendor names them.
    pub by: String,
    /// Where what only they are to see is sent.
    pub whispers_to: Option<Secret>,
}
