//! Why the API did not do what was asked, in words for whoever typed the command.

use reqwest::StatusCode;
use serde_json::Value;

use super::TIMEOUT;
use crate::cli::read;

/// Why the API did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiFailure {
    /// It answered with an error.
    #[error("{}", refusal(*status, code, message, details, request_id))]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The error's code; empty when the answer was not Callbox's envelope.
        code: String,
        /// What it says.
        message: String,
        /// More about it, any JSON; null when there is none.
        details: Box<Value>,
        /// The id to look up in the ledger or the log; may be empty.
        request_id: String,
    },
    /// Nothing came back.
    #[error(
        "cannot reach {url}: {reason}\n  hint: is it running? Start it with `callbox serve`, or name another with --url or CALLBOX_URL"
    )]
    Unreachable {
        /// The base URL, without credentials.
        url: String,
        /// What the connection says.
        reason: String,
    },
    /// Something came back that Callbox does not send.
    #[error("{url} answered {status} with something that is not JSON: is it a Callbox?")]
    NotJson {
        /// The base URL, without credentials.
        url: String,
        /// The HTTP status.
        status: StatusCode,
    },
}

impl ApiFailure {
    /// Whether the same request may succeed later: no answer, a server error, or a limit.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } | Self::NotJson { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
        }
    }
}

fn refusal(status: StatusCode, code: &str, message: &str, details: &Value, request_id: &str) -> String {
    let mut text = if code.is_empty() { message.to_owned() } else { format!("{code}: {message}") };
    text.push_str(&format!(" (HTTP {}", status.as_u16()));
    if !request_id.is_empty() {
        text.push_str(&format!(", request {request_id}"));
    }
    text.push(')');
    let list = match details {
        Value::Array(list) => list.as_slice(),
        other => std::slice::from_ref(other),
    };
    // The message of a single problem is that problem.
    for detail in list.iter().filter_map(detail).filter(|detail| detail != message) {
        text.push_str(&format!("\n  - {detail}"));
    }
    if status == StatusCode::UNAUTHORIZED {
        text.push_str("\n  hint: give a token with --token or CALLBOX_TOKEN; `callbox token create --admin` makes the first one");
    }
    text
}

/// One problem in words. Numbers beside the message (`{"open_incidents": 2}`) are for programs: the message says them.
fn detail(detail: &Value) -> Option<String> {
    match detail {
        Value::Null => None,
        Value::Object(map) if map.contains_key("problem") => {
            Some(format!("{}: {}", read::text(detail, "field"), read::text(detail, "problem")))
        }
        Value::Object(map) if map.values().all(Value::is_number) => None,
        other => Some(read::plain(other)),
    }
}

/// The failure that an answer of the API stands for; of other envelopes what they say.
pub(super) fn refused(status: StatusCode, body: &Value) -> ApiFailure {
    let text = |name: &str| read::text(body, &format!("error.{name}"));
    let message = match text("message") {
        message if !message.is_empty() => message,
        // The PagerDuty routes and middleboxes use other envelopes.
        _ => read::first(body, &["message", "error"]),
    };
    let message = if message.is_empty() { "the request was refused".to_owned() } else { message };
    let details = body.pointer("/error/details").cloned().unwrap_or_default();
    ApiFailure::Refused { status, code: text("code"), message, details: Box::new(details), request_id: text("request_id") }
}

/// The innermost cause: `Connection refused (os error 111)` says more than the layers around it.
pub(super) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} seconds", TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
