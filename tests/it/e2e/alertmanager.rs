//! Alertmanager as Debian packages it, through both of its receivers that reach us, and its webhook's body at its extremes.

use std::process::Command;

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::incidents_become;
use crate::support::tool::{Tool, find, free_port};
use crate::support::{Callbox, Database, Integration, eventually};

on_both!(both_receivers_open_and_close, a_group_is_as_many_events_as_alerts, five_thousand_alerts_in_one_body);

async fn both_receivers_open_and_close(database: Database) {
    let Some(program) = find("prometheus-alertmanager") else { return };
    let service = Callbox::start(&database).await;
    let api = service.api();
    let webhook = api.integration("alertmanager", "by webhook").await;
    let pagerduty = api.integration("events", "by pagerduty_configs").await;
    let alertmanager = Alertmanager::start(&program, &service.base(), &webhook, &pagerduty).await;

    alertmanager.post(json!([alert("DiskFull", "db-1", None), alert("DiskFull", "db-2", None)])).await;
    let open = incidents_become(&api, &webhook, "triggered", 2).await;
    assert!(open.iter().all(|incident| incident["severity"] == "critical"), "{open:#?}");
    assert!(open.iter().all(|incident| incident["title"].as_str().unwrap().contains("disk is full")), "{open:#?}");
    // Its pagerduty receiver sends one event a group.
    let open = incidents_become(&api, &pagerduty, "triggered", 1).await;
    assert!(open[0]["title"].as_str().unwrap().contains("DiskFull"), "{open:#?}");
    assert_eq!(open[0]["client"], "Alertmanager");

    let ended = "2020-01-01T00:00:00Z";
    alertmanager.post(json!([alert("DiskFull", "db-1", Some(ended)), alert("DiskFull", "db-2", Some(ended))])).await;
    incidents_become(&api, &webhook, "resolved", 2).await;
    incidents_become(&api, &pagerduty, "resolved", 1).await;
    for integration in [&webhook, &pagerduty] {
        let verdicts: Vec<Value> = api.requests(integration).await.iter().map(|request| request["verdict"].clone()).collect();
        assert!(verdicts.iter().all(|verdict| verdict == "accepted"), "{verdicts:?}");
    }
}

async fn a_group_is_as_many_events_as_alerts(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let integration = api.integration("alertmanager", "groups").await;
    let first = webhook_body("firing", vec![webhook_alert(2, "firing")]);
    assert_eq!(api.send(&integration.path, &first).await.status, 202);

    let alerts = vec![webhook_alert(0, "firing"), webhook_alert(1, "firing"), webhook_alert(2, "resolved")];
    let answer = api.send(&integration.path, &webhook_body("firing", alerts)).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let events = answer.body["events"].as_array().unwrap();
    let did: Vec<(&str, &str)> =
        events.iter().map(|event| (event["action"].as_str().unwrap(), event["outcome"].as_str().unwrap())).collect();
    assert_eq!(did, [("trigger", "opened"), ("trigger", "opened"), ("resolve", "resolved")]);
    let keys: std::collections::BTreeSet<&str> = events.iter().map(|event| event["dedup_key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");

    let incidents = api.incidents(&integration).await;
    assert_eq!(incidents.len(), 3);
    assert_eq!(incidents.iter().filter(|incident| incident["status"] == "triggered").count(), 2);
}

async fn five_thousand_alerts_in_one_body(database: Database) {
    const COUNT: usize = 5_000;
    let service = Callbox::start(&database).await;
    let api = service.api();
    let integration = api.integration("alertmanager", "the big one").await;
    let body = webhook_body("firing", (0..COUNT).map(|number| webhook_alert(number, "firing")).collect());
    let size = serde_json::to_vec(&body).unwrap().len();
    assert!((5_000_000..8_000_000).contains(&size), "some 6 MB, but {size}");

    let answer = api.send(&integration.path, &body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.body["events"].as_array().unwrap().len(), COUNT);
    let incidents = api.incidents(&integration).await;
    assert_eq!(incidents.len(), COUNT);
    assert!(incidents.iter().all(|incident| incident["status"] == "triggered" && incident["event_count"] == 1));
    assert_eq!(api.requests(&integration).await.len(), 1);
}

/// A running Alertmanager with one receiver that reaches us both ways.
struct Alertmanager {
    base: String,
    http: Client,
    _tool: Tool,
    _folder: TempDir,
}

impl Alertmanager {
    async fn start(program: &std::path::Path, callbox: &str, webhook: &Integration, pagerduty: &Integration) -> Self {
        let folder = TempDir::with_prefix("callbox-alertmanager-").unwrap();
        let config = json!({
            "route": {"receiver": "callbox", "group_by": ["alertname"], "group_wait": "100ms", "group_interval": "500ms", "repeat_interval": "1h"},
            "receivers": [{
                "name": "callbox",
                "webhook_configs": [{"url": format!("{callbox}{}", webhook.path), "send_resolved": true}],
                "pagerduty_configs": [{"routing_key": pagerduty.key, "url": format!("{callbox}/v2/enqueue"), "severity": "critical", "send_resolved": true}],
            }],
        });
        // JSON is YAML.
        std::fs::write(folder.path().join("alertmanager.yml"), config.to_string()).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program);
        command
            .arg("--config.file=alertmanager.yml")
            .arg("--storage.path=data")
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=");
        let tool = Tool::start(command, &folder);
        let alertmanager = Self {
            base: format!("http://{address}"),
            http: Client::builder().no_proxy().build().unwrap(),
            _tool: tool,
            _folder: folder,
        };
        eventually(async || {
            let ready = alertmanager.http.get(format!("{}/-/ready", alertmanager.base)).send().await;
            ready.map_err(|error| error.to_string())?.error_for_status().map_err(|error| error.to_string())
        })
        .await;
        alertmanager
    }

    async fn post(&self, alerts: Value) {
        let answer = self.http.post(format!("{}/api/v2/alerts", self.base)).json(&alerts).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
}

/// An alert as a client posts it to Alertmanager.
fn alert(name: &str, instance: &str, ends_at: Option<&str>) -> Value {
    let mut alert = json!({
        "labels": {"alertname": name, "instance": instance, "severity": "critical"},
        "annotations": {"summary": "the disk is full"},
        "startsAt": "2019-12-31T23:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
    });
    if let Some(ends_at) = ends_at {
        alert["endsAt"] = json!(ends_at);
    }
    alert
}

/// The body that Alertmanager's webhook receiver posts, version 4.
fn webhook_body(status: &str, alerts: Vec<Value>) -> Value {
    json!({
        "version": "4", "receiver": "callbox", "status": status, "externalURL": "http://alertmanager.example.com",
        "groupKey": "{}:{alertname=\"TooManyErrors\"}", "truncatedAlerts": 0,
        "groupLabels": {"alertname": "TooManyErrors"}, "commonLabels": {"alertname": "TooManyErrors"}, "commonAnnotations": {},
        "alerts": alerts,
    })
}

/// One alert of such a body, of the size that real ones have.
fn webhook_alert(number: usize, status: &str) -> Value {
    let ends_at = if status == "resolved" { "2024-06-01T12:30:00Z" } else { "0001-01-01T00:00:00Z" };
    json!({
        "status": status, "startsAt": "2024-06-01T12:00:00Z", "endsAt": ends_at, "fingerprint": format!("{number:016x}"),
        "labels": {"alertname": "TooManyErrors", "instance": format!("web-{number}.example.com:9100"), "job": "node", "severity": "warning",
            "cluster": "production-europe-1", "namespace": "checkout", "pod": format!("checkout-7d9c5b8f6-{number:05}")},
        "annotations": {"summary": format!("web-{number} answers with errors"), "runbook_url": "https://wiki.example.com/runbooks/errors",
            "description": "More than five percent of the answers of the last ten minutes were errors. ".repeat(7)},
        "generatorURL": format!("http://prometheus.example.com/graph?g0.expr=errors%7Binstance%3D%22web-{number}%22%7D"),
    })
}
