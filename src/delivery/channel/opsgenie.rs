//! Opsgenie, by its Alert API: an alert an incident, under an alias of ours.
//!
//! <https://docs.opsgenie.com/docs/alert-api>, <https://docs.opsgenie.com/docs/alerts-and-alert-fields>: a message of 130 characters, a
//! description of 15,000, an entity of 512, an alias of 512, a source, user of 100, 20 tags of 50, a note of 25,000, details of 8,000 in all.
//! The alert is acknowledged and closed by its alias, and what is triggered again under it is counted there; a severity that rose
//! changes its priority. Every answer is 202, before the request is carried out. Accounts in the EU have their own host.

use serde_json::{Map, Value, json};

use super::printable::{self, verbatim};
use super::settings::{Problem, Settings};
use super::shown::Shown;
use super::{Channel, Letter, Parcel, Sending, Target};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::{Incident, Message, Occasion};
use crate::event::Severity;
use crate::provider::pagerduty::OWN_KEY;
use crate::secret::Secret;

/// Opsgenie.
pub struct Opsgenie;

/// Where the API is.
const API: &str = "https://api.opsgenie.com";
const API_EU: &str = "https://api.eu.opsgenie.com";

/// Characters of each field.
const MESSAGE_MAX: usize = 130;
const DESCRIPTION_MAX: usize = 15_000;
const ENTITY_MAX: usize = 512;
const SHORT_MAX: usize = 100;
const NOTE_MAX: usize = 25_000;
const TAG_MAX: usize = 50;
const TAGS_MAX: usize = 20;
/// Characters of a detail; there are fewer than ten.
const DETAIL_MAX: usize = 500;

impl Channel for Opsgenie {
    fn kind(&self) -> &'static str {
        "opsgenie"
    }

    fn name(&self) -> &'static str {
        "Opsgenie"
    }

    fn docs(&self) -> &'static str {
        "https://docs.opsgenie.com/docs/alert-api"
    }

    fn options(&self) -> &'static [&'static str] {
        &["region", "teams", "tags"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.own_url();
        settings.token(|key| !key.contains(' '), "the key of an API integration");
        settings.text("region", false, |region| matches!(region, "us" | "eu"), "us or eu");
        settings.texts("teams", false, |name| !printable::is_blank(name) && name.chars().count() <= SHORT_MAX, "names of teams");
        settings.texts(
            "tags",
            false,
            |tag| !printable::is_blank(tag) && tag.chars().count() <= TAG_MAX,
            "tags of at most 50 characters",
        );
        if target.texts("tags").len() > TAGS_MAX - 1 {
            settings.wrong("tags", format!("must be at most {} tags", TAGS_MAX - 1));
        }
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let message = letter.message;
        let (path, body) = match (&message.incident, message.event) {
            (Some(incident), Occasion::Acknowledged) => {
                (acted(incident, "acknowledge"), act(message, incident.acknowledged_by.as_deref()))
            }
            (Some(incident), Occasion::Resolved) => (acted(incident, "close"), act(message, incident.resolved_by.as_deref())),
            (Some(incident), Occasion::Updated) => (acted(incident, "priority"), json!({ "priority": priority(message) })),
            _ => (String::new(), alert(target, letter)),
        };
        let api = if target.text("region") == Some("eu") { API_EU } else { API };
        let url = Secret::new(format!("{}/v2/alerts{path}", target.base(api)));
        let method = if message.event == Occasion::Updated && message.incident.is_some() { "PUT" } else { "POST" };
        let parcel = Parcel { method, ..Parcel::json(&url, &body) };
        Ok(parcel.with("authorization", format!("GenieKey {}", target.token())).into())
    }
}

/// What is done to the alert of an incident.
fn acted(incident: &Incident, what: &str) -> String {
    let alias: String = url::form_urlencoded::byte_serialize(alias(incident).as_bytes()).collect();
    format!("/{alias}/{what}?identifierType=alias")
}

fn alias(incident: &Incident) -> String {
    format!("{OWN_KEY}{}", incident.id)
}

fn act(message: &Message, by: Option<&str>) -> Value {
    let mut body = Map::from_iter([("source".to_owned(), json!("Callbox"))]);
    let by = by.map(printable::clean).filter(|name| !printable::is_blank(name));
    body.extend(by.map(|name| ("user".to_owned(), json!(cut(&name, SHORT_MAX)))));
    let notes = Shown::of(message).notes;
    body.extend((!notes.is_empty()).then(|| ("note".to_owned(), json!(cut(&notes, NOTE_MAX)))));
    body.into()
}

fn alert(target: &Target, letter: &Letter<'_>) -> Value {
    let message = letter.message;
    let shown = Shown::of(message);
    let link = shown.link.as_ref().map(|link| link.url.as_str());
    let own = message.incident.as_ref().map_or_else(|| message.event.as_str(), |incident| incident.severity.as_str());
    let tags: Vec<&str> = target.texts("tags").into_iter().take(TAGS_MAX - 1).chain(Some(own)).collect();
    let teams: Vec<Value> = target.texts("teams").into_iter().map(|name| json!({ "name": name, "type": "team" })).collect();
    let details: Map<String, Value> =
        shown.facts.iter().map(|fact| (fact.name.to_owned(), json!(cut(&fact.text, DETAIL_MAX)))).collect();
    let line: String = shown.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let entity = shown.fact("Source").unwrap_or("callbox");
    json!({
        "message": cut(&line, MESSAGE_MAX),
        "alias": message.incident.as_ref().map_or_else(|| format!("{OWN_KEY}{}", letter.id), alias),
        "description": shown.plain(link, DESCRIPTION_MAX, Unit::Characters, verbatim),
        "responders": teams,
        "tags": tags,
        "details": details,
        "entity": cut(entity, ENTITY_MAX),
        "source": "Callbox",
        "priority": priority(message),
    })
}

/// What is no incident is of the lowest.
fn priority(message: &Message) -> &'static str {
    match message.incident.as_ref().map(|incident| incident.severity) {
        Some(Severity::Critical) => "P1",
        Some(Severity::Error) => "P2",
        Some(Severity::Warning) => "P3",
        Some(Severity::Info) => "P4",
        None => "P5",
    }
}

fn cut(text: &str, max: usize) -> std::borrow::Cow<'_, str> {
    limit::cut(text, max, Unit::Characters)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{change, header, incident, known, letter, parcel, sent, target, with, wrong};
    use super::*;

    fn team() -> Target {
        with(known(target(""), "key"), &json!({ "region": "eu", "teams": ["ops"], "tags": "production" }))
    }

    #[test]
    fn an_incident_is_one_alert_from_its_first_page_to_its_end() {
        let mut message = incident("The disk is full");
        let first = parcel(&Opsgenie, &team(), &letter(&message));
        assert_eq!((first.method, first.url.expose()), ("POST", "https://api.eu.opsgenie.com/v2/alerts"));
        assert_eq!(header(&first, "authorization"), Some("GenieKey key"));
        let body = sent(&first);
        let expected = [
            ("message", json!("The disk is full")),
            ("alias", json!("callbox:inc_1")),
            ("priority", json!("P1")),
            ("tags", json!(["production", "critical"])),
        ];
        for (name, value) in expected {
            assert_eq!(body[name], value);
        }
        assert_eq!(body["responders"], json!([{ "name": "ops", "type": "team" }]));
        let incident = message.incident.as_mut().unwrap();
        (incident.acknowledged_by, incident.resolved_by) = (Some("ann".to_owned()), Some("bob".to_owned()));
        for (event, method, path, body) in [
            (Occasion::Updated, "PUT", "priority", json!({ "priority": "P1" })),
            (Occasion::Acknowledged, "POST", "acknowledge", json!({ "source": "Callbox", "user": "ann" })),
            (Occasion::Resolved, "POST", "close", json!({ "source": "Callbox", "user": "bob" })),
        ] {
            message.event = event;
            let parcel = parcel(&Opsgenie, &team(), &letter(&message));
            let url = format!("https://api.eu.opsgenie.com/v2/alerts/callbox%3Ainc_1/{path}?identifierType=alias");
            assert_eq!((parcel.method, parcel.url.expose(), sent(&parcel)), (method, url.as_str(), body));
        }
    }

    #[test]
    fn a_change_is_an_alert_that_wakes_nobody() {
        let message = change("Deployed 1.2");
        let body = sent(&parcel(&Opsgenie, &team(), &letter(&message)));
        assert_eq!(
            (&body["priority"], &body["alias"], &body["tags"][1]),
            (&json!("P5"), &json!("callbox:dlv_1"), &json!("change.created"))
        );
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!(wrong(&Opsgenie, &team()), [""; 0]);
        let options = json!({ "region": "asia", "teams": [""], "tags": ["x".repeat(51)] });
        assert_eq!(wrong(&Opsgenie, &with(target("x"), &options)), ["url", "token", "region", "teams", "tags"]);
    }
}
