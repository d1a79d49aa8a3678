//! Elastic: Kibana's rules through its webhook connector, and Elasticsearch's Watcher.
//!
//! <https://www.elastic.co/docs/explore-analyze/alerting/alerts/rule-action-variables>. The body is a template of the user's, so
//! fields are found by the variables' names in any spelling and nesting. `alert.id` is the instance (a host, `query matched`) and
//! means something only with `rule.id`; `alertId` of old is the rule's. A recovery is an action of its own, whose `alert.actionGroup` is
//! `recovered`. A summary holds lists of new, ongoing and recovered alerts. Watcher (<https://www.elastic.co/docs/reference/elasticsearch/configuration-reference/watcher-settings>)
//! sends `ctx`, and never that a condition is over. Some templates make JSON texts inside JSON: those are read too.

use std::borrow::Cow;

use serde_json::Value;

use super::flat::Flat;
use super::{Clock, Item, Meta, Normalised, Provider, Request, Resolves, Unmapped};
use crate::event::Action;
use crate::signature::Scheme;

mod fields;

/// Elastic.
pub struct Elastic;

static META: Meta = Meta {
    kind: "elastic",
    aliases: &["kibana", "watcher", "elasticsearch"],
    name: "Elastic",
    docs: "https://www.elastic.co/docs/reference/kibana/connectors-kibana/webhook-action-type",
    clock: Clock::Arrival,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/elastic.md"),
};

/// Alerts that one summary may hold.
const ALERTS_MAX: usize = 20_000;

impl Provider for Elastic {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let sent = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let body = opened(sent);
        match &*body {
            Value::Array(alerts) if alerts.is_empty() => Ok(Normalised::ignored("the list of alerts is empty")),
            Value::Array(alerts) => {
                let at = |n: usize| if sent.is_array() { format!("/{n}") } else { String::new() };
                let rule = Flat::of(&Value::Null);
                Ok(Normalised::many(
                    alerts.iter().enumerate().map(|(n, alert)| item(alert, None, &rule, at(n), request)).collect(),
                ))
            }
            Value::Object(_) => match summary(&body) {
                Some(lists) => Ok(summarised(&lists, &body, request)),
                None => match item(&body, None, &Flat::of(&Value::Null), String::new(), request) {
                    Item::Unmapped { why, .. } => Err(Unmapped { why }),
                    item => Ok(Normalised::one(item)),
                },
            },
            _ => Err(Unmapped::new("the body is not an object")),
        }
    }
}

fn item(alert: &Value, action: Option<Action>, rule: &Flat<'_>, at: String, request: &Request<'_>) -> Item {
    let alert = opened(alert);
    let fields = Flat::of(&alert);
    match fields::mapped(&fields, rule, action, &alert, at.clone(), request.received_at) {
        Ok(mapped) => Item::Event(Box::new(mapped)),
        Err(_) if fields.has_unexpanded() => {
            Item::Ignored { at, why: "a test of the connector: its variables are not filled in".into() }
        }
        Err(why) => Item::Unmapped { at, why: why.into() },
    }
}

/// A body with the JSON texts in it as what they hold, one level deep: a list in its place, the members of an object among the
/// body's own. Itself when it has none.
fn opened(sent: &Value) -> Cow<'_, Value> {
    let members = match sent {
        Value::String(text) => return parsed(text).map_or(Cow::Borrowed(sent), Cow::Owned),
        Value::Object(members) if members.values().any(|member| member.as_str().and_then(parsed).is_some()) => members,
        _ => return Cow::Borrowed(sent),
    };
    let mut body = members.clone();
    for (name, member) in members {
        match member.as_str().and_then(parsed) {
            Some(Value::Object(inner)) => {
                body.remove(name);
                for (name, member) in inner {
                    body.entry(name).or_insert(member);
                }
            }
            Some(list) => drop(body.insert(name.clone(), list)),
            None => {}
        }
    }
    Cow::Owned(Value::Object(body))
}

/// The object or list that a text holds.
fn parsed(text: &str) -> Option<Value> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

/// The lists of a summary, each with what its alerts ask for and where it is.
type Lists<'a> = Vec<(Option<Action>, Cow<'a, Value>, String)>;

/// `None` for a body that is one alert.
fn summary(body: &Value) -> Option<Lists<'_>> {
    let kinds = [("new", Some(Action::Trigger)), ("ongoing", Some(Action::Trigger)), ("recovered", Some(Action::Resolve))];
    let split: Lists<'_> =
        kinds.into_iter().filter_map(|(name, action)| list(body, name).map(|(list, at)| (action, list, at))).collect();
    if !split.is_empty() {
        return Some(split);
    }
    let (all, at) = list(body, "all").or_else(|| array(body, "/alerts"))?;
    Some(vec![(None, all, at)])
}

/// The list of the alerts that are `name`, wherever a template puts it.
fn list<'a>(body: &'a Value, name: &str) -> Option<(Cow<'a, Value>, String)> {
    let places = ["/alerts/{}/data", "/alerts/{}", "/{}/data", "/{}", "/{}_alerts", "/{}Alerts", "/alerts_{}", "/alerts.{}.data"];
    places.iter().find_map(|place| array(body, &place.replace("{}", name)))
}

fn array<'a>(body: &'a Value, at: &str) -> Option<(Cow<'a, Value>, String)> {
    let found = body.pointer(at)?;
    let list = match found {
        Value::Array(_) => Cow::Borrowed(found),
        Value::String(text) => Cow::Owned(parsed(text).filter(Value::is_array)?),
        _ => return None,
    };
    Some((list, at.to_owned()))
}

fn summarised(lists: &Lists<'_>, body: &Value, request: &Request<'_>) -> Normalised {
    let rule = Flat::of(body);
    let mut items = Vec::new();
    for (action, list, at) in lists {
        // Pointers into a list that was a text lead to the text.
        let sent = request.json.and_then(|sent| sent.pointer(at)).is_some_and(Value::is_array);
        for (n, alert) in list.as_array().into_iter().flatten().enumerate().take(ALERTS_MAX) {
            let at = if sent { format!("{at}/{n}") } else { String::new() };
            // `[{{alerts.new.data}}]` is a list in a list.
            match alert.as_array() {
                Some(inner) => {
                    items.extend(inner.iter().take(ALERTS_MAX).map(|alert| item(alert, *action, &rule, at.clone(), request)))
                }
                None => items.push(item(alert, *action, &rule, at, request)),
            }
        }
    }
    if items.is_empty() { Normalised::ignored("the summary holds no alerts") } else { Normalised::many(items) }
}
