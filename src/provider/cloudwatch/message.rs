//! What an SNS message holds: an alarm, an event of EventBridge, a notice of an AWS service, or anything at all.

use std::sync::LazyLock;

use serde_json::Value;

use super::alarm::Alarm;
use super::notice;
use super::options::Options;
use crate::provider::loose::Loose;
use crate::provider::plan::Plan;
use crate::provider::sns::Envelope;
use crate::provider::{Item, Request, eventbridge, mapping};
use crate::time::Timestamp;

/// A message, and what surrounds it.
pub(super) struct Message<'a> {
    /// The message as JSON, where it is.
    pub(super) json: Option<Value>,
    /// The message as text.
    pub(super) text: &'a str,
    /// Its subject.
    pub(super) subject: Option<&'a str>,
    /// Its topic's ARN.
    pub(super) topic: Option<String>,
    /// Its envelope, where it came in one.
    pub(super) envelope: Option<Envelope<'a>>,
    /// Where in the body it is.
    pub(super) at: String,
    /// When it was published.
    pub(super) published_at: Option<Timestamp>,
}

/// What people publish is read as a webhook's body is.
static GUESSES: LazyLock<Plan> = LazyLock::new(|| Plan { guesses: true, ..Plan::new("Amazon SNS", &mapping::LABELS) });

/// Whether `json` is something that AWS itself sends, so that it needs no envelope to be believed.
pub(super) fn is_known(json: &Value) -> bool {
    Alarm::is_notification(json) || Alarm::is_action(json) || eventbridge::is_event(json) || notice::is_known(json)
}

impl Message<'_> {
    /// The alerts that it holds.
    pub(super) fn items(&self, options: &Options, request: &Request<'_>) -> Vec<Item> {
        let known = match &self.json {
            Some(json) if Alarm::is_notification(json) => {
                Some(Alarm::of_notification(json).item(json, self.at.clone(), &options.alarms, request.received_at))
            }
            Some(json) if Alarm::is_action(json) => {
                Some(Alarm::of_action(json).item(json, self.at.clone(), &options.alarms, request.received_at))
            }
            Some(json) if eventbridge::is_event(json) => {
                return eventbridge::items(json, &self.at, &options.alarms, request.received_at);
            }
            Some(json) => notice::item(json, self),
            None => None,
        };
        let known = known.or_else(|| notice::backup(self));
        known.map_or_else(|| self.loose(request), |item| vec![item])
    }

    fn loose(&self, request: &Request<'_>) -> Vec<Item> {
        let loose = Loose {
            json: self.json.as_ref().filter(|json| json.is_object() || json.is_array()),
            text: self.text,
            subject: self.subject,
            topic: self.topic.as_deref().unwrap_or("Amazon SNS"),
            at: self.at.clone(),
            published_at: self.published_at,
        };
        loose.items(&GUESSES, request)
    }
}
