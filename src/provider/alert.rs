//! An alert while a tool that needs code puts it together: what every event needs, each part with where it came from.

use std::borrow::Cow;

use serde_json::Value;

use super::{Mapped, Origin, Request, labels, read};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::time::Timestamp;

/// What every event needs. The text beside a value says where it came from ([`Origin`]).
pub struct Alert<'a> {
    /// The tool's name.
    pub tool: &'static str,
    /// What it asks for.
    pub action: (Action, &'static str),
    /// What it shares with the other messages of the same alert.
    pub key: (DedupKey, &'static str),
    /// What happened.
    pub summary: (String, &'static str),
    /// What is affected.
    pub source: (Cow<'a, str>, &'static str),
    /// How bad it is.
    pub severity: (Severity, &'static str),
}

impl Alert<'_> {
    /// The event, to which its tool may add.
    pub fn mapped(self) -> Mapped {
        let mut event = Event::new(self.action.0, self.key.0, &self.summary.0, &self.source.0, self.severity.0);
        event.client = Some(self.tool.to_owned());
        let origin = Origin {
            at: String::new(),
            action: self.action.1.into(),
            dedup_key: self.key.1.into(),
            summary: self.summary.1.into(),
            source: self.source.1.into(),
            severity: self.severity.1.into(),
        };
        Mapped { event, origin }
    }
}

impl Mapped {
    /// Adds the first of `paths` below `value` that holds a web address; the event's first link is also where its tool is shown.
    pub(super) fn link(&mut self, value: &Value, paths: &[&'static str], text: &str) {
        let href = paths.iter().filter_map(|path| read::field(value, path)).find(|href| read::is_web_address(href));
        if self.event.client_url.is_none() {
            self.event.client_url = href.as_deref().map(str::to_owned);
        }
        labels::push_link(&mut self.event.links, href, text);
    }

    /// Sets the moment at which the reported state began, where `value` is one that can be trusted.
    pub(super) fn since(&mut self, value: Option<&Value>, request: &Request<'_>) {
        self.event.occurred_at = Timestamp::trusted(value.and_then(read::time), request.received_at);
    }
}
