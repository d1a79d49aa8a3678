//! A request that the store refuses, taken apart until only what it refuses is left.

use super::load;
use crate::ingest::fold::quarantined;
use crate::ingest::submission::{EventReceipt, Posted, Submission};
use crate::store::ingest::{self, Purpose};
use crate::store::{Conn, Result, StoreError};
use crate::time::Timestamp;

/// Stores items in a savepoint; where the store refuses them, each half by itself, down to the one event that becomes a catch-all.
/// One bad event among thousands costs a few savepoints more, not thousands.
pub(super) fn isolate(
    conn: &mut Conn,
    submission: &Submission,
    items: &[Posted],
    at: Timestamp,
    next_number: &mut Option<i64>,
) -> Result<Vec<EventReceipt>> {
    match conn.savepoint(|conn| StoreError::guard(|| part(conn, submission, items, at, next_number))) {
        Err(StoreError::Environment(error)) => Err(StoreError::Environment(error)),
        Err(_) if items.len() > 1 => {
            let (first, second) = items.split_at(items.len() / 2);
            let mut receipts = isolate(conn, submission, first, at, next_number)?;
            receipts.extend(isolate(conn, submission, second, at, next_number)?);
            Ok(receipts)
        }
        Err(_) => {
            let request_id = submission.ledger.as_ref().map(|ledger| ledger.id.as_str());
            let stand_ins: Vec<Posted> = items.iter().map(|item| quarantined(item, request_id)).collect();
            part(conn, submission, &stand_ins, at, next_number)
        }
        stored => stored,
    }
}

/// Stores some of a submission's events, without its ledger row.
fn part(
    conn: &mut Conn,
    submission: &Submission,
    items: &[Posted],
    at: Timestamp,
    next_number: &mut Option<i64>,
) -> Result<Vec<EventReceipt>> {
    let only = Submission { items: items.to_vec(), changes: Vec::new(), delivery: None, ..submission.clone() };
    let mut fold = load(conn, &[&only], Purpose::Change, None)?;
    let events = fold.items(&only, &only.items, at);
    let mut number = *next_number;
    ingest::write(conn, &mut fold.finish(), &mut number)?;
    *next_number = number;
    Ok(events)
}
