//! Amazon SNS: <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>.
//!
//! A message names the certificate that signed it, so the certificate's address is the whole question: it must be SNS's own. A signature
//! says that the message came by way of SNS, and not whose topic it was, which everybody with an account can have: that is what the
//! list of topics is for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::{Host, Url};

use super::Unproven;
use super::certificate::Hash;
use super::{Claim, Key, Origins};
use crate::provider::sns::{self, Envelope, Kind};
use crate::time::Timestamp;

/// Seconds that a message may be old: SNS gives a delivery up after an hour, and clocks differ.
pub const AGE_MAX: i64 = 3_600 + 300;
/// Seconds that a message may be ahead.
pub const AHEAD_MAX: i64 = 300;
/// Messages of one body that are checked; a topic posts one.
const CLAIMS_MAX: usize = 10;

/// What is demanded of messages.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rules {
    /// Topics that may post; empty: all.
    pub topics: Vec<String>,
    /// Whether each message must be signed. Where not, only what a subscription is confirmed by must be.
    pub required: bool,
}

impl Rules {
    /// What the messages of a body claim.
    pub(super) fn claims(&self, body: Option<&Value>, now: Timestamp, origins: &Origins) -> Result<Vec<Claim>, Unproven> {
        let envelopes = body.map(sns::envelopes).unwrap_or_default();
        let whole = !envelopes.is_empty() && envelopes.iter().all(|(_, envelope)| envelope.is_some());
        if self.required && !whole {
            return Err(if envelopes.is_empty() { Unproven::Unsigned } else { Unproven::Mixed });
        }
        let found: Vec<Envelope<'_>> = envelopes.into_iter().filter_map(|(_, envelope)| envelope).collect();
        let checked = found.iter().filter(|envelope| self.required || self.confirms(envelope));
        let claims: Vec<Claim> =
            checked.take(CLAIMS_MAX + 1).map(|one| self.claim(one, now, origins)).collect::<Result<_, _>>()?;
        if claims.len() > CLAIMS_MAX { Err(Unproven::TooMany) } else { Ok(claims) }
    }

    fn names(&self, envelope: &Envelope<'_>) -> bool {
        envelope.topic().is_some_and(|topic| self.topics.iter().any(|named| named == topic))
    }

    /// Whether `envelope` asks for a subscription that would be confirmed.
    fn confirms(&self, envelope: &Envelope<'_>) -> bool {
        envelope.kind == Kind::SubscriptionConfirmation && self.names(envelope)
    }

    fn claim(&self, envelope: &Envelope<'_>, now: Timestamp, origins: &Origins) -> Result<Claim, Unproven> {
        // A topic that is not named may ask; it is told to wait.
        let asks = envelope.kind == Kind::SubscriptionConfirmation;
        if !asks && !self.topics.is_empty() && !self.names(envelope) {
            return Err(Unproven::Topic);
        }
        let signature = envelope.text("Signature").filter(|text| !text.is_empty()).ok_or(Unproven::Unsigned)?;
        let signature = STANDARD.decode(signature.trim()).map_err(|_| Unproven::Malformed)?;
        let hash = match envelope.text("SignatureVersion") {
            Some("1") => Hash::Sha1,
            Some("2") => Hash::Sha256,
            _ => return Err(Unproven::Malformed),
        };
        let url = envelope.text("SigningCertURL").or_else(|| envelope.text("SigningCertUrl")).ok_or(Unproven::Unsigned)?;
        let document = certificate_url(url, origins).ok_or(Unproven::CertificateUrl)?;
        let sent = envelope.text("Timestamp").and_then(Timestamp::parse).filter(|parsed| parsed.has_offset);
        let sent = sent.ok_or(Unproven::Undated)?.at;
        if sent < now.plus_seconds(-AGE_MAX) || sent > now.plus_seconds(AHEAD_MAX) {
            return Err(Unproven::MessageOutside);
        }
        let signed = signed_text(envelope).ok_or(Unproven::Malformed)?.into_bytes();
        Ok(Claim { document, signed, signature, key: Key::Certificate(hash) })
    }
}

/// The text that SNS signs: each field that the type has, in this order, its name and its value on a line each. `None` where a field is
/// no text.
fn signed_text(envelope: &Envelope<'_>) -> Option<String> {
    let fields: &[&str] = match envelope.kind {
        Kind::Notification => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        Kind::SubscriptionConfirmation | Kind::UnsubscribeConfirmation => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
    };
    let mut text = String::new();
    for name in fields {
        match envelope.fields.get(*name) {
            Some(Value::String(value)) => {
                for part in [name, "\n", value.as_str(), "\n"] {
                    text.push_str(part);
                }
            }
            // A message without a subject has none; everything else is there.
            None | Some(Value::Null) if *name == "Subject" => {}
            _ => return None,
        }
    }
    Some(text)
}

/// The address of a certificate of SNS's: `https://sns.<region>.amazonaws.com[.cn]/….pem`, or below an origin that the operator names.
pub fn certificate_url(text: &str, origins: &Origins) -> Option<Url> {
    let url = url_of(text, origins)?;
    let plain = url.query().is_none() && url.path().ends_with(".pem");
    plain.then_some(url)
}

/// The address that confirms a subscription to `topic`.
pub fn subscribe_url(text: &str, topic: &str, origins: &Origins) -> Option<Url> {
    let url = url_of(text, origins)?;
    let has = |name: &str, value: &str| url.query_pairs().any(|(have, is)| have == name && is == value);
    (has("Action", "ConfirmSubscription") && has("TopicArn", topic)).then_some(url)
}

/// An address of SNS's own, or of an origin's. It is read as the client reads it, and must be written as that writes it.
fn url_of(text: &str, origins: &Origins) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let clean =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none() && !text.contains(['\\', '@', '#']);
    if !clean || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    if origins.iter().any(|origin| origin.origin() == url.origin()) {
        return Some(url);
    }
    let Some(Host::Domain(host)) = url.host() else { return None };
    (url.scheme() == "https" && url.port().is_none() && is_host(host)).then_some(url)
}

/// `sns.<region>.amazonaws.com`, in China with `.cn` behind; nothing before it and nothing after.
fn is_host(host: &str) -> bool {
    let bare = host.strip_suffix(".cn").unwrap_or(host);
    let region = bare.strip_prefix("sns.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    region.is_some_and(|region| region.len() >= 3 && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}
