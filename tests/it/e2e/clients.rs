//! PagerDuty's own clients, each pointed at us in the way its users would: trigger, acknowledge, resolve, and a change event.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::tool::{find, installed, repository};
use crate::support::{Api, Authority, Callbox, Database, Integration};

on_both!(python_pagerduty, python_pdpyras, python_pypd, javascript_pdjs);

async fn python_pagerduty(database: Database) {
    let Some(python) = installed("venv/bin/python") else { return };
    let authority = Authority::new();
    let service = authority.start(&database).await;
    let client = Client { program: python, script: "pagerduty_client.py", service: &service, authority: Some(&authority) };
    whole_life(&client).await;
    change(&client, "a change by pagerduty").await;
}

async fn python_pdpyras(database: Database) {
    let Some(python) = installed("venv/bin/python") else { return };
    let service = Callbox::start(&database).await;
    let client = Client { program: python, script: "pdpyras_client.py", service: &service, authority: None };
    whole_life(&client).await;
    change(&client, "a change by pdpyras").await;
}

async fn python_pypd(database: Database) {
    let Some(python) = installed("venv/bin/python") else { return };
    let service = Callbox::start(&database).await;
    let client = Client { program: python, script: "pypd_client.py", service: &service, authority: None };
    whole_life(&client).await;
}

async fn javascript_pdjs(database: Database) {
    let (Some(node), Some(_)) = (find("node"), installed("node/node_modules/@pagerduty/pdjs")) else { return };
    let authority = Authority::new();
    let service = authority.start(&database).await;
    let client = Client { program: node, script: "pdjs_client.mjs", service: &service, authority: Some(&authority) };
    whole_life(&client).await;
    change(&client, "a change by pdjs").await;
}

/// A client program and the service that it is pointed at.
struct Client<'a> {
    program: PathBuf,
    script: &'static str,
    service: &'a Callbox,
    authority: Option<&'a Authority>,
}

impl Client<'_> {
    /// Runs one action; returns what the client printed: the dedup key.
    async fn run(&self, integration: &Integration, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command
            .arg(repository().join("tests/it/e2e/clients").join(self.script))
            .args(arguments)
            .env("CALLBOX_URL", self.service.base())
            .env("CALLBOX_KEY", &integration.key)
            .env("CALLBOX_NODE_MODULES", repository().join("target/e2e/node"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("no_proxy", "127.0.0.1");
        if let Some(authority) = self.authority {
            command.env("CALLBOX_CA", authority.certificate()).env("NODE_EXTRA_CA_CERTS", authority.certificate());
        }
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {arguments:?}: {errors}", self.script);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Open, acknowledged, resolved: one incident throughout.
async fn whole_life(client: &Client<'_>) {
    let api = client.service.api();
    let integration = api.integration("events", client.script).await;
    let key = client.run(&integration, &["trigger"]).await;
    assert_eq!(key.len(), 32, "a generated key: {key}");
    let opened = only_incident(&api, &integration).await;
    assert_eq!(opened["status"], "triggered");
    assert_eq!(opened["dedup_key"], key);
    assert_eq!(opened["title"], "the cache is cold");
    assert_eq!(opened["severity"], "error");

    assert_eq!(client.run(&integration, &["acknowledge", &key]).await, key);
    assert_eq!(only_incident(&api, &integration).await["status"], "acknowledged");
    assert_eq!(client.run(&integration, &["resolve", &key]).await, key);
    let resolved = only_incident(&api, &integration).await;
    assert_eq!(resolved["status"], "resolved");
    assert_eq!(resolved["id"], opened["id"]);
}

async fn change(client: &Client<'_>, summary: &str) {
    let api = client.service.api();
    let integration = api.integration("events", "changes").await;
    client.run(&integration, &["change"]).await;
    let changes = api.all("/api/v1/changes").await;
    let ours: Vec<&Value> = changes.iter().filter(|change| change["integration_id"] == integration.id).collect();
    assert_eq!(ours.len(), 1, "{changes:#?}");
    assert_eq!(ours[0]["summary"], summary);
    assert!(api.incidents(&integration).await.is_empty(), "a change opens nothing");
}

async fn only_incident(api: &Api, integration: &Integration) -> Value {
    let mut incidents = api.incidents(integration).await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    incidents.remove(0)
}
