//! Prometheus Alertmanager's webhook (version 4, and 3 of old releases), and Prometheus or vmalert pointed straight at us.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>. One request holds many alerts and mixes firing and
//! resolved ones, so each alert's own `status` counts. `groupKey` names the notification's group, never an alert. While an alert
//! fires it is repeated (`repeat_interval`) with the same `startsAt`; the webhook retries 5xx only, which is why a request over
//! the limit is answered 503. Prometheus and vmalert post a bare array to `/api/v2/alerts`, without status or fingerprint, and
//! say with a past `endsAt` that an alert is over (<https://prometheus.io/docs/alerting/latest/alerts_api/>).

use serde_json::Value;

use super::labels::{self, Context};
use super::{Clock, Item, Meta, Normalised, Provider, Request, Resolves, Unmapped, read};
use crate::event::Action;
use crate::signature::Scheme;

/// Alertmanager, and whoever speaks its API.
pub struct Alertmanager;

static META: Meta = Meta {
    kind: "alertmanager",
    aliases: &["prometheus"],
    name: "Alertmanager",
    docs: "https://prometheus.io/docs/alerting/latest/configuration/#webhook_config",
    clock: Clock::Episode,
    resolves: Resolves::Repeats,
    success_status: 202,
    throttle_status: 503,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/alertmanager.md"),
};

const SOURCES: &[&str] =
    &["labels.instance", "labels.host", "labels.hostname", "labels.node", "labels.pod", "labels.service", "labels.job"];

impl Provider for Alertmanager {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        match body {
            Value::Array(alerts) => Ok(direct(alerts, request)),
            Value::Object(members) => match members.get("alerts") {
                Some(Value::Array(alerts)) => Ok(group(alerts, body, request)),
                _ if read::at(body, "labels").is_some() => {
                    Ok(Normalised::one(labels::item(body, &context(&Value::Null, false, request), String::new())))
                }
                _ => Err(Unmapped::new("there is no `alerts` array")),
            },
            _ => Err(Unmapped::new("the body is neither an object nor an array")),
        }
    }
}

fn context<'a>(group: &'a Value, direct: bool, request: &Request<'_>) -> Context<'a> {
    Context { group, tool: META.name, sources: SOURCES, direct, received_at: request.received_at, over: labels::is_over(group) }
}

/// The webhook's body.
fn group(alerts: &[Value], body: &Value, request: &Request<'_>) -> Normalised {
    let mut normalised = Normalised::default();
    let context = context(body, false, request);
    normalised.items =
        alerts.iter().enumerate().map(|(n, alert)| labels::item(alert, &context, format!("/alerts/{n}"))).collect();
    match labels::truncation(body, META.name) {
        Some(said) if said.event.action == Action::Resolve => normalised.if_open.push(said),
        Some(said) => normalised.items.push(Item::Event(Box::new(said))),
        None => {}
    }
    if normalised.items.is_empty() {
        normalised.note = Some("the notification holds no alerts".into());
    }
    normalised
}

/// What Prometheus and vmalert post.
fn direct(alerts: &[Value], request: &Request<'_>) -> Normalised {
    if alerts.is_empty() {
        return Normalised::ignored("the list of alerts is empty");
    }
    let context = context(&Value::Null, true, request);
    Normalised::many(alerts.iter().enumerate().map(|(n, alert)| labels::item(alert, &context, format!("/{n}"))).collect())
}
