//! Who is told: by the rules of today, and by the way that the page of an incident went.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Planner, Route};
use crate::delivery::message::{Message, Occasion};
use crate::delivery::rule::{Answer, Facts, Seen, quiet_until};
use crate::ingest::snapshot::{Snapshot, StoredRule};
use crate::outbox::{message, sweep};
use crate::provider::OWN;
use crate::store::incidents;
use crate::store::outbox::{Thread, Watch};

impl Planner<'_, '_> {
    /// Whom the rules of today tell, each once: what is not put off wins over what is, and the earlier end over the later.
    pub(super) fn by_rules(&mut self, message: &Message, row: Option<&incidents::Incident>) -> BTreeMap<Arc<str>, Route> {
        let mut routes: BTreeMap<Arc<str>, Route> = BTreeMap::new();
        let snapshot: &Snapshot = self.facts.context.snapshot;
        let rules = snapshot.rules.get(self.notice.tenant_id.as_str()).cloned().unwrap_or_default();
        // A condition may ask for what is not told to everybody.
        let mut whole = message.clone();
        if let (Some(incident), Some(row)) = (&mut whole.incident, row) {
            incident.details = Some(message::details(row));
        }
        let judged = Facts::of(&whole);
        for rule in rules {
            // What follows a page goes its way; a rule that never pages has nothing to follow.
            let pages = rule.rule.events.iter().any(|asked| asked.occasion == Occasion::Triggered);
            if pages && !matches!(self.occasion, Occasion::Triggered | Occasion::Updated | Occasion::Change) {
                self.leave(Some(&rule), None, || "what follows a page goes to whom it was told".to_owned());
                continue;
            }
            let seen = Seen { message: &whole, after: None, paged: self.has_paged(&rule.id) };
            let (occasion, notes) = match rule.rule.wants(&seen, &judged) {
                Answer::Yes { occasion, notes } => (occasion, notes),
                Answer::No(reason) => {
                    if self.occasion == Occasion::Triggered && rule.rule.enabled && sweep::is_timed(&rule.rule) {
                        self.planned.plan.begun.extend(self.watch(&rule, BTreeSet::new()));
                    }
                    self.leave(Some(&rule), None, || reason.to_string());
                    continue;
                }
            };
            if occasion == Occasion::Triggered && sweep::follows_a_page(&rule.rule) {
                let watch = self.watch(&rule, BTreeSet::from([occasion.as_str().to_owned()]));
                // What pages all anew begins the rule's steps anew.
                let anew = self.occasion == Occasion::Triggered;
                let plan = &mut self.planned.plan;
                if anew { plan.watches.extend(watch) } else { plan.begun.extend(watch) }
            }
            let mut fresh = self.reached(&rule, row);
            // Who knows of the incident is told what happened by the way of its page.
            fresh.retain(|id| !pages || self.occasion == Occasion::Triggered || !self.follows(id));
            if fresh.is_empty() {
                continue;
            }
            let hold = self.hold(&rule, row);
            let wants: Vec<Occasion> = rule.rule.events.iter().map(|asked| asked.occasion).collect();
            for id in fresh {
                let new = Route { occasion, rule: Some(Arc::clone(&rule)), wants: wants.clone(), hold, notes: notes.clone() };
                match routes.get_mut(&id) {
                    None => drop(routes.insert(id, new)),
                    Some(have) => have.join(new),
                }
            }
        }
        routes
    }

    /// Has the rule look at the incident again as time goes by; `done` is what it has told.
    fn watch(&self, rule: &Arc<StoredRule>, done: BTreeSet<String>) -> Option<Watch> {
        let since = quiet_until(&rule.rule.quiet_windows, self.facts.now).unwrap_or(self.facts.now);
        let mut watch = Watch {
            rule_id: rule.id.to_string(),
            incident_id: self.notice.incident_id?,
            tenant_id: self.notice.tenant_id.clone(),
            started_at: since.0,
            due_at: since.0,
            state: String::new(),
        };
        watch.set_done(&done);
        Some(watch)
    }

    /// The destinations that a rule tells at once, of those that are there and are told anything.
    fn reached(&mut self, rule: &Arc<StoredRule>, row: Option<&incidents::Incident>) -> Vec<Arc<str>> {
        let about = row.and_then(|row| is_about(self.facts.context.snapshot, row));
        let destinations = &self.facts.context.snapshot.destinations;
        let mut reached = Vec::new();
        for id in rule.rule.at_once() {
            let found = destinations.get_key_value(id.as_str());
            let why = match found.filter(|(_, found)| *found.tenant_id == *self.notice.tenant_id) {
                None => "it is deleted",
                Some((_, destination)) if !destination.enabled => "it is disabled",
                Some((id, _)) if about.as_deref() == Some(&**id) => "the incident is about this very destination",
                Some((id, _)) => {
                    reached.push(Arc::clone(id));
                    continue;
                }
            };
            self.leave(Some(rule), Some(id), || why.to_owned());
        }
        reached
    }

    fn has_paged(&self, rule_id: &str) -> bool {
        let threads = self.notice.incident_id.and_then(|id| self.facts.threads.get(&id));
        threads.is_some_and(|threads| threads.iter().any(|thread| thread.rule_id.as_deref() == Some(rule_id)))
    }

    /// Whether a destination is told of this by the way that the page went.
    fn follows(&self, destination_id: &str) -> bool {
        let threads = self.notice.incident_id.and_then(|id| self.facts.threads.get(&id));
        let follows = |thread: &Thread| thread.destination_id == destination_id && wants(&thread.wants).contains(&self.occasion);
        threads.is_some_and(|threads| threads.iter().any(follows))
    }

    /// Adds the destinations that know of the incident, or wait to be told of it.
    pub(super) fn by_threads(&mut self, routes: &mut BTreeMap<Arc<str>, Route>) {
        let snapshot: &Snapshot = self.facts.context.snapshot;
        let threads = self.notice.incident_id.and_then(|id| self.facts.threads.get(&id));
        let mut left = Vec::new();
        for thread in threads.into_iter().flatten() {
            let Some((id, _)) = snapshot.destinations.get_key_value(thread.destination_id.as_str()) else { continue };
            let wants = wants(&thread.wants);
            if routes.contains_key(id) {
                continue;
            }
            if !wants.contains(&self.occasion) {
                left.push(thread.destination_id.clone());
                continue;
            }
            let rules = snapshot.rules.get(self.notice.tenant_id.as_str());
            let rule = rules.into_iter().flatten().find(|rule| Some(&*rule.id) == thread.rule_id.as_deref()).cloned();
            let quiet = rule.as_ref().and_then(|rule| quiet_until(&rule.rule.quiet_windows, self.facts.now));
            let hold = quiet.map(|until| (until, "quiet"));
            routes.insert(Arc::clone(id), Route { occasion: self.occasion, rule, wants, hold, notes: Vec::new() });
        }
        for id in left {
            self.leave(None, Some(&id), || "the rule by which it was told does not ask for this event".to_owned());
        }
    }
}

/// Reads them again.
fn wants(text: &str) -> Vec<Occasion> {
    text.split(',').filter_map(Occasion::parse).collect()
}

/// The destination that an incident of our own is about: it is not told that it does not work.
pub fn is_about(snapshot: &Snapshot, row: &incidents::Incident) -> Option<String> {
    let integration = snapshot.integrations.get(row.integration_id.as_str())?;
    let key = row.dedup_key.strip_prefix("destination:")?;
    (integration.kind == OWN).then(|| key.to_owned())
}
