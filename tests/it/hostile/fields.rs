//! C: JSON whose fields are missing, of another type or too long.

use serde_json::json;

use super::*;
use crate::support::api::event;

on_both_shared!(c11_limits_count_characters_and_cut_none_in_two, c14_a_resolve_of_nothing_opens_nothing);

/// Posts JSON text from an address of this area's own.
async fn send(shared: &Shared, path: &str, body: impl AsRef<[u8]>) -> Reply {
    shared.post("192.0.2.39", path, &[], body.as_ref()).await
}

#[tokio::test]
async fn c9_c10_all_problems_are_named_with_their_place() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("events", "problems").await;
    let whole = event(&integration.key, "trigger", "k", "s");
    let cases = [
        (json!({"event_action": 1}), vec!["event_action"]),
        (json!({"event_action": ["trigger"]}), vec!["event_action"]),
        (json!({"event_action": "explode"}), vec!["event_action"]),
        (json!({"payload": []}), vec!["payload"]),
        (json!({"payload": "text"}), vec!["payload"]),
        (json!({"dedup_key": {}}), vec!["dedup_key"]),
        (
            json!({"payload": {"summary": "", "severity": "CRITICAL"}}),
            vec!["payload.summary", "payload.source", "payload.severity"],
        ),
        (json!({"payload": {"source": {}, "severity": 5}}), vec!["payload.summary", "payload.source", "payload.severity"]),
    ];
    for (changed, named) in cases {
        let mut body = whole.clone();
        for (name, value) in changed.as_object().unwrap() {
            body[name] = value.clone();
        }
        let errors = invalid_event(&send(&shared, V2, serde_json::to_vec(&body).unwrap()).await);
        for name in named {
            assert!(errors.iter().any(|error| error.contains(name)), "{changed}: {name} is not in {errors:?}");
        }
    }
    assert!(shared.service.api().events(&integration).await.is_empty());
}

async fn c11_limits_count_characters_and_cut_none_in_two(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = api.integration("events", "lengths").await;
    let of = |action: &str, key: &str, summary: &str| serde_json::to_vec(&event(&integration.key, action, key, summary)).unwrap();
    let text = |length| "💥".repeat(length);
    assert_eq!(send(&shared, V2, of("trigger", &text(255), &text(1024))).await.status, 202);
    for (key, summary) in [(text(256), "s".to_owned()), ("k".to_owned(), text(1025))] {
        let errors = invalid_event(&send(&shared, V2, of("trigger", &key, &summary)).await);
        assert_eq!(errors.len(), 1, "{errors:?}");
    }
    // A native route clips the one and hashes the other: the sender would never come again.
    let reply = send(&shared, native(&integration), of("trigger", &text(256), &text(1025))).await;
    assert_eq!(reply.status, 202, "{}", reply.json());
    let reply = send(&shared, native(&integration), of("resolve", &text(256), "")).await;
    assert_eq!(reply.json()["events"][0]["outcome"], "resolved", "{}", reply.json());
    let incidents = api.incidents(&integration).await;
    let title = incidents[0]["title"].as_str().unwrap();
    assert_eq!((title.chars().count(), title.chars().last()), (1024, Some('…')));
    assert!(title.starts_with("💥💥") && !title.contains('\u{fffd}'));
    assert_eq!(incidents[1]["dedup_key"], text(255));

    let links: Vec<Value> = (0..10_000).map(|n| json!({"href": format!("https://example.com/{n}")})).collect();
    let mut body = event(&integration.key, "trigger", "links", "many links");
    (body["links"], body["images"]) = (links.into(), json!(vec![json!({"src": "https://example.com/i.png"}); 2000]));
    for path in [V2, native(&integration)] {
        let reply = send(&shared, path, serde_json::to_vec(&body).unwrap()).await;
        assert_eq!(reply.status, 202, "{path}: {}", reply.json());
    }
    let incident = &api.incidents(&integration).await[0];
    for list in ["links", "images"] {
        assert!((1..=50).contains(&incident[list].as_array().unwrap().len()), "{list}: {}", incident[list]);
    }
}

#[tokio::test]
async fn c13_an_acknowledge_or_resolve_names_its_key() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("events", "keyless").await;
    for action in ["acknowledge", "resolve"] {
        for key in [Value::Null, json!(""), json!(" ")] {
            let body = json!({"routing_key": integration.key, "event_action": action, "dedup_key": key});
            for path in [V2, API] {
                let reply = send(&shared, path, serde_json::to_vec(&body).unwrap()).await;
                assert!(invalid_event(&reply)[0].contains("dedup_key"), "{path}: {}", reply.json());
            }
        }
    }
}

async fn c14_a_resolve_of_nothing_opens_nothing(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = api.integration("events", "never seen").await;
    for action in ["resolve", "acknowledge"] {
        let reply = send(&shared, V2, serde_json::to_vec(&event(&integration.key, action, "never seen", "")).unwrap()).await;
        assert_eq!((reply.status, &reply.json()["dedup_key"]), (202, &json!("never seen")));
    }
    assert!(api.incidents(&integration).await.is_empty());
    assert!(api.events(&integration).await.iter().all(|event| event["outcome"] == "unmatched"));
}
