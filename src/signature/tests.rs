use super::*;

const BODY: &[u8] = br#"{"status":"firing","id":"42"}"#;
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const HEX: &str = "48285baad6fd00e895e9110cf5374817d8f79258b56fa83ae6c474d23b7f58ee";
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| Secret::new(*text)).collect()
}

fn checked(scheme: &Scheme, headers: &[(&str, &str)], body: &[u8], secret: &str, now: Timestamp) -> Result<Verified, Unverified> {
    check(scheme, &Headers::new(headers.iter().copied()), body, &secrets(&[secret]), now)
}

/// With the common body, secret and time.
fn common(scheme: &Scheme, headers: &[(&str, &str)]) -> Result<usize, Unverified> {
    checked(scheme, headers, BODY, "topsecret", NOW).map(|verified| verified.secret)
}

#[test]
fn published_vectors_hold() {
    let github = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert!(
        checked(&Scheme::Hmac(GITHUB), &[("X-Hub-Signature-256", github)], b"Hello, World!", "It's a Secret to Everybody", NOW)
            .is_ok()
    );
    let slack = [
        ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ("X-Slack-Request-Timestamp", "1531420618"),
    ];
    // Slack's example body, joined as its documentation prints it.
    let body = [
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar",
        "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com",
        "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    ]
    .concat();
    let at = Timestamp::from_seconds(1_531_420_618);
    assert!(checked(&Scheme::Hmac(SLACK), &slack, body.as_bytes(), "8f742231b10e8888abcd99yyyzzz85a5", at).is_ok());
    let standard = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    let at = Timestamp::from_seconds(1_614_265_330);
    let verified = checked(&Scheme::StandardWebhooks, &standard, br#"{"test": 2432232314}"#, WHSEC, at).unwrap();
    assert_eq!(verified.delivery_id.as_deref(), Some("msg_p5jXN8AQM9LWM0D4loKWxJek"));
}

#[test]
fn vectors_over_the_common_body_hold() {
    let prefixed = format!("sha256={HEX}");
    for value in [HEX, &prefixed, &HEX.to_uppercase(), &format!("SHA256={HEX}"), &format!("  {HEX} ")] {
        assert_eq!(common(&Scheme::Generic, &[("X-Signature", value)]), Ok(0), "{value}");
        assert_eq!(common(&Scheme::Generic, &[("X-Webhook-Signature", value)]), Ok(0), "{value}");
    }
    assert_eq!(common(&Scheme::Hmac(GRAFANA), &[("X-Grafana-Alerting-Signature", HEX)]), Ok(0));
    assert_eq!(common(&Scheme::Hmac(SENTRY), &[("Sentry-Hook-Signature", HEX)]), Ok(0));
    assert_eq!(common(&Scheme::Hmac(BITBUCKET), &[("X-Hub-Signature", &prefixed)]), Ok(0));
    assert_eq!(common(&Scheme::Hmac(VERCEL), &[("x-vercel-signature", "1a164c471eaa587b62fae5dd563e4bf12149207f")]), Ok(0));
    assert_eq!(common(&Scheme::Hmac(SPLUNK), &[("X-SFX-Signature", "SChbqtb9AOiV6REM9TdIF9j3kli1b6g65sR00jt/WO4=")]), Ok(0));
    let several = format!("v1={},v1={HEX}", "0".repeat(64));
    assert_eq!(common(&Scheme::Hmac(PAGERDUTY), &[("X-PagerDuty-Signature", &several)]), Ok(0));
    let slack = [
        ("X-Slack-Signature", "v0=e64e5c2798c5d6f15454c7f1ce8d2997651788b2cbbc2a59ee8a6d48d1ebade6"),
        ("X-Slack-Request-Timestamp", "1700000000"),
    ];
    assert_eq!(common(&Scheme::Hmac(SLACK), &slack), Ok(0));
    let standard = [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", "v1a,xyz v1,AAAA v1,47otB8G7ybKy4tLPIPoFiv6+YyjBEc3Gh3ji/Q8FeKI="),
    ];
    assert!(checked(&Scheme::StandardWebhooks, &standard, BODY, WHSEC, NOW).is_ok());
}

#[test]
fn grafana_signs_its_timestamp_where_a_header_is_named() {
    let scheme = Scheme::grafana(Some("X-Sig"), Some("X-Time"));
    let signature = "79a548536a7ab12b3b689b4dd9f974266b0d1b8ae990cbeb267eca1258283de4";
    assert_eq!(common(&scheme, &[("X-Sig", signature), ("X-Time", "1700000000")]), Ok(0));
    assert_eq!(common(&scheme, &[("X-Sig", signature), ("X-Time", "1700000001")]), Err(Unverified::Mismatch));
    assert_eq!(common(&scheme, &[("X-Sig", signature)]), Err(Unverified::TimestampMissing));
    assert_eq!(common(&Scheme::grafana(None, None), &[("X-Grafana-Alerting-Signature", HEX)]), Ok(0));
}

#[test]
fn a_signature_without_its_form_is_refused() {
    let generic = |value: &str| common(&Scheme::Generic, &[("X-Signature", value)]);
    assert_eq!(common(&Scheme::Generic, &[]), Err(Unverified::Missing));
    let (odd, short) = (HEX.split_at(1).1, HEX.split_at(2).1);
    for value in ["", "sha256=", "zz", odd, short, &format!("{HEX}00"), &"g".repeat(64), "sha1=00", "é"] {
        assert_eq!(generic(value), Err(Unverified::Malformed), "{value}");
    }
    assert_eq!(generic(&"0".repeat(64)), Err(Unverified::Mismatch));
    let legacy = [("X-Hub-Signature", "sha1=1a164c471eaa587b62fae5dd563e4bf12149207f")];
    assert_eq!(common(&Scheme::Hmac(GITHUB), &legacy), Err(Unverified::Missing));
    assert_eq!(common(&Scheme::Hmac(BITBUCKET), &legacy), Err(Unverified::Malformed));
    assert_eq!(common(&Scheme::Hmac(GITHUB), &[("X-Hub-Signature-256", HEX)]), Err(Unverified::Malformed));
}

#[test]
fn only_the_raw_bytes_are_proved() {
    let reserialised = br#"{"id":"42","status":"firing"}"#;
    assert_eq!(checked(&Scheme::Generic, &[("X-Signature", HEX)], reserialised, "topsecret", NOW), Err(Unverified::Mismatch));
    assert_eq!(checked(&Scheme::Generic, &[("X-Signature", HEX)], BODY, "", NOW), Err(Unverified::Mismatch));
    let headers = Headers::new([("X-Signature", HEX)]);
    assert_eq!(check(&Scheme::Generic, &headers, BODY, &[], NOW), Err(Unverified::Mismatch));
    let made_with_nothing = sign(&Scheme::Generic, &secrets(&[""]), "", BODY, NOW);
    assert_eq!(made_with_nothing, [("x-signature".to_owned(), String::new())]);
}

#[test]
fn timestamps_are_whole_seconds_within_five_minutes() {
    let at = |timestamp: &str| {
        let signed = sign(&Scheme::Hmac(SLACK), &secrets(&["topsecret"]), "", BODY, NOW);
        let signature = signed.iter().find(|(name, _)| name == "x-slack-signature").unwrap().1.clone();
        common(&Scheme::Hmac(SLACK), &[("x-slack-signature", &signature), ("x-slack-request-timestamp", timestamp)])
    };
    assert_eq!(at("1700000000"), Ok(0));
    assert_eq!(at("1700000300"), Err(Unverified::Mismatch));
    for outside in ["1699999699", "1700000301", "0", "9223372036854775807"] {
        assert_eq!(at(outside), Err(Unverified::TimestampOutside), "{outside}");
    }
    for malformed in ["", "1e9", "-1", "+1700000000", "9223372036854775808", "1700000000.0", "١٧"] {
        assert_eq!(at(malformed), Err(Unverified::TimestampMalformed), "{malformed}");
    }
    let edge = sign(&Scheme::Hmac(SLACK), &secrets(&["topsecret"]), "", BODY, NOW.plus_seconds(-300));
    assert!(check(&Scheme::Hmac(SLACK), &Headers::new(edge), BODY, &secrets(&["topsecret"]), NOW).is_ok());
}

#[test]
fn doubled_headers_are_candidates_up_to_ten_and_never_ambiguous() {
    let wrong = "0".repeat(64);
    assert_eq!(common(&Scheme::Generic, &[("X-Signature", &wrong), ("X-Webhook-Signature", HEX)]), Ok(0));
    let many: Vec<_> = std::iter::repeat_n(("X-Signature", wrong.as_str()), 9).chain([("X-Signature", HEX)]).collect();
    assert_eq!(common(&Scheme::Generic, &many), Ok(0));
    let more: Vec<_> = std::iter::repeat_n(("X-Signature", HEX), 11).collect();
    assert_eq!(common(&Scheme::Generic, &more), Err(Unverified::TooMany));
    let listed = vec![format!("v1={HEX}"); 1000].join(",");
    assert_eq!(common(&Scheme::Hmac(PAGERDUTY), &[("X-PagerDuty-Signature", &listed)]), Err(Unverified::TooMany));
    let mut signed = sign(&Scheme::StandardWebhooks, &secrets(&[WHSEC]), "msg_1", BODY, NOW);
    signed.push(("webhook-id".to_owned(), "msg_2".to_owned()));
    assert_eq!(
        check(&Scheme::StandardWebhooks, &Headers::new(signed), BODY, &secrets(&[WHSEC]), NOW),
        Err(Unverified::Malformed)
    );
}

#[test]
fn both_secrets_of_a_rotation_hold_and_both_sign() {
    let both = secrets(&["new", "topsecret"]);
    let headers = Headers::new([("X-Signature", HEX)]);
    assert_eq!(check(&Scheme::Generic, &headers, BODY, &both, NOW).unwrap().secret, 1);
    assert_eq!(check(&Scheme::Generic, &headers, BODY, &both[..1], NOW), Err(Unverified::Mismatch));
    let signed = Headers::new(sign(&Scheme::StandardWebhooks, &both, "msg_1", BODY, NOW));
    for secret in &both {
        let verified = check(&Scheme::StandardWebhooks, &signed, BODY, std::slice::from_ref(secret), NOW);
        assert_eq!(verified, Ok(Verified { secret: 0, delivery_id: Some("msg_1".to_owned()) }));
    }
}

#[test]
fn what_is_signed_here_holds_here() {
    let all = [GITHUB, BITBUCKET, SPLUNK, PAGERDUTY, SENTRY, SLACK, VERCEL, GRAFANA].map(Scheme::Hmac);
    let own = [Scheme::Generic, Scheme::StandardWebhooks, Scheme::grafana(None, Some("X-Time"))];
    for scheme in all.iter().chain(&own) {
        for secret in ["topsecret", WHSEC, "whsec_not base64", "dG9wc2VjcmV0"] {
            let headers = Headers::new(sign(scheme, &secrets(&[secret]), "msg_1", BODY, NOW));
            assert!(check(scheme, &headers, BODY, &secrets(&[secret]), NOW).is_ok(), "{scheme:?} {secret}");
            assert_eq!(check(scheme, &headers, b"{}", &secrets(&[secret]), NOW), Err(Unverified::Mismatch));
        }
    }
}

#[test]
fn a_trace_names_the_likely_cause_and_no_secret() {
    let explained = |scheme: &Scheme, headers: &[(&str, &str)], body: &[u8], secret: &str| {
        let trace = explain(scheme, &Headers::new(headers.iter().copied()), body, &secrets(&[secret]), &Suspects::default(), NOW);
        let printed = serde_json::to_string(&trace).unwrap();
        assert!(!printed.contains("topsecret") && !printed.contains(HEX), "{printed}");
        trace
    };
    let cause = |scheme: &Scheme, headers: &[(&str, &str)], body: &[u8], secret: &str| {
        explained(scheme, headers, body, secret).causes.pop().unwrap_or_default()
    };
    let held = explained(&Scheme::Generic, &[("X-Signature", HEX)], BODY, "topsecret");
    assert_eq!((held.found, held.secret, held.signed.as_str(), held.problem), (true, Some(0), "the raw body", None));
    assert!(held.causes.is_empty());

    let generic = Scheme::Generic;
    let base64 = "SChbqtb9AOiV6REM9TdIF9j3kli1b6g65sR00jt/WO4=";
    let sha1 = "1a164c471eaa587b62fae5dd563e4bf12149207f";
    assert!(cause(&generic, &[("X-Hub-Signature-256", HEX)], BODY, "topsecret").contains("`x-hub-signature-256`"));
    assert!(cause(&generic, &[("X-Signature", base64)], BODY, "topsecret").contains("base64"));
    assert!(cause(&generic, &[("X-Signature", sha1)], BODY, "topsecret").contains("SHA-1"));
    assert!(cause(&generic, &[("X-Signature", HEX)], BODY, " topsecret\n").contains("white space"));
    assert!(cause(&generic, &[("X-Signature", HEX)], &[BODY, b"\n"].concat(), "topsecret").contains("line breaks"));
    assert!(cause(&generic, &[("X-Signature", HEX)], BODY, "other").contains("another secret"));
    assert!(cause(&Scheme::Hmac(GITHUB), &[("X-Hub-Signature-256", HEX)], BODY, "topsecret").contains("`sha256=`"));
    let slack = |timestamp| {
        [
            ("X-Slack-Signature", "v0=e64e5c2798c5d6f15454c7f1ce8d2997651788b2cbbc2a59ee8a6d48d1ebade6"),
            ("X-Slack-Request-Timestamp", timestamp),
        ]
    };
    assert!(cause(&Scheme::Hmac(SLACK), &slack("1700000000123"), BODY, "topsecret").contains("milliseconds"));
    assert!(cause(&Scheme::Hmac(SLACK), &slack("1700003600"), BODY, "topsecret").contains("3600 seconds"));
}

#[test]
fn milliseconds_are_as_close_as_seconds() {
    let scheme = Scheme::Hmac(OPSKNIGHT);
    let signed = sign(&scheme, &secrets(&["topsecret"]), "", BODY, NOW);
    assert!(signed.contains(&("x-opsknight-timestamp".to_owned(), "1700000000000".to_owned())), "{signed:?}");
    // printf '1700000000000.%s' '{"status":"firing","id":"42"}' | openssl dgst -sha256 -hmac topsecret
    let vector = "sha256=3645f7dc6ba02a32d248bbb3d37b81d49a112aa1132cc98d15cc38c0fbaf65be";
    let at = |time: &str, now: Timestamp| {
        checked(&scheme, &[("X-OpsKnight-Signature", vector), ("X-OpsKnight-Timestamp", time)], BODY, "topsecret", now)
            .map(|_| ())
    };
    assert_eq!(at("1700000000000", NOW), Ok(()));
    assert_eq!(at("1700000000000", NOW.plus_seconds(300)), Ok(()));
    assert_eq!(at("1700000000000", NOW.plus_seconds(301)), Err(Unverified::TimestampOutside));
    assert_eq!(at("1700000000", NOW), Err(Unverified::TimestampOutside), "seconds");
    assert_eq!(at("1700000000001", NOW), Err(Unverified::Mismatch));
}
