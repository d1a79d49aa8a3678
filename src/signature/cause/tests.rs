use super::*;
use crate::signature::scheme::{BITBUCKET, GITHUB, GRAFANA, SLACK, SPLUNK, VERCEL};
use crate::signature::{check, explain, sign};

const BODY: &[u8] = br#"{"b":"caf\u00e9","a":1}"#;
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const SECRET: &str = "topsecret";

/// The headers under which `scheme` signs `body` with `secret`.
fn signed(scheme: &Scheme, secret: &str, body: &[u8]) -> Vec<(String, String)> {
    sign(scheme, &[Secret::new(secret)], "msg_1", body, NOW)
}

fn value(scheme: &Scheme, secret: &str, body: &[u8]) -> String {
    signed(scheme, secret, body).pop().unwrap().1
}

fn suspects() -> Suspects {
    let one = |text: &str| vec![Secret::new(text)];
    Suspects { expired: one("yesterday"), hooks: one("hook26"), keys: one("0123456789abcdef0123456789abcdef") }
}

/// What is said of a request that does not hold.
#[track_caller]
fn said(scheme: &Scheme, headers: &[(String, String)], body: &[u8], stored: &str) -> String {
    let headers = Headers::new(headers.iter().cloned());
    let secrets = [Secret::new(stored)];
    assert!(check(scheme, &headers, body, &secrets, NOW).is_err(), "it holds");
    let trace = explain(scheme, &headers, body, &secrets, &suspects(), NOW);
    let text = trace.causes.join("; ");
    for hush in [SECRET, "yesterday", "hook26", "0123456789abcdef"] {
        assert!(!text.contains(hush), "{text}");
    }
    text
}

fn generic(value: impl Into<String>) -> Vec<(String, String)> {
    vec![("X-Signature".to_owned(), value.into())]
}

#[track_caller]
fn names(text: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in: {text}");
}

fn hmac(scheme: &Scheme) -> &Hmac {
    match scheme.proof() {
        crate::signature::Proof::Hmac(hmac) => hmac,
        crate::signature::Proof::Token(token) => panic!("{token:?} is no HMAC"),
    }
}

#[test]
fn another_key_is_named() {
    let by = |secret: &str| generic(value(&Scheme::Generic, secret, BODY));
    let cases = [
        ("yesterday", SECRET, "previous secret"),
        ("hook26", SECRET, "token of the URL"),
        ("0123456789abcdef0123456789abcdef", SECRET, "routing key"),
        (SECRET, "topsecret\n", "white space"),
        ("topsecret\n", SECRET, "sender's copy of the secret ends in a line break"),
        ("\"topsecret\"", SECRET, "sender's copy of the secret has quotation marks"),
        (SECRET, "'topsecret'", "stored here with quotation marks"),
        ("the key", "dGhlIGtleQ==", "decodes the secret as base64"),
        ("the key", "746865206b6579", "decodes the secret as hex"),
        ("the key", "whsec_dGhlIGtleQ==", "decodes the secret as base64"),
        ("a", SECRET, "another secret was used"),
    ];
    for (used, stored, expected) in cases {
        names(&said(&Scheme::Generic, &by(used), BODY, stored), &[expected]);
    }
    let whsec = "whsec_dGhlIGtleQ==";
    let as_text = Scheme::Hmac(Hmac { key: crate::signature::Key::Text, ..hmac(&Scheme::StandardWebhooks).clone() });
    names(&said(&Scheme::StandardWebhooks, &signed(&as_text, whsec, BODY), BODY, whsec), &["takes the secret as text"]);
    for own in [SECRET, "hook26", "0123456789abcdef0123456789abcdef"] {
        names(&said(&Scheme::Generic, &generic(own), BODY, SECRET), &["`x-signature` holds", "not a signature"]);
    }
}

#[test]
fn another_text_is_named() {
    let over = |text: &[u8]| generic(value(&Scheme::Generic, SECRET, text));
    let sorted = br#"{"a":1,"b":"caf\u00e9"}"#;
    let cases: [(&[u8], &str); 6] = [
        (b"", "empty body"),
        (&[BODY, b"\n"].concat(), "other line breaks"),
        (sorted, "the same JSON in other bytes"),
        ("{\"a\":1,\"b\":\"café\"}".as_bytes(), "the same JSON in other bytes"),
        (&[b"1700000000:", BODY].concat(), "`<timestamp>:<body>` with the timestamp of `x-time`"),
        (&[b"1700000000.", BODY].concat(), "`<timestamp>.<body>`"),
    ];
    for (text, expected) in cases {
        let headers = [over(text), vec![("X-Time".to_owned(), "1700000000".to_owned())]].concat();
        names(&said(&Scheme::Generic, &headers, BODY, SECRET), &[expected]);
    }
    let spaced = br#"{"b": "x, y:\" z", "a": [1, 2]}"#;
    names(&said(&Scheme::Generic, &over(br#"{"b":"x, y:\" z","a":[1,2]}"#), spaced, SECRET), &["the same JSON in other bytes"]);
    names(&said(&Scheme::Generic, &over(spaced), br#"{"b":"x, y:\" z","a":[1,2]}"#, SECRET), &["the same JSON in other bytes"]);
    let form = b"payload=%7B%22a%22%3A1%7D";
    names(&said(&Scheme::Generic, &over(b"{\"a\":1}"), form, SECRET), &["the value of `payload`"]);
    let crlf = b"{\r\n\"a\":1}";
    names(&said(&Scheme::Generic, &over(b"{\n\"a\":1}"), crlf, SECRET), &["line breaks"]);
    let packed = [over(b"\x1f\x8b"), vec![("Content-Encoding".to_owned(), "gzip".to_owned())]].concat();
    names(&said(&Scheme::Generic, &packed, BODY, SECRET), &["came compressed"]);

    let with_time = Scheme::grafana(None, Some("X-Time"));
    let both = signed(&with_time, SECRET, BODY);
    names(&said(&Scheme::Hmac(GRAFANA), &both, BODY, SECRET), &["<timestamp>:<body>", "timestampHeader"]);
    names(&said(&with_time, &signed(&Scheme::Hmac(GRAFANA), SECRET, BODY), BODY, SECRET), &["the body alone", "timestampHeader"]);
    let stripe = [b"1700000000.", BODY].concat();
    let stripe = format!("t=1700000000,v1={}", value(&Scheme::Hmac(GRAFANA), SECRET, &stripe));
    names(&said(&Scheme::Generic, &generic(stripe), BODY, SECRET), &["<timestamp>.<body>"]);
}

#[test]
fn another_form_or_place_is_named() {
    let hex = value(&Scheme::Hmac(GRAFANA), SECRET, BODY);
    let base64 = value(&Scheme::Hmac(SPLUNK), SECRET, BODY);
    let sha1 = value(&Scheme::Hmac(VERCEL), SECRET, BODY);
    let at = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let cases = [
        (Scheme::Generic, at("X-Signature", &base64), "written in base64, this scheme writes hex"),
        (Scheme::Hmac(SPLUNK), at("X-SFX-Signature", &hex), "written in hex, this scheme writes base64"),
        (Scheme::Generic, at("X-Signature", &sha1), "it uses SHA-1, this scheme SHA-256"),
        (Scheme::Hmac(GITHUB), at("X-Hub-Signature", &format!("sha1={sha1}")), "it uses SHA-1"),
        (Scheme::Hmac(GITHUB), at("X-Hub-Signature-256", &hex), "does not begin with `sha256=`"),
        (Scheme::Hmac(GRAFANA), at("X-Grafana-Alerting-Signature", &format!("sha256={hex}")), "begins with `sha256=`"),
        (Scheme::Generic, at("X-Signature", &format!("v1={hex}")), "begins with `v1=`"),
        (Scheme::Generic, at("X-Hub-Signature-256", &format!("sha256={hex}")), "`x-hub-signature-256`, as GitHub does"),
        (
            Scheme::Hmac(BITBUCKET),
            at("X-Tally-Signature", &hex),
            "it stands in `x-tally-signature`; this integration reads `x-hub-signature`",
        ),
        (Scheme::Hmac(GITHUB), at("X-Slack-Signature", "v0=00"), "the header of the scheme Slack"),
        (Scheme::Generic, at("Accept", "*/*"), "no header looks like a signature"),
        (Scheme::Generic, at("X-Signature", ""), "empty"),
        (Scheme::Generic, at("X-Signature", &"0".repeat(128)), "SHA-512"),
    ];
    for (scheme, headers, expected) in cases {
        names(&said(&scheme, &headers, BODY, SECRET), &[expected]);
    }
    let plain = hex::encode(Sha256::digest([SECRET.as_bytes(), BODY].concat()));
    names(&said(&Scheme::Generic, &generic(plain), BODY, SECRET), &["plain SHA-256"]);
}

#[test]
fn two_mistakes_at_once_are_both_named() {
    let old = value(&Scheme::Hmac(SPLUNK), "yesterday", b"{\"a\":1,\"b\":\"caf\\u00e9\"}");
    names(&said(&Scheme::Generic, &generic(old), BODY, SECRET), &["previous secret", "the same JSON", "written in base64"]);
}

#[test]
fn a_late_request_whose_signature_is_right_is_told_apart() {
    let late = sign(&Scheme::Hmac(SLACK), &[Secret::new(SECRET)], "", BODY, NOW.plus_seconds(-3600));
    names(&said(&Scheme::Hmac(SLACK), &late, BODY, SECRET), &["the signature itself is right", "3600 seconds away"]);
    let forged = sign(&Scheme::Hmac(SLACK), &[Secret::new("a")], "", BODY, NOW.plus_seconds(-3600));
    assert!(!said(&Scheme::Hmac(SLACK), &forged, BODY, SECRET).contains("is right"));
}

#[test]
fn the_work_is_bounded_whatever_is_sent() {
    let headers: Vec<(String, String)> = (0..500).map(|n| (format!("x-{n}-signature"), format!("{n:064}"))).collect();
    let headers = [headers, generic("0".repeat(64))].concat();
    let body = vec![b'{'; 8 << 20];
    let before = std::time::Instant::now();
    names(&said(&Scheme::Generic, &headers, &body, SECRET), &["another secret was used"]);
    let case_headers = Headers::new(headers);
    assert!(claim::read(hmac(&Scheme::Generic), &case_headers).len() <= 16);
    assert!(before.elapsed().as_secs() < 10, "{:?}", before.elapsed());
}
