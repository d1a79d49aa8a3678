//! Signatures by other people's code: the vectors made again by OpenSSL and Python, and Standard Webhooks' own library against us.

use std::process::Command;

use callbox::secret::Secret;
use callbox::signature::published::vectors as published;
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

/// Checks an RSA signature (PKCS #1 v1.5) with nothing but the modulus, a power and a hash.
const RSA_BY_PYTHON: &str = "
import os, base64, hashlib
e = os.environ
n = int.from_bytes(base64.urlsafe_b64decode(e['MODULUS'] + '=='), 'big')
code = base64.urlsafe_b64decode(e['CODE'].replace('+', '-').replace('/', '_').rstrip('=') + '==')
opened = pow(int.from_bytes(code, 'big'), 65537, n).to_bytes(256, 'big')
hash = hashlib.new(e['HASH'], e['SIGNED'].encode()).digest()
names = {'sha1': '3021300906052b0e03021a05000414', 'sha256': '3031300d060960864801650304020105000420'}
told = bytes.fromhex(names[e['HASH']]) + hash
assert opened == b'\\0\\1' + b'\\xff' * (253 - len(told)) + b'\\0' + told
print('verified')
";

/// What is signed by a published key: its hash, what is signed, and the code.
fn by_published_keys() -> Vec<(&'static str, String, String)> {
    let message = |one: &published::Message| {
        let hash = if one.version == "1" { "sha1" } else { "sha256" };
        (hash, one.signed_text(), one.code.to_owned())
    };
    let [signed, code] = published::TOKEN;
    published::MESSAGES.iter().map(message).chain([("sha256", signed.to_owned(), code.to_owned())]).collect()
}

#[test]
fn openssl_verifies_what_published_keys_signed() {
    let (Some(_), Some(shell)) = (find("openssl"), find("sh")) else { return };
    let folder = tempfile::TempDir::with_prefix("callbox-vectors-").unwrap();
    let certificate = folder.path().join("certificate.pem");
    std::fs::write(&certificate, published::CERTIFICATE).unwrap();
    for (hash, signed, code) in by_published_keys() {
        let script = "openssl x509 -in certificate.pem -pubkey -noout >key.pem && printf %s \"$SIGNED\" >signed && \
                      printf %s \"$CODE\" | tr -- '-_' '+/' | sed 's/[^=]$/&==/' | openssl base64 -d -A >code && \
                      openssl dgst \"-$HASH\" -verify key.pem -signature code signed";
        let mut command = Command::new(&shell);
        command.current_dir(folder.path()).args(["-c", script]).envs([("SIGNED", &signed), ("CODE", &code)]).env("HASH", hash);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("Verified OK"), "{hash} {said}{signed}");
    }
}

#[test]
fn python_verifies_what_published_keys_signed() {
    let Some(python) = find("python3") else { return };
    for (hash, signed, code) in by_published_keys() {
        let told = [("MODULUS", published::MODULUS), ("CODE", &code), ("SIGNED", &signed), ("HASH", hash)];
        let output = Command::new(&python).args(["-c", RSA_BY_PYTHON]).envs(told).env("PYTHONUTF8", "1").output().unwrap();
        assert!(output.status.success(), "{hash} {signed}: {}", String::from_utf8_lossy(&output.stderr));
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
