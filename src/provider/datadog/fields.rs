//! Datadog's variables, wherever a template put them, and the event that they make.

use std::borrow::Cow;

use serde_json::Value;

use super::title::Title;
use crate::event::{Action, DedupKey, Event, Image, Severity};
use crate::provider::flat::Flat;
use crate::provider::{Mapped, Origin, key, labels, read, tokens};
use crate::time::Timestamp;

/// Spellings of each variable: letters and digits only, in lower case, nested names joined.
const TRANSITION: &[&str] = &["alerttransition", "transition", "monitortransition"];
const CYCLE_KEY: &[&str] = &["alertcyclekey", "cyclekey"];
const AGGREG_KEY: &[&str] = &["aggregkey", "aggregationkey", "alertaggregkey", "alertaggregationkey"];
/// What templates for other receivers call the key that they make of these.
const OWN_KEY: &[&str] = &["deduplicationkey", "dedupkey", "dedupekey", "uniquekey", "incidentkey", "alias"];
const MONITOR: &[&str] = &["alertid", "monitorid", "alertmonitorid"];
const SCOPE: &[&str] = &["alertscope", "scope", "monitorscope"];
const PRIORITY: &[&str] = &["alertpriority", "monitorpriority", "priority"];
const TYPE: &[&str] = &["alerttype", "type"];
const STATUS: &[&str] = &["alertstatus", "status", "state", "alertstate", "monitorstatus"];
/// Where a template says outright what is to be done.
const ASKED: &[&str] = &["eventaction", "eventtype"];
const SEVERITY: &[&str] = &["severity", "alertseverity", "payloadseverity"];
const TITLE: &[&str] =
    &["alerttitle", "eventtitle", "title", "monitorname", "alertname", "name", "summary", "subject", "payloadsummary"];
const TEXT: &[&str] = &["textonlymsg", "eventmsg", "body", "message", "msg", "text"];
const LINK: &[&str] = &["link", "url", "alerturl", "eventurl", "alertlink"];
const SNAPSHOT: &[&str] = &["snapshot", "snapshoturl", "image"];
const HOST: &[&str] = &["hostname", "host", "alerthost", "alerthostname", "payloadsource"];

/// The title that says what happened, else the first there is: `$ALERT_TITLE` has no prefix, `$EVENT_TITLE` has.
fn full_title<'a>(fields: &'a Flat<'_>) -> Option<(Cow<'a, str>, &'static str)> {
    let telling = TITLE.iter().filter_map(|name| fields.get(&[*name])).find(|(text, _)| Title::parse(text).transition.is_some());
    // Templates for chats and other receivers have it in their text.
    let told = |name: &&'static str| fields.get(&[*name]).filter(|(text, _)| Title::parse(text).transition.is_some());
    let text = || TEXT.iter().find_map(told);
    telling.or_else(|| fields.get(TITLE)).or_else(text)
}

/// What `$ALERT_TRANSITION` says; `None` for a word that it does not say (`Null` of old among them).
pub(super) fn transition(word: &str) -> Option<(Action, Option<Severity>)> {
    let is = |words: &[&str]| tokens::is_one_of(word, words);
    if is(&["Recovered"]) {
        Some((Action::Resolve, None))
    } else if is(&["Warn", "Re-Warn"]) {
        Some((Action::Trigger, Some(Severity::Warning)))
    } else if is(&["Triggered", "Re-Triggered", "No Data", "Re-No Data", "Renotify"]) {
        Some((Action::Trigger, None))
    } else {
        None
    }
}

/// The event that the fields make; `tool` is its source when nothing names one.
pub(super) fn mapped(fields: &Flat<'_>, body: &Value, tool: &str, at: String, now: Timestamp) -> Result<Mapped, &'static str> {
    let full_title = full_title(fields);
    let title = full_title.as_ref().map(|(text, _)| Title::parse(text)).unwrap_or_default();
    let scope = fields.text(SCOPE).or_else(|| title.scope.map(Cow::Borrowed));
    let (source, source_from) = source(fields, scope.as_deref(), tool);
    let (summary, summary_from) = match (title.name, fields.get(TEXT)) {
        ("", Some((text, from))) => (Cow::Owned(text.lines().next().unwrap_or(tool).to_owned()), from),
        ("", None) => (Cow::Owned(format!("{tool} alert on {source}")), "default: the source"),
        _ => (title.shown(), full_title.as_ref().map_or("title", |(_, name)| *name)),
    };
    let (dedup_key, key_from, key_guessed) = dedup_key(fields, &title, scope.as_deref())
        .or_else(|| unnamed(fields, &source))
        .ok_or("there is neither a key ($ALERT_CYCLE_KEY) nor a title")?;
    // Datadog's test button sends the monitor's own key: a test must neither join the real incident nor resolve it.
    let dedup_key = if title.test { DedupKey::lenient(&format!("test:{dedup_key}")).unwrap_or(dedup_key) } else { dedup_key };
    let (action, action_from) = action(fields, &title);
    let (severity, severity_from) = severity(fields, &title);
    let mut event = Event::new(action, dedup_key, &summary, &source, severity);
    event.key_guessed = key_guessed;
    event.class = fields.text(&["eventtype", "alertmetric"]).map(Cow::into_owned);
    event.client = Some(tool.to_owned());
    event.client_url = fields.text(LINK).filter(|url| read::is_web_address(url)).map(Cow::into_owned);
    labels::push_link(&mut event.links, fields.text(LINK), tool);
    let snapshot = fields.text(SNAPSHOT).filter(|src| read::is_web_address(src));
    event.images =
        snapshot.map(|src| Image { src: src.into_owned(), href: None, alt: Some("Snapshot".to_owned()) }).into_iter().collect();
    event.custom_details = Some(body.clone());
    let date = fields.text(&["date", "lastupdated"]).and_then(|date| read::time(&Value::String(date.into_owned())));
    event.occurred_at = Timestamp::trusted(date, now);
    let origin = Origin {
        at,
        action: action_from.into(),
        dedup_key: key_from.into(),
        summary: summary_from.into(),
        source: source_from.into(),
        severity: severity_from.into(),
    };
    Ok(Mapped { event, origin })
}

fn source<'a>(fields: &'a Flat<'_>, scope: Option<&'a str>, tool: &'a str) -> (Cow<'a, str>, &'static str) {
    if let Some((host, from)) = fields.get(HOST) {
        return (host, from);
    }
    match scope {
        Some(scope) => {
            let host = scope.split(',').find_map(|part| part.trim().strip_prefix("host:"));
            (Cow::Borrowed(host.filter(|host| !host.is_empty()).unwrap_or(scope)), "scope")
        }
        None => (Cow::Borrowed(tool), "default: the tool"),
    }
}

/// The cycle's key, the aggregation key, monitor and scope, or the title without its prefixes and the scope. The title keeps
/// its digits: "disk 1" and "disk 2" are two monitors.
fn dedup_key(fields: &Flat<'_>, title: &Title<'_>, scope: Option<&str>) -> Option<(DedupKey, &'static str, bool)> {
    for (names, from) in [(CYCLE_KEY, "ALERT_CYCLE_KEY"), (AGGREG_KEY, "AGGREG_KEY"), (OWN_KEY, "a key of the template's own")] {
        // What Datadog writes for a variable that has no value.
        if let Some(key) = fields.raw(names).filter(|key| *key != "null").and_then(DedupKey::lenient) {
            return Some((key, from, false));
        }
    }
    // 0 is what a test sends.
    if let Some(monitor) = fields.raw(MONITOR).filter(|id| *id != "0") {
        let text = scope.map_or_else(|| format!("monitor:{monitor}"), |scope| format!("monitor:{monitor}:{scope}"));
        return Some((DedupKey::lenient(&text)?, "ALERT_ID, ALERT_SCOPE", false));
    }
    if title.name.is_empty() {
        return None;
    }
    let material = [title.name.as_bytes(), &[0xff], scope.unwrap_or_default().as_bytes()].concat();
    Some((DedupKey::hashed("auto:", &material), "default: guessed from title and scope", true))
}

/// An alert that names nothing, and yet says what happened: there is one of it.
fn unnamed(fields: &Flat<'_>, source: &str) -> Option<(DedupKey, &'static str, bool)> {
    transition(&fields.text(TRANSITION)?)?;
    Some((key::guess("", source), "default: guessed from the source", true))
}

fn action(fields: &Flat<'_>, title: &Title<'_>) -> (Action, &'static str) {
    let said = fields.get(TRANSITION).and_then(|(word, from)| Some((transition(&word)?.0, from)));
    let in_title = || title.transition.and_then(transition).map(|(action, _)| (action, "the title's prefix"));
    let status = || {
        let names = TRANSITION.iter().chain(STATUS);
        names.copied().find_map(|name| Some((known(&fields.text(&[name])?)?, name)))
    };
    // Only what ends an alert: a template that always says `trigger` is no news.
    let asked = || {
        fields.get(ASKED).and_then(|(word, from)| Some((known(&word)?, from))).filter(|(action, _)| *action != Action::Trigger)
    };
    let success =
        || fields.get(TYPE).filter(|(word, _)| tokens::is_one_of(word, &["success"])).map(|(_, from)| (Action::Resolve, from));
    said.or_else(in_title).or_else(status).or_else(asked).or_else(success).unwrap_or((Action::Trigger, "default: trigger"))
}

fn known(word: &str) -> Option<Action> {
    match tokens::meaning(word) {
        Some(tokens::Meaning::Act(action)) => Some(action),
        _ => None,
    }
}

fn severity(fields: &Flat<'_>, title: &Title<'_>) -> (Severity, &'static str) {
    if let Some(found) = fields.get(SEVERITY).and_then(|(word, from)| Some((tokens::severity(&word)?, from))) {
        return found;
    }
    let given = fields.get(PRIORITY).and_then(|(word, from)| Some((priority(&word)?, from)));
    let titled = || title.priority.and_then(priority).map(|severity| (severity, "the title's prefix"));
    let word = fields.text(TRANSITION);
    let warned =
        || word.as_deref().or(title.transition).and_then(|word| transition(word)?.1).map(|severity| (severity, "transition"));
    let kind = || {
        let (word, from) = fields.get(TYPE)?;
        let severity = match word.to_ascii_lowercase().as_str() {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            "success" | "info" => Severity::Info,
            _ => return None,
        };
        Some((severity, from))
    };
    given.or_else(titled).or_else(warned).or_else(kind).unwrap_or((Severity::Error, "default: error"))
}

/// `P1` to `P5`, or the number alone. `normal` and `low` are the priority of an event and say nothing of the monitor's.
fn priority(word: &str) -> Option<Severity> {
    match word.strip_prefix(['p', 'P']).unwrap_or(word) {
        "1" => Some(Severity::Critical),
        "2" => Some(Severity::Error),
        "3" => Some(Severity::Warning),
        "4" | "5" => Some(Severity::Info),
        _ => None,
    }
}
