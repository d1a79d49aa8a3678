//! What an operator relies on: TLS that follows its files, an orderly stop, numbers, health, logs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use reqwest::tls::TlsInfo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Shell, signal};
use crate::support::api::event;
use crate::support::callbox::{ADMIN_TOKEN, Options};
use crate::support::tool::free_port;
use crate::support::{Api, Authority, Callbox, Database, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_follows_its_files_without_a_restart() {
    let (database, authority) = (Database::sqlite(), Authority::new());
    let service = authority.start(&database).await;
    let shell = Shell::of(&service);
    assert!(shell.fails(1, &["incident", "list"]).contains("certificate"), "its authority is not trusted");
    let trusted = authority.certificate().display().to_string();
    shell.ok(&["incident", "list", "--ca-cert", &trusted]);

    let renewed = authority.issue();
    authority.install(&renewed);
    let start = Instant::now();
    serves(&service, &authority, &renewed.der).await;
    assert!(start.elapsed() < Duration::from_secs(3), "took {:?}", start.elapsed());

    let broken = authority.issue();
    std::fs::write(authority.file("certificate.pem"), &broken.certificate).unwrap();
    eventually(async || if service.log().contains("cannot be used") { Ok(()) } else { Err("not noticed".into()) }).await;
    serves(&service, &authority, &renewed.der).await;
    std::fs::write(authority.file("key.pem"), &broken.key).unwrap();
    serves(&service, &authority, &broken.der).await;
    shell.ok(&["incident", "list", "--ca-cert", &trusted]);
}

/// Waits until a new connection is served with this certificate.
async fn serves(service: &Callbox, authority: &Authority, expected: &[u8]) {
    let root = reqwest::Certificate::from_pem(&std::fs::read(authority.certificate()).unwrap()).unwrap();
    let url = format!("{}/healthz", service.base());
    eventually(async || {
        let client = reqwest::Client::builder().no_proxy().tls_info(true).tls_certs_only([root.clone()]).build().unwrap();
        let answer = client.get(&url).send().await.map_err(|error| error.to_string())?;
        let served = answer.extensions().get::<TlsInfo>().and_then(|info| info.peer_certificate().map(<[u8]>::to_vec));
        if served.as_deref() == Some(expected) { Ok(()) } else { Err("another certificate".into()) }
    })
    .await;
}

/// A request to which the rest of its body is still to come.
struct Unfinished {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Unfinished {
    async fn begin(service: &Callbox, body: &Value) -> Self {
        let mut stream = TcpStream::connect(service.address()).await.unwrap();
        let body = body.to_string().into_bytes();
        let head = format!("POST /v2/enqueue HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        let (now, later) = body.split_at(10);
        stream.write_all(&[head.as_bytes(), now].concat()).await.unwrap();
        Self { stream, rest: later.to_vec() }
    }

    async fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

async fn logged(service: &Callbox, what: &str) {
    eventually(async || if service.log().contains(what) { Ok(()) } else { Err(service.log()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_is_in_flight_and_ends_with_0() {
    let database = Database::sqlite();
    let service = Callbox::start(&database).await;
    let integration = service.api().integration("events", "prod").await;
    let unfinished = Unfinished::begin(&service, &event(&integration.key, "trigger", "k", "down")).await;
    service.api().get("/healthz").await;
    service.terminate();
    logged(&service, "\"stopping\"").await;
    assert!(unfinished.finish().await.starts_with("HTTP/1.1 202"));
    let (status, log) = service.wait().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(database.cells("SELECT title AS cell FROM incidents"), ["down"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once() {
    let database = Database::sqlite();
    let service = Callbox::start(&database).await;
    let integration = service.api().integration("events", "prod").await;
    let _unfinished = Unfinished::begin(&service, &event(&integration.key, "trigger", "k", "down")).await;
    service.api().get("/healthz").await;
    service.terminate();
    logged(&service, "\"stopping\"").await;
    let start = Instant::now();
    service.terminate();
    let (status, log) = service.wait().await;
    assert!(!status.success() && start.elapsed() < Duration::from_secs(2), "{status}, {:?}: {log}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_for_an_interrupt_from_the_keyboard() {
    let shell = Shell::new();
    let mut service = shell.start(&["serve", "--listen", "127.0.0.1:0"]);
    service.until(|_, log| super::serve::address(log)).await;
    signal(service.child.id(), "INT");
    let status = eventually(async || service.child.try_wait().unwrap().ok_or_else(|| "still running".to_owned())).await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_may_have_a_listener_of_their_own() {
    let database = Database::sqlite();
    let admin = format!("127.0.0.1:{}", free_port());
    let options = Options { arguments: vec!["--admin-listen".into(), admin.clone()], ..Options::default() };
    let service = Callbox::start_with(&database, options).await;
    let (senders, operators) = (service.api(), Api::new(&format!("http://{admin}"), ADMIN_TOKEN, None));
    for path in ["/api/v1/incidents", "/metrics"] {
        assert_eq!((senders.get(path).await.status, operators.get(path).await.status), (404, 200), "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!((senders.get(path).await.status, operators.get(path).await.status), (200, 200), "{path}");
    }
    let integration = operators.integration("events", "prod").await;
    let body = event(&integration.key, "trigger", "k", "down");
    assert_eq!(operators.send("/v2/enqueue", &body).await.status, 404);
    assert_eq!(senders.send("/v2/enqueue", &body).await.status, 202);
    assert!(integration.body["url"].as_str().unwrap().starts_with(&service.base()), "senders' URL: {}", integration.body);
}

/// Sends what has secrets in every place where one can be: key, hook, query, body, header.
async fn busy(service: &Callbox) -> Vec<String> {
    let api = service.api();
    let (events, hooked) = (api.integration("events", "prod").await, api.integration("webhook", "hooked").await);
    let body = json!({"summary": "marked-summary", "password": "marked-password"});
    let answers = [
        api.send("/v2/enqueue", &event(&events.key, "trigger", "marked-key", "marked-summary")).await,
        api.send(&format!("{}&token={}", hooked.path, hooked.key), &body).await,
        api.send("/v2/enqueue", &event(&"0".repeat(32), "trigger", "k", "x")).await,
        api.send(&format!("/no/such/{}", hooked.hook), &body).await,
    ];
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [202, 202, 400, 404]);
    answers.iter().map(|answer| answer.request_id().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_one_line_with_its_pattern_and_id_and_nothing_of_its_content() {
    let database = Database::sqlite();
    let service = Callbox::start(&database).await;
    let ids = busy(&service).await;
    service.api().get("/api/v1/incidents?q=marked-query").await;
    service.terminate();
    let (_, log) = service.wait().await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let routes = ["/v2/enqueue", "/api/integrations/{type}", "/v2/enqueue", "-"];
    for (id, route) in ids.iter().zip(routes) {
        let of_it: Vec<&Value> = lines.iter().filter(|line| line["request_id"] == id.as_str()).collect();
        let [line] = of_it.as_slice() else { panic!("one line of {id}: {log}") };
        assert_eq!((&line["message"], &line["route"], &line["method"]), (&json!("request"), &json!(route), &json!("POST")));
        assert!(line["status"].is_u64() && line["micros"].is_u64(), "{line}");
    }
    assert!(!log.contains("marked-") && !log.contains('?') && !log.contains("/no/such"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_open_metrics_text_without_secrets_and_health_says_what_it_checked() {
    let database = Database::sqlite();
    let service = Callbox::start(&database).await;
    busy(&service).await;
    let answer = reqwest::get(format!("{}/metrics", service.base())).await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    let page = answer.text().await.unwrap();
    check_open_metrics(&page);
    crate::support::secrets::assert_none_in(&page);
    assert!(!page.contains("marked-"), "{page}");
    assert!(page.contains("callbox_requests_total{route=\"/v2/enqueue\",verdict=\"accepted\"} 1"), "{page}");

    let api = service.api();
    assert_eq!(api.get("/healthz").await.body, json!({"status": "ok"}));
    assert_eq!(api.get("/readyz").await.body, json!({"status": "ready"}));
    let verbose = api.get("/readyz?verbose").await.body;
    assert_eq!((&verbose["checks"]["store_writable"], &verbose["checks"]["configuration_fresh"]), (&json!(true), &json!(true)));
}

/// The form of <https://prometheus.io/docs/specs/om/open_metrics_spec/>: families are declared once and before their samples, names
/// and values are well formed, no sample comes twice, `# EOF` ends it.
fn check_open_metrics(page: &str) {
    let (mut family, mut declared, mut samples) = (String::new(), HashSet::new(), HashSet::new());
    assert!(page.ends_with("# EOF\n"), "{page}");
    for line in page.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "EOF"] | ["#", "HELP" | "UNIT", ..] => {}
            ["#", "TYPE", name, kind] => {
                assert!(["counter", "gauge", "histogram", "info"].contains(kind), "{line}");
                assert!(declared.insert((*name).to_owned()), "declared twice: {line}");
                (*name).clone_into(&mut family);
            }
            _ => {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let name = sample.split('{').next().unwrap();
                let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("of no family: {line}"));
                assert!(["", "_total", "_sum", "_count", "_bucket"].contains(&suffix), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(samples.insert(sample.to_owned()), "twice: {line}");
            }
        }
    }
    assert!(samples.len() > 10, "{page}");
}
