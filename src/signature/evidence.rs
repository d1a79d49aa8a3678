//! What a request brings as proof: candidate signatures, a timestamp, an id. Read before any key is touched.

use super::scheme::{Hmac, Prefix, Signed, Unit};
use super::{CANDIDATES_MAX, TOLERANCE_SECONDS, Unverified, mac};
use crate::provider::Headers;
use crate::time::Timestamp;

/// The proof of one request.
pub(super) struct Evidence<'a> {
    /// Signatures of the right length, decoded.
    pub(super) candidates: Vec<Vec<u8>>,
    /// The timestamp as sent: its text is what is signed.
    pub(super) timestamp: &'a str,
    /// The message's id, where the scheme has one.
    pub(super) id: Option<&'a str>,
}

impl<'a> Evidence<'a> {
    /// Reads the headers that `scheme` names.
    pub(super) fn read(scheme: &'a Hmac, headers: &'a Headers, now: Timestamp) -> Result<Self, Unverified> {
        let candidates = candidates(scheme, headers)?;
        let timestamp = match scheme.signed.timestamp_header() {
            Some(header) => timestamp(headers, header, scheme.unit, now)?,
            None => "",
        };
        let id = match scheme.signed {
            Signed::Identified { id, .. } => Some(single(headers, id).filter(|id| !id.is_empty()).ok_or(Unverified::Malformed)?),
            Signed::Body | Signed::Timestamped { .. } => None,
        };
        Ok(Self { candidates, timestamp, id })
    }

    /// The signed text, in parts.
    pub(super) fn signed_parts(&self, signed: &'a Signed, body: &'a [u8]) -> Vec<&'a [u8]>
    where
        Self: 'a,
    {
        signed_parts(signed, self.id.unwrap_or_default(), self.timestamp, body)
    }
}

/// The text that `signed` describes, in parts.
pub(super) fn signed_parts<'a>(signed: &'a Signed, id: &'a str, timestamp: &'a str, body: &'a [u8]) -> Vec<&'a [u8]> {
    match signed {
        Signed::Body => vec![body],
        Signed::Timestamped { before, between, .. } => vec![before.as_bytes(), timestamp.as_bytes(), between.as_bytes(), body],
        Signed::Identified { .. } => vec![id.as_bytes(), b".", timestamp.as_bytes(), b".", body],
    }
}

/// Every value of the scheme's headers.
pub(super) fn values<'a>(scheme: &'a Hmac, headers: &'a Headers) -> impl Iterator<Item = &'a str> {
    headers.all(&scheme.header).chain(scheme.also_header.into_iter().flat_map(|name| headers.all(name)))
}

fn candidates(scheme: &Hmac, headers: &Headers) -> Result<Vec<Vec<u8>>, Unverified> {
    let mut count = 0;
    let mut decoded = Vec::new();
    let mut found = false;
    for value in values(scheme, headers) {
        found = true;
        // Without a separator nothing splits: no signature holds a NUL.
        for text in value.split(scheme.separator.unwrap_or('\0')).map(str::trim).filter(|text| !text.is_empty()) {
            count += 1;
            if count > CANDIDATES_MAX {
                return Err(Unverified::TooMany);
            }
            let bytes = without_prefix(scheme.prefix, text).and_then(|text| mac::decode(scheme.encoding, text));
            decoded.extend(bytes.filter(|bytes| bytes.len() == mac::length(scheme.algorithm)));
        }
    }
    match (found, decoded.is_empty()) {
        (false, _) => Err(Unverified::Missing),
        (true, true) => Err(Unverified::Malformed),
        (true, false) => Ok(decoded),
    }
}

fn without_prefix(prefix: Prefix, text: &str) -> Option<&str> {
    let strip = |prefix: &str| {
        let (start, rest) = text.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    match prefix {
        Prefix::None => Some(text),
        Prefix::Optional(prefix) => strip(prefix).or(Some(text)),
        Prefix::Required(prefix) => strip(prefix),
    }
}

/// The timestamp's text, when it is a time since the epoch in decimal digits and close enough to `now`.
fn timestamp<'a>(headers: &'a Headers, header: &'a str, unit: Unit, now: Timestamp) -> Result<&'a str, Unverified> {
    if headers.get(header).is_none() {
        return Err(Unverified::TimestampMissing);
    }
    let text = single(headers, header).ok_or(Unverified::TimestampMalformed)?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = text.parse().ok().filter(|_| digits).ok_or(Unverified::TimestampMalformed)?;
    if (number / unit.per_second()).abs_diff(now.seconds()) > TOLERANCE_SECONDS {
        return Err(Unverified::TimestampOutside);
    }
    Ok(text)
}

/// The one value of a header; `None` when there are different ones, of which another reader might believe the other.
fn single<'a>(headers: &'a Headers, name: &'a str) -> Option<&'a str> {
    let mut values = headers.all(name);
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
