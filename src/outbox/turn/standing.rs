//! How the receiver is doing: what an attempt says of it, and what that means for its breaker.

use super::{News, Outcome, Turn};
use crate::delivery::breaker::Breaker;
use crate::store::outbox::Breaker as Kept;
use crate::time::{SECOND, Timestamp};

impl Turn {
    /// Notes that something arrived. To a second: a lane that is busy has better things to write.
    pub(super) fn delivered(&self, kept: &mut Kept) {
        kept.delivered_at = kept.delivered_at.filter(|at| self.now.0 - at < SECOND).or(Some(self.now.0));
    }

    pub(super) fn succeeded(&self, kept: &mut Kept) -> bool {
        let mut breaker = breaker_of(kept);
        let recovered = breaker.succeeded();
        keep(&breaker, kept);
        kept.gone_at = None;
        if recovered {
            kept.recovered_at = Some(self.now.0);
        }
        recovered
    }

    pub(super) fn failed(&self, kept: &mut Kept, why: &str, outcome: &mut Outcome) {
        let mut breaker = breaker_of(kept);
        kept.failed_at = Some(self.now.0);
        if breaker.failed(&self.destination.breaker, self.now) {
            outcome.news.push(News::Opened(why.to_owned()));
        }
        keep(&breaker, kept);
    }

    pub(super) fn asked_for_time(&self, kept: &mut Kept, until: Timestamp) {
        let mut breaker = breaker_of(kept);
        breaker.asked_for_time();
        keep(&breaker, kept);
        kept.paused_until = Some(kept.paused_until.unwrap_or(until.0).max(until.0));
    }
}

pub(super) fn breaker_of(kept: &Kept) -> Breaker {
    Breaker {
        failures: u32::try_from(kept.failures).unwrap_or(0),
        open_until: kept.open_until.map(Timestamp),
        probing_until: kept.probing_until.map(Timestamp),
        opened_at: kept.opened_at.map(Timestamp),
    }
}

pub(super) fn keep(breaker: &Breaker, kept: &mut Kept) {
    kept.failures = i32::try_from(breaker.failures).unwrap_or(i32::MAX);
    kept.open_until = breaker.open_until.map(|at| at.0);
    kept.probing_until = breaker.probing_until.map(|at| at.0);
    kept.opened_at = breaker.opened_at.map(|at| at.0);
}
