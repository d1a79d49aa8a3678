//! Documents that hold the keys of senders: fetched when first needed, kept for a while, bounded in number and bytes.
//!
//! What is not there is remembered too, so that nobody can make us ask again and again; documents that are asked for at once are fetched
//! once; few are fetched at a time. A document that was there stays when it cannot be fetched anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use url::Url;

use crate::net::{Client, Failure};

/// Documents held.
const DOCUMENTS_MAX: usize = 64;
/// Documents fetched at a time.
const FETCHES_MAX: usize = 4;
/// For how long a document is taken as it is.
const FRESH: Duration = Duration::from_secs(3_600);
/// For how long one that is not there is not asked for again.
const ABSENT: Duration = Duration::from_secs(60);
/// For how long one that could not be fetched is not asked for again.
const FAILED: Duration = Duration::from_secs(5);
/// How old a document must be before it is fetched anew for a key that it lacks.
pub const RENEWED: Duration = Duration::from_secs(60);

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDocument {
    /// It is not there; to ask again would not help.
    #[error("{0} answered {1} instead of the key")]
    Absent(String, u16),
    /// It is longer than any key.
    #[error("what {0} answered is too long for a key")]
    TooLong(String),
    /// It could not be fetched now.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// Its host is in trouble.
    #[error("{0} answered {1}")]
    Trouble(String, u16),
}

impl NoDocument {
    /// Whether to ask again may help.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Trouble(..))
    }
}

type Found = Result<Arc<[u8]>, NoDocument>;

/// What is known of one document.
#[derive(Default)]
struct Slot {
    state: tokio::sync::Mutex<Option<State>>,
    used: AtomicU64,
    good: AtomicBool,
}

struct State {
    found: Found,
    fetched: Instant,
    until: Instant,
}

/// The documents.
pub struct Documents {
    client: Result<Client, Failure>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    turn: AtomicU64,
    gate: Semaphore,
}

impl Documents {
    /// None yet; they are fetched by `client`.
    pub fn new(client: Result<Client, Failure>) -> Self {
        Self { client, slots: Mutex::default(), turn: AtomicU64::new(0), gate: Semaphore::new(FETCHES_MAX) }
    }

    /// The document at `url`, fetched anew where it is older than `oldest`.
    ///
    /// # Errors
    /// There is none, or it cannot be had now.
    pub async fn get(&self, url: &Url, oldest: Option<Duration>) -> Found {
        let slot = self.slot(url.as_str());
        let mut state = slot.state.lock().await;
        let now = Instant::now();
        if let Some(state) = state.as_ref()
            && now < state.until
            && oldest.is_none_or(|oldest| now.duration_since(state.fetched) < oldest)
        {
            return state.found.clone();
        }
        let fetched = self.fetch(url).await;
        let now = Instant::now();
        let before = state.take();
        let next = match (fetched, before) {
            (Ok(document), _) => State { found: Ok(document), fetched: now, until: now + FRESH },
            // What was there a moment ago is better than nothing.
            (Err(_), Some(State { found: Ok(document), .. })) => State { found: Ok(document), fetched: now, until: now + ABSENT },
            (Err(why), _) => {
                let until = now + if why.is_temporary() { FAILED } else { ABSENT };
                State { found: Err(why), fetched: now, until }
            }
        };
        slot.good.store(next.found.is_ok(), Ordering::Relaxed);
        let found = next.found.clone();
        *state = Some(next);
        found
    }

    /// The document at `url`, if it is at hand.
    pub fn held(&self, url: &Url) -> Option<Arc<[u8]>> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let state = slots.get(url.as_str())?.state.try_lock().ok()?;
        state.as_ref()?.found.clone().ok()
    }

    fn slot(&self, url: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if !slots.contains_key(url) && slots.len() >= DOCUMENTS_MAX {
            // What is not there goes first, then what was used longest ago.
            let rank = |slot: &Slot| (slot.good.load(Ordering::Relaxed), slot.used.load(Ordering::Relaxed));
            let oldest = slots.iter().min_by_key(|(_, slot)| rank(slot)).map(|(url, _)| url.clone());
            oldest.and_then(|url| slots.remove(&url));
        }
        let slot = slots.entry(url.to_owned()).or_default();
        slot.used.store(turn, Ordering::Relaxed);
        Arc::clone(slot)
    }

    async fn fetch(&self, url: &Url) -> Found {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let host = || url.host_str().unwrap_or_default().to_owned();
        let Ok(_permit) = self.gate.acquire().await else { return Err(NoDocument::Trouble(host(), 0)) };
        let answer = client.get(url).await?;
        match answer.status {
            200 if answer.cut => Err(NoDocument::TooLong(host())),
            200 => Ok(answer.body.into()),
            status if status >= 500 || status == 429 => Err(NoDocument::Trouble(host(), status)),
            status => Err(NoDocument::Absent(host(), status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Guard, Plain};
    use std::sync::atomic::AtomicUsize;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Documents that may be fetched from this machine, and a server that answers `/missing` 404, `/broken` 500 and else the path.
    async fn server() -> (Documents, String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let met = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&met);
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let mut head = [0; 1024];
                let length = socket.read(&mut head).await.unwrap();
                let path = String::from_utf8_lossy(&head[..length]).split(' ').nth(1).unwrap().to_owned();
                let status = match path.as_str() {
                    "/missing" => "404 Not Found",
                    "/broken" => "500 Internal Server Error",
                    _ => "200 OK",
                };
                let body = if path == "/long" { "x".repeat(100) } else { path };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let guard = Guard::new(&["127.0.0.0/8".parse().unwrap()]);
        let client = Client::new(guard, Plain::Inside, Duration::from_secs(5), 64);
        (Documents::new(client), base, met)
    }

    fn url(base: &str, path: &str) -> Url {
        Url::parse(&format!("{base}{path}")).unwrap()
    }

    #[tokio::test]
    async fn a_document_is_fetched_once() {
        let (documents, base, met) = server().await;
        let key = url(&base, "/key");
        assert!(documents.held(&key).is_none());
        let all = futures_util::future::join_all((0..20).map(|_| documents.get(&key, None))).await;
        assert!(all.iter().all(|found| found.as_deref() == Ok(b"/key")));
        assert_eq!((met.load(Ordering::SeqCst), documents.held(&key).as_deref()), (1, Some(&b"/key"[..])));
        documents.get(&key, Some(RENEWED)).await.unwrap();
        assert_eq!(met.load(Ordering::SeqCst), 1, "it is new enough");
        documents.get(&key, Some(Duration::ZERO)).await.unwrap();
        assert_eq!(met.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_not_there_is_remembered() {
        let (documents, base, met) = server().await;
        for (path, temporary) in [("/missing", false), ("/broken", true), ("/long", false)] {
            met.store(0, Ordering::SeqCst);
            for _ in 0..5 {
                let why = documents.get(&url(&base, path), None).await.unwrap_err();
                assert_eq!(why.is_temporary(), temporary, "{path}: {why}");
            }
            assert_eq!(met.load(Ordering::SeqCst), 1, "{path}");
        }
    }

    #[tokio::test]
    async fn a_thousand_addresses_do_not_push_out_what_is_good() {
        let (documents, base, _) = server().await;
        let key = url(&base, "/key");
        documents.get(&key, None).await.unwrap();
        for number in 0..1_000 {
            // Refused before any connection: plain HTTP to a public address.
            assert!(documents.get(&url("http://192.0.2.1", &format!("/{number}")), None).await.is_err());
        }
        assert!(documents.held(&key).is_some());
        assert!(documents.slots.lock().unwrap().len() <= DOCUMENTS_MAX);
    }
}
