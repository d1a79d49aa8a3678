//! The real program as a child process: started, asked where it listens, watched, stopped, killed, started again.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::poll::{PATIENCE, eventually};
use super::{Api, Database, secrets};

/// The token with every scope that each started service gets.
pub const ADMIN_TOKEN: &str = "an-admin-token-that-only-the-tests-use";
/// The master key that each started service gets: 32 bytes in hex.
pub const MASTER_KEY: &str = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e";

/// How to start a service.
#[derive(Clone, Default)]
pub struct Options {
    /// Further arguments of `callbox serve`.
    pub arguments: Vec<String>,
    /// Further environment variables; the rest of ours is not inherited.
    pub environment: Vec<(String, String)>,
    /// Certificate and key in PEM; with them the service speaks TLS.
    pub tls: Option<Tls>,
}

/// Where a certificate, its key and the authority to trust lie.
#[derive(Clone)]
pub struct Tls {
    /// The service's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate of the authority that signed it.
    pub authority: PathBuf,
}

/// A running service. Killed when dropped.
pub struct Callbox {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    address: String,
    options: Options,
    url: String,
    folder: Arc<TempDir>,
}

impl Callbox {
    /// Starts the service on `database` and waits until it is ready.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, Options::default()).await
    }

    /// Starts the service on `database` with `options` and waits until it is ready.
    pub async fn start_with(database: &Database, options: Options) -> Self {
        let folder = Arc::new(TempDir::with_prefix("callbox-home-").unwrap());
        Self::launch(database.url().to_owned(), options, folder).await
    }

    async fn launch(url: String, options: Options, folder: Arc<TempDir>) -> Self {
        let mut child = command(&url, &options, folder.path()).spawn().expect("the program starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let sink = lines.clone();
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        let mut service = Self { child, lines, reader: Some(reader), address: String::new(), options, url, folder };
        service.address = service.wait_for_address().await;
        service.wait_until_ready().await;
        service
    }

    /// The address stands in the one log line whose message is `listening`.
    async fn wait_for_address(&mut self) -> String {
        eventually(async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the service ended ({status}) before it listened:\n{}", self.log());
            }
            let lines = self.lines.lock().unwrap();
            lines.iter().find_map(|line| listening_address(line)).ok_or_else(|| format!("no line says where: {lines:#?}"))
        })
        .await
    }

    async fn wait_until_ready(&mut self) {
        let api = self.api();
        eventually(async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the service ended ({status}) before it was ready:\n{}", self.log());
            }
            match api.try_get("/readyz").await {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(format!("/readyz: {} {}", answer.status, answer.body)),
                Err(error) => Err(format!("/readyz: {error}; log:\n{}", self.log())),
            }
        })
        .await;
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What URLs of this service begin with.
    pub fn base(&self) -> String {
        let scheme = if self.options.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// A client with the admin token.
    pub fn api(&self) -> Api {
        Api::new(&self.base(), ADMIN_TOKEN, self.options.tls.as_ref().map(|tls| tls.authority.as_path()))
    }

    /// All that the service wrote to its standard error so far.
    pub fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Kills the service as a power cut would (SIGKILL), waits for its end and returns its whole log.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.finish()
    }

    /// Asks the service to stop (SIGTERM).
    pub fn terminate(&self) {
        // The shell's own `kill`: a safe Rust call would need one more crate, and Debian's /bin/kill is not always installed.
        let status = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the service's end; returns how it ended and its whole log.
    pub async fn wait(mut self) -> (ExitStatus, String) {
        let status =
            eventually(async || self.child.try_wait().unwrap().ok_or_else(|| format!("still running; log:\n{}", self.log())))
                .await;
        (status, self.finish())
    }

    /// Kills the service and starts it again on the same database, in the same folder, with the same options.
    pub async fn kill_and_restart(self) -> Self {
        let (url, options, folder) = (self.url.clone(), self.options.clone(), self.folder.clone());
        self.kill();
        Self::launch(url, options, folder).await
    }

    /// The whole log, once the service has ended.
    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.log()
    }
}

impl Drop for Callbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.finish();
        if std::thread::panicking() {
            // What the service said is the first thing one wants to know of a failed test.
            eprintln!("---- log of {} ----\n{}", self.address, tail(&log));
        } else {
            secrets::assert_none_in(&log);
        }
    }
}

/// `callbox serve` on `url`, on a free port, with none of our environment but PATH.
fn command(url: &str, options: &Options, folder: &Path) -> Command {
    secrets::remember(ADMIN_TOKEN);
    secrets::remember(MASTER_KEY);
    let mut command = Command::new(program());
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", url]).args(&options.arguments);
    if let Some(tls) = &options.tls {
        command.arg("--tls-cert").arg(&tls.certificate).arg("--tls-key").arg(&tls.key);
    }
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("CALLBOX_ADMIN_TOKEN", ADMIN_TOKEN)
        .env("CALLBOX_MASTER_KEY", MASTER_KEY)
        // A build for development on a busy machine is slow; a test that is about these times sets its own.
        .env("CALLBOX_LIMITS_ANSWER_WITHIN", "20s")
        .env("CALLBOX_LIMITS_MAX_WAIT", "40s")
        .envs(options.environment.iter().cloned())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The program under test: the one just built, or the one named by `CALLBOX_TEST_PROGRAM` (a release build, an older release).
pub fn program() -> PathBuf {
    std::env::var_os("CALLBOX_TEST_PROGRAM").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_callbox")), PathBuf::from)
}

/// The address in a JSON log line with the message `listening`; the fields may stand at the top or under `fields`.
fn listening_address(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
    let is_it = fields["message"] == "listening" || line["message"] == "listening";
    is_it.then(|| fields["address"].as_str().map(str::to_owned))?
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// How long a service may take for an orderly stop: its grace of 10 s and a little.
pub const STOP_WITHIN: Duration = Duration::from_secs(12);

const _: () = assert!(STOP_WITHIN.as_secs() < PATIENCE.as_secs());
