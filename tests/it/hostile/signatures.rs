//! D: signatures that are missing, wrong, old, replayed or too many.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use super::*;
use crate::support::api::event;
use crate::support::secrets;

on_both_shared!(
    d6_a_delivery_counts_once,
    d9_old_and_new_hold_together_and_the_old_one_ends,
    d10_a_signed_integration_takes_no_bare_key,
);

/// The HMAC-SHA256 of the parts one after another, in hex.
pub fn hmac(secret: &str, parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    hex::encode(mac.finalize().into_bytes())
}

/// An integration with a signature secret and further fields.
async fn signed(shared: &Shared, kind: &str, name: &str, secret: &str, options: Value) -> Integration {
    secrets::remember(secret);
    let fields = json!({"type": kind, "name": name, "signature_secret": secret, "options": options, "rate_limit_per_minute": 0});
    shared.service.api().integration_from(fields).await
}

const SECRET: &str = "the secret that these tests sign with";
const BODY: &[u8] = br#"{"summary": "signed", "status": "firing"}"#;

/// The status of the answer, from an address that nobody else uses.
async fn status(shared: &Shared, integration: &Integration, headers: &[(&str, &str)], body: &[u8]) -> u16 {
    // Each from an address of its own: failures of one must not make the next one's answer.
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let peer = std::net::Ipv4Addr::from(0x0a00_0000 + NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)).to_string();
    shared.post(&peer, native(integration), headers, body).await.status
}

#[tokio::test]
async fn d3_d4_only_the_hmac_of_these_bytes_holds() {
    let shared = Shared::sqlite().await;
    for kind in ["webhook", "grafana"] {
        let integration = signed(&shared, kind, &format!("signed {kind}"), SECRET, json!({})).await;
        let header = if kind == "grafana" { "X-Grafana-Alerting-Signature" } else { "X-Signature" };
        let right = hmac(SECRET, &[BODY]);
        let refused = [
            None,
            Some(String::new()),
            Some(right[..62].to_owned()),
            Some(format!("{right}00")),
            Some(right.replacen(&right[..1], "g", 1)),
            Some(format!("md5={right}")),
            Some("é".repeat(32)),
            Some(hmac("another secret", &[BODY])),
            Some(hmac("", &[BODY])),
        ];
        for value in refused {
            let headers: Vec<(&str, &str)> = value.iter().map(|value| (header, value.as_str())).collect();
            assert_eq!(status(&shared, &integration, &headers, BODY).await, 401, "{kind}: {value:?}");
        }
        for value in [right.clone(), right.to_ascii_uppercase()] {
            assert_eq!(status(&shared, &integration, &[(header, &value)], BODY).await, 202, "{kind}: {value}");
        }
        // The same JSON in other bytes, and other bytes around the same ones.
        for body in [&br#"{"status":"firing","summary":"signed"}"#[..], br#"{"summary":"signed","status":"firing"}"#, b""] {
            assert_eq!(status(&shared, &integration, &[(header, &right)], body).await, 401, "{kind}");
        }
        assert_eq!(status(&shared, &integration, &[(header, &right)], &[BODY, b" "].concat()).await, 401, "{kind}");
    }
    let integration = signed(&shared, "webhook", "signed, prefixed", SECRET, json!({})).await;
    let right = format!("sha256={}", hmac(SECRET, &[BODY]));
    assert_eq!(status(&shared, &integration, &[("X-Webhook-Signature", &right)], BODY).await, 202);
}

#[tokio::test]
async fn d5_d7_a_signed_time_is_close_to_ours_and_part_of_what_is_signed() {
    let shared = Shared::sqlite().await;
    let integration =
        signed(&shared, "grafana", "signed with time", SECRET, json!({"timestampHeader": "X-Grafana-Alerting-Timestamp"})).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let post = async |signed: &str, sent: Option<&str>| {
        let signature = hmac(SECRET, &[signed.as_bytes(), b":", BODY]);
        let mut headers = vec![("X-Grafana-Alerting-Signature", signature.as_str())];
        headers.extend(sent.map(|time| ("X-Grafana-Alerting-Timestamp", time)));
        status(&shared, &integration, &headers, BODY).await
    };
    for time in [now, now - 290, now + 290].map(|time| time.to_string()) {
        assert_eq!(post(&time, Some(&time)).await, 202, "{time}");
    }
    for time in [now - 310, now + 310, now * 1000].map(|time| time.to_string()) {
        assert_eq!(post(&time, Some(&time)).await, 401, "{time}");
    }
    for time in ["1e9", "-1", "9223372036854775808", "18446744073709551616", "", " ", "soon", "0x1", "+1", "1.5"] {
        assert_eq!(post(time, Some(time)).await, 401, "{time:?}");
    }
    assert_eq!(post(&now.to_string(), None).await, 401, "none is sent");
    assert_eq!(post(&now.to_string(), Some(&(now + 1).to_string())).await, 401, "another one is sent");
    assert_eq!(post("", Some(&now.to_string())).await, 401, "none is signed");
}

/// By Standard Webhooks, which signs an id: the same id with the same body is the same delivery.
async fn d6_a_delivery_counts_once(shared: Arc<Shared>) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let secret = format!("whsec_{}", STANDARD.encode("a standard secret of 24 b"));
    let integration = signed(&shared, "webhook", "delivered twice", &secret, json!({})).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let sign = |id: &str, time: u64, body: &[u8]| {
        let signed = [id.as_bytes(), b".", time.to_string().as_bytes(), b".", body].concat();
        let code = hex::decode(hmac("a standard secret of 24 b", &[&signed])).unwrap();
        format!("v1,{}", STANDARD.encode(code))
    };
    let post = async |id: &str, time: u64, signature: &str, body: &[u8]| {
        let time = time.to_string();
        let headers = [("webhook-id", id), ("webhook-timestamp", &*time), ("webhook-signature", signature)];
        shared.post("192.0.2.46", native(&integration), &headers, body).await
    };
    let other: &[u8] = br#"{"summary": "another", "status": "firing"}"#;
    // A second attempt is signed anew, with its own time.
    for (id, time, body) in
        [("msg_1", now, BODY), ("msg_1", now, BODY), ("msg_1", now + 1, BODY), ("msg_2", now, BODY), ("msg_1", now, other)]
    {
        let reply = post(id, time, &sign(id, time, body), body).await;
        assert_eq!(reply.status, 202, "{}", reply.json());
    }
    let api = shared.service.api();
    assert_eq!(api.events(&integration).await.len(), 3, "one an id and body");
    let verdicts =
        api.requests(&integration).await.into_iter().map(|row| row["verdict"].clone()).filter(|verdict| verdict == "duplicate");
    assert_eq!(verdicts.count(), 2);
    // The id and the time are signed, and a signature of another version is none.
    let right = sign("msg_3", now, BODY);
    for (id, time, signature) in [
        ("msg_4", now, right.clone()),
        ("msg_3", now + 1, right.clone()),
        ("", now, sign("", now, BODY)),
        ("msg_3", now - 301, sign("msg_3", now - 301, BODY)),
        ("msg_3", now, right.replacen("v1", "v1a", 1)),
        ("msg_3", now, vec![sign("msg_4", now, BODY); 1000].join(" ")),
    ] {
        assert_eq!(post(id, time, &signature, BODY).await.status, 401, "{id} {time}");
    }
    let two = format!("{} {right}", sign("msg_4", now, BODY));
    assert_eq!(post("msg_3", now, &two, BODY).await.status, 202, "one of several holds");
}

#[tokio::test]
async fn d8_no_request_makes_us_try_a_thousand_signatures() {
    let shared = Shared::sqlite().await;
    let integration = signed(&shared, "webhook", "many signatures", SECRET, json!({})).await;
    let right = hmac(SECRET, &[BODY]);
    let wrong = hmac("wrong", &[BODY]);
    let with = async |count: usize| {
        let mut headers = vec![("X-Signature", wrong.as_str()); count];
        headers.push(("X-Signature", &right));
        status(&shared, &integration, &headers, BODY).await
    };
    assert_eq!(with(9).await, 202, "the tenth is right");
    assert_eq!(with(10).await, 401, "the eleventh is not looked at");
    assert_eq!(with(80).await, 401);
    let list = vec![wrong.as_str(); 1000].join(",");
    assert_eq!(status(&shared, &integration, &[("X-Signature", &list)], BODY).await, 401);
}

async fn d9_old_and_new_hold_together_and_the_old_one_ends(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = signed(&shared, "webhook", "rotated secret", SECRET, json!({})).await;
    let rotate = async |integration: &Integration, fields: Value| {
        let answer = api.post(&format!("/api/v1/integrations/{}/rotate", integration.id), &fields).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    let new = "the secret after the rotation";
    secrets::remember(new);
    let with = async |secret: &str| status(&shared, &integration, &[("X-Signature", &hmac(secret, &[BODY]))], BODY).await;
    assert_eq!((with(SECRET).await, with(new).await), (202, 401));
    rotate(&integration, json!({"what": "secret", "signature_secret": new, "overlap": "3s"})).await;
    assert_eq!((with(SECRET).await, with(new).await), (202, 202));

    let keyed = api.integration("events", "rotated key and hook").await;
    let by_key = async |key: &str| api.send(V2, &event(key, "acknowledge", "k", "")).await.status;
    let by_hook = async |path: &str| api.send(path, &event("-", "acknowledge", "k", "")).await.status;
    let key = rotate(&keyed, json!({"what": "key", "overlap": "3s"})).await["key"].as_str().unwrap().to_owned();
    let url = rotate(&keyed, json!({"what": "hook", "overlap": "3s"})).await["url"].as_str().unwrap().to_owned();
    let path = url::Url::parse(&url).unwrap()[url::Position::BeforePath..].to_owned();
    secrets::remember(&key);
    assert!(key != keyed.key && path != keyed.path);
    assert_eq!((by_key(&keyed.key).await, by_key(&key).await), (202, 202));
    assert_eq!((by_hook(&keyed.path).await, by_hook(&path).await), (202, 202));

    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert_eq!((with(SECRET).await, with(new).await), (401, 202));
    assert_eq!((by_key(&keyed.key).await, by_key(&key).await), (400, 202));
    assert_eq!((by_hook(&keyed.path).await, by_hook(&path).await), (404, 202));
}

async fn d10_a_signed_integration_takes_no_bare_key(shared: Arc<Shared>) {
    let integration = signed(&shared, "events", "signed events", SECRET, json!({})).await;
    let body = serde_json::to_vec(&event(&integration.key, "trigger", "k", "s")).unwrap();
    let right = hmac(SECRET, &[&body]);
    let unknown = event("00000000000000000000000000000000", "trigger", "k", "s");
    for (path, status) in [(V2, 400), (API, 401)] {
        let bare = shared.post("192.0.2.41", path, &[], &body).await;
        let wrong = shared.post("192.0.2.41", path, &[("X-Signature", &hmac("wrong", &[&body]))], &body).await;
        let of_nobody = shared.post("192.0.2.41", path, &[], &serde_json::to_vec(&unknown).unwrap()).await;
        assert_eq!((bare.status, wrong.status, of_nobody.status), (status, status, status), "{path}: {}", bare.json());
        if path == V2 {
            assert_eq!((bare.body.clone(), wrong.body), (of_nobody.body.clone(), of_nobody.body), "as if nobody had the key");
        }
        let reply = shared.post("192.0.2.41", path, &[("X-Signature", &right)], &body).await;
        assert_eq!(reply.status, 202, "{path}: {}", reply.json());
    }
    // On its own route, neither the hook nor the key stands for a signature.
    let bearer = format!("Bearer {}", integration.key);
    assert_eq!(status(&shared, &integration, &[], &body).await, 401);
    assert_eq!(status(&shared, &integration, &[("Authorization", &bearer)], &body).await, 401);
    assert_eq!(status(&shared, &integration, &[("X-Signature", &right)], &body).await, 202);
}
