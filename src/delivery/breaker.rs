//! Leaving a destination alone that fails: after some failures in a row nothing is sent for a while, then one delivery tries.
//!
//! The state is small enough to be a row, and is one, so that a restart does not forget that a receiver is down.

use std::time::Duration;

use crate::time::Timestamp;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Failures in a row that open it; 0: it never opens.
    pub failures: u32,
    /// How long it stays open before one delivery may try.
    pub rest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { failures: 5, rest: Duration::from_secs(30) }
    }
}

/// A destination's breaker, as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// Nothing is sent before this, where it is open.
    pub open_until: Option<Timestamp>,
    /// Until when one delivery is trying; it speaks for all others.
    pub probing_until: Option<Timestamp>,
    /// Since when it is open.
    pub opened_at: Option<Timestamp>,
}

/// What a breaker says of one more delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    /// Send it.
    Send,
    /// Send it, and nothing else until its end is known.
    Probe,
    /// Not before this.
    Wait(Timestamp),
}

/// What people see of a breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Everything is sent.
    Closed,
    /// Nothing is.
    Open,
    /// One delivery tries.
    HalfOpen,
}

impl State {
    /// The word for it in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Breaker {
    /// Whether a delivery may be sent. One that may try has `patience` for it: a probe whose sender died must not block for ever.
    pub fn pass(&mut self, patience: Duration, now: Timestamp) -> Pass {
        let Some(open_until) = self.open_until else { return Pass::Send };
        let wait = self.probing_until.map_or(open_until, |until| until.max(open_until));
        if now < wait {
            return Pass::Wait(wait);
        }
        self.probing_until = Some(now.plus(patience));
        Pass::Probe
    }

    /// A delivery arrived, or the receiver gave any answer that shows that it is well. Whether the breaker was open until now.
    pub fn succeeded(&mut self) -> bool {
        std::mem::take(self).open_until.is_some()
    }

    /// A delivery failed. Whether the breaker opens by it; one that was open stays so for another rest.
    pub fn failed(&mut self, settings: &Settings, now: Timestamp) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = settings.failures > 0 && self.failures >= settings.failures;
        let was_open = self.open_until.is_some();
        // What was sent before it opened, and fails now, is no news and does not prolong the rest.
        let probed = self.probing_until.take().is_some();
        if opens && (!was_open || probed) {
            self.open_until = Some(now.plus(settings.rest));
            self.opened_at = Some(self.opened_at.unwrap_or(now));
        }
        opens && !was_open
    }

    /// The receiver asked for time, which is neither: a delivery that was trying stops to.
    pub fn asked_for_time(&mut self) {
        self.probing_until = None;
    }

    /// What people see at `now`.
    pub fn state(&self, now: Timestamp) -> State {
        match self.open_until {
            None => State::Closed,
            Some(_) if self.probing_until.is_some_and(|until| now < until) => State::HalfOpen,
            Some(_) => State::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);
    const PATIENCE: Duration = Duration::from_secs(10);

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        let opens: Vec<bool> = (0..5).map(|_| breaker.failed(&Settings::default(), NOW)).collect();
        assert_eq!(opens, [false, false, false, false, true]);
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!breaker.failed(&Settings::default(), NOW));
        }
        assert!(!breaker.succeeded(), "a success in between begins anew");
        for _ in 0..4 {
            breaker.failed(&Settings::default(), NOW);
            assert_eq!(breaker.pass(PATIENCE, NOW), Pass::Send);
        }
        assert!(breaker.failed(&Settings::default(), NOW));
        assert_eq!(breaker.pass(PATIENCE, NOW), Pass::Wait(NOW.plus_seconds(30)));
        assert_eq!(breaker.state(NOW), State::Open);
        let never = Settings { failures: 0, ..Settings::default() };
        let mut breaker = Breaker::default();
        assert!((0..1_000).all(|_| !breaker.failed(&never, NOW)));
        assert_eq!(breaker.pass(PATIENCE, NOW), Pass::Send);
    }

    #[test]
    fn one_tries_and_speaks_for_all() {
        let mut breaker = opened();
        let rested = NOW.plus_seconds(30);
        assert_eq!(breaker.pass(PATIENCE, rested), Pass::Probe);
        assert_eq!(breaker.state(rested), State::HalfOpen);
        assert_eq!(breaker.pass(PATIENCE, rested), Pass::Wait(rested.plus_seconds(10)), "nobody else meanwhile");
        assert!(!breaker.failed(&Settings::default(), rested), "it was open already");
        assert_eq!(breaker.pass(PATIENCE, rested), Pass::Wait(rested.plus_seconds(30)));
        assert_eq!(breaker.pass(PATIENCE, rested.plus_seconds(30)), Pass::Probe);
        assert_eq!(breaker.opened_at, Some(NOW), "since the first of them");
        assert!(breaker.succeeded());
        assert_eq!((breaker, breaker.pass(PATIENCE, rested)), (Breaker::default(), Pass::Send));
    }

    #[test]
    fn a_probe_whose_sender_died_is_made_again() {
        let mut breaker = opened();
        assert_eq!(breaker.pass(PATIENCE, NOW.plus_seconds(30)), Pass::Probe);
        assert_eq!(breaker.state(NOW.plus_seconds(40)), State::Open);
        assert_eq!(breaker.pass(PATIENCE, NOW.plus_seconds(40)), Pass::Probe);
        breaker.asked_for_time();
        assert_eq!(breaker.pass(PATIENCE, NOW.plus_seconds(41)), Pass::Probe, "who asks for time has not failed");
    }

    #[test]
    fn what_was_on_its_way_does_not_prolong_the_rest() {
        let mut breaker = opened();
        assert!(!breaker.failed(&Settings::default(), NOW.plus_seconds(20)));
        assert_eq!(breaker.pass(PATIENCE, NOW.plus_seconds(30)), Pass::Probe);
    }
}
