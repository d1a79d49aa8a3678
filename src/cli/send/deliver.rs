//! Posting an event until it is accepted, refused for good, or tried often enough.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::Value;

use crate::cli::Session;
use crate::cli::read::{array, first, plain, text};

/// The longest wait between two tries; a server that asks for more gets this.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What one try came to.
enum Try {
    Done(Value),
    /// May succeed later; wait so long if the server says so.
    Later(anyhow::Error, Option<Duration>),
}

/// Posts until it is accepted, refused for good, or tried `retries` times again.
///
/// # Errors
/// The refusal, or the last of what went wrong.
pub(super) async fn deliver(session: &Session, path: &[&str], body: &Value, retries: u32) -> anyhow::Result<Value> {
    let mut tries = 0;
    loop {
        let (error, asked) = match attempt(session, path, body).await? {
            Try::Done(answer) => return Ok(answer),
            Try::Later(error, asked) => (error, asked),
        };
        if tries >= retries {
            return Err(error.context(format!("not delivered in {} tries", u64::from(tries) + 1)));
        }
        let wait = asked.unwrap_or_else(|| back_off(tries)).min(WAIT_MAX);
        session.out.note(&format!("{error:#}; trying again in {} s", wait.as_secs()))?;
        tokio::time::sleep(wait).await;
        tries += 1;
    }
}

/// 1, 2, 4 … seconds.
fn back_off(tries: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(tries).unwrap_or(u64::MAX)).min(WAIT_MAX)
}

async fn attempt(session: &Session, path: &[&str], body: &Value) -> anyhow::Result<Try> {
    // Without the API token: these routes know the routing key alone, and the service may be somebody else's.
    let response = match session.api.http().post(session.api.url(path)).json(body).send().await {
        Ok(response) => response,
        Err(error) => return Ok(Try::Later(session.api.unreachable(error).into(), None)),
    };
    let status = response.status();
    let asked =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
    let bytes = match response.bytes().await {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Try::Later(session.api.unreachable(error).into(), None)),
    };
    let answer = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
    if status.is_success() {
        return Ok(Try::Done(answer));
    }
    let error = anyhow::anyhow!("{}", refusal(status, &answer));
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Ok(Try::Later(error, asked.map(Duration::from_secs)));
    }
    Err(error)
}

/// PagerDuty's envelope in words: `invalid event: Event object is invalid (HTTP 400)` and each of its errors.
fn refusal(status: StatusCode, answer: &Value) -> String {
    let parts: Vec<String> = [text(answer, "status"), first(answer, &["message", "error.message"])]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let what = if parts.is_empty() { "refused".to_owned() } else { parts.join(": ") };
    let mut text = format!("{what} (HTTP {})", status.as_u16());
    array(answer, "errors").iter().for_each(|error| text.push_str(&format!("\n  - {}", plain(error))));
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::args;
    use super::*;
    use crate::cli::testing::{Answer, Server};
    use crate::cli::{Command, dispatch};

    #[test]
    fn waits_grow_to_a_minute() {
        let waits: Vec<u64> = (0..8).map(|tries| back_off(tries).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(back_off(100), WAIT_MAX);
    }

    #[tokio::test]
    async fn what_may_heal_is_tried_again_with_the_same_key() {
        let accepted = r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#;
        let server = Server::start([
            Answer::json(429, r#"{"status":"throttle exceeded"}"#).header("retry-after", "0"),
            Answer::json(503, "<html>").header("retry-after", "0"),
            Answer::json(202, accepted),
        ]);
        dispatch(&server.session(), Command::Send(args(&["--key", "k", "--summary", "s"]))).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[0].line, "POST /v2/enqueue HTTP/1.1");
        assert_eq!(seen[0].json(), seen[2].json());
        assert_eq!(seen[0].header("authorization"), None, "the API token is nobody else's business");
    }

    #[tokio::test]
    async fn a_refusal_is_final_and_names_every_problem() {
        let refusal = r#"{"status":"invalid event","message":"Event object is invalid","errors":["a is missing","b is blank"]}"#;
        let server = Server::start([Answer::json(400, refusal)]);
        let error = dispatch(&server.session(), Command::Send(args(&["--key", "k", "--summary", "s"]))).await.unwrap_err();
        let expected = "invalid event: Event object is invalid (HTTP 400)\n  - a is missing\n  - b is blank";
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn tries_are_bounded_and_the_key_can_be_looked_up() {
        let server = Server::start([
            Answer::json(200, r#"{"items":[{"id":"int_1","name":"prod"}],"next":null}"#),
            Answer::json(200, r#"{"id":"int_1","key":"looked-up"}"#),
            Answer::json(500, "{}").header("retry-after", "0"),
            Answer::json(500, "{}").header("retry-after", "0"),
        ]);
        let line = ["--integration", "prod", "--change", "--summary", "s", "--retries", "1"];
        let error = dispatch(&server.session(), Command::Send(args(&line))).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "not delivered in 2 tries: refused (HTTP 500)");
        let seen = server.requests();
        assert_eq!(seen[3].line, "POST /v2/change/enqueue HTTP/1.1");
        assert_eq!(seen[3].json()["routing_key"], "looked-up");
    }
}
