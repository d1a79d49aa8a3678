//! Where a walk along a table is, and when it goes on. Times are since the process began to walk.

use std::time::Duration;

/// How soon a walk that has reached its end goes on: as time passes, its end moves.
const AGAIN: Duration = Duration::from_secs(60);
const CLOSELY: Duration = Duration::from_secs(5);
/// How often a walk begins anew, for what it passed over: an incident that was open then may be resolved now.
const ANEW: Duration = Duration::from_secs(3600);

/// A walk along a table, from left to right. `K` is the key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk<K> {
    place: K,
    goes_on: Duration,
    began: Duration,
    again: Duration,
    anew: Duration,
}

impl<K: Default> Walk<K> {
    fn every(again: Duration, anew: Duration) -> Self {
        Self { place: K::default(), goes_on: Duration::ZERO, began: Duration::ZERO, again, anew }
    }

    /// Goes on a minute after each end, and begins anew every hour.
    pub fn new() -> Self {
        Self::every(AGAIN, ANEW)
    }

    /// Goes on a minute after each end, and never begins anew: what it passes over will never be otherwise.
    pub fn onward() -> Self {
        Self::every(AGAIN, Duration::MAX)
    }

    /// Begins anew every hour.
    pub fn hourly() -> Self {
        Self::every(ANEW, Duration::ZERO)
    }

    /// Goes on a few seconds after each end: what goes for want of room must go as fast as other comes.
    pub fn closely() -> Self {
        Self::every(CLOSELY, ANEW)
    }

    /// The key of the row that was passed last; its default at the beginning.
    pub fn place(&self) -> &K {
        &self.place
    }

    /// Whether it is time to go on.
    pub fn is_due(&self, now: Duration) -> bool {
        self.goes_on <= now
    }

    /// Passes everything up to `place`.
    pub fn pass(&mut self, place: K) {
        self.place = place;
    }

    /// There is nothing more for now.
    pub fn end(&mut self, now: Duration) {
        self.goes_on = now + self.again;
        if self.began.saturating_add(self.anew) <= now {
            self.place = K::default();
            self.began = now;
        }
    }
}

impl<K: Default> Default for Walk<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_goes_on_where_it_stopped_and_begins_anew_every_hour() {
        let mut walk: Walk<String> = Walk::new();
        assert!(walk.is_due(at(0)) && walk.place().is_empty());
        walk.pass("b".into());
        walk.end(at(10));
        assert!(!walk.is_due(at(69)) && walk.is_due(at(70)));
        assert_eq!(walk.place(), "b", "what was passed is not looked at again");
        walk.pass("c".into());
        walk.end(at(3600));
        assert!(walk.place().is_empty(), "but every hour it is");
        walk.pass("d".into());
        walk.end(at(3700));
        assert_eq!(walk.place(), "d");
    }

    #[test]
    fn one_that_only_goes_on_never_comes_back() {
        let mut walk: Walk<String> = Walk::onward();
        walk.pass("b".into());
        walk.end(at(1_000_000));
        assert_eq!(walk.place(), "b");
        let mut close: Walk<i64> = Walk::closely();
        close.end(at(10));
        assert!(close.is_due(at(15)));
    }

    #[test]
    fn an_hourly_walk_is_whole_each_time() {
        let mut walk: Walk<String> = Walk::hourly();
        walk.pass("b".into());
        walk.end(at(10));
        assert!(walk.place().is_empty() && !walk.is_due(at(3609)) && walk.is_due(at(3610)));
    }
}
