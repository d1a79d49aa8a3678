//! Proof of who sent what: every scheme, inbound and outbound, as data.
//!
//! Owns all cryptography over requests. Works on raw bytes, compares in constant time, and knows no tool by name: a provider
//! names its [`Scheme`], an integration brings its secrets, [`check`] answers.

use crate::provider::Headers;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How a sender proves a body. Header names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `X-Signature` or `X-Webhook-Signature`: hex HMAC-SHA256 of the body, with or without `sha256=`.
    Generic,
}

/// Candidate signatures that one request may bring; more are refused before any is tried.
pub const CANDIDATES_MAX: usize = 10;

/// Why a signature did not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unverified {
    /// No signature header.
    #[error("the signature header is missing")]
    Missing,
}

/// Checks `body` against the scheme with each live secret; the index of the secret that matched.
///
/// # Errors
/// Why it did not hold.
pub fn check(
    _scheme: &Scheme,
    _headers: &Headers,
    _body: &[u8],
    _secrets: &[Secret],
    _now: Timestamp,
) -> Result<usize, Unverified> {
    Err(Unverified::Missing)
}
