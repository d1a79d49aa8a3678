//! Reading a body: its deadline, its limits in decoded bytes, its content encoding, and the budget of all bodies in memory.
//!
//! The HTTP library ends its own request timeout with the headers, and takes an unknown content encoding for none: both are mended
//! here.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderValue};
use actix_web::web::{Bytes, BytesMut, Payload};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::ApiError;
use crate::ingest::refusal::Reason;
use crate::provider::Headers;

/// The limit of the PagerDuty routes, in decoded bytes (512 KiB; clients cut at 512,000).
pub const PAGERDUTY_MAX: usize = 524_288;
/// Bytes that a sender over the limit may still send before its connection is closed: it reads its answer only then.
const DRAIN_MAX: usize = 16 << 20;

/// How bodies are read.
#[derive(Clone, Debug)]
pub struct Bodies {
    /// From the end of the headers to the end of the body.
    pub timeout: Duration,
    /// Kibibytes that bodies may hold in memory, together.
    budget: Arc<Semaphore>,
    /// How long a body waits for its share of that.
    pub patience: Duration,
}

/// A body, and its share of the budget for as long as it is held.
pub struct Body {
    /// The bytes, decoded.
    pub bytes: Bytes,
    _share: Vec<OwnedSemaphorePermit>,
}

impl Body {
    /// No body at all.
    pub fn empty() -> Self {
        Self { bytes: Bytes::new(), _share: Vec::new() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
}

impl Bodies {
    /// Bodies that hold `budget` bytes at most.
    pub fn new(timeout: Duration, budget: usize, patience: Duration) -> Self {
        Self { timeout, budget: Arc::new(Semaphore::new((budget / 1024).clamp(1, Semaphore::MAX_PERMITS))), patience }
    }

    /// Reads and decodes a body of at most `limit` bytes.
    ///
    /// # Errors
    /// Too large, too slow, not decodable, of an unknown encoding, or beyond the budget.
    pub async fn read(&self, headers: &HeaderMap, payload: &mut Payload, limit: usize) -> Result<Body, Reason> {
        let deadline = Instant::now() + self.timeout;
        let encoding = encoding(headers.get_all(CONTENT_ENCODING).map(HeaderValue::as_bytes))?;
        let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit as u64) {
            if declared.is_some_and(|length| length <= DRAIN_MAX as u64) && !headers.contains_key(EXPECT) {
                drain(payload, deadline).await;
            }
            return Err(Reason::TooLarge(limit));
        }
        let mut share = Vec::new();
        let mut wire = BytesMut::new();
        loop {
            let chunk = match timeout_at(deadline, payload.next()).await {
                Err(_) => return Err(Reason::BodyTimeout),
                Ok(None) => break,
                Ok(Some(Err(_))) => return Err(Reason::BadEncoding),
                Ok(Some(Ok(chunk))) => chunk,
            };
            if wire.len() + chunk.len() > limit {
                drain(payload, deadline).await;
                return Err(Reason::TooLarge(limit));
            }
            share.push(self.share(chunk.len()).await?);
            wire.extend_from_slice(&chunk);
        }
        let bytes = match encoding {
            Encoding::Identity => wire.freeze(),
            Encoding::Gzip => {
                let decoded = gunzip(&wire, limit)?;
                share.push(self.share(decoded.len()).await?);
                decoded
            }
        };
        Ok(Body { bytes, _share: share })
    }

    async fn share(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Reason> {
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).map_err(|_| Reason::Unavailable)?;
        let wait = Arc::clone(&self.budget).acquire_many_owned(kibibytes);
        match tokio::time::timeout(self.patience, wait).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Reason::Unavailable),
        }
    }
}

/// Takes the content encoding that `headers` name off a body that is whole already, as [`Bodies::read`] takes it off one that comes by
/// a socket.
///
/// # Errors
/// Over `limit` bytes once decoded, not decodable, or of an unknown encoding.
pub fn decode(headers: &Headers, wire: Bytes, limit: usize) -> Result<Bytes, Reason> {
    match encoding(headers.all(CONTENT_ENCODING.as_str()).map(str::as_bytes))? {
        Encoding::Gzip => gunzip(&wire, limit),
        Encoding::Identity if wire.len() > limit => Err(Reason::TooLarge(limit)),
        Encoding::Identity => Ok(wire),
    }
}

/// Why the body of a request of the management API was not read.
pub fn unread(reason: Reason) -> ApiError {
    match reason {
        Reason::TooLarge(limit) => ApiError::TooLarge(limit),
        Reason::UnknownEncoding => ApiError::UnsupportedEncoding,
        Reason::BodyTimeout => ApiError::Timeout,
        Reason::Unavailable => ApiError::Unavailable(reason.to_string()),
        reason => ApiError::BadRequest(reason.to_string()),
    }
}

fn encoding<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Encoding, Reason> {
    let mut found = Encoding::Identity;
    for value in values {
        let value = str::from_utf8(value).map_err(|_| Reason::UnknownEncoding)?;
        for coding in value.split(',').map(str::trim).filter(|coding| !coding.is_empty()) {
            match coding.to_ascii_lowercase().as_str() {
                "identity" => {}
                // Packed twice: never unpacked twice.
                "gzip" | "x-gzip" if found == Encoding::Gzip => return Err(Reason::BadEncoding),
                "gzip" | "x-gzip" => found = Encoding::Gzip,
                _ => return Err(Reason::UnknownEncoding),
            }
        }
    }
    Ok(found)
}

/// Unpacks at most `limit` bytes; a bomb costs no more memory than that.
fn gunzip(wire: &[u8], limit: usize) -> Result<Bytes, Reason> {
    if wire.is_empty() {
        return Ok(Bytes::new());
    }
    let mut decoded = Vec::with_capacity(wire.len().saturating_mul(4).min(limit));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(wire).take(most).read_to_end(&mut decoded).map_err(|_| Reason::BadEncoding)?;
    if decoded.len() > limit { Err(Reason::TooLarge(limit)) } else { Ok(Bytes::from(decoded)) }
}

/// Reads on without keeping anything, so that the sender gets to read its answer.
async fn drain(payload: &mut Payload, deadline: Instant) {
    let mut drained = 0;
    while let Ok(Some(Ok(chunk))) = timeout_at(deadline, payload.next()).await {
        drained += chunk.len();
        if drained > DRAIN_MAX {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_limit_counts_what_comes_out() {
        assert_eq!(gunzip(&packed(&[b'x'; 1000]), 1000).unwrap().len(), 1000);
        assert_eq!(gunzip(&packed(&[b'x'; 1001]), 1000).unwrap_err(), Reason::TooLarge(1000));
        assert_eq!(gunzip(b"junk", 1000).unwrap_err(), Reason::BadEncoding);
        let whole = packed(b"hello");
        assert_eq!(gunzip(&whole[..whole.len() - 4], 1000).unwrap_err(), Reason::BadEncoding);
    }

    #[test]
    fn encodings_are_known_or_refused() {
        let of = |value: &str| encoding([value.as_bytes()]).err();
        assert_eq!(of("gzip"), None);
        assert_eq!(of("identity"), None);
        assert_eq!(of("GZIP"), None);
        assert_eq!(of("gzip, gzip"), Some(Reason::BadEncoding));
        for unknown in ["br", "foo", "deflate", "zstd"] {
            assert_eq!(of(unknown), Some(Reason::UnknownEncoding), "{unknown}");
        }
    }

    #[test]
    fn a_body_in_memory_is_decoded_like_one_from_a_socket() {
        let of = |coding: Option<&str>, wire: &[u8], limit| {
            decode(&Headers::new(coding.map(|coding| ("Content-Encoding", coding))), Bytes::copy_from_slice(wire), limit)
        };
        assert_eq!(of(None, b"hello", 5).unwrap(), "hello");
        assert_eq!(of(None, b"hello", 4), Err(Reason::TooLarge(4)));
        assert_eq!(of(Some("gzip"), &packed(b"hello"), 5).unwrap(), "hello");
        assert_eq!(of(Some("gzip"), &packed(&[b'x'; 1001]), 1000), Err(Reason::TooLarge(1000)));
        assert_eq!(of(Some("gzip"), b"hello", 5), Err(Reason::BadEncoding));
        assert_eq!(of(Some("br"), b"hello", 5), Err(Reason::UnknownEncoding));
    }
}
