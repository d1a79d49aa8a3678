//! Azure Monitor's action groups, and Event Grid.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema>: one alert a request, `Fired` and then `Resolved`, both
//! under the `alertId` of that instance, each with the moment at which it began (`firedDateTime`, `resolvedDateTime`). Action groups that
//! do not use the common schema send one a kind of rule, under other names. Service Health and Resource Health fire anew for every
//! update and never resolve: there the state inside counts. Event Grid posts arrays, or CloudEvents, and asks first whether it may
//! (<https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema>).

use serde_json::Value;

use super::{Clock, Item, Meta, Method, Normalised, Provider, Request, Resolves, Unmapped, read};
use crate::signature::Scheme;

mod activity;
mod common;
mod event_grid;
mod legacy;

/// Azure Monitor.
pub struct Azure;

static META: Meta = Meta {
    kind: "azure",
    aliases: &["azure-monitor"],
    name: "Azure Monitor",
    docs: "https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 200,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &["aeg-sas-key"],
    delivery_header: None,
    secret_fields: &[],
    methods: &[Method::Options],
    setup: include_str!("setup/azure.md"),
};

impl Provider for Azure {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        if let Some(origin) = request.headers.get("webhook-request-origin").filter(|_| request.json.is_none()) {
            return Ok(event_grid::allowed(origin));
        }
        let Some(body) = request.json else {
            return match request.body.is_empty() {
                true => Ok(Normalised::ignored("nothing was asked: there is no WebHook-Request-Origin")),
                false => Err(Unmapped::new("the body is not JSON")),
            };
        };
        match body {
            Value::Array(events) if events.is_empty() => Ok(Normalised::ignored("the list of events is empty")),
            Value::Array(events) => match events.iter().find_map(event_grid::validation) {
                Some(code) => Ok(event_grid::validated(&code)),
                None => {
                    let items = events.iter().enumerate().map(|(n, one)| item(one, format!("/{n}"), request));
                    // A batch may come again in other company.
                    let only = if let [event] = events.as_slice() { event_grid::delivery_id(event) } else { None };
                    Ok(Normalised { delivery_id: only, ..Normalised::many(items.collect()) })
                }
            },
            _ => match item(body, String::new(), request) {
                Item::Unmapped { why, .. } => Err(Unmapped { why }),
                item => Ok(Normalised { delivery_id: event_grid::delivery_id(body), ..Normalised::one(item) }),
            },
        }
    }
}

/// One alert, whatever its schema.
fn item(body: &Value, at: String, request: &Request<'_>) -> Item {
    let now = request.received_at;
    let data = body.get("data").filter(|data| data.is_object()).unwrap_or(body);
    if let Some(essentials) = data.get("essentials").filter(|essentials| essentials.is_object()) {
        return common::item(essentials, data, body, at, now);
    }
    if let Some(activity) = read::at(data, "context.activityLog").filter(|activity| activity.is_object()) {
        return activity::item(activity, body, at, now);
    }
    if legacy::is_autoscale(data) {
        return Item::Ignored { at, why: "autoscale has scaled a resource".into() };
    }
    if read::at(data, "context.condition").is_some() || (data.get("context").is_some() && data.get("status").is_some()) {
        return legacy::metric(data, body, at, now);
    }
    if data.get("AlertRuleName").is_some() || data.get("SearchQuery").is_some() {
        return legacy::search(data, body, at);
    }
    if read::field(data, "BudgetName").is_some() {
        return legacy::budget(data, body, at);
    }
    if event_grid::is_event(body) {
        return event_grid::item(body, at, now);
    }
    Item::Unmapped { at, why: "it is of no schema that Azure Monitor or Event Grid uses".into() }
}

/// The last segment of a resource's id.
fn last_segment(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or(id)
}

/// Where an event's fields came from.
fn origin(
    at: String,
    action: &'static str,
    key: &'static str,
    summary: &'static str,
    source: &'static str,
    severity: &'static str,
) -> super::Origin {
    super::Origin {
        at,
        action: action.into(),
        dedup_key: key.into(),
        summary: summary.into(),
        source: source.into(),
        severity: severity.into(),
    }
}
