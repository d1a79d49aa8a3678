//! Uptime Kuma's webhook notification.
//!
//! <https://github.com/louislam/uptime-kuma/blob/master/server/notification-providers/webhook.js>. `{heartbeat, monitor, msg}` as
//! JSON, as the field `data` of a multipart form, as parameters of a GET (the objects as JSON texts), or whatever a template of the
//! user's makes of it; the proposed one has nothing but `msg`, `[name] [🔴 Down] why`. A status of 0 is down, 1 up, 2 pending, 3
//! maintenance. `heartbeat.time` is UTC without saying so, and the moment of the check that found the change
//! (<https://github.com/louislam/uptime-kuma/blob/master/server/model/monitor.js>): Uptime Kuma sends on changes. A test and the
//! notice of an expiring certificate or domain carry `msg` alone; for a test it ends in ` Testing` (`server/notification.js`).

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::body::{self, Kind};
use super::read::{self, Found};
use super::tokens::Meaning;
use super::{Clock, Item, Meta, Method, Normalised, Origin, Provider, Request, Resolves, Unmapped, key, labels, tokens};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::signature::Scheme;
use crate::time::{Parsed, Timestamp};

/// Uptime Kuma.
pub struct UptimeKuma;

static META: Meta = Meta {
    kind: "uptime-kuma",
    aliases: &["uptimekuma"],
    name: "Uptime Kuma",
    docs: "https://github.com/louislam/uptime-kuma/wiki/Notification-Methods",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[Method::Get],
    setup: include_str!("setup/uptime-kuma.md"),
};

const BODIES: [Kind; 4] = [Kind::Json, Kind::Multipart, Kind::Form, Kind::Query];
const STATUS: &[&str] = &["heartbeat.status", "heartbeatJSON.status", "heartbeat_status", "status", "state"];
/// What a template of the user's says outright; that the monitor is well again goes before its status.
const TOLD: &[&str] = &["event_type", "event_action", "eventType", "eventAction"];
const ID: &[&str] =
    &["monitor.id", "monitorJSON.id", "heartbeat.monitorID", "heartbeat.monitor_id", "monitorID", "monitor_id", "monitorId"];
const NAME: &[&str] = &["monitor.name", "monitorJSON.name", "monitor_name", "monitorName", "name", "monitor"];
const URL: &[&str] = &["monitor.url", "monitorJSON.url", "monitor_url", "monitorUrl", "url", "hostnameOrURL"];
const TEXT: &[&str] = &["msg", "message", "body", "Body", "text", "content", "description", "title", "Title"];

impl Provider for UptimeKuma {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let sent = match body::read(&BODIES, request) {
            Ok(Some(sent)) => sent,
            Ok(None) => return Ok(Normalised::ignored("the request carries no parameters")),
            Err(why) => Cow::Owned(plain(request.body).ok_or(why)?),
        };
        let body = opened(&sent);
        let Some(report) = Report::of(&body) else { return without_status(&body) };
        if let Some(why) = report.state.nothing() {
            return Ok(Normalised::one(Item::Ignored { at: String::new(), why: why.into() }));
        }
        Ok(Normalised::one(report.event(&body, request.received_at)))
    }
}

/// A body that is nothing but Uptime Kuma's text.
fn plain(body: &[u8]) -> Option<Value> {
    let text = str::from_utf8(body).ok().filter(|text| Said::of(text).is_some())?;
    Some(Value::Object(Map::from_iter([("msg".to_owned(), text.into())])))
}

/// The body with the objects that came as JSON texts, and a text alone as the message that it is.
fn opened(sent: &Value) -> Cow<'_, Value> {
    match sent {
        Value::String(text) => Cow::Owned(Value::Object(Map::from_iter([("msg".to_owned(), text.as_str().into())]))),
        Value::Object(members) => {
            let object = |value: &Value| serde_json::from_str::<Value>(value.as_str()?).ok().filter(Value::is_object);
            let opened = |(name, value): (&String, &Value)| (name.clone(), object(value).unwrap_or_else(|| value.clone()));
            let texts = ["heartbeat", "monitor", "heartbeatJSON", "monitorJSON"];
            if texts.iter().any(|name| members.get(*name).is_some_and(Value::is_string)) {
                Cow::Owned(Value::Object(members.iter().map(opened).collect()))
            } else {
                Cow::Borrowed(sent)
            }
        }
        _ => Cow::Borrowed(sent),
    }
}

/// What a monitor is said to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Down,
    Up,
    Pending,
    Maintenance,
    /// A word that Uptime Kuma does not use: it pages.
    Unknown,
}

impl State {
    fn of(word: &str) -> Self {
        let is = |words: &[&str]| tokens::is_one_of(word, words);
        if is(&["0", "down", "🔴 down", "false"]) {
            Self::Down
        } else if is(&["1", "up", "✅ up", "true"]) {
            Self::Up
        } else if is(&["2", "pending", "⚠️ pending"]) {
            Self::Pending
        } else if is(&["3", "maintenance", "🔧 maintenance"]) {
            Self::Maintenance
        } else {
            Self::Unknown
        }
    }

    const fn nothing(self) -> Option<&'static str> {
        match self {
            Self::Pending => Some("the monitor is pending"),
            Self::Maintenance => Some("the monitor is in maintenance"),
            Self::Down | Self::Up | Self::Unknown => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            _ => "down",
        }
    }
}

/// Uptime Kuma's text, `[name] [🔴 Down] why`, taken apart.
struct Said<'a> {
    name: &'a str,
    state: State,
    why: &'a str,
}

impl<'a> Said<'a> {
    fn of(text: &'a str) -> Option<Self> {
        // As long as the text itself, byte for byte.
        let lower = text.to_ascii_lowercase();
        let marks = [("] [🔴 down]", State::Down), ("] [✅ up]", State::Up)];
        let (state, at, mark) = marks.into_iter().find_map(|(mark, state)| Some((state, lower.find(mark)?, mark)))?;
        let (head, why) = (text.get(..at)?, text.get(at + mark.len()..)?);
        let (_, name) = head.split_once('[')?;
        Some(Self { name: name.trim(), state, why: why.trim() }).filter(|said| !said.name.is_empty())
    }
}

/// A monitor's state as it was reported.
struct Report<'a> {
    state: State,
    state_from: &'static str,
    said: Option<(Said<'a>, &'static str)>,
}

impl<'a> Report<'a> {
    /// `None` when nothing says how the monitor is.
    fn of(body: &'a Value) -> Option<Self> {
        let said = TEXT.iter().find_map(|path| Some((Said::of(read::at(body, path)?.as_str()?)?, *path)));
        let status =
            STATUS.iter().find_map(|path| Some((read::field(body, path).filter(|word| !read::unexpanded(word))?, *path)));
        let told = first(body, TOLD).filter(|word| tokens::meaning(&word.text) == Some(Meaning::Act(Action::Resolve)));
        if let Some(told) = told {
            return Some(Self { state: State::Up, state_from: told.path, said });
        }
        let (state, state_from) = match (status, &said) {
            (Some((word, path)), _) => (State::of(&word), path),
            (None, Some((said, path))) => (said.state, *path),
            (None, None) => return None,
        };
        Some(Self { state, state_from, said })
    }

    fn event(&self, body: &Value, now: Timestamp) -> Item {
        let said = |part: fn(&Said<'a>) -> &'a str| {
            let (said, path) = self.said.as_ref()?;
            Some(Found { text: Cow::Borrowed(part(said)), path }).filter(|found| !found.text.is_empty())
        };
        let name = first(body, NAME).or_else(|| said(|said| said.name));
        let source = source(body).or_else(|| name.clone());
        let source = source.unwrap_or(Found { text: META.name.into(), path: "default: the tool" });
        let why =
            first(body, &["heartbeat.msg", "heartbeatJSON.msg"]).or_else(|| said(|said| said.why)).or_else(|| first(body, TEXT));
        let shown = name.as_ref().map_or(&source.text, |name| &name.text);
        let summary = match &why {
            Some(why) => format!("{shown} is {}: {}", self.state.word(), why.text),
            None => format!("{shown} is {}", self.state.word()),
        };
        let found = dedup_key(body, name.as_ref());
        let key_guessed = found.is_none();
        let (dedup_key, key_from) =
            found.unwrap_or_else(|| (key::guess(shown, &source.text), "default: guessed from name and source"));
        let action = if self.state == State::Up { Action::Resolve } else { Action::Trigger };
        let (severity, severity_from) = severity(body);
        let mut event = Event::new(action, dedup_key, &summary, &source.text, severity);
        event.key_guessed = key_guessed;
        event.class = read::owned(body, "monitor.type");
        event.client = Some(META.name.to_owned());
        labels::push_link(&mut event.links, address(body).map(|found| found.text), "Monitored address");
        event.custom_details = Some(body.clone());
        let time = ["heartbeat.time", "heartbeatJSON.time"].iter().find_map(|path| read::time(read::at(body, path)?));
        event.occurred_at = Timestamp::trusted(time.map(|time| Parsed { has_offset: true, ..time }), now);
        let origin = Origin {
            at: String::new(),
            action: if self.state == State::Unknown { "default: trigger (an unknown status)" } else { self.state_from }.into(),
            dedup_key: key_from.into(),
            summary: why.map_or("default: the state", |why| why.path).into(),
            source: source.path.into(),
            severity: severity_from.into(),
        };
        Item::event(event, origin)
    }
}

fn first<'a>(body: &'a Value, paths: &[&'static str]) -> Option<Found<'a>> {
    paths.iter().find_map(|path| read::first(body, &[*path]).filter(|found| !read::unexpanded(&found.text)))
}

/// The monitored address; `https://` alone is what monitors without one have.
fn address(body: &Value) -> Option<Found<'_>> {
    first(body, URL).filter(|found| read::is_web_address(&found.text) && found.text.trim_end_matches('/').contains("://"))
}

/// An address, or host and port.
fn source(body: &Value) -> Option<Found<'_>> {
    address(body).or_else(|| {
        let host = first(body, &["monitor.hostname", "monitorJSON.hostname", "hostname", "host", "hostnameOrURL"])?;
        let port = read::field(body, "monitor.port").or_else(|| read::field(body, "monitorJSON.port")).filter(|port| port != "0");
        match port {
            Some(port) => Some(Found { text: format!("{}:{port}", host.text).into(), path: host.path }),
            None => Some(host),
        }
    })
}

fn dedup_key(body: &Value, name: Option<&Found<'_>>) -> Option<(DedupKey, &'static str)> {
    let id = ID.iter().find_map(|path| Some((read::scalar(read::at(body, path)?)?, *path)));
    let id = id.filter(|(id, _)| !id.trim().is_empty() && !read::unexpanded(id));
    match (id, name) {
        (Some((id, path)), _) => Some((DedupKey::lenient(&format!("monitor:{id}"))?, path)),
        (None, Some(name)) => Some((DedupKey::lenient(&format!("name:{}", name.text))?, name.path)),
        (None, None) => None,
    }
}

/// Critical, unless one of the monitor's tags says otherwise: `severity: warning`.
fn severity(body: &Value) -> (Severity, &'static str) {
    let tags = read::at(body, "monitor.tags").and_then(Value::as_array).into_iter().flatten();
    let severities =
        tags.filter(|tag| read::field(tag, "name").is_some_and(|name| tokens::is_one_of(&name, &["severity", "priority"])));
    let tagged = severities.filter_map(|tag| tokens::severity(&read::field(tag, "value")?)).next();
    tagged.map_or((Severity::Critical, "default: critical"), |severity| (severity, "monitor.tags"))
}

/// A body that says of no monitor how it is: a test, or the notice of an expiry, which has no end.
fn without_status(body: &Value) -> Result<Normalised, Unmapped> {
    let unmapped = || Unmapped::new("there is neither a heartbeat nor a message");
    let message = first(body, TEXT).ok_or_else(unmapped)?;
    if message.text.rsplit(' ').next().is_some_and(|word| tokens::is_one_of(word, &["testing"])) {
        return Ok(Normalised::ignored("a test message"));
    }
    // `[name][address] server certificate … will expire in 14 days`: names keep their digits, the days do not count.
    let (head, rest) = message.text.rsplit_once(']').unwrap_or(("", &message.text));
    let named = head.split_once('[').map(|(_, name)| name).and_then(|name| name.split(']').next()).unwrap_or_default().trim();
    let (source, source_from) = if named.is_empty() { (META.name, "default: the tool") } else { (named, message.path) };
    let mut event = Event::new(Action::Trigger, key::guess(rest, head), &message.text, source, Severity::Warning);
    event.key_guessed = true;
    event.class = Some("notice".to_owned());
    event.client = Some(META.name.to_owned());
    event.custom_details = Some(body.clone());
    let origin = Origin {
        at: String::new(),
        action: "default: trigger (a notice)".into(),
        dedup_key: "default: guessed from the message".into(),
        summary: message.path.into(),
        source: source_from.into(),
        severity: "default: warning (a notice)".into(),
    };
    Ok(Normalised::one(Item::event(event, origin)))
}
