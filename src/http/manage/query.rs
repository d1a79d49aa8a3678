//! Reading query strings, and the cursors of lists.
//!
//! A cursor is opaque: the id of the last row shown, bound to the path, the tenant and the filters it was made for, so that it
//! fits no other list.

use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{is_id_byte, unknown};
use crate::error::{ApiError, Problem};
use crate::http::auth::Caller;
use crate::store::page::{Listed, Page};
use crate::time::Timestamp;

/// Rows on a page unless asked otherwise, and at most.
const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 500;
/// Bytes of a cursor that bind it.
const BOUND: usize = 12;

/// The parameters of a query string, taken one by one; whatever is left at the end is unknown.
pub struct Query {
    path: String,
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

/// The page asked for, and what its cursors are bound to.
pub struct Paging {
    /// The page.
    pub page: Page,
    binding: [u8; BOUND],
}

impl Query {
    /// Of a request.
    pub fn of(request: &HttpRequest) -> Self {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        let pairs: Vec<(String, String)> = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let mut problems = Vec::new();
        for (name, value) in &pairs {
            if name.contains('\0') || value.contains('\0') {
                problems.push(Problem::new(name.replace('\0', "\u{fffd}"), "must not contain U+0000"));
            }
        }
        Self { path: request.path().to_owned(), pairs, known: Vec::new(), problems }
    }

    /// Every value of a parameter that may be repeated.
    pub fn all(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let (taken, left) = std::mem::take(&mut self.pairs).into_iter().partition(|(have, _)| have == name);
        self.pairs = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// The value of a parameter that stands at most once.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.problem(name, "must not be repeated");
        }
        values.pop()
    }

    /// A parameter that is one of `words`.
    pub fn word<T>(&mut self, name: &'static str, words: &[&str], parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.problem(name, format!("must be one of {}", words.join(", ")));
        }
        parsed
    }

    /// A parameter that is a moment.
    pub fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        let text = self.text(name)?;
        let parsed = Timestamp::parse(&text).map(|parsed| parsed.at);
        if parsed.is_none() {
            self.problem(name, "must be an RFC 3339 time");
        }
        parsed
    }

    /// Notes that a parameter is wrong.
    pub fn problem(&mut self, name: &str, problem: impl Into<String>) {
        self.problems.push(Problem::new(name, problem));
    }

    /// Takes `limit` and `cursor`. To be called first: what is left then is what the cursor is bound to.
    pub fn paging(&mut self, caller: &Caller) -> Paging {
        let limit = self.text("limit").map(|text| text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)));
        let limit = limit.unwrap_or(Some(LIMIT_DEFAULT)).unwrap_or_else(|| {
            self.problem("limit", format!("must be a whole number from 1 to {LIMIT_MAX}"));
            LIMIT_DEFAULT
        });
        let cursor = self.text("cursor");
        let binding = self.binding(&caller.tenant_id);
        let before = cursor.and_then(|cursor| {
            let id = opened(&cursor, &binding);
            if id.is_none() {
                self.problem("cursor", "is not a cursor of this list with these filters");
            }
            id
        });
        Paging { page: Page { limit, before }, binding }
    }

    fn binding(&self, tenant_id: &str) -> [u8; BOUND] {
        let mut filters: Vec<(&str, &str)> = self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        filters.sort_unstable();
        let mut hasher = Sha256::new();
        let parts =
            [self.path.as_str(), tenant_id].into_iter().chain(filters.into_iter().flat_map(|(name, value)| [name, value]));
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        let digest: [u8; 32] = hasher.finalize().into();
        digest.first_chunk().copied().unwrap_or([0; BOUND])
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every problem found, parameters that nobody took among them.
    pub fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            let problem = unknown("unknown parameter", &name, &self.known);
            self.problem(&name, problem);
        }
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.problems)) }
    }
}

impl Paging {
    /// The answer of a list.
    pub fn answer<T, V: Serialize>(&self, listed: Listed<T>, render: impl FnMut(T) -> V) -> HttpResponse {
        let next = listed.next.map(|id| sealed(&id, &self.binding));
        HttpResponse::Ok().json(Answer { items: listed.items.into_iter().map(render).collect(), next })
    }
}

#[derive(Serialize)]
struct Answer<V> {
    items: Vec<V>,
    next: Option<String>,
}

fn sealed(id: &str, binding: &[u8; BOUND]) -> String {
    let mut bytes = binding.to_vec();
    bytes.extend_from_slice(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn opened(cursor: &str, binding: &[u8; BOUND]) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (bound, id) = bytes.split_first_chunk::<BOUND>()?;
    let id = std::str::from_utf8(id).ok()?;
    let plausible = id.len() == 30 && id.bytes().all(|byte| is_id_byte(byte) || byte == b'_');
    (bound == binding && plausible).then(|| id.to_owned())
}
