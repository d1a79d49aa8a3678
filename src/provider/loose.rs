//! Messages of no known shape inside a cloud's envelope (SNS, Pub/Sub): whatever somebody published to a topic.
//!
//! JSON is read by guesses, as a webhook of no known tool is; a text, or JSON that says nothing, is one alert by itself.

use serde_json::{Value, json};

use super::plan::Plan;
use super::{Item, Mapped, Origin, Request, key};
use crate::event::{Action, Event, Severity};
use crate::time::Timestamp;

/// A message of no known shape.
pub(super) struct Loose<'a> {
    /// The message as JSON, where it is an object or a list.
    pub json: Option<&'a Value>,
    /// The message as text.
    pub text: &'a str,
    /// What its sender calls it.
    pub subject: Option<&'a str>,
    /// The topic or subscription that it came by.
    pub topic: &'a str,
    /// Where in the body it is.
    pub at: String,
    /// When it was published.
    pub published_at: Option<Timestamp>,
}

impl Loose<'_> {
    /// The alerts that it holds.
    pub(super) fn items(&self, guesses: &Plan, request: &Request<'_>) -> Vec<Item> {
        let guessed = self.json.and_then(|json| guesses.normalise(json, request).ok()).map(|normalised| normalised.items);
        match guessed {
            Some(items) if !items.is_empty() && !items.iter().any(|item| matches!(item, Item::Unmapped { .. })) => {
                items.into_iter().map(|item| self.placed(item)).collect()
            }
            _ => vec![self.text_item()],
        }
    }

    /// The item with a pointer that leads into the body: what is inside of the message has none.
    fn placed(&self, item: Item) -> Item {
        match item {
            Item::Event(mut mapped) => {
                mapped.origin.at.clone_from(&self.at);
                // When it was published orders it; what its own times mean is unknown, and they are for show.
                mapped.event.starts_at = mapped.event.starts_at.or(mapped.event.occurred_at);
                mapped.event.occurred_at = self.published_at;
                Item::Event(mapped)
            }
            Item::Ignored { why, .. } => Item::Ignored { at: self.at.clone(), why },
            Item::Unmapped { why, .. } => Item::Unmapped { at: self.at.clone(), why },
        }
    }

    /// The text as an alert: its subject, else its first line, says what it is about.
    fn text_item(&self) -> Item {
        let shown = |text: &str| super::read::shown(text.to_owned().into()).map(std::borrow::Cow::into_owned);
        let line = || self.text.lines().find_map(shown);
        let (summary, summary_from) = match self.subject.and_then(shown) {
            Some(subject) => (subject, "Subject"),
            None => match line() {
                Some(line) => (line, "the message's first line"),
                None => return Item::Unmapped { at: self.at.clone(), why: "the message is empty".into() },
            },
        };
        let dedup_key = key::guess(&summary, self.topic);
        let mut event = Event::new(Action::Trigger, dedup_key, &summary, self.topic, Severity::Error);
        event.key_guessed = true;
        event.occurred_at = self.published_at;
        event.custom_details = Some(match self.json {
            Some(json) => json!({ "message": json }),
            None => json!({ "message": self.text }),
        });
        let origin = Origin {
            at: self.at.clone(),
            action: "default: trigger".into(),
            dedup_key: "default: guessed from summary and topic".into(),
            summary: summary_from.into(),
            source: "the topic".into(),
            severity: "default: error".into(),
        };
        Item::Event(Box::new(Mapped { event, origin }))
    }
}
