//! The texts that a sender may have signed.

use std::borrow::Cow;

use serde_json::Value;

use super::Case;
use crate::provider::Headers;
use crate::signature::evidence::values;
use crate::signature::scheme::Signed;

/// Bodies over this length are not printed anew.
const REPRINTED_MAX: usize = 64 * 1024;
/// Timestamps that are tried.
const TIMES_MAX: usize = 3;

/// A text, and how it differs from the one that should have been signed.
pub(super) struct Text<'a> {
    before: String,
    body: Cow<'a, [u8]>,
    pub(super) difference: Option<String>,
}

impl Text<'_> {
    pub(super) fn length(&self) -> usize {
        self.before.len() + self.body.len()
    }

    pub(super) fn parts(&self) -> [&[u8]; 2] {
        [self.before.as_bytes(), &self.body]
    }
}

/// Every text worth trying; the one that is right comes first.
pub(super) fn candidates<'a>(case: &Case<'a>) -> Vec<Text<'a>> {
    let right = before(&case.hmac.signed, case.headers);
    let mut texts = vec![Text { before: right.clone(), body: Cow::Borrowed(case.body), difference: None }];
    let asked = case.hmac.signed.described();
    for (before, signed) in other_frames(case) {
        if before != right {
            let difference = Some(format!("it is over {signed}; this integration checks {asked}{}", advice(case)));
            texts.push(Text { before, body: Cow::Borrowed(case.body), difference });
        }
    }
    texts.extend(other_bodies(case).into_iter().map(|(body, difference)| Text {
        before: right.clone(),
        body: Cow::Owned(body),
        difference: Some(difference.to_owned()),
    }));
    texts
}

/// What the scheme puts before the body, with whatever the headers hold.
fn before(signed: &Signed, headers: &Headers) -> String {
    let of = |name: &str| headers.get(name).unwrap_or_default();
    match signed {
        Signed::Body => String::new(),
        Signed::Timestamped { header, before, between } => format!("{before}{}{between}", of(header)),
        Signed::Identified { id, timestamp } => format!("{}.{}.", of(id), of(timestamp)),
    }
}

/// Other ways to put timestamps and ids before a body, and what they are called.
fn other_frames(case: &Case<'_>) -> Vec<(String, String)> {
    let mut frames = vec![(String::new(), "the body alone".to_owned())];
    for (header, time) in times(case) {
        for (before, between) in [("", "."), ("", ":"), ("v0:", ":"), ("", "")] {
            let signed = format!("`{before}<timestamp>{between}<body>` with the timestamp of `{header}`");
            frames.push((format!("{before}{time}{between}"), signed));
        }
        if let Some(id) = case.headers.get("webhook-id") {
            frames.push((format!("{id}.{time}."), "`<webhook-id>.<timestamp>.<body>` (Standard Webhooks)".to_owned()));
        }
    }
    frames
}

/// Times in the headers, and `t=` within the signature's own.
fn times<'a>(case: &Case<'a>) -> Vec<(&'a str, &'a str)> {
    let digits = |text: &str| (9..=13).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let named = case.headers.iter().filter(|(name, value)| name.contains("time") && digits(value));
    let hmac: &'a _ = case.hmac;
    let within = values(hmac, case.headers)
        .flat_map(|value| value.split(','))
        .filter_map(|part| part.trim().strip_prefix("t="))
        .filter(|value| digits(value))
        .map(|value| (&*hmac.header, value));
    named.chain(within).take(TIMES_MAX).collect()
}

/// Where one setting on either side decides what is signed.
fn advice(case: &Case<'_>) -> &'static str {
    if case.hmac.name != "Grafana" {
        return "";
    }
    ": make the contact point's timestamp header and the integration's option timestampHeader the same, or leave both empty"
}

/// The body as the sender may have had it.
fn other_bodies(case: &Case<'_>) -> Vec<(Vec<u8>, &'static str)> {
    const REWRITTEN: &str = "it is over the same JSON in other bytes: something between the sender and this server reformats bodies, or \
                             the sender signs before it serialises";
    const LINES: &str = "it is over the body with other line breaks: something between the sender and this server changes them";
    let body = case.body;
    let mut bodies = vec![(
        Vec::new(),
        "it is over an empty body: the sender signs before it writes the body, or something on the way added one",
    )];
    if body.len() > REPRINTED_MAX {
        return bodies;
    }
    bodies.push((body.trim_ascii_end().to_vec(), LINES));
    for end in [&b"\n"[..], b"\r\n"] {
        bodies.push(([body, end].concat(), LINES));
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let unix = text.replace("\r\n", "\n");
        bodies.push((unix.replace('\n', "\r\n").into_bytes(), LINES));
        bodies.push((unix.into_bytes(), LINES));
        let pairs: Vec<_> = url::form_urlencoded::parse(body).collect();
        if let Some((_, payload)) = pairs.into_iter().find(|(name, _)| name == "payload") {
            bodies
                .push((payload.into_owned().into_bytes(), "it is over the value of `payload`, not over the body that holds it"));
        }
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        let as_sent = std::str::from_utf8(body).unwrap_or_default();
        let (sorted, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap_or_default());
        for text in [respaced(as_sent, ",", ":"), respaced(as_sent, ", ", ": "), respaced(&sorted, ", ", ": "), sorted, pretty] {
            bodies.push((escaped(&text).into_bytes(), REWRITTEN));
            bodies.push((text.into_bytes(), REWRITTEN));
        }
    }
    bodies.retain(|(other, _)| other != body);
    bodies
}

/// JSON with this between elements and after names, and no other white space outside of its strings.
fn respaced(json: &str, comma: &str, colon: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut inside, mut escaped) = (false, false);
    for letter in json.chars() {
        match letter {
            ',' if !inside => out.push_str(comma),
            ':' if !inside => out.push_str(colon),
            letter if !inside && letter.is_ascii_whitespace() => {}
            letter => out.push(letter),
        }
        inside ^= letter == '"' && !escaped;
        escaped = inside && letter == '\\' && !escaped;
    }
    out
}

/// JSON with everything beyond ASCII as `\uXXXX`, as many serialisers print it.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            let mut units = [0u16; 2];
            letter.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}
