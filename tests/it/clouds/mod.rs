//! What cloud providers prove with keys that they publish. Every signature here was made by openssl's command line, never by our own
//! code, and the keys lie on a server of the test's own.

mod oidc;
mod sns;

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::callbox::Options;
use crate::support::tool::find;

/// A private key in a file, made by openssl.
pub(crate) struct Key {
    folder: TempDir,
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let program = find("openssl").expect("openssl is asked for before");
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

impl Key {
    /// A new key, by what `openssl genpkey` calls it.
    fn new(algorithm: &[&str]) -> Self {
        let key = Self { folder: TempDir::with_prefix("callbox-key-").unwrap() };
        let file = key.file();
        openssl(&[&["genpkey", "-out", file.to_str().unwrap()], algorithm].concat(), b"");
        key
    }

    fn rsa(bits: &str) -> Self {
        Self::new(&["-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")])
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn path(&self) -> String {
        self.file().to_str().unwrap().to_owned()
    }

    fn pem(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    /// A certificate of its own, valid for a day.
    fn certificate(&self) -> Vec<u8> {
        openssl(&["req", "-x509", "-new", "-key", &self.path(), "-days", "1", "-subj", "/CN=sns.example"], b"")
    }

    /// Its signature over `text`.
    fn sign(&self, hash: &str, text: &[u8]) -> Vec<u8> {
        openssl(&["dgst", &format!("-{hash}"), "-sign", &self.path()], text)
    }

    /// It as a JSON Web Key.
    fn jwk(&self, kid: &str) -> serde_json::Value {
        let text = openssl(&["rsa", "-in", &self.path(), "-noout", "-modulus"], b"");
        let modulus = String::from_utf8(text).unwrap().trim().trim_start_matches("Modulus=").to_owned();
        let n = URL_SAFE_NO_PAD.encode(hex::decode(modulus).unwrap());
        serde_json::json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": n, "e": "AQAB"})
    }
}

/// A server of the test's own: what lies at each path, and who asked for what.
#[derive(Clone)]
pub(crate) struct Server {
    origin: String,
    files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { origin, files: Arc::default(), asked: Arc::default() };
        let here = server.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut head = [0; 8192];
                let length = socket.read(&mut head).await.unwrap_or_default();
                let target = String::from_utf8_lossy(&head[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
                let path = target.split('?').next().unwrap().to_owned();
                here.asked.lock().unwrap().push(target);
                let file = here.files.lock().unwrap().get(&path).cloned();
                let (status, body) = file.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = socket.write_all(&[head.as_bytes(), &body].concat()).await;
            }
        });
        server
    }

    /// Puts a file there; its URL.
    fn put(&self, path: &str, body: impl Into<Vec<u8>>) -> String {
        self.files.lock().unwrap().insert(path.to_owned(), body.into());
        format!("{}{path}", self.origin)
    }

    /// What was asked for since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Options of a service that may reach it, and takes it for an emulator of SNS.
    fn options(&self) -> Options {
        let environment = vec![
            ("CALLBOX_OUTBOUND_ALLOW".to_owned(), "127.0.0.0/8".to_owned()),
            ("CALLBOX_PROVIDERS_SNS_ORIGINS".to_owned(), self.origin.clone()),
        ];
        Options { environment, ..Options::default() }
    }
}

/// An expired certificate of a key.
fn expired(key: &Key) -> String {
    let pair = rcgen::KeyPair::from_pem(&key.pem()).unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    params.self_signed(&pair).unwrap().pem()
}

fn has_openssl() -> bool {
    find("openssl").as_deref().is_some_and(Path::is_file)
}
