//! What becomes of notices: which destinations are told of each, and which of them not yet.
//!
//! Decides from what was read, and does no I/O. Every rule that matches counts, and a destination is told once, however many name it.
//! What comes after a page goes the way that the page went, whatever the rules say by then.

mod hold;
mod routes;
mod tell;

use std::collections::HashMap;
use std::sync::Arc;

use super::message::{self, Context};
use crate::delivery::destination::Destination;
use crate::delivery::message::Occasion;
use crate::delivery::rule::{Pace, Rule};
use crate::ingest::snapshot::StoredRule;
use crate::store::outbox::Thread;
use crate::store::outbox::route::{Notice, Plan};
use crate::store::{changes, incidents};
use crate::time::Timestamp;
pub use routes::is_about;
pub use tell::united;

/// What was read to decide.
pub struct Facts<'a> {
    /// Names, rules and destinations.
    pub context: Context<'a>,
    /// The incidents of the notices, by number.
    pub incidents: HashMap<i64, incidents::Incident>,
    /// Their change events.
    pub changes: HashMap<i64, changes::Change>,
    /// The threads of the incidents.
    pub threads: HashMap<i64, Vec<Thread>>,
    /// When rules with a dedupe window last paged: by rule, integration and key.
    pub paged: HashMap<(Arc<str>, String, String), Timestamp>,
    /// The present.
    pub now: Timestamp,
    /// Who is not told of what, and why; `None`: nobody asks.
    pub untold: Option<Vec<Untold>>,
}

/// A rule that does not tell of a notice, or a destination that is not told of it.
#[derive(Clone, Debug)]
pub struct Untold {
    /// The notice.
    pub notice: i64,
    /// The rule.
    pub rule: Option<Arc<StoredRule>>,
    /// The destination.
    pub destination: Option<String>,
    /// Why: a sentence without an end.
    pub why: String,
}

/// How far rules have spent their limits.
pub type Paces = HashMap<Arc<str>, Pace>;

/// One destination that is told of one notice.
struct Route {
    /// What it is told: what happened, or a page, where a rule tells of it only now.
    occasion: Occasion,
    rule: Option<Arc<StoredRule>>,
    wants: Vec<Occasion>,
    /// Until when it waits, and why; `None`: it is told at once.
    hold: Option<(Timestamp, &'static str)>,
    notes: Vec<String>,
}

/// What was planned, and what is worth counting.
#[derive(Debug, Default)]
pub struct Planned {
    /// What to write.
    pub plan: Plan,
    /// The tenants of pages that nobody is told of.
    pub unrouted: Vec<String>,
    /// Deliveries that were put off, by why.
    pub held: HashMap<&'static str, u64>,
}

/// Plans in the order of the notices.
pub fn plan(notices: &[Notice], facts: &mut Facts<'_>, paces: &mut Paces) -> Planned {
    let mut planned = Planned::default();
    for notice in notices {
        planned.plan.done.push(notice.id);
        let Some(occasion) = Occasion::parse(&notice.event) else { continue };
        Planner { notice, occasion, facts, paces, planned: &mut planned }.run();
    }
    planned
}

struct Planner<'a, 'b> {
    notice: &'a Notice,
    occasion: Occasion,
    facts: &'a mut Facts<'b>,
    paces: &'a mut Paces,
    planned: &'a mut Planned,
}

impl Planner<'_, '_> {
    fn run(&mut self) {
        let at = Timestamp(self.notice.created_at);
        if let Some(row) = self.notice.change_id.and_then(|id| self.facts.changes.get(&id)) {
            let message = message::of_change(&self.facts.context, row, at);
            let subject = row.id.clone();
            let routes = self.by_rules(&message, None);
            self.tell(&subject, routes, &message);
            return;
        }
        // What retention has removed meanwhile, nobody can be told of.
        let Some(mut row) = self.notice.incident_id.and_then(|id| self.facts.incidents.get(&id)).cloned() else { return };
        // As it was: what has become worse since is told by a notice of its own, and would be told twice otherwise.
        if let Some(severity) = &self.notice.severity {
            row.severity.clone_from(severity);
        }
        let message = message::of_incident(&self.facts.context, &row, self.occasion, at);
        let mut routes = self.by_rules(&message, Some(&row));
        if self.occasion == Occasion::Resolved {
            self.planned.plan.over.extend(self.notice.incident_id);
        }
        self.by_threads(&mut routes);
        if self.occasion == Occasion::Triggered && routes.is_empty() {
            self.planned.unrouted.push(self.notice.tenant_id.clone());
            let about = is_about(self.facts.context.snapshot, &row);
            let takes = |id: &str| about.as_deref() != Some(id);
            let default = self.destinations().find(|(id, found)| found.is_default && found.enabled && takes(id));
            if let Some((id, _)) = default {
                let wants = Rule::everything("", Vec::new()).events.iter().map(|asked| asked.occasion).collect();
                routes.insert(
                    Arc::clone(id),
                    Route { occasion: Occasion::Triggered, rule: None, wants, hold: None, notes: Vec::new() },
                );
            }
        }
        self.tell(&row.id, routes, &message);
    }

    /// Notes why somebody is not told, where somebody asks.
    fn leave(&mut self, rule: Option<&Arc<StoredRule>>, destination: Option<&str>, why: impl FnOnce() -> String) {
        let Some(untold) = &mut self.facts.untold else { return };
        let (rule, destination) = (rule.cloned(), destination.map(str::to_owned));
        untold.push(Untold { notice: self.notice.id, rule, destination, why: why() });
    }

    fn destinations(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Destination>)> {
        let all = self.facts.context.snapshot.destinations.iter();
        all.filter(|(_, destination)| *destination.tenant_id == *self.notice.tenant_id)
    }
}

impl Route {
    /// The same destination by another rule.
    fn join(&mut self, other: Self) {
        let sooner = match (self.hold, other.hold) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some((mine, _)), Some((theirs, _))) => theirs < mine,
        };
        if sooner {
            self.hold = other.hold;
            self.rule = other.rule;
        }
        self.wants.extend(other.wants);
        self.notes.extend(other.notes);
    }
}
