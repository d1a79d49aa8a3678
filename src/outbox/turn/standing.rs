//! How the receiver is doing: what an attempt says of it, and what that means for its breaker.

use super::{News, Outcome, Turn};
use crate::delivery::breaker::Breaker;
use crate::store::outbox::Breaker as Kept;
use crate::time::{SECOND, Timestamp};

/// How long after the last failure, in microseconds, a receiver that takes what it is sent counts as well: as long as other incidents
/// about ourselves stay open after what they speak of.
const QUIET: i64 = 300 * SECOND;

/// Whether what arrives at `now` is the first since the receiver's last failure is long enough ago.
pub(super) fn is_well_again(kept: &Kept, now: Timestamp) -> bool {
    let Some(quiet_at) = kept.failed_at.map(|at| at.saturating_add(QUIET)) else { return false };
    quiet_at <= now.0 && kept.delivered_at.is_none_or(|at| at < quiet_at)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_well_again_once_some_time_after_its_last_failure() {
        let kept = |failed: Option<i64>, delivered: Option<i64>| Kept {
            failed_at: failed.map(|at| at * SECOND),
            delivered_at: delivered.map(|at| at * SECOND),
            ..Kept::default()
        };
        let well = |kept: Kept, now: i64| is_well_again(&kept, Timestamp(now * SECOND));
        assert!(!well(kept(None, Some(1)), 1_000), "it never failed");
        assert!(!well(kept(Some(100), None), 399), "too soon");
        assert!(well(kept(Some(100), None), 400));
        assert!(well(kept(Some(100), Some(399)), 400), "what arrived before was too soon");
        assert!(!well(kept(Some(100), Some(400)), 500), "it has been said");
        assert!(!well(kept(Some(450), Some(400)), 500), "it failed again");
        assert!(well(kept(Some(450), Some(400)), 750));
    }
}
