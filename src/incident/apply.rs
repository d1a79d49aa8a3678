//! The rules of the lifecycle.

use super::evidence::{Evidence, Field};
use super::{Actor, Arrival, Incident, KeyState, Notice, Outcome, Report, Shown, Status, Tombstone};
use crate::event::{Action, Severity};
use crate::provider::Clock;
use crate::time::{SECOND, Timestamp};

/// How long the last resolve of a key is remembered for ordering.
pub const TOMBSTONE_SECONDS: i64 = 24 * 3600;
/// How long after a tool's resolve a trigger of the same episode counts as late rather than as a re-fire. Alertmanager repeats
/// `startsAt` when an alert comes back after a network split, so a longer guard would lose pages.
pub const EPISODE_GUARD_SECONDS: i64 = 30;

/// What one report did to its key.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// What it did.
    pub outcome: Outcome,
    /// The incident it belongs to.
    pub incident_id: Option<String>,
    /// The event before it in that incident's timeline.
    pub previous_event_id: Option<String>,
    /// What to tell the outside world.
    pub notice: Option<Notice>,
    /// The incident that it resolved: no longer in the state, still to be written.
    pub closed: Option<Incident>,
    /// Whether the key's tombstone changed.
    pub buried: bool,
}

impl Change {
    fn nothing(outcome: Outcome) -> Self {
        Self { outcome, incident_id: None, previous_event_id: None, notice: None, closed: None, buried: false }
    }

    /// As `nothing`, but the event belongs to the timeline of `incident`.
    fn on(incident: &mut Incident, outcome: Outcome, event_id: &str) -> Self {
        let previous = std::mem::replace(&mut incident.last_event_id, event_id.to_owned());
        Self { incident_id: Some(incident.id.clone()), previous_event_id: Some(previous), ..Self::nothing(outcome) }
    }
}

/// Applies one report to the state of its key. `new_id` is called only when an incident opens.
pub fn apply(state: &mut KeyState, report: &Report, arrival: &Arrival<'_>, new_id: impl FnOnce() -> String) -> Change {
    match report.action {
        Action::Trigger => trigger(state, report, arrival, new_id),
        Action::Acknowledge => acknowledge(state, arrival),
        Action::Resolve => resolve(state, report, arrival),
    }
}

fn trigger(state: &mut KeyState, report: &Report, arrival: &Arrival<'_>, new_id: impl FnOnce() -> String) -> Change {
    if overtaken(state.tombstone.as_ref(), report, arrival.received_at) {
        return match &mut state.open {
            Some(incident) => Change::on(incident, Outcome::Stale, arrival.event_id),
            None => Change::nothing(Outcome::Stale),
        };
    }
    let order = effective_order(state, report, arrival.received_at);
    let mut change = match &mut state.open {
        Some(incident) => update(incident, report, order, arrival),
        None => open(state, report, order, arrival, new_id()),
    };
    if let Some(outcome) = report.catch_all {
        change.outcome = outcome;
    }
    change
}

/// Whether the tool's own resolve came after what this trigger reports.
fn overtaken(tombstone: Option<&Tombstone>, report: &Report, received_at: Timestamp) -> bool {
    let Some((order, resolved_at, resolved_order)) = remembered(tombstone, received_at)
        .zip(report.order_at)
        .map(|((resolved_order, resolved_at), order)| (order, resolved_at, resolved_order))
    else {
        return false;
    };
    match report.clock {
        Clock::Arrival => false,
        Clock::Transition => order < resolved_order,
        Clock::Episode => order <= resolved_order && received_at <= resolved_at.plus_seconds(EPISODE_GUARD_SECONDS),
    }
}

/// Source time and receipt of the last resolve that the tool sent, while they are remembered.
fn remembered(tombstone: Option<&Tombstone>, received_at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let tombstone = tombstone?;
    let (order, resolved_at) = tombstone.order_at.zip(tombstone.resolved_at)?;
    (received_at.0.saturating_sub(resolved_at.0) <= TOMBSTONE_SECONDS * SECOND).then_some((order, resolved_at))
}

/// The report's place in the order of its key: its source time, or, where that is unknown, the place of the newest message so far,
/// so that arrival decides. `None` where arrival decides anyway.
fn effective_order(state: &KeyState, report: &Report, received_at: Timestamp) -> Option<i64> {
    if report.clock == Clock::Arrival {
        return None;
    }
    let newest = state.open.as_ref().and_then(|incident| incident.evidence.as_ref()).map(|evidence| evidence.newest);
    let resolved = remembered(state.tombstone.as_ref(), received_at).map(|(order, _)| order.0);
    Some(report.order_at.map_or_else(|| newest.max(resolved).unwrap_or(i64::MIN), |at| at.0))
}

fn open(state: &mut KeyState, report: &Report, order: Option<i64>, arrival: &Arrival<'_>, id: String) -> Change {
    let mut incident = Incident {
        id: id.clone(),
        service_id: arrival.service_id.to_owned(),
        status: Status::Triggered,
        title: report.summary.clone(),
        first_summary: report.summary.clone(),
        severity: report.severity,
        source: String::new(),
        shown: if report.shown.is_rendered() { report.shown.clone() } else { Shown::default() },
        evidence: order.map(Evidence::starting),
        event_count: 0,
        first_seen: arrival.received_at,
        last_seen: arrival.received_at,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        expires_at: None,
        reminded_at: None,
        previous_incident_id: state.tombstone.as_ref().and_then(|tombstone| tombstone.incident_id.clone()),
        last_event_id: arrival.event_id.to_owned(),
    };
    count(&mut incident, report, order, arrival.received_at);
    state.open = Some(incident);
    Change { incident_id: Some(id), notice: Some(Notice::Triggered), ..Change::nothing(Outcome::Opened) }
}

fn update(incident: &mut Incident, report: &Report, order: Option<i64>, arrival: &Arrival<'_>) -> Change {
    let before = incident.severity;
    count(incident, report, order, arrival.received_at);
    let mut change = Change::on(incident, Outcome::Updated, arrival.event_id);
    if incident.severity > before {
        change.outcome = Outcome::Escalated;
        let paged = incident.severity.urgency() > before.urgency();
        change.notice = Some(if paged { Notice::Triggered } else { Notice::Updated });
    }
    change
}

/// Adds a trigger to an open incident: counts it, raises the severity, and shows what it is the newest to say.
fn count(incident: &mut Incident, report: &Report, order: Option<i64>, received_at: Timestamp) {
    incident.event_count = incident.event_count.saturating_add(1);
    // A replay keeps the time at which it was received first.
    incident.last_seen = incident.last_seen.max(received_at);
    incident.severity = incident.severity.max(report.severity);
    let Incident { evidence, shown, title, source, expires_at, .. } = incident;
    let newest = match (order, evidence.as_mut()) {
        (Some(order), Some(evidence)) => {
            let newest = order >= evidence.newest;
            evidence.saw(report.severity, order);
            newest
        }
        // A key whose messages are not ordered by time, or no longer are.
        _ => {
            *evidence = None;
            true
        }
    };
    let mut may_set = |field| match (order, evidence.as_mut()) {
        (Some(order), Some(evidence)) => evidence.sets(field, order),
        _ => true,
    };
    if newest {
        replace(title, &report.summary);
        *expires_at = report.expires_at;
    }
    if !report.source.trim().is_empty() && may_set(Field::Source) {
        source.clone_from(&report.source);
    }
    let brought = report.shown.fields();
    let words = [
        (Field::Component, &brought.component),
        (Field::Group, &brought.group),
        (Field::Class, &brought.class),
        (Field::Client, &brought.client),
        (Field::ClientUrl, &brought.client_url),
    ];
    let mut said = words.into_iter().filter(|(_, word)| word.as_ref().is_some_and(|word| !word.trim().is_empty()));
    if report.shown == *shown {
        // Nothing to show anew; that it was said anew still counts.
        let details = brought.custom_details.is_some().then_some(Field::Details);
        said.by_ref().map(|(field, _)| field).chain(details).for_each(|field| {
            may_set(field);
        });
        return;
    }
    let shown = shown.fields_mut();
    if brought.custom_details.is_some() && may_set(Field::Details) {
        shown.custom_details.clone_from(&brought.custom_details);
    }
    for (field, word) in said {
        if may_set(field) {
            match field {
                Field::Component => &mut shown.component,
                Field::Group => &mut shown.group,
                Field::Class => &mut shown.class,
                Field::Client => &mut shown.client,
                _ => &mut shown.client_url,
            }
            .clone_from(word);
        }
    }
    shown.unite(&brought.links, &brought.images);
    shown.hops = shown.hops.max(brought.hops);
}

fn replace(have: &mut String, new: &str) {
    if !new.trim().is_empty() && have != new {
        new.clone_into(have);
    }
}

fn acknowledge(state: &mut KeyState, arrival: &Arrival<'_>) -> Change {
    let Some(incident) = &mut state.open else {
        return Change::nothing(Outcome::Unmatched);
    };
    if incident.status == Status::Acknowledged {
        return Change::on(incident, Outcome::Updated, arrival.event_id);
    }
    incident.status = Status::Acknowledged;
    incident.acknowledged_at = Some(arrival.received_at);
    incident.acknowledged_by = arrival.actor.name();
    Change { notice: Some(Notice::Acknowledged), ..Change::on(incident, Outcome::Acknowledged, arrival.event_id) }
}

fn resolve(state: &mut KeyState, report: &Report, arrival: &Arrival<'_>) -> Change {
    let order = match arrival.actor {
        Actor::Tool => effective_order(state, report, arrival.received_at).filter(|order| *order != i64::MIN),
        Actor::Person(_) | Actor::Timer(_) => None,
    };
    let late = state.open.as_mut().filter(|incident| {
        let newest = incident.evidence.as_ref().map(|evidence| evidence.newest);
        order.zip(newest).is_some_and(|(order, newest)| order < newest)
    });
    if let Some((incident, order)) = late.zip(order) {
        take_back(incident, order);
        let mut change = Change::on(incident, Outcome::Stale, arrival.event_id);
        change.buried = bury(state, order, arrival.received_at, false);
        return change;
    }
    let mut change = match state.open.take() {
        None => Change::nothing(Outcome::Unmatched),
        Some(mut incident) => {
            let mut change = Change::on(&mut incident, Outcome::Resolved, arrival.event_id);
            incident.status = Status::Resolved;
            incident.resolved_at = Some(arrival.received_at);
            incident.resolved_by = arrival.actor.name();
            state.tombstone.get_or_insert_default().incident_id = Some(incident.id.clone());
            change.notice = Some(Notice::Resolved);
            change.closed = Some(incident);
            change.buried = true;
            change
        }
    };
    if let Some(order) = order {
        change.buried |= bury(state, order, arrival.received_at, change.closed.is_some());
    }
    change
}

/// A resolve that is older than the newest trigger: that firing goes on, and what only older ones said is over.
fn take_back(incident: &mut Incident, order: i64) {
    let Incident { evidence: Some(evidence), shown, severity, .. } = incident else {
        return;
    };
    let shown = shown.fields_mut();
    evidence.forget_until(order, |field| match field {
        Field::Details => shown.custom_details = None,
        Field::Component => shown.component = None,
        Field::Group => shown.group = None,
        Field::Class => shown.class = None,
        Field::Client => shown.client = None,
        Field::ClientUrl => shown.client_url = None,
        // An incident always has a source: an old one beats none.
        Field::Source => (),
    });
    *severity = evidence.severity().unwrap_or(Severity::Error);
}

/// Remembers a resolve that the tool sent, unless it did nothing and a newer one is remembered; whether anything changed.
fn bury(state: &mut KeyState, order: i64, received_at: Timestamp, closed: bool) -> bool {
    let known = remembered(state.tombstone.as_ref(), received_at).map(|(order, _)| order.0);
    if !closed && known.is_some_and(|known| known >= order) {
        return false;
    }
    let tombstone = state.tombstone.get_or_insert_default();
    tombstone.order_at = Some(Timestamp(order));
    tombstone.resolved_at = Some(received_at);
    true
}

/// Takes an acknowledgement back: its time ran out. Pages like a new incident.
pub fn unacknowledge(state: &mut KeyState, arrival: &Arrival<'_>) -> Change {
    match &mut state.open {
        Some(incident) if incident.status == Status::Acknowledged => {
            incident.status = Status::Triggered;
            incident.acknowledged_at = None;
            incident.acknowledged_by = None;
            Change { notice: Some(Notice::Triggered), ..Change::on(incident, Outcome::Updated, arrival.event_id) }
        }
        Some(incident) => Change::on(incident, Outcome::Updated, arrival.event_id),
        None => Change::nothing(Outcome::Unmatched),
    }
}

/// Pages again for an incident that nobody has acknowledged; it may have been since the timer was read.
pub fn remind(state: &mut KeyState, arrival: &Arrival<'_>) -> Change {
    match &mut state.open {
        Some(incident) if incident.status == Status::Triggered => {
            incident.reminded_at = Some(arrival.received_at);
            Change { notice: Some(Notice::Triggered), ..Change::on(incident, Outcome::Updated, arrival.event_id) }
        }
        Some(incident) => Change::on(incident, Outcome::Updated, arrival.event_id),
        None => Change::nothing(Outcome::Unmatched),
    }
}
