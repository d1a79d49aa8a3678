//! The arithmetic: keys from secrets, codes over parts, and signatures from their text.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::scheme::{Algorithm, Encoding, Key};
use crate::secret::Secret;

/// Key bytes, wiped when dropped.
pub(super) type KeyBytes = Zeroizing<Vec<u8>>;

/// Standard Webhooks secrets are seen with and without padding.
const SECRET_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys that `secret` can mean, the likeliest first. None for an empty secret, which would let anybody sign.
pub(super) fn keys(key: Key, secret: &Secret) -> Vec<KeyBytes> {
    let text = secret.expose();
    let raw = || Zeroizing::new(text.as_bytes().to_vec());
    let decoded = |text: &str| SECRET_BASE64.decode(text).ok().filter(|bytes| !bytes.is_empty()).map(Zeroizing::new);
    match (key, text.strip_prefix("whsec_")) {
        _ if text.is_empty() => Vec::new(),
        (Key::Text, _) => vec![raw()],
        (Key::Whsec, Some(rest)) => vec![decoded(rest).unwrap_or_else(raw)],
        (Key::Whsec, None) => std::iter::once(raw()).chain(decoded(text)).collect(),
    }
}

/// The code of all `parts` one after another.
pub(super) fn code(algorithm: Algorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    match algorithm {
        Algorithm::Sha1 => digest::<hmac::Hmac<Sha1>>(key, parts),
        Algorithm::Sha256 => digest::<hmac::Hmac<Sha256>>(key, parts),
    }
}

fn digest<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // An HMAC takes keys of every length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Bytes in a code.
pub(super) const fn length(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
    }
}

/// The bytes that `text` writes.
pub(super) fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
}

/// The text of `code`.
pub(super) fn encode(encoding: Encoding, code: &[u8]) -> String {
    match encoding {
        Encoding::Hex => hex::encode(code),
        Encoding::Base64 => STANDARD.encode(code),
    }
}
