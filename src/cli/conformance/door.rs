//! One integration as its sender sees it, and what posting a case to it came to.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use serde_json::Value;
use url::Url;

use super::body::Message;
use super::cases::{Case, Expected, Plan};
use crate::cli::Session;
use crate::cli::read::text;
use crate::secret::Secret;
use crate::signature::Scheme;

/// How often a request that is told to wait is sent again.
const AGAIN_MAX: u32 = 3;
/// The longest wait: that of the shield.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// An integration under test.
pub struct Door {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What it signs by.
    pub scheme: Scheme,
    /// What the scheme is called.
    pub named: String,
    /// Its whole URL.
    pub url: Url,
    /// Its routing key.
    pub key: Secret,
    /// Its secret.
    pub secret: Secret,
    /// The address it is posted from, where the service believes us about that.
    pub from: Option<String>,
    /// The words of its first refusal.
    pub refusal: Option<String>,
}

/// What became of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// What was expected came.
    Held,
    /// Something else came.
    Failed,
    /// It was not tried.
    Skipped,
}

impl Outcome {
    /// How it is printed.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "ok",
            Self::Failed => "FAIL",
            Self::Skipped => "skipped",
        }
    }
}

/// One line of the report.
pub struct Row {
    /// The integration's type.
    pub kind: String,
    /// The scheme's name.
    pub scheme: String,
    /// The case's name.
    pub case: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What was expected.
    pub expected: &'static str,
    /// What came, or why it was not tried.
    pub came: String,
}

impl Door {
    /// A line about it.
    pub fn row(&self, case: &str, outcome: Outcome, expected: Expected, came: impl Into<String>) -> Row {
        let expected = match expected {
            Expected::Accepted => "2xx",
            Expected::Refused => "401",
        };
        Row { kind: self.kind.clone(), scheme: self.named.clone(), case: case.to_owned(), outcome, expected, came: came.into() }
    }

    /// Posts a case and judges the answer.
    ///
    /// # Errors
    /// No answer came.
    pub async fn try_case(&mut self, session: &Session, case: Case) -> anyhow::Result<Row> {
        let (headers, body, message) = match case.plan {
            Plan::Skip(why) => return Ok(self.row(case.name, Outcome::Skipped, case.expected, why)),
            Plan::Post { headers, body, message } => (headers, body, message),
        };
        let (status, said) = self.post(session, &headers, &body, &message).await?;
        let (outcome, came) = match (case.expected, status) {
            (Expected::Accepted, 200..=299) => (Outcome::Held, status.to_string()),
            (Expected::Refused, 401) if *self.refusal.get_or_insert_with(|| said.clone()) == said => {
                (Outcome::Held, status.to_string())
            }
            (Expected::Refused, 401) => (Outcome::Failed, format!("401 in other words: {said}")),
            _ => (Outcome::Failed, format!("{status} {said}").trim().to_owned()),
        };
        Ok(self.row(case.name, outcome, case.expected, came))
    }

    /// The status and the message of the answer. Who is told to wait waits.
    async fn post(
        &self,
        session: &Session,
        headers: &[(String, String)],
        body: &[u8],
        message: &Message,
    ) -> anyhow::Result<(u16, String)> {
        let mut url = self.url.clone();
        if !message.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&message.query);
        }
        let mut again = 0;
        loop {
            let mut request = session.api.http().post(url.clone()).body(body.to_vec());
            for (name, value) in message.headers.iter().chain(headers) {
                request = request.header(name, value);
            }
            if let Some(from) = &self.from {
                request = request.header("x-forwarded-for", from);
            }
            let answer = request.send().await.map_err(|error| session.api.unreachable(error))?;
            let status = answer.status().as_u16();
            let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let said = answer.json::<Value>().await.map(|body| text(&body, "message")).unwrap_or_default();
            let wait = Duration::from_secs(wait.unwrap_or(1)).min(WAIT_MAX);
            if !matches!(status, 429 | 503) || again >= AGAIN_MAX {
                return Ok((status, said));
            }
            again += 1;
            session.out.note(&format!("{}: {status}, going on in {} s", self.kind, wait.as_secs()))?;
            tokio::time::sleep(wait).await;
        }
    }
}
