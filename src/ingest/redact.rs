//! What of a request may be kept: headers and query without credentials, bodies with theirs overwritten.

use std::borrow::Cow;

use crate::json;
use crate::provider::{Headers, Meta};

/// What stands in place of a credential.
pub const REDACTED: &str = "[redacted]";

/// Body fields that hold a credential on every route.
const SECRET_FIELDS: [&str; 2] = ["routing_key", "service_key"];

/// Parts of header and query names that mark a credential. Signatures stay: they prove one body and open nothing else.
const SECRET_NAMES: [&str; 8] = ["auth", "token", "key", "secret", "password", "cookie", "integrationid", "credential"];

/// Names that are never a credential: of what nearly every request brings, and of what only sounds like one.
const PLAIN_NAMES: [&str; 9] = [
    "host",
    "user-agent",
    "accept",
    "content-type",
    "content-length",
    "accept-encoding",
    "connection",
    "idempotency-key",
    "x-event-key",
];

/// Names of what identifies an alert: without them a request that carries everything in its query could not be replayed.
const ALERT_NAMES: [&str; 4] = ["dedup_key", "incident_key", "alert_key", "event_key"];

/// Whether a header or query field of this name may hold a credential.
pub fn is_secret(name: &str) -> bool {
    if PLAIN_NAMES.contains(&name) || ALERT_NAMES.contains(&name) {
        return false;
    }
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// The headers as a JSON list of pairs, credentials redacted; `extra` names headers that carry one for this tool.
pub fn headers(headers: &Headers, extra: &[&str]) -> String {
    let pairs: Vec<[&str; 2]> = headers
        .iter()
        .map(|(name, value)| if is_secret(name) || extra.contains(&name) { [name, REDACTED] } else { [name, value] })
        .collect();
    // JSON may hold U+0000 as an escape; PostgreSQL takes the escape, not the character.
    serde_json::to_string(&pairs).unwrap_or_else(|_| "[]".to_owned())
}

/// The query string with credentials redacted.
pub fn query(pairs: &[(String, String)]) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        out.append_pair(name, if is_secret(name) { REDACTED } else { value });
    }
    out.finish()
}

/// The body with the value of each credential field overwritten by `*` of the same length. A content type is believed only of what
/// cannot be JSON: `curl -d` calls everything a form.
pub fn body<'a>(body: &'a [u8], headers: &Headers, meta: Option<&Meta>) -> Cow<'a, [u8]> {
    let mut names = SECRET_FIELDS.to_vec();
    names.extend(meta.map_or(&[][..], |meta| meta.secret_fields));
    let form = headers.get("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let like_json = body.trim_ascii_start().first().is_some_and(|byte| b"{[\"".contains(byte));
    if form && !like_json { json::mask_form(body, &names) } else { json::mask(body, &names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_and_signatures_stay() {
        let received = Headers::new([
            ("Authorization", "Bearer hush"),
            ("X-Routing-Key", "hush"),
            ("Cookie", "hush"),
            ("X-Signature", "sha256=00"),
            ("Content-Type", "application/json"),
        ]);
        let kept = headers(&received, &[]);
        assert!(!kept.contains("hush"), "{kept}");
        assert!(kept.contains("sha256=00") && kept.contains("application/json"), "{kept}");
        let pairs = [("integrationId".to_owned(), "hush".to_owned()), ("msg".to_owned(), "a b".to_owned())];
        assert_eq!(query(&pairs), "integrationId=%5Bredacted%5D&msg=a+b");
    }

    #[test]
    fn json_that_is_called_a_form_is_json() {
        let form = Headers::new([("Content-Type", "application/x-www-form-urlencoded")]);
        assert_eq!(body(b" {\"routing_key\":\"0123\"}", &form, None).as_ref(), b" {\"routing_key\":\"****\"}");
        assert_eq!(body(b"routing_key=0123&a=b", &form, None).as_ref(), b"routing_key=****&a=b");
    }

    #[test]
    fn a_body_keeps_every_other_byte() {
        let received = br#"{"routing_key": "0123", "payload": {"routing_key": "kept"}}"#;
        let kept = body(received, &Headers::default(), None);
        assert_eq!(kept.as_ref(), br#"{"routing_key": "****", "payload": {"routing_key": "kept"}}"#);
    }
}
