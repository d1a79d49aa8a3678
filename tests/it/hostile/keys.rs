//! D: keys and tokens that are unknown, deleted, revoked or guessed.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::support::api::event;
use crate::support::secrets;

on_both_shared!(
    d1_d2_unknown_and_deleted_cannot_be_told_apart,
    d11_a_token_does_what_its_scopes_say,
    d12_a_revoked_or_expired_token_ends,
);

/// A connection that stays open, speaking as if from one address.
struct Persistent {
    stream: TcpStream,
    peer: String,
}

impl Persistent {
    async fn open(address: &str, peer: &str) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), peer: peer.to_owned() }
    }

    /// One request; the whole answer without what differs in every answer, and how long it took.
    async fn post(&mut self, path: &str, body: &[u8]) -> (String, Duration) {
        let headers = [("X-Forwarded-For", self.peer.as_str())];
        let bytes = raw::request("POST", path, &headers, body);
        let close = b"Connection: close\r\n";
        let at = bytes.windows(close.len()).position(|window| window == close).unwrap();
        let bytes = [&bytes[..at], &bytes[at + close.len()..]].concat();
        let begun = Instant::now();
        self.stream.write_all(&bytes).await.unwrap();
        let mut text = String::new();
        let mut buffer = [0; 4096];
        loop {
            let count = self.stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "closed after {text}");
            text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
            if body.len() < length {
                continue;
            }
            let took = begun.elapsed();
            let varies = |line: &&str| !line.starts_with("date: ") && !line.starts_with("x-request-id: ");
            let mut head: Vec<&str> = head.lines().filter(varies).collect();
            // In no particular order, after the status line.
            head.sort_unstable();
            let id = text.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
            return (format!("{}\n\n{}", head.join("\n"), body.replace(id, "ID")), took);
        }
    }
}

async fn d1_d2_unknown_and_deleted_cannot_be_told_apart(shared: Arc<Shared>) {
    const ROUNDS: u8 = 40;
    let api = shared.service.api();
    let deleted = api.integration("events", "to be deleted").await;
    let alive = api.integration("events", "next to it").await;
    assert_eq!(api.delete(&format!("/api/v1/integrations/{}", deleted.id)).await.status, 200);
    let body = |key: &str| serde_json::to_vec(&event(key, "trigger", "k", "is it there")).unwrap();
    let off = |text: &str| {
        let last = text.chars().last().unwrap();
        format!("{}{}", &text[..text.len() - 1], if last == '0' { '1' } else { '0' })
    };
    let v1 = |key: &str| {
        serde_json::to_vec(&json!({"service_key": key, "event_type": "trigger", "description": "is it there"})).unwrap()
    };
    let hook = |hook: &str| format!("/api/integrations/events?integrationId={hook}");
    let unknown = "0123456789abcdef0123456789abcdef";
    let mut routes = Vec::new();
    for path in [V2, API] {
        routes.push([unknown, &deleted.key, &off(&alive.key)].map(|key| (path.to_owned(), body(key))));
    }
    routes.push([unknown, &deleted.key, &off(&alive.key)].map(|key| (V1.to_owned(), v1(key))));
    routes.push(["abcdefghijklmnopqrstuvwxyz", &deleted.hook, &off(&alive.hook)].map(|it| (hook(it), body(unknown))));
    let mut times: [Vec<Duration>; 3] = Default::default();
    for (n, route) in routes.iter().enumerate() {
        for round in 0..ROUNDS {
            // From three addresses by turns, so that none of them fails so often that it is told to wait.
            let mut answers = Vec::new();
            for (kind, (path, body)) in route.iter().enumerate() {
                let peer = format!("198.51.{}.{}", 10 + n * 3 + kind, round / 20);
                let mut connection = Persistent::open(shared.address(), &peer).await;
                let (first, _) = connection.post(path, body).await;
                let (again, took) = connection.post(path, body).await;
                assert_eq!(first, again);
                times[kind].push(took);
                answers.push(first);
            }
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{}: {answers:#?}", route[0].0);
        }
    }
    let [unknown_took, deleted_took, off_took] = times.map(median);
    for (one, other) in [(unknown_took, deleted_took), (unknown_took, off_took)] {
        let (less, more) = (one.min(other), one.max(other));
        assert!(more < less * 2 + Duration::from_millis(1), "{unknown_took:?}, {deleted_took:?}, {off_took:?}");
    }
    // Whoever asks too often is told to wait, whichever it is.
    for key in [unknown, &deleted.key] {
        let mut connection =
            Persistent::open(shared.address(), if key == unknown { "203.0.113.101" } else { "203.0.113.102" }).await;
        let mut statuses = Vec::new();
        for _ in 0..62 {
            statuses.push(connection.post(V2, &body(key)).await.0[9..12].to_owned());
        }
        assert!(statuses[..60].iter().all(|status| status == "400"), "{statuses:?}");
        assert_eq!(statuses[60..], ["429", "429"]);
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn token(shared: &Shared, fields: Value) -> (String, String) {
    let answer = shared.service.api().post("/api/v1/tokens", &fields).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    secrets::remember(answer.text("token"));
    (answer.text("id").to_owned(), answer.text("token").to_owned())
}

async fn d11_a_token_does_what_its_scopes_say(shared: Arc<Shared>) {
    let admin = shared.service.api();
    let integration = admin.integration("events", "for tokens").await;
    let (_, text) = token(&shared, json!({"name": "reader", "scopes": ["incidents:read", "integrations:read"]})).await;
    let reader = admin.with_token(&text);
    let path = format!("/api/v1/integrations/{}", integration.id);
    let seen = reader.get(&path).await;
    assert_eq!(seen.status, 200);
    assert!(!seen.body.to_string().contains(&integration.key) && !seen.body.to_string().contains(&integration.hook));
    for (method, path, body) in [
        (reqwest::Method::PATCH, path.as_str(), json!({"enabled": false})),
        (reqwest::Method::DELETE, path.as_str(), json!({})),
        (reqwest::Method::POST, "/api/v1/integrations", json!({"type": "events", "name": "not allowed"})),
        (reqwest::Method::POST, "/api/v1/tokens", json!({"name": "more", "scopes": ["admin"]})),
        (reqwest::Method::GET, "/api/v1/tokens", Value::Null),
        (reqwest::Method::POST, API, event("", "trigger", "k", "with a reader's token")),
    ] {
        let answer = reader.try_call(method.clone(), path, (!body.is_null()).then_some(&body)).await.unwrap();
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
    }
    // What is nobody's and what is another's are one: not found.
    for path in ["/api/v1/integrations/int_00000000000000000000000000", "/api/v1/incidents/inc_x", "/api/v1/requests/%00"] {
        assert_eq!(reader.get(path).await.status, 404, "{path}");
    }
    for stranger in [admin.with_token(""), admin.with_token("wrong"), admin.with_token(&integration.key)] {
        assert_eq!(stranger.get(&path).await.status, 401);
    }
    let (_, text) = token(&shared, json!({"name": "sender", "scopes": ["events:write"]})).await;
    let sender = admin.with_token(&text);
    let answer = sender.post(API, &json!({"event_action": "trigger", "payload": {"summary": "s", "source": "s"}})).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(sender.get(&path).await.status, 403);
}

async fn d12_a_revoked_or_expired_token_ends(shared: Arc<Shared>) {
    let admin = shared.service.api();
    let (id, text) = token(&shared, json!({"name": "to be revoked", "scopes": ["incidents:read", "events:write"]})).await;
    let user = admin.with_token(&text);
    let body = json!({"event_action": "trigger", "payload": {"summary": "s", "source": "s"}});
    assert_eq!((user.get("/api/v1/incidents").await.status, user.post(API, &body).await.status), (200, 202));
    assert_eq!(admin.delete(&format!("/api/v1/tokens/{id}")).await.status, 200);
    assert_eq!((user.get("/api/v1/incidents").await.status, user.post(API, &body).await.status), (401, 401), "at once");

    let soon = callbox::time::Clock::System.now().plus_seconds(2).to_string();
    let (_, text) = token(&shared, json!({"name": "to expire", "scopes": ["incidents:read"], "expires_at": soon})).await;
    let user = admin.with_token(&text);
    assert_eq!(user.get("/api/v1/incidents").await.status, 200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(user.get("/api/v1/incidents").await.status, 401);
}

#[tokio::test]
async fn d13_who_guesses_is_slowed_down_and_nobody_else_is() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("events", "guessed at").await;
    let right = serde_json::to_vec(&event(&integration.key, "acknowledge", "k", "")).unwrap();
    let wrong = |n: u32| serde_json::to_vec(&event(&format!("{n:032}"), "acknowledge", "k", "")).unwrap();
    for (guesser, neighbour) in [("203.0.113.13", "203.0.113.14"), ("2001:db8:13::1", "2001:db8:14::1")] {
        let mut connection = Persistent::open(shared.address(), guesser).await;
        let mut refused = 0;
        for n in 0..300 {
            refused += usize::from(connection.post(V2, &wrong(n)).await.0.starts_with("HTTP/1.1 429"));
        }
        assert_eq!(refused, 240, "sixty a minute are looked up");
        let reply = shared.post(guesser, V2, &[], &wrong(1)).await;
        assert_eq!((reply.status, reply.json()["status"].as_str()), (429, Some("throttle exceeded")));
        let v1 = json!({"service_key": "0".repeat(32), "event_type": "trigger", "description": "s"});
        assert_eq!(shared.post(guesser, V1, &[], &serde_json::to_vec(&v1).unwrap()).await.status, 403);
        assert_eq!(shared.post(guesser, "/api/integrations/events?integrationId=no", &[], b"{}").await.status, 429);
        // A right key is right, even from there.
        assert_eq!(shared.post(guesser, V2, &[], &right).await.status, 202);
        assert_eq!(shared.post(guesser, native(&integration), &[], &right).await.status, 202);
        assert_eq!(shared.post(neighbour, V2, &[], &wrong(2)).await.status, 400);
    }
}
