//! C: bodies that are JSON, nearly JSON, or far too much of it.

use serde_json::json;

use super::*;
use crate::support::api::event;

on_both_shared!(
    c3_a_field_given_twice_is_refused_or_the_last_one_counts,
    c4_a_zero_character_is_the_same_on_both_databases,
    c6_a_body_comes_back_byte_for_byte,
);

/// Posts JSON text from an address that no failure here counts against for others.
async fn send(shared: &Shared, path: &str, body: impl AsRef<[u8]>) -> Reply {
    shared.post("192.0.2.30", path, &[], body.as_ref()).await
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn c1_c2_depth_is_bounded_wherever_it_is() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("events", "deep").await;
    let body = |details: &str| {
        format!(
            r#"{{"routing_key":"{}","event_action":"trigger","dedup_key":"deep","payload":{{"summary":"s","source":"s","severity":"info","custom_details":{details}}}}}"#,
            integration.key
        )
    };
    // The details are two levels down.
    for (depth, status) in [(125, 202), (126, 400), (100_000, 400)] {
        let whole = body(&nested(depth));
        for path in [V2, API] {
            assert_eq!(send(&shared, path, &whole).await.status, status, "{path}, {depth}");
        }
        let reply = send(&shared, native(&integration), &whole).await;
        assert_eq!(reply.status, 202, "{}", reply.json());
        let outcome = if status == 202 { "updated" } else { "unmapped" };
        assert!(matches!(reply.json()["events"][0]["outcome"].as_str(), Some(o) if o == outcome), "{depth}: {}", reply.json());
    }
    for bare in [nested(100_000), "[".repeat(500_000), "{\"a\":".repeat(80_000)] {
        assert_eq!(send(&shared, V2, &bare).await.status, 400);
    }
}

async fn c3_a_field_given_twice_is_refused_or_the_last_one_counts(shared: Arc<Shared>) {
    let api = shared.service.api();
    let (one, other) = (api.integration("events", "twice").await, api.integration("events", "twice, the other").await);
    let payload = r#""payload":{"summary":"first","source":"s","severity":"info"}"#;
    let key = format!(r#""routing_key":"{}""#, one.key);
    let base = format!(r#"{key},"event_action":"trigger","dedup_key":"once",{payload}"#);
    let other_key = format!(r#""routing_key":"{}""#, other.key);
    let doubles =
        [other_key.as_str(), r#""event_action":"resolve""#, r#""dedup_key":"twice""#, &payload.replace("first", "second")];
    for double in doubles {
        for body in [format!("{{{base},{double}}}"), format!("{{{double},{base}}}")] {
            let reply = send(&shared, V2, &body).await;
            assert_eq!(reply.status, 400, "{double}: {}", reply.json());
        }
    }
    assert!(api.events(&one).await.is_empty() && api.events(&other).await.is_empty(), "neither one is believed");
    // Elsewhere the last one is both who sends and what is stored, and the ledger shows neither key.
    let reply = send(&shared, API, format!(r#"{{{base},{other_key},"dedup_key":"twice"}}"#)).await;
    assert_eq!((reply.status, &reply.json()["dedup_key"]), (202, &json!("twice")));
    assert!(api.events(&one).await.is_empty());
    assert_eq!(api.events(&other).await[0]["dedup_key"], "twice");
    let request = api.get(&format!("/api/v1/requests/{}", reply.header("x-request-id").unwrap())).await.body;
    let stored = request["body"].as_str().unwrap();
    assert!(!stored.contains(&one.key) && !stored.contains(&other.key), "a key is in the ledger");
    let reply = send(&shared, native(&one), format!(r#"{{{base},"dedup_key":"twice"}}"#)).await;
    assert_eq!(reply.json()["events"][0]["dedup_key"], "twice", "{}", reply.json());
}

async fn c4_a_zero_character_is_the_same_on_both_databases(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = api.integration("events", "zero characters").await;
    let mut body = event(&integration.key, "trigger", "a\0b", "be\0fore");
    body["payload"]["custom_details"] = json!({"na\0me": "va\0lue"});
    let plain = event(&integration.key, "trigger", "ab", "another");
    for path in [V2, native(&integration)] {
        for body in [&body, &plain] {
            let reply = send(&shared, path, serde_json::to_vec(body).unwrap()).await;
            assert_eq!(reply.status, 202, "{path}: {}", reply.json());
        }
    }
    let incidents = api.incidents(&integration).await;
    let seen: Vec<_> = incidents.iter().map(|incident| (&incident["dedup_key"], &incident["title"])).collect();
    assert_eq!(seen, [(&json!("ab"), &json!("another")), (&json!("a\u{fffd}b"), &json!("before"))], "two keys never merge");
    assert!(incidents.iter().all(|incident| incident["event_count"] == 2), "{incidents:#?}");
    // Details are kept as JSON, in which it is an escape that both can hold.
    assert_eq!(incidents[1]["custom_details"], body["payload"]["custom_details"]);
}

#[tokio::test]
async fn c5_what_is_nearly_json_is_refused_where_pagerduty_refuses_and_pages_elsewhere() {
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let integration = api.integration("events", "nearly JSON").await;
    let whole = serde_json::to_string(&event(&integration.key, "trigger", "k", "SUMMARY")).unwrap();
    let with = |summary: &str| whole.replace("\"SUMMARY\"", summary).into_bytes();
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("a lone surrogate", with(r#""\ud800""#)),
        ("invalid UTF-8", [with("\"").as_slice(), b"\xff\xfe"].concat()),
        ("a byte order mark", [b"\xef\xbb\xbf".as_slice(), whole.as_bytes()].concat()),
        ("NaN", with("NaN")),
        ("a number beyond the range", with("1e999")),
        ("text after it", format!("{whole} and more").into_bytes()),
        ("a second value", format!("{whole}{whole}").into_bytes()),
        ("a comma too many", with("\"s\",")),
        ("cut", whole.as_bytes()[..whole.len() - 1].to_vec()),
    ];
    for (name, body) in &bodies {
        for path in [V2, V1, "/v2/change/enqueue", API] {
            let reply = send(&shared, path, body).await;
            assert_eq!(reply.status, 400, "{name} on {path}: {}", reply.json());
            assert!(strings(&reply.json()["errors"]).contains(&"JSON parse error".to_owned()), "{name}: {}", reply.json());
        }
        let reply = send(&shared, native(&integration), body).await;
        assert_eq!(reply.status, 202, "{name}: {}", reply.json());
        assert_eq!(reply.json()["events"][0]["outcome"], "unmapped", "{name}: {}", reply.json());
        assert_eq!(reply.json()["events"][0]["dedup_key"], "unmapped:not-json", "{name}");
    }
    let incidents = api.incidents(&integration).await;
    assert_eq!(incidents.len(), 1, "they are one kind of trouble");
    assert_eq!(incidents[0]["event_count"], bodies.len());
}

async fn c6_a_body_comes_back_byte_for_byte(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = api.integration("events", "exact").await;
    let body = format!(
        "{{ \"routing_key\":\"{}\" , \"event_action\" : \"trigger\",\"dedup_key\":\"exact\",\n\t\"payload\":{{\"summary\":\"\\u00e9 é 💥\",\"source\":\"s\",\"severity\":\"info\",\"custom_details\":{{\"n\":123456789012345678901234567890,\"f\":1.10,\"e\":1E+2}}}}}}",
        integration.key
    );
    let masked = body.replace(&integration.key, &"*".repeat(32));
    let reply = send(&shared, V2, &body).await;
    assert_eq!(reply.status, 202, "{}", reply.json());
    let request = api.get(&format!("/api/v1/requests/{}", reply.header("x-request-id").unwrap())).await;
    assert_eq!(request.body["body"], masked);
    // What is derived from it may be rounded: a JSON number is read as a double.
    let number = &api.incidents(&integration).await[0]["custom_details"]["n"];
    assert!((number.as_f64().unwrap() / 123_456_789_012_345_678_901_234_567_890.0 - 1.0).abs() < 1e-12, "{number}");
}

#[tokio::test]
async fn c7_much_json_in_few_bytes_costs_bounded_memory() {
    let database = Database::sqlite();
    let service = Callbox::start_with(&database, options()).await;
    let integration = service.api().integration("events", "many values").await;
    let body = |values: &str| {
        format!(
            r#"{{"routing_key":"{}","event_action":"trigger","dedup_key":"k","payload":{{"summary":"s","source":"s","severity":"info","custom_details":{values}}}}}"#,
            integration.key
        )
    };
    let lists = body(&format!("[{}]", vec!["[]"; 174_000].join(",")));
    let names: Vec<String> = (0..50_000).map(|n| format!("\"{n:x}\":0")).collect();
    let names = body(&format!("{{{}}}", names.join(",")));
    for (name, body) in [("empty lists", lists), ("tiny names", names)] {
        let size = body.len() as u64;
        for path in [V2, native(&integration), V2, API, native(&integration)] {
            let send = post(service.address(), "192.0.2.37", path, &[], body.as_bytes());
            let (reply, extra) = extra_memory(&service, send).await;
            assert!(matches!(reply.status, 202 | 400 | 413), "{name}, {path}: {}", reply.json());
            // Measured: 27 times its size at most, for a body of empty lists: its parse, and the copy in its event.
            assert!(extra < 40 * size, "{name}, {path}: {extra} bytes for one of {size}");
        }
    }
}

#[tokio::test]
async fn c8_the_smallest_bodies() {
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let integration = api.integration("events", "smallest").await;
    let token = format!("Token token={}", integration.key);
    for body in ["", "null", "[]", "\"x\"", "{}", "0", " "] {
        for path in [V2, V1, "/v2/change/enqueue"] {
            let reply = send(&shared, path, body).await;
            assert_eq!(reply.status, 400, "{body:?} on {path}: {}", reply.json());
            let json = reply.json();
            assert!(json["status"].is_string() && json["message"].is_string() && json["errors"].is_array(), "{json}");
        }
        let reply = shared.post("192.0.2.31", API, &[("Authorization", &token)], body.as_bytes()).await;
        assert_eq!(reply.status, 400, "{body:?} with a key: {}", reply.json());
        assert!(!strings(&reply.json()["errors"]).is_empty(), "{}", reply.json());
        let reply = send(&shared, API, body).await;
        let expected = if body.trim().is_empty() { 400 } else { 401 };
        assert_eq!(reply.status, expected, "{body:?} without a key: {}", reply.json());
        let reply = send(&shared, native(&integration), body).await;
        let expected = if body.trim().is_empty() { 400 } else { 202 };
        assert_eq!(reply.status, expected, "{body:?} native: {}", reply.json());
    }
}

#[tokio::test]
async fn c12_the_content_type_decides_nothing() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("events", "content types").await;
    let body = serde_json::to_string(&event(&integration.key, "trigger", "k", "s")).unwrap();
    let utf_16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "", "multipart/form-data"]
    {
        for path in [V2, API, native(&integration)] {
            let reply = shared.post("192.0.2.32", path, &[("Content-Type", kind)], body.as_bytes()).await;
            assert_eq!(reply.status, 202, "{kind:?} on {path}: {}", reply.json());
        }
        let reply = shared.post("192.0.2.32", V2, &[("Content-Type", kind)], &utf_16).await;
        assert_eq!(reply.status, 400, "{kind:?}, UTF-16: {}", reply.json());
    }
    let requests = shared.service.api().requests(&integration).await;
    for request in requests {
        let request = shared.service.api().get(&format!("/api/v1/requests/{}", request["id"].as_str().unwrap())).await.body;
        assert!(!request.to_string().contains(&integration.key), "whatever it is called, its key is masked");
    }
}
