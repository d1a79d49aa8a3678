use std::collections::BTreeSet;

use super::body::Message;
use super::cases::{self, Case, Expected, Material, Plan};
use super::door::{Door, Outcome};
use super::keys;
use crate::cli::testing::{Answer, Server};
use crate::provider::{Compiled, Headers, Registry};
use crate::secret::Secret;
use crate::signature::published::Unproven;
use crate::signature::{Scheme, check, vectors};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn cases(scheme: &Scheme, secret: &str) -> Vec<Case> {
    let message = Message::samples("alertmanager").swap_remove(0);
    let (secret, key) = (Secret::new(secret), Secret::new("0123456789abcdef0123456789abcdef"));
    cases::all(&Material { scheme, secret: &secret, key: &key, message: &message, now: NOW }).unwrap()
}

/// The cases against the check alone: what the whole service must do, its core does.
#[test]
fn every_case_is_what_it_says_for_every_scheme() {
    let mut schemes: Vec<Scheme> = Registry::built_in().tools().map(|tool| tool.scheme(&Compiled::none())).collect();
    schemes.extend(Scheme::names().into_iter().filter_map(Scheme::named));
    schemes.push(Scheme::grafana(None, Some("x-time")));
    for scheme in schemes {
        let name = scheme.name();
        let mut posted = 0;
        for case in cases(&scheme, "topsecret") {
            let Plan::Post { headers, body, message } = case.plan else { continue };
            posted += 1;
            let unpacked = headers.iter().any(|(name, _)| name == "content-encoding");
            let body = if unpacked { &message.body } else { &body };
            let held = check(&scheme, &Headers::new(headers), body, &[Secret::new("topsecret")], NOW).is_ok();
            assert_eq!(held, case.expected == Expected::Accepted, "{name}: {}", case.name);
        }
        assert!(posted >= if scheme.covers_body() { 19 } else { 13 }, "{name}: {posted}");
    }
}

#[test]
fn every_vector_holds_and_not_for_another_body() {
    let mut schemes = BTreeSet::new();
    for vector in vectors::all() {
        let hmac = vector.scheme.hmac().unwrap();
        schemes.insert(hmac.name);
        assert!(vector.is_of(hmac), "{}", hmac.name);
        let headers = Headers::new(vector.headers(hmac));
        let at = Timestamp::from_seconds(vector.at);
        let held = |body: &[u8]| check(&vector.scheme, &headers, body, &[Secret::new(vector.secret)], at).is_ok();
        assert!(held(vector.body.as_bytes()), "{} {}", hmac.name, vector.name);
        assert!(!held(b"{}"), "{} {}", hmac.name, vector.name);
    }
    for named in Scheme::names().into_iter().filter_map(Scheme::named).filter(|named| named.hmac().is_some()) {
        assert!(schemes.contains(named.name()), "{} has no vector", named.name());
    }
}

#[test]
fn every_tool_has_a_sample_and_its_changes_are_real() {
    for tool in Registry::built_in().tools() {
        let kind = tool.meta().kind;
        let samples = Message::samples(kind);
        assert!(samples.len() >= 2, "{kind} has no fixture that opens nothing");
        for message in samples {
            assert!(message.with_emoji().body.windows(4).any(|four| four == "🔥".as_bytes()), "{kind}");
            assert!(message.with_crlf().body.ends_with(b"\r\n"), "{kind}");
            assert!(message.as_form().body.starts_with(b"payload="), "{kind}");
            let secret = |name: &str| name.contains("signature") || name.contains("token") || name == "authorization";
            assert!(!message.headers.iter().any(|(name, _)| secret(name)), "{kind}: {:?}", message.headers);
        }
    }
}

/// A service that takes everything, one that refuses everything, and one that says why.
#[tokio::test]
async fn a_service_that_is_wrong_fails() {
    let judged = async |status: u16, bodies: [&str; 2], expected: Expected| {
        let server = Server::start(bodies.map(|body| Answer::json(status, body)));
        let mut door = Door {
            kind: "webhook".to_owned(),
            id: "int_1".to_owned(),
            scheme: Scheme::Generic,
            named: "generic".to_owned(),
            url: format!("{}/api/integrations/webhook?integrationId=h", server.url()).parse().unwrap(),
            key: Secret::new("k"),
            secret: Secret::new("topsecret"),
            from: None,
            refusal: None,
        };
        let mut last = None;
        for _ in 0..2 {
            let case = cases(&Scheme::Generic, "topsecret").into_iter().find(|case| case.expected == expected).unwrap();
            last = Some(door.try_case(&server.session(), case).await.unwrap().outcome);
        }
        last.unwrap()
    };
    let (one, other) = (r#"{"message":"no"}"#, r#"{"message":"the secret is wrong"}"#);
    assert_eq!(judged(202, [one, one], Expected::Accepted).await, Outcome::Held);
    assert_eq!(judged(401, [one, one], Expected::Refused).await, Outcome::Held);
    assert_eq!(judged(401, [one, one], Expected::Accepted).await, Outcome::Failed);
    assert_eq!(judged(202, [one, one], Expected::Refused).await, Outcome::Failed);
    assert_eq!(judged(400, [one, one], Expected::Refused).await, Outcome::Failed);
    assert_eq!(judged(401, [one, other], Expected::Refused).await, Outcome::Failed, "it says what is wrong");
}

/// What is made of a good one is refused for its own reason: a case that failed for another would prove nothing.
#[test]
fn what_is_signed_by_published_keys_holds_as_it_is_and_no_other_way() {
    let rows = keys::rows(None);
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| row.outcome != Outcome::Held)
        .map(|row| format!("{} {}: {}", row.kind, row.case, row.came))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let of = |kind: &str, expected: &str| rows.iter().filter(|row| row.kind == kind && row.expected == expected).count();
    assert_eq!((of("cloudwatch", "holds"), of("google-cloud-monitoring", "holds")), (4, 2));
    assert!(of("cloudwatch", "refused") >= 20 && of("google-cloud-monitoring", "refused") >= 17);
    let came = |case: &str| rows.iter().filter(|row| row.case == case).map(|row| row.came.clone()).collect::<Vec<_>>();
    let mismatch = Unproven::Mismatch.to_string();
    for case in ["another text", "by another key", "the version of the other signature", "one bit off", "another subject"] {
        assert_eq!(came(case), std::slice::from_ref(&mismatch), "{case}");
    }
    assert_eq!(came("the key as an HMAC's secret"), [Unproven::Algorithm.to_string()]);
    assert_eq!(came("old timestamp"), [Unproven::MessageOutside.to_string(), Unproven::TokenOutside.to_string()]);
    assert!(keys::rows(Some("grafana")).is_empty() && keys::rows(Some("cloudwatch")).iter().all(|row| row.kind == "cloudwatch"));
}
