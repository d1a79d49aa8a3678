//! What of a rule is asked here until [`crate::delivery::rule`] answers it.

use std::time::Duration;

use crate::delivery::message::{Message, Occasion};
use crate::delivery::rule::{Rule, Window};
use crate::time::Timestamp;

pub struct Seen<'a> {
    pub message: &'a Message,
    pub occasion: Occasion,
}

pub enum Answer {
    No,
    Yes { notes: Vec<String> },
}

pub fn wants(rule: &Rule, seen: &Seen<'_>) -> Answer {
    if !rule.enabled || !rule.events.iter().any(|asked| asked.occasion == seen.occasion) {
        return Answer::No;
    }
    let (service, integration) = match (&seen.message.incident, &seen.message.change) {
        (Some(incident), _) => {
            if rule.severity_floor.is_some_and(|floor| incident.severity < floor) {
                return Answer::No;
            }
            (&incident.service.id, &incident.integration.id)
        }
        (None, Some(change)) => (&change.service.id, &change.integration.id),
        (None, None) => return Answer::No,
    };
    let among = |list: &[String], id: &String| list.is_empty() || list.contains(id);
    if among(&rule.services, service) && among(&rule.integrations, integration) {
        Answer::Yes { notes: Vec::new() }
    } else {
        Answer::No
    }
}

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
