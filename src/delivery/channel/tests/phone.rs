//! What phones take.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::testing::{known, target, with};
use super::super::{Target, gsm};
use super::schema::Shape::{Counted, Either, Flag, List, Map, Number, Object, Text, Url, Word};
use super::schema::{self, Shape};
use super::{Case, Sent, Verdict, case, ensure};
use crate::delivery::limit::Unit;
use crate::secret::Secret;

pub fn cases() -> Vec<Case> {
    let twilio = |options: Value| {
        let login = (format!("AC{}", "0".repeat(32)), Secret::new("token"));
        Target { basic_auth: Some(login), ..with(target(""), &options) }
    };
    let meta = |options: Value| with(known(target(""), "key"), &options);
    let aws =
        |options: Value| Target { basic_auth: Some(("AKIDEXAMPLE".to_owned(), Secret::new("s"))), ..with(target(""), &options) };
    let to = "+4915112345678";
    let content = format!("HX{}", "0".repeat(32));
    let every = json!(["heading", "title", "place", "link", "severity", "source", "notes"]);
    let topic = "arn:aws:sns:eu-west-1:123456789012:pages";
    let app = |name: &str| {
        let mut target = meta(json!({ "app_id": "11111111-2222-4333-8444-555555555555" }));
        target.options.insert(name.to_owned(), json!(["a"]));
        target
    };
    vec![
        case("sms", twilio(json!({ "from": "Callbox", "to": to })), None, sms_valid),
        case("sms", twilio(json!({ "from": "+15005550006", "to": to, "segments": 1 })), None, sms_valid),
        case("sms", twilio(json!({ "from": format!("MG{}", "a".repeat(32)), "to": to, "segments": 10 })), None, sms_valid),
        case("whatsapp", twilio(json!({ "provider": "twilio", "from": "+15005550006", "to": to })), None, whatsapp_twilio_valid),
        case(
            "whatsapp",
            twilio(
                json!({ "provider": "twilio", "from": "+15005550006", "to": to, "content_sid": content, "parameters": every }),
            ),
            None,
            whatsapp_twilio_valid,
        ),
        case("whatsapp", meta(json!({ "phone_number_id": "1", "to": to })), None, whatsapp_valid),
        case(
            "whatsapp",
            meta(json!({ "phone_number_id": "1", "to": to, "template": "page", "language": "en_US", "parameters": every })),
            None,
            whatsapp_valid,
        ),
        case("push", app("segments"), None, push_valid),
        case("push", app("external_ids"), None, push_valid),
        case("push", app("subscription_ids"), None, push_valid),
        case("aws-sns", aws(json!({ "topic_arn": topic })), None, sns_valid),
        case("aws-sns", aws(json!({ "topic_arn": format!("{topic}.fifo") })), None, sns_valid),
        case("aws-sns", aws(json!({ "phone_number": to, "region": "us-east-1" })), None, sns_valid),
    ]
}

fn fields(sent: &Sent<'_>, allowed: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let fields = sent.form()?;
    let count = fields.len();
    let fields: BTreeMap<String, String> = fields.into_iter().collect();
    ensure(fields.len() == count, "has a field twice")?;
    ensure(fields.keys().all(|name| allowed.contains(&name.as_str())), &format!("has an unknown field: {fields:?}"))?;
    ensure(fields.values().all(|value| !value.is_empty()), "has an empty field")?;
    Ok(fields)
}

fn short(sent: &Sent<'_>, text: &str, segments: usize) -> Verdict {
    let took = gsm::segments(text);
    ensure(took <= segments && text.chars().count() <= 1_600, &format!("takes {took} segments: {text:?}"))?;
    schema::clean(&json!(text))?;
    // A link longer than half of a segment has no room in one.
    let link = sent.link().filter(|link| link.len() < 30 * segments);
    ensure(link.is_none_or(|link| text.ends_with(&link)), "lost its link")
}

/// <https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource>
fn sms_valid(sent: &Sent<'_>) -> Verdict {
    let fields = fields(sent, &["To", "From", "MessagingServiceSid", "Body"])?;
    ensure(fields.contains_key("From") != fields.contains_key("MessagingServiceSid"), "has no sender, or two")?;
    let segments = sent.target.options.get("segments").and_then(Value::as_u64).unwrap_or(3);
    short(sent, &fields["Body"], usize::try_from(segments).unwrap_or(1))
}

fn told(texts: &[&str]) -> Verdict {
    let all: usize = texts.iter().map(|text| Unit::Utf16.length(text)).sum();
    ensure(all <= 1_024, "has more than a body of 1,024")?;
    let flat = |text: &&str| !text.trim().is_empty() && !text.contains(['\n', '\r', '\t']) && !text.contains("    ");
    ensure(texts.iter().all(flat), &format!("has a parameter that is refused: {texts:?}"))
}

fn whatsapp_twilio_valid(sent: &Sent<'_>) -> Verdict {
    let fields = fields(sent, &["To", "From", "Body", "ContentSid", "ContentVariables"])?;
    ensure(fields["To"].starts_with("whatsapp:+") && fields["From"].starts_with("whatsapp:+"), "goes by SMS")?;
    if let Some(variables) = fields.get("ContentVariables") {
        let variables: BTreeMap<String, String> = serde_json::from_str(variables).map_err(|error| error.to_string())?;
        let names: Vec<String> = (1..=variables.len()).map(|number| number.to_string()).collect();
        ensure(names.iter().all(|name| variables.contains_key(name)), "skips a number")?;
        return told(&variables.values().map(String::as_str).collect::<Vec<_>>());
    }
    let body = &fields["Body"];
    ensure((1..=1_600).contains(&Unit::Utf16.length(body)), "has more than 1,600")?;
    ensure(sent.link().is_none_or(|link| link.len() > 700 || body.ends_with(&link)), "lost its link")?;
    schema::clean(&json!(body))
}

const PARAMETER: Shape = Object(&[("type", true, Word(&["text"])), ("text", true, Counted(1, 1_024, Unit::Utf16))]);
/// <https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api>
const WHATSAPP: Shape = Object(&[
    ("messaging_product", true, Word(&["whatsapp"])),
    ("recipient_type", true, Word(&["individual"])),
    ("to", true, Text(8, 16)),
    ("type", true, Word(&["text", "template"])),
    ("text", false, Object(&[("preview_url", true, Flag), ("body", true, Counted(1, 4_096, Unit::Utf16))])),
    (
        "template",
        false,
        Object(&[
            ("name", true, Text(1, 512)),
            ("language", true, Object(&[("code", true, Text(2, 10))])),
            (
                "components",
                true,
                List(1, 1, &Object(&[("type", true, Word(&["body"])), ("parameters", true, List(1, 10, &PARAMETER))])),
            ),
        ]),
    ),
]);

fn whatsapp_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&WHATSAPP, &body)?;
    schema::clean(&body)?;
    let kind = body["type"].as_str().unwrap_or_default();
    ensure(body.get(kind).is_some() && !(body.get("text").is_some() && body.get("template").is_some()), "is not of its type")?;
    let parameters = body["template"]["components"][0]["parameters"].as_array().into_iter().flatten();
    told(&parameters.filter_map(|one| one["text"].as_str()).collect::<Vec<_>>())
}

const ENGLISH: Shape = Object(&[("en", true, Text(1, 2_000))]);
/// <https://documentation.onesignal.com/reference/push-notification>
const PUSH: Shape = Object(&[
    ("app_id", true, Text(36, 36)),
    ("target_channel", true, Word(&["push"])),
    ("included_segments", false, List(1, 2_000, &Text(1, 128))),
    ("include_aliases", false, Object(&[("external_id", true, List(1, 2_000, &Text(1, 128)))])),
    ("include_subscription_ids", false, List(1, 2_000, &Text(1, 128))),
    ("headings", true, ENGLISH),
    ("contents", true, ENGLISH),
    ("url", false, Url(2_048)),
    ("data", false, Map(5, &Text(1, 100))),
    ("collapse_id", false, Counted(1, 64, Unit::Bytes)),
    ("thread_id", false, Text(1, 64)),
    ("android_group", false, Text(1, 64)),
    ("idempotency_key", true, Text(36, 36)),
    ("priority", false, Number(5, 10)),
    ("ios_interruption_level", false, Either(&[Word(&["active", "time-sensitive"])])),
]);

fn push_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&PUSH, &body)?;
    schema::clean(&body)?;
    let receivers = ["included_segments", "include_aliases", "include_subscription_ids"];
    ensure(receivers.iter().filter(|name| body.get(**name).is_some()).count() == 1, "goes to nobody, or to several")?;
    ensure(sent.link().map(Value::from).as_ref() == body.get("url"), "lost its link")?;
    let texts = schema::texts(&body);
    ensure(texts.iter().all(|(_, text)| !text.contains("{{") && !text.contains("{%")), "has a tag that is filled in")?;
    let shown: usize =
        texts.iter().filter(|(name, _)| ["en", "url", "collapse_id"].contains(&name.as_str())).map(|(_, text)| text.len()).sum();
    ensure(shown <= 3_500, "has more than a phone takes")
}

/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
fn sns_valid(sent: &Sent<'_>) -> Verdict {
    let attribute = [
        "MessageAttributes.entry.1.Name",
        "MessageAttributes.entry.1.Value.DataType",
        "MessageAttributes.entry.1.Value.StringValue",
    ];
    let plain = [
        "Action",
        "Version",
        "TopicArn",
        "TargetArn",
        "PhoneNumber",
        "Message",
        "Subject",
        "MessageStructure",
        "MessageGroupId",
        "MessageDeduplicationId",
    ];
    let fields = fields(sent, &[plain.as_slice(), &attribute].concat())?;
    ensure(["x-amz-date", "authorization"].iter().all(|name| sent.header(name).is_some()), "is not signed")?;
    ensure(fields["Action"] == "Publish" && fields["Version"] == "2010-03-31", "does something else")?;
    let message = &fields["Message"];
    if fields.contains_key("PhoneNumber") {
        return short(sent, message, 3);
    }
    ensure(message.len() <= 262_144, "has more than 262,144 bytes")?;
    let subject = &fields["Subject"];
    let begins = subject.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte.is_ascii_punctuation());
    ensure(
        subject.len() < 100 && begins && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        &format!("has a subject {subject:?}"),
    )?;
    let forms: BTreeMap<String, String> = serde_json::from_str(message).map_err(|error| error.to_string())?;
    let text = forms.get("default").ok_or("has no form for everybody")?;
    ensure(sent.link().is_none_or(|link| text.ends_with(&link)), "lost its link")?;
    schema::clean(&json!(text))?;
    short(sent, &forms["sms"], 3)?;
    let data = forms.get("sqs").map(|data| serde_json::from_str::<Value>(data));
    ensure(
        data.is_none_or(|data| data.is_ok_and(|data| data["event"] == sent.message.event.as_str())),
        "tells programs something else",
    )
}
