//! When a delivery is tried again, and when it is given up.
//!
//! What an answer means follows RFC 9110 (<https://www.rfc-editor.org/rfc/rfc9110#section-15>): 408, 425, 429 and 5xx may pass, any
//! other 4xx will be the same next time, and a redirect is not followed, because it could lead inside. The wait doubles and is drawn
//! at random from all of it ("full jitter"), so that what failed together does not come again together.

use std::time::Duration;

use crate::time::Timestamp;

/// How stubbornly a delivery is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The longest first wait.
    pub first: Duration,
    /// The longest wait of all.
    pub cap: Duration,
    /// Attempts in all; `None`: as many as fit into `age`.
    pub attempts: Option<u32>,
    /// How old a delivery may become.
    pub age: Duration,
    /// How far ahead a receiver may put its next attempt with `Retry-After`.
    pub patience: Duration,
    /// Whether 404 disables the destination as 410 does.
    pub gone_on_404: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(600),
            attempts: None,
            age: Duration::from_secs(24 * 3600),
            patience: Duration::from_secs(3600),
            gone_on_404: false,
        }
    }
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// An HTTP status, and what `Retry-After` said.
    Status(u16, Option<String>),
    /// No answer: it could not be resolved or reached, TLS failed, it took too long.
    None,
}

/// What an attempt's answer asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It arrived.
    Delivered,
    /// Not now.
    Later {
        /// Not before this.
        after: Option<Duration>,
        /// Whether the receiver is in trouble; one that only asks for time is not, and it costs no attempt.
        failed: bool,
    },
    /// Never.
    Refused,
    /// The receiver says that it is there no longer.
    Gone,
}

impl Policy {
    /// What `answer` asks for.
    pub fn judge(&self, answer: &Answer, now: Timestamp) -> Verdict {
        let Answer::Status(status, retry_after) = answer else {
            return Verdict::Later { after: None, failed: true };
        };
        let after = || retry_after.as_deref().and_then(|text| wait(text, now)).map(|wait| wait.min(self.patience));
        match status {
            200..=299 => Verdict::Delivered,
            429 => Verdict::Later { after: after(), failed: false },
            408 | 425 | 500..=599 => Verdict::Later { after: after(), failed: true },
            410 => Verdict::Gone,
            404 if self.gone_on_404 => Verdict::Gone,
            400..=499 => Verdict::Refused,
            // A redirect, which is not followed, or no answer of HTTP's: set right by people, perhaps soon.
            _ => Verdict::Later { after: None, failed: true },
        }
    }

    /// When a delivery made at `created_at` is tried again after `failures` failed attempts, the last at `now`; `None`: it is given up.
    /// `random` is from 0 to 1.
    pub fn next(
        &self,
        created_at: Timestamp,
        failures: u32,
        after: Option<Duration>,
        random: f64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.attempts.is_some_and(|attempts| failures >= attempts) {
            return None;
        }
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(31)));
        let jittered = doubled.min(self.cap).mul_f64(random.clamp(0.0, 1.0));
        let due = now.plus(jittered.max(after.unwrap_or_default()));
        let last = created_at.plus(self.age);
        // The last attempt is made when the time is up, however long the wait would be.
        if now >= last { None } else { Some(due.min(last)) }
    }
}

/// The wait that a `Retry-After` asks for: seconds, or a date of HTTP (<https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>). What is
/// neither says nothing, nor does a date that is past.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let seconds = u64::try_from(date.as_second() - now.seconds()).ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);

    fn judged(status: u16, retry_after: Option<&str>) -> Verdict {
        Policy::default().judge(&Answer::Status(status, retry_after.map(str::to_owned)), NOW)
    }

    #[test]
    fn what_an_answer_asks_for() {
        let later = Verdict::Later { after: None, failed: true };
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judged(status, None), Verdict::Delivered);
        }
        for status in [408, 425, 500, 502, 503, 504, 599, 301, 302, 307, 308, 304, 100, 999] {
            assert_eq!(judged(status, None), later, "{status}");
        }
        for status in [400, 401, 403, 404, 405, 413, 422, 451] {
            assert_eq!(judged(status, None), Verdict::Refused, "{status}");
        }
        assert_eq!(judged(429, None), Verdict::Later { after: None, failed: false });
        assert_eq!(judged(410, None), Verdict::Gone);
        let strict = Policy { gone_on_404: true, ..Policy::default() };
        assert_eq!(strict.judge(&Answer::Status(404, None), NOW), Verdict::Gone);
        assert_eq!(Policy::default().judge(&Answer::None, NOW), later);
    }

    #[test]
    fn a_receiver_may_ask_for_time_but_not_for_ever() {
        let after = |text| match judged(429, Some(text)) {
            Verdict::Later { after, failed: false } => after.map(|wait| wait.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(after("10"), Some(10));
        assert_eq!(after(" 0 "), Some(0));
        assert_eq!(after("315360000"), Some(3600), "ten years");
        assert_eq!(after("99999999999999999999999"), Some(3600));
        assert_eq!(after("Sun, 15 Jun 2025 15:07:00 GMT"), Some(20));
        assert_eq!(after("Sun, 15 Jun 2025 15:00:00 GMT"), None, "it is past");
        for junk in ["", "-5", "soon", "1.5", "10 s", "2025-06-15"] {
            assert_eq!(after(junk), None, "{junk}");
        }
    }

    #[test]
    fn the_wait_doubles_up_to_the_cap_and_ends_with_the_age() {
        let policy = Policy::default();
        let at = |failures, random, after, now| policy.next(NOW, failures, after, random, now);
        let wait = |failures| at(failures, 1.0, None, NOW).unwrap().seconds() - NOW.seconds();
        assert_eq!([1, 2, 3, 10, 11, 40, u32::MAX].map(wait), [1, 2, 4, 512, 600, 600, 600]);
        assert_eq!(at(5, 0.0, None, NOW), Some(NOW), "all of it is jitter");
        assert_eq!(at(1, 0.0, Some(Duration::from_secs(30)), NOW), Some(NOW.plus_seconds(30)));
        let (late, last) = (NOW.plus_seconds(24 * 3600 - 5), NOW.plus_seconds(24 * 3600));
        assert_eq!(at(40, 1.0, None, late), Some(last), "one attempt more when the time is up");
        assert_eq!(at(41, 1.0, None, last), None);
        let thrice = Policy { attempts: Some(3), ..policy };
        assert!(thrice.next(NOW, 2, None, 0.5, NOW).is_some());
        assert_eq!(thrice.next(NOW, 3, None, 0.5, NOW), None);
    }

    proptest! {
        #[test]
        fn no_attempt_is_due_in_the_past_or_after_the_end(
            failures in 0_u32.., random in -1.0..2.0_f64, after in proptest::option::of(0_u64..1 << 40), age in 0_i64..200_000,
        ) {
            let policy = Policy::default();
            let now = NOW.plus_seconds(age);
            match policy.next(NOW, failures, after.map(Duration::from_secs), random, now) {
                Some(due) => prop_assert!(due >= now && due <= NOW.plus_seconds(24 * 3600)),
                None => prop_assert!(age >= 24 * 3600),
            }
        }
    }
}
