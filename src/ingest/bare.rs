//! For benchmarks alone (feature `bench`): a committer that promises and stores nothing, so that what is left is everything else.

use super::submission::{EventReceipt, Receipt, Submission};
use crate::id::{self, Kind};
use crate::incident::Outcome;

/// Whether this process was started for it.
pub fn asked() -> bool {
    std::env::var("BENCH_BARE").is_ok_and(|value| value == "true")
}

/// What is answered without storing anything.
pub fn receipt(submission: &Submission) -> Receipt {
    let events = submission.items.iter().map(|item| EventReceipt {
        id: id::new(Kind::Event),
        action: item.action(),
        dedup_key: item.key.as_str().to_owned(),
        outcome: Outcome::Opened,
        incident_id: None,
    });
    Receipt { events: events.collect(), ..Receipt::default() }
}
