//! Amazon SNS: a topic, a phone, or a platform's endpoint.
//!
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>: a message of 262,144 bytes, a subject of fewer than 100 ASCII characters that
//! begins with a letter, digit or sign, an SMS of 1,600 characters. To a topic goes a text for people and, for subscribers that are programs, the
//! generic webhook's body; subscribers by SMS get a short text. A FIFO topic keeps the order of an incident and drops copies.

use serde_json::{Value, json};
use url::Url;

use super::printable::verbatim;
use super::settings::{self, Problem, Settings};
use super::shown::Shown;
use super::{Channel, Letter, Parcel, Sending, Target, sms, twilio};
use crate::delivery::limit::{self, Unit};
use crate::secret::Secret;
use crate::signature::sigv4::Signer;

/// Amazon SNS.
pub struct AwsSns;

/// Bytes of a text for people; a message has room for 262,144 with all its forms.
const TEXT_MAX: usize = 16_384;
/// Bytes of a message of all forms, below the limit.
const MESSAGE_MAX: usize = 250_000;
/// Characters of a subject.
const SUBJECT_MAX: usize = 99;
/// Segments of an SMS.
const SEGMENTS: usize = 3;

/// What is signed and sent.
const FORM: &str = "application/x-www-form-urlencoded";

/// Whom it may go to: options, and the API's words for them.
const RECEIVERS: [(&str, &str); 3] = [("topic_arn", "TopicArn"), ("target_arn", "TargetArn"), ("phone_number", "PhoneNumber")];

impl Channel for AwsSns {
    fn kind(&self) -> &'static str {
        "aws-sns"
    }

    fn name(&self) -> &'static str {
        "Amazon SNS"
    }

    fn docs(&self) -> &'static str {
        "https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"
    }

    fn options(&self) -> &'static [&'static str] {
        &["topic_arn", "target_arn", "phone_number", "region"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.own_url();
        if !target.url.expose().is_empty() && endpoint(target).is_none() {
            settings.wrong("url", "must have neither a path nor a query: https://sns.eu-west-1.amazonaws.com");
        }
        settings.login(|key| settings::is_word(key, ""), "an access key's id and its secret");
        if target.token.is_some() {
            settings.token(|token| !token.contains(' '), "a session token, or left out");
        }
        settings.text("topic_arn", false, is_arn, "the topic's ARN: arn:aws:sns:REGION:ACCOUNT:NAME");
        settings.text("target_arn", false, is_arn, "an endpoint's ARN: arn:aws:sns:REGION:ACCOUNT:endpoint/…");
        settings.text("phone_number", false, twilio::is_phone, "the receiver's number with its country: +4915112345678");
        settings.text("region", false, |region| settings::is_word(region, "-"), "a region: eu-west-1");
        if RECEIVERS.iter().filter(|(name, _)| target.options.contains_key(*name)).count() != 1 {
            settings.wrong("topic_arn", "must be named, or target_arn, or phone_number: one of them");
        } else if region(target).is_none() {
            settings.wrong("region", "must be named where a phone is the receiver: eu-west-1");
        }
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let (key, secret) = target.basic_auth.as_ref().ok_or("there are no credentials: set basic_auth")?;
        let region = region(target).ok_or("the region is not known: set region")?;
        let (url, host) = endpoint(target).ok_or("the URL is no endpoint of the API: leave it out")?;
        let signer = Signer {
            access_key_id: key,
            secret_access_key: secret,
            session_token: target.token.as_ref(),
            region,
            service: "sns",
        };
        let fields = fields(target, letter)?;
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut parcel = Parcel::form(&Secret::new(url), &fields);
        parcel.headers.extend(signer.sign("POST", &host, Some(FORM), &parcel.body, letter.now));
        Ok(parcel.into())
    }

    fn status(&self, _target: &Target, status: u16, body: &[u8]) -> u16 {
        // Too fast is said with 400 (<https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html>).
        let text = String::from_utf8_lossy(body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
        match code.filter(|_| status >= 400) {
            Some("Throttling" | "Throttled" | "ThrottlingException" | "ThrottledException" | "RequestLimitExceeded") => 429,
            Some("InternalError" | "InternalFailure" | "ServiceUnavailable") => 503,
            _ => status,
        }
    }
}

fn fields(target: &Target, letter: &Letter<'_>) -> Result<Vec<(&'static str, String)>, String> {
    let (word, receiver) = RECEIVERS
        .iter()
        .find_map(|(name, word)| Some((*word, target.text(name)?)))
        .ok_or("there is no receiver: set topic_arn")?;
    let shown = Shown::of(letter.message);
    let mut fields = vec![("Action", "Publish".to_owned()), ("Version", "2010-03-31".to_owned()), (word, receiver.to_owned())];
    if word == "PhoneNumber" {
        fields.push(("Message", sms::text(&shown, SEGMENTS)));
        return Ok(fields);
    }
    fields.extend([("Subject", subject(&shown)), ("MessageStructure", "json".to_owned()), ("Message", forms(&shown, letter)?)]);
    fields.extend([
        ("MessageAttributes.entry.1.Name", "event".to_owned()),
        ("MessageAttributes.entry.1.Value.DataType", "String".to_owned()),
        ("MessageAttributes.entry.1.Value.StringValue", letter.message.event.as_str().to_owned()),
    ]);
    if receiver.ends_with(".fifo") {
        let group = letter.message.incident.as_ref().map_or("callbox", |incident| &incident.id);
        fields.extend([("MessageGroupId", group.to_owned()), ("MessageDeduplicationId", letter.id.to_owned())]);
    }
    Ok(fields)
}

/// What each protocol's subscribers get.
fn forms(shown: &Shown<'_>, letter: &Letter<'_>) -> Result<String, String> {
    let link = shown.link.as_ref().map(|link| link.url.as_str());
    let text = shown.plain(link, TEXT_MAX, Unit::Bytes, verbatim);
    let data = serde_json::to_string(letter.message).map_err(|error| format!("the message cannot be written: {error}"))?;
    let mut forms = json!({ "default": text, "sms": sms::text(shown, SEGMENTS) });
    let full = |forms: &Value| forms.to_string().len();
    // In all forms a program may read it by, a quote in it is written as many characters.
    let programs = ["lambda", "sqs", "http", "https", "firehose"];
    let room = MESSAGE_MAX.saturating_sub(full(&forms));
    if let (true, Some(members)) = (programs.len() * (json!(data).to_string().len() + 20) <= room, forms.as_object_mut()) {
        members.extend(programs.map(|name| (name.to_owned(), json!(data))));
    }
    Ok(forms.to_string())
}

/// In ASCII, on one line, and not blank.
fn subject(shown: &Shown<'_>) -> String {
    let line: String = shown.line().chars().map(|character| if character.is_ascii() { character } else { '?' }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    limit::cut_escaped(&line, SUBJECT_MAX, Unit::Bytes, verbatim).replace('…', "...")
}

/// Where the API is, and the host that is signed.
fn endpoint(target: &Target) -> Option<(String, String)> {
    let own = if region(target).is_some_and(|region| region.starts_with("cn-")) { ".cn" } else { "" };
    let own = format!("https://sns.{}.amazonaws.com{own}", region(target).unwrap_or("us-east-1"));
    let url = Url::parse(target.base(&own)).ok().filter(|url| url.path() == "/" && url.query().is_none())?;
    let host = url.host_str()?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some((url.to_string(), host))
}

/// The region: what is named, or what the ARN says.
fn region(target: &Target) -> Option<&str> {
    let arn = ["topic_arn", "target_arn"].iter().find_map(|name| target.text(name)).filter(|arn| is_arn(arn));
    target.text("region").or_else(|| arn?.split(':').nth(3)).filter(|region| settings::is_word(region, "-"))
}

fn is_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let fixed = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("sns");
    let region = parts.next().is_some_and(|region| settings::is_word(region, "-"));
    let account = parts.next().is_some_and(settings::is_number);
    fixed && region && account && parts.next().is_some_and(|name| settings::is_word(name, "-_./"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use url::form_urlencoded;

    use super::super::testing::{header, incident, known, letter, parcel, target, with, wrong};
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:pages";

    fn aws(options: &Value) -> Target {
        Target { basic_auth: Some(("AKIDEXAMPLE".to_owned(), Secret::new("secret"))), ..with(target(""), options) }
    }

    fn form(target: &Target, title: &str) -> BTreeMap<String, String> {
        let message = incident(title);
        form_urlencoded::parse(&parcel(&AwsSns, target, &letter(&message)).body).into_owned().collect()
    }

    #[test]
    fn a_topic_gets_a_text_for_people_and_json_for_programs() {
        let target = aws(&json!({ "topic_arn": TOPIC }));
        let message = incident("Die Platte ist voll – “sofort”");
        let parcel = parcel(&AwsSns, &target, &letter(&message));
        assert_eq!(
            (parcel.url.expose(), header(&parcel, "x-amz-date")),
            ("https://sns.eu-west-1.amazonaws.com/", Some("20250615T150640Z"))
        );
        let authorization = header(&parcel, "authorization").unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250615/eu-west-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date, "));
        assert_eq!(header(&parcel, "content-type"), Some(FORM));
        let fields = form(&target, "Die Platte ist voll – “sofort”");
        assert_eq!(
            (fields["TopicArn"].as_str(), fields["Subject"].as_str()),
            (TOPIC, "Triggered: Die Platte ist voll ? ?sofort?")
        );
        let forms: Value = serde_json::from_str(&fields["Message"]).unwrap();
        assert!(forms["default"].as_str().unwrap().ends_with("\nhttps://callbox.example/incidents/inc_1"));
        let data: Value = serde_json::from_str(forms["sqs"].as_str().unwrap()).unwrap();
        assert_eq!(data["incident"]["id"], "inc_1");
        assert_eq!(fields.get("MessageGroupId"), None);
    }

    #[test]
    fn a_fifo_topic_keeps_order_and_drops_copies() {
        let fields = form(&aws(&json!({ "topic_arn": format!("{TOPIC}.fifo") })), "x");
        assert_eq!((fields["MessageGroupId"].as_str(), fields["MessageDeduplicationId"].as_str()), ("inc_1", "dlv_1"));
    }

    #[test]
    fn a_phone_gets_an_sms() {
        let target = aws(&json!({ "phone_number": "+4915112345678", "region": "cn-north-1" }));
        let fields = form(&target, "x");
        assert_eq!((fields["PhoneNumber"].as_str(), fields.get("Subject")), ("+4915112345678", None));
        let message = incident("x");
        assert_eq!(
            parcel(&AwsSns, &known(target, "session"), &letter(&message)).url.expose(),
            "https://sns.cn-north-1.amazonaws.com.cn/"
        );
    }

    #[test]
    fn what_is_too_large_for_every_form_is_left_to_people() {
        let fields = form(&aws(&json!({ "topic_arn": TOPIC })), &"\"".repeat(100_000));
        let forms: Value = serde_json::from_str(&fields["Message"]).unwrap();
        assert!(fields["Message"].len() < 262_144 && forms.get("sqs").is_none() && forms.get("default").is_some());
    }

    #[test]
    fn errors_and_settings_are_read_as_what_they_amount_to() {
        let status = |code: &str| {
            AwsSns.status(
                &aws(&json!({})),
                400,
                format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>").as_bytes(),
            )
        };
        assert_eq!(
            (status("Throttling"), status("InvalidParameter"), AwsSns.status(&aws(&json!({})), 200, b"<Code>Throttling</Code>")),
            (429, 400, 200)
        );
        assert_eq!(wrong(&AwsSns, &aws(&json!({ "topic_arn": TOPIC }))), [""; 0]);
        assert_eq!(wrong(&AwsSns, &aws(&json!({ "phone_number": "+4915112345678" }))), ["region"]);
        assert_eq!(wrong(&AwsSns, &aws(&json!({ "topic_arn": "pages", "target_arn": TOPIC }))), ["topic_arn", "topic_arn"]);
        assert_eq!(wrong(&AwsSns, &target("https://sns.example/path")), ["url", "basic_auth", "topic_arn"]);
    }
}
