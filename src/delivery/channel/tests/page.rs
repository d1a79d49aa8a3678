//! What pagers and other programs take.

use serde_json::{Value, json};

use super::super::testing::{NOW, known, target, with};
use super::schema::Shape::{List, Map, Object, Text, Word};
use super::schema::{self, Shape};
use super::{Case, Sent, Verdict, case, ensure};
use crate::delivery::message::Occasion;
use crate::event::v2::{self, Mode};
use crate::json::parse;
use crate::provider::Headers;
use crate::secret::Secret;
use crate::signature::{self, Scheme};

const SIGNING: &str = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";

pub fn cases() -> Vec<Case> {
    let mut webhook =
        with(target("https://receiver.example/hook"), &json!({ "method": "PUT", "signature_header": "X-Signature" }));
    webhook.signing = vec![Secret::new(SIGNING)];
    let key = "0123456789abcdef0123456789abcdef";
    let opsgenie = json!({ "region": "eu", "teams": ["ops"], "tags": ["production"] });
    vec![
        case("webhook", target("https://receiver.example/hook"), None, webhook_valid),
        case("webhook", webhook, Some(json!({ "any": "thing" })), webhook_valid),
        case("pagerduty", known(target(""), key), None, pagerduty_valid),
        case("opsgenie", with(known(target(""), "key"), &opsgenie), None, opsgenie_valid),
    ]
}

fn webhook_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    ensure(Some(body) == serde_json::to_value(sent.message).ok(), "is not the message")?;
    let parcel = sent.parcel()?;
    let headers = Headers::new(parcel.headers.iter().map(|(name, value)| (name.as_str(), value.expose())));
    let held = |secrets: &[Secret]| signature::check(&Scheme::StandardWebhooks, &headers, &parcel.body, secrets, NOW);
    ensure(sent.target.signing.is_empty() || held(&sent.target.signing).is_ok(), "is not signed")
}

fn pagerduty_valid(sent: &Sent<'_>) -> Verdict {
    sent.json()?;
    let parcel = sent.parcel()?;
    ensure(parcel.body.len() <= 512 * 1024, "has more than 512 KB")?;
    let parsed = parse(&parcel.body).map_err(|error| format!("{error:?}"))?;
    if sent.message.incident.is_none() {
        ensure(parcel.url.expose().ends_with("/v2/change/enqueue"), "goes elsewhere")?;
        return v2::parse_change(&parsed.value, &parsed.duplicates, None).map(drop).map_err(|error| format!("{error:?}"));
    }
    ensure(parcel.url.expose().ends_with("/v2/enqueue"), "goes elsewhere")?;
    ensure(parsed.value["dedup_key"] == "callbox:inc_1", "is another incident")?;
    v2::parse(&parsed.value, &parsed.duplicates, None, Mode::PagerDuty, NOW).map(drop).map_err(|error| format!("{error:?}"))
}

/// <https://docs.opsgenie.com/docs/alert-api#create-alert>
const ALERT: Shape = Object(&[
    ("message", true, Text(1, 130)),
    ("alias", true, Text(1, 512)),
    ("description", true, Text(1, 15_000)),
    ("responders", true, List(0, 50, &Object(&[("name", true, Text(1, 100)), ("type", true, Word(&["team"]))]))),
    ("tags", true, List(0, 20, &Text(1, 50))),
    ("details", true, Map(20, &Text(1, 500))),
    ("entity", true, Text(1, 512)),
    ("source", true, Text(1, 100)),
    ("priority", true, PRIORITY),
]);
const PRIORITY: Shape = Word(&["P1", "P2", "P3", "P4", "P5"]);
/// <https://docs.opsgenie.com/docs/alert-api#acknowledge-alert>
const ACT: Shape = Object(&[("source", true, Text(1, 100)), ("user", false, Text(1, 100)), ("note", false, Text(1, 25_000))]);

fn opsgenie_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::clean(&body)?;
    let path = sent.parcel()?.url.expose().strip_prefix("https://api.eu.opsgenie.com/v2/alerts").ok_or("goes elsewhere")?;
    let (expected, shape) = match (sent.message.incident.is_some(), sent.message.event) {
        (true, Occasion::Acknowledged) => ("/callbox%3Ainc_1/acknowledge?identifierType=alias", &ACT),
        (true, Occasion::Resolved) => ("/callbox%3Ainc_1/close?identifierType=alias", &ACT),
        (true, Occasion::Updated) => ("/callbox%3Ainc_1/priority?identifierType=alias", &Object(&[("priority", true, PRIORITY)])),
        _ => ("", &ALERT),
    };
    ensure(path == expected, "goes elsewhere")?;
    let details: usize =
        schema::texts(&body["details"]).iter().map(|(name, text)| name.chars().count() + text.chars().count()).sum();
    ensure(details <= 8_000, "has details of more than 8,000")?;
    let link = sent.link().filter(|_| body.get("description").is_some());
    ensure(link.is_none_or(|link| body["description"].as_str().is_some_and(|text| text.ends_with(&link))), "lost its link")?;
    schema::check(shape, &body).map_err(|wrong| format!("{wrong} in {}", Value::from(path)))
}
