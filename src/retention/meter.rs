//! Bytes that a table holds, counted once and then kept up to date.
//!
//! A count walks the table from left to right; what comes is counted as the walk goes on, what goes is taken off. Only whoever
//! removes rows may keep a meter.

/// A running sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// The last row that was counted.
    counted: i64,
    bytes: u64,
    /// Whether the walk has been at the right edge: before that the sum says nothing.
    complete: bool,
}

impl Meter {
    /// The last row that was counted; the walk goes on after it.
    pub fn counted(&self) -> i64 {
        self.counted
    }

    /// What is held; `None` until everything has been counted once.
    pub fn bytes(&self) -> Option<u64> {
        self.complete.then_some(self.bytes)
    }

    /// Adds rows up to the row `last`.
    pub fn add(&mut self, bytes: u64, last: i64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.counted = last;
    }

    /// The walk is at the right edge.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// Takes off what the row `id` held, if it was counted.
    pub fn take(&mut self, id: i64, bytes: u64) {
        if id <= self.counted {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }

    /// How much more is held than `bound`; 0 is no bound.
    pub fn excess(&self, bound: u64) -> u64 {
        if bound > 0 && self.complete { self.bytes.saturating_sub(bound) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_added_and_what_goes_is_taken_off() {
        let mut meter = Meter::default();
        meter.add(100, 3);
        assert_eq!((meter.bytes(), meter.excess(50)), (None, 0), "not all is counted yet");
        // Removed before it was counted, so never added.
        meter.take(5, 40);
        meter.take(1, 10);
        meter.add(30, 9);
        meter.complete();
        assert_eq!(meter.bytes(), Some(120));
        assert_eq!([119, 120, 121, 0].map(|bound| meter.excess(bound)), [1, 0, 0, 0]);
        meter.take(9, 500);
        assert_eq!(meter.bytes(), Some(0));
    }
}
