//! What in a request's headers may be a signature, whatever scheme it is of.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use crate::provider::Headers;
use crate::signature::evidence::values;
use crate::signature::scheme::{Encoding, Hmac, Prefix, Scheme};

/// Claims that are read of one request.
const CLAIMS_MAX: usize = 16;

/// One value that may be a signature.
pub(super) struct Claim<'a> {
    /// The header it stands in.
    pub(super) header: &'a str,
    /// Whether the scheme reads that header.
    pub(super) ours: bool,
    /// The value as sent, or one element of its list.
    pub(super) text: &'a str,
    /// The value without what stands before its signature.
    pub(super) bare: &'a str,
    /// The bytes that it may mean, by how they would be written.
    readings: Vec<(Written, Vec<u8>)>,
}

/// How a signature may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Hex,
    Base64,
    Base64Url,
    Base64OfHex,
}

/// Whether a header's name says that it holds a signature.
pub(super) fn is_name(name: &str) -> bool {
    name.contains("signature") || name.contains("hmac") || name.ends_with("-sig")
}

/// Every value that may be a signature: of the scheme's own headers first.
pub(super) fn read<'a>(hmac: &'a Hmac, headers: &'a Headers) -> Vec<Claim<'a>> {
    let own = values(hmac, headers).map(|value| (&*hmac.header, true, value));
    let is_own = |name: &str| *name == hmac.header || hmac.also_header == Some(name);
    let others = headers.iter().filter(move |(name, _)| is_name(name) && !is_own(name)).map(|(name, value)| (name, false, value));
    let mut claims = Vec::new();
    for (header, ours, value) in own.chain(others) {
        claims.push(Claim::new(header, ours, value));
        if value.contains([',', ' ']) {
            claims.extend(value.split([',', ' ']).filter(|text| !text.is_empty()).map(|text| Claim::new(header, ours, text)));
        }
        claims.truncate(CLAIMS_MAX);
    }
    claims
}

impl<'a> Claim<'a> {
    fn new(header: &'a str, ours: bool, text: &'a str) -> Self {
        let text = text.trim();
        // A version or hash in front (`sha256=`, `v1=`), not the padding of base64 at the end.
        let bare = match text.split_once('=') {
            Some((name, rest)) if name.len() <= 8 && !rest.trim_matches('=').is_empty() => rest,
            _ => text,
        };
        let bare = bare.trim_matches('"');
        Self { header, ours, text, bare, readings: readings(bare) }
    }

    /// Bytes of its first reading.
    pub(super) fn length(&self) -> usize {
        self.readings.first().map_or(0, |(_, bytes)| bytes.len())
    }

    /// Whether one of its readings has this length.
    pub(super) fn may_have(&self, length: usize) -> bool {
        self.readings.iter().any(|(_, bytes)| bytes.len() == length)
    }

    /// How it writes `code`, if it does.
    pub(super) fn writes(&self, code: &[u8]) -> Option<Written> {
        self.readings.iter().find(|(_, bytes)| bytes.ct_eq(code).into()).map(|(written, _)| *written)
    }

    /// Whether `prefix` stands before it.
    pub(super) fn has_prefix(&self, prefix: Prefix) -> bool {
        let written = prefix.written();
        self.text.split_at_checked(written.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(written))
    }

    /// How its place and form, written so, differ from what `hmac` asks.
    pub(super) fn differences(&self, written: Written, hmac: &Hmac) -> Vec<String> {
        let mut differences = Vec::new();
        if !self.ours {
            let whose = Scheme::of_header(self.header).map(|name| format!(", as {name} does")).unwrap_or_default();
            differences.push(format!("it stands in `{}`{whose}; this integration reads `{}`", self.header, hmac.header));
            return differences;
        }
        let before = self.text.strip_suffix(self.bare).unwrap_or_default();
        match hmac.prefix {
            Prefix::Required(prefix) if !self.has_prefix(hmac.prefix) => {
                differences.push(format!("the value does not begin with `{prefix}`"));
            }
            Prefix::None if !before.is_empty() => {
                differences.push(format!("the value begins with `{before}`, which this scheme does not write"))
            }
            Prefix::Optional(prefix) if !before.is_empty() && !self.has_prefix(hmac.prefix) => {
                differences.push(format!("the value begins with `{before}`, this scheme writes `{prefix}` or nothing there"));
            }
            _ => {}
        }
        let (is, asked) = match (written, hmac.encoding) {
            (Written::Base64, Encoding::Hex) => ("base64", "hex"),
            (Written::Base64Url, Encoding::Hex) => ("base64 in the alphabet of URLs", "hex"),
            (Written::Base64OfHex, Encoding::Hex) => ("base64 of its hex digits", "hex"),
            (Written::Hex, Encoding::Base64) => ("hex", "base64"),
            (Written::Base64OfHex, Encoding::Base64) => ("base64 of its hex digits", "base64 of its bytes"),
            (Written::Base64Url, Encoding::Base64) => ("base64 in the alphabet of URLs or without its `=`", "standard base64"),
            _ => return differences,
        };
        differences.push(format!("it is written in {is}, this scheme writes {asked}"));
        differences
    }
}

/// Every way to decode `text` that leaves at least a SHA-1.
fn readings(text: &str) -> Vec<(Written, Vec<u8>)> {
    let standard = STANDARD.decode(text).ok();
    let of_hex = standard.as_ref().and_then(|bytes| hex::decode(bytes).ok());
    let unusual = [&STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD].into_iter().find_map(|engine| engine.decode(text).ok());
    let unusual = if standard.is_some() { None } else { unusual };
    let all = [
        (Written::Hex, hex::decode(text).ok()),
        (Written::Base64OfHex, of_hex),
        (Written::Base64, standard),
        (Written::Base64Url, unusual),
    ];
    let long_enough = all.into_iter().filter_map(|(written, bytes)| Some((written, bytes.filter(|bytes| bytes.len() >= 20)?)));
    long_enough.collect()
}
