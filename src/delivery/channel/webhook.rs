//! Any receiver of JSON over HTTP: the message as it is, signed.
//!
//! Signed by Standard Webhooks (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), by every live
//! secret while one is rotated; besides, where the destination names a header, by a plain `sha256=<hex>` of the body in it.

use serde_json::Value;

use super::settings::{self, Problem, Settings};
use super::{Channel, Letter, Parcel, Sending, Target};
use crate::secret::Secret;
use crate::signature::{self, Hmac, Prefix, Scheme};

/// The generic webhook.
pub struct Webhook;

/// Methods that a destination may choose.
const METHODS: [&str; 3] = ["POST", "PUT", "PATCH"];

/// Header fields that are ours to set, or the connection's.
const OURS: [&str; 8] = [
    "content-length",
    "content-type",
    "host",
    "connection",
    "transfer-encoding",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

impl Channel for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn name(&self) -> &'static str {
        "Webhook"
    }

    fn docs(&self) -> &'static str {
        "https://www.standardwebhooks.com"
    }

    fn options(&self) -> &'static [&'static str] {
        &["method", "content_type", "signature_header"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.url("the receiver's URL, with http or https");
        for (name, value) in &target.headers {
            if OURS.contains(&name.to_ascii_lowercase().as_str()) {
                settings.wrong("headers", format!("{name:?} is set by Callbox: leave it out"));
            } else if !is_name(name) {
                settings.wrong("headers", format!("{name:?} is no name of a header field"));
            } else if !settings::is_field_value(value.expose()) {
                settings.wrong("headers", format!("the value of {name:?} holds a character that no header field may hold"));
            }
        }
        if target.token.is_some() {
            settings.token(|token| !token.contains(' '), "a bearer token, or left out");
        }
        if target.basic_auth.is_some() {
            settings.login(|user| !user.is_empty(), "a user, without a colon, and a password");
        }
        let authorization = target.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if u8::from(authorization) + u8::from(target.token.is_some()) + u8::from(target.basic_auth.is_some()) > 1 {
            settings.wrong("basic_auth", "a token, a user and a header Authorization are the same field: use one of them");
        }
        let free = |name: &str| is_name(name) && !OURS.contains(&name.to_ascii_lowercase().as_str());
        settings.text("signature_header", false, free, "the name of a header field, as X-Signature");
        settings.text("method", false, |method| METHODS.contains(&method), &format!("one of {}", METHODS.join(", ")));
        settings.text("content_type", false, is_media_type, "a media type, as text/plain");
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let body = serde_json::to_vec(letter.message).map_err(|error| format!("the message cannot be written: {error}"))?;
        Ok(sealed(target, letter, body, "application/json").into())
    }
}

/// A body on its way to a webhook: signed, with the destination's own header fields. The destination's option `content_type` counts
/// before `content_type`.
pub fn sealed(target: &Target, letter: &Letter<'_>, body: Vec<u8>, content_type: &str) -> Parcel {
    let content_type = target.text("content_type").filter(|named| is_media_type(named)).unwrap_or(content_type);
    let method = target.options.get("method").and_then(Value::as_str);
    let method = METHODS.into_iter().find(|known| Some(*known) == method).unwrap_or("POST");
    let mut headers = vec![("content-type".to_owned(), Secret::new(content_type))];
    let signed = |scheme: &Scheme| signature::sign(scheme, &target.signing, letter.id, &body, letter.now);
    let as_header = |(name, value): (String, String)| (name, Secret::new(value));
    if target.signing.is_empty() {
        // Unsigned, but still known by its id: receivers drop what they have had.
        headers.push(("webhook-id".to_owned(), Secret::new(letter.id)));
        headers.push(("webhook-timestamp".to_owned(), Secret::new(letter.now.seconds().to_string())));
    } else {
        headers.extend(signed(&Scheme::StandardWebhooks).into_iter().map(as_header));
        if let Some(name) = target.options.get("signature_header").and_then(Value::as_str) {
            let plain = Hmac { header: name.to_ascii_lowercase().into(), prefix: Prefix::Required("sha256="), ..Hmac::PLAIN };
            headers.extend(signed(&Scheme::Hmac(plain)).into_iter().map(as_header));
        }
    }
    headers.extend(target.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    let parcel = Parcel { method, url: target.url.clone(), headers, body };
    match (&target.token, &target.basic_auth) {
        (Some(token), _) => parcel.bearer(token.expose()),
        (None, Some((user, password))) => parcel.basic(user, password),
        (None, None) => parcel,
    }
}

/// A token of RFC 9110.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A type, a slash and a subtype, perhaps with parameters.
fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    settings::is_field_value(text) && essence.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{NOW, header, incident, known, letter, parcel, sent, target, with, wrong};
    use super::*;
    use crate::provider::Headers;

    #[test]
    fn the_body_is_the_message_and_signed_by_every_live_secret() {
        let message = incident("The disk is full");
        let mut target = target("https://receiver.example/hook");
        target.signing = vec![Secret::new("whsec_bmV3IHNlY3JldA=="), Secret::new("whsec_b2xkIHNlY3JldA==")];
        target.options = json!({"signature_header": "X-Exosphere-Signature"}).as_object().unwrap().clone();
        target.basic_auth = Some(("callbox".to_owned(), Secret::new("hunter2")));
        let parcel = parcel(&Webhook, &target, &letter(&message));
        let body = sent(&parcel);
        assert_eq!(body["event"], "incident.triggered");
        assert_eq!(body["incident"]["title"], "The disk is full");
        assert_eq!(body["incident"]["assignee"], Value::Null);
        assert_eq!(body["incident"].get("custom_details"), None, "not unless the destination includes it");
        let headers = Headers::new(parcel.headers.iter().map(|(name, value)| (name.as_str(), value.expose())));
        for secret in &target.signing {
            let only = std::slice::from_ref(secret);
            let held = signature::check(&Scheme::StandardWebhooks, &headers, &parcel.body, only, NOW).unwrap();
            assert_eq!(held.delivery_id.as_deref(), Some("dlv_1"));
        }
        assert!(header(&parcel, "x-exosphere-signature").unwrap().starts_with("sha256="));
        assert_eq!(header(&parcel, "authorization"), Some("Basic Y2FsbGJveDpodW50ZXIy"));
        assert!(!format!("{parcel:?}{target:?}").contains("hunter2"));
    }

    #[test]
    fn without_a_secret_it_still_has_its_id() {
        let message = incident("x");
        let parcel = parcel(&Webhook, &target("https://receiver.example"), &letter(&message));
        assert_eq!((parcel.method, header(&parcel, "webhook-id")), ("POST", Some("dlv_1")));
        assert_eq!(header(&parcel, "webhook-signature"), None);
    }

    #[test]
    fn what_in_a_url_lets_anybody_post_is_not_shown() {
        for (url, shown) in [
            ("https://receiver.example/hook", "https://receiver.example/hook"),
            ("https://receiver.example/hooks/abc?wait=1", "https://receiver.example/hooks/***?wait=1"),
            (
                "https://api.telegram.org/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage",
                "https://api.telegram.org/***/sendMessage",
            ),
            (
                "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXX1",
                "https://hooks.slack.com/services/T00000000/B00000000/***",
            ),
        ] {
            assert_eq!(Webhook.masked_url(url), shown);
        }
    }

    #[test]
    fn a_token_and_a_content_type_are_sent_as_they_are() {
        let message = incident("x");
        let target =
            with(known(target("https://receiver.example"), "abc"), &json!({ "content_type": "text/plain; charset=utf-8" }));
        let parcel = parcel(&Webhook, &target, &letter(&message));
        assert_eq!(
            (header(&parcel, "authorization"), header(&parcel, "content-type")),
            (Some("Bearer abc"), Some("text/plain; charset=utf-8"))
        );
        assert!(Webhook.problems(&target).is_empty());
    }

    #[test]
    fn what_would_break_a_request_is_refused_when_it_is_saved() {
        let problems = |change: &dyn Fn(&mut Target)| {
            let mut target = target("https://receiver.example");
            change(&mut target);
            wrong(&Webhook, &target)
        };
        let headers = |name: &'static str, value: &'static str| {
            move |target: &mut Target| target.headers = vec![(name.to_owned(), Secret::new(value))]
        };
        let options = |options: Value| move |target: &mut Target| target.options = options.as_object().unwrap().clone();
        let login = |user: &'static str| move |target: &mut Target| target.basic_auth = Some((user.to_owned(), Secret::new("c")));
        assert_eq!(problems(&|_| {}), [""; 0]);
        assert_eq!(problems(&headers("X-Team", "on call\tnow")), [""; 0]);
        for (name, value) in [
            ("X-Team", "a\r\nX-Evil: b"),
            ("X-Team", "a\0"),
            ("X-Te\nam", "a"),
            ("", "a"),
            ("X Team", "a"),
            ("Webhook-Id", "a"),
            ("Host", "a"),
        ] {
            assert_eq!(problems(&headers(name, value)), ["headers"], "{name:?} {value:?}");
        }
        for bad in [
            json!({ "method": "GET" }),
            json!({ "signature_header": "a b" }),
            json!({ "content_type": "json" }),
            json!({ "content_type": "a/b\r\nc" }),
        ] {
            let name = bad.as_object().unwrap().keys().next().unwrap().clone();
            assert_eq!(problems(&options(bad)), [name]);
        }
        assert_eq!(problems(&options(json!({ "method": "PUT", "signature_header": "X-Hub-Signature-256" }))), [""; 0]);
        assert_eq!((problems(&login("a")), problems(&login("a:b"))), (vec![], vec!["basic_auth"]));
        assert_eq!(
            problems(
                &|target| (target.token, target.basic_auth) = (Some(Secret::new("a")), Some(("a".to_owned(), Secret::new("b"))))
            ),
            ["basic_auth"]
        );
        assert_eq!(problems(&|target| target.token = Some(Secret::new("a b"))), ["token"]);
        assert_eq!(problems(&|target| target.url = Secret::new("receiver.example")), ["url"]);
    }
}
