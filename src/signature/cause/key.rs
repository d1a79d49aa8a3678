//! The keys that a sender may have signed with.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::Case;
use crate::secret::Secret;
use crate::signature::mac::{self, KeyBytes};
use crate::signature::scheme::Key;

/// A key, and how it differs from the one that should have been used.
pub(super) struct Candidate {
    pub(super) bytes: KeyBytes,
    pub(super) difference: Option<String>,
}

impl Candidate {
    fn other(bytes: impl Into<Vec<u8>>, difference: &str) -> Self {
        Self { bytes: KeyBytes::new(bytes.into()), difference: Some(difference.to_owned()) }
    }
}

/// Every key worth trying; those that are right come first.
pub(super) fn candidates(case: &Case<'_>) -> Vec<Candidate> {
    let kind = case.hmac.key;
    let right = case.secrets.iter().flat_map(|secret| mac::keys(kind, secret));
    let mut keys: Vec<Candidate> = right.map(|bytes| Candidate { bytes, difference: None }).collect();
    let mistaken = [
        (&case.suspects.expired, "it was made with the previous secret, whose overlap is over: give the sender the present one"),
        (&case.suspects.hooks, "it was made with the token of the URL (integrationId), not with the signature secret"),
        (&case.suspects.keys, "it was made with the routing key, not with the signature secret"),
    ];
    for (values, difference) in mistaken {
        let all = values.iter().flat_map(|value| mac::keys(kind, value));
        keys.extend(all.map(|bytes| Candidate { bytes, difference: Some(difference.to_owned()) }));
    }
    keys.extend(case.secrets.iter().flat_map(|secret| misread(kind, secret)));
    keys.retain(|key| !key.bytes.is_empty());
    keys
}

/// The secret as a sender may have got it wrong, or as it was pasted wrongly here.
fn misread(kind: Key, secret: &Secret) -> Vec<Candidate> {
    let text = secret.expose();
    let mut keys = Vec::new();
    let trimmed = text.trim();
    if trimmed != text {
        let said = "it was made without the white space around the secret that is stored here: set the secret again without it";
        keys.push(Candidate::other(trimmed, said));
    }
    for end in ["\n", "\r\n"] {
        let said = "the sender's copy of the secret ends in a line break: write it without one (`printf %s`, not `echo`)";
        keys.push(Candidate::other([trimmed, end].concat(), said));
    }
    let unquoted = trimmed.trim_matches(['"', '\'']);
    if unquoted != trimmed {
        keys.push(Candidate::other(unquoted, "the secret is stored here with quotation marks around it: set it without them"));
    }
    keys.push(Candidate::other(format!("\"{text}\""), "the sender's copy of the secret has quotation marks around it"));
    let plain = trimmed.strip_prefix("whsec_").unwrap_or(trimmed);
    let as_base64 = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD].into_iter().find_map(|engine| engine.decode(plain).ok());
    match kind {
        Key::Text => {
            keys.extend(as_base64.map(|bytes| {
                Candidate::other(bytes, "the sender decodes the secret as base64 first; this scheme takes its text")
            }));
        }
        Key::Whsec => {
            keys.push(Candidate::other(text, "the sender takes the secret as text; this scheme decodes it as base64 first"))
        }
    }
    if plain != trimmed {
        keys.push(Candidate::other(plain, "the sender takes the secret without its `whsec_`, as text"));
    }
    let as_hex = hex::decode(trimmed).ok();
    keys.extend(
        as_hex.map(|bytes| Candidate::other(bytes, "the sender decodes the secret as hex first; this scheme takes its text")),
    );
    keys
}
