//! H: bursts, strangers by the thousand, races for one key; and I: what a sender can make the log and the metrics say.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::support::api::event;
use crate::support::eventually;

on_both_shared!(h1_what_is_over_the_quota_is_refused_and_counted, h7_one_key_under_fire_is_one_incident);

async fn h1_what_is_over_the_quota_is_refused_and_counted(shared: Arc<Shared>) {
    const SENT: usize = 200;
    const LIMIT: usize = 30;
    let api = shared.service.api();
    let integration = api.integration_from(json!({"type": "events", "name": "a burst", "rate_limit_per_minute": LIMIT})).await;
    let body = event(&integration.key, "trigger", "burst", "s");
    let begun = Instant::now();
    let mut accepted = 0;
    for answer in futures_util::future::join_all((0..SENT).map(|_| api.send(V2, &body))).await {
        match answer.status {
            202 => accepted += 1,
            429 => assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1),
            status => panic!("{status}: {}", answer.body),
        }
    }
    let refills = begun.elapsed().as_secs() as usize * LIMIT / 60 + 1;
    assert!((LIMIT..=LIMIT + refills).contains(&accepted), "{accepted} of {SENT}");
    assert_eq!(api.incidents(&integration).await[0]["event_count"], accepted);
    // The refused are counted to the last one, and the first of them can be looked at.
    eventually(async || {
        let query = format!(
            "SELECT CAST(COALESCE(SUM(count), 0) AS TEXT) AS cell FROM refusals WHERE integration_id = '{}' AND verdict = 'limited'",
            integration.id
        );
        let counted: usize = shared.database.cells(&query)[0].parse().unwrap();
        if counted == SENT - accepted { Ok(()) } else { Err(format!("{counted} of {}", SENT - accepted)) }
    })
    .await;
    let rows = api.all(&format!("/api/v1/requests?integration_id={}&verdict=limited", integration.id)).await;
    assert!((1..=20).contains(&rows.len()), "ten a minute: {}", rows.len());
}

#[tokio::test]
async fn h2_keys_of_strangers_fill_no_memory() {
    const KEYS: usize = 4_000;
    const PART: usize = 250;
    let database = Database::sqlite();
    let service = Callbox::start_with(&database, options()).await;
    let guess = async |from: usize, count: usize| {
        let mut bytes = Vec::new();
        for n in from..from + count {
            let body = serde_json::to_vec(&event(&format!("{n:032x}"), "trigger", "k", "s")).unwrap();
            // A hundred to each address, so that most of them are not even looked up.
            let peer = format!("198.18.{}.{}", n / 25_600, n / 100 % 256);
            let request = raw::request("POST", V2, &[("X-Forwarded-For", &peer)], &body);
            let request = String::from_utf8(request).unwrap();
            let last = n + 1 == from + count;
            bytes.extend_from_slice(if last { request } else { request.replace("Connection: close\r\n", "") }.as_bytes());
        }
        let reply = super::connections::exchange(service.address(), bytes).await;
        let (unknown, shielded) = (reply.matches("HTTP/1.1 400 ").count(), reply.matches("HTTP/1.1 429 ").count());
        assert_eq!(unknown + shielded, count);
        assert!(unknown > count / 2, "{unknown} looked up of {count}");
    };
    // A few hundred to a connection: what waits longer than a head may take, behind thousands, is cut off.
    let many = async |from: usize| {
        for part in 0..KEYS / PART {
            guess(from + part * PART, PART).await;
        }
    };
    guess(0, PART).await;
    let ((), extra) = extra_memory(&service, many(PART)).await;
    assert!(extra < 16 << 20, "{extra} bytes for {KEYS} keys");
}

async fn h7_one_key_under_fire_is_one_incident(shared: Arc<Shared>) {
    let api = shared.service.api();
    let integration = api.integration("events", "one key").await;
    let triggers = futures_util::future::join_all(
        (0..64).map(|_| async { api.send(V2, &event(&integration.key, "trigger", "the one", "s")).await.status }),
    );
    assert!(triggers.await.iter().all(|status| *status == 202));
    let incidents = api.incidents(&integration).await;
    assert_eq!((incidents.len(), &incidents[0]["event_count"]), (1, &json!(64)));

    let actions = ["trigger", "acknowledge", "resolve", "trigger"];
    let mixed = (0..64).map(|n| {
        let body = event(&integration.key, actions[n % 4], "the one", "s");
        let api = api.clone();
        async move { api.send(V2, &body).await.status }
    });
    assert!(futures_util::future::join_all(mixed).await.iter().all(|status| *status == 202));
    let incidents = api.incidents(&integration).await;
    let open = incidents.iter().filter(|incident| incident["status"] != "resolved").count();
    assert!(open <= 1, "{incidents:#?}");
    assert_eq!(api.events(&integration).await.len(), 128);
    for incident in &incidents {
        assert_legal(&api, incident).await;
    }
    // Each one but the first names the one before.
    let previous: Vec<_> = incidents.iter().map(|incident| incident["previous_incident_id"].clone()).collect();
    let ids: Vec<_> = incidents.iter().skip(1).map(|incident| incident["id"].clone()).chain([Value::Null]).collect();
    assert_eq!(previous, ids);
}

/// A history begins with the opening, has one resolve at most, and nothing after it.
async fn assert_legal(api: &crate::support::Api, incident: &Value) {
    let path = format!("/api/v1/incidents/{}/events", incident["id"].as_str().unwrap());
    let answer = api.get(&format!("{path}?limit=500")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut outcomes: Vec<&str> =
        answer.body["items"].as_array().unwrap().iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    // Newest first.
    outcomes.reverse();
    let resolved = outcomes.iter().position(|outcome| *outcome == "resolved");
    assert_eq!(outcomes[0], "opened", "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "opened").count(), 1, "{outcomes:?}");
    assert_eq!(resolved.is_some(), incident["status"] == "resolved", "{outcomes:?}");
    assert!(resolved.is_none_or(|at| at + 1 == outcomes.len()), "{outcomes:?}");
}

async fn metrics(shared: &Shared) -> String {
    reqwest::get(format!("{}/metrics", shared.service.base())).await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn h11_what_senders_say_becomes_no_label() {
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let integration = api.integration("alertmanager", "labels").await;
    let alerts = |from: usize| {
        let alerts: Vec<Value> = (from..from + 1000)
            .map(|n| {
                json!({"status": "firing", "startsAt": "2026-03-01T12:00:00Z", "fingerprint": format!("{n:016x}"),
                "labels": {"alertname": format!("Alert{n}"), format!("label_{n}"): format!("value{n}"), "severity": "page"},
                "annotations": {"summary": format!("alert {n}")}})
            })
            .collect();
        json!({"version": "4", "groupKey": format!("group {from}"), "receiver": "r", "status": "firing", "alerts": alerts})
    };
    let path = native(&integration).replacen("/api/integrations/alertmanager", "/api/integrations/nothing", 1);
    let send = async |from: usize| {
        let answer = api.send(native(&integration), &alerts(from)).await;
        assert_eq!(answer.status, 202, "{}", answer.body["message"]);
        for n in from..from + 20 {
            let odd = format!("/v2/enqueue/{n}");
            api.send(&odd, &json!({})).await;
            shared.post("192.0.2.81", &path, &[("User-Agent", &format!("agent {n}"))], b"{}").await;
            shared.post("192.0.2.81", V2, &[], format!(r#"{{"routing_key":"{n:032}","event_action":"a{n}"}}"#).as_bytes()).await;
        }
    };
    send(0).await;
    let before: Vec<String> = names(&metrics(&shared).await);
    for round in 1..10 {
        send(round * 1000).await;
    }
    let page = metrics(&shared).await;
    // Other tests of this service go on meanwhile: what they add is bounded by the program's own lists.
    let after = names(&page);
    assert!(after.len() < before.len() + 60, "{} series became {}", before.len(), after.len());
    for said in ["Alert1", "label_1", "value1", "agent", "/v2/enqueue/", &integration.id, &integration.hook] {
        assert!(!page.contains(said), "{said} is in the metrics");
    }
}

fn names(page: &str) -> Vec<String> {
    page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

#[tokio::test]
async fn i4_i5_a_sender_writes_no_log_lines_and_reads_no_secrets() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("events", "quiet").await;
    let forged = "\r\n{\"level\":\"ERROR\",\"message\":\"forged-by-a-sender\"}\u{1b}[2J\u{202e}";
    let mut body = event(&integration.key, "trigger", forged, forged);
    (body["client"], body["event_action"]) = (forged.into(), "trigger".into());
    let target = format!("{}&x=%0d%0a%7b%22message%22%3a%22forged-by-a-sender%22%7d", native(&integration));
    let bytes = serde_json::to_vec(&body).unwrap();
    let agent = [("User-Agent", "\u{202e}forged-by-a-sender"), ("X-Request-Id", "forged-by-a-sender")];
    assert_eq!(shared.post("192.0.2.91", V2, &agent, &bytes).await.status, 202);
    assert_eq!(shared.post("192.0.2.91", &target, &agent, &bytes).await.status, 202);
    body["event_action"] = forged.into();
    let reply = shared.post("192.0.2.91", V2, &agent, &serde_json::to_vec(&body).unwrap()).await;
    assert_eq!(reply.status, 400);
    // A key in a place where nothing is known of it: neither the answer nor the log may hand it on.
    let misplaced = [
        (format!("/v2/enqueue/{}", integration.key), 404),
        (format!("/api/integrations/{}", integration.key), 404),
        (format!("/api/integrations/events/{}x?integrationId={}y", integration.hook, integration.hook), 404),
        (format!("/api/v1/{}?cursor={}", integration.hook, integration.key), 404),
    ];
    for (path, status) in misplaced {
        let reply = shared.post("192.0.2.91", &path, &[], &bytes).await;
        assert_eq!(reply.status, status, "{}", reply.json());
        let shown = format!("{:?}{}", reply.headers, reply.json());
        assert!(!shown.contains(&integration.key) && !shown.contains(&integration.hook), "an answer hands a key on");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let log = shared.service.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object())), "a line is no JSON");
    assert!(!log.contains("\"message\":\"forged-by-a-sender\"") && !log.contains('\u{1b}') && !log.contains('\u{202e}'));
    for secret in [&integration.key, &integration.hook] {
        assert!(!log.contains(secret.as_str()), "a key is in the log");
        assert!(!metrics(&shared).await.contains(secret.as_str()), "a key is in the metrics");
    }
}
