//! What each refusal says, on each family of routes, and what becomes of it besides (contract sections 2 and 3).

use reqwest::Method;
use serde_json::json;

use super::*;
use crate::support::api::event;
use crate::support::{Api, eventually};

on_both_shared!(
    a_disabled_integration_is_told_so_or_not_as_its_route_wants,
    a_deleted_integration_is_unknown_and_its_owner_is_told,
    what_threatens_alerts_is_an_incident_of_its_own,
    a_path_of_another_type_is_corrected,
);

/// The tenant's own incident with this key.
async fn own_incident(api: &Api, key: &str) -> Value {
    let path = format!("/api/v1/incidents?dedup_key={key}");
    eventually(async || api.all(&path).await.into_iter().next().ok_or_else(|| format!("no incident {key}"))).await
}

/// The ledger rows of an integration with this verdict, once there are some: refusals are written lazily.
async fn rows(api: &Api, integration: &Integration, verdict: &str) -> Vec<Value> {
    let path = format!("/api/v1/requests?integration_id={}&verdict={verdict}", integration.id);
    eventually(async || match api.all(&path).await {
        rows if rows.is_empty() => Err(format!("no row {verdict}")),
        rows => Ok(rows),
    })
    .await
}

async fn a_disabled_integration_is_told_so_or_not_as_its_route_wants(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = api.integration("events", "disabled").await;
    let body = event(&integration.key, "trigger", "k", "while it is off");
    let v1 = json!({"service_key": integration.key, "event_type": "trigger", "description": "while it is off"});
    let path = format!("/api/v1/integrations/{}", integration.id);
    assert_eq!(api.patch(&path, &json!({"enabled": false})).await.status, 200);
    for (path, body, status) in [(V2, &body, 202), (V1, &v1, 200), (API, &body, 403), (native(&integration), &body, 403)] {
        let answer = api.send(path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_decent_answer(&answer);
        if path == V2 {
            assert_eq!(answer.body, json!({"status": "success", "message": "Event processed", "dedup_key": "k"}));
        }
    }
    let change = json!({"routing_key": integration.key, "payload": {"summary": "a change"}});
    assert_eq!(api.send("/v2/change/enqueue", &change).await.status, 202);
    assert!(api.events(&integration).await.is_empty() && api.incidents(&integration).await.is_empty());
    assert!(rows(&api, &integration, "disabled").await.len() >= 3);
    assert_eq!(api.patch(&path, &json!({"enabled": true})).await.status, 200);
    assert_eq!(api.send(V2, &body).await.status, 202);
    assert_eq!(api.incidents(&integration).await.len(), 1);
}

fn assert_decent_answer(answer: &crate::support::api::Answer) {
    assert!(answer.body.is_object(), "{}: {}", answer.status, answer.body);
    assert!(answer.request_id().starts_with("req_"));
}

async fn a_deleted_integration_is_unknown_and_its_owner_is_told(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = api.integration("events", "deleted").await;
    let body = serde_json::to_vec(&event(&integration.key, "trigger", "k", "s")).unwrap();
    let path = format!("/api/v1/integrations/{}", integration.id);
    assert_eq!(shared.post("192.0.2.61", V2, &[], &body).await.status, 202);
    let answer = api.delete(&path).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.body["error"]["message"].as_str().unwrap().starts_with("1 "), "it counts the open incidents: {}", answer.body);
    assert_eq!(api.delete(&format!("{path}?open=resolve")).await.status, 200);
    assert_eq!(api.incidents(&integration).await[0]["status"], "resolved");

    let reply = shared.post("192.0.2.61", V2, &[], &body).await;
    assert_eq!(invalid_event(&reply), ["Invalid routing key"]);
    assert_eq!(shared.post("192.0.2.61", native(&integration), &[], &body).await.status, 404);
    assert_eq!(rows(&api, &integration, "deleted").await.len(), 2);
    let own = own_incident(&api, &format!("deleted:{}", integration.id)).await;
    assert_eq!((&own["status"], &own["event_count"]), (&json!("triggered"), &json!(1)), "one a day: {own}");
}

async fn what_threatens_alerts_is_an_incident_of_its_own(shared: Arc<Shared>) {
    let api = shared.service.api();
    let limited = api.integration_from(json!({"type": "events", "name": "limited", "rate_limit_per_minute": 1})).await;
    let body = serde_json::to_vec(&event(&limited.key, "trigger", "k", "s")).unwrap();
    let statuses = [
        shared.post("192.0.2.62", V2, &[], &body).await.status,
        shared.post("192.0.2.62", V2, &[], &body).await.status,
        shared.post("192.0.2.62", native(&limited), &[], &body).await.status,
    ];
    assert_eq!(statuses, [202, 429, 429]);
    let own = own_incident(&api, &format!("limited:{}", limited.id)).await;
    assert_eq!((&own["status"], &own["event_count"]), (&json!("triggered"), &json!(1)), "{own}");
    assert!(own["title"].as_str().unwrap().contains("limited"), "{own}");
    assert!(!rows(&api, &limited, "limited").await.is_empty());

    for (kind, setting) in [("alertmanager", "max_alerts"), ("grafana", "Max Alerts"), ("webhook", "native_body_limit")] {
        let fields = json!({"type": kind, "name": format!("large {kind}"), "native_body_limit": 2000});
        let large = api.integration_from(fields).await;
        let reply = shared.post("192.0.2.62", native(&large), &[], &[b' '; 2001]).await;
        assert_eq!(reply.status, 413, "{}", reply.json());
        let own = own_incident(&api, &format!("too_large:{}", large.id)).await;
        assert!(own["title"].as_str().unwrap().contains(setting), "{own}");
        assert_eq!(rows(&api, &large, "too_large").await.len(), 1);
    }
}

async fn a_path_of_another_type_is_corrected(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = api.integration("grafana", "of one type").await;
    for kind in ["alertmanager", "Grafana", "no-such-tool", "grafana%20"] {
        for path in [
            format!("/api/integrations/{kind}?integrationId={}", integration.hook),
            format!("/api/integrations/{kind}/{}/api/v2/alerts", integration.hook),
        ] {
            let reply = shared.post("192.0.2.63", &path, &[], b"{}").await;
            assert_eq!(reply.status, 404, "{path}: {}", reply.json());
            let message = reply.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains("/api/integrations/grafana"), "{message}");
            assert!(!message.contains(&integration.hook), "it tells the hook");
        }
    }
    assert!(!rows(&api, &integration, "wrong_type").await.is_empty());
    for path in ["/api/integrations/no-such-tool", "/api/integrations/no-such-tool?integrationId=no", "/api/integrations/grafana"]
    {
        let reply = shared.post("192.0.2.63", path, &[], b"{}").await;
        assert_eq!((reply.status, reply.json()["message"].as_str()), (404, Some("no such integration")), "{path}");
    }
}

#[tokio::test]
async fn each_route_takes_its_methods_and_answers_in_json() {
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let events = api.integration("events", "methods").await;
    let alertmanager = api.integration("alertmanager", "methods too").await;
    let body = event(&events.key, "trigger", "k", "s");
    for path in [V2, V1, API, "/v2/change/enqueue", "/v2/enqueue/"] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let answer = api.try_call(method.clone(), path, Some(&body)).await.unwrap();
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.body);
            assert!(answer.headers.contains_key("allow"), "{method} {path}");
            assert_decent_answer(&answer);
        }
    }
    let answer = api.try_call(Method::PUT, native(&events), Some(&body)).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    for integration in [&events, &alertmanager] {
        for method in [Method::GET, Method::OPTIONS, Method::DELETE, Method::PATCH] {
            let answer = api.try_call(method.clone(), native(integration), None).await.unwrap();
            assert_eq!(answer.status, 405, "{method}: {}", answer.body);
            assert!(answer.headers.contains_key("allow"), "{method}");
            assert_decent_answer(&answer);
        }
    }
    for path in ["/", "/v2", "/v3/enqueue", "/v2/enqueue/x", "/api/v1/nothing", "/..%2f..%2fetc/passwd", "/%00", "//v2/enqueue"] {
        let answer = api.send(path, &body).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        assert_decent_answer(&answer);
    }
}

#[tokio::test]
async fn a_limit_says_when_to_come_again_in_each_route_s_words() {
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let of = async |kind: &str, name: &str| {
        api.integration_from(json!({"type": kind, "name": name, "rate_limit_per_minute": 2})).await
    };
    let events = of("events", "limited words").await;
    let alertmanager = of("alertmanager", "limited, and retries 503 only").await;
    let body = event(&events.key, "acknowledge", "k", "");
    let v1 = json!({"service_key": events.key, "event_type": "acknowledge", "incident_key": "k"});
    for _ in 0..2 {
        assert_eq!(api.send(V2, &body).await.status, 202);
        assert_eq!(api.send(native(&alertmanager), &json!({"alerts": []})).await.status, 202);
    }
    let empty = json!({"alerts": []});
    let cases = [
        (V2, &body, 429),
        (V1, &v1, 403),
        (API, &body, 429),
        (native(&events), &body, 429),
        (native(&alertmanager), &empty, 503),
    ];
    for (path, body, status) in cases {
        let answer = api.send(path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        if matches!(path, V2 | V1) {
            assert_eq!(answer.body["status"], "throttle exceeded");
        }
        let number = |name: &str| answer.headers[name].to_str().unwrap().parse::<u64>().unwrap();
        assert!((1..=60).contains(&number("retry-after")), "{path}: {:?}", answer.headers);
        assert_eq!((number("ratelimit-limit"), number("ratelimit-remaining")), (2, 0), "{path}");
        assert!((1..=60).contains(&number("ratelimit-reset")), "{path}");
    }
}
