//! Why a credential did not hold: told to the owner in the ledger and by explain, never to the sender.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callbox::secret::Secret;
use callbox::signature::{Scheme, sign};
use callbox::time::Clock;
use serde_json::{Value, json};

use crate::support::{Callbox, Database, Integration, eventually, raw, secrets};

on_both!(the_ledger_and_explain_say_why_and_the_answer_does_not);

const BODY: &[u8] = br#"{"title": "disk full", "status": "firing", "id": "1"}"#;

/// A header with the generic signature of the body.
fn signed(secret: &str) -> Vec<(String, String)> {
    secrets::remember(secret);
    sign(&Scheme::Generic, &[Secret::new(secret)], "", BODY, Clock::System.now())
}

async fn the_ledger_and_explain_say_why_and_the_answer_does_not(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let integration = signed_integration(&service, "the secret of yesterday").await;
    let rotation = json!({"what": "secret", "signature_secret": "the secret of today", "overlap": "1s"});
    assert_eq!(api.post(&format!("/api/v1/integrations/{}/rotate", integration.id), &rotation).await.status, 200);
    tokio::time::sleep(Duration::from_millis(1100)).await;

    let cases = [
        (signed("the secret of yesterday"), "previous secret, whose overlap is over"),
        (signed(&integration.hook), "token of the URL"),
        (signed(&integration.key), "made with the routing key"),
        (signed("nobody's secret"), "another secret was used, or the body was changed"),
        (Vec::new(), "no header looks like a signature"),
    ];
    let mut answers = Vec::new();
    for (headers, cause) in &cases {
        let pairs: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = raw::send(service.address(), &raw::request("POST", &integration.path, &pairs, BODY)).await;
        let id = answer.json()["request_id"].as_str().unwrap().to_owned();
        let row = eventually(async || {
            let row = api.get(&format!("/api/v1/requests/{id}")).await;
            if row.status == 200 { Ok(row.body) } else { Err(format!("{id} is not in the ledger yet")) }
        })
        .await;
        let message = row["message"].as_str().unwrap();
        assert!(message.contains(cause), "{cause}: {message}");
        let trace = explained(&service, &integration, headers).await;
        assert!(trace["signature"]["causes"].to_string().contains(cause), "{cause}: {trace}");
        let mut said = answer.json();
        said["request_id"] = Value::Null;
        answers.push((answer.status, said));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 401), "{answers:#?}");
    assert!(!answers[0].1.to_string().contains("secret"), "{answers:#?}");
    let listed = api.get(&format!("/api/v1/requests?integration_id={}&q=overlap", integration.id)).await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");

    // On the PagerDuty routes the key is then unknown; its owner sees what it lacked.
    let event = json!({"routing_key": integration.key, "event_action": "trigger",
        "payload": {"summary": "s", "source": "h", "severity": "error"}});
    assert_eq!(api.send("/v2/enqueue", &event).await.body["errors"], json!(["Invalid routing key"]));
    eventually(async || {
        let rows = api.get(&format!("/api/v1/requests?integration_id={}&q=signature%20header", integration.id)).await.body;
        let found = rows["items"].as_array().unwrap().iter().any(|row| row["route"] == "/v2/enqueue");
        if found { Ok(()) } else { Err(rows.to_string()) }
    })
    .await;
}

async fn signed_integration(service: &Callbox, secret: &str) -> Integration {
    secrets::remember(secret);
    let fields = json!({"type": "webhook", "name": "signed", "signature_secret": secret, "rate_limit_per_minute": 0});
    service.api().integration_from(fields).await
}

async fn explained(service: &Callbox, integration: &Integration, headers: &[(String, String)]) -> Value {
    let headers: serde_json::Map<String, Value> = headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let question = json!({"headers": headers, "body_base64": STANDARD.encode(BODY), "integration_id": integration.id});
    let answer = service.api().post("/api/v1/explain/webhook", &question).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}
