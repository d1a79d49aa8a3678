//! B: bodies that are packed.

use std::io::Write as _;

use serde_json::json;

use super::signatures::hmac;
use super::*;
use crate::support::api::event;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const GZIP: [(&str, &str); 1] = [("Content-Encoding", "gzip")];

#[tokio::test]
async fn b1_a_bomb_is_refused_by_what_comes_out_and_costs_no_more_memory_than_the_limit() {
    let shared = Shared::sqlite().await;
    // A service of its own, so that its memory is this test's.
    let database = Database::sqlite();
    let service = Callbox::start_with(&database, options()).await;
    let integration = service.api().integration("events", "bombed").await;
    let bomb = gzip(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 60_000, "{} bytes", bomb.len());
    let send = |path: &str| {
        let path = path.to_owned();
        let bomb = &bomb;
        let address = service.address();
        async move { post(address, "192.0.2.21", &path, &GZIP, bomb).await }
    };
    // What is allocated once and kept is not the bomb's.
    let largest = gzip(&trigger_of(&integration.key, NATIVE_BODY));
    assert_eq!(post(service.address(), "192.0.2.21", native(&integration), &GZIP, &largest).await.status, 202);
    let (reply, extra) = extra_memory(&service, send(V2)).await;
    assert_eq!(reply.status, 400, "{}", reply.json());
    assert!(invalid_event(&reply)[0].contains("524288"), "{}", reply.json());
    assert!(extra < 2 << 20, "{extra} bytes for a body of at most {PAGERDUTY_BODY}");
    let (reply, extra) = extra_memory(&service, send(native(&integration))).await;
    assert_eq!(reply.status, 413, "{}", reply.json());
    assert!(extra < 2 << 20, "{extra} bytes for a body of at most {NATIVE_BODY}");
    drop(shared);
}

#[tokio::test]
async fn b2_b3_what_does_not_unpack_is_refused_and_nothing_is_unpacked_twice() {
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let integration = api.integration("events", "packed").await;
    let body = serde_json::to_vec(&event(&integration.key, "trigger", "packed", "in gzip")).unwrap();
    let packed = gzip(&body);
    let truncated = &packed[..packed.len() - 5];
    let twice = gzip(&packed);
    for path in [V2, API, native(&integration)] {
        let post = async |encoding: &str, body: &[u8]| {
            shared.post("192.0.2.22", path, &[("Content-Encoding", encoding)], body).await.status
        };
        assert_eq!(post("gzip", &packed).await, 202, "{path}");
        assert_eq!(post("identity", &body).await, 202, "{path}");
        assert_eq!(post("gzip", truncated).await, 400, "{path}: truncated");
        assert_eq!(post("gzip", b"this is no gzip at all").await, 400, "{path}: junk");
        assert_eq!(post("gzip, gzip", &twice).await, 400, "{path}: twice, and said so");
        // Unpacked once it is no JSON. A native route pages rather than loses it.
        let expected = if path == native(&integration) { 202 } else { 400 };
        assert_eq!(post("gzip", &twice).await, expected, "{path}: twice");
    }
    let outcomes: Vec<_> = api.events(&integration).await.iter().map(|event| event["outcome"].clone()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "unmapped").count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.len(), 7, "{outcomes:?}");
}

#[tokio::test]
async fn b4_an_unknown_encoding_is_415_everywhere() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("events", "encoded").await;
    let body = serde_json::to_vec(&event(&integration.key, "trigger", "k", "encoded")).unwrap();
    for path in [V2, V1, "/v2/change/enqueue", API, native(&integration)] {
        for encoding in ["foo", "br", "deflate", "zstd", "gzip, foo"] {
            let reply = shared.post("192.0.2.24", path, &[("Content-Encoding", encoding)], &body).await;
            assert_eq!(reply.status, 415, "{path}, {encoding}: {}", reply.json());
        }
    }
    assert!(shared.service.api().events(&integration).await.is_empty());
}

#[tokio::test]
async fn b5_a_signature_is_over_the_body_as_it_was_before_it_was_packed() {
    let shared = Shared::sqlite().await;
    let fields = json!({"type": "webhook", "name": "signed and packed", "signature_secret": "a secret for packed bodies"});
    let integration = shared.service.api().integration_from(fields).await;
    let body = br#"{"summary": "signed, then packed"}"#;
    let packed = gzip(body);
    for (signed, status) in [(&body[..], 202), (&packed[..], 401)] {
        let signature = hmac("a secret for packed bodies", &[signed]);
        let headers = [GZIP[0], ("X-Signature", &signature)];
        let reply = shared.post("192.0.2.25", native(&integration), &headers, &packed).await;
        assert_eq!(reply.status, status, "{}", reply.json());
    }
}
