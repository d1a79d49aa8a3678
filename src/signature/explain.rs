//! Why a signature held or did not, for the person who sets up the sender. Shows neither secrets nor expected signatures.

use serde::Serialize;

use super::evidence::{Evidence, values};
use super::scheme::{Algorithm, Encoding, Hmac, Key, Scheme};
use super::{Unverified, check, holds, mac};
use crate::provider::Headers;
use crate::secret::Secret;
use crate::time::Timestamp;

/// What [`check`] did, in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SignatureTrace {
    /// The scheme's name.
    pub scheme: &'static str,
    /// The headers that may hold the signature.
    pub headers: Vec<String>,
    /// Whether one of them came.
    pub found: bool,
    /// What is signed: `the raw body`, `<timestamp>:<body>`.
    pub signed: String,
    /// The index of the secret that matched.
    pub secret: Option<usize>,
    /// Why it did not hold.
    pub problem: Option<Unverified>,
    /// The problem as a sentence, then what likely causes it.
    pub causes: Vec<String>,
}

/// Checks as [`check`] does, and says what happened and why.
pub fn explain(scheme: &Scheme, headers: &Headers, body: &[u8], secrets: &[Secret], now: Timestamp) -> SignatureTrace {
    let hmac = scheme.hmac();
    let result = check(scheme, headers, body, secrets, now);
    let problem = result.as_ref().err().copied();
    let causes = problem.map(|problem| {
        let mut causes = vec![problem.to_string()];
        causes.extend(likely_causes(problem, hmac, headers, body, secrets, now));
        causes
    });
    SignatureTrace {
        scheme: hmac.name,
        headers: std::iter::once(hmac.header.to_string()).chain(hmac.also_header.map(str::to_owned)).collect(),
        found: values(hmac, headers).next().is_some(),
        signed: hmac.signed.described(),
        secret: result.ok().map(|verified| verified.secret),
        problem,
        causes: causes.unwrap_or_default(),
    }
}

fn likely_causes(
    problem: Unverified,
    hmac: &Hmac,
    headers: &Headers,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Vec<String> {
    match problem {
        Unverified::Missing => other_signature_headers(headers),
        Unverified::Malformed => values(hmac, headers).flat_map(|value| shape_causes(hmac, value)).collect(),
        Unverified::TimestampOutside | Unverified::TimestampMalformed => timestamp_causes(hmac, headers, now),
        Unverified::Mismatch if secrets.is_empty() => vec!["the integration has no secret".to_owned()],
        Unverified::Mismatch => mismatch_causes(hmac, headers, body, secrets, now),
        Unverified::TooMany | Unverified::TimestampMissing => Vec::new(),
    }
}

fn other_signature_headers(headers: &Headers) -> Vec<String> {
    headers
        .iter()
        .filter(|(name, _)| name.contains("signature") || name.contains("hmac"))
        .map(|(name, _)| format!("the request carries `{name}`, which this scheme does not read"))
        .collect()
}

fn shape_causes(hmac: &Hmac, value: &str) -> Vec<String> {
    let mut causes = Vec::new();
    let prefix = hmac.prefix.written();
    let bare = value.rsplit(['=', ',', ' ']).find(|part| !part.is_empty()).unwrap_or_default();
    let hex_digits = bare.len() >= 40 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    if value.is_empty() {
        causes.push("the header is empty".to_owned());
    } else if matches!(hmac.prefix, super::Prefix::Required(_)) && !value.contains(prefix) {
        causes.push(format!("the value does not begin with `{prefix}`"));
    }
    match (hmac.encoding, hmac.algorithm) {
        (Encoding::Hex, Algorithm::Sha256) if hex_digits && bare.len() == 40 => {
            causes.push("the value has 40 hex digits: the sender uses SHA-1, this scheme SHA-256".to_owned());
        }
        (Encoding::Hex, _) if !hex_digits && mac::decode(Encoding::Base64, value).is_some_and(|bytes| bytes.len() >= 20) => {
            causes.push("the value looks like base64, this scheme writes hex".to_owned());
        }
        (Encoding::Base64, _) if hex_digits => causes.push("the value looks like hex, this scheme writes base64".to_owned()),
        _ => {}
    }
    causes
}

fn timestamp_causes(hmac: &Hmac, headers: &Headers, now: Timestamp) -> Vec<String> {
    let text = hmac.signed.timestamp_header().and_then(|header| headers.get(header)).unwrap_or_default();
    match text.parse::<i64>() {
        Ok(value) if value / 1000 >= now.seconds() / 10 => vec!["the timestamp is in milliseconds, not seconds".to_owned()],
        Ok(value) => vec![format!("the timestamp is {} seconds away from this server's clock", value.abs_diff(now.seconds()))],
        Err(_) => vec!["the timestamp must be whole seconds since 1970".to_owned()],
    }
}

/// Tries what commonly goes wrong. Each trial answers yes or no about what the request itself brought, and nothing more.
fn mismatch_causes(hmac: &Hmac, headers: &Headers, body: &[u8], secrets: &[Secret], now: Timestamp) -> Vec<String> {
    let Ok(evidence) = Evidence::read(hmac, headers, now) else { return Vec::new() };
    let matches = |key: Key, change: fn(&str) -> &str, body: &[u8]| {
        let parts = evidence.signed_parts(&hmac.signed, body);
        let keys = secrets.iter().flat_map(|secret| mac::keys(key, &Secret::new(change(secret.expose()))));
        keys.into_iter().any(|key| holds(hmac, &key, &parts, &evidence))
    };
    let unchanged: fn(&str) -> &str = |secret| secret;
    let mut causes = Vec::new();
    if matches(hmac.key, str::trim, body) {
        causes.push("it matches when white space around the secret is removed: paste the secret again");
    }
    if matches(if hmac.key == Key::Text { Key::Whsec } else { Key::Text }, unchanged, body) {
        causes.push("it matches when the secret is read as text instead of base64, or the other way round");
    }
    if bodies_as_it_may_have_been(body).iter().any(|body| matches(hmac.key, unchanged, body)) {
        causes.push("it matches a reformatted body: something between the sender and this server rewrites bodies");
    }
    if matches(hmac.key, unchanged, b"") {
        causes.push("it matches an empty body: the sender signs before it writes the body, or a proxy added one");
    }
    if causes.is_empty() {
        causes.push("another secret was used, or the body was changed on the way");
    }
    causes.into_iter().map(str::to_owned).collect()
}

/// The body without its final line break, with one, and reprinted as JSON.
fn bodies_as_it_may_have_been(body: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = vec![body.trim_ascii_end().to_vec(), [body, b"\n"].concat()];
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        bodies.extend(serde_json::to_vec(&value).ok());
        bodies.extend(serde_json::to_vec_pretty(&value).ok());
    }
    bodies
}
