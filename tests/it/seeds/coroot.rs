//! Coroot's webhook: ten templates (five receivers; incidents and deployments), Basic authentication, header fields of one's own, and the
//! test alert, sent by a running Callbox to something that records what comes.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::delivery::{destination_from, start};
use crate::support::receiver::{Receiver, Request};
use crate::support::{Callbox, Database, Integration, eventually, secrets};

on_both!(ten_templates_arrive_as_their_receivers_read_them);
on_both!(both_documents_come_out_exactly);
on_both!(every_request_has_the_login_and_the_header_fields);
on_both!(the_test_alert_goes_through_each_template);

macro_rules! templates {
    ($($receiver:literal),*) => {
        [$((
            $receiver,
            include_str!(concat!("../../../src/delivery/template/tests/coroot/", $receiver, ".incident.tmpl")),
            include_str!(concat!("../../../src/delivery/template/tests/coroot/", $receiver, ".deployment.tmpl")),
        )),*]
    };
}

/// For each receiver a template of an incident and one of a deployment.
const TEMPLATES: [(&str, &str, &str); 5] = templates!("plain", "json", "telegram", "mattermost", "discord");

const INCIDENT: &str = r#"{"status":"CRITICAL","application":"shop:Deployment:cart","reports":[{"name":"SLO","check":"Availability","message":"1 of 5 requests fails"},{"name":"Postgres","check":"Latency","message":"\"select\" takes <5s>"}],"url":"http://coroot.example/p/x1/incidents?incident=k7f3q"}"#;
const DEPLOYMENT: &str = r#"{"status":"Deployed","application":"shop:Deployment:cart","version":"9f8e7d: cart:v2.4.0","summary":["🎉 Memory: -20%","💔 CPU: +21%"],"url":"http://coroot.example/p/x1/app/shop:Deployment:cart/Deployments#9f8e7d:1767322800"}"#;

const PASSWORD: &str = "hush-hush-password";

/// Callbox with one destination for each receiver, all of which record.
struct Place {
    service: Callbox,
    coroot: Integration,
    receivers: HashMap<&'static str, Receiver>,
    ids: HashMap<&'static str, String>,
}

impl Place {
    async fn new(database: &Database) -> Self {
        secrets::remember(PASSWORD);
        let service = start(database).await;
        let coroot = service.api().integration("coroot", "coroot").await;
        let (mut receivers, mut ids) = (HashMap::new(), HashMap::new());
        for (name, incident, deployment) in TEMPLATES {
            let receiver = Receiver::start().await;
            let fields = json!({
                "name": name, "kind": "webhook", "url": receiver.url(), "include": "details",
                "basic_auth": {"user": "coroot", "password": PASSWORD}, "headers": {"X-Team": "shop", "X-Scope-OrgID": "7"},
                "templates": {"incident": incident, "change": deployment},
            });
            ids.insert(name, destination_from(&service, fields).await);
            receivers.insert(name, receiver);
        }
        // A rule that names no events tells of no changes.
        let names: Vec<&str> = TEMPLATES.iter().map(|(name, ..)| *name).collect();
        let rule = json!({"name": "deployments", "events": ["change.created"], "destinations": names});
        let answer = service.api().post("/api/v1/rules", &rule).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        Self { service, coroot, receivers, ids }
    }

    /// What Coroot posts.
    async fn post(&self, body: &str) {
        let answer = self.service.api().send(&self.coroot.path, &serde_json::from_str(body).unwrap()).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    /// The newest request to each receiver, once each has had `count`.
    async fn newest(&self, count: usize) -> HashMap<&'static str, Request> {
        let mut newest = HashMap::new();
        for (name, receiver) in &self.receivers {
            newest.insert(*name, receiver.wait(count).await.pop().unwrap());
        }
        newest
    }

    /// The same as the texts that people are shown.
    async fn shown(&self, count: usize) -> HashMap<&'static str, String> {
        let text = |name: &str, request: &Request| match name {
            "telegram" | "mattermost" => request.json()["text"].as_str().unwrap().to_owned(),
            "discord" => request.json()["content"].as_str().unwrap().to_owned(),
            _ => String::from_utf8(request.body.clone()).unwrap(),
        };
        self.newest(count).await.iter().map(|(name, request)| (*name, text(name, request))).collect()
    }
}

async fn ten_templates_arrive_as_their_receivers_read_them(database: Database) {
    let place = Place::new(&database).await;
    place.post(INCIDENT).await;
    for (name, said) in place.shown(1).await.iter().filter(|(name, _)| **name != "json") {
        assert!(
            said.contains("CRITICAL: ") && said.contains("cart@shop") && said.contains("misses its objectives"),
            "{name}: {said}"
        );
        assert!(said.contains(" / Availability: 1 of 5 requests fails\n• "), "{name}: {said}");
        assert!(said.contains("\"select\" takes <5s>") && said.contains("?incident=k7f3q"), "{name}: {said}");
    }
    assert_eq!(place.receivers["telegram"].seen()[0].json()["chat_id"], "-100200300");
    assert_eq!(place.receivers["telegram"].seen()[0].json()["parse_mode"], "Markdown");
    for (name, kind) in [("plain", "text/plain; charset=utf-8"), ("telegram", "application/json")] {
        assert_eq!(place.receivers[name].seen()[0].headers["content-type"], kind, "{name}");
    }
    place.post(DEPLOYMENT).await;
    for (name, said) in place.shown(2).await.iter().filter(|(name, _)| **name != "json") {
        assert!(
            said.contains("New version of ") && said.contains("Deployed\n") && said.contains("9f8e7d: cart:v2.4.0\n"),
            "{name}: {said}"
        );
        assert!(said.contains("\n• 🎉 Memory: -20%\n• 💔 CPU: +21%") && said.contains("#9f8e7d:1767322800"), "{name}: {said}");
    }
    let over = INCIDENT.replace("CRITICAL", "OK");
    place.post(&over).await;
    for (name, said) in place.shown(3).await.iter().filter(|(name, _)| **name != "json") {
        assert!(said.contains(": over") && !said.contains("objectives"), "{name}: {said}");
    }
}

async fn both_documents_come_out_exactly(database: Database) {
    let place = Place::new(&database).await;
    place.post(INCIDENT).await;
    // The file of the template ends with a line break, and so does what it makes.
    assert_eq!(String::from_utf8_lossy(&place.newest(1).await["json"].body), format!("{INCIDENT}\n"));
    place.post(DEPLOYMENT).await;
    assert_eq!(String::from_utf8_lossy(&place.newest(2).await["json"].body), format!("{DEPLOYMENT}\n"));
}

async fn every_request_has_the_login_and_the_header_fields(database: Database) {
    let place = Place::new(&database).await;
    place.post(INCIDENT).await;
    place.post(DEPLOYMENT).await;
    place.newest(2).await;
    for (name, receiver) in &place.receivers {
        for request in receiver.seen() {
            let of = |field: &str| request.headers[field].as_str();
            // base64 of coroot:hush-hush-password
            assert_eq!(of("authorization"), "Basic Y29yb290Omh1c2gtaHVzaC1wYXNzd29yZA==", "{name}");
            assert_eq!((of("x-team"), of("x-scope-orgid")), ("shop", "7"), "{name}");
            assert!(request.line.starts_with("POST /hook "), "{}", request.line);
        }
    }
    // Nobody who reads what was sent gets to know the password.
    let deliveries = place.service.api().all("/api/v1/deliveries").await;
    for delivery in &deliveries {
        let whole = eventually(async || {
            let whole = place.service.api().get(&format!("/api/v1/deliveries/{}", delivery["id"].as_str().unwrap())).await.body;
            if whole["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty()) {
                Ok(whole)
            } else {
                Err(whole.to_string())
            }
        })
        .await
        .to_string();
        assert!(!whole.contains(PASSWORD) && !whole.contains("Y29yb290"), "{whole}");
    }
    assert_eq!(deliveries.len(), 10);
}

async fn the_test_alert_goes_through_each_template(database: Database) {
    let place = Place::new(&database).await;
    for (name, id) in &place.ids {
        let path = format!("/api/v1/destinations/{id}/test");
        let dry = place.service.api().post(&path, &json!({"dry_run": true})).await;
        assert_eq!((dry.status, place.receivers[name].count()), (200, 0), "{}", dry.body);
        let tried = place.service.api().post(&path, &json!({})).await;
        assert_eq!((tried.status, &tried.body["result"]), (200, &json!("delivered")), "{name}: {}", tried.body);
        assert_eq!(place.receivers[name].count(), 1, "{name}");
        let shown = |answer: &Value, at: &str| answer.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let sent = shown(&tried.body, "/attempts/0/request/body");
        assert_eq!(sent.as_bytes(), place.receivers[name].seen()[0].body, "{name}: what is shown is what was sent");
        // But for the moment and the id of an incident that is made up.
        assert_eq!(shown(&dry.body, "/request/body").len(), sent.len(), "{name}");
    }
}
