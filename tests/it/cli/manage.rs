//! Integrations, services, tokens and the audit log from the command line.

use std::time::{Duration, Instant};

use super::{Shell, column, field};
use crate::support::api::event;
use crate::support::{Callbox, Database, eventually, secrets};

on_both!(each_type_is_created_with_what_to_paste, an_integration_has_a_life, services, tokens_end, who_did_what);

/// Each type, and words of the snippet that its users paste.
const TYPES: [(&str, &str); 6] = [
    ("alertmanager", "webhook_configs:"),
    ("grafana", "contactPoints:"),
    ("datadog", "$ALERT_TRANSITION"),
    ("coroot", "Webhook URL"),
    ("events", "/v2/enqueue"),
    ("webhook", "\"summaryField\""),
];

async fn each_type_is_created_with_what_to_paste(database: Database) {
    let service = Callbox::start(&database).await;
    let shell = Shell::of(&service);
    for (kind, snippet) in TYPES {
        let out = shell.ok(&["integration", "create", kind, "--name", kind]);
        let (url, key) = (field(&out, "url"), field(&out, "key"));
        secrets::remember(&key);
        assert!(url.starts_with(&format!("{}/api/integrations/{kind}?integrationId=", service.base())), "{out}");
        assert_eq!(key.len(), 32, "{out}");
        let setup = out.split_once("\n\n").unwrap().1;
        assert!(setup.contains(snippet) && setup.contains(&url), "{kind}: {out}");
        assert!(!out.contains("<<") && !out.contains("\n?") && !out.contains("\n\n\n"), "{kind}: {out}");
        assert!(field(&out, "service").starts_with("default ("), "{out}");
        let shown = shell.ok(&["integration", "show", kind]);
        assert!(shown.contains(&url) && shown.contains(setup), "{kind}: {shown}");
        assert_eq!(shell.ok(&["integration", "show", kind, "--setup"]).trim_end(), setup.trim_end(), "{kind}");
    }
    let list = shell.ok(&["integration", "list"]);
    assert!(TYPES.iter().all(|(kind, _)| list.contains(kind)), "{list}");
    let alias = shell.json(&["integration", "create", "prometheus", "--name", "by its alias"]);
    assert_eq!(alias["type"], "alertmanager");
    let said = shell.fails(1, &["integration", "create", "alertmanger", "--name", "x"]);
    assert!(said.contains("did you mean `alertmanager`?") && !said.contains('{'), "{said}");
    assert!(shell.fails(1, &["integration", "create", "events", "--name", "events"]).contains("exists already"));
    assert!(shell.fails(1, &["integration", "show", "grafanna"]).contains("did you mean \"grafana\"?"));
}

async fn an_integration_has_a_life(database: Database) {
    let service = Callbox::start(&database).await;
    let (shell, api) = (Shell::of(&service), service.api());
    let made = shell.json(&["integration", "create", "events", "--name", "prod", "--rate-limit", "0"]);
    let (old, id) = (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
    secrets::remember(&old);
    let sent = async |key: &str| api.send("/v2/enqueue", &event(key, "trigger", "k", "down")).await.status;
    assert_eq!(sent(&old).await, 202);

    let out = shell.ok(&["integration", "update", "prod", "--name", "prod-eu", "--auto-resolve-after", "12h"]);
    assert_eq!((field(&out, "name"), field(&out, "auto-resolve after")), ("prod-eu".into(), "12h".into()));

    let rotated = shell.callbox(&["integration", "rotate", "prod-eu", "key", "--overlap", "1h"]);
    assert!(rotated.err.contains("the old one is valid until"), "{rotated:?}");
    let new = field(&rotated.out, "key");
    secrets::remember(&new);
    assert_eq!((sent(&old).await, sent(&new).await), (202, 202), "both hold");
    let newest = field(&shell.ok(&["integration", "rotate", &id, "key", "--overlap", "off"]), "key");
    secrets::remember(&newest);
    assert_eq!((sent(&new).await, sent(&newest).await), (400, 202), "the old one ended at once");
    assert_ne!(field(&shell.ok(&["integration", "rotate", &id, "hook"]), "url"), made["url"].as_str().unwrap());

    assert_eq!(shell.ok(&["integration", "disable", "prod-eu"]), "prod-eu is disabled\n");
    assert!(shell.ok(&["integration", "list"]).contains("disabled"));
    assert_eq!(sent(&newest).await, 202, "as PagerDuty answers");
    assert_eq!(shell.json(&["request", "list", "--verdict", "disabled"])["items"][0]["status"], 202);
    assert_eq!(shell.ok(&["integration", "enable", "prod-eu"]), "prod-eu is enabled\n");

    let tested = shell.ok(&["integration", "test", "prod-eu"]);
    assert!(tested.contains("opened") && tested.contains("resolved"), "{tested}");

    let said = shell.fails(1, &["integration", "delete", "prod-eu"]);
    assert!(said.contains("1 incidents") && said.contains("--resolve-open") && !said.contains('{'), "{said}");
    shell.ok(&["integration", "delete", "prod-eu", "--resolve-open"]);
    assert_eq!(shell.json(&["incident", "list", "--status", "triggered"])["items"], serde_json::json!([]));
    assert_eq!(sent(&newest).await, 400);
    assert!(shell.fails(1, &["integration", "show", "prod-eu"]).contains("no integration has"));
    let secret = field(&shell.ok(&["integration", "create", "grafana", "--name", "signed", "--generate-secret"]), "secret");
    assert!(secret.ends_with("(shown once)"), "{secret}");
    let rotated = field(&shell.ok(&["integration", "rotate", "signed", "secret", "--overlap", "1h"]), "secret");
    assert!(rotated.len() >= 32 && !secret.contains(&rotated), "another one");
}

async fn services(database: Database) {
    let service = Callbox::start(&database).await;
    let shell = Shell::of(&service);
    shell.ok(&["service", "create", "payments"]);
    shell.ok(&["service", "rename", "payments", "billing"]);
    assert_eq!(field(&shell.ok(&["service", "show", "billing"]), "name"), "billing");
    shell.ok(&["integration", "create", "events", "--name", "prod", "--service", "billing"]);
    let said = shell.fails(1, &["service", "delete", "billing"]);
    assert!(said.contains("1 integrations"), "{said}");
    shell.ok(&["integration", "update", "prod", "--service", "default"]);
    shell.ok(&["service", "delete", "billing"]);
    assert_eq!(column(&shell.json(&["service", "list"]), "name"), ["default"]);
}

async fn tokens_end(database: Database) {
    let service = Callbox::start(&database).await;
    let shell = Shell::of(&service);
    let token = |arguments: &[&str]| {
        let token = shell.ok(&[&["token", "create"], arguments].concat()).trim().to_owned();
        secrets::remember(&token);
        token
    };
    let reader = token(&["--name", "reader", "--scope", "incidents:read"]);
    let brief = token(&["--name", "brief", "--scope", "incidents:read", "--expires-in", "2s"]);
    for token in [&reader, &brief] {
        shell.ok(&["incident", "list", "--token", token]);
    }
    let said = shell.fails(1, &["integration", "list", "--token", &reader]);
    assert!(said.contains("integrations:read") && said.contains("HTTP 403"), "{said}");
    assert!(shell.fails(1, &["token", "create", "--name", "x", "--scope", "all"]).contains("incidents:read"));
    let list = shell.ok(&["token", "list"]);
    assert!(list.contains("reader") && list.contains("incidents:read") && !list.contains(&reader), "{list}");

    assert_eq!(shell.ok(&["token", "revoke", "reader"]), "reader is revoked\n");
    refused_within(&service, &reader, Duration::from_secs(1)).await;
    refused_within(&service, &brief, Duration::from_secs(4)).await;
    assert_eq!(column(&shell.json(&["token", "list"]), "name"), ["brief"]);
}

async fn refused_within(service: &Callbox, token: &str, limit: Duration) {
    let (api, start) = (service.api().with_token(token), Instant::now());
    eventually(async || {
        let status = api.get("/api/v1/incidents").await.status;
        if status == 401 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    assert!(start.elapsed() < limit, "took {:?}", start.elapsed());
}

async fn who_did_what(database: Database) {
    let service = Callbox::start(&database).await;
    let shell = Shell::of(&service);
    let token = shell.ok(&["token", "create", "--name", "ops", "--scope", "integrations:write"]);
    secrets::remember(token.trim());
    let ops = shell.clone().with("CALLBOX_TOKEN", token.trim());
    ops.ok(&["integration", "create", "events", "--name", "prod"]);
    ops.ok(&["integration", "update", "prod", "--rate-limit", "600"]);
    ops.ok(&["integration", "rotate", "prod", "key", "--overlap", "1h"]);
    let log = shell.ok(&["audit", "list"]);
    let rows: Vec<&str> = log.lines().skip(1).collect();
    let expected = [
        ("ops", "integration.rotated", "overlap: 1h, what: key"),
        ("ops", "integration.updated", "rate_limit_per_minute: 120 -> 600"),
        ("ops", "integration.created", "prod"),
        ("CALLBOX_ADMIN_TOKEN", "token.created", "ops"),
    ];
    for (row, (who, action, what)) in rows.iter().zip(expected) {
        assert!(row.contains("prod") || who != "ops", "names its object: {row}");
        assert!(row.contains(who) && row.contains(action) && row.contains(what), "{who} {action} {what} in {row}");
    }
    let json = shell.json(&["audit", "list"]).to_string();
    assert!(!json.contains(token.trim()), "{json}");
    assert!(shell.fails(1, &["audit", "list", "--token", token.trim()]).contains("admin"));
}
