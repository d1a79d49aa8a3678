//! Signing, for outbound requests, for the command line, and for tests.

use super::evidence::signed_parts;
use super::mac;
use super::scheme::{Proof, Scheme, Signed};
use crate::secret::Secret;
use crate::time::Timestamp;

/// The headers that prove `body`: names in lower case, with their values.
///
/// `id` names the delivery, the same over all attempts; only schemes that sign one use it, and it must hold no `.`. During a
/// rotation both secrets sign, where the scheme has room for two; elsewhere the first does. Empty secrets do not sign.
pub fn sign(scheme: &Scheme, secrets: &[Secret], id: &str, body: &[u8], now: Timestamp) -> Vec<(String, String)> {
    let hmac = match scheme.proof() {
        Proof::Hmac(hmac) => hmac,
        Proof::Token(token) => {
            let shown = secrets.iter().map(|secret| secret.expose().trim()).find(|secret| !secret.is_empty());
            return shown.map(|secret| (token.header.to_owned(), secret.to_owned())).into_iter().collect();
        }
    };
    let timestamp = now.seconds().saturating_mul(hmac.unit.per_second()).to_string();
    let parts = signed_parts(&hmac.signed, id, &timestamp, body);
    let room = if hmac.separator.is_some() { secrets.len() } else { 1 };
    let signatures: Vec<String> = secrets
        .iter()
        .filter_map(|secret| mac::keys(hmac.key, secret).into_iter().next())
        .take(room)
        .map(|key| hmac.prefix.written().to_owned() + &mac::encode(hmac.encoding, &mac::code(hmac.algorithm, &key, &parts)))
        .collect();
    let mut headers = Vec::new();
    if let Signed::Identified { id: header, .. } = hmac.signed {
        headers.push((header.to_owned(), id.to_owned()));
    }
    if let Some(header) = hmac.signed.timestamp_header() {
        headers.push((header.to_owned(), timestamp.clone()));
    }
    let separator = hmac.separator.map(String::from).unwrap_or_default();
    headers.push((hmac.header.to_string(), signatures.join(&separator)));
    headers
}
