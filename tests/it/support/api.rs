//! A small client of the service's HTTP interface, as a script would write one: JSON in, status and JSON out.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};

use super::secrets;

/// A client of one service with one token.
#[derive(Clone)]
pub struct Api {
    base: String,
    token: String,
    http: Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `Null` where it is empty or not JSON.
    pub body: Value,
}

/// An integration as its creation showed it.
#[derive(Debug, Clone)]
pub struct Integration {
    /// `int_…`.
    pub id: String,
    /// The routing key.
    pub key: String,
    /// The secret part of its URL.
    pub hook: String,
    /// Path and query to post native payloads to.
    pub path: String,
    /// The whole answer.
    pub body: Value,
}

impl Api {
    /// A client of the service at `base`, trusting `authority` (PEM) where it speaks TLS.
    pub fn new(base: &str, token: &str, authority: Option<&Path>) -> Self {
        static PROVIDER: Once = Once::new();
        // reqwest is built without a provider of cryptography of its own, and asks for one even where only plain HTTP is spoken.
        PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let mut builder = Client::builder().no_proxy().timeout(Duration::from_secs(30));
        if let Some(path) = authority {
            builder = builder.tls_certs_only([Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap()]);
        }
        Self { base: base.to_owned(), token: token.to_owned(), http: builder.build().unwrap() }
    }

    /// The same service with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// Sends a request with the token; an error where no answer came.
    pub async fn try_call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await?).await
    }

    /// `GET`, with the token; an error where no answer came.
    pub async fn try_get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        self.try_call(Method::GET, path, None).await
    }

    /// `GET`, with the token.
    pub async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.unwrap()
    }

    /// `POST` of JSON, with the token.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_call(Method::POST, path, Some(body)).await.unwrap()
    }

    /// `PATCH` of JSON, with the token.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.try_call(Method::PATCH, path, Some(body)).await.unwrap()
    }

    /// `DELETE`, with the token.
    pub async fn delete(&self, path: &str) -> Answer {
        self.try_call(Method::DELETE, path, None).await.unwrap()
    }

    /// Posts as a sender does: without our token. An error where no answer came.
    pub async fn try_send(&self, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        Answer::read(self.http.post(format!("{}{path}", self.base)).json(body).send().await?).await
    }

    /// Posts as a sender does: without our token.
    pub async fn send(&self, path: &str, body: &Value) -> Answer {
        self.try_send(path, body).await.unwrap()
    }

    /// Creates an integration of type `kind` without a rate limit.
    pub async fn integration(&self, kind: &str, name: &str) -> Integration {
        self.integration_from(json!({"type": kind, "name": name, "rate_limit_per_minute": 0})).await
    }

    /// Creates an integration from the given fields.
    pub async fn integration_from(&self, fields: Value) -> Integration {
        let answer = self.post("/api/v1/integrations", &fields).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let text = |name: &str| answer.body[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", answer.body)).to_owned();
        let url = url::Url::parse(&text("url")).unwrap();
        let hook = url.query_pairs().find(|(name, _)| name == "integrationId").map(|(_, hook)| hook.into_owned());
        let (key, hook) = (text("key"), hook.expect("the URL names the hook"));
        secrets::remember(&key);
        secrets::remember(&hook);
        Integration { id: text("id"), key, hook, path: url[url::Position::BeforePath..].to_owned(), body: answer.body }
    }

    /// Creates a destination where there is none of this name, so that what happens is told to somebody. It cannot be reached.
    pub async fn destination(&self, name: &str) -> Value {
        let body = json!({"kind": "webhook", "name": name, "url": "https://receiver.example/hook"});
        let answer = self.post("/api/v1/destinations", &body).await;
        assert!([201, 409].contains(&answer.status), "{}", answer.body);
        if let Some(secret) = answer.body["signing_secret"].as_str() {
            secrets::remember(secret);
        }
        answer.body
    }

    /// All items of a list, page by page. `path` may hold filters, without `limit` and `cursor`.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{joint}limit=500");
        let (mut items, mut page) = (Vec::new(), first.clone());
        loop {
            let answer = self.get(&page).await;
            assert_eq!(answer.status, 200, "{page}: {}", answer.body);
            items.extend(answer.body["items"].as_array().expect("a list has items").iter().cloned());
            let Some(next) = answer.body["next"].as_str() else { return items };
            let cursor: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            page = format!("{first}&cursor={cursor}");
        }
    }

    /// All incidents of an integration, newest first.
    pub async fn incidents(&self, integration: &Integration) -> Vec<Value> {
        self.all(&format!("/api/v1/incidents?integration_id={}", integration.id)).await
    }

    /// All events of an integration, newest first.
    pub async fn events(&self, integration: &Integration) -> Vec<Value> {
        self.all(&format!("/api/v1/events?integration_id={}", integration.id)).await
    }

    /// All ledger rows of an integration, newest first.
    pub async fn requests(&self, integration: &Integration) -> Vec<Value> {
        self.all(&format!("/api/v1/requests?integration_id={}", integration.id)).await
    }
}

impl Answer {
    async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
        Ok(Self { status, headers, body })
    }

    /// A text field of the body.
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_else(|| panic!("no text {field} in {}: {}", self.status, self.body))
    }

    /// The ledger id of the request.
    pub fn request_id(&self) -> &str {
        self.headers.get("x-request-id").expect("each answer has an X-Request-Id").to_str().unwrap()
    }
}

/// An Events API v2 body.
pub fn event(key: &str, action: &str, dedup_key: &str, summary: &str) -> Value {
    let mut body = json!({"routing_key": key, "event_action": action, "dedup_key": dedup_key});
    if action == "trigger" {
        body["payload"] = json!({"summary": summary, "source": "web-1.example.com", "severity": "critical"});
    }
    body
}
