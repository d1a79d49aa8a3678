//! From a native body to what will be submitted: the one place where a provider is asked, shared by the post, explain and replay.

use std::borrow::Cow;

use serde_json::Value;

use super::inbound::Inbound;
use super::refusal::Reason;
use super::submission::Posted;
use crate::event::{Action, ChangeEvent, Event};
use crate::incident::{Outcome, Report};
use crate::json;
use crate::provider::{
    self, Clock, Compiled, Confirm, Item, Mapped, Method, Normalised, Origin, Provider, Reply, Request, Unmapped, unmapped,
    webhook,
};
use crate::time::Timestamp;

/// What a native body says.
#[derive(Debug, Default)]
pub struct Interpreted {
    /// One entry an alert, in the order of the body.
    pub items: Vec<Interpretation>,
    /// Change events.
    pub changes: Vec<ChangeEvent>,
    /// Resolves that the body implies; each is no event unless an incident with its key is open.
    pub if_open: Vec<Mapped>,
    /// What the integration's owner should know although every alert came through.
    pub warnings: Vec<Cow<'static, str>>,
    /// Why there is nothing to do.
    pub note: Option<Cow<'static, str>>,
    /// A handshake's answer.
    pub reply: Option<Reply>,
    /// What a handshake asks us to visit.
    pub confirm: Option<Confirm>,
    /// The id under which the tool delivers this body again, where the body names one.
    pub delivery_id: Option<String>,
    /// Whether raw control characters had to be repaired before the body was JSON.
    pub repaired: bool,
}

/// What one alert of the body is.
#[derive(Debug)]
pub enum Interpretation {
    /// An event.
    Event(Box<Mapped>),
    /// Not understood: the catch-all event that stands for it.
    Unmapped {
        /// The event.
        mapped: Box<Mapped>,
        /// What was missing.
        why: Cow<'static, str>,
    },
    /// Understood, and nothing to do.
    Ignored {
        /// Where in the body.
        at: String,
        /// Why.
        why: Cow<'static, str>,
    },
}

/// The parts of a request that decide what it says.
pub struct Material<'a> {
    /// The tool.
    pub provider: &'static dyn Provider,
    /// The integration's options.
    pub options: &'a Compiled,
    /// The request.
    pub inbound: &'a Inbound,
}

/// Reads a body as its tool's. An ugly page beats a lost one: whatever the tool does not send becomes a catch-all event.
///
/// # Errors
/// [`Reason::Empty`] without a body, and [`Reason::MethodNotAllowed`] for a method that the tool does not use.
pub fn native(material: &Material<'_>) -> Result<Interpreted, Reason> {
    let Material { provider, options, inbound } = material;
    let meta = provider.meta();
    let bodiless = match inbound.method.as_str() {
        // A tool that can put everything into the query may do so whatever the method.
        "POST" | "PUT" => meta.methods.contains(&Method::Get) && provider::has_parameters(&inbound.query),
        "GET" if meta.methods.contains(&Method::Get) => true,
        "OPTIONS" if meta.methods.contains(&Method::Options) => true,
        _ => return Err(Reason::MethodNotAllowed),
    };
    if inbound.body.iter().all(u8::is_ascii_whitespace) && !bodiless {
        return Err(Reason::Empty);
    }
    let parsed = json::parse_lenient(&inbound.body).ok();
    let repaired = parsed.as_ref().is_some_and(|parsed| parsed.repaired);
    let value = parsed.map(|parsed| parsed.value);
    let request = Request {
        body: &inbound.body,
        json: value.as_ref(),
        headers: &inbound.headers,
        query: &inbound.query,
        subpath: &inbound.subpath,
        received_at: inbound.received_at,
        options,
    };
    let whole = Catch { provider: *provider, value: value.as_ref(), body: &inbound.body };
    Ok(match read(*provider, &request) {
        Ok(normalised) => Interpreted {
            items: normalised.items.into_iter().map(|item| whole.interpretation(item)).collect(),
            changes: normalised.changes,
            if_open: normalised.if_open,
            warnings: normalised.warnings,
            note: normalised.note,
            reply: normalised.reply,
            confirm: normalised.confirm,
            delivery_id: normalised.delivery_id,
            repaired,
        },
        Err(unmapped) => {
            Interpreted { items: vec![whole.catch(String::new(), unmapped.why)], repaired, ..Interpreted::default() }
        }
    })
}

/// What the tool sends; of what it does not send, what can be read all the same. Type `webhook` guesses by itself.
fn read(provider: &dyn Provider, request: &Request<'_>) -> Result<Normalised, Unmapped> {
    let meta = provider.meta();
    let is_lost = |item: &Item| matches!(item, Item::Unmapped { .. });
    match provider.normalise(request) {
        Ok(normalised) if normalised.items.is_empty() || !normalised.items.iter().all(is_lost) => Ok(normalised),
        lost if meta.kind == webhook::KIND => lost,
        lost => webhook::stray(meta.name, request).map_or(lost, Ok),
    }
}

/// What catch-all events are made of.
struct Catch<'a> {
    provider: &'static dyn Provider,
    value: Option<&'a Value>,
    body: &'a [u8],
}

impl Catch<'_> {
    fn interpretation(&self, item: Item) -> Interpretation {
        match item {
            Item::Event(mapped) => Interpretation::Event(mapped),
            Item::Ignored { at, why } => Interpretation::Ignored { at, why },
            Item::Unmapped { at, why } => self.catch(at, why),
        }
    }

    fn catch(&self, at: String, why: Cow<'static, str>) -> Interpretation {
        let value = self.value.and_then(|value| value.pointer(&at));
        let event = unmapped::event(self.provider.meta(), value, self.body, &why);
        let rule = Cow::Borrowed("catch-all");
        let origin = Origin {
            at,
            action: rule.clone(),
            dedup_key: Cow::Borrowed("the shape of the JSON"),
            summary: rule.clone(),
            source: rule,
            severity: Cow::Borrowed("catch-all: error"),
        };
        Interpretation::Unmapped { mapped: Box::new(Mapped { event, origin }), why }
    }
}

impl Interpreted {
    /// The events to submit, ordered by what the tool's times mean.
    pub fn posted(&self, clock: Clock) -> Vec<Posted> {
        let events = self.items.iter().filter_map(|item| match item {
            Interpretation::Event(mapped) => Some(posted(&mapped.event, clock)),
            Interpretation::Unmapped { mapped, why } => Some(catch_all(&mapped.event, why)),
            Interpretation::Ignored { .. } => None,
        });
        let implied = self.if_open.iter().map(|mapped| Posted { only_if_open: true, ..posted(&mapped.event, clock) });
        events.chain(implied).collect()
    }
}

/// An event on its way to the store.
pub fn posted(event: &Event, clock: Clock) -> Posted {
    let note = event.key_guessed.then(|| "key: guessed".to_owned());
    Posted { occurred_at: shown_time(event), note, ..Posted::report(event.dedup_key.clone(), Report::new(event, clock)) }
}

fn catch_all(event: &Event, why: &str) -> Posted {
    let mut report = Report::new(event, Clock::Arrival);
    report.catch_all = Some(Outcome::Unmapped);
    Posted { note: Some(format!("unmapped: {why}")), ..Posted::report(event.dedup_key.clone(), report) }
}

/// The time that an event row shows.
fn shown_time(event: &Event) -> Option<Timestamp> {
    let ended = (event.action == Action::Resolve).then_some(event.ends_at).flatten();
    event.occurred_at.or(ended).or(event.starts_at)
}
