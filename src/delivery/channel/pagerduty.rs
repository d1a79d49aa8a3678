//! PagerDuty, by its Events API v2; or another Callbox, which takes the same.
//!
//! <https://developer.pagerduty.com/docs/send-alert-event>, <https://developer.pagerduty.com/docs/send-change-event>. The key is the
//! incident's own id, marked as ours so that what comes back by PagerDuty's webhooks is known: what opens again after its end is another incident there as it is here, and two tools' equal keys stay apart.

use serde_json::{Value, json};

use super::{Channel, Letter, Parcel, Sending, Target};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::{Change, Incident, Message, Occasion};
use crate::event::SUMMARY_MAX;
use crate::provider::pagerduty::OWN_KEY;
use crate::secret::Secret;

/// PagerDuty.
pub struct PagerDuty;

/// Bytes of details that are passed on; the API takes 512 KB in all.
const DETAILS_MAX: usize = 256 * 1024;
/// Links that are passed on.
const LINKS_MAX: usize = 20;

impl Channel for PagerDuty {
    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    fn name(&self) -> &'static str {
        "PagerDuty"
    }

    fn docs(&self) -> &'static str {
        "https://developer.pagerduty.com/docs/send-alert-event"
    }

    fn problems(&self, target: &Target) -> Vec<(&'static str, String)> {
        let key = target.token.as_ref().map(Secret::expose).unwrap_or_default();
        match key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            true => Vec::new(),
            false => vec![("token", "must be the integration key of a service: 32 letters and digits".to_owned())],
        }
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let key = target.token.as_ref().map(Secret::expose).unwrap_or_default();
        let message = letter.message;
        let (path, body) = match (&message.incident, &message.change) {
            (Some(incident), _) => ("enqueue", alert(key, message, incident)),
            (None, Some(change)) => ("change/enqueue", changed(key, change)),
            // A test pages nobody: it is shown among the changes.
            (None, None) => ("change/enqueue", tried(key, message)),
        };
        let base = target.url.expose().trim_end_matches('/');
        let base = base.strip_suffix("/enqueue").unwrap_or(base);
        Ok(Parcel::json(&Secret::new(format!("{base}/{path}")), &body).into())
    }
}

fn alert(key: &str, message: &Message, incident: &Incident) -> Value {
    let action = match message.event {
        Occasion::Acknowledged => "acknowledge",
        Occasion::Resolved => "resolve",
        _ => "trigger",
    };
    let details = incident.details.as_ref();
    let custom = details.and_then(|details| details.custom_details.as_ref()).filter(|raw| raw.get().len() <= DETAILS_MAX);
    let link = |href: &str, text: &str| json!({ "href": href, "text": text });
    let own = incident.url.as_deref().map(|url| link(url, "Callbox"));
    let theirs = details.map(|details| details.links.as_slice()).unwrap_or_default();
    let theirs = theirs.iter().map(|found| link(&found.href, found.text.as_deref().unwrap_or(&found.href)));
    let links: Vec<Value> = own.into_iter().chain(theirs).take(LINKS_MAX).collect();
    json!({
        "routing_key": key,
        "event_action": action,
        "dedup_key": format!("{OWN_KEY}{}", incident.id),
        "payload": {
            "summary": summary(&incident.title),
            "source": incident.source,
            "severity": incident.severity,
            "timestamp": incident.last_seen,
            "component": incident.component,
            "group": incident.group,
            "class": incident.class,
            "custom_details": custom,
        },
        "links": links,
        "images": details.map(|details| &details.images),
        "client": "Callbox",
        "client_url": incident.url,
    })
}

fn changed(key: &str, change: &Change) -> Value {
    json!({
        "routing_key": key,
        "payload": {
            "summary": summary(&change.summary),
            "source": change.source,
            "timestamp": change.timestamp,
            "custom_details": change.custom_details,
        },
        "links": change.links,
    })
}

fn tried(key: &str, message: &Message) -> Value {
    json!({ "routing_key": key, "payload": { "summary": message.title(), "source": "callbox", "timestamp": message.timestamp } })
}

/// The API refuses a summary that is empty or has more than 1,024 characters.
fn summary(text: &str) -> std::borrow::Cow<'_, str> {
    if text.trim().is_empty() { "(no summary)".into() } else { limit::cut(text, SUMMARY_MAX, Unit::Characters) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{incident, letter, parcel, target};
    use super::*;
    use crate::event::v2::{self, Mode};
    use crate::event::{Action, DedupKey, Event};
    use crate::json;

    const KEY: &str = "0123456789abcdef0123456789ABCDEF";

    fn service(url: &str) -> Target {
        Target { token: Some(Secret::new(KEY)), ..target(url) }
    }

    /// What our own Events API makes of a message.
    fn event(message: &Message) -> (String, Event) {
        let parcel = parcel(&PagerDuty, &service("https://events.example/v2/enqueue"), &letter(message));
        let parsed = json::parse(&parcel.body).unwrap();
        let draft = v2::parse(&parsed.value, &parsed.duplicates, None, Mode::PagerDuty, super::super::testing::NOW).unwrap();
        (parcel.url.expose().to_owned(), draft.into_event(DedupKey::random).unwrap())
    }

    #[test]
    fn an_incident_goes_through_its_life_under_one_key() {
        let mut message = incident("The disk is full");
        let expected = [
            (Occasion::Triggered, Action::Trigger),
            (Occasion::Updated, Action::Trigger),
            (Occasion::UnacknowledgedFor, Action::Trigger),
            (Occasion::Acknowledged, Action::Acknowledge),
            (Occasion::Resolved, Action::Resolve),
        ];
        for (occasion, action) in expected {
            message.event = occasion;
            let (url, event) = event(&message);
            assert_eq!((url.as_str(), event.action), ("https://events.example/v2/enqueue", action));
            assert_eq!((event.dedup_key.as_str(), event.severity.as_str()), ("callbox:inc_1", "critical"));
        }
    }

    #[test]
    fn whatever_its_title_an_incident_is_taken() {
        for title in ["", " ", &"é".repeat(5_000), "\u{202e}\n\"{{.Secret}}\""] {
            let (_, event) = event(&incident(title));
            assert!(!event.summary.trim().is_empty());
        }
    }

    #[test]
    fn a_test_pages_nobody() {
        let message = Message { event: Occasion::Test, incident: None, ..incident("") };
        let parcel = parcel(&PagerDuty, &service("https://events.example/v2/enqueue/"), &letter(&message));
        assert_eq!(parcel.url.expose(), "https://events.example/v2/change/enqueue");
        let parsed = json::parse(&parcel.body).unwrap();
        assert!(v2::parse_change(&parsed.value, &parsed.duplicates, None).is_ok());
    }

    #[test]
    fn a_key_that_is_none_is_refused_when_it_is_saved() {
        let mut target = target("https://events.example/v2/enqueue");
        assert_eq!(PagerDuty.problems(&target).len(), 1);
        target.token = Some(Secret::new(KEY));
        assert_eq!(PagerDuty.problems(&target), []);
    }
}
