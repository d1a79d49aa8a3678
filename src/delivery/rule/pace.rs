//! How often: the arithmetic of rate limits and dedupe windows. Whoever calls keeps the state, a moment each, in a row.

use std::time::Duration;

use super::Rule;
use crate::time::{SECOND, Timestamp};

/// What has been sent under a limit: a bucket of as many messages as go out in a minute, which fills evenly.
///
/// The generic cell rate algorithm: one moment is the whole state (<https://www.itu.int/rec/T-REC-I.371>, annex A).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pace {
    /// When the bucket is full again, if nothing more is sent.
    pub full_at: Timestamp,
}

impl Pace {
    /// Takes a message of `per_minute` out of the bucket.
    ///
    /// # Errors
    /// It is empty; when there will be one.
    pub fn admit(&mut self, per_minute: u32, now: Timestamp) -> Result<(), Timestamp> {
        let count = i64::from(per_minute.max(1));
        let each = (60 * SECOND).div_euclid(count).max(1);
        // An empty bucket is full a minute from now. What lies further ahead was written before the clock was set back, and is void.
        let full_at = match self.full_at.0 {
            full_at if full_at > now.0.saturating_add(each.saturating_mul(count)) => now.0,
            full_at => full_at.max(now.0),
        };
        let free_at = full_at.saturating_sub(each.saturating_mul(count - 1));
        if now.0 < free_at {
            return Err(Timestamp(free_at));
        }
        self.full_at = Timestamp(full_at.saturating_add(each));
        Ok(())
    }
}

impl Rule {
    /// Until when a further page of a key waits, after the last one that was not held went out at `paged_at`.
    pub fn deduped_until(&self, paged_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let window = self.dedupe_window.filter(|window| *window > Duration::ZERO)?;
        // A page far ahead was written before the clock was set back: rather page twice than not.
        let until = paged_at.filter(|paged_at| *paged_at < now.plus(window))?.plus(window);
        (now < until).then_some(until)
    }
}
