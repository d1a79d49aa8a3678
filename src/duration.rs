//! Lengths of time as people write them in settings: `90s`, `5m`, `24h`, `7d`, `off`.
//!
//! Owns the one text form that the configuration file, the API and the command line share. Knows nothing of what is timed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in whole seconds, at most ten years; zero is "off".
///
/// Printed with the largest unit that divides it exactly: 86,400 seconds are `1d`, 5,400 are `90m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(u32);

/// Seconds a unit, the largest first.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Span {
    /// Nothing is timed.
    pub const OFF: Self = Self(0);
    /// The longest: 3,650 days. Far below where microseconds in an `i64` end, far above what anybody waits for.
    pub const MAX: Self = Self(3_650 * 86_400);

    /// From seconds; `None` above [`Span::MAX`].
    pub const fn from_seconds(seconds: u32) -> Option<Self> {
        if seconds <= Self::MAX.0 { Some(Self(seconds)) } else { None }
    }

    /// The length in seconds; zero when off.
    pub const fn seconds(self) -> i64 {
        self.0 as i64
    }

    /// Whether nothing is timed.
    pub const fn is_off(self) -> bool {
        self.0 == 0
    }
}

/// The text of a number of seconds as it is stored: zero and below are `off`.
pub fn print(seconds: i64) -> String {
    Span(u32::try_from(seconds).unwrap_or(0)).to_string()
}

/// Why a text is not a length of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpanError {
    /// Not a number and a unit.
    #[error("not a length of time: write a whole number and a unit (90s, 5m, 24h, 7d), or off")]
    Form,
    /// Longer than [`Span::MAX`].
    #[error("longer than 3650d")]
    TooLong,
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let text = text.trim();
        if text == "off" {
            return Ok(Self::OFF);
        }
        let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit)).ok_or(SpanError::Form)?;
        let digits = text.strip_suffix(unit).filter(|digits| is_digits(digits)).ok_or(SpanError::Form)?;
        // All digits, so the only way to fail is to be too large.
        let count: u32 = digits.parse().map_err(|_| SpanError::TooLong)?;
        count.checked_mul(seconds).and_then(Self::from_seconds).ok_or(SpanError::TooLong)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_off() {
            return f.write_str("off");
        }
        let (unit, seconds) = UNITS.into_iter().find(|(_, seconds)| self.0.is_multiple_of(*seconds)).unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.0 / seconds)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_or_off() {
        for (text, seconds) in
            [("90s", 90), ("5m", 300), ("24h", 86_400), ("7d", 604_800), ("off", 0), ("0s", 0), (" 1h ", 3_600)]
        {
            assert_eq!(text.parse::<Span>().unwrap().seconds(), seconds, "{text}");
        }
        for text in ["", "s", "5", "-5m", "+5m", "1.5h", "5 m", "5M", "1h30m", "OFF", "m5", "٥m"] {
            assert_eq!(text.parse::<Span>().unwrap_err(), SpanError::Form, "{text}");
        }
        for text in ["3651d", "4294967295d", "99999999999999999999s"] {
            assert_eq!(text.parse::<Span>().unwrap_err(), SpanError::TooLong, "{text}");
        }
        assert_eq!("3650d".parse(), Ok(Span::MAX));
    }

    #[test]
    fn printed_in_the_largest_unit_that_is_exact() {
        let cases =
            [(0, "off"), (1, "1s"), (90, "90s"), (300, "5m"), (5_400, "90m"), (86_400, "1d"), (90_000, "25h"), (604_800, "7d")];
        for (seconds, text) in cases {
            let span = Span::from_seconds(seconds).unwrap();
            assert_eq!(span.to_string(), text);
            assert_eq!(text.parse(), Ok(span));
        }
    }

    #[test]
    fn json_is_the_text() {
        let span: Span = serde_json::from_str("\"24h\"").unwrap();
        assert_eq!(serde_json::to_string(&span).unwrap(), "\"1d\"");
        assert!(serde_json::from_str::<Span>("86400").is_err());
    }
}
