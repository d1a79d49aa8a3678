//! The first minutes: an empty folder, one command, what it prints pasted back.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Background, Said, Shell, column};
use crate::support::tool::{find, free_port};
use crate::support::{Api, secrets};

/// The commands of `serve --dev` that a new user pastes.
struct Welcome {
    url: String,
    open: String,
    close: String,
    key: String,
}

async fn dev(shell: &Shell, port: u16) -> (Background, Welcome) {
    let mut service = shell.start(&["serve", "--dev", "--listen", &format!("127.0.0.1:{port}")]);
    let out = service.until(|out, _| out.contains("integration create").then(|| out.to_owned())).await;
    let curls: Vec<&str> = out.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    let [open, close] = curls.as_slice() else { panic!("two commands to paste: {out}") };
    let key = body_of(open)["routing_key"].as_str().unwrap().to_owned();
    secrets::remember(&key);
    let welcome = Welcome { url: format!("http://127.0.0.1:{port}"), open: (*open).into(), close: (*close).into(), key };
    assert!(out.contains(&welcome.url) && out.contains("callbox incident list"), "{out}");
    (service, welcome)
}

/// The JSON between the quotes of `-d '…'`.
fn body_of(curl: &str) -> Value {
    let (_, rest) = curl.split_once("-d '").unwrap();
    serde_json::from_str(rest.split_once('\'').unwrap().0).unwrap()
}

/// Pastes a printed command into a shell; where there is no curl, sends what it would.
async fn paste(shell: &Shell, welcome: &Welcome, curl: &str) -> Value {
    let Some(_) = find("curl") else {
        return Api::new(&welcome.url, "", None).send("/v2/enqueue", &body_of(curl)).await.body;
    };
    let said = Said::of(shell.command("sh".as_ref(), &["-c", curl]));
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_folder_one_command_and_what_it_prints() {
    let shell = Shell::new();
    let (service, welcome) = dev(&shell, free_port()).await;
    assert_eq!(paste(&shell, &welcome, &welcome.open).await["status"], "success");
    let list = shell.ok(&["incident", "list"]);
    assert!(list.contains("#1") && list.contains("triggered") && list.contains("The disk of db1 is 95% full"), "{list}");
    assert_eq!(paste(&shell, &welcome, &welcome.close).await["status"], "success");
    assert_eq!(shell.json(&["incident", "list"])["items"][0]["status"], "resolved");
    let made = shell.ok(&["integration", "create", "alertmanager", "--name", "prod"]);
    assert!(made.contains(&format!("{}/api/integrations/alertmanager?integrationId=", welcome.url)), "{made}");
    assert!(service.stop().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_in_the_same_folder_reuses_what_the_first_made() {
    let shell = Shell::new();
    let settings = || -> Value { serde_json::from_slice(&std::fs::read(shell.path(".callbox-dev.json")).unwrap()).unwrap() };
    let (service, first) = dev(&shell, free_port()).await;
    let token = settings()["token"].clone();
    secrets::remember(token.as_str().unwrap());
    let refused = shell.fails(1, &["serve", "--dev", "--listen", "127.0.0.1:0"]);
    assert!(refused.contains("callbox.db is served by another process"), "{refused}");
    assert!(service.stop().await.success());

    let (service, second) = dev(&shell, free_port()).await;
    assert_eq!((second.key, settings()["token"].clone()), (first.key, token.clone()));
    assert_eq!(settings()["url"], second.url.as_str());
    assert_eq!(column(&shell.json(&["integration", "list"]), "name"), ["demo"]);
    assert_eq!(column(&shell.json(&["token", "list"]), "name"), ["first administrator"]);
    shell.ok(&["token", "revoke", "first administrator"]);
    assert!(service.stop().await.success());

    let (_service, _) = dev(&shell, free_port()).await;
    assert_ne!(settings()["token"], token, "a token that does not hold any more is replaced");
    shell.ok(&["incident", "list"]);
}

/// Each `cargo run` of the README runs the service, which is not the only binary, and is a command of it.
#[test]
fn the_readme_says_what_cargo_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root);
    let said = Said::of(metadata);
    let metadata: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert_eq!(metadata["packages"][0]["default_run"], "callbox");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("cargo run -- ")).collect();
    assert!(commands.contains(&"serve --dev"), "{commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = Shell::new().ok(&arguments);
        assert!(help.contains("Usage: callbox "), "{command}: {help}");
    }
}

#[test]
fn dev_is_for_a_machine_of_ones_own() {
    let shell = Shell::new();
    let said = shell.fails(2, &["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert!(said.contains("loopback"), "{said}");
    let said = shell.fails(2, &["serve", "--dev", "--database", "postgres://u@127.0.0.1:1/x"]);
    assert!(said.contains("SQLite"), "{said}");
}
