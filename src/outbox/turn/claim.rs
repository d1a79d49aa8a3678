//! What is due is claimed, as far as the receiver is to be told anything now.

use std::collections::HashMap;

use super::standing::{breaker_of, keep};
use super::{Outcome, Turn, Work};
use crate::delivery::breaker::Pass;
use crate::id;
use crate::outbox::message;
use crate::store::outbox::{Breaker as Kept, Delivery, Thread, Turned, lane, read, waiting};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// A minute in microseconds.
const MINUTE: i64 = 60_000_000;

impl Turn {
    /// Claims what is due, as far as the receiver is to be told anything now.
    pub(super) fn claim(&self, conn: &mut Conn, kept: &mut Kept, outcome: &mut Outcome) -> Result<()> {
        let now = self.now;
        if let Some(until) = kept.paused_until.filter(|until| *until > now.0) {
            outcome.next = Some(Timestamp(until));
            return Ok(());
        }
        kept.paused_until = None;
        let Some(first) = waiting::next_due(conn, &self.destination.id)? else { return Ok(()) };
        if first > now.0 {
            outcome.next = Some(Timestamp(first));
            return Ok(());
        }
        let mut breaker = breaker_of(kept);
        let most = match breaker.pass(self.patience, now) {
            Pass::Send => self.free,
            Pass::Probe => 1,
            Pass::Wait(until) => {
                outcome.skipped = lane::put_off(conn, &self.destination.id, now.0, until.0)?;
                kept.skipped = kept.skipped.saturating_add(i64::try_from(outcome.skipped).unwrap_or(i64::MAX));
                outcome.next = Some(until);
                return Ok(());
            }
        };
        let (most, wait) = self.paced(kept, most);
        if most == 0 {
            outcome.next = wait;
            return Ok(());
        }
        let until = now.0.saturating_add(self.lease_for);
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let threads = lane::claim(conn, &self.destination.id, &self.lease, now.0, until, limit)?;
        self.heads(conn, threads, kept, outcome)?;
        if outcome.work.is_empty() {
            // Nobody probes after all.
            outcome.next = Some(now);
        } else {
            keep(&breaker, kept);
            self.spend(kept, outcome.work.len());
            outcome.next = waiting::next_due(conn, &self.destination.id)?.map(Timestamp);
        }
        Ok(())
    }

    /// The oldest delivery of each thread; what need not be told any more is left out.
    fn heads(&self, conn: &mut Conn, threads: Vec<Thread>, kept: &Kept, outcome: &mut Outcome) -> Result<()> {
        let subjects: Vec<&str> = threads.iter().map(|thread| thread.subject.as_str()).collect();
        let mut waiting: HashMap<String, Vec<Delivery>> = HashMap::new();
        for delivery in waiting::unfinished(conn, &self.destination.id, &subjects)? {
            waiting.entry(delivery.subject.clone()).or_default().push(delivery);
        }
        let (mut skipped, mut turned) = (Vec::new(), Vec::new());
        for mut thread in threads {
            let on_hold = thread.held_until.is_some();
            let deliveries = waiting.remove(&thread.subject).unwrap_or_default();
            let deliveries = if on_hold { Vec::new() } else { self.left(&thread, deliveries, kept, &mut skipped) };
            match deliveries.into_iter().next() {
                Some((delivery, message)) => outcome.work.push(Work { thread, delivery, message }),
                None => {
                    thread.due_at = None;
                    turned.push(Turned { thread, lease: self.lease.clone() });
                }
            }
        }
        lane::progressed(conn, &skipped)?;
        lane::give_back(conn, &turned)?;
        if self.destination.wants_details() { add_details(conn, &mut outcome.work) } else { Ok(()) }
    }

    /// How many messages the limit of the destination admits now, and when the next where that is none.
    fn paced(&self, kept: &Kept, most: usize) -> (usize, Option<Timestamp>) {
        let Some(per_minute) = self.destination.per_minute else { return (most, None) };
        let each = MINUTE / i64::from(per_minute.max(1));
        let spent = kept.paced_at.unwrap_or(0).max(self.now.0);
        let room = (self.now.0 + MINUTE - spent) / each;
        let admitted = usize::try_from(room.max(0)).unwrap_or(0).min(most);
        (admitted, (admitted == 0).then_some(Timestamp(spent + each - MINUTE)))
    }

    fn spend(&self, kept: &mut Kept, messages: usize) {
        let Some(per_minute) = self.destination.per_minute else { return };
        let each = MINUTE / i64::from(per_minute.max(1));
        let spent = i64::try_from(messages).unwrap_or(i64::MAX).saturating_mul(each);
        kept.paced_at = Some(kept.paced_at.unwrap_or(0).max(self.now.0).saturating_add(spent));
    }
}

/// What a tool said besides: it is not kept with a delivery, and read as it is now.
fn add_details(conn: &mut Conn, work: &mut [Work]) -> Result<()> {
    let numbers: Vec<i64> = work.iter().filter_map(|work| work.delivery.incident_id).collect();
    let rows: HashMap<i64, _> = read::incidents(conn, &numbers)?.into_iter().map(|row| (id::number(&row.id), row)).collect();
    for work in work {
        let row = work.delivery.incident_id.and_then(|number| rows.get(&number));
        if let (Some(incident), Some(row)) = (&mut work.message.incident, row) {
            incident.details = Some(message::details(row));
        }
    }
    Ok(())
}
