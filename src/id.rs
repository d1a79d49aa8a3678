//! Identifiers: a short type prefix and 26 characters of Crockford base 32 over a time-ordered UUID (version 7, RFC 9562).
//!
//! They sort by the time they were made, so lists need no other order and inserts go to the right edge of an index.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What an identifier names; the prefix says it to a reader of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A tenant, `ten_`.
    Tenant,
    /// A service, `svc_`.
    Service,
    /// An integration, `int_`.
    Integration,
    /// A ledger row, `req_`.
    Request,
    /// An event, `evt_`.
    Event,
    /// An incident, `inc_`.
    Incident,
    /// A change event, `chg_`.
    Change,
    /// An outbox row, `out_`.
    Outbox,
    /// An API token, `tok_`.
    Token,
    /// An audit entry, `aud_`.
    Audit,
    /// A live credential of an integration (hook, key or secret), `crd_`.
    Credential,
}

impl Kind {
    /// The prefix, underscore included.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Tenant => "ten_",
            Self::Service => "svc_",
            Self::Integration => "int_",
            Self::Request => "req_",
            Self::Event => "evt_",
            Self::Incident => "inc_",
            Self::Change => "chg_",
            Self::Outbox => "out_",
            Self::Token => "tok_",
            Self::Audit => "aud_",
            Self::Credential => "crd_",
        }
    }
}

/// A new identifier of `kind`, later in order than every one this process made before.
pub fn new(kind: Kind) -> String {
    let mut text = String::with_capacity(30);
    text.push_str(kind.prefix());
    encode(next(), &mut text);
    text
}

/// The next UUID: a fresh one each millisecond, and within one the last plus one (RFC 9562 section 6.2, method 2). So the system is
/// asked for randomness at most once a millisecond.
fn next() -> u128 {
    static LAST: Mutex<(u128, u128)> = Mutex::new((0, 0));
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let (made_at, value) = *last;
    *last = if millis > made_at { (millis, Uuid::now_v7().as_u128().max(value + 1)) } else { (made_at, value + 1) };
    last.1
}

/// 26 random characters (128 bits) of the same alphabet: the secret part of an inbound URL.
pub fn random26() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(26);
    encode(u128::from_be_bytes(bytes), &mut text);
    Ok(text)
}

fn encode(value: u128, out: &mut String) {
    for position in (0..26).rev() {
        let index = (value >> (5 * position)) & 31;
        let byte = ALPHABET.get(index as usize).copied().unwrap_or(b'0');
        out.push(char::from(byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_one_shape_and_rise() {
        let ids: Vec<String> = (0..100_000).map(|_| new(Kind::Incident)).collect();
        assert!(ids.iter().all(|id| id.len() == 30 && id.starts_with("inc_")));
        assert!(ids.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn encoding_is_crockford_base_32_of_128_bits() {
        let mut text = String::new();
        encode(u128::MAX, &mut text);
        assert_eq!(text, "7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }
}
