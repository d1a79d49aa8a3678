//! Rows that are made of a request alone, whatever it met.

use crate::event::{ChangeEvent, Severity};
use crate::incident::{Outcome, Report};
use crate::ingest::submission::{Ledger, Posted, Submission};
use crate::store::ingest::{ChangeRow, RequestRow, SeenRow};
use crate::time::Timestamp;

/// The delivery id of a submission, as it is looked up and written.
pub fn seen_row(submission: &Submission, at: Timestamp) -> Option<SeenRow<'_>> {
    let delivery = submission.delivery.as_ref()?;
    Some(SeenRow {
        integration_id: &submission.integration_id,
        delivery_id: &delivery.id,
        body_hash: &delivery.body_hash,
        tenant_id: &submission.tenant_id,
        request_id: submission.ledger.as_ref().map_or("", |ledger| &ledger.id),
        expires_at: at.plus_seconds(delivery.remembered),
    })
}

/// The ledger row of a request whose events lie between `bounds`.
pub(super) fn request<'a>(
    submission: &'a Submission,
    ledger: &'a Ledger,
    verdict: &'a str,
    at: Timestamp,
    bounds: Option<(String, String)>,
) -> RequestRow<'a> {
    let (first_event_id, last_event_id) = bounds.unzip();
    let last_event_id = last_event_id.filter(|last| first_event_id.as_ref() != Some(last));
    RequestRow {
        id: &ledger.id,
        tenant_id: &submission.tenant_id,
        integration_id: (!submission.integration_id.is_empty()).then_some(&*submission.integration_id),
        route: ledger.route,
        verdict,
        status: ledger.status,
        received_at: at,
        headers: &ledger.headers,
        query: &ledger.query,
        target: ledger.target.as_deref(),
        body: &ledger.body,
        message: ledger.message.as_deref(),
        first_event_id,
        last_event_id,
    }
}

/// The row of a change event.
pub(super) fn change<'a>(submission: &'a Submission, change: &'a ChangeEvent, id: String, at: Timestamp) -> ChangeRow<'a> {
    let mut details = serde_json::json!({
        "custom_details": change.custom_details, "links": change.links, "images": change.images,
    });
    if let Some(details) = details.as_object_mut().filter(|_| change.hops > 0) {
        details.insert("hops".to_owned(), change.hops.into());
    }
    ChangeRow {
        id,
        tenant_id: &submission.tenant_id,
        integration_id: &submission.integration_id,
        service_id: &submission.service_id,
        request_id: submission.request_id(),
        summary: &change.summary,
        source: change.source.as_deref(),
        details: details.to_string(),
        occurred_at: change.occurred_at,
        received_at: at,
    }
}

/// What stands in for an event that cannot be stored as it is: the body is in the ledger.
pub fn quarantined(item: &Posted, request_id: Option<&str>) -> Posted {
    let key = crate::event::DedupKey::hashed("unmapped:quarantined:", item.key.as_str().as_bytes());
    let request = request_id.unwrap_or("an act of Callbox itself");
    let summary = format!("An event could not be stored as it was; its body is in the ledger: {request}");
    let event = crate::event::Event::new(crate::event::Action::Trigger, key.clone(), &summary, "callbox", Severity::Error);
    let mut report = Report::new(&event, crate::provider::Clock::Arrival);
    report.catch_all = Some(Outcome::Quarantined);
    Posted { note: Some("quarantined: the store refused the event".to_owned()), ..Posted::report(key, report) }
}
