//! Receivers at their worst: each has its defined end.

use std::time::Duration;

use serde_json::{Value, json};

use super::{destination_from, send, sender, start, start_with};
use crate::support::receiver::{Receiver, Way};
use crate::support::{Callbox, Database, eventually, secrets};

on_both!(f7_a_redirect_is_not_followed);
on_both!(f9_proxies_of_the_environment_are_not_used);
on_both!(f10_what_stalls_resets_trickles_or_says_too_much_is_cut_short);
on_both!(f11_an_answer_after_the_deadline_is_none_and_comes_again_by_its_id);
on_both!(f12_a_receiver_may_ask_for_time);
on_both!(f13_a_receiver_that_is_gone_is_asked_once_more_and_disabled);
on_both!(f19_what_leads_back_to_us_by_another_name_is_stopped);
on_both!(f19_what_goes_round_between_two_is_stopped);
on_both!(f17_what_a_receiver_sends_back_of_our_secrets_is_not_kept);
on_both!(what_is_refused_is_a_dead_letter_and_can_be_taken_up_again);

/// For what waits for answers that do not come.
const IMPATIENT: &[(&str, &str)] = &[("CALLBOX_DELIVERY_TIMEOUT", "1s")];

/// A destination whose breaker does not interfere.
async fn told(service: &Callbox, receiver: &Receiver) -> String {
    let fields = json!({"name": "ops", "kind": "webhook", "url": receiver.url(), "breaker_failures": 0});
    destination_from(service, fields).await
}

/// The delivery of the only page, once it is in one of these states.
async fn delivery(service: &Callbox, states: &[&str]) -> Value {
    let api = service.api();
    let id = eventually(async || {
        let list = api.get("/api/v1/deliveries").await;
        let items = list.body["items"].as_array().ok_or_else(|| format!("{} {}", list.status, list.body))?;
        let last = items.last().ok_or("there is none")?;
        let state = last["status"].as_str().unwrap_or_default();
        if states.contains(&state) { Ok(last["id"].as_str().unwrap_or_default().to_owned()) } else { Err(last.to_string()) }
    })
    .await;
    api.get(&format!("/api/v1/deliveries/{id}")).await.body
}

async fn f7_a_redirect_is_not_followed(database: Database) {
    let service = start(&database).await;
    let inner = Receiver::start().await;
    let to = inner.url();
    let receiver = Receiver::deciding(move |_| Way::with(302, "location", &to)).await;
    told(&service, &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    receiver.wait(2).await;
    let delivery = delivery(&service, &["retrying"]).await;
    assert_eq!(delivery["attempts"][0]["status"], 302, "{delivery}");
    assert_eq!(inner.count(), 0);
}

async fn f9_proxies_of_the_environment_are_not_used(database: Database) {
    let proxy = Receiver::start().await;
    let (url, name) = (proxy.url(), ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"]);
    let settings: Vec<(&str, &str)> = name.iter().map(|name| (*name, url.as_str())).collect();
    let service = start_with(&database, &settings).await;
    let receiver = Receiver::start().await;
    told(&service, &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    receiver.wait(1).await;
    assert_eq!(proxy.count(), 0);
}

async fn f10_what_stalls_resets_trickles_or_says_too_much_is_cut_short(database: Database) {
    let service = start_with(&database, IMPATIENT).await;
    let mut ways = vec![
        Way::status(200),
        Way::Answer(200, Vec::new(), vec![b'x'; 5 << 20]),
        Way::Trickle(Duration::from_secs(1)),
        Way::Reset,
        Way::Stall,
    ];
    let receiver = Receiver::deciding(move |_| ways.pop().unwrap_or(Way::status(200))).await;
    told(&service, &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    let delivery = delivery(&service, &["delivered"]).await;
    let attempts = delivery["attempts"].as_array().unwrap();
    let results: Vec<&Value> = attempts.iter().map(|attempt| &attempt["result"]).collect();
    // 5 MB with a good status is a delivery: its status decides, and little of it is read.
    assert_eq!(results, ["later", "later", "later", "delivered"], "{delivery}");
    // Each of the two that are slow would take more than half a minute.
    assert!(attempts.iter().all(|attempt| attempt["took"].as_f64().unwrap() < 15.0), "{delivery}");
    let answer = attempts[3]["answer"].as_str().unwrap();
    assert!(answer.len() <= 2_048, "{} bytes are kept", answer.len());
    assert!(receiver.seen().iter().all(|request| request.id() == delivery["id"]));
}

async fn f11_an_answer_after_the_deadline_is_none_and_comes_again_by_its_id(database: Database) {
    let service = start_with(&database, IMPATIENT).await;
    let mut first = true;
    let receiver =
        Receiver::deciding(
            move |_| {
                if std::mem::take(&mut first) { Way::Late(Duration::from_secs(2)) } else { Way::status(200) }
            },
        )
        .await;
    told(&service, &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    let seen = receiver.wait(2).await;
    assert_eq!(seen[0].id(), seen[1].id());
    assert_eq!(delivery(&service, &["delivered"]).await["attempts"].as_array().unwrap().len(), 2);
}

async fn f12_a_receiver_may_ask_for_time(database: Database) {
    let service = start(&database).await;
    // A date has whole seconds, so of three seconds no less than two are left.
    for (name, least) in [("2", 2_000), ("soon", 0), ("-10", 0), ("date", 2_000)] {
        let mut asked = false;
        let after = move || if name == "date" { http_date(3) } else { name.to_owned() };
        let receiver = Receiver::deciding(move |_| {
            if std::mem::replace(&mut asked, true) { Way::status(200) } else { Way::with(429, "retry-after", &after()) }
        })
        .await;
        let fields = json!({"name": name, "kind": "webhook", "url": receiver.url(), "breaker_failures": 1, "breaker_rest": "1h"});
        destination_from(&service, fields).await;
        let tool = service.api().integration("events", name).await;
        send(&service, &tool, "trigger", "disk").await;
        // A breaker that opens at the first failure does not: who asks for time has not failed.
        let seen = receiver.wait(2).await;
        let waited = seen[1].at - seen[0].at;
        assert!(waited >= Duration::from_millis(least), "{name}: {waited:?}");
    }
}

/// A date of HTTP so many seconds from now.
fn http_date(seconds: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

async fn f13_a_receiver_that_is_gone_is_asked_once_more_and_disabled(database: Database) {
    let service = start_with(&database, &[("CALLBOX_DELIVERY_CONFIRM_GONE", "1s")]).await;
    let receiver = Receiver::deciding(|_| Way::status(410)).await;
    let id = told(&service, &receiver).await;
    let other = Receiver::start().await;
    destination_from(&service, json!({"name": "other", "kind": "webhook", "url": other.url()})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    send(&service, &tool, "trigger", "cpu").await;
    let api = service.api();
    eventually(async || {
        let destination = api.get(&format!("/api/v1/destinations/{id}")).await.body;
        if destination["enabled"] == json!(false) { Ok(()) } else { Err(destination.to_string()) }
    })
    .await;
    let audit = api.get("/api/v1/audit?action=destination.disabled").await.body;
    assert_eq!(audit["items"][0]["object_id"], json!(id), "{audit}");
    let dead = api.get("/api/v1/deliveries?status=dead").await.body;
    assert_eq!(dead["items"].as_array().unwrap().len(), 2, "{dead}");
    // The other destination hears of it.
    eventually(async || {
        let keys: Vec<Value> = other.seen().iter().map(|request| request.json()["incident"]["dedup_key"].clone()).collect();
        if keys.contains(&json!(format!("destination:{id}"))) { Ok(()) } else { Err(format!("{keys:?}")) }
    })
    .await;
    let requests = receiver.count();
    send(&service, &tool, "trigger", "net").await;
    other.wait(4).await;
    assert_eq!(receiver.count(), requests, "a disabled destination is told nothing");
}

async fn f17_what_a_receiver_sends_back_of_our_secrets_is_not_kept(database: Database) {
    let service = start(&database).await;
    let secret = "a-password-that-is-sent-back";
    secrets::remember(secret);
    let receiver = Receiver::deciding(|request| {
        Way::Answer(400, Vec::new(), format!("{:?} {}", request.headers, "a-password-that-is-sent-back").into_bytes())
    })
    .await;
    let fields = json!({
        "name": "ops", "kind": "webhook", "url": receiver.url(), "basic_auth": {"user": "callbox", "password": secret},
        "headers": {"X-Team": "the-value-of-a-header"},
    });
    destination_from(&service, fields).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    let delivery = delivery(&service, &["dead"]).await.to_string();
    for secret in [secret, "the-value-of-a-header", "Y2FsbGJveDphLXBhc3N3b3Jk"] {
        assert!(!delivery.contains(secret), "{secret} stands in {delivery}");
    }
}

async fn what_is_refused_is_a_dead_letter_and_can_be_taken_up_again(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::deciding(|_| Way::status(404)).await;
    told(&service, &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    let dead = delivery(&service, &["dead"]).await;
    assert_eq!(dead["attempts"].as_array().unwrap().len(), 1, "{dead}");
    receiver.now(|_| Way::status(200));
    let id = dead["id"].as_str().unwrap();
    let answer = service.api().post(&format!("/api/v1/deliveries/{id}/retry"), &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let delivered = delivery(&service, &["delivered"]).await;
    assert_eq!(delivered["attempts"].as_array().unwrap().len(), 2);
    assert!(receiver.seen().iter().all(|request| request.id() == id));
    let audit = service.api().get("/api/v1/audit?action=delivery.retried").await.body;
    assert_eq!(audit["items"][0]["object_id"], json!(id), "{audit}");
}

/// What the deliveries that were given up say.
async fn circle(service: &Callbox) {
    let api = service.api();
    eventually(async || {
        let dead = api.get("/api/v1/deliveries?status=dead").await.body;
        let reason = dead["items"][0]["reason"].as_str().unwrap_or_default();
        if reason.contains("lead in a circle") { Ok(()) } else { Err(dead.to_string()) }
    })
    .await;
}

/// How many incidents there are, once that is how many there were a while ago.
async fn incidents(service: &Callbox) -> usize {
    let count = async || service.api().all("/api/v1/incidents").await.len();
    let mut before = count().await;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = count().await;
        if now == before {
            return now;
        }
        before = now;
    }
}

async fn f19_what_leads_back_to_us_by_another_name_is_stopped(database: Database) {
    let service = start_with(&database, &[("CALLBOX_OUTBOUND_ALLOW", "127.0.0.0/8,::1/128")]).await;
    let tool = sender(&service).await;
    let back = service.api().integration("events", "back").await;
    let named = service.base().replace("127.0.0.1", "localhost");
    let fields = json!({"name": "ourselves", "kind": "pagerduty", "token": back.key, "url": format!("{named}/v2/enqueue")});
    destination_from(&service, fields).await;
    send(&service, &tool, "trigger", "disk").await;
    circle(&service).await;
    // The page, what came back of it, and our own that says that a delivery was given up.
    assert!(incidents(&service).await <= 1 + 3 + 1);
}

async fn f19_what_goes_round_between_two_is_stopped(database: Database) {
    let (one, two) = (start_with(&database, &[]).await, start_with(&Database::sqlite(), &[]).await);
    let tool = sender(&one).await;
    for (from, to) in [(&one, &two), (&two, &one)] {
        let there = to.api().integration("events", "from the other").await;
        let fields =
            json!({"name": "other", "kind": "pagerduty", "token": there.key, "url": format!("{}/v2/enqueue", to.base())});
        destination_from(from, fields).await;
    }
    send(&one, &tool, "trigger", "disk").await;
    circle(&two).await;
    assert!(incidents(&one).await + incidents(&two).await <= 1 + 3 + 2);
}
