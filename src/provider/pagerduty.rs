//! PagerDuty's webhooks as a source: incidents of a PagerDuty account, in version 3 and in the messages of versions 1 and 2 before it.
//!
//! <https://developer.pagerduty.com/docs/webhooks-overview>. One event a request in version 3, a list of messages before. An incident keeps
//! its id, also when it is reopened; `incident_key` may be null, and may be that of an earlier incident. `occurred_at` is when the event
//! happened, and deliveries may overtake each other, so it orders them. `X-Webhook-Id` is the same over all attempts.
//!
//! What Callbox itself has sent to PagerDuty would come back as an incident of its own, and go out again: keys that begin with [`OWN_KEY`]
//! are ours.

use std::borrow::Cow;

use serde_json::Value;

use super::alert::Alert;
use super::{Clock, Item, Mapped, Meta, Normalised, Provider, Request, Resolves, Unmapped, key, read, tokens};
use crate::event::{Action, Severity};
use crate::signature::{self, Scheme};

/// PagerDuty's webhooks.
pub struct PagerDuty;

/// How the dedup keys begin under which Callbox sends incidents to PagerDuty.
pub const OWN_KEY: &str = "callbox:";

static META: Meta = Meta {
    kind: "pagerduty",
    aliases: &["pagerduty-webhook"],
    name: "PagerDuty",
    docs: "https://developer.pagerduty.com/docs/webhooks-overview",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Hmac(signature::PAGERDUTY),
    key_headers: &[],
    delivery_header: Some("x-webhook-id"),
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/pagerduty.md"),
};

impl Provider for PagerDuty {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        if let Some(messages) = body.get("messages").and_then(Value::as_array) {
            if messages.is_empty() {
                return Ok(Normalised::ignored("the list of messages is empty"));
            }
            let items = messages.iter().enumerate().map(|(n, message)| legacy(message, format!("/messages/{n}"), request));
            return Ok(Normalised::many(items.collect()));
        }
        let event = body.get("event").filter(|event| event.is_object()).ok_or(Unmapped::new("there is no `event`"))?;
        let kind = read::field(event, "event_type").ok_or(Unmapped::new("the event has no `event_type`"))?.to_ascii_lowercase();
        let incident = read::at(event, "data").unwrap_or(&Value::Null);
        // What is said of an incident while it is open, and opens none.
        let update = matches!(kind.as_str(), "incident.priority_updated" | "incident.escalated" | "incident.reassigned");
        let action = match kind.as_str() {
            "incident.triggered" | "incident.reopened" | "incident.unacknowledged" => Action::Trigger,
            "incident.acknowledged" => Action::Acknowledge,
            "incident.resolved" => Action::Resolve,
            _ if update => Action::Trigger,
            "pagey.ping" => return Ok(Normalised::ignored("a ping")),
            other => return Ok(Normalised::ignored(format!("the event `{other}` reports no state"))),
        };
        let said = mapped(incident, (action, "event.event_type"), read::at(event, "occurred_at"), request);
        Ok(match said {
            Ok(mapped) if update => {
                let note = "news of an incident, which opens none".into();
                Normalised { if_open: vec![mapped], note: Some(note), ..Normalised::default() }
            }
            Ok(mapped) => Normalised::one(Item::Event(Box::new(mapped))),
            Err(why) => Normalised::ignored(why),
        })
    }
}

/// One message of version 1 (`type`, `data.incident`) or 2 (`event`, `incident`).
fn legacy(message: &Value, at: String, request: &Request<'_>) -> Item {
    let Some(kind) = read::first(message, &["event", "type"]) else {
        return Item::Unmapped { at, why: "the message has no `event`".into() };
    };
    let action = match kind.text.to_ascii_lowercase().as_str() {
        "incident.trigger" | "incident.unacknowledge" => Action::Trigger,
        "incident.acknowledge" => Action::Acknowledge,
        "incident.resolve" => Action::Resolve,
        other => return Item::Ignored { at, why: format!("the event `{other}` reports no state").into() },
    };
    let incident = read::at(message, "incident").or_else(|| read::at(message, "data.incident")).unwrap_or(&Value::Null);
    match mapped(incident, (action, kind.path), read::at(message, "created_on"), request) {
        Ok(mut mapped) => {
            mapped.origin.at = at;
            Item::Event(Box::new(mapped))
        }
        Err(why) => Item::Ignored { at, why: why.into() },
    }
}

fn mapped(
    incident: &Value,
    action: (Action, &'static str),
    at: Option<&Value>,
    request: &Request<'_>,
) -> Result<Mapped, &'static str> {
    let id = read::first(incident, &["id", "incident_key"]).ok_or("the event names no incident")?;
    let own = |key: Cow<'_, str>| key.get(..OWN_KEY.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN_KEY));
    if read::field(incident, "incident_key").is_some_and(own) {
        return Err("Callbox sent this incident to PagerDuty itself");
    }
    const TITLES: &[&str] =
        &["title", "summary", "trigger_summary_data.subject", "trigger_summary_data.description", "description"];
    let (title, title_from) = match read::first(incident, TITLES) {
        Some(found) => (found.text.into_owned(), found.path),
        None => (format!("PagerDuty incident {}", id.text), "default: the id"),
    };
    let source = read::first(incident, &["service.summary", "service.name", "service.id"]);
    let mut mapped = Alert {
        tool: META.name,
        action,
        key: (key::of("incident", &[id.text.as_ref()]), id.path),
        summary: (title, title_from),
        source: source.map_or((META.name.into(), "default: the tool"), |found| (found.text, found.path)),
        severity: severity(incident),
    }
    .mapped();
    mapped.event.class = read::owned(incident, "incident_type.name");
    mapped.event.group = incident.pointer("/teams/0/summary").and_then(read::text).map(Cow::into_owned);
    mapped.event.custom_details = Some(incident.clone());
    mapped.link(incident, &["html_url"], "Incident");
    mapped.since(at, request);
    Ok(mapped)
}

/// The priority where it is one of the usual (`P1`); else the urgency, of which there are two.
fn severity(incident: &Value) -> (Severity, &'static str) {
    const PRIORITIES: &[&str] = &["priority.summary", "priority.name"];
    let priority = read::first(incident, PRIORITIES).and_then(|found| Some((tokens::severity(&found.text)?, found.path)));
    let low = read::field(incident, "urgency").is_some_and(|urgency| urgency.eq_ignore_ascii_case("low"));
    priority.unwrap_or(if low { (Severity::Warning, "urgency: low") } else { (Severity::Error, "default: error") })
}
