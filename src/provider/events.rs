//! Events in PagerDuty's own form, sent to a native route: Events API v2, and v1 before it.
//!
//! <https://developer.pagerduty.com/docs/send-alert-event>. Type `events` is an integration for whoever has only a routing key. Its
//! native route reads the same bodies leniently (the strict reading of the PagerDuty routes is in [`crate::event`]): `severity`
//! defaults to `error`, long summaries are clipped, the key in the body is not looked at, because the URL has named the
//! integration already.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::read::{self, Found};
use super::{Clock, Item, Mapped, Meta, Normalised, Origin, Provider, Request, Resolves, Unmapped, key, labels, tokens};
use crate::event::{Action, DedupKey, Event, Image, LINKS_MAX, Link, Severity};
use crate::signature::Scheme;
use crate::time::Timestamp;

/// PagerDuty's Events API on a native route.
pub struct Events;

static META: Meta = Meta {
    kind: "events",
    aliases: &[],
    name: "Events API",
    docs: "https://developer.pagerduty.com/docs/send-alert-event",
    clock: Clock::Arrival,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: SECRET_FIELDS,
    methods: &[],
    setup: include_str!("setup/events.md"),
};

/// Where this form carries credentials.
pub const SECRET_FIELDS: &[&str] = &["routing_key", "service_key"];
const GUESSED: &str = "default: guessed from summary and source";

impl Provider for Events {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        match body {
            Value::Array(bodies) if bodies.is_empty() => Ok(Normalised::ignored("the list of events is empty")),
            Value::Array(bodies) => Ok(Normalised::many(
                bodies.iter().enumerate().map(|(n, body)| item(body, format!("/{n}"), META.name, request)).collect(),
            )),
            _ => match item(body, String::new(), META.name, request) {
                Item::Unmapped { why, .. } => Err(Unmapped { why }),
                item => Ok(Normalised::one(item)),
            },
        }
    }
}

/// Whether a body is an event in PagerDuty's form, by the fields that no other form has.
pub fn is_events_body(body: &Value) -> bool {
    let is_action = |name: &str| {
        body.get(name).and_then(Value::as_str).is_some_and(|word| Action::parse(&word.trim().to_ascii_lowercase()).is_some())
    };
    (is_action("event_action") && (body.get("payload").is_some_and(Value::is_object) || body.get("dedup_key").is_some()))
        || (is_action("event_type") && (body.get("service_key").is_some() || body.get("incident_key").is_some()))
}

/// Reads one event of either version; `tool` names the source of an event without one.
pub fn item(body: &Value, at: String, tool: &str, request: &Request<'_>) -> Item {
    if !body.is_object() {
        return Item::Unmapped { at, why: "the event is not an object".into() };
    }
    let v1 = body.get("payload").is_none() && (body.get("event_type").is_some() || body.get("description").is_some());
    let fields = if v1 { &V1 } else { &V2 };
    let (action, action_from) = match action(body, fields.action) {
        Ok(found) => found,
        Err(why) => return Item::Ignored { at, why: why.into() },
    };
    let said = read::first(body, fields.summary);
    let key = body.get(fields.key).and_then(read::scalar).filter(|text| !read::unexpanded(text));
    let key = key.and_then(|text| DedupKey::lenient(&text));
    if said.is_none() && (action == Action::Trigger || key.is_none()) {
        return match action {
            Action::Trigger => Item::Unmapped { at, why: format!("there is no `{}`", fields.summary_name).into() },
            _ => Item::Ignored { at, why: format!("there is no `{}`, so nothing to {}", fields.key, action.as_str()).into() },
        };
    }
    let summary = said.unwrap_or(Found { text: Cow::Borrowed(""), path: "default: none" });
    let source = read::first(body, fields.source).unwrap_or(Found { text: Cow::Borrowed(tool), path: "default: the tool" });
    let severity = read::field(body, "payload.severity").and_then(|word| tokens::severity(&word));
    let key_guessed = key.is_none();
    let dedup_key = key.unwrap_or_else(|| key::guess(&summary.text, &source.text));
    let mut event = Event::new(action, dedup_key, &summary.text, &source.text, severity.unwrap_or(Severity::Error));
    event.key_guessed = key_guessed;
    fill(&mut event, body, v1, request);
    let origin = Origin {
        at,
        action: action_from.into(),
        dedup_key: if key_guessed { GUESSED } else { fields.key }.into(),
        summary: summary.path.into(),
        source: source.path.into(),
        severity: if severity.is_some() { "payload.severity" } else { "default: error" }.into(),
    };
    Item::Event(Box::new(Mapped { event, origin }))
}

/// What differs between the versions.
struct Fields {
    action: &'static str,
    key: &'static str,
    summary: &'static [&'static str],
    summary_name: &'static str,
    source: &'static [&'static str],
}

static V2: Fields = Fields {
    action: "event_action",
    key: "dedup_key",
    summary: &["payload.summary", "summary", "payload.custom_details.summary"],
    summary_name: "payload.summary",
    source: &["payload.source", "source", "client"],
};
static V1: Fields = Fields {
    action: "event_type",
    key: "incident_key",
    summary: &["description"],
    summary_name: "description",
    source: &["details.source", "details.host", "client"],
};

/// A word that is in no table pages, and so does an event that does not say what it asks for.
fn action(body: &Value, path: &'static str) -> Result<(Action, &'static str), &'static str> {
    let Some(word) = read::field(body, path) else {
        return Ok((Action::Trigger, "default: trigger"));
    };
    match tokens::meaning(&word) {
        Some(tokens::Meaning::Act(action)) => Ok((action, path)),
        Some(tokens::Meaning::Nothing) => Err("its action asks for nothing"),
        None => Ok((Action::Trigger, "default: trigger (its action is an unknown word)")),
    }
}

fn fill(event: &mut Event, body: &Value, v1: bool, request: &Request<'_>) {
    let payload = body.get("payload").unwrap_or(&Value::Null);
    event.component = read::owned(payload, "component");
    event.group = read::owned(payload, "group");
    event.class = read::owned(payload, "class");
    let details = if v1 { body.get("details") } else { payload.get("custom_details") };
    event.custom_details = details.filter(|details| !details.is_null()).cloned();
    event.client = read::owned(body, "client");
    event.client_url = read::owned(body, "client_url");
    event.occurred_at = Timestamp::trusted(payload.get("timestamp").and_then(read::time), request.received_at);
    event.links = list(body, "links").filter_map(link).take(LINKS_MAX).collect();
    event.images = list(body, "images").filter_map(image).take(LINKS_MAX).collect();
    for context in list(body, "contexts").take(2 * LINKS_MAX) {
        if read::field(context, "type").is_some_and(|kind| kind == "image") {
            event.images.extend(image(context).filter(|_| event.images.len() < LINKS_MAX));
        } else {
            let text = read::field(context, "text");
            labels::push_link(&mut event.links, read::field(context, "href"), text.as_deref().unwrap_or("Link"));
        }
    }
}

fn list<'a>(body: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    body.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn link(value: &Value) -> Option<Link> {
    Some(Link { href: read::owned(value, "href")?, text: read::owned(value, "text") })
}

fn image(value: &Value) -> Option<Image> {
    Some(Image { src: read::owned(value, "src")?, href: read::owned(value, "href"), alt: read::owned(value, "alt") })
}

/// A body without its top-level credential fields, to be shown with an incident.
pub fn without_secrets(body: &Value, secrets: &[impl AsRef<str>]) -> Value {
    match body {
        Value::Object(members) => {
            let shown = members.iter().filter(|(name, _)| !secrets.iter().any(|secret| secret.as_ref() == *name));
            Value::Object(shown.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
