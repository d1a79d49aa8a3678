//! Making ledger rows.

use bytes::Bytes;

use super::inbound::Inbound;
use super::redact;
use super::submission::{Ledger, Verdict};
use crate::provider::Meta;

/// Bytes of a refused request's body that are kept.
pub const REFUSED_BODY_MAX: usize = 16 * 1024;

/// The row of a request, credentials gone from it. `meta` is its tool's, where there is one.
pub fn row(inbound: &Inbound, meta: Option<&Meta>, verdict: Verdict, status: u16, message: Option<String>) -> Ledger {
    let body = match redact::body(&inbound.body, &inbound.headers, meta) {
        std::borrow::Cow::Borrowed(_) => inbound.body.clone(),
        std::borrow::Cow::Owned(body) => Bytes::from(body),
    };
    Ledger {
        id: inbound.id.clone(),
        route: inbound.route.pattern(),
        verdict,
        status,
        headers: redact::headers(&inbound.headers, meta.map_or(&[], |meta| meta.key_headers)),
        query: redact::query(&inbound.query),
        target: inbound.target(),
        body,
        message: message.map(|text| text.replace('\0', "")),
    }
}

/// As [`row`], for a refused request: its body is cut, and left out where it is no UTF-8 (a key written in UTF-16 would not be
/// found, and so not overwritten).
pub fn refused_row(inbound: &Inbound, meta: Option<&Meta>, verdict: Verdict, status: u16, message: String) -> Ledger {
    let mut row = row(inbound, meta, verdict, status, Some(message));
    match std::str::from_utf8(&inbound.body) {
        Ok(_) => row.body.truncate(REFUSED_BODY_MAX),
        Err(_) => row.body = Bytes::new(),
    }
    row
}
