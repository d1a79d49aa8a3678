//! A receiver of webhooks that records what comes, and answers as a test tells it: well, badly, late, or not at all.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Debug)]
pub enum Way {
    /// With this status, these header fields and this body.
    Answer(u16, Vec<(String, String)>, Vec<u8>),
    /// The connection stays open and nothing comes.
    Stall,
    /// The connection is reset.
    Reset,
    /// One byte of a good answer each time.
    Trickle(Duration),
    /// A good answer, after this long.
    Late(Duration),
}

impl Way {
    /// A status without anything around it.
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    /// A status with one header field.
    pub fn with(status: u16, name: &str, value: &str) -> Self {
        Self::Answer(status, vec![(name.to_owned(), value.to_owned())], Vec::new())
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it was read to its end.
    pub at: Instant,
    /// Its method and target.
    pub line: String,
    /// Its header fields, names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The id of the delivery.
    pub fn id(&self) -> &str {
        self.headers.get("webhook-id").map_or("", String::as_str)
    }

    /// What it tells and of which incident: `incident.triggered`, number.
    pub fn tells(&self) -> (String, i64) {
        let body = self.json();
        (body["event"].as_str().unwrap_or_default().to_owned(), body["incident"]["number"].as_i64().unwrap_or(0))
    }
}

/// Decides how a request is answered.
type Decide = Box<dyn FnMut(&Request) -> Way + Send>;

/// The receiver; it stops when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    decide: Arc<Mutex<Decide>>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// One that answers 200.
    pub async fn start() -> Self {
        Self::deciding(|_| Way::status(200)).await
    }

    /// One that answers as `decide` says.
    pub async fn deciding(decide: impl FnMut(&Request) -> Way + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let decide: Arc<Mutex<Decide>> = Arc::new(Mutex::new(Box::new(decide)));
        let task = tokio::spawn(accept(listener, Arc::clone(&seen), Arc::clone(&decide)));
        Self { address, seen, decide, task }
    }

    /// From now on it answers so.
    pub fn now(&self, decide: impl FnMut(&Request) -> Way + Send + 'static) {
        *self.decide.lock().unwrap() = Box::new(decide);
    }

    /// Where it listens: `http://127.0.0.1:1234/hook`.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What has come so far, in order.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests have come.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// What each of them told.
    pub fn told(&self) -> Vec<(String, i64)> {
        self.seen().iter().map(Request::tells).collect()
    }

    /// Waits until so many have come.
    pub async fn wait(&self, count: usize) -> Vec<Request> {
        super::eventually(async || {
            let have = self.count();
            if have >= count { Ok(()) } else { Err(format!("{have} of {count} deliveries")) }
        })
        .await;
        self.seen()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, seen: Arc<Mutex<Vec<Request>>>, decide: Arc<Mutex<Decide>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&decide)));
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Request>>>, decide: Arc<Mutex<Decide>>) {
    let Some(request) = read(&mut stream).await else { return };
    let way = decide.lock().unwrap()(&request);
    seen.lock().unwrap().push(request);
    let _ = answer(stream, way).await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let line = lines.next()?.to_owned();
            let headers: HashMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            let mut body = bytes.split_off(end + 4);
            while body.len() < length {
                let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
                body.extend_from_slice(&chunk[..read]);
            }
            return Some(Request { at: Instant::now(), line, headers, body });
        }
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
    }
}

async fn answer(mut stream: TcpStream, way: Way) -> std::io::Result<()> {
    let good = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    match way {
        Way::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
        }
        Way::Stall => tokio::time::sleep(Duration::from_secs(60)).await,
        Way::Reset => {
            stream.set_zero_linger()?;
        }
        Way::Trickle(each) => {
            for byte in good {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(each).await;
            }
        }
        Way::Late(after) => {
            tokio::time::sleep(after).await;
            stream.write_all(good).await?;
        }
    }
    stream.shutdown().await
}
