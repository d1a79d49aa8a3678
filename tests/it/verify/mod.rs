//! Signatures of our deliveries, checked by those who have never seen our code: PyPI `standardwebhooks`, OpenSSL, Python's `hmac`, and
//! the receivers under `examples/`.

mod examples;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::delivery::{destination_from, send, sender, start};
use crate::support::receiver::{Receiver, Request};
use crate::support::tool::{find, installed, repository};
use crate::support::{Callbox, Database, secrets};

on_both!(both_live_secrets_verify_while_one_is_rotated);

/// The bytes behind each are 24, as Standard Webhooks asks for.
const OLD: &str = "whsec_b2xkIGh1c2ggb2xkIGh1c2ggb2xkIGg=";
const NEW: &str = "whsec_bmV3IGh1c2ggbmV3IGh1c2ggbmV3IGg=";
const OTHER: &str = "whsec_b3RoZXIgaHVzaCBvdGhlciBodXNoIG8=";

/// What a program prints that reads `input`.
fn printed(mut command: Command, input: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// HMAC-SHA256 of `body` under the text `secret`, in hex, by Python.
pub fn hmac_by_python(secret: &str, body: &[u8]) -> Option<String> {
    let mut command = Command::new(find("python3")?);
    let code = "import hashlib, hmac, os, sys; print(hmac.new(os.environ['SECRET'].encode(), sys.stdin.buffer.read(), hashlib.sha256).hexdigest())";
    command.args(["-c", code]).env("SECRET", secret);
    Some(printed(command, body))
}

/// The same by OpenSSL.
pub fn hmac_by_openssl(secret: &str, body: &[u8]) -> Option<String> {
    let mut command = Command::new(find("openssl")?);
    command.args(["dgst", "-sha256", "-hmac", secret, "-r"]);
    printed(command, body).split(' ').next().map(str::to_owned)
}

/// The signature of Standard Webhooks by OpenSSL: what stands behind `v1,`.
fn standard_by_openssl(secret: &str, request: &Request) -> Option<String> {
    let (_, shell) = (find("openssl")?, find("sh")?);
    let mut command = Command::new(shell);
    let code = r#"key=$(printf %s "${SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A"#;
    command.args(["-c", code]).env("SECRET", secret);
    let signed = format!("{}.{}.", request.headers["webhook-id"], request.headers["webhook-timestamp"]);
    Some(printed(command, &[signed.as_bytes(), &request.body].concat()))
}

/// What PyPI `standardwebhooks` says of a request.
fn library(python: &Path, secret: &str, request: &Request, body: &[u8]) -> String {
    let mut command = Command::new(python);
    command.arg(repository().join("tests/it/e2e/clients/standardwebhooks_verify.py"));
    command.env("CALLBOX_SECRET", secret).env("PYTHONDONTWRITEBYTECODE", "1");
    let input = json!({"headers": request.headers, "body": std::str::from_utf8(body).unwrap()});
    printed(command, input.to_string().as_bytes())
}

/// A destination that signs with [`OLD`].
async fn signing(service: &Callbox, receiver: &Receiver) -> String {
    [OLD, NEW, OTHER].into_iter().for_each(secrets::remember);
    destination_from(service, json!({"name": "hub", "kind": "webhook", "url": receiver.url(), "signing_secret": OLD})).await
}

async fn both_live_secrets_verify_while_one_is_rotated(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let id = signing(&service, &receiver).await;
    let tool = sender(&service).await;
    let rotate = async |overlap: &str, secret: &str| {
        let body = json!({"overlap": overlap, "signing_secret": secret});
        let answer = service.api().post(&format!("/api/v1/destinations/{id}/rotate"), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    send(&service, &tool, "trigger", "one 🔥").await;
    receiver.wait(1).await;
    rotate("1h", NEW).await;
    send(&service, &tool, "trigger", "two 🔥").await;
    receiver.wait(2).await;
    rotate("off", NEW).await;
    send(&service, &tool, "trigger", "three 🔥").await;
    let seen = receiver.wait(3).await;
    let python = installed("venv/bin/python");
    for (request, live) in seen.iter().zip([[OLD].as_slice(), &[NEW, OLD], &[NEW]]) {
        let signatures: Vec<&str> = request.headers["webhook-signature"].split(' ').collect();
        assert_eq!(signatures.len(), live.len());
        for (secret, signature) in live.iter().zip(&signatures) {
            if let Some(computed) = standard_by_openssl(secret, request) {
                assert_eq!(*signature, format!("v1,{computed}"), "the newest stands first");
            }
        }
        let Some(python) = &python else { continue };
        for secret in [OLD, NEW, OTHER] {
            let said = library(python, secret, request, &request.body);
            assert_eq!(said == "verified", live.contains(&secret), "{said}");
        }
        let tampered = String::from_utf8(request.body.clone()).unwrap().replace("trouble", "order");
        assert!(library(python, live[0], request, tampered.as_bytes()).starts_with("refused"));
    }
}
