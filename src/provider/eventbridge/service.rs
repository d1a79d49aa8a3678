//! Events of every other service: CodePipeline, Backup, ECS, Auto Scaling, and those of customers' own.

use std::borrow::Cow;

use serde_json::Value;

use super::{affected, fill};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::tokens::{self, Meaning};
use crate::provider::{Item, Origin, key, read};

/// Where services say in which state something is.
const STATES: &[&str] = &["detail.state", "detail.status", "detail.build-status", "detail.currentStatus", "detail.lastStatus"];
/// What stays the same when it fails and when it works again. Resources do not: of a build they name the run.
const SUBJECTS: &[&str] = &[
    "detail.project-name",
    "detail.pipeline",
    "detail.jobName",
    "detail.stateMachineArn",
    "detail.instance-id",
    "detail.SourceArn",
];

/// Such an event as an alert: it resolves where its state says so, and pages otherwise.
pub(super) fn item(sent: &Value, kind: &str, at: &str) -> Item {
    let state = read::first(sent, STATES);
    let action = match state.as_ref().map(|found| (asked(&found.text), found.path)) {
        Some((Meaning::Act(action), path)) => (action, path),
        Some((Meaning::Nothing, _)) => {
            return Item::Ignored { at: at.to_owned(), why: "its state is one on the way".into() };
        }
        None => (Action::Trigger, "default: trigger"),
    };
    let service = read::field(sent, "source").unwrap_or_default();
    let subject = read::first(sent, SUBJECTS).map(|found| (found.text, found.path));
    let subject = subject.or_else(|| sent.pointer("/resources/0").and_then(read::text).map(|arn| (arn, "resources.0")));
    let subject = subject.filter(|(text, _)| !read::unexpanded(text));
    let title = if kind.is_empty() { service.as_ref() } else { kind };
    let title = if title.is_empty() { "Event" } else { title };
    let summary =
        summary(sent, title, subject.as_ref().map(|(text, _)| text.as_ref()), state.as_ref().map(|found| found.text.as_ref()));
    let source =
        subject.as_ref().map(|(text, _)| text.clone()).or_else(|| affected(sent)).unwrap_or(Cow::Borrowed("Amazon EventBridge"));
    let named = subject.as_ref().and_then(|(text, path)| Some((DedupKey::lenient(&format!("{service}:{kind}:{text}"))?, *path)));
    let guessed = named.is_none();
    let (dedup_key, key_from) =
        named.unwrap_or_else(|| (key::guess(&summary, &source), "default: guessed from summary and source"));
    let severity = read::first(sent, &["detail.severity", "detail.level"]);
    let severity = severity.and_then(|found| Some((tokens::severity(&found.text)?, found.path)));
    let mut event =
        Event::new(action.0, dedup_key, &summary, &source, severity.map_or(Severity::Error, |(severity, _)| severity));
    event.key_guessed = guessed;
    let origin = Origin {
        at: at.to_owned(),
        action: action.1.into(),
        dedup_key: key_from.into(),
        summary: "detail-type, the subject, its state".into(),
        source: "the subject, resources.0, account".into(),
        severity: severity.map_or("default: error", |(_, path)| path).into(),
    };
    Item::event(fill(event, sent), origin)
}

/// AWS's words for states, then those of most tools; what is in no table pages.
fn asked(word: &str) -> Meaning {
    if tokens::is_one_of(word, &["COMPLETED", "SUCCEEDED", "RESUMED"]) {
        return Meaning::Act(Action::Resolve);
    }
    if tokens::is_one_of(word, &["STARTED", "CREATED", "PROVISIONING", "ACTIVATING", "DEACTIVATING", "STOPPING", "SUBMITTED"]) {
        return Meaning::Nothing;
    }
    tokens::meaning(word).unwrap_or(Meaning::Act(Action::Trigger))
}

fn summary(sent: &Value, title: &str, subject: Option<&str>, state: Option<&str>) -> String {
    let said = read::first(sent, &["detail.title", "detail.message", "detail.summary", "detail.description"]);
    match (said, subject, state) {
        (Some(said), _, _) => format!("{title}: {}", said.text),
        (None, Some(subject), Some(state)) => format!("{title}: {subject} is {state}"),
        (None, Some(subject), None) => format!("{title}: {subject}"),
        (None, None, Some(state)) => format!("{title}: {state}"),
        (None, None, None) => title.to_owned(),
    }
}
