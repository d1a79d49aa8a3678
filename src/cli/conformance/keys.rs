//! What senders prove by keys that they publish: messages of Amazon SNS and the ID tokens of Pub/Sub, good ones and every kind of bad.
//!
//! They are checked by the same functions as a request is, with the document that holds the key at hand: where Amazon and Google publish
//! theirs, nobody but they can sign.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use super::door::{Outcome, Row};
use crate::provider::Headers;
use crate::signature::published::vectors::{self, Message};
use crate::signature::published::{Published, Unproven, oidc, sns};
use crate::signature::vectors::AT;
use crate::time::Timestamp;

/// Seconds after which a message or a token is too old.
const LATE: i64 = 2 * 3_600;
const HOLDS: &str = "holds";
const REFUSED: &str = "refused";

/// A case: its name, whether it must hold, and what became of it.
type Case = (String, bool, Result<(), Unproven>);

/// The cases of the tools that prove themselves so, or of the one of this type.
pub fn rows(only: Option<&str>) -> Vec<Row> {
    let of = |kind: &str, scheme: &str, cases: Vec<Case>| {
        let row = |(case, good, came): Case| Row {
            kind: kind.to_owned(),
            scheme: scheme.to_owned(),
            case,
            outcome: if came.is_ok() == good { Outcome::Held } else { Outcome::Failed },
            expected: if good { HOLDS } else { REFUSED },
            came: came.map_or_else(|why| why.to_string(), |()| HOLDS.to_owned()),
        };
        cases.into_iter().map(row).collect::<Vec<_>>()
    };
    let wanted = |kind: &str| only.is_none_or(|only| only == kind);
    let mut rows = Vec::new();
    if wanted("cloudwatch") {
        rows.extend(of("cloudwatch", "Amazon SNS", messages()));
    }
    if wanted("google-cloud-monitoring") {
        rows.extend(of("google-cloud-monitoring", "OpenID Connect", tokens()));
    }
    rows
}

fn now() -> Timestamp {
    Timestamp::from_seconds(AT)
}

/// Whether `body` holds at `at` by the key of `certificate`.
fn message(body: &Value, certificate: &str, at: Timestamp) -> Result<(), Unproven> {
    let rules = sns::Rules { topics: vec![vectors::TOPIC.to_owned()], required: true };
    let claims = Published::Sns(rules).claims(&Headers::default(), Some(body), at, &[])?;
    claims.iter().try_for_each(|claim| claim.verify(certificate.as_bytes(), at))
}

fn messages() -> Vec<Case> {
    let by_sns = |body: &Value, at| message(body, vectors::CERTIFICATE, at);
    let mut cases: Vec<Case> =
        vectors::MESSAGES.iter().map(|one| (format!("good, {}", one.name), true, by_sns(&one.body(), now()))).collect();
    let [one, two, ..] = &vectors::MESSAGES;
    let with = |from: &Message, name: &str, value: Value| {
        let mut body = from.body();
        if let Some(place) = body.get_mut(name) {
            *place = value;
        }
        body
    };
    let mut bad = |name: &str, came| cases.push((name.to_owned(), false, came));
    for from in [one, two] {
        bad(
            &format!("one bit off, {}", from.name),
            by_sns(&with(from, "Signature", flipped(&STANDARD, from.code).into()), now()),
        );
    }
    for (name, field, value) in [
        ("another text", "Message", json!("no alert ")),
        ("another headline", "Subject", json!("another vector")),
        ("another id", "MessageId", json!("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf325")),
        ("another time", "Timestamp", json!("2023-11-14T22:13:21.000Z")),
        ("a topic that is not allowed", "TopicArn", json!("arn:aws:sns:eu-west-1:444455556666:alerts")),
        ("the signature of the other version", "Signature", json!(one.code)),
        ("the version of the other signature", "SignatureVersion", json!("1")),
        ("missing", "Signature", Value::Null),
        ("empty", "Signature", json!("")),
        ("no base64", "Signature", json!("?")),
        ("a certificate of another host", "SigningCertURL", json!("https://sns.eu-west-1.amazonaws.com.example/a.pem")),
        ("a certificate without TLS", "SigningCertURL", json!("http://sns.eu-west-1.amazonaws.com/a.pem")),
    ] {
        bad(name, by_sns(&with(two, field, value), now()));
    }
    bad("by another key", message(&two.body(), vectors::OTHER_CERTIFICATE, now()));
    bad("no certificate at its address", message(&two.body(), "<html></html>", now()));
    bad("old timestamp", by_sns(&two.body(), now().plus_seconds(LATE)));
    bad("future timestamp", by_sns(&two.body(), now().plus_seconds(-LATE)));
    bad("an alarm without a signature", by_sns(&json!({"AlarmName": "cpu", "NewStateValue": "ALARM"}), now()));
    let forged = with(two, "Message", json!("forged"));
    bad("doubled, bad last", by_sns(&json!({"Records": [{"Sns": two.body()}, {"Sns": forged}]}), now()));
    bad("doubled, unsigned last", by_sns(&json!({"Records": [{"Sns": two.body()}, {"body": "x"}]}), now()));
    cases
}

/// The signature with its last bit changed.
fn flipped(alphabet: &GeneralPurpose, code: &str) -> String {
    let mut bytes = alphabet.decode(code).unwrap_or_default();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    alphabet.encode(bytes)
}

/// Whether `headers` hold at `at` by the issuer's `keys`.
fn token(headers: &Headers, keys: &Value, at: Timestamp) -> Result<(), Unproven> {
    let address = Url::parse(oidc::GOOGLE_KEYS).map_err(|_| Unproven::Keys)?;
    let rules = oidc::Rules {
        audience: vectors::AUDIENCE.to_owned(),
        email: vectors::ACCOUNT.to_owned(),
        issuers: oidc::GOOGLE.map(str::to_owned).to_vec(),
        keys: address,
    };
    let claims = Published::Oidc(rules).claims(headers, None, at, &[])?;
    claims.iter().try_for_each(|claim| claim.verify(keys.to_string().as_bytes(), at))
}

fn bearer(tokens: &[&str]) -> Headers {
    Headers::new(tokens.iter().map(|token| ("authorization".to_owned(), format!("Bearer {token}"))))
}

/// The good signature under another header and other claims.
fn forged(header: &Value, claims: &Value) -> String {
    let [_, signature] = vectors::TOKEN;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn tokens() -> Vec<Case> {
    let [signed, signature] = vectors::TOKEN;
    let good = format!("{signed}.{signature}");
    let by_google = |text: &str, at| token(&bearer(&[text]), &vectors::keys(), at);
    let mut cases: Vec<Case> = vec![
        ("good".to_owned(), true, by_google(&good, now())),
        ("good, its last minute".to_owned(), true, by_google(&good, now().plus_seconds(3_599))),
    ];
    let mut bad = |name: &str, came| cases.push((name.to_owned(), false, came));
    bad("one bit off", by_google(&format!("{signed}.{}", flipped(&URL_SAFE_NO_PAD, signature)), now()));
    let (rs256, claims) = (json!({"alg": "RS256", "kid": vectors::KID}), vectors::claims());
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        if let Some(place) = claims.get_mut(name) {
            *place = value;
        }
        forged(&rs256, &claims)
    };
    for (name, claim, value) in [
        ("another subject", "sub", json!("2")),
        ("another audience", "aud", json!("https://callbox.example.org")),
        ("another account", "email", json!("push@another.iam.gserviceaccount.com")),
        ("an account that is not verified", "email_verified", json!(false)),
        ("another issuer", "iss", json!("https://accounts.google.com.example")),
        ("a longer life", "exp", json!(AT + 7_200)),
    ] {
        bad(name, by_google(&with(claim, value), now()));
    }
    for (name, header) in [
        ("algorithm none", json!({"alg": "none", "kid": vectors::KID})),
        ("the key as an HMAC's secret", json!({"alg": "HS256", "kid": vectors::KID})),
        ("a key that is not published", json!({"alg": "RS256", "kid": "another"})),
        ("no key named", json!({"alg": "RS256"})),
    ] {
        bad(name, by_google(&forged(&header, &claims), now()));
    }
    bad("old timestamp", by_google(&good, now().plus_seconds(LATE)));
    bad("future timestamp", by_google(&good, now().plus_seconds(-LATE)));
    bad("missing", token(&Headers::default(), &vectors::keys(), now()));
    bad("empty", by_google("", now()));
    bad("no signature", by_google(signed, now()));
    bad("doubled", token(&bearer(&[&good, &good]), &vectors::keys(), now()));
    bad("no keys at their address", token(&bearer(&[&good]), &json!({}), now()));
    cases
}
