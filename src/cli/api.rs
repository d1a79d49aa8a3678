//! The client of the HTTP API: paths under `/api/v1`, the bearer token, the error envelope, and lists page by page.

mod failure;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use super::args::Paging;
use super::connect::Connection;
use failure::{reason, refused};

pub use failure::ApiFailure;

/// How long one request may take, connecting included.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest page that the API gives.
pub const PAGE_MAX: u16 = 500;

/// Parameters of a request; those without a value are left out.
#[derive(Clone, Default)]
pub struct Query(Vec<(&'static str, String)>);

impl Query {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `name`, once for each of `values` (an `Option` or a list).
    pub fn with<V: ToString>(mut self, name: &'static str, values: impl IntoIterator<Item = V>) -> Self {
        self.0.extend(values.into_iter().map(|value| (name, value.to_string())));
        self
    }
}

/// A connection to one Callbox.
pub struct Api {
    http: reqwest::Client,
    base: Url,
    authorization: Option<HeaderValue>,
}

impl Api {
    /// Prepares the client; connects to nothing yet.
    ///
    /// # Errors
    /// The token has characters that no header can carry, or the system's certificates cannot be read.
    pub fn open(connection: &Connection) -> anyhow::Result<Self> {
        let authorization = match &connection.token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                    .map_err(|_| super::failure::usage("the token contains characters that no token has"))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self { http: client(connection)?, base: connection.url.clone(), authorization })
    }

    /// The bare HTTP client, without the token: for routes that carry a credential of their own.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The base URL with `segments` appended, each escaped.
    pub fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// `GET /api/v1/<path>`.
    ///
    /// # Errors
    /// [`ApiFailure`].
    pub async fn get(&self, path: &[&str], query: &Query) -> Result<Value, ApiFailure> {
        self.call(Method::GET, path, query, None).await
    }

    /// `POST /api/v1/<path>` with `body`.
    ///
    /// # Errors
    /// [`ApiFailure`].
    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value, ApiFailure> {
        self.call(Method::POST, path, &Query::new(), Some(body)).await
    }

    /// `PATCH /api/v1/<path>` with `body`.
    ///
    /// # Errors
    /// [`ApiFailure`].
    pub async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, ApiFailure> {
        self.call(Method::PATCH, path, &Query::new(), Some(body)).await
    }

    /// `DELETE /api/v1/<path>`; an answer without a body is null.
    ///
    /// # Errors
    /// [`ApiFailure`].
    pub async fn delete(&self, path: &[&str], query: &Query) -> Result<Value, ApiFailure> {
        self.call(Method::DELETE, path, query, None).await
    }

    /// One page of a list, or with [`Paging::all`] every page as one answer whose `next` is null.
    ///
    /// # Errors
    /// [`ApiFailure`].
    pub async fn list(&self, path: &[&str], query: &Query, paging: &Paging) -> Result<Value, ApiFailure> {
        if !paging.all {
            return self.page(path, query, paging.limit, None).await;
        }
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut page = self.page(path, query, PAGE_MAX, cursor.take()).await?;
            if let Some(list) = page.get_mut("items").and_then(Value::as_array_mut) {
                items.append(list);
            }
            cursor = next_cursor(&page);
            if cursor.is_none() {
                return Ok(json!({ "items": items, "next": null }));
            }
        }
    }

    /// The page of at most `limit` rows (not above [`PAGE_MAX`]) that `cursor` names; without one the newest.
    ///
    /// # Errors
    /// [`ApiFailure`].
    pub async fn page(&self, path: &[&str], query: &Query, limit: u16, cursor: Option<String>) -> Result<Value, ApiFailure> {
        self.get(path, &query.clone().with("limit", [limit]).with("cursor", cursor)).await
    }

    async fn call(&self, method: Method, path: &[&str], query: &Query, body: Option<&Value>) -> Result<Value, ApiFailure> {
        let segments: Vec<&str> = ["api", "v1"].iter().chain(path).copied().collect();
        let mut url = self.url(&segments);
        if !query.0.is_empty() {
            url.query_pairs_mut().extend_pairs(&query.0);
        }
        let mut request = self.http.request(method, url);
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value.clone());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request).await
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Value, ApiFailure> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| self.unreachable(error))?;
        if status.is_success() && bytes.is_empty() {
            return Ok(Value::Null);
        }
        let body = serde_json::from_slice::<Value>(&bytes).map_err(|_| ApiFailure::NotJson { url: self.shown(), status })?;
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
    }

    /// The failure that stands for `error`, without the URL that reqwest would print (it may hold a secret).
    pub fn unreachable(&self, error: reqwest::Error) -> ApiFailure {
        ApiFailure::Unreachable { url: self.shown(), reason: reason(&error) }
    }

    fn shown(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }
}

/// The cursor of the page after `page`.
pub fn next_cursor(page: &Value) -> Option<String> {
    page.get("next").and_then(Value::as_str).map(str::to_owned)
}

fn client(connection: &Connection) -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .tls_backend_rustls()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .user_agent(concat!("callbox/", env!("CARGO_PKG_VERSION")));
    // Without TLS no certificates are needed: an image without any must not stop a client of plain HTTP.
    let builder = if connection.url.scheme() == "https" {
        builder.tls_certs_merge(connection.roots.iter().cloned())
    } else {
        builder.tls_certs_only([])
    };
    builder.build().map_err(|error| anyhow::anyhow!("cannot set up TLS: {}", reason(&error)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Server};
    use super::*;

    const ALL: Paging = Paging { limit: 50, all: true };

    #[tokio::test]
    async fn paths_are_escaped_and_the_token_is_sent() {
        let server = Server::start([Answer::json(200, r#"{"id":"a/b"}"#)]);
        let api = server.api(Some("tok"));
        let query = Query::new().with("status", ["triggered", "resolved"]).with("q", None::<String>).with("dedup_key", ["a&b c"]);
        let body = api.get(&["incidents", "a/b?c"], &query).await.unwrap();
        assert_eq!(body["id"], "a/b");
        let seen = server.requests();
        assert_eq!(seen[0].line, "GET /api/v1/incidents/a%2Fb%3Fc?status=triggered&status=resolved&dedup_key=a%26b+c HTTP/1.1");
        assert_eq!(seen[0].header("authorization"), Some("Bearer tok"));
    }

    #[tokio::test]
    async fn all_pages_become_one_answer() {
        let server = Server::start([
            Answer::json(200, r#"{"items":[{"id":1},{"id":2}],"next":"c1"}"#),
            Answer::json(200, r#"{"items":[{"id":3}],"next":null}"#),
        ]);
        let answer = server.api(None).list(&["events"], &Query::new(), &ALL).await.unwrap();
        assert_eq!(answer, json!({"items": [{"id": 1}, {"id": 2}, {"id": 3}], "next": null}));
        let lines: Vec<String> = server.requests().into_iter().map(|request| request.line).collect();
        assert_eq!(lines, ["GET /api/v1/events?limit=500 HTTP/1.1", "GET /api/v1/events?limit=500&cursor=c1 HTTP/1.1"]);
    }

    #[tokio::test]
    async fn the_envelope_becomes_the_message() {
        let body = r#"{"error":{"code":"conflict","message":"3 incidents are open","details":["a","b"],"request_id":"req_1"}}"#;
        let server = Server::start([Answer::json(409, body)]);
        let failure = server.api(None).delete(&["integrations", "int_1"], &Query::new()).await.unwrap_err();
        assert_eq!(failure.to_string(), "conflict: 3 incidents are open (HTTP 409, request req_1)\n  - a\n  - b");
        assert!(!failure.is_temporary());
    }

    #[tokio::test]
    async fn answers_of_something_else_are_named() {
        let server = Server::start([Answer::json(502, "<html>"), Answer::json(204, "")]);
        let api = server.api(None);
        let failure = api.get(&["events"], &Query::new()).await.unwrap_err();
        assert!(failure.is_temporary());
        assert!(failure.to_string().contains("not JSON"), "{failure}");
        assert_eq!(api.delete(&["tokens", "tok_1"], &Query::new()).await.unwrap(), Value::Null);
    }

    #[tokio::test]
    async fn nobody_there() {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{address}");
        let api = Api::open(&super::super::testing::connection(&url, Some("tok-secret"))).unwrap();
        let text = api.get(&["events"], &Query::new()).await.unwrap_err().to_string();
        assert!(text.contains(&url) && text.contains("refused") && text.contains("callbox serve"), "{text}");
        assert!(!text.contains("tok-secret"), "{text}");
    }
}
