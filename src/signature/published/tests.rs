//! The rules that need no key, as tables. Signatures themselves are tested with vectors that openssl computed, in `tests/it/clouds`.

use serde_json::json;

use super::*;
use crate::provider::Headers;

fn now() -> Timestamp {
    Timestamp::parse("2026-01-02T04:00:00Z").unwrap().at
}

const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:alerts";

fn message() -> Value {
    json!({
        "Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": "line\nline", "Timestamp": "2026-01-02T03:30:00.000Z",
        "SignatureVersion": "2", "Signature": "AAAA", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/a.pem",
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe"
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut message = message();
    message[name] = value.into();
    message
}

fn claims(rules: &sns::Rules, body: &Value) -> Result<Vec<Claim>, Unproven> {
    Published::Sns(rules.clone()).claims(&Headers::default(), Some(body), now(), &[])
}

#[test]
fn the_signed_text_is_the_fields_that_the_type_has() {
    let rules = sns::Rules { topics: Vec::new(), required: true };
    let text = |body: &Value| String::from_utf8(claims(&rules, body).unwrap().remove(0).signed).unwrap();
    let rest = format!("Timestamp\n2026-01-02T03:30:00.000Z\nTopicArn\n{TOPIC}\nType\nNotification\n");
    assert_eq!(text(&message()), format!("Message\nline\nline\nMessageId\nm\n{rest}"));
    assert_eq!(text(&with("Subject", "s")), format!("Message\nline\nline\nMessageId\nm\nSubject\ns\n{rest}"));
    assert_eq!(text(&with("Subject", Value::Null)), text(&message()));
    // Not signed, and so not in it.
    assert_eq!(text(&with("Token", "t")), text(&message()));
    let mut asks = with("Type", "SubscriptionConfirmation");
    assert_eq!(claims(&rules, &asks), Err(Unproven::Malformed), "it must have its token and its address");
    (asks["Token"], asks["SubscribeURL"]) = ("t".into(), "u".into());
    let rest = rest.replace("Notification", "SubscriptionConfirmation").replace("TopicArn", "Token\nt\nTopicArn");
    assert_eq!(text(&asks), format!("Message\nline\nline\nMessageId\nm\nSubscribeURL\nu\n{rest}"));
}

#[test]
fn what_cannot_hold_is_refused_before_anything_is_fetched() {
    let rules = sns::Rules { topics: vec![TOPIC.into()], required: true };
    assert_eq!(claims(&rules, &message()).map(|claims| claims.len()), Ok(1));
    for (body, why) in [
        (json!({"AlarmName": "raw", "NewStateValue": "OK"}), Unproven::Unsigned),
        (json!({"Records": [{"Sns": message()}, {"body": 1}]}), Unproven::Mixed),
        (json!({"Records": vec![json!({"Sns": message()}); 11]}), Unproven::TooMany),
        (with("Signature", Value::Null), Unproven::Unsigned),
        (with("Signature", "?"), Unproven::Malformed),
        (with("SignatureVersion", "3"), Unproven::Malformed),
        (with("SignatureVersion", 1), Unproven::Malformed),
        (with("MessageId", 7), Unproven::Malformed),
        (with("TopicArn", "arn:aws:sns:eu-west-1:999:alerts"), Unproven::Topic),
        (with("SigningCertURL", "https://sns.eu-west-1.amazonaws.com.evil.test/a.pem"), Unproven::CertificateUrl),
        (with("Timestamp", "2026-01-02T02:54:59.000Z"), Unproven::MessageOutside),
        (with("Timestamp", "2026-01-02T04:05:01.000Z"), Unproven::MessageOutside),
        (with("Timestamp", "2026-01-02T03:30:00.000"), Unproven::Undated),
        (with("Timestamp", Value::Null), Unproven::Undated),
    ] {
        assert_eq!(claims(&rules, &body), Err(why), "{body}");
    }
    assert_eq!(claims(&sns::Rules::default(), &with("Signature", "?")), Ok(Vec::new()), "nothing is demanded");
}

#[test]
fn only_a_named_topic_must_prove_its_subscription() {
    let mut asks = with("Type", "SubscriptionConfirmation");
    (asks["Token"], asks["SubscribeURL"]) = ("t".into(), "u".into());
    let count = |topics: &[&str], required: bool| {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        claims(&sns::Rules { topics, required }, &asks).map(|claims| claims.len())
    };
    assert_eq!((count(&[], false), count(&[TOPIC], false), count(&[TOPIC], true)), (Ok(0), Ok(1), Ok(1)));
    assert_eq!(count(&["arn:aws:sns:eu-west-1:1:other"], true), Ok(1), "another topic may ask, and is told to wait");
}

#[test]
fn certificates_come_from_sns_alone() {
    let emulator = [Url::parse("http://127.0.0.1:4566").unwrap()];
    let ok = |url: &str| sns::certificate_url(url, &[]).is_some();
    for yes in [
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        "https://sns.us-gov-west-1.amazonaws.com/a.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/a.pem",
        "https://SNS.eu-west-1.amazonaws.com:443/a.pem",
    ] {
        assert!(ok(yes), "{yes}");
    }
    for no in [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://me@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.test/a.pem",
        "https://evil.test\\@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.evil.test/a.pem",
        "https://sns.us-east-1.amazonaws.com./a.pem",
        "https://evil-sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.evil.amazonaws.com/a.pem",
        "https://sns.s3.us-east-1.amazonaws.com/a.pem",
        "https://s3.amazonaws.com/sns.us-east-1.amazonaws.com/a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.cn.evil.test/a.pem",
        "https://sns..amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem#b",
        "https://sns.eu-west-1.amazonaws.com/a.pem?b",
        "https://sns.eu-west-1.amazonaws.com/?a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "https://sns.eu-west-1.amazonaws.com/a .pem",
        "https://127.0.0.1/a.pem",
        "http://127.0.0.1:4566/a.pem",
        "//sns.eu-west-1.amazonaws.com/a.pem",
        "",
    ] {
        assert!(!ok(no), "{no}");
    }
    assert!(sns::certificate_url("http://127.0.0.1:4566/x/a.pem", &emulator).is_some());
    assert!(sns::certificate_url("http://127.0.0.1:4567/x/a.pem", &emulator).is_none());
}

#[test]
fn a_subscription_is_confirmed_at_sns_for_its_own_topic() {
    let at = |url: &str| sns::subscribe_url(url, TOPIC, &[]).is_some();
    let query = format!("Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t");
    assert!(at(&format!("https://sns.eu-west-1.amazonaws.com/?{query}")));
    for no in [
        format!("http://sns.eu-west-1.amazonaws.com/?{query}"),
        format!("https://sns.eu-west-1.amazonaws.com.evil.test/?{query}"),
        format!("http://169.254.169.254/?{query}"),
        format!("https://sns.eu-west-1.amazonaws.com/?{}", query.replace("Confirm", "Un")),
        format!("https://sns.eu-west-1.amazonaws.com/?{}", query.replace("alerts", "other")),
    ] {
        assert!(!at(&no), "{no}");
    }
}

fn rules() -> oidc::Rules {
    oidc::Rules {
        audience: "https://callbox.example".into(),
        email: "push@shop.iam.gserviceaccount.com".into(),
        issuers: oidc::GOOGLE.map(str::to_owned).to_vec(),
        keys: Url::parse(oidc::GOOGLE_KEYS).unwrap(),
    }
}

fn bearer(header: &Value, claims: &Value) -> Headers {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    Headers::new([("Authorization", format!("Bearer {}.{}.AAAA", part(header), part(claims)))])
}

#[test]
fn a_token_says_for_whom_by_whom_and_when() {
    let header = json!({"alg": "RS256", "kid": "k1", "typ": "JWT"});
    let from = now().seconds();
    let good = json!({
        "iss": "https://accounts.google.com", "aud": "https://callbox.example", "email": "push@shop.iam.gserviceaccount.com",
        "email_verified": true, "iat": from, "exp": from + 3600, "sub": "1"
    });
    let of = |headers: &Headers| Published::Oidc(rules()).claims(headers, None, now(), &[]).map(|claims| claims.len());
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        of(&bearer(&header, &claims))
    };
    assert_eq!(of(&bearer(&header, &good)), Ok(1));
    assert_eq!(changed("aud", json!(["x", "https://callbox.example"])), Ok(1));
    assert_eq!(changed("email_verified", json!("true")), Ok(1));
    assert_eq!((changed("exp", json!(from - 59)), changed("iat", json!(from + 60))), (Ok(1), Ok(1)), "clocks differ");
    for (name, value, why) in [
        ("iss", json!("https://accounts.google.com.evil.test"), Unproven::Issuer),
        ("aud", json!("https://callbox.example/"), Unproven::Audience),
        ("aud", Value::Null, Unproven::Audience),
        ("email", json!("other@shop.iam.gserviceaccount.com"), Unproven::Account),
        ("email_verified", json!(false), Unproven::Account),
        ("email_verified", Value::Null, Unproven::Account),
        ("exp", json!(from - 60), Unproven::TokenOutside),
        ("iat", json!(from + 61), Unproven::TokenOutside),
        ("nbf", json!(from + 61), Unproven::TokenOutside),
        ("exp", json!(from + 10_000_000), Unproven::TokenOutside),
        ("exp", Value::Null, Unproven::Malformed),
        ("exp", json!("soon"), Unproven::Malformed),
    ] {
        assert_eq!(changed(name, value.clone()), Err(why), "{name}: {value}");
    }
    for (header, why) in [
        (json!({"alg": "none", "kid": "k1"}), Unproven::Algorithm),
        (json!({"alg": "HS256", "kid": "k1"}), Unproven::Algorithm),
        (json!({"alg": "RS256", "kid": "k1", "crit": ["x"]}), Unproven::Algorithm),
        (json!({"alg": "RS256"}), Unproven::Malformed),
    ] {
        assert_eq!(of(&bearer(&header, &good)), Err(why), "{header}");
    }
    assert_eq!(of(&Headers::default()), Err(Unproven::TokenMissing));
    assert_eq!(of(&Headers::new([("Authorization", "Basic QTpC")])), Err(Unproven::TokenMissing));
    assert_eq!(of(&Headers::new([("Authorization", "Bearer a.b")])), Err(Unproven::Malformed));
    let twice = bearer(&header, &good);
    let twice = Headers::new(twice.iter().chain(twice.iter()).map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(of(&twice), Err(Unproven::Malformed));
}
