//! Points in time: microseconds since the Unix epoch, and the clock they are read from.
//!
//! Owns parsing of the ISO 8601 family that senders use and the one format that we print. Nothing below the edge reads the
//! system's clock: `now` is a parameter, and [`Clock`] is handed in by whoever wires the service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z. Stored as BIGINT, printed as RFC 3339 UTC with six decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

/// What an ISO 8601 text said: the moment, and whether the text named an offset from UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The moment; a text without an offset is read as UTC.
    pub at: Timestamp,
    /// Whether the text carried `Z` or a numeric offset. Without one the moment is for show, never for ordering.
    pub has_offset: bool,
}

/// One second in the unit of [`Timestamp`].
pub const SECOND: i64 = 1_000_000;

impl Timestamp {
    /// The moment `seconds` later (earlier when negative), saturating at the ends of the range.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(SECOND)))
    }

    /// This moment and a duration later, or the last moment there is.
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// From whole seconds since the epoch, saturating.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// Reads the ISO 8601 family that PagerDuty accepts: a date, optionally with a time (to minutes or finer, up to nanoseconds)
    /// and an offset (`Z`, `+0000`, `+00:00`, `-07`). `None` for anything else, and for moments outside the years -9999 to 9999.
    /// Source: <https://developer.pagerduty.com/docs/types#datetime>.
    pub fn parse(text: &str) -> Option<Parsed> {
        let text = text.trim();
        let pieces = Pieces::parse(text).ok()?;
        if pieces.time_zone_annotation().is_some() {
            return None;
        }
        let offset = pieces.to_numeric_offset();
        let time = pieces.time().unwrap_or_else(jiff::civil::Time::midnight);
        let local = pieces.date().to_datetime(time);
        let at = offset.unwrap_or(Offset::UTC).to_timestamp(local).ok()?;
        Some(Parsed { at: Self(at.as_microsecond()), has_offset: offset.is_some() })
    }

    /// A source's time when it may be used for ordering: with an offset, not zero (year 1 or the epoch), and not more than five
    /// minutes ahead of `received_at`. Everything else is `None`, and arrival decides.
    pub fn trusted(parsed: Option<Parsed>, received_at: Timestamp) -> Option<Timestamp> {
        let Parsed { at, has_offset } = parsed?;
        at.trusted_at(received_at).filter(|_| has_offset)
    }

    /// As [`Timestamp::trusted`], for a number that has no offset to lack.
    pub fn trusted_at(self, received_at: Timestamp) -> Option<Timestamp> {
        (self.0 > 0 && self <= received_at.plus_seconds(300)).then_some(self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => write!(f, "{at:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .map(|parsed| parsed.at)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not an ISO 8601 time")))
    }
}

/// Where the service reads the time: the system's clock, or one that a test moves by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is set; every clone shows the same time.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at`.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.0)))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp(jiff::Timestamp::now().as_microsecond()),
            Self::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock by `seconds`; the system's clock is left alone.
    pub fn advance(&self, seconds: i64) {
        if let Self::Manual(at) = self {
            at.fetch_add(seconds.saturating_mul(SECOND), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_of_iso_8601_that_senders_use() {
        let cases = [
            ("2015-07-17T08:42:58.315+0000", Some((1_437_122_578_315_000, true))),
            ("2011-05-06T17:00Z", Some((1_304_701_200_000_000, true))),
            ("2011-05-06T03:30-07", Some((1_304_677_800_000_000, true))),
            ("2011-05-06", Some((1_304_640_000_000_000, false))),
            ("2014-11-12T11:45:26.371000000Z", Some((1_415_792_726_371_000, true))),
            ("2026-01-01T00:00:00", Some((1_767_225_600_000_000, false))),
            ("2021-10-22 5:01:32", None),
            ("yesterday", None),
            ("", None),
            ("1700000000", None),
        ];
        for (text, expected) in cases {
            let got = Timestamp::parse(text).map(|parsed| (parsed.at.0, parsed.has_offset));
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_ordered_by_is_unknown() {
        let now = Timestamp::from_seconds(1_000_000_000);
        let at = |text: &str| Timestamp::trusted(Timestamp::parse(text), now);
        assert_eq!(at("0001-01-01T00:00:00Z"), None);
        assert_eq!(at("1970-01-01T00:00:00Z"), None);
        assert_eq!(at("2001-09-09T01:46:40"), None, "no offset");
        assert_eq!(at("2001-09-09T01:51:41Z"), None, "301 s ahead");
        assert_eq!(at("2001-09-09T01:51:40Z"), Some(now.plus_seconds(300)));
    }

    #[test]
    fn printing_is_rfc_3339_with_microseconds() {
        assert_eq!(Timestamp(1_437_122_578_315_000).to_string(), "2015-07-17T08:42:58.315000Z");
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
    }
}
