//! Why a request is not accepted, before anybody has said it in HTTP.

use std::sync::Arc;
use std::time::Duration;

use super::snapshot::Integration;
use super::submission::{Refused, Verdict};
use crate::event::Invalid;

/// Why a request is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The event is not valid; all problems.
    #[error("the event is not valid: {0}")]
    Invalid(Invalid),
    /// The routing key is missing or malformed; with all other problems of the event.
    #[error("the routing key is not usable: {0}")]
    KeyMalformed(Invalid),
    /// The body is not JSON where it must be.
    #[error("the body is not JSON")]
    NotJson,
    /// There is no body.
    #[error("the body is empty")]
    Empty,
    /// Nobody has this routing key.
    #[error("the routing key is unknown")]
    UnknownKey,
    /// Nobody has this hook.
    #[error("the integration is unknown")]
    UnknownHook,
    /// The integration is of another type, whose path this is.
    #[error("the integration is of another type: post to {0}")]
    WrongType(String),
    /// The credential or signature that the integration demands is missing or wrong. The text is for its owner's ledger only.
    #[error("{0}")]
    Unauthorized(String),
    /// The credential is missing, and its sender waits to be asked for it: no failure, and answered as one all the same.
    #[error("the credential was asked for")]
    Challenge,
    /// The API token lacks the scope.
    #[error("the API token lacks the scope events:write")]
    Forbidden,
    /// The integration is switched off.
    #[error("the integration is disabled")]
    Disabled,
    /// Over the rate limit.
    #[error("over the limit of {per_minute} requests a minute")]
    Limited {
        /// The limit.
        per_minute: u32,
        /// Until the next request is accepted.
        wait: Duration,
    },
    /// Too many failures from this address.
    #[error("too many failed requests from this address")]
    Shielded,
    /// The body, decoded, is longer than this many bytes.
    #[error("the body is over {0} bytes")]
    TooLarge(usize),
    /// A content encoding that is not understood.
    #[error("the content encoding is not supported; send identity or gzip")]
    UnknownEncoding,
    /// The body does not decode.
    #[error("the body does not decode as its content encoding says")]
    BadEncoding,
    /// The body did not come in time.
    #[error("the body did not come in time")]
    BodyTimeout,
    /// The service cannot promise anything now.
    #[error("the service cannot store events now; send again")]
    Unavailable,
    /// What proves the sender cannot be had now; the text is for the integration's owner only.
    #[error("what proves the sender cannot be had now: {0}")]
    KeyUnavailable(String),
    /// The request's method is not one that this type has.
    #[error("the method is not allowed here")]
    MethodNotAllowed,
}

impl Reason {
    /// What the ledger calls it.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Invalid(_)
            | Self::NotJson
            | Self::Empty
            | Self::BadEncoding
            | Self::UnknownEncoding
            | Self::BodyTimeout
            | Self::MethodNotAllowed => Verdict::Invalid,
            Self::KeyMalformed(_)
            | Self::UnknownKey
            | Self::UnknownHook
            | Self::Unauthorized(_)
            | Self::Challenge
            | Self::Forbidden
            | Self::Shielded => Verdict::Unauthorized,
            Self::WrongType(_) => Verdict::WrongType,
            Self::Disabled => Verdict::Disabled,
            Self::Limited { .. } => Verdict::Limited,
            Self::TooLarge(_) => Verdict::TooLarge,
            Self::Unavailable | Self::KeyUnavailable(_) => Verdict::Failed,
        }
    }

    /// Whether the sender failed to prove who it is.
    pub const fn suspicious(&self) -> bool {
        matches!(self, Self::KeyMalformed(_) | Self::UnknownKey | Self::UnknownHook | Self::Unauthorized(_) | Self::WrongType(_))
    }
}

impl From<Refused> for Reason {
    fn from(_: Refused) -> Self {
        Self::Unavailable
    }
}

/// A request that is not accepted.
#[derive(Clone)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What the ledger calls it where that is not the reason's own verdict (`deleted` answers as unknown).
    pub verdict: Verdict,
    /// The integration that it was meant for, where one was found.
    pub integration: Option<Arc<Integration>>,
    /// Whether the ledger row has been committed already.
    pub stored: bool,
}

impl Refusal {
    /// For `reason`, of `integration`.
    pub fn new(reason: Reason, integration: Option<&Arc<Integration>>) -> Self {
        Self { verdict: reason.verdict(), reason, integration: integration.cloned(), stored: false }
    }

    /// The answer of an unknown integration, for one that was deleted.
    pub fn deleted(reason: Reason, integration: &Arc<Integration>) -> Self {
        Self { verdict: Verdict::Deleted, ..Self::new(reason, Some(integration)) }
    }
}
