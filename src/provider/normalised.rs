//! What a request meant: events, changes, an answer to give, and where each field came from.

use std::borrow::Cow;

use serde::Serialize;

use crate::event::{ChangeEvent, Event};

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
