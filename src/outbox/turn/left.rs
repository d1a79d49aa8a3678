//! What is still to be told of a thread: not what was overtaken while it waited, and nothing that would be a lie. Does no I/O.

use crate::delivery::message::{Message, Occasion};
use crate::delivery::thread::{self, State};
use crate::outbox::settle::told;
use crate::store::outbox::{Breaker as Kept, Delivery, Progress, Thread};

use super::Turn;

impl Turn {
    /// What is still to be told of a thread, in order.
    pub(super) fn left(
        &self,
        thread: &Thread,
        deliveries: Vec<Delivery>,
        kept: &Kept,
        skipped: &mut Vec<Progress>,
    ) -> Vec<(Delivery, Message)> {
        let mut skip = |delivery: &Delivery, why: &str| {
            skipped.push(Progress {
                id: delivery.id.clone(),
                status: "skipped",
                reason: Some(why.to_owned()),
                attempts: delivery.attempts,
                failures: delivery.failures,
                finished_at: Some(self.now.0),
            });
        };
        let mut left = Vec::new();
        for delivery in deliveries {
            match serde_json::from_str::<Message>(&delivery.message) {
                Ok(message) => left.push((delivery, message)),
                Err(_) => skip(&delivery, "what it tells cannot be read any more"),
            }
        }
        let waited = |delivery: &Delivery| {
            self.destination.per_minute.is_some() || kept.recovered_at.is_some_and(|at| delivery.created_at < at)
        };
        if left.len() > 1 && left.first().is_some_and(|(delivery, _)| waited(delivery)) {
            let said: Vec<_> = left.iter().map(|(_, message)| (message.event, stated(message))).collect();
            let keep = newest(told(thread), thread.in_doubt != 0, &said);
            let mut kept = Vec::new();
            for (index, (delivery, message)) in left.into_iter().enumerate() {
                if keep.contains(&index) {
                    kept.push((delivery, message));
                } else {
                    skip(&delivery, "it waited, and is part of what was told after it");
                }
            }
            left = kept;
        }
        let pages = thread.wants.split(',').any(|word| word == Occasion::Triggered.as_str());
        while let Some((delivery, message)) = left.first() {
            if thread::may_go(told(thread), thread.in_doubt != 0, message.event, pages) {
                break;
            }
            skip(delivery, "this destination was never told that it began");
            left.remove(0);
        }
        left
    }
}

/// The state in a message; a change has none.
fn stated(message: &Message) -> Option<State> {
    message.incident.as_ref().map(|incident| State { status: incident.status, severity: incident.severity })
}

/// Which of the messages of a thread that waited are enough: the last, which tells the newest state, and the page before it where the
/// receiver must be paged to know that state.
fn newest(known: Option<State>, in_doubt: bool, left: &[(Occasion, Option<State>)]) -> Vec<usize> {
    let Some((last, (_, present))) = left.iter().enumerate().next_back() else { return Vec::new() };
    let Some(present) = present else { return (0..left.len()).collect() };
    let steps = thread::catch_up(known, in_doubt, *present);
    // Over before anything was told of it.
    if known.is_none() && steps.is_empty() {
        return Vec::new();
    }
    let page = left.iter().rposition(|(occasion, _)| *occasion == Occasion::Triggered);
    let mut keep: Vec<usize> = page.filter(|_| steps.contains(&Occasion::Triggered)).into_iter().chain([last]).collect();
    keep.dedup();
    keep
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Severity;
    use crate::incident::Status;

    #[test]
    fn what_waited_is_merged_and_no_page_is_lost() {
        let state = |status, severity| State { status, severity };
        let open = |severity| (Occasion::Triggered, Some(state(Status::Triggered, severity)));
        let worse = (Occasion::Updated, Some(state(Status::Triggered, Severity::Critical)));
        let seen = (Occasion::Acknowledged, Some(state(Status::Acknowledged, Severity::Error)));
        let over = (Occasion::Resolved, Some(state(Status::Resolved, Severity::Error)));
        let warned = Some(state(Status::Triggered, Severity::Warning));
        let paged = Some(state(Status::Triggered, Severity::Error));
        let cases: [(_, bool, &[_], &[usize]); 9] = [
            (None, false, &[open(Severity::Error), over], &[]),
            (None, false, &[open(Severity::Error), seen], &[0, 1]),
            (None, false, &[open(Severity::Error), seen, open(Severity::Error)], &[2]),
            // It may have been paged: then it must hear of the end.
            (None, true, &[open(Severity::Error), over], &[1]),
            (paged, false, &[seen, over], &[1]),
            // Its urgency rose, and then its severity: the first pages.
            (warned, false, &[open(Severity::Error), worse], &[0, 1]),
            (paged, false, &[open(Severity::Error), worse], &[1]),
            (paged, true, &[seen, open(Severity::Error)], &[1]),
            (None, false, &[(Occasion::Change, None), (Occasion::Change, None)], &[0, 1]),
        ];
        for (index, (known, in_doubt, left, kept)) in cases.into_iter().enumerate() {
            assert_eq!(newest(known, in_doubt, left), kept, "case {index}");
        }
    }
}
