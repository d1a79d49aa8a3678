//! `examples/receiver.py` and `examples/receiver.sh`, against what Callbox sends, and against what others make of it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{NEW, OLD, OTHER, signing};
use crate::delivery::{destination_from, send, sender, start};
use crate::support::receiver::{Receiver, Request};
use crate::support::tool::{Tool, find, free_port, repository};
use crate::support::{Callbox, Database, eventually};

on_both!(the_receiver_in_python_takes_what_callbox_sends_and_nothing_else);
on_both!(the_receiver_in_bash_takes_what_callbox_sends_and_nothing_else);

async fn the_receiver_in_python_takes_what_callbox_sends_and_nothing_else(database: Database) {
    let Some(python) = find("python3") else { return };
    let (folder, port) = (TempDir::with_prefix("callbox-receiver-").unwrap(), free_port());
    let mut command = Command::new(python);
    command.arg(repository().join("examples/receiver.py")).arg(port.to_string());
    command.env("CALLBOX_SIGNING_SECRET", format!("{OLD} {NEW}")).env("PYTHONIOENCODING", "utf-8");
    let _receiver = Tool::start(command, &folder);
    let output = folder.path().join("output");
    let lines = || {
        let text = std::fs::read_to_string(&output).unwrap();
        text.lines().filter(|line| line.starts_with("incident.")).map(str::to_owned).collect::<Vec<_>>()
    };
    let url = format!("http://127.0.0.1:{port}/");
    eventually(async || reqwest::get(&url).await.map(|_| ()).map_err(|error| error.to_string())).await;
    try_out(&database, &url).await;
    let expected = ["incident.triggered disk 🔥 is in trouble", "incident.triggered direct is in trouble"];
    eventually(async || if lines() == expected { Ok(()) } else { Err(format!("{:?}", lines())) }).await;
}

async fn the_receiver_in_bash_takes_what_callbox_sends_and_nothing_else(database: Database) {
    let (Some(_), Some(bash)) = (find("openssl"), find("bash")) else { return };
    let folder = TempDir::with_prefix("callbox-receiver-").unwrap();
    let received = folder.path().join("received");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let listening = tokio::spawn(run_for_each_connection(listener, bash, received.clone()));
    try_out(&database, &url).await;
    listening.abort();
    let text = std::fs::read_to_string(&received).unwrap();
    let told: Vec<(&str, String)> = text
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(id, body)| (id, serde_json::from_str::<serde_json::Value>(body).unwrap()["incident"]["dedup_key"].to_string()))
        .collect();
    // It remembers no ids: what came twice is there twice, by one id. A slow machine's answer may come too late, and then Callbox too
    // delivers again.
    let mut keys: Vec<&str> = told.iter().map(|(_, key)| key.as_str()).collect();
    let delivered = keys.split_off(3);
    assert_eq!(keys, ["\"disk 🔥\""; 3]);
    assert!(told[..3].iter().all(|(id, _)| *id == told[0].0), "{told:?}");
    assert!(!delivered.is_empty() && delivered.iter().all(|key| *key == "\"direct\""), "{told:?}");
    assert!(told[3..].iter().all(|(id, _)| *id == told[3].0 && *id != told[0].0), "{told:?}");
}

/// As inetd does: each connection is standard input and output of a program of its own.
async fn run_for_each_connection(listener: TcpListener, bash: PathBuf, received: PathBuf) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        let mut command = Command::new(&bash);
        command.arg(repository().join("examples/receiver.sh"));
        command.env("CALLBOX_SIGNING_SECRET", format!("{OLD} {NEW}")).env("CALLBOX_RECEIVED", &received);
        command.stdin(OwnedFd::from(stream.try_clone().unwrap())).stdout(OwnedFd::from(stream)).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        // The command held the connection open too.
        drop(command);
        tokio::task::spawn_blocking(move || child.wait());
    }
}

/// A good delivery and its repeat are taken, whatever was changed is not; and Callbox itself delivers.
async fn try_out(database: &Database, url: &str) {
    let service = start(database).await;
    let (recorder, request) = recorded(&service).await;
    let post = async |change: &dyn Fn(&mut Request)| {
        let mut changed = request.clone();
        change(&mut changed);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let headers = changed.headers.iter().filter(|(name, _)| name.starts_with("webhook-"));
        let post = headers.fold(client.post(url), |post, (name, value)| post.header(name, value));
        post.body(changed.body).send().await.unwrap().status().as_u16()
    };
    let put = |name: &'static str, value: String| {
        move |request: &mut Request| drop(request.headers.insert(name.to_owned(), value.clone()))
    };
    assert_eq!(post(&|_| {}).await, 204, "as it came");
    assert_eq!(post(&|_| {}).await, 204, "a second time");
    let signature = request.headers["webhook-signature"].clone();
    let among_others = format!("v1a,AAAA v1,{} {signature}", "A".repeat(44));
    assert_eq!(post(&put("webhook-signature", among_others)).await, 204, "one of several signatures");
    assert_eq!(post(&|request| request.body.clear()).await, 411, "no body");
    let at: i64 = request.headers["webhook-timestamp"].parse().unwrap();
    type Change = Box<dyn Fn(&mut Request)>;
    let bad: Vec<(&str, Change)> = vec![
        ("another body", Box::new(|request| request.body[20] ^= 1)),
        ("a longer body", Box::new(|request| request.body.push(b' '))),
        ("another id", Box::new(put("webhook-id", "dlv_other".to_owned()))),
        ("no id", Box::new(|request| drop(request.headers.remove("webhook-id")))),
        ("another time", Box::new(put("webhook-timestamp", (at - 1).to_string()))),
        ("no time", Box::new(|request| drop(request.headers.remove("webhook-timestamp")))),
        ("a strange time", Box::new(put("webhook-timestamp", "0x10".to_owned()))),
        ("an old time", Box::new(put("webhook-timestamp", (at - 301).to_string()))),
        ("a time to come", Box::new(put("webhook-timestamp", (at + 400).to_string()))),
        ("no signature", Box::new(|request| drop(request.headers.remove("webhook-signature")))),
        ("an empty signature", Box::new(put("webhook-signature", "v1,".to_owned()))),
        ("a signature without version", Box::new(put("webhook-signature", signature.trim_start_matches("v1,").to_owned()))),
        ("a signature cut short", Box::new(put("webhook-signature", signature[..40].to_owned()))),
        ("another secret", Box::new(resigned(OTHER, at))),
        ("signed long ago", Box::new(resigned(OLD, at - 301))),
        ("signed far ahead", Box::new(resigned(OLD, at + 400))),
    ];
    for (what, change) in bad {
        assert_eq!(post(&change).await, 401, "{what}");
    }
    destination_from(&service, json!({"name": "direct", "kind": "webhook", "url": url, "signing_secret": NEW})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "direct").await;
    eventually(async || {
        let delivered = service.api().all("/api/v1/deliveries?status=delivered").await.len();
        // One recorded before, and one to each of the two.
        if delivered == 3 { Ok(()) } else { Err(format!("{delivered} of 3")) }
    })
    .await;
    drop(recorder);
}

/// Signed by us with another secret, or for another time.
fn resigned(secret: &'static str, at: i64) -> impl Fn(&mut Request) {
    move |request| {
        let (scheme, now) = (callbox::signature::Scheme::StandardWebhooks, callbox::time::Timestamp::from_seconds(at));
        let secrets = [callbox::secret::Secret::new(secret)];
        let signed = callbox::signature::sign(&scheme, &secrets, request.id(), &request.body, now);
        request.headers.extend(signed);
    }
}

/// A delivery as Callbox sends it.
async fn recorded(service: &Callbox) -> (Receiver, Request) {
    let receiver = Receiver::start().await;
    signing(service, &receiver).await;
    let tool = service.api().integration("events", "recorded").await;
    send(service, &tool, "trigger", "disk 🔥").await;
    let request = receiver.wait(1).await.remove(0);
    (receiver, request)
}
