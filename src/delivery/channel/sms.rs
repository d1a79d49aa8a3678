//! SMS, by Twilio.
//!
//! <https://www.twilio.com/docs/messaging/api/message-resource>. A text may have 1,600 characters, and costs by the segment: a destination
//! says how many it may take, three by itself. Text in SMS has no markup; whatever looks like a link is one.

use serde_json::Value;

use super::printable::verbatim;
use super::settings::{self, Problem, Settings};
use super::shown::Shown;
use super::{Channel, Letter, Sending, Target, gsm, twilio};
use crate::delivery::limit::Unit;

/// SMS.
pub struct Sms;

/// Segments of a text, where nothing is said, and at most: ten are what Twilio takes.
const SEGMENTS: u64 = 3;
const SEGMENTS_MAX: u64 = 10;

/// Characters before they are made to fit.
const TEXT_MAX: usize = 5_000;

impl Channel for Sms {
    fn kind(&self) -> &'static str {
        "sms"
    }

    fn name(&self) -> &'static str {
        "SMS (Twilio)"
    }

    fn docs(&self) -> &'static str {
        "https://www.twilio.com/docs/messaging/api/message-resource"
    }

    fn options(&self) -> &'static [&'static str] {
        &["account_sid", "from", "to", "segments"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        let what = "the sender: a number with its country, a short code, a name of up to 11 letters and digits, or a Messaging Service SID (MG…)";
        twilio::check(&mut settings, target, is_sender, what);
        if target
            .options
            .get("segments")
            .is_some_and(|count| !count.as_u64().is_some_and(|count| (1..=SEGMENTS_MAX).contains(&count)))
        {
            settings.wrong("segments", format!("must be a number from 1 to {SEGMENTS_MAX}"));
        }
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let segments = target.options.get("segments").and_then(Value::as_u64).unwrap_or(SEGMENTS).clamp(1, SEGMENTS_MAX);
        let body = text(&Shown::of(letter.message), usize::try_from(segments).unwrap_or(1));
        Ok(twilio::message(target, "", &[("Body", &body)])?.into())
    }
}

/// A message within so many segments.
pub fn text(shown: &Shown<'_>, segments: usize) -> String {
    let link = shown.link.as_ref().map(|link| link.url.as_str());
    gsm::fit(&shown.plain(None, TEXT_MAX, Unit::Characters, verbatim), link, segments)
}

/// A short code, or a name (<https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id>).
fn is_sender(text: &str) -> bool {
    let code = (3..=8).contains(&text.len()) && settings::is_number(text);
    let name = text.len() <= 11 && settings::is_word(text, " +-_&") && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    code || name
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::form_urlencoded;

    use super::super::testing::{header, incident, letter, parcel, target, with, wrong};
    use super::*;
    use crate::secret::Secret;

    fn account() -> String {
        format!("AC{}", "0".repeat(32))
    }

    fn phone(options: &Value) -> Target {
        Target { basic_auth: Some((account(), Secret::new("token"))), ..with(target(""), options) }
    }

    #[test]
    fn a_text_keeps_its_link_within_its_segments() {
        let target = phone(&json!({ "from": "+15005550006", "to": "+4915112345678", "segments": 1 }));
        assert_eq!(wrong(&Sms, &target), [""; 0]);
        let message = incident(&"The disk is full. ".repeat(20));
        let parcel = parcel(&Sms, &target, &letter(&message));
        assert_eq!(parcel.url.expose(), format!("https://api.twilio.com/2010-04-01/Accounts/{}/Messages.json", account()));
        assert_eq!(header(&parcel, "content-type"), Some("application/x-www-form-urlencoded"));
        assert!(header(&parcel, "authorization").unwrap().starts_with("Basic "));
        let fields: Vec<(String, String)> = form_urlencoded::parse(&parcel.body).into_owned().collect();
        assert_eq!(fields[0], ("To".to_owned(), "+4915112345678".to_owned()));
        assert_eq!(fields[1], ("From".to_owned(), "+15005550006".to_owned()));
        assert!(
            fields[2].1.starts_with("Triggered: The disk is full.")
                && fields[2].1.ends_with("...\nhttps://callbox.example/incidents/inc_1")
        );
        assert_eq!(gsm::segments(&fields[2].1), 1);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for from in ["Callbox", "72725", "+15005550006", &format!("MG{}", "a".repeat(32))] {
            assert_eq!(wrong(&Sms, &phone(&json!({ "from": from, "to": "+4915112345678" }))), [""; 0], "{from}");
        }
        for (from, to) in [("", "+4915112345678"), ("A name too long", "+4915112345678"), ("1\r\n2", "+4915112345678")] {
            assert_eq!(wrong(&Sms, &phone(&json!({ "from": from, "to": to }))), ["from"], "{from}");
        }
        for to in ["015112345678", "+0", "+49 151", "ann"] {
            assert_eq!(wrong(&Sms, &phone(&json!({ "from": "Callbox", "to": to }))), ["to"], "{to}");
        }
        assert_eq!(wrong(&Sms, &phone(&json!({ "from": "Callbox", "to": "+4915112345678", "segments": 0 }))), ["segments"]);
        let key = Target {
            basic_auth: Some((format!("SK{}", "0".repeat(32)), Secret::new("s"))),
            ..phone(&json!({ "from": "Callbox", "to": "+4915112345678" }))
        };
        assert_eq!(wrong(&Sms, &key), ["account_sid"]);
        let named = Target {
            options: json!({ "from": "C", "to": "+4915112345678", "account_sid": account() }).as_object().unwrap().clone(),
            ..key
        };
        assert_eq!(wrong(&Sms, &named), [""; 0]);
        let message = incident("x");
        assert!(Sms.parcel(&target(""), &letter(&message)).is_err());
    }
}
