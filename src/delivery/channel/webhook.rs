//! Any receiver of JSON over HTTP: the message as it is, signed.
//!
//! Signed by Standard Webhooks (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), by every live
//! secret while one is rotated; besides, where the destination names a header, by a plain `sha256=<hex>` of the body in it.

use serde_json::Value;

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

    fn problems(&self, target: &Target) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for (name, value) in &target.headers {
            if OURS.contains(&name.to_ascii_lowercase().as_str()) {
                problems.push(("headers", format!("{name:?} is set by Callbox")));
            } else if !is_name(name) {
                problems.push(("headers", format!("{name:?} is no name of a header field")));
            } else if !is_value(value.expose()) {
                problems.push(("headers", format!("the value of {name:?} holds a character that no header field may hold")));
            }
        }
        if target.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) && target.basic_auth.is_some() {
            problems.push(("basic_auth", "cannot be combined with a header Authorization: use one of them".to_owned()));
        }
        if let Some((user, _)) = &target.basic_auth
            && user.contains(':')
        {
            problems.push(("basic_auth", "the user name holds a colon, which ends it".to_owned()));
        }
        match target.options.get("signature_header").map(Value::as_str) {
            Some(Some(name)) if is_name(name) && !OURS.contains(&name.to_ascii_lowercase().as_str()) => {}
            None => {}
            _ => problems.push(("signature_header", "must be the name of a header field".to_owned())),
        }
        match target.options.get("method").map(Value::as_str) {
            None => {}
            Some(Some(method)) if METHODS.contains(&method) => {}
            _ => problems.push(("method", format!("must be one of {}", METHODS.join(", ")))),
        }
        problems
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let body = serde_json::to_vec(letter.message).map_err(|error| format!("the message cannot be written: {error}"))?;
        Ok(sealed(target, letter, body, "application/json").into())
    }
}

/// A body on its way to a webhook: signed, with the destination's own header fields.
pub fn sealed(target: &Target, letter: &Letter<'_>, body: Vec<u8>, content_type: &str) -> Parcel {
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
    if let Some((user, password)) = &target.basic_auth {
        headers.push(("authorization".to_owned(), basic(user, password)));
    }
    headers.extend(target.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    Parcel { method, url: target.url.clone(), headers, body }
}

/// <https://www.rfc-editor.org/rfc/rfc7617>
fn basic(user: &str, password: &Secret) -> Secret {
    use base64::Engine;
    let pair = format!("{user}:{}", password.expose());
    Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

/// A token of RFC 9110.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Visible text and spaces: what no reader takes for the end of the field.
fn is_value(value: &str) -> bool {
    value.len() <= 4096 && value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{NOW, incident, letter, parcel, target};
    use super::*;
    use crate::provider::Headers;

    fn header<'a>(parcel: &'a Parcel, name: &str) -> Option<&'a str> {
        parcel.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.expose())
    }

    #[test]
    fn the_body_is_the_message_and_signed_by_every_live_secret() {
        let message = incident("The disk is full");
        let mut target = target("https://receiver.example/hook");
        target.signing = vec![Secret::new("whsec_bmV3IHNlY3JldA=="), Secret::new("whsec_b2xkIHNlY3JldA==")];
        target.options = json!({"signature_header": "X-Exosphere-Signature"}).as_object().unwrap().clone();
        target.basic_auth = Some(("callbox".to_owned(), Secret::new("hunter2")));
        let parcel = parcel(&Webhook, &target, &letter(&message));
        let body: Value = serde_json::from_slice(&parcel.body).unwrap();
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
    fn what_would_break_a_request_is_refused_when_it_is_saved() {
        let problems = |change: &dyn Fn(&mut Target)| {
            let mut target = target("https://receiver.example");
            change(&mut target);
            Webhook.problems(&target).into_iter().map(|(setting, _)| setting).collect::<Vec<_>>()
        };
        let headers = |name: &'static str, value: &'static str| {
            move |target: &mut Target| target.headers = vec![(name.to_owned(), Secret::new(value))]
        };
        let options = |options: Value| move |target: &mut Target| target.options = options.as_object().unwrap().clone();
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
        assert_eq!(problems(&options(json!({"method": "GET"}))), ["method"]);
        assert_eq!(problems(&options(json!({"signature_header": "a b"}))), ["signature_header"]);
        assert_eq!(problems(&options(json!({"method": "PUT", "signature_header": "X-Hub-Signature-256"}))), [""; 0]);
        assert_eq!(problems(&|target| target.basic_auth = Some(("a:b".to_owned(), Secret::new("c")))), ["basic_auth"]);
    }
}
