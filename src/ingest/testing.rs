//! Submissions for the tests of this folder.

use std::sync::Arc;

use bytes::Bytes;

use super::replay::Replaying;
use super::submission::{Ledger, Mode, Posted, Submission, Verdict};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::incident::{Actor, Report};
use crate::provider::Clock;
use crate::time::Timestamp;

/// When everything is received.
pub const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);

/// An item of a tool that is ordered by arrival.
pub fn item(action: Action, key: &str) -> Posted {
    item_at(action, key, Clock::Arrival, None)
}

/// An item with a source time.
pub fn item_at(action: Action, key: &str, clock: Clock, at: Option<Timestamp>) -> Posted {
    let key = DedupKey::strict(key).unwrap();
    let mut event = Event::new(action, key.clone(), "the disk is full", "db-1.example.com", Severity::Error);
    (event.occurred_at, event.starts_at) = (at, at);
    Posted::report(key, Report::new(&event, clock))
}

/// A request to an integration.
pub fn submission(integration_id: &str, items: Vec<Posted>) -> Submission {
    Submission {
        tenant_id: Arc::from("ten_1"),
        integration_id: Arc::from(integration_id),
        service_id: Arc::from("svc_1"),
        received_at: NOW,
        actor: Actor::Tool,
        mode: Mode::Live,
        ledger: Some(Ledger {
            id: "req_1".to_owned(),
            route: "/v2/enqueue",
            verdict: Verdict::Accepted,
            status: 202,
            headers: String::new(),
            query: String::new(),
            target: None,
            body: Bytes::from_static(b"{}").into(),
            message: None,
        }),
        items,
        changes: Vec::new(),
        delivery: None,
        tells: true,
    }
}

/// A replay of the request `req_1`, to be told of or not.
pub fn replay(notify: bool) -> Mode {
    Mode::Replay(Box::new(Replaying {
        request_id: "req_1".to_owned(),
        by: "somebody".to_owned(),
        at: NOW,
        force: false,
        notify,
        draft: false,
        seen_to: 0,
        steps: Vec::new(),
    }))
}
