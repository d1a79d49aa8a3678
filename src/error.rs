//! The one map from what can go wrong to what the management API answers: status, code, body, `Retry-After`.
//!
//! Handlers return domain errors; nothing else in the crate knows their status. The body of a 5xx carries the request id and
//! nothing else: its reason is for the log, where [`crate::http::request_id`] puts it once.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::json;

use crate::secret::SealError;
use crate::store::StoreError;

/// One thing wrong with a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// The field of the body or parameter of the query, as a dotted path.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Problem {
    /// `field` has this `problem`.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// Why a request of the management API failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiError {
    /// The request as a whole cannot be read.
    BadRequest(String),
    /// Fields or parameters are wrong: all of them.
    Invalid(Vec<Problem>),
    /// No token, or none that holds.
    Unauthorized,
    /// The request is not signed, or not as it must be; what is at its path is not told.
    Unverified,
    /// The token lacks this scope.
    Forbidden(&'static str),
    /// No such thing, or one of another tenant: the difference is not told.
    NotFound,
    /// The path takes other methods: these.
    MethodNotAllowed(String),
    /// The body did not come in time.
    Timeout,
    /// What is asked for stands against what there is.
    Conflict {
        /// Why.
        message: String,
        /// Numbers that a script can use.
        details: Option<serde_json::Value>,
    },
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The body is encoded in a way that is not understood.
    UnsupportedEncoding,
    /// Too many requests; try again after this many seconds.
    Limited(u64),
    /// The store cannot answer now; the text is for the log.
    Unavailable(String),
    /// A fault of ours; the text is for the log.
    Internal(String),
}

/// Seconds after which a request that met an unavailable store may be tried again.
const RETRY_UNAVAILABLE: u64 = 2;

impl ApiError {
    /// A conflict in words.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict { message: message.into(), details: None }
    }

    /// One wrong field.
    pub fn field(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem::new(field, problem)])
    }

    /// The code that scripts match on.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::Invalid(_) => "invalid",
            Self::Unauthorized | Self::Unverified => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::Timeout => "timeout",
            Self::Conflict { .. } => "conflict",
            Self::TooLarge(_) => "too_large",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::Limited(_) => "rate_limited",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// What is said to the caller; empty for faults of ours.
    fn message(&self) -> String {
        match self {
            Self::BadRequest(message) | Self::Conflict { message, .. } => message.clone(),
            Self::Invalid(problems) => match problems.as_slice() {
                [only] => format!("{}: {}", only.field, only.problem),
                _ => format!("{} problems, see details", problems.len()),
            },
            Self::Unauthorized => "a valid API token is needed: Authorization: Bearer <token>".into(),
            Self::Unverified => "the request does not carry a valid signature".into(),
            Self::Forbidden(scope) => format!("the token lacks the scope {scope}"),
            Self::NotFound => "not found".into(),
            Self::MethodNotAllowed(allowed) => format!("method not allowed here; allowed: {allowed}"),
            Self::Timeout => "the body did not arrive in time".into(),
            Self::TooLarge(limit) => format!("the body is larger than {limit} bytes"),
            Self::UnsupportedEncoding => "send the body without Content-Encoding".into(),
            Self::Limited(_) => "too many requests".into(),
            Self::Unavailable(_) => "temporarily unavailable".into(),
            Self::Internal(_) => "internal error".into(),
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            Self::Invalid(problems) => serde_json::to_value(problems).ok(),
            Self::Conflict { details, .. } => details.clone(),
            _ => None,
        }
    }

    /// The answer, with the id under which the request stands in the log.
    pub fn render(&self, request_id: Option<&str>) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        match self {
            Self::Limited(seconds) => drop(answer.insert_header((RETRY_AFTER, seconds.max(&1).to_string()))),
            Self::Unavailable(_) => drop(answer.insert_header((RETRY_AFTER, RETRY_UNAVAILABLE.to_string()))),
            Self::MethodNotAllowed(allowed) => drop(answer.insert_header((ALLOW, allowed.as_str()))),
            Self::Unauthorized => drop(answer.insert_header((WWW_AUTHENTICATE, "Bearer"))),
            _ => {}
        }
        let mut error = json!({"code": self.code(), "message": self.message(), "request_id": request_id});
        if let (Some(details), Some(map)) = (self.details(), error.as_object_mut()) {
            map.insert("details".into(), details);
        }
        answer.json(json!({ "error": error }))
    }

    /// What the log should say that the answer does not.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unavailable(reason) | Self::Internal(reason) => Some(reason),
            _ => None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.reason().unwrap_or(&self.message()))
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::Unverified => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        self.render(None)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            // Whoever lost a race may simply try again.
            StoreError::Environment(_) | StoreError::Conflict(_) => Self::Unavailable(text),
            StoreError::Data(_) | StoreError::Refused(_) => Self::Internal(text),
        }
    }
}

impl From<diesel::result::Error> for ApiError {
    fn from(error: diesel::result::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<SealError> for ApiError {
    fn from(error: SealError) -> Self {
        Self::Internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    /// One of each; the match makes a new variant fail to compile until it is added to the list.
    fn every() -> Vec<ApiError> {
        let all = vec![
            ApiError::BadRequest("the body is not JSON".into()),
            ApiError::field("name", "is missing"),
            ApiError::Invalid(vec![Problem::new("a", "x"), Problem::new("b", "y")]),
            ApiError::Unauthorized,
            ApiError::Unverified,
            ApiError::Forbidden("admin"),
            ApiError::NotFound,
            ApiError::MethodNotAllowed("GET, POST".into()),
            ApiError::Timeout,
            ApiError::Conflict { message: "2 incidents are open".into(), details: Some(json!({"open_incidents": 2})) },
            ApiError::TooLarge(1024),
            ApiError::UnsupportedEncoding,
            ApiError::Limited(0),
            ApiError::Unavailable("disk full at /secret/path".into()),
            ApiError::Internal("password=hush".into()),
        ];
        for error in &all {
            match error {
                ApiError::BadRequest(_) | ApiError::Invalid(_) | ApiError::Unauthorized | ApiError::Forbidden(_) => {}
                ApiError::Unverified => {}
                ApiError::NotFound | ApiError::MethodNotAllowed(_) | ApiError::Timeout | ApiError::Conflict { .. } => {}
                ApiError::TooLarge(_) | ApiError::UnsupportedEncoding | ApiError::Limited(_) => {}
                ApiError::Unavailable(_) | ApiError::Internal(_) => {}
            }
        }
        all
    }

    #[actix_web::test]
    async fn every_error_and_its_answer() {
        let mut lines = Vec::new();
        for error in every() {
            let answer = error.render(Some("req_1"));
            let (status, after) = (answer.status().as_u16(), answer.headers().get(RETRY_AFTER).cloned());
            let after = after.map_or(String::new(), |value| format!(" retry-after={}", value.to_str().unwrap()));
            let body = to_bytes(answer.into_body()).await.unwrap();
            lines.push(format!("{status}{after} {}", String::from_utf8(body.to_vec()).unwrap()));
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
        400 {"error":{"code":"bad_request","message":"the body is not JSON","request_id":"req_1"}}
        400 {"error":{"code":"invalid","details":[{"field":"name","problem":"is missing"}],"message":"name: is missing","request_id":"req_1"}}
        400 {"error":{"code":"invalid","details":[{"field":"a","problem":"x"},{"field":"b","problem":"y"}],"message":"2 problems, see details","request_id":"req_1"}}
        401 {"error":{"code":"unauthorized","message":"a valid API token is needed: Authorization: Bearer <token>","request_id":"req_1"}}
        401 {"error":{"code":"unauthorized","message":"the request does not carry a valid signature","request_id":"req_1"}}
        403 {"error":{"code":"forbidden","message":"the token lacks the scope admin","request_id":"req_1"}}
        404 {"error":{"code":"not_found","message":"not found","request_id":"req_1"}}
        405 {"error":{"code":"method_not_allowed","message":"method not allowed here; allowed: GET, POST","request_id":"req_1"}}
        408 {"error":{"code":"timeout","message":"the body did not arrive in time","request_id":"req_1"}}
        409 {"error":{"code":"conflict","details":{"open_incidents":2},"message":"2 incidents are open","request_id":"req_1"}}
        413 {"error":{"code":"too_large","message":"the body is larger than 1024 bytes","request_id":"req_1"}}
        415 {"error":{"code":"unsupported_encoding","message":"send the body without Content-Encoding","request_id":"req_1"}}
        429 retry-after=1 {"error":{"code":"rate_limited","message":"too many requests","request_id":"req_1"}}
        503 retry-after=2 {"error":{"code":"unavailable","message":"temporarily unavailable","request_id":"req_1"}}
        500 {"error":{"code":"internal","message":"internal error","request_id":"req_1"}}
        "#);
    }
}
