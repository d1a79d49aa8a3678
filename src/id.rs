//! Identifiers: a short type prefix and 26 characters of Crockford base 32. They sort by the time they were made, so lists need no
//! other order and inserts go to the right edge of an index.
//!
//! What is written for every request (requests, events, incidents, change events, deliveries) is numbered: 42 bits of milliseconds since 1970,
//! 11 bits that count within one, 10 bits that tell the processes of one database apart. The number is the row's key, 8 bytes
//! instead of 30, and the text is another spelling of it. Everything else is named by a UUID (version 7, RFC 9562).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::time::Timestamp;

/// Processes that can write to one database without meeting in a number.
pub const NODES: i64 = 1 << NODE_BITS;
const NODE_BITS: u32 = 10;
const COUNT_BITS: u32 = 11;

/// Milliseconds and count of the newest number.
static NEWEST: AtomicI64 = AtomicI64::new(0);
/// The node that this process is.
static NODE: AtomicI64 = AtomicI64::new(0);

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
    /// A delivery, `dlv_`.
    Delivery,
    /// An API token, `tok_`.
    Token,
    /// An audit entry, `aud_`.
    Audit,
    /// A live credential of an integration (hook, key or secret), `crd_`.
    Credential,
    /// A destination, `dst_`.
    Destination,
    /// What signs a destination's messages, `sig_`.
    SigningSecret,
    /// A rule, `rul_`.
    Rule,
}

impl Kind {
    /// Whether its rows are keyed by a number.
    const fn is_numbered(self) -> bool {
        matches!(self, Self::Request | Self::Event | Self::Incident | Self::Change | Self::Delivery)
    }

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
            Self::Delivery => "dlv_",
            Self::Token => "tok_",
            Self::Audit => "aud_",
            Self::Credential => "crd_",
            Self::Destination => "dst_",
            Self::SigningSecret => "sig_",
            Self::Rule => "rul_",
        }
    }
}

/// A new identifier of `kind`, later in order than every one of that kind that this process made before.
pub fn new(kind: Kind) -> String {
    if kind.is_numbered() { text(kind, next_number()) } else { spelled(kind, Uuid::now_v7().as_u128()) }
}

/// The next number: this millisecond's, or one more than the last where the clock stands still or steps back.
fn next_number() -> i64 {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = i64::try_from(millis).unwrap_or(0) << COUNT_BITS;
    let after = |newest: i64| now.max(newest + 1);
    let before = NEWEST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |newest| Some(after(newest)));
    (after(before.unwrap_or(now)) << NODE_BITS) | NODE.load(Ordering::Relaxed)
}

/// From here on this process is `node` of its database, and makes no number that is not greater than `newest`, the greatest that
/// is stored: a clock that was set back would make one again.
pub fn join(node: i64, newest: i64) {
    NODE.store(node.rem_euclid(NODES), Ordering::Relaxed);
    after(newest);
}

/// From here on this process makes no number that is not greater than `newest`.
pub fn after(newest: i64) {
    NEWEST.fetch_max(newest >> NODE_BITS, Ordering::Relaxed);
}

/// The identifier that a number stands for.
pub fn text(kind: Kind, number: i64) -> String {
    let number = number.cast_unsigned();
    spelled(kind, (u128::from(number) << 64) | u128::from(scrambled(number)))
}

/// The number of an identifier; -1, which no row has, for a text that is none of ours.
pub fn number(text: &str) -> i64 {
    let parse = || {
        let value = decode(text.get(4..)?)?;
        let number = u64::try_from(value >> 64).ok()?;
        (value == (u128::from(number) << 64) | u128::from(scrambled(number))).then(|| number.cast_signed())
    };
    parse().unwrap_or(-1)
}

/// The least number that can be made at `at`.
pub fn floor(at: Timestamp) -> i64 {
    (at.0 / 1_000).max(0) << (COUNT_BITS + NODE_BITS)
}

/// When a number was made, to the millisecond.
pub const fn made_at(number: i64) -> Timestamp {
    Timestamp((number >> (COUNT_BITS + NODE_BITS)) * 1_000)
}

/// The second half of an identifier, a function of the first: neighbours look different, and a mistyped one is found out
/// (the finaliser of SplitMix64).
fn scrambled(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn spelled(kind: Kind, value: u128) -> String {
    let mut text = String::with_capacity(30);
    text.push_str(kind.prefix());
    encode(value, &mut text);
    text
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

/// The digit that each byte stands for; 255: none.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut digit = 0;
    while digit < 32 {
        #[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
        {
            digits[ALPHABET[digit] as usize] = digit as u8;
        }
        digit += 1;
    }
    digits
};

fn decode(text: &str) -> Option<u128> {
    let digits = <&[u8; 26]>::try_from(text.as_bytes()).ok()?;
    let (first, rest) = digits.split_first()?;
    let digit = |byte: &u8| DIGITS.get(usize::from(*byte)).copied().unwrap_or(255);
    // 26 digits have 130 bits.
    let first = Some(digit(first)).filter(|first| *first < 8)?;
    // In pieces that a register holds, and the check at the end: this is done for each row that is written.
    let (high, low) = rest.split_at(13);
    let piece = |bytes: &[u8]| {
        bytes.iter().fold((0u64, 0u8), |(value, all), byte| ((value << 5) | u64::from(digit(byte) & 31), all | digit(byte)))
    };
    let ((middle, seen), (last, also)) = (piece(high.get(1..)?), piece(low));
    let second = high.first().map(digit)?;
    let valid = (seen | also | second) < 32;
    let top = (u128::from(first) << 5) | u128::from(second);
    valid.then(|| (top << 120) | (u128::from(middle) << 60) | u128::from(last))
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
    fn a_numbered_identifier_is_its_number_spelled() {
        let before = floor(Timestamp(1_000));
        for kind in [Kind::Request, Kind::Event, Kind::Incident, Kind::Change, Kind::Delivery] {
            let id = new(kind);
            assert!(number(&id) > before, "{id}");
            assert_eq!(text(kind, number(&id)), id);
        }
        let (one, other) = (new(Kind::Event), new(Kind::Event));
        assert!(number(&one) < number(&other) && one < other);
        assert_eq!(number(&new(Kind::Token)), -1, "others have no number");
        for none in ["", "evt_", "evt_1", "evt_zzzzzzzzzzzzzzzzzzzzzzzzzz", "evt_00000000000000000000000001", "évt_", "evt_é"] {
            assert_eq!(number(none), -1, "{none}");
        }
        assert_eq!(number(&text(Kind::Event, i64::MAX)), i64::MAX);
        let mut mistyped = one.clone();
        mistyped.replace_range(29..30, if one.ends_with('0') { "1" } else { "0" });
        assert_eq!(number(&mistyped), -1);
    }

    #[test]
    fn numbers_go_on_where_the_store_ended_and_nodes_do_not_meet() {
        // A little ahead: the other tests of this process go on from here.
        let far = number(&new(Kind::Event)) + (floor(Timestamp(2_000_000)));
        join(3, far);
        let next = number(&new(Kind::Event));
        assert!(next > far);
        assert_eq!(next % NODES, 3);
        join(0, 0);
    }

    #[test]
    fn the_floor_of_a_moment_parts_the_numbers() {
        let at = Timestamp(1_750_000_000_123_000);
        assert_eq!(made_at(floor(at)), at);
        assert_eq!((made_at(floor(at) - 1), made_at(floor(at) + NODES * 2)), (Timestamp(at.0 - 1_000), at));
        assert_eq!(floor(Timestamp(at.0 + 999)), floor(at));
        // Before the epoch nothing was made, and everything comes after.
        assert_eq!((floor(Timestamp(i64::MIN)), floor(Timestamp(-1))), (0, 0));
        let now = jiff::Timestamp::now().as_microsecond();
        let made = made_at(number(&new(Kind::Request))).0;
        assert!((now - 60_000_000..=now + 60_000_000).contains(&made) || made > now, "{made} at {now}");
    }

    #[test]
    fn encoding_is_crockford_base_32_of_128_bits() {
        let mut text = String::new();
        encode(u128::MAX, &mut text);
        assert_eq!(text, "7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }
}
