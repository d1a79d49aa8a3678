//! Push notifications, by OneSignal.
//!
//! <https://documentation.onesignal.com/reference/push-notification>,
//! <https://documentation.onesignal.com/reference/idempotent-notification-requests>. A push has about 4 KB in all. Notifications of an incident
//! replace each other on the phone by `collapse_id` (64 bytes). OneSignal fills in what stands in double braces or in `{% %}`
//! (<https://documentation.onesignal.com/docs/en/using-liquid-syntax>): a break keeps text from being any. It says with 200 that it sent nothing.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::mention::BREAK;
use super::settings::{Problem, Settings};
use super::shown::{self, Shown};
use super::{Channel, Letter, Parcel, Sending, Target};
use crate::delivery::limit::{self, Unit};
use crate::event::Urgency;
use crate::secret::Secret;

/// Push notifications.
pub struct Push;

/// Where the API is.
const API: &str = "https://api.onesignal.com";

/// Bytes of the texts, which together with all else stay below what a phone takes.
const HEADING_MAX: usize = 200;
const CONTENT_MAX: usize = 1_000;
/// Receivers that a request may name.
const TO_MAX: usize = 2_000;

/// The ways to say to whom, each a list; one of them.
const RECEIVERS: [&str; 3] = ["segments", "external_ids", "subscription_ids"];

impl Channel for Push {
    fn kind(&self) -> &'static str {
        "push"
    }

    fn name(&self) -> &'static str {
        "Push (OneSignal)"
    }

    fn docs(&self) -> &'static str {
        "https://documentation.onesignal.com/reference/push-notification"
    }

    fn options(&self) -> &'static [&'static str] {
        &["app_id", "segments", "external_ids", "subscription_ids"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.own_url();
        settings.token(|key| !key.contains(' '), "the app's API key");
        settings.text("app_id", true, |id| uuid::Uuid::parse_str(id).is_ok(), "the app's id, a UUID");
        for name in RECEIVERS {
            settings.texts(name, false, |text| !text.trim().is_empty(), "a list of texts");
        }
        let used = RECEIVERS.iter().filter(|name| target.options.contains_key(**name)).count();
        if used != 1 {
            settings.wrong("segments", "must be named, or external_ids, or subscription_ids: one of them");
        }
        if RECEIVERS.iter().any(|name| target.texts(name).len() > TO_MAX) {
            settings.wrong("external_ids", format!("must be at most {TO_MAX}: use a segment"));
        }
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let url = Secret::new(format!("{}/notifications?c=push", target.base(API)));
        let body = Value::Object(notification(target, letter));
        Ok(Parcel::json_utf8(&url, &body).with("authorization", format!("Key {}", target.token())).into())
    }

    fn status(&self, _target: &Target, status: u16, body: &[u8]) -> u16 {
        // Without an id nothing was sent, whatever else is said.
        let answer: Option<Value> = serde_json::from_slice(body).ok();
        let nothing = answer.is_some_and(|answer| answer.get("id").and_then(Value::as_str) == Some(""));
        if (200..300).contains(&status) && nothing { 400 } else { status }
    }
}

fn notification(target: &Target, letter: &Letter<'_>) -> Map<String, Value> {
    let message = letter.message;
    let shown = Shown::of(message);
    let line = shown.line();
    let heading = escaped(&line, HEADING_MAX);
    let rest: Vec<String> = [shown.place(), shown.notes.clone()].into_iter().filter(|line| !line.is_empty()).collect();
    // What had no room in the heading.
    let long = (line.len() > HEADING_MAX).then(|| shown.title.clone().into_owned());
    let content = escaped(&long.into_iter().chain(rest).collect::<Vec<_>>().join("\n"), CONTENT_MAX);
    // There must be some.
    let content = if content.is_empty() { shown.heading.to_owned() } else { content };
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    set("app_id", json!(target.text("app_id")));
    set("target_channel", json!("push"));
    set("headings", json!({ "en": heading }));
    set("contents", json!({ "en": content }));
    set("idempotency_key", json!(idempotency_key(letter.id)));
    match (target.options.get("segments"), target.options.get("external_ids")) {
        (Some(_), _) => set("included_segments", json!(target.texts("segments"))),
        (None, Some(_)) => set("include_aliases", json!({ "external_id": target.texts("external_ids") })),
        (None, None) => set("include_subscription_ids", json!(target.texts("subscription_ids"))),
    }
    if let Some(link) = &shown.link {
        set("url", json!(link.url));
    }
    if let Some(incident) = &message.incident {
        set("collapse_id", json!(incident.id));
        set("thread_id", json!(incident.id));
        set("android_group", json!(incident.id));
        set("data", json!({ "incident": incident.id, "event": message.event.as_str() }));
        let urgent = shown::pages(message.event) && incident.urgency == Urgency::High;
        set("priority", json!(if urgent { 10 } else { 5 }));
        set("ios_interruption_level", json!(if urgent { "time-sensitive" } else { "active" }));
    }
    body
}

/// The UUID of a delivery: the same on every attempt.
fn idempotency_key(id: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let bytes = std::array::from_fn(|index| digest.get(index).copied().unwrap_or_default());
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn escaped(text: &str, max: usize) -> String {
    limit::cut_escaped(text, max, Unit::Bytes, escape)
}

fn escape(character: char, out: &mut String) {
    if matches!(character, '{' | '%') && out.ends_with('{') {
        out.push(BREAK);
    }
    out.push(character);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{header, incident, known, letter, parcel, sent, target, test, with, wrong};
    use super::*;
    use crate::delivery::message::Occasion;

    const APP: &str = "11111111-2222-4333-8444-555555555555";

    fn app(receivers: Value) -> Target {
        let mut target = with(known(target(""), "key"), &receivers);
        target.options.insert("app_id".to_owned(), json!(APP));
        target
    }

    #[test]
    fn notifications_of_an_incident_replace_each_other() {
        let mut message = incident("{{ .Secret }} {% if %}");
        let page = parcel(&Push, &app(json!({ "external_ids": ["ann"] })), &letter(&message));
        assert_eq!(
            (page.url.expose(), header(&page, "authorization")),
            ("https://api.onesignal.com/notifications?c=push", Some("Key key"))
        );
        let body = sent(&page);
        assert_eq!(body["headings"]["en"], "Triggered: {\u{200b}{ .Secret }} {\u{200b}% if %}");
        assert_eq!(body["contents"]["en"], "critical on db-1.example.com (checkout)");
        assert_eq!(
            (&body["include_aliases"], &body["collapse_id"], &body["priority"]),
            (&json!({ "external_id": ["ann"] }), &json!("inc_1"), &json!(10))
        );
        let again = sent(&parcel(&Push, &app(json!({ "segments": "All" })), &letter(&message)));
        assert_eq!((&again["idempotency_key"], &again["included_segments"]), (&body["idempotency_key"], &json!(["All"])));
        message.event = Occasion::Resolved;
        let end = sent(&parcel(&Push, &app(json!({ "subscription_ids": ["a"] })), &Letter { id: "dlv_2", ..letter(&message) }));
        assert_eq!((&end["collapse_id"], &end["priority"]), (&json!("inc_1"), &json!(5)));
        assert_ne!(end["idempotency_key"], body["idempotency_key"]);
        let test = test();
        assert_eq!(sent(&parcel(&Push, &app(json!({ "segments": ["All"] })), &letter(&test)))["contents"]["en"], "Test");
    }

    #[test]
    fn sent_to_nobody_is_refused() {
        let status = |body: &str| Push.status(&app(json!({})), 200, body.as_bytes());
        assert_eq!(status(r#"{"id": "", "errors": ["All included players are not subscribed"]}"#), 400);
        assert_eq!(status(r#"{"id": "a", "errors": {"invalid_aliases": {}}}"#), 200);
        assert_eq!(status("ok"), 200);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!(wrong(&Push, &app(json!({ "segments": ["All"] }))), [""; 0]);
        assert_eq!(wrong(&Push, &app(json!({ "segments": ["All"], "external_ids": ["a"] }))), ["segments"]);
        assert_eq!(wrong(&Push, &target("x")), ["url", "token", "app_id", "segments"]);
        assert_eq!(wrong(&Push, &app(json!({ "external_ids": vec!["a"; 2_001] }))), ["external_ids"]);
    }
}
