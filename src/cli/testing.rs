//! A server for the tests of the client: gives the answers it was told, in order, and remembers what was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use reqwest::Certificate;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::Session;
use super::api::Api;
use super::connect::Connection;
use super::output::{Format, Output};
use crate::secret::Secret;

/// One answer to give.
pub struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Answer {
    /// This status and body.
    pub fn json(status: u16, body: &str) -> Self {
        Self { status, headers: String::new(), body: body.to_owned() }
    }

    /// With a header more.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

/// One request as it came.
#[derive(Clone)]
pub struct Seen {
    /// `GET /path HTTP/1.1`.
    pub line: String,
    headers: Vec<(String, String)>,
    /// The bytes after the headers.
    pub body: Vec<u8>,
}

impl Seen {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The server.
pub struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Listens on a free port of this machine and gives `answers`, one a connection.
    pub fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::run(answers.into_iter().collect(), None)
    }

    /// The same over TLS.
    pub fn start_tls(answers: impl IntoIterator<Item = Answer>, config: ServerConfig) -> Self {
        Self::run(answers.into_iter().collect(), Some(Arc::new(config)))
    }

    fn run(answers: Vec<Answer>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = if tls.is_some() { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&seen);
        std::thread::spawn(move || {
            for answer in answers {
                let (socket, _) = listener.accept().unwrap();
                serve(socket, tls.clone(), &answer, &list);
            }
        });
        Self { url, seen }
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of it.
    pub fn api(&self, token: Option<&str>) -> Api {
        Api::open(&connection(&self.url, token)).unwrap()
    }

    /// A client of it as commands get it.
    pub fn session(&self) -> Session {
        Session { api: self.api(Some("tok")), out: Output::new(Format::Json, true) }
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A connection to `url` that trusts nothing but the system.
pub fn connection(url: &str, token: Option<&str>) -> Connection {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots: Vec<Certificate> = Vec::new();
    Connection { url: url.parse().unwrap(), token: token.map(Secret::new), roots }
}

fn serve(socket: TcpStream, tls: Option<Arc<ServerConfig>>, answer: &Answer, list: &Mutex<Vec<Seen>>) {
    match tls {
        None => exchange(socket, answer, list),
        Some(config) => exchange(StreamOwned::new(ServerConnection::new(config).unwrap(), socket), answer, list),
    }
}

fn exchange<S: Read + Write>(stream: S, answer: &Answer, list: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    // A client that refuses our certificate hangs up here.
    let Some(request) = read_request(&mut reader) else { return };
    list.lock().unwrap().push(request);
    let Answer { status, headers, body } = answer;
    let length = body.len();
    let stream = reader.get_mut();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n");
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    let _ = stream.flush();
}

fn read_request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { line: line.trim_end().to_owned(), headers, body })
}

#[tokio::test]
async fn an_authority_from_a_file_is_trusted_and_no_other() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = own.cert.pem();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key.into()).unwrap();
    let server = Server::start_tls([Answer::json(200, "{}"), Answer::json(200, r#"{"id":"evt_1"}"#)], config);
    let query = super::api::Query::new();

    let stranger = Api::open(&connection(server.url(), None));
    // Without any system authorities the client cannot even be set up; with some it refuses this one.
    match stranger {
        Err(error) => drop((error, TcpStream::connect(server.url().trim_start_matches("https://")))),
        Ok(api) => drop(api.get(&["events"], &query).await.unwrap_err()),
    }

    let mut trusted = connection(server.url(), None);
    trusted.roots = Certificate::from_pem_bundle(pem.as_bytes()).unwrap();
    let answer = Api::open(&trusted).unwrap().get(&["events", "evt_1"], &query).await.unwrap();
    assert_eq!(answer["id"], "evt_1");
}
