//! Identifiers: a short type prefix and 26 characters of Crockford base 32 over a time-ordered UUID (version 7, RFC 9562).
//!
//! They sort by the time they were made, so lists need no other order and inserts go to the right edge of an index; what is older
//! than a moment lies before [`floor`].

use uuid::Uuid;

use crate::time::Timestamp;

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
    encode(Uuid::now_v7().as_u128(), &mut text);
    text
}

/// The lowest identifier of `kind` that can have been made at `at` (to the millisecond): every older one sorts before it.
pub fn floor(kind: Kind, at: Timestamp) -> String {
    let milliseconds = u128::from(at.0.max(0).unsigned_abs() / 1000) & MILLISECONDS;
    let mut text = String::with_capacity(30);
    text.push_str(kind.prefix());
    encode(milliseconds << 80, &mut text);
    text
}

/// When an identifier was made, to the millisecond; `None` for a text that is none.
pub fn made_at(id: &str) -> Option<Timestamp> {
    let (_, encoded) = id.split_once('_')?;
    let mut value: u128 = 0;
    for byte in encoded.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == byte)?;
        value = value.checked_mul(32)?.checked_add(digit as u128)?;
    }
    let milliseconds = i64::try_from((value >> 80) & MILLISECONDS).ok()?;
    (encoded.len() == 26).then_some(Timestamp(milliseconds * 1000))
}

/// The 48 bits of a UUID of version 7 that hold the time.
const MILLISECONDS: u128 = (1 << 48) - 1;

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
        let ids: Vec<String> = (0..1000).map(|_| new(Kind::Incident)).collect();
        assert!(ids.iter().all(|id| id.len() == 30 && id.starts_with("inc_")));
        assert!(ids.is_sorted());
    }

    #[test]
    fn the_floor_of_a_moment_parts_the_identifiers() {
        let at = |milliseconds: i64| floor(Kind::Request, Timestamp(milliseconds * 1000));
        assert!(at(1_750_000_000_000) < at(1_750_000_000_001));
        assert_eq!(made_at(&at(1_750_000_000_123)), Some(Timestamp(1_750_000_000_123_000)));
        // What the UUIDs of one millisecond share is all of their floor: the first of them is not below it, the last not above the
        // next one's.
        let made = |random: u64| {
            let mut text = "req_".to_owned();
            let bytes = [0xff; 10].map(|byte: u8| byte & random as u8);
            encode(uuid::Builder::from_unix_timestamp_millis(1_750_000_000_123, &bytes).into_uuid().as_u128(), &mut text);
            text
        };
        assert!(at(1_750_000_000_123) <= made(0) && made(0) < made(0xff) && made(0xff) < at(1_750_000_000_124));
        let (id, now) = (new(Kind::Request), jiff::Timestamp::now().as_microsecond());
        let made = made_at(&id).unwrap().0;
        assert!((now - 60_000_000..=now + 60_000_000).contains(&made), "{id} at {now}");
        // Before the epoch nothing was made, and everything sorts after.
        assert_eq!(floor(Kind::Event, Timestamp(i64::MIN)), "evt_00000000000000000000000000");
        assert_eq!(floor(Kind::Event, Timestamp(-1)), floor(Kind::Event, Timestamp(999)));
    }

    #[test]
    fn what_is_no_identifier_has_no_time() {
        let longer = format!("{}0", new(Kind::Event));
        for text in ["", "evt_", "evt_0", "evt_!!!!!!!!!!!!!!!!!!!!!!!!!!", "evt_zzzzzzzzzzzzzzzzzzzzzzzzzz", &longer] {
            assert_eq!(made_at(text), None, "{text}");
        }
    }

    #[test]
    fn encoding_is_crockford_base_32_of_128_bits() {
        let mut text = String::new();
        encode(u128::MAX, &mut text);
        assert_eq!(text, "7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }
}
