//! The bodies that PagerDuty's event routes answer with, word for word, because clients read them.

use std::borrow::Cow;

use serde::Serialize;

use super::Invalid;

/// A body of `/v2/enqueue`, `/v2/change/enqueue` or the Events API v1. Made by the functions of [`super::v1`] and [`super::v2`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Answer<'a> {
    /// PagerDuty's word for what became of the event.
    pub status: &'static str,
    /// The same as a sentence.
    pub message: &'static str,
    /// The key of an accepted event, v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<&'a str>,
    /// The key of an accepted event, v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_key: Option<&'a str>,
    /// What was wrong. Always strings: Alertmanager drops the detail otherwise.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: Cow<'a, [Cow<'static, str>]>,
    /// The ledger's id of the request, on `/api/events`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
}

impl<'a> Answer<'a> {
    const fn new(status: &'static str, message: &'static str, errors: &'a [Cow<'static, str>]) -> Self {
        Self { status, message, dedup_key: None, incident_key: None, errors: Cow::Borrowed(errors), request_id: None }
    }

    /// The event is on disk.
    pub(super) const fn processed() -> Self {
        Self::new("success", "Event processed", &[])
    }

    /// The change event is on disk.
    pub(super) const fn change_processed() -> Self {
        Self::new("success", "Change event processed", &[])
    }

    /// JSON, but not a valid event.
    pub(super) fn invalid(invalid: &'a Invalid) -> Self {
        Self::invalid_because(&invalid.problems)
    }

    pub(super) const fn invalid_because(errors: &'a [Cow<'static, str>]) -> Self {
        Self::new("invalid event", "Event object is invalid", errors)
    }

    /// Not JSON; `status` differs between v1 and v2.
    pub(super) const fn unrecognised(status: &'static str) -> Self {
        Self::new(status, "Event object format is unrecognized", &[Cow::Borrowed("JSON parse error")])
    }

    /// Over the rate limit. The two spaces are PagerDuty's.
    pub(super) const fn throttled() -> Self {
        Self::new("throttle exceeded", "Requests for this service are arriving too quickly.  Please retry later.", &[])
    }

    /// The same with the ledger's id of the request.
    #[must_use]
    pub const fn with_request_id(mut self, id: &'a str) -> Self {
        self.request_id = Some(id);
        self
    }
}
