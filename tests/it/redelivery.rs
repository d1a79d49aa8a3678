//! Deliveries that come again: a tool's delivery id together with the body, never one of the two alone.

use callbox::secret::Secret;
use callbox::signature::{self, Scheme};
use callbox::time::Clock;
use serde_json::{Value, json};

use crate::support::{Callbox, Database, Integration, raw, secrets};

on_both!(
    a_delivery_sent_again_has_no_second_effect,
    nobody_uses_up_the_id_of_another,
    a_late_run_reopens_nothing,
    gitlab_shows_its_secret_or_signs_with_it,
    slack_tries_again_and_reopens_nothing,
);

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

async fn gitlab_shows_its_secret_or_signs_with_it(database: Database) {
    const TOKEN: &str = "whsec_Y2FsbGJveCBjYWxsYm94IGNhbGxib3g=";
    const OTHER: &str = "whsec_YW5vdGhlciBhbm90aGVyIGFub3RoZXI=";
    secrets::remember(TOKEN);
    let service = Callbox::start(&database).await;
    let api = service.api();
    let fields = json!({"type": "gitlab", "name": "forge", "signature_secret": TOKEN, "rate_limit_per_minute": 0});
    let gitlab = api.integration_from(fields).await;
    let body = br#"{"object_kind": "pipeline", "object_attributes": {"status": "failed", "ref": "main"}, "project": {"id": 1}}"#;
    let sign =
        |secret: &str, body: &[u8], at| signature::sign(&Scheme::StandardWebhooks, &[Secret::new(secret)], "m-1", body, at);
    let now = Clock::System.now();
    let shown = |token: &str| vec![("x-gitlab-token".to_owned(), token.to_owned())];
    let post = async |headers: &[(String, String)]| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        raw::send(service.address(), &raw::request("POST", &gitlab.path, &headers, body)).await.status
    };
    let refused = [
        ("neither", Vec::new()),
        ("another token", shown(OTHER)),
        ("no token", shown("")),
        ("its start", shown(&TOKEN[..20])),
        ("another key", sign(OTHER, body, now)),
        ("another body", sign(TOKEN, b"{}", now)),
        ("too old", sign(TOKEN, body, now.plus_seconds(-301))),
        ("a signature that does not hold, and the token", [sign(OTHER, body, now), shown(TOKEN)].concat()),
    ];
    for (what, headers) in refused {
        assert_eq!(post(&headers).await, 401, "{what}");
    }
    assert_eq!(api.events(&gitlab).await.len(), 0);
    for (what, headers) in [
        ("the token", shown(TOKEN)),
        ("a signature", sign(TOKEN, body, now)),
        ("both", [sign(TOKEN, body, now), shown(OTHER)].concat()),
    ] {
        assert_eq!(post(&headers).await, 202, "{what}");
    }
    let rows = format!("{:?}", api.requests(&gitlab).await);
    assert!(!rows.contains(TOKEN), "the ledger shows no token");
}

/// Slack repeats what was not answered in time, for an hour: also what has been resolved since. It wants to hear its challenge first.
async fn slack_tries_again_and_reopens_nothing(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let fields = json!({"type": "slack", "name": "chat", "options": {"resolveReactions": ["white_check_mark"]}});
    let slack = api.integration_from(fields).await;
    let challenge = api.send(&slack.path, &json!({"type": "url_verification", "challenge": "3eZbrw1a", "token": "hush"})).await;
    assert_eq!((challenge.status, &challenge.body), (200, &json!({"challenge": "3eZbrw1a"})));
    let event = |id: &str, event: Value| json!({"type": "event_callback", "event_id": id, "event": event});
    let message = event("Ev1", json!({"type": "message", "channel": "C1", "ts": "1767322800.000100", "text": "down"}));
    let item = json!({"type": "message", "channel": "C1", "ts": "1767322800.000100"});
    let reaction =
        json!({"type": "reaction_added", "reaction": "white_check_mark", "item": item, "event_ts": "1767323000.000300"});
    let outcome = async |body: &Value| {
        let answer = api.send(&slack.path, body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["events"][0]["outcome"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(outcome(&message).await, "opened");
    assert_eq!(outcome(&event("Ev2", reaction)).await, "resolved");
    assert_eq!(outcome(&message).await, "", "the same delivery");
    let elsewhere = event("Ev3", json!({"type": "app_mention", "channel": "C1", "ts": "1767322800.000100", "text": "down"}));
    assert_eq!(outcome(&elsewhere).await, "stale", "another event of the same message, older than its end");
    assert_eq!(api.incidents(&slack).await.len(), 1);
}
