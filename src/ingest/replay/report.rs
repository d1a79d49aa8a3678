//! What a replay did, or would do, in words that the management API answers with: the old beside the new.

use std::collections::HashSet;

use serde::Serialize;

use super::{Fate, Prepared};
use crate::event::{Action, Severity};
use crate::incident::Outcome;
use crate::ingest::submission::{Effect as Does, Posted, Receipt, Submission};
use crate::store::events::Event as Made;
use crate::time::Timestamp;

/// What became of an event of a replay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It was applied.
    Applied,
    /// It would be applied.
    WouldApply,
    /// The request, or a replay of it, has made it already.
    Unchanged,
    /// Its key has newer news.
    Stale,
}

/// An event that stands for the request today.
#[derive(Clone, Debug, Serialize)]
pub struct Was {
    /// What it asked for.
    pub action: String,
    /// Its dedup key.
    pub dedup_key: String,
    /// Its severity.
    pub severity: String,
    /// What it did.
    pub outcome: String,
    /// Its summary.
    pub summary: String,
    /// The incident it belongs to.
    pub incident_id: Option<String>,
}

/// An event as the request is read now.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// What it asks for.
    pub action: Action,
    /// Its dedup key.
    pub dedup_key: String,
    /// Its severity.
    pub severity: Severity,
    /// Its summary.
    pub summary: String,
    /// What it did, or would do.
    pub effect: Effect,
    /// The outcome, where it was or would be applied.
    pub outcome: Option<Outcome>,
    /// The incident it belongs to.
    pub incident_id: Option<String>,
    /// The event that it takes the place of.
    pub was: Option<Was>,
}

/// A catch-all incident that the request is part of.
#[derive(Clone, Debug, Serialize)]
pub struct CatchAll {
    /// The incident.
    pub incident_id: Option<String>,
    /// Its key.
    pub dedup_key: String,
    /// How many of its events are not understood yet.
    pub left: i64,
    /// Whether it was, or would be, resolved.
    pub resolved: bool,
}

/// What became of one request.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The request.
    pub request_id: String,
    /// Its integration.
    pub integration_id: Option<String>,
    /// When it was received.
    pub received_at: String,
    /// What was decided then.
    pub verdict: String,
    /// Why it was not replayed.
    pub skipped: Option<String>,
    /// Its events, as it is read now.
    pub events: Vec<Replayed>,
    /// Events that stand for it today and that it does not make any more. They are not taken back.
    pub gone: Vec<Was>,
    /// How many change events it brings that it did not bring then.
    pub changes: usize,
    /// The catch-all incidents that it is part of, and that are open.
    pub catch_alls: Vec<CatchAll>,
}

impl Report {
    /// How many of its events were, or would be, applied.
    pub fn applied(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.effect, Effect::Applied | Effect::WouldApply)).count()
    }
}

/// Makes the reports of some requests, in their order.
#[derive(Default)]
pub struct Reporter {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Incidents that a dry run opened: they have an id only in passing.
    passing: HashSet<String>,
}

impl Reporter {
    /// For a dry run, or for what was written.
    pub fn new(dry_run: bool) -> Self {
        Self { dry_run, passing: HashSet::new() }
    }

    /// Reports on one request; `receipt` is that of its submission.
    pub fn report(&mut self, prepared: &Prepared, receipt: Option<&Receipt>) -> Report {
        let Prepared { summary, row, plan } = prepared;
        let mut old: Vec<Option<&Made>> = row.iter().flat_map(|row| row.stands()).map(Some).collect();
        let mut report = Report {
            request_id: summary.id.clone(),
            integration_id: summary.integration_id.clone(),
            received_at: Timestamp(summary.received_at).to_string(),
            verdict: summary.verdict.clone(),
            skipped: plan.as_ref().err().cloned(),
            events: Vec::new(),
            gone: Vec::new(),
            changes: plan.as_ref().map_or(0, |submission| submission.changes.len()),
            catch_alls: Vec::new(),
        };
        let Some((submission, receipt)) = plan.as_ref().ok().zip(receipt) else { return report };
        self.take(&mut report, submission, receipt);
        pair(&mut report.events, &mut old);
        report.gone = old.into_iter().flatten().map(Was::of).collect();
        report
    }

    fn take(&mut self, report: &mut Report, submission: &Submission, receipt: &Receipt) {
        for (item, fate) in submission.items.iter().zip(&receipt.fates) {
            let (effect, outcome, incident_id) = match fate {
                Fate::Applied(event) => {
                    if self.dry_run && event.outcome == Outcome::Opened {
                        self.passing.extend(event.incident_id.clone());
                    }
                    let lasting = event.incident_id.clone().filter(|id| !self.passing.contains(id));
                    (if self.dry_run { Effect::WouldApply } else { Effect::Applied }, Some(event.outcome), lasting)
                }
                Fate::CatchAll { left, resolved } => {
                    let (incident_id, dedup_key) = (item.incident_id.clone(), item.key.as_str().to_owned());
                    report.catch_alls.push(CatchAll { incident_id, dedup_key, left: *left, resolved: *resolved });
                    continue;
                }
                Fate::Nothing => continue,
                // What is only implied is no event unless it acts.
                Fate::Unchanged | Fate::Stale if item.only_if_open => continue,
                Fate::Unchanged => (Effect::Unchanged, None, None),
                Fate::Stale => (Effect::Stale, Some(Outcome::Stale), None),
            };
            report.events.push(Replayed { effect, outcome, incident_id, ..replayed(item) });
        }
    }
}

fn replayed(item: &Posted) -> Replayed {
    let (severity, summary) = match &item.effect {
        Does::Report(report) => (report.severity, report.summary.clone()),
        Does::Unacknowledge | Does::Remind => (Severity::Info, String::new()),
    };
    Replayed {
        action: item.action(),
        dedup_key: item.key.as_str().to_owned(),
        severity,
        summary,
        effect: Effect::Unchanged,
        outcome: None,
        incident_id: None,
        was: None,
    }
}

/// Puts each new event beside the old one of its action and key; those that are left beside what is left, in order.
fn pair(events: &mut [Replayed], old: &mut [Option<&Made>]) {
    for event in &mut *events {
        let same = |made: &&Made| made.action == event.action.as_str() && made.dedup_key == event.dedup_key;
        event.was = old.iter_mut().find(|made| made.as_ref().is_some_and(same)).and_then(Option::take).map(Was::of);
    }
    for event in events.iter_mut().filter(|event| event.was.is_none()) {
        event.was = old.iter_mut().find_map(Option::take).map(Was::of);
    }
}

impl Was {
    fn of(made: &Made) -> Self {
        Self {
            action: made.action.clone(),
            dedup_key: made.dedup_key.clone(),
            severity: made.severity.clone(),
            outcome: made.outcome.clone(),
            summary: made.summary.clone(),
            incident_id: made.incident_id.clone(),
        }
    }
}
