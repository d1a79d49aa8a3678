//! Google's Pub/Sub: ID tokens, and their issuer's keys.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use callbox::time::Clock;
use serde_json::{Value, json};

use super::{Key, Server, has_openssl};
use crate::support::{Callbox, Database, raw};

on_both!(a_push_must_be_the_subscriptions_own);

const ACCOUNT: &str = "push@shop.iam.gserviceaccount.com";

fn token(key: &Key, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign("sha256", signed.as_bytes()));
    format!("{signed}.{signature}")
}

async fn a_push_must_be_the_subscriptions_own(database: Database) {
    if !has_openssl() {
        return;
    }
    let server = Server::start().await;
    let (key, other) = (Key::rsa("2048"), Key::rsa("2048"));
    let keys = json!({"keys": [{"kty": "EC", "kid": "ec"}, key.jwk("k1")]});
    let url = server.put("/certs", keys.to_string());
    let service = Callbox::start_with(&database, server.options()).await;
    let api = service.api();
    let oidc = json!({"audience": "callbox", "email": ACCOUNT, "jwksUrl": url});
    let fields = json!({"type": "gcp", "name": "pushed", "rate_limit_per_minute": 0, "options": {"oidc": oidc}});
    let integration = api.integration_from(fields).await;

    let now = Clock::System.now().seconds();
    let header = json!({"alg": "RS256", "kid": "k1", "typ": "JWT"});
    let claims = json!({
        "iss": "https://accounts.google.com", "aud": "callbox", "email": ACCOUNT, "email_verified": true, "iat": now, "exp": now + 3600
    });
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        token(&key, &header, &claims)
    };
    let push = |state: &str, id: &str| {
        let data = json!({"version": "1.2", "incident": {"incident_id": "0.abc", "state": state, "summary": "cpu"}});
        json!({"message": {"data": STANDARD.encode(data.to_string()), "messageId": id}, "subscription": "s"}).to_string()
    };
    let post = async |authorization: Option<String>, body: &str| {
        let headers: Vec<(&str, &str)> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        raw::send(service.address(), &raw::request("POST", &integration.path, &headers, body.as_bytes())).await.status
    };
    let bearer = |token: String| Some(format!("Bearer {token}"));
    let good = token(&key, &header, &claims);
    let mut flipped = good.clone().into_bytes();
    let place = flipped.len() - 50;
    flipped[place] = if flipped[place] == b'A' { b'B' } else { b'A' };
    let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#), good.split('.').nth(1).unwrap());
    let open = push("open", "1");
    for (what, authorization) in [
        ("no token", None),
        ("the key is no token", bearer(integration.key.clone())),
        ("basic", Some(format!("Basic {}", STANDARD.encode(format!("u:{}", integration.key))))),
        ("not signed", bearer(unsigned)),
        ("one character of the signature", bearer(String::from_utf8(flipped).unwrap())),
        ("by another key", bearer(token(&other, &header, &claims))),
        ("a key that nobody publishes", bearer(token(&other, &json!({"alg": "RS256", "kid": "k2"}), &claims))),
        ("a key of another kind", bearer(token(&key, &json!({"alg": "RS256", "kid": "ec"}), &claims))),
        ("another algorithm", bearer(token(&key, &json!({"alg": "HS256", "kid": "k1"}), &claims))),
        ("another issuer", bearer(changed("iss", json!("https://evil.test")))),
        ("another audience", bearer(changed("aud", json!("somebody")))),
        ("another account", bearer(changed("email", json!("evil@evil.iam.gserviceaccount.com")))),
        ("an account that is not verified", bearer(changed("email_verified", json!(false)))),
        ("over", bearer(changed("exp", json!(now - 120)))),
        ("not begun", bearer(changed("iat", json!(now + 600)))),
    ] {
        assert_eq!(post(authorization, &open).await, 401, "{what}");
    }
    assert_eq!(api.events(&integration).await.len(), 0, "what was refused has done nothing");
    assert_eq!(server.asked(), ["/certs"], "keys are fetched once, and not for every unknown one");
    for (state, id) in [("open", "1"), ("open", "1"), ("closed", "2")] {
        assert_eq!(post(bearer(good.clone()), &push(state, id)).await, 200, "{state}");
    }
    let events = api.events(&integration).await;
    assert_eq!(events.len(), 2, "the message that was delivered again did nothing: {events:?}");
    assert_eq!(api.incidents(&integration).await[0]["status"], "resolved");
    drop(service);
}

on_both!(a_sender_that_waits_for_a_challenge_is_asked_every_time);

/// Google's webhook channel sends its password only after a 401: asking for it must not count as failing, or it is shut out.
async fn a_sender_that_waits_for_a_challenge_is_asked_every_time(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let fields = json!({"type": "gcp", "name": "asked", "rate_limit_per_minute": 0, "policy": "key"});
    let integration = api.integration_from(fields).await;
    let body = json!({"version": "1.2", "incident": {"incident_id": "0.abc", "state": "open", "summary": "cpu"}}).to_string();
    let post = async |headers: &[(&str, &str)]| {
        raw::send(service.address(), &raw::request("POST", &integration.path, headers, body.as_bytes())).await
    };
    for number in 0..100 {
        let reply = post(&[]).await;
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Basic realm=\"callbox\"")), "{number}");
    }
    let password = format!("Basic {}", STANDARD.encode(format!("callbox:{}", integration.key)));
    assert_eq!(post(&[("authorization", &password)]).await.status, 200);
    assert_eq!(api.events(&integration).await.len(), 1);
}
