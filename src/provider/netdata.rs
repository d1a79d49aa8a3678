//! Netdata Cloud's webhook, and notifications of an agent by its `custom_sender`.
//!
//! <https://learn.netdata.cloud/docs/alerts-&-notifications/notifications/centralized-cloud-notifications/webhook>. Cloud sends alerts
//! (`severity` warning, critical or clear) and reachability (`status.reachable`). An alert carries no id, and names its node nowhere but in
//! its address or its message, perhaps: alert, chart, context and space are the key, with the node where one is named. The test carries a `token` to be
//! copied back into Netdata. An agent says which host and which alarm; its states of no alarm (`REMOVED`, `UNDEFINED`…) are known to
//! `alarm-notify.sh`.

use std::borrow::Cow;

use serde_json::Value;

use super::body::{self, Kind};
use super::read::{self, Found};
use super::{Clock, Item, Meta, Normalised, Origin, Provider, Request, Resolves, Unmapped, labels, tokens};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::signature::Scheme;
use crate::time::Timestamp;

/// Netdata.
pub struct Netdata;

static META: Meta = Meta {
    kind: "netdata",
    aliases: &["netdata-cloud"],
    name: "Netdata",
    docs: "https://learn.netdata.cloud/docs/alerts-&-notifications/notifications/centralized-cloud-notifications/webhook",
    clock: Clock::Arrival,
    resolves: Resolves::OnTransition,
    success_status: 200,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/netdata.md"),
};

const HOST: &[&str] = &["host", "hostname", "node", "node_name", "nodeName", "alert.node.hostname", "node.hostname", "node.name"];
const NAME: &[&str] = &["alert", "alarm", "alert_name", "name", "alert.name"];
const STATE: &[&str] = &["severity", "status", "alert_status", "alarm_status", "alert.state.status"];
const PAGES: &[(&str, &str)] = &[("alert_url", "Alert"), ("alarm_url", "Alert"), ("goto_url", "Alert"), ("url", "Node")];

impl Provider for Netdata {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let sent = body::read(&[Kind::Json, Kind::Form], request)?.ok_or(Unmapped::new("the body is empty"))?;
        let item = match reachable(&sent) {
            Some(reachable) => node(&sent, reachable, request.received_at),
            None => match first(&sent, NAME) {
                Some(name) => alert(&sent, &name, request.received_at),
                None if read::at(&sent, "token").is_some() => {
                    return Ok(Normalised::ignored("a test message: copy its token, shown with this request, into Netdata"));
                }
                None => None,
            },
        };
        item.map(Normalised::one).ok_or(Unmapped::new("there is neither an alert nor a node with its status"))
    }
}

fn first<'a>(body: &'a Value, paths: &[&'static str]) -> Option<Found<'a>> {
    paths.iter().find_map(|path| read::first(body, &[*path]).filter(|found| !read::unexpanded(&found.text)))
}

/// Whether a node is said to be reachable, in a message about that.
fn reachable(body: &Value) -> Option<(bool, &'static str)> {
    let yes = |word: &str| tokens::is_one_of(word, &["true", "reachable", "1"]);
    if let Some(found) = first(body, &["status.reachable", "status.text"]) {
        return Some((yes(&found.text), found.path));
    }
    first(body, &["status"])
        .filter(|found| tokens::is_one_of(&found.text, &["reachable", "unreachable"]))
        .map(|found| (yes(&found.text), found.path))
}

fn node(body: &Value, (reachable, from): (bool, &'static str), now: Timestamp) -> Option<Item> {
    let host = first(body, HOST)?;
    let address = first(body, &["url"]).map(|found| node_in(&found.text).unwrap_or(found.text.clone()).into_owned());
    let key = keyed("node", &[Some(&host.text), address.as_deref()]);
    let word = if reachable { "reachable" } else { "unreachable" };
    let summary = format!("{} is {word}", host.text);
    let severity = if reachable { Severity::Info } else { Severity::Critical };
    let said = Said {
        action: if reachable { Action::Resolve } else { Action::Trigger },
        severity,
        from,
        summary: (summary.into(), from),
    };
    said.item(body, DedupKey::lenient(&key)?, host, now)
}

fn alert(body: &Value, name: &Found<'_>, now: Timestamp) -> Option<Item> {
    let state = first(body, STATE);
    let word = state.as_ref().map(|found| found.text.to_ascii_lowercase()).unwrap_or_default();
    let (action, severity) = match word.as_str() {
        "clear" | "cleared" | "ok" => (Action::Resolve, Severity::Info),
        "removed" | "undefined" | "uninitialized" | "unknown" | "test" => {
            return Some(Item::Ignored { at: String::new(), why: "the alert has no state".into() });
        }
        "warning" => (Action::Trigger, Severity::Warning),
        "critical" => (Action::Trigger, Severity::Critical),
        _ => (Action::Trigger, Severity::Error),
    };
    let host = first(body, HOST);
    let address = PAGES.iter().find_map(|(path, _)| read::field(body, path));
    let node = first(body, &["node_id", "nodeId", "node.id", "machine_guid"])
        .map(|found| found.text)
        .or_else(|| node_in(address.as_deref()?).map(|node| Cow::Owned(node.into_owned())));
    // Without it two nodes with the same alert would be one incident.
    let said = || first(body, &["message"]).and_then(|found| Some(node_said(&found.text)?.to_owned()));
    let node = if host.is_some() || node.is_some() { node } else { said().map(Cow::Owned) };
    let text = |path: &'static str| first(body, &[path]).map(|found| found.text);
    let parts = [
        Some(name.text.clone()),
        text("chart"),
        text("context"),
        text("space"),
        host.as_ref().map(|host| host.text.clone()),
        node,
    ];
    let parts: Vec<Option<&str>> = parts.iter().map(Option::as_deref).collect();
    let key = keyed("alert", &parts);
    let summary = first(body, &["message", "summary", "info"]);
    let summary = match (summary, &host) {
        (Some(found), _) => (found.text, found.path),
        (None, Some(host)) => (format!("{} on {}", name.text, host.text).into(), name.path),
        (None, None) => (name.text.clone(), name.path),
    };
    let source = host.or_else(|| first(body, &["chart", "space"])).unwrap_or_else(|| name.clone());
    let from = state.map_or("default: trigger", |found| found.path);
    Said { action, severity, from, summary }.item(body, DedupKey::lenient(&key)?, source, now)
}

/// What a message says of an alert or a node.
struct Said<'a> {
    action: Action,
    severity: Severity,
    from: &'static str,
    summary: (Cow<'a, str>, &'static str),
}

impl Said<'_> {
    fn item(self, body: &Value, key: DedupKey, source: Found<'_>, now: Timestamp) -> Option<Item> {
        let (summary, summary_from) = self.summary;
        let mut event = Event::new(self.action, key, &summary, &source.text, self.severity);
        event.component = read::owned(body, "chart");
        event.group = read::owned(body, "family");
        event.class = read::owned(body, "class");
        event.client = Some(META.name.to_owned());
        for (path, text) in PAGES {
            labels::push_link(&mut event.links, read::field(body, path), text);
        }
        event.custom_details = Some(body.clone());
        let time = ["date", "when"].iter().find_map(|path| read::time(read::at(body, path)?));
        event.occurred_at = Timestamp::trusted(time, now);
        let origin = Origin {
            at: String::new(),
            action: self.from.into(),
            dedup_key: "alert, chart, context, space, node".into(),
            summary: summary_from.into(),
            source: source.path.into(),
            severity: self.from.into(),
        };
        Some(Item::event(event, origin))
    }
}

/// A key of parts that cannot run into each other.
fn keyed(kind: &str, parts: &[Option<&str>]) -> String {
    let mut key = kind.to_owned();
    for part in parts {
        key.push(':');
        key.push_str(&part.unwrap_or_default().replace('\\', "\\\\").replace(':', "\\:"));
    }
    key
}

/// The node that a message names: what follows its last ` on `, where that is the name of a host (`disk_space on db1: 98%`).
fn node_said(message: &str) -> Option<&str> {
    let (_, rest) = message.rsplit_once(" on ")?;
    let (name, _) = rest.split_once([':', ',', '=']).unwrap_or((rest, ""));
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    Some(name.trim()).filter(|name| !name.is_empty() && name.chars().all(is_host))
}

/// The node that an address names: what follows `nodes/`, or the parameter for it. The rest of an address may change with each message.
fn node_in(address: &str) -> Option<Cow<'_, str>> {
    let (path, query) = address.split_once(['?', '#']).unwrap_or((address, ""));
    let mut segments = path.split('/').skip_while(|segment| !segment.eq_ignore_ascii_case("nodes")).skip(1);
    let parameter = |name: &str| tokens::is_one_of(name, &["node_id", "nodeId", "node", "host", "agentId"]);
    let named = || url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| parameter(name)).map(|(_, node)| node);
    segments.next().map(Cow::Borrowed).or_else(named).filter(|node| !node.trim().is_empty() && !read::unexpanded(node))
}
