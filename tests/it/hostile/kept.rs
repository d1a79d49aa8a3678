//! D: what is kept of keys and secrets, and the master key that seals it.

use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::support::api::event;
use crate::support::callbox::{ADMIN_TOKEN, MASTER_KEY, program};
use crate::support::{eventually, secrets};

on_both!(d14_a_copy_of_the_database_opens_nothing, d15_a_sealed_cell_opens_in_its_own_row_only, d17_the_master_key_is_needed);

/// Path, headers, body, and the status of the answer.
type Sent<'a> = (&'a str, Vec<(&'a str, &'a str)>, Vec<u8>, u16);

async fn d14_a_copy_of_the_database_opens_nothing(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let signature = "a signature secret that is nowhere in clear";
    let keyed = api.integration_from(json!({"type": "webhook", "name": "keyed", "policy": "key"})).await;
    let signed = json!({"type": "webhook", "name": "signed", "signature_secret": signature});
    let signed = api.integration_from(signed).await;
    let answer = api.post("/api/v1/tokens", &json!({"name": "t", "scopes": ["events:write"]})).await;
    let token = answer.text("token").to_owned();
    // Each place in which a credential can come, on routes that keep what came.
    let hook_path = format!("/api/integrations/webhook/{}", keyed.hook);
    let basic = {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("u:{}", keyed.key)))
    };
    let bearer = format!("Bearer {}", keyed.key);
    let body = br#"{"summary": "kept"}"#;
    let bodies = |key: &str| serde_json::to_vec(&event(key, "trigger", "k", "kept")).unwrap();
    let with_key = format!("{}&key={}", keyed.path, keyed.key);
    let token_header = format!("Bearer {token}");
    let sent: Vec<Sent> = vec![
        (&keyed.path, vec![("Authorization", &bearer)], body.to_vec(), 202),
        (&hook_path, vec![("Authorization", &basic)], body.to_vec(), 202),
        (&keyed.path, vec![("X-Routing-Key", &keyed.key)], body.to_vec(), 202),
        (&keyed.path, vec![("X-Integration-Key", &keyed.key)], body.to_vec(), 202),
        (&keyed.path, vec![("X-Api-Key", &keyed.key)], body.to_vec(), 202),
        (&with_key, vec![], body.to_vec(), 202),
        (V2, vec![], bodies(&keyed.key), 202),
        (V2, vec![("X-Routing-Key", &keyed.key)], bodies(""), 202),
        (V2, vec![], bodies(&signed.key), 400),
        (API, vec![("Authorization", &token_header)], bodies(""), 202),
        (&signed.path, vec![("Authorization", &bearer)], body.to_vec(), 401),
        (&keyed.path, vec![], bodies(&keyed.key), 401),
    ];
    for (path, headers, body, status) in &sent {
        let reply = raw::send(service.address(), &raw::request("POST", path, headers, body)).await;
        assert_eq!(reply.status, *status, "{path} {headers:?}: {}", reply.json());
        let shown = String::from_utf8_lossy(&reply.body);
        assert!(![&keyed.key, &keyed.hook, &signed.key, &token].iter().any(|it| shown.contains(*it)), "an answer tells a key");
    }
    // Refusals are written lazily.
    eventually(async || {
        let refused = database.cells("SELECT CAST(id AS TEXT) AS cell FROM requests WHERE verdict = 'unauthorized'");
        if refused.len() >= 3 { Ok(()) } else { Err(format!("{refused:?}")) }
    })
    .await;
    let log = service.kill();
    let stored = everything_in(&database);
    let secrets = [
        &*keyed.key,
        &keyed.hook,
        &signed.key,
        &signed.hook,
        signature,
        &token,
        ADMIN_TOKEN,
        MASTER_KEY,
        basic.trim_start_matches("Basic "),
    ];
    for secret in secrets {
        for written in [secret.as_bytes().to_vec(), hex::encode(secret).into_bytes()] {
            let found = stored.windows(written.len()).position(|window| window == written);
            let context = found.map(|at| String::from_utf8_lossy(&stored[at.saturating_sub(200)..at]).into_owned());
            assert!(context.is_none(), "a secret is in the database, behind {context:?}");
        }
        assert!(!log.contains(secret), "a secret is in the log");
    }
    assert!(stored.windows(4).any(|window| window == b"kept"), "the search can find something");
}

/// The database as somebody finds it who got hold of it.
fn everything_in(database: &Database) -> Vec<u8> {
    if let Some(file) = database.file() {
        let wal = std::fs::read(format!("{}-wal", file.display())).unwrap_or_default();
        return [std::fs::read(file).unwrap(), wal].concat();
    }
    let tables = database.cells("SELECT table_name::text AS cell FROM information_schema.tables WHERE table_schema = 'public'");
    let rows = tables.iter().flat_map(|table| database.cells(&format!("SELECT row_to_json(t)::text AS cell FROM {table} t")));
    let mut text = rows.collect::<Vec<_>>().join("\n");
    // Bodies are printed in hex.
    let bodies = database.cells("SELECT convert_from(body, 'UTF8') AS cell FROM requests");
    text.push_str(&bodies.join("\n"));
    text.into_bytes()
}

async fn d15_a_sealed_cell_opens_in_its_own_row_only(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let fields = |name: &str, secret: &str| json!({"type": "webhook", "name": name, "signature_secret": secret});
    let one = api.integration_from(fields("one", "the secret of the one")).await;
    let other = api.integration_from(fields("other", "the secret of the other")).await;
    secrets::remember("the secret of the one");
    secrets::remember("the secret of the other");
    let body = br#"{"summary": "signed"}"#;
    let post = async |integration: &Integration, secret: &str| {
        let headers = [("X-Signature", &*super::signatures::hmac(secret, &[body]))];
        post(service.address(), "192.0.2.51", native(integration), &headers, body).await.status
    };
    assert_eq!((post(&one, "the secret of the one").await, post(&other, "the secret of the other").await), (202, 202));
    super::store::execute(
        &database,
        &format!(
            "UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE kind = 'secret' AND integration_id = '{}') \
             WHERE kind = 'secret' AND integration_id = '{}'; UPDATE config_version SET version = version + 1",
            one.id, other.id
        ),
    );
    eventually(async || match post(&other, "the secret of the other").await {
        503 => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    assert_eq!(post(&other, "the secret of the one").await, 503, "it is not the one's either");
    let unsigned = super::post(service.address(), "192.0.2.51", native(&other), &[], body).await;
    assert_eq!(unsigned.status, 503, "and not unsigned: {}", unsigned.json());
    assert_eq!(post(&one, "the secret of the one").await, 202, "its neighbour goes on");
    assert!(service.log().contains(&other.id), "the log names it");
}

async fn d17_the_master_key_is_needed(database: Database) {
    Callbox::start(&database).await.kill();
    let other = "0".repeat(64);
    let cases = [
        ("missing", None, "CALLBOX_MASTER_KEY"),
        ("another", Some(other.as_str()), "master key"),
        ("junk", Some("junk"), "master key"),
        ("too short", Some("5ca1ab1e"), "master key"),
    ];
    for (name, key, said) in cases {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", database.url()]).env_clear().current_dir(folder.path());
        command.envs(key.map(|key| ("CALLBOX_MASTER_KEY", key))).stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{name}: it starts");
        assert!(text.contains(said), "{name}: {text}");
        assert!(!text.contains("junk") && !text.contains(&other), "{name}: {text}");
    }
    // What holds the wrong key out has changed nothing: the right one still opens.
    let service = Callbox::start(&database).await;
    service.api().integration("events", "after that").await;
}
