//! Why a signature did not hold: the nearest way in which it would have held.
//!
//! Senders go wrong in few ways: another key, another text, another hash function, another spelling, another header. Each is tried,
//! alone before together, and what matches is told as its difference from what the scheme asks. The answers are for the owner of
//! the integration, never for the sender. Work is bounded by bytes hashed, whatever was sent.

mod claim;
mod key;
mod text;

use sha2::{Digest, Sha256};

use super::scheme::{Algorithm, Encoding, Hmac, Prefix, Scheme, Signed};
use super::{Unverified, mac};
use crate::provider::Headers;
use crate::secret::Secret;
use crate::time::Timestamp;

use claim::{Claim, Written};
use key::Candidate;
use text::Text;

/// Bytes that one search may hash: a few milliseconds.
const BUDGET: usize = 1 << 20;
/// What a short message costs whatever its length, in the same unit.
const COST_EACH: usize = 256;

/// Keys that a sender may have used by mistake, besides the live secrets.
#[derive(Clone, Debug, Default)]
pub struct Suspects {
    /// Signature secrets whose overlap is over.
    pub expired: Vec<Secret>,
    /// What stands in the integration's URL.
    pub hooks: Vec<Secret>,
    /// The integration's routing keys.
    pub keys: Vec<Secret>,
}

/// A request whose signature did not hold.
pub(super) struct Case<'a> {
    pub(super) hmac: &'a Hmac,
    pub(super) headers: &'a Headers,
    pub(super) body: &'a [u8],
    pub(super) secrets: &'a [Secret],
    pub(super) suspects: &'a Suspects,
    pub(super) now: Timestamp,
}

/// What likely keeps the signature from holding, the likeliest first; never empty for [`Unverified::Mismatch`].
pub(super) fn likely(problem: Unverified, case: &Case<'_>) -> Vec<String> {
    let claims = claim::read(case.hmac, case.headers);
    let mut causes = exposed(case, &claims);
    match nearest(case, &claims) {
        Some(differences) if !differences.is_empty() => causes.extend(differences),
        Some(_) if problem == Unverified::TimestampOutside => {
            causes.push(
                "the signature itself is right: one of the two clocks is wrong, or the request came late or again".to_owned(),
            );
        }
        _ => {}
    }
    match problem {
        Unverified::TimestampOutside | Unverified::TimestampMalformed => causes.extend(timestamp(case)),
        _ if !causes.is_empty() => {}
        Unverified::Missing => causes.extend(other_headers(case)),
        Unverified::Malformed => causes.extend(malformed(case, &claims)),
        Unverified::Mismatch => causes.push(unexplained(case)),
        Unverified::TooMany | Unverified::TimestampMissing => {}
    }
    causes.dedup();
    causes
}

/// A credential sent as it is, in place of a signature made with it.
fn exposed(case: &Case<'_>, claims: &[Claim<'_>]) -> Vec<String> {
    let named = [
        ("the signature secret itself", case.secrets),
        ("an expired signature secret itself", &case.suspects.expired),
        ("the token of the URL (integrationId)", &case.suspects.hooks),
        ("the routing key", &case.suspects.keys),
    ];
    let mut causes = Vec::new();
    for claim in claims {
        let texts = [Secret::new(claim.text), Secret::new(claim.bare)];
        let found = named.iter().find(|(_, values)| values.iter().any(|value| texts.contains(value)));
        if let Some((what, _)) = found {
            causes.push(format!("`{}` holds {what}, not a signature made with the signature secret", claim.header));
        }
    }
    causes
}

/// The differences between what was signed and what should have been; empty when the signature itself is right. `None`: nothing
/// that was tried matches.
fn nearest(case: &Case<'_>, claims: &[Claim<'_>]) -> Option<Vec<String>> {
    if claims.is_empty() {
        return None;
    }
    let keys = key::candidates(case);
    let texts = text::candidates(case);
    let (as_asked, otherwise) = texts.split_first()?;
    let mut search = Search { hmac: case.hmac, claims, left: BUDGET };
    let alone = keys.iter().find_map(|key| search.try_out(key, as_asked));
    // What differs in one thing goes before what differs in two.
    let usual = || keys.iter().filter(|key| key.difference.is_none());
    let unusual = || keys.iter().filter(|key| key.difference.is_some());
    alone
        .or_else(|| otherwise.iter().find_map(|text| usual().find_map(|key| search.try_out(key, text))))
        .or_else(|| usual().find_map(|key| search.plain_hash(key, as_asked)))
        .or_else(|| unusual().find_map(|key| otherwise.iter().find_map(|text| search.try_out(key, text))))
}

struct Search<'a> {
    hmac: &'a Hmac,
    claims: &'a [Claim<'a>],
    left: usize,
}

impl Search<'_> {
    /// Whether `bytes` more may be hashed.
    fn affordable(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes.saturating_add(COST_EACH));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    fn try_out(&mut self, key: &Candidate, text: &Text<'_>) -> Option<Vec<String>> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha1] {
            let length = mac::length(algorithm);
            if !self.claims.iter().any(|claim| claim.may_have(length)) || !self.affordable(text.length()) {
                continue;
            }
            let code = mac::code(algorithm, &key.bytes, &text.parts());
            if let Some((claim, written)) = self.matching(&code) {
                let differences = [key.difference.clone(), text.difference.clone(), self.algorithm(algorithm)];
                return Some(differences.into_iter().flatten().chain(claim.differences(written, self.hmac)).collect());
            }
        }
        None
    }

    /// A hash of secret and body one after another, which is no HMAC.
    fn plain_hash(&mut self, key: &Candidate, text: &Text<'_>) -> Option<Vec<String>> {
        for secret_first in [true, false] {
            if !self.affordable(text.length()) {
                return None;
            }
            let mut hash = Sha256::new();
            let parts = text.parts();
            let secret: &[u8] = &key.bytes;
            if secret_first {
                hash.update(secret);
            }
            parts.iter().for_each(|part| hash.update(part));
            if !secret_first {
                hash.update(secret);
            }
            if self.matching(&hash.finalize()).is_some() {
                return Some(vec!["it is a plain SHA-256 of secret and body together, not an HMAC".to_owned()]);
            }
        }
        None
    }

    fn matching(&self, code: &[u8]) -> Option<(&Claim<'_>, Written)> {
        self.claims.iter().find_map(|claim| Some((claim, claim.writes(code)?)))
    }

    fn algorithm(&self, used: Algorithm) -> Option<String> {
        (used != self.hmac.algorithm).then(|| format!("it uses {}, this scheme {}", used.name(), self.hmac.algorithm.name()))
    }
}

fn timestamp(case: &Case<'_>) -> Vec<String> {
    let text = case.hmac.signed.timestamp_header().and_then(|header| case.headers.get(header)).unwrap_or_default();
    let now = case.now.seconds();
    match text.parse::<i64>() {
        Ok(value) if value / 1000 >= now / 10 => vec!["the timestamp is in milliseconds, not seconds".to_owned()],
        Ok(value) => vec![format!("the timestamp is {} seconds away from this server's clock", value.abs_diff(now))],
        Err(_) => vec!["the timestamp must be whole seconds since 1970".to_owned()],
    }
}

/// Headers that look like a signature of another scheme.
fn other_headers(case: &Case<'_>) -> Vec<String> {
    let names = case.headers.iter().map(|(name, _)| name).filter(|name| claim::is_name(name));
    let mut causes: Vec<String> = names
        .map(|name| match Scheme::of_header(name) {
            Some(owner) => {
                format!("the request carries `{name}`, the header of the scheme {owner}: is the integration's type right?")
            }
            None => format!("the request carries `{name}`, which this scheme does not read"),
        })
        .collect();
    causes.dedup();
    if causes.is_empty() {
        causes.push("no header looks like a signature: set the secret in the sender too, or remove it here".to_owned());
    }
    causes
}

/// What is wrong with the signatures' form, or with the message's id.
fn malformed(case: &Case<'_>, claims: &[Claim<'_>]) -> Vec<String> {
    let mut causes: Vec<String> = claims.iter().filter(|claim| claim.ours).flat_map(|claim| shape(case.hmac, claim)).collect();
    if let (true, Signed::Identified { id, .. }) = (causes.is_empty(), &case.hmac.signed) {
        causes.push(format!("`{id}` is missing, or there are two different ones"));
    }
    causes
}

/// What is wrong with the form of a signature that nothing we know could have made.
fn shape(hmac: &Hmac, claim: &Claim<'_>) -> Vec<String> {
    let mut causes = Vec::new();
    let digits = claim.bare.len() >= 40 && claim.bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    if claim.text.is_empty() {
        causes.push("the header is empty".to_owned());
    } else if matches!(hmac.prefix, Prefix::Required(_)) && !claim.has_prefix(hmac.prefix) {
        causes.push(format!("the value does not begin with `{}`", hmac.prefix.written()));
    }
    match (hmac.encoding, claim.bare.len()) {
        (Encoding::Hex, 40) if digits && hmac.algorithm == Algorithm::Sha256 => {
            causes.push("the value has 40 hex digits: the sender uses SHA-1, this scheme SHA-256".to_owned());
        }
        (Encoding::Hex, 128) if digits => {
            causes.push("the value has 128 hex digits: the sender uses SHA-512, this scheme does not".to_owned());
        }
        (Encoding::Hex, _) if !digits && claim.length() >= 20 => {
            causes.push("the value looks like base64, this scheme writes hex".to_owned());
        }
        (Encoding::Base64, _) if digits => causes.push("the value looks like hex, this scheme writes base64".to_owned()),
        _ => {}
    }
    causes
}

fn unexplained(case: &Case<'_>) -> String {
    if case.secrets.is_empty() {
        return "the integration has no secret that is live".to_owned();
    }
    if case.headers.get("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return "the body came compressed, and the signature is checked over what it unpacks to: the sender may sign the compressed \
                bytes, or use another secret"
            .to_owned();
    }
    "another secret was used, or the body was changed on the way".to_owned()
}

#[cfg(test)]
mod tests;
