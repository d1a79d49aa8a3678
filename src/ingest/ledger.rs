//! Making ledger rows.

use std::borrow::Cow;

use bytes::Bytes;

use super::inbound::Inbound;
use super::redact;
use super::submission::{Ledger, Verdict};
use crate::provider::Meta;
use crate::store::body::Kept;

/// Bytes of a refused request's body that are kept.
pub const REFUSED_BODY_MAX: usize = 16 * 1024;

/// The row of a request, credentials gone from it. `meta` is its tool's, where there is one.
pub fn row(inbound: &Inbound, meta: Option<&Meta>, verdict: Verdict, status: u16, message: Option<String>) -> Ledger {
    with_body(inbound, meta, verdict, status, message, redacted(inbound, meta))
}

/// As [`row`], for a refused request: its body is cut, and left out where it is no UTF-8 (a key written in UTF-16 would not be
/// found, and so not overwritten).
pub fn refused_row(inbound: &Inbound, meta: Option<&Meta>, verdict: Verdict, status: u16, message: String) -> Ledger {
    let body = match std::str::from_utf8(&inbound.body) {
        Ok(_) => {
            let mut body = redacted(inbound, meta);
            body.truncate(REFUSED_BODY_MAX);
            body
        }
        Err(_) => Bytes::new(),
    };
    with_body(inbound, meta, verdict, status, Some(message), body)
}

fn redacted(inbound: &Inbound, meta: Option<&Meta>) -> Bytes {
    match redact::body(&inbound.body, &inbound.headers, meta) {
        Cow::Borrowed(_) => inbound.body.clone(),
        Cow::Owned(body) => Bytes::from(body),
    }
}

fn with_body(
    inbound: &Inbound,
    meta: Option<&Meta>,
    verdict: Verdict,
    status: u16,
    message: Option<String>,
    body: Bytes,
) -> Ledger {
    Ledger {
        id: inbound.id.clone(),
        route: inbound.route.pattern(),
        verdict,
        status,
        headers: redact::headers(&inbound.headers, meta.map_or(&[], |meta| meta.key_headers)),
        query: redact::query(&inbound.query),
        target: inbound.target(),
        body: Kept::packed(body),
        message: message.map(|text| text.replace('\0', "")),
    }
}
