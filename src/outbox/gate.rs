//! What of a rule is asked here until [`crate::delivery::rule`] answers it.

use std::time::Duration;

use crate::delivery::rule::Window;
use crate::time::Timestamp;

pub fn quiet_until(_windows: &[Window], _now: Timestamp) -> Option<Timestamp> {
    None
}

#[derive(Default)]
pub struct Pace(Option<Timestamp>);

impl Pace {
    pub fn admit(&mut self, per_minute: u32, now: Timestamp) -> Result<(), Timestamp> {
        let each = Duration::from_secs(60) / per_minute.max(1);
        let at = self.0.map_or(now, |at| at.max(now));
        if at > now.plus(Duration::from_secs(60).saturating_sub(each)) {
            return Err(Timestamp(at.0 - 60_000_000 + i64::try_from(each.as_micros()).unwrap_or(0)));
        }
        self.0 = Some(at.plus(each));
        Ok(())
    }
}
