//! Signatures by other people's code: the vectors made again by OpenSSL and Python, and Standard Webhooks' own library against us.

use std::process::Command;

use callbox::secret::Secret;
use callbox::signature::vectors::{self, Vector};
use callbox::signature::{Scheme, sign};
use callbox::time::Clock;
use serde_json::json;

use crate::support::tool::{find, installed, repository};
use crate::support::{Callbox, Database, secrets};

on_both!(the_library_of_standard_webhooks_and_we_understand_each_other);

/// What a command prints that is told of a vector by its environment.
fn printed(mut command: Command, vector: &Vector) -> String {
    let at = vector.written_time().to_string();
    let told = [("SECRET", vector.secret), ("BODY", vector.body), ("ID", vector.id), ("AT", &at)];
    let output = command.envs(told).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn openssl_makes_every_vector() {
    let (Some(_), Some(shell)) = (find("openssl"), find("sh")) else { return };
    for vector in vectors::all() {
        let mut command = Command::new(&shell);
        command.args(["-c", vector.form.openssl]);
        assert_eq!(printed(command, &vector), vector.code, "{} {}", vector.scheme.name(), vector.name);
    }
}

#[test]
fn python_makes_every_vector() {
    let Some(python) = find("python3") else { return };
    for vector in vectors::all() {
        let mut command = Command::new(&python);
        command.args(["-c", vector.form.python]);
        assert_eq!(printed(command, &vector), vector.code, "{} {}", vector.scheme.name(), vector.name);
    }
}

const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBib3RoIHNpZGVz";

async fn the_library_of_standard_webhooks_and_we_understand_each_other(database: Database) {
    let Some(python) = installed("venv/bin/python") else { return };
    secrets::remember(SECRET);
    let service = Callbox::start(&database).await;
    let fields = json!({"type": "webhook", "name": "by the library", "signature_secret": SECRET, "rate_limit_per_minute": 0});
    let integration = service.api().integration_from(fields).await;
    let body = "{\"title\": \"🔥 disk full\", \"status\": \"firing\", \"id\": \"1\"}";
    let ours = sign(&Scheme::StandardWebhooks, &[Secret::new(SECRET)], "msg_ours", body.as_bytes(), Clock::System.now());
    let mut command = Command::new(python);
    command
        .arg(repository().join("tests/it/e2e/clients/standardwebhooks_client.py"))
        .env("CALLBOX_URL", service.base() + &integration.path)
        .env("CALLBOX_BODY", body)
        .env("CALLBOX_SECRET", SECRET)
        .env("CALLBOX_SIGNED", serde_json::to_string(&ours.into_iter().collect::<std::collections::BTreeMap<_, _>>()).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONIOENCODING", "utf-8")
        .env("no_proxy", "127.0.0.1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["202", "401", "verified"]);
    let incidents = service.api().incidents(&integration).await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    assert_eq!(incidents[0]["title"], "🔥 disk full");
}
