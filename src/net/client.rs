//! The client: one request, one connection, one answer.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::{Method, redirect, retry};
use url::{Host, Url};

use super::address::Guard;

/// A client that reaches what its guard permits; cheap to clone.
#[derive(Clone)]
pub struct Client {
    https: reqwest::Client,
    http: reqwest::Client,
    guard: Guard,
    plain: Plain,
    deadline: Duration,
    most: usize,
}

/// Where requests may go without TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plain {
    /// To the networks that the operator names.
    Inside,
    /// Anywhere that TLS may go.
    Anywhere,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// Whether there was more of it.
    pub cut: bool,
}

/// Why no answer came. No text holds more of the URL than its host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The URL is none that is ever requested.
    #[error("the URL cannot be used: {0}")]
    Url(&'static str),
    /// The target is no public address.
    #[error("{0} is not a public address: name its network in outbound.allow if it is meant")]
    Address(String),
    /// It did not come in time.
    #[error("{0} did not answer in time")]
    Late(String),
    /// No connection, for this reason: nothing was sent.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, &'static str),
    /// The connection ended before an answer came.
    #[error("{0} ended the connection, or answered no HTTP")]
    Broken(String),
    /// TLS cannot be set up.
    #[error("the system's certificates cannot be read: install ca-certificates")]
    Tls,
}

/// What the resolver says of a name that leads where it must not.
#[derive(Debug, thiserror::Error)]
#[error("it leads to an address that must not be reached")]
pub(super) struct Forbidden;

/// What the resolver says of a name that it cannot resolve.
#[derive(Debug, thiserror::Error)]
#[error("its name cannot be resolved")]
struct Unresolved;

/// Resolves names to vetted addresses. A name with even one address that must not be reached is refused whole.
struct Guarded(Guard);

/// The addresses of a name, where all of them may be reached.
pub(super) fn vetted_all(guard: &Guard, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
    if found.iter().all(|address| guard.permits(address.ip())) { Ok(found) } else { Err(Forbidden) }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Unresolved)?.collect();
            let vetted = vetted_all(&guard, found)?;
            Ok(Box::new(vetted.into_iter()) as Addrs)
        })
    }
}

impl Client {
    /// A client whose requests are over after `deadline`, body included, and of whose answers `most` bytes are read.
    ///
    /// # Errors
    /// [`Failure::Tls`].
    pub fn new(guard: Guard, plain: Plain, deadline: Duration, most: usize) -> Result<Self, Failure> {
        // reqwest asks for one even where only plain HTTP is spoken.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inside = guard.inside();
        let build = |guard: &Guard| {
            reqwest::Client::builder()
                .dns_resolver(Guarded(guard.clone()))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .retry(retry::never())
                .referer(false)
                .pool_max_idle_per_host(0)
                .http1_only()
                .user_agent(concat!("callbox/", env!("CARGO_PKG_VERSION")))
        };
        let https = build(&guard).https_only(true).build().map_err(|_| Failure::Tls)?;
        let http = build(if plain == Plain::Inside { &inside } else { &guard }).build().map_err(|_| Failure::Tls)?;
        Ok(Self { https, http, guard, plain, deadline, most })
    }

    /// Whether `url` is one that may be requested, as far as that shows before its name is resolved: for what is saved.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), Failure> {
        self.target(url).map(|_| ())
    }

    /// The inner client for a URL, which must be one that may be requested. A name is looked at when it is resolved; an address in the
    /// URL itself is never resolved, and so is looked at here.
    fn target(&self, url: &Url) -> Result<(&reqwest::Client, String), Failure> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::Url("it holds a user name"));
        }
        let (client, guard) = match url.scheme() {
            "https" => (&self.https, self.guard.clone()),
            "http" => (&self.http, if self.plain == Plain::Inside { self.guard.inside() } else { self.guard.clone() }),
            _ => return Err(Failure::Url("it is neither https nor http")),
        };
        let host = url.host().ok_or(Failure::Url("it names no host"))?.to_owned();
        let shown = vetted(&guard, &host)?;
        if url.scheme() == "http" && guard.permits_nothing() {
            return Err(Failure::Url("plain http goes to networks named in outbound.allow only: use https"));
        }
        Ok((client, shown))
    }

    /// Whether a host may be reached, as far as that shows before its name is resolved: for what is saved and is not HTTP.
    ///
    /// # Errors
    /// Why not.
    pub fn check_host(&self, host: &str) -> Result<(), Failure> {
        let host = Host::parse(host).map_err(|_| Failure::Url("it names no host"))?;
        vetted(&self.guard, &host).map(|_| ())
    }

    /// A vetted address of a host, for what is not HTTP.
    ///
    /// # Errors
    /// It has none, or one that must not be reached.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, Failure> {
        let unresolved = || Failure::Unreachable(host.to_owned(), "its name cannot be resolved");
        let found = tokio::net::lookup_host((host, port)).await.map_err(|_| unresolved())?;
        let found: Vec<SocketAddr> = found.collect();
        if found.iter().any(|address| !self.guard.permits(address.ip())) {
            return Err(Failure::Address(host.to_owned()));
        }
        found.first().copied().ok_or_else(unresolved)
    }

    /// `GET`.
    ///
    /// # Errors
    /// No answer; every status is one.
    pub async fn get(&self, url: &Url) -> Result<Answer, Failure> {
        self.send(Method::GET, url, HeaderMap::new(), Vec::new()).await
    }

    /// Sends one request.
    ///
    /// # Errors
    /// No answer; every status is one.
    pub async fn send(&self, method: Method, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Failure> {
        let (client, host) = self.target(url)?;
        let exchange = async {
            let request = client.request(method, url.clone()).headers(headers).body(body);
            let answer = request.send().await.map_err(|error| failure(&error, &host))?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let mut stream = answer.bytes_stream();
            let (mut body, mut cut) = (Vec::new(), false);
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|error| failure(&error, &host))?;
                let room = self.most.saturating_sub(body.len());
                body.extend(chunk.iter().take(room));
                cut = chunk.len() > room;
                if cut {
                    break;
                }
            }
            Ok(Answer { status, headers, body, cut })
        };
        tokio::time::timeout(self.deadline, exchange).await.unwrap_or_else(|_| Err(Failure::Late(host.clone())))
    }
}

/// A host that may be reached, as far as that shows before its name is resolved.
fn vetted(guard: &Guard, host: &Host) -> Result<String, Failure> {
    let (permitted, shown) = match host {
        Host::Domain(name) => (!guard.is_outside_only() || !is_inner(name), name.clone()),
        Host::Ipv4(address) => (guard.permits((*address).into()), address.to_string()),
        Host::Ipv6(address) => (guard.permits((*address).into()), address.to_string()),
    };
    if permitted { Ok(shown) } else { Err(Failure::Address(shown)) }
}

/// Whether a name can only stand for something inside: one without a dot, and those of the domains that are set aside for that
/// (RFC 6761 and 6762, and ICANN's `internal`).
fn is_inner(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    match name.rsplit_once('.') {
        None => true,
        Some((_, last)) => ["localhost", "local", "internal"].iter().any(|inner| last.eq_ignore_ascii_case(inner)),
    }
}

impl Failure {
    /// Whether the receiver may have taken the request though no answer came.
    pub const fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Late(_) | Self::Broken(_))
    }
}

fn failure(error: &reqwest::Error, host: &str) -> Failure {
    let host = host.to_owned();
    let mut why = "no connection comes about";
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if inner.is::<Forbidden>() {
            return Failure::Address(host);
        }
        if inner.is::<Unresolved>() {
            why = "its name cannot be resolved";
        } else if let Some(problem) = inner.downcast_ref::<rustls::Error>() {
            why = untrusted(problem);
        } else if inner.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            why = "the connection is refused";
        }
        // What an I/O error wraps is not among its sources, and may be another one.
        cause = match inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    if error.is_connect() { Failure::Unreachable(host, why) } else { Failure::Broken(host) }
}

/// Why no TLS came about, for people.
fn untrusted(problem: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Certificate;
    match problem {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            Certificate::Expired | Certificate::ExpiredContext { .. } => "its certificate has expired",
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => "its certificate is not valid yet",
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => "its certificate is for another name",
            Certificate::Revoked => "its certificate was revoked",
            Certificate::UnknownIssuer | Certificate::BadSignature => {
                "its certificate is signed by nobody that this machine trusts"
            }
            _ => "its certificate is not accepted",
        },
        rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) => "it speaks no TLS that is safe: 1.2 or 1.3",
        _ => "it does not speak TLS as it should",
    }
}
