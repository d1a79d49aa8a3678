//! Prometheus as Debian packages it, posting straight to an integration, without an Alertmanager between.

use std::path::Path;
use std::process::Command;

use reqwest::Client;
use serde_json::json;
use tempfile::TempDir;

use super::incidents_become;
use crate::support::tool::{Tool, find, free_port};
use crate::support::{Callbox, Database, eventually};

on_both!(a_rule_opens_and_closes);

async fn a_rule_opens_and_closes(database: Database) {
    let Some(program) = find("prometheus") else { return };
    let service = Callbox::start(&database).await;
    let api = service.api();
    let integration = api.integration("alertmanager", "straight from prometheus").await;

    let folder = TempDir::with_prefix("callbox-prometheus-").unwrap();
    write_config(folder.path(), service.address(), &integration.hook);
    write_rule(folder.path(), "vector(1)");
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(&program);
    // It learns of its Alertmanagers only seconds after its first evaluation, drops what it had to say until then, and by default
    // says it again only after a minute.
    command
        .args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--web.enable-lifecycle",
            "--rules.alert.resend-delay=1s",
        ])
        .arg(format!("--web.listen-address={address}"));
    let _tool = Tool::start(command, &folder);

    let open = incidents_become(&api, &integration, "triggered", 1).await;
    assert_eq!(open[0]["severity"], "critical", "{open:#?}");
    assert!(open[0]["title"].as_str().unwrap().contains("it always burns"), "{open:#?}");

    // The same alert with a condition that no longer holds: Prometheus then says itself that it is over.
    write_rule(folder.path(), "vector(1) == 2");
    let http = Client::builder().no_proxy().build().unwrap();
    eventually(async || {
        let reload = http.post(format!("http://{address}/-/reload")).send().await;
        reload.map_err(|error| error.to_string())?.error_for_status().map_err(|error| error.to_string())
    })
    .await;
    let closed = incidents_become(&api, &integration, "resolved", 1).await;
    assert_eq!(closed[0]["id"], open[0]["id"]);
}

fn write_config(folder: &Path, callbox: &str, hook: &str) {
    let config = json!({
        "global": {"evaluation_interval": "1s", "scrape_interval": "1h"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{
            "scheme": "http", "api_version": "v2", "path_prefix": format!("/api/integrations/alertmanager/{hook}"),
            "static_configs": [{"targets": [callbox]}],
        }]},
    });
    // JSON is YAML.
    std::fs::write(folder.join("prometheus.yml"), config.to_string()).unwrap();
}

fn write_rule(folder: &Path, condition: &str) {
    let rule = json!({
        "alert": "AlwaysBurning", "expr": condition,
        "labels": {"severity": "critical"}, "annotations": {"summary": "it always burns"},
    });
    std::fs::write(folder.join("rules.yml"), json!({"groups": [{"name": "callbox", "rules": [rule]}]}).to_string()).unwrap();
}
