//! What is told when a hold ends: how things stand, if that is news.

use crate::delivery::message::{Message, Occasion};
use crate::delivery::thread::{self, State};
use crate::id::{self, Kind};
use crate::incident::Status;
use crate::store::incidents::Incident;
use crate::store::outbox::{NewDelivery, Page, Progress, Thread, lane, read, route, waiting};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

use super::message::{self, Context};

/// Threads whose holds are settled in one transaction.
const MOST: i64 = 200;

/// What a receiver knows, as its thread has it.
pub fn told(thread: &Thread) -> Option<State> {
    let status = thread.told_status.as_deref().and_then(Status::parse)?;
    let severity = thread.told_severity.as_deref().and_then(crate::event::Severity::parse)?;
    Some(State { status, severity })
}

/// What of an incident's present is news to its receiver.
pub fn news(thread: &Thread, row: &Incident) -> Vec<Occasion> {
    thread::catch_up(told(thread), thread.in_doubt != 0, message::state(row))
}

/// Ends the holds that are over; in a transaction. The destinations that have something to do by it, and whether there may be more.
///
/// # Errors
/// A statement failed.
pub fn settle(conn: &mut Conn, context: &Context<'_>, now: Timestamp) -> Result<(Vec<String>, bool)> {
    let over = route::held_until(conn, now.0, MOST)?;
    let more = over.len() >= usize::try_from(MOST).unwrap_or(usize::MAX);
    let numbers: Vec<i64> = over.iter().filter_map(|thread| thread.incident_id).collect();
    let incidents = read::incidents(conn, &numbers)?;
    let mut deliveries: Vec<NewDelivery> = Vec::new();
    let (mut merged, mut threads, mut woken, mut pages) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for mut thread in over {
        let waiting = waiting::unfinished(conn, &thread.destination_id, &[thread.subject.as_str()])?;
        merged.extend(waiting.into_iter().map(|delivery| Progress {
            status: "skipped",
            reason: Some("it waited, and is part of what was told at the end".to_owned()),
            attempts: delivery.attempts,
            failures: delivery.failures,
            finished_at: Some(now.0),
            id: delivery.id,
        }));
        let row = thread.incident_id.and_then(|number| incidents.iter().find(|row| id::number(&row.id) == number));
        let before = deliveries.len();
        for message in row.map_or_else(Vec::new, |row| at_the_end(context, &thread, row, now)) {
            deliveries.push(delivery(&thread, thread.subject.clone(), message.event, &message, now));
        }
        // What waited for the end of a dedupe window begins the next one.
        if let (Some("dedupe"), Some(rule_id), Some(row), true) =
            (thread.held_by.as_deref(), &thread.rule_id, row, deliveries.len() > before)
        {
            let (integration_id, dedup_key) = (row.integration_id.clone(), row.dedup_key.clone());
            pages.push(Page { rule_id: rule_id.clone(), integration_id, dedup_key, paged_at: now.0 });
        }
        thread.due_at = (deliveries.len() > before).then_some(now.0);
        if thread.due_at.is_some() {
            woken.push(thread.destination_id.clone());
        }
        thread.updated_at = now.0;
        threads.push(thread);
    }
    lane::progressed(conn, &merged)?;
    route::write(conn, &route::Plan { deliveries, pages, ..route::Plan::default() })?;
    route::settled(conn, &threads)?;
    woken.sort();
    woken.dedup();
    Ok((woken, more))
}

/// What a receiver is told when a hold of its thread ends at `now`: how things stand, if that is news to it.
pub fn at_the_end(context: &Context<'_>, thread: &Thread, row: &Incident, now: Timestamp) -> Vec<Message> {
    let wanted: Vec<Occasion> = thread.wants.split(',').filter_map(Occasion::parse).collect();
    let steps = news(thread, row).into_iter().filter(|occasion| wanted.contains(occasion));
    let late = |occasion| {
        let mut message = message::of_incident(context, row, occasion, now);
        message.notes.push(waited(thread.held_by.as_deref()));
        message
    };
    steps.map(late).collect()
}

fn waited(why: Option<&str>) -> String {
    let why = match why {
        Some("quiet") => "quiet hours",
        Some("dedupe") => "the dedupe window of its rule",
        Some("limit") => "the limit of its rule",
        _ => "a hold",
    };
    format!("Told late: it waited for the end of {why}")
}

/// A delivery of a thread.
pub fn delivery(thread: &Thread, subject: String, occasion: Occasion, message: &Message, now: Timestamp) -> NewDelivery {
    NewDelivery {
        id: id::new(Kind::Delivery),
        tenant_id: thread.tenant_id.clone(),
        destination_id: thread.destination_id.clone(),
        subject,
        rule_id: thread.rule_id.clone(),
        incident_id: thread.incident_id,
        event_id: None,
        event: occasion.as_str(),
        message: serde_json::to_string(message).unwrap_or_default(),
        created_at: now.0,
    }
}
