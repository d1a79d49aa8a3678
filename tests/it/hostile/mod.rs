//! Input that is broken, excessive or malicious. A test is named by the row it stands for: A framing, B compression, C JSON, D keys
//! and signatures, H load and storage.
//!
//! For all of them: the service stays up, nothing that was acknowledged is lost, nothing secret is told, and whoever behaves is
//! served meanwhile.

mod answers;
mod compression;
mod connections;
mod fields;
mod framing;
mod json;
mod kept;
mod keys;
mod load;
mod signatures;
mod store;

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::support::callbox::Options;
use crate::support::raw::{self, Reply};
use crate::support::{Callbox, Database, Integration};

/// Makes `mod NAME { sqlite, postgres }` of each `async fn NAME(shared: Arc<Shared>)`.
macro_rules! on_both_shared {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::hostile::Shared::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(shared) = $crate::hostile::Shared::postgres().await {
                    super::$name(shared).await;
                }
            }
        }
    )+};
}
use on_both_shared;

/// Bytes of a native body in the shared services: small, so that tests of it are quick.
const NATIVE_BODY: usize = 1 << 20;
/// Bytes of a body on the PagerDuty routes.
const PAGERDUTY_BODY: usize = 524_288;
/// The Events API v2.
const V2: &str = "/v2/enqueue";
/// The Events API v1.
const V1: &str = "/generic/2010-04-15/create_event.json";
/// The events for people.
const API: &str = "/api/events";

/// A service that tests share for as long as at least one of them runs. Each test makes integrations of its own, and speaks from
/// an address of its own where failures count against it.
pub struct Shared {
    /// The service.
    pub service: Callbox,
    /// Its database.
    pub database: Database,
}

impl Shared {
    /// On SQLite.
    pub async fn sqlite() -> Arc<Self> {
        static ONE: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());
        Self::one(&ONE, || Some(Database::sqlite())).await.unwrap()
    }

    /// On PostgreSQL; `None`, said loudly, where there is none.
    pub async fn postgres() -> Option<Arc<Self>> {
        static ONE: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());
        Self::one(&ONE, Database::postgres).await
    }

    async fn one(one: &Mutex<Weak<Self>>, database: impl FnOnce() -> Option<Database>) -> Option<Arc<Self>> {
        let mut one = one.lock().await;
        if let Some(shared) = one.upgrade() {
            return Some(shared);
        }
        let database = database()?;
        let service = Callbox::start_with(&database, options()).await;
        let shared = Arc::new(Self { service, database });
        *one = Arc::downgrade(&shared);
        Some(shared)
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        self.service.address()
    }

    /// Posts `body` to `path` with exactly these headers, as if from `peer`.
    pub async fn post(&self, peer: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        post(self.address(), peer, path, headers, body).await
    }
}

/// How the shared services are started: senders may say who they are, native bodies are small, and a machine that has many tests
/// to run is given time.
fn options() -> Options {
    let environment = [
        ("CALLBOX_SERVER_TRUSTED_PROXIES", "127.0.0.0/8"),
        ("CALLBOX_LIMITS_NATIVE_BODY", "1MiB"),
        ("CALLBOX_LIMITS_ANSWER_WITHIN", "30s"),
        ("CALLBOX_LIMITS_MAX_WAIT", "30s"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Options { environment, ..Options::default() }
}

/// Posts `body` with exactly these headers, as if from `peer`.
async fn post(address: &str, peer: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("X-Forwarded-For", peer)]).collect();
    let reply = raw::send(address, &raw::request("POST", path, &headers, body)).await;
    assert_decent(&reply);
    reply
}

/// What holds for every answer: JSON, with a request id; 429 and 503 say when to come again.
fn assert_decent(reply: &Reply) {
    let shown = String::from_utf8_lossy(&reply.body);
    assert!(reply.status != 0, "no answer at all");
    assert!(reply.status != 500, "{shown}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{}: {shown}", reply.status);
    assert!(reply.json().is_object(), "{}: {shown}", reply.status);
    assert!(reply.header("x-request-id").is_some_and(|id| id.starts_with("req_")), "{}: {:?}", reply.status, reply.headers);
    if matches!(reply.status, 429 | 503) {
        let seconds = reply.header("retry-after").and_then(|text| text.parse::<u64>().ok());
        assert!(seconds.is_some_and(|seconds| seconds >= 1), "{}: {:?}", reply.status, reply.headers);
    }
}

/// Asserts PagerDuty's envelope of a refused event, and returns its errors.
fn invalid_event(reply: &Reply) -> Vec<String> {
    let body = reply.json();
    assert_eq!(reply.status, 400, "{body}");
    assert_eq!((&body["status"], &body["message"]), (&json!("invalid event"), &json!("Event object is invalid")), "{body}");
    strings(&body["errors"])
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A trigger of `bytes` bytes in all.
fn trigger_of(key: &str, bytes: usize) -> Vec<u8> {
    let body = |padding: usize| {
        let details = json!({"padding": "x".repeat(padding)});
        let payload = json!({"summary": "large", "source": "s", "severity": "info", "custom_details": details});
        serde_json::to_vec(&json!({"routing_key": key, "event_action": "trigger", "payload": payload})).unwrap()
    };
    body(bytes - body(0).len())
}

/// The path of an integration's native route, type included.
fn native(integration: &Integration) -> &str {
    &integration.path
}

/// A connection on which requests are written by hand.
struct Wire {
    stream: TcpStream,
    begun: Instant,
}

impl Wire {
    async fn open(address: &str) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), begun: Instant::now() }
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads until the service closes; the text, and how long after the opening that was.
    async fn read_to_end(mut self, within: Duration) -> (String, Duration) {
        let mut text = Vec::new();
        let read = async {
            let mut buffer = [0; 64 * 1024];
            while let Ok(count @ 1..) = self.stream.read(&mut buffer).await {
                text.extend_from_slice(&buffer[..count]);
            }
        };
        tokio::time::timeout(within, read).await.expect("the service closes the connection");
        (String::from_utf8_lossy(&text).into_owned(), self.begun.elapsed())
    }
}

/// The status of the final answer in `text`; 0 where there is none.
fn status_of(text: &str) -> u16 {
    let statuses = text.split("\r\n\r\n").filter_map(|head| head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    statuses.filter(|status| *status >= 200).last().unwrap_or(0)
}

/// A line of `/proc/<pid>/status` of the service, in bytes.
fn memory(service: &Callbox, line: &str) -> u64 {
    let text = std::fs::read_to_string(process(service).join("status")).unwrap();
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':')?.trim().strip_suffix(" kB"));
    value.unwrap_or_else(|| panic!("no {line} in {text}")).parse::<u64>().unwrap() * 1024
}

/// The service's folder under `/proc`: the process that listens on its port is the child of ours with its arguments.
fn process(service: &Callbox) -> PathBuf {
    PathBuf::from("/proc").join(service.id().to_string())
}

/// The highest memory that the service needs while `work` runs, beyond what it needed before, in bytes.
async fn extra_memory<T>(service: &Callbox, work: impl Future<Output = T>) -> (T, u64) {
    // Writing 5 sets the peak back to the present size (proc(5)).
    std::fs::write(process(service).join("clear_refs"), "5").unwrap();
    let before = memory(service, "VmHWM");
    let done = work.await;
    (done, memory(service, "VmHWM").saturating_sub(before))
}
