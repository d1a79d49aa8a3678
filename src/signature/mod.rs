//! Proof of who sent what: every scheme, inbound and outbound, as data.
//!
//! Owns all cryptography over requests. Works on raw bytes, compares in constant time, and knows no tool by name: a provider
//! names its [`Scheme`], an integration brings its secrets, [`check`] answers.

mod cause;
mod credential;
mod evidence;
mod explain;
mod mac;
pub mod published;
mod scheme;
mod sign;
pub mod sigv4;
mod token;
pub mod vectors;

use serde::Serialize;
use subtle::ConstantTimeEq;

use crate::provider::Headers;
use crate::secret::Secret;
use crate::time::Timestamp;

use evidence::Evidence;

pub use cause::Suspects;
pub use credential::{Presented, presented_keys};
pub use explain::{SignatureTrace, explain};
pub use scheme::{
    Algorithm, BITBUCKET, EXOSPHERE, Encoding, GITHUB, GITLAB, GRAFANA, Hmac, Key, OPSKNIGHT, PAGERDUTY, Prefix, Proof, SENTRY,
    SLACK, SPLUNK, Scheme, Signed, Token, Unit, VERCEL,
};
pub use sign::sign;

/// Candidate signatures that one request may bring; more are refused before any is tried.
pub const CANDIDATES_MAX: usize = 10;

/// Seconds that a signed timestamp may differ from ours, either way.
pub const TOLERANCE_SECONDS: u64 = 300;

/// A signature that held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The index of the secret that matched.
    pub secret: usize,
    /// The delivery's id, where the scheme signs one: the same again means the same delivery.
    pub delivery_id: Option<String>,
}

/// Why a signature did not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unverified {
    /// No signature header.
    #[error("the signature header is missing")]
    Missing,
    /// No candidate has the form of a signature, or the message's id is missing or doubled.
    #[error("the signature is malformed")]
    Malformed,
    /// More than [`CANDIDATES_MAX`] candidates.
    #[error("the request carries more than 10 signatures")]
    TooMany,
    /// The scheme signs a timestamp and there is none.
    #[error("the timestamp header is missing")]
    TimestampMissing,
    /// The timestamp is not a number of seconds, or there are two different ones.
    #[error("the timestamp is malformed")]
    TimestampMalformed,
    /// The timestamp is more than [`TOLERANCE_SECONDS`] away from our clock.
    #[error("the timestamp is more than 5 minutes away from this server's clock")]
    TimestampOutside,
    /// No secret makes this signature over this text.
    #[error("the signature does not match")]
    Mismatch,
}

/// Checks `body`, the raw bytes, against the scheme with each live secret. Every value of the signature header counts.
///
/// # Errors
/// Why it did not hold; never `Ok` without a non-empty secret.
pub fn check(
    scheme: &Scheme,
    headers: &Headers,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Result<Verified, Unverified> {
    let hmac = match scheme.proof() {
        Proof::Hmac(hmac) => hmac,
        Proof::Token(token) => return token::check(token, headers, secrets),
    };
    let evidence = Evidence::read(hmac, headers, now)?;
    let parts = evidence.signed_parts(&hmac.signed, body);
    let matches = |secret: &Secret| mac::keys(hmac.key, secret).iter().any(|key| holds(hmac, key, &parts, &evidence));
    let secret = secrets.iter().position(matches).ok_or(Unverified::Mismatch)?;
    Ok(Verified { secret, delivery_id: evidence.id.map(str::to_owned) })
}

/// Whether `key` made one of the candidates over `parts`. Takes the same time wherever a candidate differs.
fn holds(hmac: &Hmac, key: &[u8], parts: &[&[u8]], evidence: &Evidence<'_>) -> bool {
    let expected = mac::code(hmac.algorithm, key, parts);
    !expected.is_empty()
        && evidence.candidates.iter().fold(subtle::Choice::from(0), |any, candidate| any | candidate.ct_eq(&expected)).into()
}

#[cfg(test)]
mod tests;
