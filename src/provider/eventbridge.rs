//! Events of Amazon EventBridge, posted by an API destination, or carried by an SNS topic.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>. Every event has one envelope (`detail-type`,
//! `source`, `resources`) and a `detail` of its service's own. `time` may be when a span began, and so orders nothing; only alarms say
//! when their state changed. An event is delivered at least once, each time with the same `id`. A rule's input transformer may leave
//! anything out.

use std::borrow::Cow;

use serde_json::Value;

use super::cloudwatch::alarm::Alarm;
use super::cloudwatch::options::Alarms;
use super::{Clock, Compiled, Item, Meta, Normalised, OptionProblem, Provider, Request, Resolves, Unmapped, read};
use crate::event::Event;
use crate::signature::Scheme;
use crate::time::Timestamp;

mod findings;
mod health;
mod service;

/// Amazon EventBridge, and the services that speak through it.
pub struct EventBridge;

static META: Meta = Meta {
    kind: "eventbridge",
    aliases: &["guardduty", "aws-health"],
    name: "Amazon EventBridge",
    docs: "https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/eventbridge.md"),
};

impl Provider for EventBridge {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let none = Alarms::default();
        let options = request.options.get::<Alarms>().unwrap_or(&none);
        match body {
            Value::Array(events) if events.is_empty() => Ok(Normalised::ignored("the list of events is empty")),
            Value::Array(events) => {
                let each = events.iter().enumerate().flat_map(|(n, event)| {
                    let at = format!("/{n}");
                    match is_event(event) {
                        true => items(event, &at, options, request.received_at),
                        false => vec![Item::Unmapped { at, why: NO_EVENT.into() }],
                    }
                });
                Ok(Normalised::many(each.collect()))
            }
            event if is_event(event) => {
                let delivery_id = delivery_id(event);
                Ok(Normalised { delivery_id, ..Normalised::many(items(event, "", options, request.received_at)) })
            }
            _ => Err(Unmapped::new(NO_EVENT)),
        }
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        Alarms::read(options).map(Compiled::new)
    }
}

const NO_EVENT: &str = "there is neither `detail-type` nor a `detail` with its `source`";

/// Whether `value` is an event; input transformers leave much of its envelope out.
pub(super) fn is_event(value: &Value) -> bool {
    let has = |name: &str| value.get(name).is_some_and(|value| !value.is_null());
    has("detail-type") || (has("detail") && has("source"))
}

/// The event's id, where the envelope is whole: a transformer may write the same id into every event.
fn delivery_id(event: &Value) -> Option<String> {
    let whole = ["version", "detail-type", "source", "account", "time", "region"].iter().all(|name| event.get(*name).is_some());
    let id = read::owned(event, "id").filter(|_| whole)?;
    uuid::Uuid::try_parse(&id).is_ok().then_some(id)
}

/// The alerts of one event at the JSON pointer `at`.
pub(super) fn items(event: &Value, at: &str, options: &Alarms, received_at: Timestamp) -> Vec<Item> {
    let kind = read::field(event, "detail-type").unwrap_or_default();
    let ignored = |why: &'static str| vec![Item::Ignored { at: at.to_owned(), why: why.into() }];
    let item = match kind.as_ref() {
        "CloudWatch Alarm State Change" | "CloudWatch Alarm Contributor State Change" => {
            Alarm::of_event(event).item(event, at.to_owned(), options, received_at)
        }
        "CloudWatch Alarm Configuration Change" => return ignored("an alarm was changed, and none fired"),
        "GuardDuty Finding" => findings::guard_duty(event, at),
        "Security Hub Findings - Imported" | "Findings Imported V2" => return findings::security_hub(event, at),
        "AWS Health Event" | "AWS Health Abuse Event" => health::item(event, at),
        _ => service::item(event, &kind, at),
    };
    vec![item]
}

/// What all events show, besides what their services say.
fn fill(mut event: Event, sent: &Value) -> Event {
    event.group = event.group.or_else(|| read::owned(sent, "account"));
    event.component = event.component.or_else(|| read::owned(sent, "source"));
    event.class = event.class.or_else(|| read::owned(sent, "detail-type"));
    // For show only: see the clock.
    event.starts_at = event.starts_at.or_else(|| sent.get("time").and_then(read::time).map(|parsed| parsed.at));
    event.custom_details = Some(sent.clone());
    event
}

/// The first resource, else the account.
fn affected(sent: &Value) -> Option<Cow<'_, str>> {
    sent.pointer("/resources/0").and_then(read::text).or_else(|| read::field(sent, "account"))
}
