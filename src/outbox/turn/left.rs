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
            let keep = newest(told(thread), &left);
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
            if thread::may_go(told(thread), message.event, pages) {
                break;
            }
            skip(delivery, "this destination was never told that it began");
            left.remove(0);
        }
        left
    }
}

/// Which of the deliveries of a thread that waited are enough: those that tell the newest state, to one who knows `told`.
fn newest(told: Option<State>, left: &[(Delivery, Message)]) -> Vec<usize> {
    let Some((last, (_, message))) = left.iter().enumerate().next_back() else { return Vec::new() };
    let Some(present) = message.incident.as_ref().map(|incident| State { status: incident.status, severity: incident.severity })
    else {
        return (0..left.len()).collect();
    };
    match told {
        Some(_) => vec![last],
        // Over before anything was told of it.
        None if thread::catch_up(None, present).is_empty() => Vec::new(),
        None => {
            let page = left.iter().rposition(|(_, message)| message.event == Occasion::Triggered);
            let mut keep: Vec<usize> = page.into_iter().chain([last]).collect();
            keep.dedup();
            keep
        }
    }
}
