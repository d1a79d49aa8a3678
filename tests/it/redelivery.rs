//! Deliveries that come again: a tool's delivery id together with the body, never one of the two alone.

use callbox::secret::Secret;
use callbox::signature::{self, Scheme};
use callbox::time::Clock;
use serde_json::{Value, json};

use crate::support::{Callbox, Database, Integration, raw, secrets};

on_both!(a_delivery_sent_again_has_no_second_effect, nobody_uses_up_the_id_of_another, a_late_run_reopens_nothing);

const SECRET: &str = "the secret that GitHub signs with";

fn run(id: u32, conclusion: &str, created_at: &str) -> Value {
    json!({
        "action": "completed",
        "workflow_run": {
            "id": id, "name": "CI", "workflow_id": 77, "head_branch": "main", "event": "push", "status": "completed",
            "conclusion": conclusion, "created_at": created_at,
        },
        "repository": {"full_name": "acme/shop"},
        "sender": {"login": "robin"},
    })
}

/// The status and outcome of a delivery; the outcome is empty where there was no event.
async fn deliver(service: &Callbox, to: &Integration, id: &str, body: &Value, signed: bool) -> (u16, String) {
    let body = serde_json::to_vec(body).unwrap();
    let scheme = Scheme::Hmac(signature::GITHUB);
    let mut headers =
        vec![("x-github-event".to_owned(), "workflow_run".to_owned()), ("x-github-delivery".to_owned(), id.to_owned())];
    if signed {
        headers.extend(signature::sign(&scheme, &[Secret::new(SECRET)], "", &body, Clock::System.now()));
    }
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let reply = raw::send(service.address(), &raw::request("POST", &to.path, &headers, &body)).await;
    let outcome = reply.json()["events"][0]["outcome"].as_str().unwrap_or_default().to_owned();
    (reply.status, outcome)
}

async fn a_delivery_sent_again_has_no_second_effect(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let github = api.integration("github", "forge").await;
    let post = async |id: &str, body: &Value| deliver(&service, &github, id, body, false).await;
    let (failed, passed) = (run(1, "failure", "2026-01-02T03:00:00Z"), run(2, "success", "2026-01-02T03:10:00Z"));
    assert_eq!(post("d-1", &failed).await, (202, "opened".to_owned()));
    assert_eq!(post("d-1", &failed).await, (202, String::new()), "sent again");
    assert_eq!(post("d-2", &passed).await, (202, "resolved".to_owned()));
    assert_eq!(post("d-1", &failed).await, (202, String::new()), "sent again after the end: nothing reopens");
    let again = run(3, "failure", "2026-01-02T03:20:00Z");
    assert_eq!(post("d-1", &again).await, (202, "opened".to_owned()), "the id of another body");
    let incidents = api.incidents(&github).await;
    assert_eq!(incidents.len(), 2, "{incidents:?}");
    let verdicts = api.requests(&github).await.into_iter().filter(|row| row["verdict"] == "duplicate").count();
    assert_eq!(verdicts, 2);
    // Without an id each counts: a body alone is never a duplicate.
    assert_eq!(post("", &again).await, (202, "updated".to_owned()));
    assert_eq!(post("", &again).await, (202, "updated".to_owned()));
    assert_eq!(post(&"x".repeat(4_000), &again).await, (202, "updated".to_owned()));
}

async fn nobody_uses_up_the_id_of_another(database: Database) {
    secrets::remember(SECRET);
    let service = Callbox::start(&database).await;
    let api = service.api();
    let fields = json!({"type": "github", "name": "signed forge", "signature_secret": SECRET, "rate_limit_per_minute": 0});
    let github = api.integration_from(fields).await;
    let failed = run(1, "failure", "2026-01-02T03:00:00Z");
    assert_eq!(deliver(&service, &github, "d-1", &failed, false).await.0, 401, "the same body, not signed");
    assert_eq!(deliver(&service, &github, "d-1", &json!({"zen": "x", "hook_id": 1}), true).await.0, 202, "another body");
    assert_eq!(deliver(&service, &github, "d-1", &failed, true).await, (202, "opened".to_owned()));
    assert_eq!(deliver(&service, &github, "d-1", &failed, true).await, (202, String::new()));
}

async fn a_late_run_reopens_nothing(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let github = api.integration("github", "forge").await;
    let post = async |id: &str, body: &Value| deliver(&service, &github, id, body, false).await.1;
    assert_eq!(post("d-1", &run(1, "failure", "2026-01-02T03:00:00Z")).await, "opened");
    assert_eq!(post("d-3", &run(3, "success", "2026-01-02T03:20:00Z")).await, "resolved");
    assert_eq!(
        post("d-2", &run(2, "failure", "2026-01-02T03:10:00Z")).await,
        "stale",
        "it began before the one that went through"
    );
    assert_eq!(post("d-4", &run(4, "failure", "2026-01-02T03:30:00Z")).await, "opened");
    assert_eq!(post("d-5", &run(2, "success", "2026-01-02T03:10:00Z")).await, "stale");
    assert_eq!(post("d-6", &run(4, "success", "2026-01-02T03:30:00Z")).await, "resolved", "another attempt of the same run");
}
