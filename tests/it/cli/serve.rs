//! Starting the service: what it refuses and in which words, and what it leaves beside its file.

use super::Shell;
use crate::support::callbox::MASTER_KEY;
use crate::support::{Api, Database, secrets};

/// An address where nothing listens.
const NOWHERE: &str = "127.0.0.1:0";

#[test]
fn all_that_is_wrong_with_the_settings_is_said_at_once() {
    let shell = Shell::new().with("CALLBOX_LISTN", "x").with("CALLBOX_LOG_LEVEL", "loud");
    let file = "[server]\nlisten = \"127.0.0.1\"\nlisen = \"x\"\n[limits]\nrate_per_minute = \"many\"\n";
    std::fs::write(shell.path("callbox.toml"), file).unwrap();
    let said = shell.fails(2, &["serve", "--config", "callbox.toml"]);
    for expected in [
        "callbox.toml:2: server.listen: ",
        "callbox.toml:3: server.lisen: unknown setting; did you mean server.listen?",
        "callbox.toml:5: limits.rate_per_minute: ",
        "CALLBOX_LISTN: unknown setting; did you mean CALLBOX_LISTEN?",
        "CALLBOX_LOG_LEVEL: ",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    assert!(!shell.path("callbox.db").exists());
    assert!(shell.fails(2, &["serve", "--config", "none.toml"]).contains("none.toml: cannot be read"));
    assert!(Shell::new().with("CALLBOX_CONFIG", "none.toml").fails(2, &["serve"]).contains("none.toml"));
}

#[test]
fn what_client_commands_read_is_no_unknown_setting() {
    let shell = Shell::new().with("CALLBOX_KEY", "k").with("CALLBOX_URL", "u").with("CALLBOX_CA_CERT", "c");
    shell.ok(&["doctor"]);
}

#[test]
fn postgresql_needs_a_master_key_and_says_when_tls_is_missing() {
    let said = Shell::new().fails(2, &["serve", "--database", "postgres://u:hush@127.0.0.1:1/x"]);
    assert!(said.contains("CALLBOX_MASTER_KEY") && !said.contains("hush"), "{said}");
    let shell = Shell::new().with("CALLBOX_MASTER_KEY", MASTER_KEY);
    let said = shell.fails(1, &["serve", "--database", "postgres://u:hush@127.0.0.1:1/x"]);
    assert!(said.contains("refused") && !said.contains("hush"), "{said}");
    if !cfg!(feature = "postgres-tls") {
        let said = shell.fails(2, &["serve", "--database", "postgres://u:hush@127.0.0.1:1/x?sslmode=require"]);
        assert!(said.contains("postgres-tls") && !said.contains("hush"), "{said}");
    }
}

#[test]
fn tls_needs_both_files_and_files_that_work() {
    let shell = Shell::new();
    assert!(shell.fails(2, &["serve", "--tls-cert", "c.pem"]).contains("--tls-key"));
    assert!(Shell::new().with("CALLBOX_TLS_CERT", "c.pem").fails(2, &["serve"]).contains("both tls_cert and tls_key"));
    let said = shell.fails(1, &["serve", "--tls-cert", "c.pem", "--tls-key", "k.pem"]);
    assert!(said.contains("c.pem: cannot be read"), "{said}");
    assert!(!shell.path("callbox.db").exists(), "nothing was begun");
}

/// As a service manager starts it: nothing is told, nobody reads standard output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_leaves_a_token_and_a_key_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let shell = Shell::new();
    let mut service = shell.start(&["serve", "--listen", NOWHERE]);
    let address = service.until(|_, log| address(log)).await;
    for name in ["callbox.db.token", "callbox.db.key"] {
        assert_eq!(std::fs::metadata(shell.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        secrets::remember(std::fs::read_to_string(shell.path(name)).unwrap().trim());
    }
    assert!(service.err().contains("\"path\":\"callbox.db.token\""), "{}", service.err());
    assert_eq!(service.out(), "");
    let url = format!("http://{address}");
    shell.ok(&["incident", "list", "--url", &url]);
    assert!(Shell::new().fails(1, &["incident", "list", "--url", &url]).contains("--token or CALLBOX_TOKEN"));

    let said = shell.fails(1, &["serve", "--listen", NOWHERE]);
    assert!(said.contains("callbox.db is served by another process"), "{said}");
    assert!(service.stop().await.success());

    let other = shell.clone().with("CALLBOX_MASTER_KEY", MASTER_KEY);
    let said = other.fails(1, &["serve", "--listen", NOWHERE]);
    assert!(said.contains("the master key is not the one this database was made with"), "{said}");
    std::fs::remove_file(shell.path("callbox.db.key")).unwrap();
    let said = shell.fails(1, &["serve", "--listen", NOWHERE]);
    assert!(said.contains("its master key callbox.db.key is not"), "{said}");
}

/// Migrating, and making a token, before the first start do not stand in its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_prepared_starts() {
    let shell = Shell::new();
    assert_eq!(shell.ok(&["migrate"]), "the schema of callbox.db is up to date\n");
    let token = shell.ok(&["token", "create", "--admin"]);
    secrets::remember(token.trim());
    let mut service = shell.start(&["serve", "--listen", NOWHERE]);
    let address = service.until(|_, log| address(log)).await;
    assert!(!shell.path("callbox.db.token").exists(), "there is a token already");
    let url = format!("http://{address}");
    shell.ok(&["incident", "list", "--url", &url, "--token", token.trim()]);
    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_master_key_is_refused_on_postgresql_too() {
    let Some(database) = Database::postgres() else { return };
    let service = crate::support::Callbox::start(&database).await;
    let shell = Shell::new().with("CALLBOX_MASTER_KEY", &"ab".repeat(32)).with("CALLBOX_DATABASE", database.url());
    let said = shell.fails(1, &["serve", "--listen", NOWHERE]);
    assert!(said.contains("the master key is not the one"), "{said}");
    assert_eq!(Api::new(&service.base(), "", None).get("/healthz").await.status, 200);
}

/// Where the service says that it listens.
pub fn address(log: &str) -> Option<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.into_iter().find(|line| line["message"] == "listening")?["address"].as_str().map(str::to_owned)
}
