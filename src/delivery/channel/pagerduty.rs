//! PagerDuty, by its Events API v2; or another Callbox, which takes the same.
//!
//! <https://developer.pagerduty.com/docs/send-alert-event>, <https://developer.pagerduty.com/docs/send-change-event>. The key is the
//! incident's own id, marked as ours so that what comes back by PagerDuty's webhooks is known and does not go round in a circle: what
//! opens again after its end is another incident there as it is here, and two tools' equal keys stay apart.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::printable;
use super::settings::{self, Problem, Settings};
use super::{Channel, Letter, Parcel, Sending, Target};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::{Change, Details, Incident, Message, Occasion};
use crate::event::SUMMARY_MAX;
use crate::provider::pagerduty::OWN_KEY;
use crate::secret::Secret;

/// PagerDuty.
pub struct PagerDuty;

/// Where the Events API is; accounts in the EU have `events.eu.pagerduty.com`.
const API: &str = "https://events.pagerduty.com/v2/enqueue";

/// Bytes of details that are passed on; the API takes 512 KB in all.
const DETAILS_MAX: usize = 256 * 1024;
/// Links and images that are passed on, and bytes of each address.
const LINKS_MAX: usize = 20;
const HREF_MAX: usize = 2_048;
/// Characters of other texts.
const TEXT_MAX: usize = 1_024;

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

    fn options(&self) -> &'static [&'static str] {
        &[]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.own_url();
        settings.token(
            |key| key.len() == 32 && settings::is_word(key, ""),
            "the integration key of a service: 32 letters and digits",
        );
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let message = letter.message;
        let (path, mut body) = match (&message.incident, &message.change) {
            (Some(incident), _) => ("enqueue", alert(message, incident)),
            (None, Some(change)) => ("change/enqueue", changed(change)),
            // A test pages nobody: it is shown among the changes.
            (None, None) => ("change/enqueue", tried(message)),
        };
        if let Some(members) = body.as_object_mut() {
            members.insert("routing_key".to_owned(), json!(target.token()));
            members.retain(|_, value| !value.is_null());
        }
        if let Some(payload) = body.get_mut("payload").and_then(Value::as_object_mut) {
            payload.retain(|_, value| !value.is_null());
        }
        let base = target.base(API);
        let base = base.strip_suffix("/enqueue").unwrap_or(base);
        let base = base.strip_suffix("/change").unwrap_or(base);
        Ok(Parcel::json(&Secret::new(format!("{base}/{path}")), &body).into())
    }
}

fn alert(message: &Message, incident: &Incident) -> Value {
    let action = match message.event {
        Occasion::Acknowledged => "acknowledge",
        Occasion::Resolved => "resolve",
        _ => "trigger",
    };
    let details = incident.details.as_ref();
    let own = incident.url.as_deref().map(|url| link(url, "Callbox"));
    let theirs = details.map(|details| details.links.as_slice()).unwrap_or_default();
    let theirs = theirs.iter().map(|found| link(&found.href, found.text.as_deref().unwrap_or(&found.href)));
    let links: Vec<Value> = own.into_iter().chain(theirs).flatten().take(LINKS_MAX).collect();
    let images = details.map(|details| details.images.as_slice()).unwrap_or_default();
    let short = |address: &Option<String>| address.as_ref().is_none_or(|address| address.len() <= HREF_MAX);
    let images = images.iter().filter(|image| image.src.len() <= HREF_MAX && short(&image.href) && short(&image.alt));
    json!({
        "event_action": action,
        "dedup_key": format!("{OWN_KEY}{}", incident.id),
        "payload": {
            "summary": summary(&incident.title),
            "source": text(&incident.source).unwrap_or_else(|| "callbox".into()),
            "severity": incident.severity,
            "timestamp": incident.last_seen,
            "component": incident.component.as_deref().and_then(text),
            "group": incident.group.as_deref().and_then(text),
            "class": incident.class.as_deref().and_then(text),
            "custom_details": custom(details, &message.notes),
        },
        "links": links,
        "images": images.take(LINKS_MAX).collect::<Vec<_>>(),
        "client": "Callbox",
        "client_url": incident.url.as_deref().filter(|url| url.len() <= HREF_MAX),
    })
}

/// What the tool said besides, and our notes.
fn custom(details: Option<&Details>, notes: &[String]) -> Value {
    let raw = details.and_then(|details| details.custom_details.as_ref()).filter(|raw| raw.get().len() <= DETAILS_MAX);
    let mut custom: Value = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    if !notes.is_empty() {
        let notes = json!(limit::cut(&notes.join("\n"), 4 * TEXT_MAX, Unit::Characters));
        custom = match custom {
            Value::Null => json!({ "callbox_notes": notes }),
            Value::Object(mut members) => {
                members.insert("callbox_notes".to_owned(), notes);
                Value::Object(members)
            }
            other => json!({ "details": other, "callbox_notes": notes }),
        };
    }
    custom
}

fn changed(change: &Change) -> Value {
    let links: Vec<Value> =
        change.links.iter().filter_map(|found| link(&found.href, found.text.as_deref().unwrap_or(&found.href))).collect();
    let small = |custom: &&Value| custom.to_string().len() <= DETAILS_MAX;
    json!({
        "payload": {
            "summary": summary(&change.summary),
            "source": change.source.as_deref().and_then(text),
            "timestamp": change.timestamp,
            // Objects are all that the API takes here.
            "custom_details": change.custom_details.as_ref().filter(|custom| custom.is_object()).filter(small),
        },
        "links": links.into_iter().take(LINKS_MAX).collect::<Vec<_>>(),
    })
}

fn tried(message: &Message) -> Value {
    json!({ "payload": { "summary": message.title(), "source": "callbox", "timestamp": message.timestamp } })
}

fn link(href: &str, text: &str) -> Option<Value> {
    (href.len() <= HREF_MAX).then(|| json!({ "href": href, "text": limit::cut(text, TEXT_MAX, Unit::Characters) }))
}

/// The API refuses a summary that is empty or has more than 1,024 characters.
fn summary(text: &str) -> Cow<'_, str> {
    if printable::is_blank(text) { "(no summary)".into() } else { limit::cut(text, SUMMARY_MAX, Unit::Characters) }
}

fn text(text: &str) -> Option<Cow<'_, str>> {
    (!printable::is_blank(text)).then(|| limit::cut(text, TEXT_MAX, Unit::Characters))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{change, incident, known, letter, parcel, sent, target, test, wrong};
    use super::*;
    use crate::event::v2::{self, Mode};
    use crate::event::{Action, DedupKey, Event};
    use crate::json;

    const KEY: &str = "0123456789abcdef0123456789ABCDEF";

    fn service(url: &str) -> Target {
        known(target(url), KEY)
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
        let message = test();
        let parcel = parcel(&PagerDuty, &service("https://events.example/v2/enqueue/"), &letter(&message));
        assert_eq!(parcel.url.expose(), "https://events.example/v2/change/enqueue");
        let parsed = json::parse(&parcel.body).unwrap();
        assert!(v2::parse_change(&parsed.value, &parsed.duplicates, None).is_ok());
    }

    #[test]
    fn a_change_is_one_and_goes_where_the_region_is() {
        let message = change("Deployed 1.2");
        let parcel = parcel(&PagerDuty, &service("https://events.eu.example/v2/change/enqueue"), &letter(&message));
        assert_eq!(parcel.url.expose(), "https://events.eu.example/v2/change/enqueue");
        let parsed = json::parse(&parcel.body).unwrap();
        assert!(v2::parse_change(&parsed.value, &parsed.duplicates, None).is_ok());
        assert_eq!(sent(&parcel)["links"][0], json!({ "href": "https://ci.example.com/runs/1", "text": "Run 1" }));
    }

    #[test]
    fn notes_stand_beside_what_the_tool_said() {
        let mut message = incident("x");
        let body =
            |message: &Message| sent(&parcel(&PagerDuty, &service(""), &letter(message)))["payload"]["custom_details"].clone();
        assert_eq!(body(&message), Value::Null);
        message.notes = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(body(&message), json!({ "callbox_notes": "a\nb" }));
        for (raw, expected) in [
            (r#"{"a": 1}"#, json!({ "a": 1, "callbox_notes": "a\nb" })),
            ("[1]", json!({ "details": [1], "callbox_notes": "a\nb" })),
        ] {
            let custom_details = Some(serde_json::from_str(raw).unwrap());
            message.incident.as_mut().unwrap().details = Some(Details { custom_details, ..Details::default() });
            assert_eq!(body(&message), expected);
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_when_it_is_saved() {
        assert_eq!(wrong(&PagerDuty, &target("events.example")), ["url", "token"]);
        assert_eq!(
            (wrong(&PagerDuty, &service("")), wrong(&PagerDuty, &service("https://a.example/v2/enqueue"))),
            (vec![], vec![])
        );
    }
}
