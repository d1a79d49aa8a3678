//! A: connections that break off, stay idle or carry many requests at once.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::support::api::event;

#[tokio::test]
async fn a12_a_sender_that_goes_away_leaves_nothing() {
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let integration = api.integration("events", "gone").await;
    let failed = || async {
        let page = reqwest::get(format!("{}/metrics", shared.service.base())).await.unwrap().text().await.unwrap();
        page.lines().filter(|line| line.contains("verdict=\"failed\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = failed().await;
    let body = trigger_of(&integration.key, 2000);
    for path in [V2, native(&integration)] {
        let bytes = raw::request("POST", path, &[], &body);
        for half in [false, true] {
            let mut wire = Wire::open(shared.address()).await;
            wire.write(&bytes[..bytes.len() - 1000]).await.unwrap();
            if half {
                // The other side of the connection stays open: the sender may still read.
                wire.stream.shutdown().await.unwrap();
                wire.read_to_end(Duration::from_secs(5)).await;
            }
        }
        assert_eq!(shared.post("192.0.2.12", path, &[], &body).await.status, 202);
    }
    assert_eq!(api.events(&integration).await.len(), 2, "only the whole ones");
    assert_eq!(failed().await, before, "no failure of ours is counted");
}

#[tokio::test]
async fn a13_idle_connections_leave_room_for_others() {
    const IDLE: usize = 2000;
    if !more_files(IDLE as u64 * 2 + 1000) {
        return crate::support::skip("the limit of open files is too low, and cannot be raised");
    }
    // A service of its own: what it may open is inherited from this process, which has just raised it.
    let database = Database::sqlite();
    let service = Callbox::start_with(&database, options()).await;
    let integration = service.api().integration("events", "beside idlers").await;
    let mut idle = Vec::new();
    for n in 0..IDLE {
        let mut stream = TcpStream::connect(service.address()).await.unwrap();
        if n % 2 == 0 {
            // Half of them have been served once and are kept alive.
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        }
        idle.push(stream);
    }
    let begun = Instant::now();
    let answer = service.api().send(V2, &event(&integration.key, "trigger", "k", "among idlers")).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

/// Raises this process's limit of open files where it is lower; whether it is enough then.
fn more_files(wanted: u64) -> bool {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    if line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).is_none_or(|soft: u64| soft >= wanted) {
        return true;
    }
    let mut command = std::process::Command::new("prlimit");
    command.arg("--pid").arg(std::process::id().to_string()).arg(format!("--nofile={wanted}:"));
    command.status().is_ok_and(|status| status.success())
}

#[tokio::test]
async fn a14_pipelined_requests_are_answered_in_order_and_each_counts() {
    const REQUESTS: usize = 1000;
    const LIMIT: usize = 60;
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let free = api.integration("events", "pipelined").await;
    let limited =
        api.integration_from(json!({"type": "events", "name": "pipelined, limited", "rate_limit_per_minute": LIMIT})).await;
    for integration in [&free, &limited] {
        let mut bytes = Vec::new();
        for n in 0..REQUESTS {
            let body = serde_json::to_vec(&event(&integration.key, "acknowledge", &format!("key {n}"), "")).unwrap();
            let request = String::from_utf8(raw::request("POST", V2, &[], &body)).unwrap();
            let keep = if n + 1 == REQUESTS { request } else { request.replace("Connection: close\r\n", "") };
            bytes.extend_from_slice(keep.as_bytes());
        }
        let begun = Instant::now();
        let text = exchange(shared.address(), bytes).await;
        let refills = begun.elapsed().as_secs() as usize * LIMIT / 60 + 1;
        let accepted = text.matches("HTTP/1.1 202 ").count();
        let refused = text.matches("HTTP/1.1 429 ").count();
        assert_eq!(accepted + refused, REQUESTS, "each one is answered");
        let keys: Vec<usize> =
            text.split("\"key ").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
        assert!(keys.is_sorted() && keys.len() == accepted, "in order: {keys:?}");
        match integration.id == free.id {
            true => assert_eq!(accepted, REQUESTS),
            false => assert!((LIMIT..=LIMIT + refills).contains(&accepted), "{accepted} accepted, {refills} refilled"),
        }
    }
}

pub async fn exchange(address: &str, bytes: Vec<u8>) -> String {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let write = tokio::spawn(async move { writer.write_all(&bytes).await.map(|()| writer) });
    let mut text = Vec::new();
    tokio::time::timeout(Duration::from_secs(180), reader.read_to_end(&mut text)).await.expect("it ends").unwrap();
    write.await.unwrap().unwrap();
    String::from_utf8(text).unwrap()
}
