//! Where Callbox does not go, whoever asks, and whenever: when a destination is saved, and again at every attempt.

use serde_json::json;

use super::{destination, destination_from, send, sender, start, start_with};
use crate::support::receiver::Receiver;
use crate::support::{Callbox, Database, eventually};

on_both!(f1_f2_f3_f8_inner_and_crooked_targets_are_refused_when_they_are_saved);
on_both!(f1_f6_an_inner_address_is_refused_when_something_is_sent);
on_both!(f5_a_name_that_leads_inside_is_refused_when_something_is_sent);
on_both!(f15_header_fields_that_break_the_line_are_refused);

async fn f1_f2_f3_f8_inner_and_crooked_targets_are_refused_when_they_are_saved(database: Database) {
    // Without networks that the operator names.
    let service = Callbox::start(&database).await;
    let targets = [
        // F1
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest",
        "https://100.64.0.1/",
        "https://0.1.2.3/",
        "https://224.0.0.1/",
        "https://203.0.113.7/",
        "https://[::1]/",
        "https://[fc00::1]/",
        "https://[fe80::1]/",
        // F2
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://１２７.0.0.1/",
        // F3
        "https://[::ffff:127.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2001:0:7f00:1::]/",
        "https://[::127.0.0.1]/",
        // F8
        "https://user:pass@hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "https://hooks.example\\@127.0.0.1/",
        "https://localhost./",
        "https://router/",
        "https://db.internal/",
    ];
    for (index, url) in targets.into_iter().enumerate() {
        let answer =
            service.api().post("/api/v1/destinations", &json!({"name": format!("{index}"), "kind": "webhook", "url": url})).await;
        // A backslash is a slash to URLs: what is stored then is what would be requested, and that is no inner host.
        let is_slash = url.contains('\\') && answer.status == 201;
        assert!(answer.status == 400 || is_slash, "{url}: {} {}", answer.status, answer.body);
        if is_slash {
            assert!(answer.body["url"].as_str().unwrap().starts_with("https://hooks.example/"), "{}", answer.body);
        }
    }
}

/// The reason of the delivery that is tried again.
async fn retried(service: &Callbox) -> String {
    eventually(async || {
        let list = service.api().get("/api/v1/deliveries?status=retrying").await.body;
        list["items"][0]["reason"].as_str().map(str::to_owned).ok_or_else(|| list.to_string())
    })
    .await
}

async fn f1_f6_an_inner_address_is_refused_when_something_is_sent(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    destination(&service, "ops", &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    receiver.wait(1).await;
    // The operator takes the permission back. The URL is an address: no name is resolved, so no resolver stands in the way.
    service.kill();
    let service = Callbox::start(&database).await;
    send(&service, &tool, "trigger", "cpu").await;
    let why = retried(&service).await;
    assert!(why.contains("public address") || why.contains("outbound.allow"), "{why}");
    assert_eq!(receiver.count(), 1);
}

async fn f5_a_name_that_leads_inside_is_refused_when_something_is_sent(database: Database) {
    // A name says nothing of where it leads when it is saved; this one leads to this machine, which is not what was allowed.
    let service = start_with(&database, &[("CALLBOX_OUTBOUND_ALLOW", "10.0.0.0/8")]).await;
    let receiver = Receiver::start().await;
    let url = receiver.url().replace("127.0.0.1", "localhost");
    destination_from(&service, json!({"name": "ops", "kind": "webhook", "url": url})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    let why = retried(&service).await;
    assert!(why.contains("localhost is not a public address"), "{why}");
    assert_eq!(receiver.count(), 0);
}

async fn f15_header_fields_that_break_the_line_are_refused(database: Database) {
    let service = start(&database).await;
    for (name, value) in [("X-A", "a\r\nX-B: b"), ("X-A", "a\nb"), ("X-A", "a\0b"), ("X-A\r\nX-B", "a"), ("X A", "a")] {
        let fields = json!({"name": "x", "kind": "webhook", "url": "https://hooks.example/", "headers": {name: value}});
        let answer = service.api().post("/api/v1/destinations", &fields).await;
        assert_eq!(answer.status, 400, "{name:?} {value:?}: {}", answer.body);
        assert!(answer.body["error"]["details"][0]["field"].as_str().unwrap().starts_with("headers"), "{}", answer.body);
    }
}
