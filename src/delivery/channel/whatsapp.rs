//! WhatsApp, by Meta's Business Cloud API or by Twilio.
//!
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages> (4,096 characters),
//! <https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview>,
//! <https://www.twilio.com/docs/whatsapp/api> (1,600 characters). Whoever has not written within 24 hours is reached by an approved template
//! alone: its parameters are what a destination lists, each without line breaks, tabs and runs of spaces, and together within the 1,024
//! characters of a body. Meta says "slower" with 400 and a code
//! (<https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes>).

use serde_json::{Value, json};

use super::printable::{self, verbatim};
use super::settings::{self, Problem, Settings};
use super::shown::Shown;
use super::{Channel, Letter, Parcel, Sending, Target, twilio};
use crate::delivery::limit::{self, Unit};
use crate::secret::Secret;

/// WhatsApp.
pub struct WhatsApp;

/// Where Meta's API is.
const API: &str = "https://graph.facebook.com/v23.0";

/// Units of a text, with Meta and with Twilio.
const TEXT_MAX: usize = 4_096;
const TWILIO_TEXT_MAX: usize = 1_600;

/// What a template may be told, with the characters that each may have; in the order in which it is told them where a destination does
/// not say.
const PARAMETERS: [(&str, usize); 7] =
    [("heading", 30), ("title", 300), ("place", 150), ("link", 200), ("severity", 20), ("source", 100), ("notes", 200)];
const USUAL: [&str; 4] = ["heading", "title", "place", "link"];

impl Channel for WhatsApp {
    fn kind(&self) -> &'static str {
        "whatsapp"
    }

    fn name(&self) -> &'static str {
        "WhatsApp"
    }

    fn docs(&self) -> &'static str {
        "https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/text-messages"
    }

    fn options(&self) -> &'static [&'static str] {
        &["provider", "phone_number_id", "account_sid", "from", "to", "template", "language", "content_sid", "parameters"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.text("provider", false, |name| matches!(name, "cloud" | "twilio"), "cloud (Meta's own API) or twilio");
        if is_twilio(target) {
            twilio::check(
                &mut settings,
                target,
                |_| false,
                "the sender: a number with its country, or a Messaging Service SID (MG…)",
            );
            settings.text("content_sid", false, twilio::is_content, "the SID of an approved template: HX…");
        } else {
            settings.own_url();
            settings.token(|token| !token.contains(' '), "the system user's access token");
            settings.text("phone_number_id", true, settings::is_number, "the id of the sender's number: digits");
            settings.text("to", true, twilio::is_phone, "the receiver's number with its country: +4915112345678");
            settings.text(
                "template",
                false,
                |name| settings::is_word(name, "_") && name.len() <= 512,
                "the name of an approved template",
            );
            settings.text(
                "language",
                false,
                |code| settings::is_word(code, "_") && code.len() <= 10,
                "the template's language: en, en_US",
            );
        }
        let known = |name: &str| PARAMETERS.iter().any(|(known, _)| *known == name);
        let names = PARAMETERS.map(|(name, _)| name).join(", ");
        settings.texts("parameters", false, known, &format!("a list of {names}"));
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let shown = Shown::of(letter.message);
        if !is_twilio(target) {
            return Ok(cloud(target, &shown)?.into());
        }
        let sending = match target.text("content_sid") {
            Some(sid) => {
                let numbered = parameters(target, &shown).into_iter().enumerate();
                let variables: serde_json::Map<String, Value> =
                    numbered.map(|(index, text)| ((index + 1).to_string(), json!(text))).collect();
                let variables = Value::Object(variables).to_string();
                twilio::message(target, "whatsapp:", &[("ContentSid", sid), ("ContentVariables", &variables)])
            }
            None => twilio::message(target, "whatsapp:", &[("Body", &text(&shown, TWILIO_TEXT_MAX))]),
        };
        Ok(sending?.into())
    }

    fn status(&self, target: &Target, status: u16, body: &[u8]) -> u16 {
        let error = || serde_json::from_slice::<Value>(body).ok()?.get("error").cloned();
        let Some(error) = error().filter(|_| status >= 400 && !is_twilio(target)) else { return status };
        match error.get("code").and_then(Value::as_u64) {
            // Throughput, spam, and one receiver too often.
            Some(4 | 80_007 | 130_429 | 131_048 | 131_056) => 429,
            Some(1 | 2 | 131_000 | 131_016 | 133_004) => 503,
            Some(0 | 190) => 401,
            _ if error.get("is_transient") == Some(&Value::Bool(true)) => 503,
            _ => status,
        }
    }
}

fn is_twilio(target: &Target) -> bool {
    target.text("provider") == Some("twilio")
}

fn cloud(target: &Target, shown: &Shown<'_>) -> Result<Parcel, String> {
    let number =
        target.text("phone_number_id").filter(|id| settings::is_number(id)).ok_or("there is no sender: set phone_number_id")?;
    let to = target.text("to").ok_or("there is no receiver: set to")?;
    let (kind, content) = match target.text("template") {
        Some(name) => {
            let parameters: Vec<Value> =
                parameters(target, shown).iter().map(|text| json!({ "type": "text", "text": text })).collect();
            let language = json!({ "code": target.text("language").unwrap_or("en") });
            (
                "template",
                json!({ "name": name, "language": language, "components": [{ "type": "body", "parameters": parameters }] }),
            )
        }
        None => ("text", json!({ "preview_url": false, "body": text(shown, TEXT_MAX) })),
    };
    let body = json!({ "messaging_product": "whatsapp", "recipient_type": "individual", "to": to, "type": kind, kind: content });
    let url = Secret::new(format!("{}/{number}/messages", target.base(API)));
    Ok(Parcel::json(&url, &body).bearer(target.token()))
}

fn text(shown: &Shown<'_>, max: usize) -> String {
    let link = shown.link.as_ref().map(|link| link.url.as_str());
    shown.plain(link, max, Unit::Utf16, verbatim)
}

/// What a template is told, in order; none is blank.
fn parameters(target: &Target, shown: &Shown<'_>) -> Vec<String> {
    let named = target.texts("parameters");
    let named = if named.is_empty() { USUAL.to_vec() } else { named };
    let told = |name: &str| {
        let max = PARAMETERS.iter().find(|(known, _)| *known == name).map_or(0, |(_, max)| *max);
        let text = match name {
            "heading" => shown.heading.to_owned(),
            "title" => shown.title.clone().into_owned(),
            "place" => shown.place(),
            "severity" => shown.fact("Severity").unwrap_or_default().to_owned(),
            "source" => shown.fact("Source").unwrap_or_default().to_owned(),
            "notes" => shown.notes.clone(),
            // One that is cut leads nowhere.
            "link" => shown.link.as_ref().map(|link| link.url.clone()).filter(|url| url.len() <= max).unwrap_or_default(),
            _ => String::new(),
        };
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if printable::is_blank(&line) { "-".to_owned() } else { limit::cut(&line, max, Unit::Utf16).into_owned() }
    };
    named.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use url::form_urlencoded;

    use super::super::testing::{header, incident, known, letter, parcel, sent, target, test, with, wrong};
    use super::*;

    fn meta(more: &Value) -> Target {
        let mut target = with(known(target(""), "key"), &json!({ "phone_number_id": "123", "to": "+4915112345678" }));
        target.options.extend(more.as_object().unwrap().clone());
        target
    }

    fn by_twilio(more: &Value) -> Target {
        let options = json!({ "provider": "twilio", "from": "+15005550006", "to": "+4915112345678" });
        let mut target =
            Target { basic_auth: Some((format!("AC{}", "0".repeat(32)), Secret::new("token"))), ..with(target(""), &options) };
        target.options.extend(more.as_object().unwrap().clone());
        target
    }

    #[test]
    fn a_text_goes_to_whoever_has_written_and_a_template_to_anybody() {
        let message = incident("The disk\n\tis    full");
        let text = parcel(&WhatsApp, &meta(&json!({})), &letter(&message));
        assert_eq!(
            (text.url.expose(), header(&text, "authorization")),
            ("https://graph.facebook.com/v23.0/123/messages", Some("Bearer key"))
        );
        assert_eq!((&sent(&text)["type"], &sent(&text)["text"]["preview_url"]), (&json!("text"), &json!(false)));
        let template = sent(&parcel(&WhatsApp, &meta(&json!({ "template": "page" })), &letter(&message)));
        assert_eq!((&template["type"], &template["template"]["language"]), (&json!("template"), &json!({ "code": "en" })));
        let told: Vec<_> = template["template"]["components"][0]["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["text"].clone())
            .collect();
        assert_eq!(
            told,
            [
                "Triggered",
                "The disk is full",
                "critical on db-1.example.com (checkout)",
                "https://callbox.example/incidents/inc_1"
            ]
        );
        let test = test();
        let told = sent(&parcel(
            &WhatsApp,
            &meta(&json!({ "template": "page", "parameters": ["link", "notes", "title"] })),
            &letter(&test),
        ));
        assert_eq!(told["template"]["components"][0]["parameters"][1]["text"], "-");
    }

    #[test]
    fn twilio_takes_both_too() {
        let message = incident("x");
        let form = |target: &Target| {
            form_urlencoded::parse(&parcel(&WhatsApp, target, &letter(&message)).body).into_owned().collect::<Vec<_>>()
        };
        let text = form(&by_twilio(&json!({})));
        assert_eq!(
            (text[0].1.as_str(), text[1].1.as_str(), text[2].0.as_str()),
            ("whatsapp:+4915112345678", "whatsapp:+15005550006", "Body")
        );
        let sid = format!("HX{}", "0".repeat(32));
        let template = form(&by_twilio(&json!({ "content_sid": sid, "parameters": ["title", "severity"] })));
        assert_eq!((template[2].1.as_str(), template[3].1.as_str()), (sid.as_str(), r#"{"1":"x","2":"critical"}"#));
    }

    #[test]
    fn an_error_is_read_by_its_code() {
        let status = |status, code: u32| {
            WhatsApp.status(&meta(&json!({})), status, format!(r#"{{"error": {{"code": {code}}}}}"#).as_bytes())
        };
        assert_eq!(
            [status(400, 131_056), status(400, 130_429), status(400, 131_000), status(400, 190), status(400, 131_047)],
            [429, 429, 503, 401, 400]
        );
        assert_eq!(WhatsApp.status(&meta(&json!({})), 400, br#"{"error": {"code": 7, "is_transient": true}}"#), 503);
        assert_eq!(
            (WhatsApp.status(&by_twilio(&json!({})), 400, br#"{"code": 63016}"#), WhatsApp.status(&meta(&json!({})), 200, b"{}")),
            (400, 200)
        );
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!((wrong(&WhatsApp, &meta(&json!({}))), wrong(&WhatsApp, &by_twilio(&json!({})))), (vec![], vec![]));
        assert_eq!(wrong(&WhatsApp, &target("x")), ["url", "token", "phone_number_id", "to"]);
        let bad = json!({ "template": "a b", "language": "e n", "parameters": ["body"], "provider": "sms" });
        assert_eq!(wrong(&WhatsApp, &meta(&bad)), ["provider", "template", "language", "parameters"]);
        assert_eq!(wrong(&WhatsApp, &by_twilio(&json!({ "from": "Callbox", "content_sid": "x" }))), ["from", "content_sid"]);
        let message = incident("x");
        assert!(WhatsApp.parcel(&target(""), &letter(&message)).is_err());
    }
}
