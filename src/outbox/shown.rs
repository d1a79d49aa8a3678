//! What was sent and what came back, as people may see it: without secrets, and not more than is of use.

use serde_json::{Value, json};

use crate::delivery::channel::{Channel, Sending, Target};
use crate::delivery::message::HOPS;
use crate::secret::Secret;

/// Characters of an answer that are kept.
const ANSWER_MAX: usize = 2_048;
/// Bytes of a body that are kept with an attempt.
const BODY_MAX: usize = 64 * 1024;

/// What was sent, as people may see it.
pub fn shown(channel: &'static dyn Channel, target: &Target, sending: &Sending) -> Value {
    match sending {
        Sending::Http(parcel) => {
            let headers: Vec<Value> = parcel
                .headers
                .iter()
                .map(|(name, value)| json!([name, if is_open(name) { value.expose() } else { "[redacted]" }]))
                .collect();
            let body = parcel.body.get(..BODY_MAX.min(parcel.body.len())).unwrap_or_default();
            json!({
                "method": parcel.method,
                "url": channel.masked_url(parcel.url.expose()),
                "headers": headers,
                "body": redacted(target, &String::from_utf8_lossy(body)),
            })
        }
        Sending::Mail(mail) => json!({
            "method": "MAIL",
            "url": format!("smtp://{}", mail.server.host),
            "headers": [["from", mail.from], ["to", mail.to.join(", ")], ["subject", mail.subject], ["message-id", mail.message_id]],
            "body": redacted(target, &mail.text),
        }),
    }
}

/// Header fields that hold no secret: those of the body, and what a receiver checks a signature with.
fn is_open(name: &str) -> bool {
    matches!(name, "content-type" | "accept" | "idempotency-key" | HOPS)
        || name.starts_with("webhook-")
        || name.ends_with("signature")
}

/// The beginning of an answer; a receiver may send back what it was sent.
pub fn excerpt(target: &Target, sending: &Sending, body: &[u8]) -> Option<String> {
    let mut text = redacted(target, &String::from_utf8_lossy(body)).replace('\0', "\u{fffd}");
    // What a channel makes of a secret is one too: the header of a password.
    if let Sending::Http(parcel) = sending {
        let closed = parcel.headers.iter().filter(|(name, _)| !is_open(name)).map(|(_, value)| value.expose());
        text = closed.filter(|value| value.len() >= 6).fold(text, |text, value| text.replace(value, "[redacted]"));
    }
    let text: String = text.chars().take(ANSWER_MAX).collect();
    (!text.is_empty()).then_some(text)
}

/// A text without the destination's secrets.
pub fn redacted(target: &Target, text: &str) -> String {
    let basic = target.basic_auth.iter().map(|(_, password)| password);
    let headers = target.headers.iter().map(|(_, value)| value);
    let secrets = target.token.iter().chain(&target.signing).chain(basic).chain(headers).chain([&target.url]);
    secrets
        .map(Secret::expose)
        .filter(|secret| secret.len() >= 6)
        .fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
}
