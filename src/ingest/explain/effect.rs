//! What a request would do to its integration's incidents: the committer's own fold, over what is open now, and never written.

use std::collections::{HashMap, HashSet};

use super::trace::Match;
use crate::id;
use crate::incident::Outcome;
use crate::ingest::fold::{Fold, seen_row};
use crate::ingest::lane;
use crate::ingest::submission::{EventReceipt, Posted, Submission};
use crate::outbox::preview::{self, Happened};
use crate::store::incidents::Incident;
use crate::store::ingest::{ChangeRow, IncidentRow, Purpose, Rows, find_seen};
use crate::store::outbox::read;
use crate::store::outbox::route::Notice;
use crate::store::{Conn, StoreError};

/// What a request would do to the integration's incidents.
pub(super) enum Effects {
    /// Nobody knows, or it would not get so far.
    Unknown,
    /// Nothing: the delivery had its effect before.
    Duplicate,
    /// One entry a posted item; `None`: it would be no event.
    Known(Vec<Option<Effect>>),
}

/// What an event would do, the incident that it meets, and why.
pub(super) struct Effect {
    /// What the event would be answered.
    pub(super) receipt: EventReceipt,
    /// The incident.
    pub(super) incident: Option<Match>,
    /// Why.
    pub(super) why: String,
}

/// What a submission would do, and what of that the outside world would have to be told.
///
/// # Errors
/// The incidents cannot be read.
pub(super) fn effects(conn: &mut Conn, submission: &Submission) -> Result<(Effects, Happened), StoreError> {
    let at = submission.received_at;
    if let Some(row) = seen_row(submission, at)
        && find_seen(conn, &row, at)?.is_some()
    {
        return Ok((Effects::Duplicate, Happened::default()));
    }
    let mut fold = lane::load(conn, &[submission], Purpose::Look, None)?;
    let mut new = HashSet::new();
    let effects = submission.items.iter().map(|item| effect(&mut fold, submission, item, &mut new)).collect();
    fold.changes(submission, at);
    Ok((Effects::Known(effects), happened(conn, &fold.finish())?))
}

/// What the outside world would have to be told, with incidents and changes as they would be then.
fn happened(conn: &mut Conn, rows: &Rows<'_>) -> Result<Happened, StoreError> {
    if rows.outbox.is_empty() {
        return Ok(Happened::default());
    }
    let number = |id: &Option<String>| id.as_deref().map(id::number);
    let more = rows.outbox.len().saturating_sub(preview::NOTICES_MAX);
    let notices = rows.outbox.iter().take(preview::NOTICES_MAX).zip(1..).map(|(row, id)| Notice {
        id,
        tenant_id: row.tenant_id.to_owned(),
        event: row.event.to_owned(),
        incident_id: number(&row.incident_id),
        change_id: number(&row.change_id),
        event_id: number(&row.event_id),
        created_at: row.created_at.0,
        severity: row.severity.map(str::to_owned),
    });
    let notices: Vec<Notice> = notices.collect();
    let about: HashSet<i64> = notices.iter().filter_map(|notice| notice.incident_id).collect();
    let written = rows.opened.iter().chain(&rows.updated).chain(&rows.resolved).map(IncidentRow::as_read);
    let written = written.map(|row| (id::number(&row.id), row)).filter(|(number, _)| about.contains(number));
    let mut incidents: HashMap<i64, Incident> = written.collect();
    // Numbers are given when a row is written.
    let known: Vec<i64> = incidents.keys().copied().collect();
    for stored in read::incidents(conn, &known)? {
        if let Some(row) = incidents.get_mut(&id::number(&stored.id)) {
            row.number = stored.number;
        }
    }
    let changes = rows.changes.iter().map(ChangeRow::as_read).map(|row| (id::number(&row.id), row)).collect();
    Ok(Happened { notices, more, incidents, changes })
}

/// Applies one item. `new` are the incidents that this very request opens: they have an id only in passing.
fn effect<'a>(fold: &mut Fold<'a>, submission: &'a Submission, item: &'a Posted, new: &mut HashSet<String>) -> Option<Effect> {
    let met = fold.open(submission, item).map(|incident| Match {
        id: incident.id.clone(),
        status: incident.status,
        title: incident.title.clone(),
    });
    let receipt = fold.item(submission, item, submission.received_at)?;
    let Some(met) = met else {
        new.extend(receipt.incident_id.clone());
        return Some(Effect { why: why(&receipt, None), receipt, incident: None });
    };
    if new.contains(&met.id) {
        let why = format!("an event before it in this request opens {:?}: {}", receipt.dedup_key, receipt.outcome.as_str());
        return Some(Effect { receipt, incident: None, why });
    }
    Some(Effect { why: why(&receipt, Some(&met)), receipt, incident: Some(met) })
}

fn why(receipt: &EventReceipt, met: Option<&Match>) -> String {
    let key = &receipt.dedup_key;
    match (receipt.outcome, met) {
        (Outcome::Opened, _) => format!("nothing is open for {key:?}"),
        (Outcome::Unmatched, _) => format!("nothing is open for {key:?}: accepted, and nothing to do"),
        (Outcome::Stale, _) => format!("the tool has sent newer news of {key:?}"),
        (Outcome::Unmapped, _) => "not understood: stands in a catch-all incident".to_owned(),
        (outcome, Some(met)) => format!("{} {}: {}", met.id, met.status.as_str(), outcome.as_str()),
        (outcome, None) => outcome.as_str().to_owned(),
    }
}
