//! Durations as people write them: `90s`, `5m`, `24h`, `7d`, and `off` for none.

/// Units from the largest to the smallest, in seconds.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Seconds of a text like `90s`, `5m`, `24h` or `7d`; `off` is 0. `None` for anything else, and for what does not fit.
pub fn parse(text: &str) -> Option<i64> {
    if text == "off" {
        return Some(0);
    }
    let (_, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
    let digits = text.trim_end_matches(|end: char| end.is_ascii_alphabetic());
    let whole = digits.len() + 1 == text.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| digits.parse::<i64>().ok()?.checked_mul(seconds)).flatten()
}

/// The shortest exact text: in the largest unit that divides it; `off` for 0 and below.
pub fn print(seconds: i64) -> String {
    if seconds <= 0 {
        return "off".to_owned();
    }
    let (unit, size) = UNITS.into_iter().find(|(_, size)| seconds % size == 0).unwrap_or(('s', 1));
    format!("{}{unit}", seconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("24h", 86_400), ("7d", 604_800), ("off", 0)] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
        for bad in ["", "5", "m", "-5m", "5 m", "5mm", "5M", "1.5h", "9223372036854775807d"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!([print(0), print(90), print(300), print(86_400), print(90_000)], ["off", "90s", "5m", "1d", "25h"]);
    }
}
