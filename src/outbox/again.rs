//! Dead letters, taken up again or dropped by people.
//!
//! What was given up may be overtaken: the incident has gone on, or the destination was told since. So what is told again is how things
//! stand now, under the same id where it is still the same thing to say, and nothing where the destination knows already.

use super::message::{self, Context};
use super::settle::{delivery, news};
use crate::delivery::message::Occasion;
use crate::store::outbox::{Delivery, NewDelivery, Thread, again, read, route};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// What became of a dead letter that was to be told again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// It waits to be sent, under its id.
    Queued,
    /// Something newer waits to be sent in its place.
    Replaced,
    /// The destination knows how things stand, or was never told of what is over by now.
    Overtaken,
}

/// Takes a dead letter up again; in a transaction.
///
/// # Errors
/// A statement failed.
pub fn retry(conn: &mut Conn, context: &Context<'_>, letter: &Delivery, by: &str, now: Timestamp) -> Result<Again> {
    let known = read::thread(conn, &letter.destination_id, &letter.subject)?;
    let mut thread = known.unwrap_or_else(|| Thread {
        wants: Occasion::ALL.map(Occasion::as_str).join(","),
        ..Thread::new(&letter.tenant_id, &letter.destination_id, &letter.subject, letter.incident_id, letter.rule_id.as_deref())
    });
    thread.updated_at = now.0;
    thread.due_at = Some(now.0);
    let incident = match letter.incident_id {
        Some(number) => read::incidents(conn, &[number])?.pop(),
        None => None,
    };
    let reason = format!("taken up again by {by}");
    let Some(row) = incident else {
        // A change or a test: it says the same as ever.
        again::queue(conn, &letter.id, &letter.message, &reason, now.0)?;
        route::write(conn, &route::Plan { threads: vec![thread], ..route::Plan::default() })?;
        return Ok(Again::Queued);
    };
    let steps = news(&thread, &row);
    let Some(first) = steps.first().copied() else {
        again::end(conn, &letter.id, "there is nothing left to tell of it", now.0)?;
        return Ok(Again::Overtaken);
    };
    let same = first.as_str() == letter.event;
    let mut deliveries: Vec<NewDelivery> = Vec::new();
    for occasion in steps.into_iter().skip(usize::from(same)) {
        let message = message::of_incident(context, &row, occasion, now);
        deliveries.push(delivery(&thread, row.id.clone(), occasion, &message, now));
    }
    if same {
        let message = message::of_incident(context, &row, first, now);
        let message = serde_json::to_string(&message).unwrap_or_else(|_| letter.message.clone());
        again::queue(conn, &letter.id, &message, &reason, now.0)?;
    } else {
        again::end(conn, &letter.id, "something newer was told in its place", now.0)?;
    }
    route::write(conn, &route::Plan { deliveries, threads: vec![thread], ..route::Plan::default() })?;
    Ok(if same { Again::Queued } else { Again::Replaced })
}
