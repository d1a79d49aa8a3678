//! What becomes of notices: which destinations are told of each, and which of them not yet.
//!
//! Decides from what was read, and does no I/O. Every rule that matches counts, and a destination is told once, however many name it.
//! What comes after a page goes the way that the page went, whatever the rules say by then.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::message::{self, Context};
use super::sweep;
use crate::delivery::destination::Destination;
use crate::delivery::message::{Message, Occasion};
use crate::delivery::rule::{Answer, Facts as Judged, Pace, Rule, Seen, quiet_until};
use crate::id::{self, Kind};
use crate::ingest::snapshot::{Snapshot, StoredRule};
use crate::provider::OWN;
use crate::store::outbox::route::{Notice, Plan};
use crate::store::outbox::{NewDelivery, Page, Thread, Watch};
use crate::store::{changes, incidents};
use crate::time::Timestamp;

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
        let Some(row) = self.notice.incident_id.and_then(|id| self.facts.incidents.get(&id)).cloned() else { return };
        let message = message::of_incident(&self.facts.context, &row, self.occasion, at);
        let mut routes = self.by_rules(&message, Some(&row));
        if self.occasion == Occasion::Resolved {
            self.planned.plan.over.extend(self.notice.incident_id);
        }
        self.by_threads(&mut routes);
        if self.occasion == Occasion::Triggered && routes.is_empty() {
            self.planned.unrouted.push(self.notice.tenant_id.clone());
            let default = self.destinations().find(|(_, destination)| destination.is_default && destination.enabled);
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

    fn destinations(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Destination>)> {
        let all = self.facts.context.snapshot.destinations.iter();
        all.filter(|(_, destination)| *destination.tenant_id == *self.notice.tenant_id)
    }

    /// Whom the rules of today tell, each once: what is not put off wins over what is, and the earlier end over the later.
    fn by_rules(&mut self, message: &Message, row: Option<&incidents::Incident>) -> BTreeMap<Arc<str>, Route> {
        let mut routes: BTreeMap<Arc<str>, Route> = BTreeMap::new();
        let snapshot: &Snapshot = self.facts.context.snapshot;
        let rules = snapshot.rules.get(self.notice.tenant_id.as_str()).cloned().unwrap_or_default();
        // A condition may ask for what is not told to everybody.
        let mut whole = message.clone();
        if let (Some(incident), Some(row)) = (&mut whole.incident, row) {
            incident.details = Some(message::details(row));
        }
        let judged = Judged::of(&whole);
        for rule in rules {
            // What follows a page goes its way; a rule that never pages has nothing to follow.
            let pages = rule.rule.events.iter().any(|asked| asked.occasion == Occasion::Triggered);
            if pages && !matches!(self.occasion, Occasion::Triggered | Occasion::Updated | Occasion::Change) {
                continue;
            }
            if self.occasion == Occasion::Triggered && rule.rule.enabled && sweep::is_needed(&rule.rule) {
                self.watch(&rule);
            }
            let seen = Seen { message: &whole, after: None, paged: self.has_paged(&rule.id) };
            let Answer::Yes { occasion, notes } = rule.rule.wants(&seen, &judged) else { continue };
            let mut fresh = self.reached(&rule.rule, row);
            // Who knows of the incident is told what happened by the way of its page.
            fresh.retain(|id| !pages || self.occasion == Occasion::Triggered || !self.has_thread(id));
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

    /// Has the rule look at the incident again as time goes by.
    fn watch(&mut self, rule: &Arc<StoredRule>) {
        let Some(incident_id) = self.notice.incident_id else { return };
        let quiet = quiet_until(&rule.rule.quiet_windows, self.facts.now);
        let since = quiet.unwrap_or(self.facts.now);
        self.planned.plan.watches.push(Watch {
            rule_id: rule.id.to_string(),
            incident_id,
            tenant_id: self.notice.tenant_id.clone(),
            started_at: since.0,
            due_at: since.0,
            state: "[]".to_owned(),
        });
    }

    /// The destinations that a rule tells at once, of those that are there and are told anything.
    fn reached(&self, rule: &Rule, row: Option<&incidents::Incident>) -> Vec<Arc<str>> {
        let first = rule.fallback.first().into_iter().flatten();
        let named: Vec<String> = rule.destinations.iter().chain(&rule.always).chain(first).cloned().collect();
        let about = row.and_then(|row| self.is_about(row));
        let reached = named.into_iter().filter_map(|id| {
            let (id, destination) = self.facts.context.snapshot.destinations.get_key_value(id.as_str())?;
            let told = destination.enabled && *destination.tenant_id == *self.notice.tenant_id && about.as_deref() != Some(&**id);
            told.then(|| Arc::clone(id))
        });
        reached.collect()
    }

    /// The destination that an incident of our own is about: it is not told that it does not work.
    fn is_about(&self, row: &incidents::Incident) -> Option<String> {
        let integration = self.facts.context.snapshot.integrations.get(row.integration_id.as_str())?;
        let key = row.dedup_key.strip_prefix("destination:")?;
        (integration.kind == OWN).then(|| key.to_owned())
    }

    fn has_paged(&self, rule_id: &str) -> bool {
        let threads = self.notice.incident_id.and_then(|id| self.facts.threads.get(&id));
        threads.is_some_and(|threads| threads.iter().any(|thread| thread.rule_id.as_deref() == Some(rule_id)))
    }

    fn has_thread(&self, destination_id: &str) -> bool {
        let threads = self.notice.incident_id.and_then(|id| self.facts.threads.get(&id));
        threads.is_some_and(|threads| threads.iter().any(|thread| thread.destination_id == destination_id))
    }

    /// Until when a rule puts off what it would tell now.
    fn hold(&mut self, rule: &Arc<StoredRule>, row: Option<&incidents::Incident>) -> Option<(Timestamp, &'static str)> {
        let now = self.facts.now;
        let quiet = quiet_until(&rule.rule.quiet_windows, now).map(|until| (until, "quiet"));
        quiet.or_else(|| self.deduped(rule, row).map(|until| (until, "dedupe"))).or_else(|| {
            let pace = self.paces.entry(Arc::clone(&rule.id)).or_default();
            let limit = rule.rule.rate_limit?;
            pace.admit(limit, now).err().map(|until| (until, "limit"))
        })
    }

    /// Whether an incident is a page too many of its key, and until when; notes the page otherwise.
    fn deduped(&mut self, rule: &Arc<StoredRule>, row: Option<&incidents::Incident>) -> Option<Timestamp> {
        rule.rule.dedupe_window?;
        let row = row.filter(|_| self.occasion == Occasion::Triggered)?;
        let known = self
            .facts
            .threads
            .get(&id::number(&row.id))
            .is_some_and(|threads| threads.iter().any(|thread| thread.rule_id.as_deref() == Some(&*rule.id)));
        if known {
            return None;
        }
        let key = (Arc::clone(&rule.id), row.integration_id.clone(), row.dedup_key.clone());
        let until = rule.rule.deduped_until(self.facts.paged.get(&key).copied(), self.facts.now);
        if until.is_none() {
            self.facts.paged.insert(key, self.facts.now);
            self.planned.plan.pages.push(Page {
                rule_id: rule.id.to_string(),
                integration_id: row.integration_id.clone(),
                dedup_key: row.dedup_key.clone(),
                paged_at: self.facts.now.0,
            });
        }
        until
    }

    /// Adds the destinations that know of the incident, or wait to be told of it.
    fn by_threads(&mut self, routes: &mut BTreeMap<Arc<str>, Route>) {
        let snapshot: &Snapshot = self.facts.context.snapshot;
        let threads = self.notice.incident_id.and_then(|id| self.facts.threads.get(&id));
        for thread in threads.into_iter().flatten() {
            let Some((id, _)) = snapshot.destinations.get_key_value(thread.destination_id.as_str()) else { continue };
            let wants = wants(&thread.wants);
            if !wants.contains(&self.occasion) || routes.contains_key(id) {
                continue;
            }
            let rules = snapshot.rules.get(self.notice.tenant_id.as_str());
            let rule = rules.into_iter().flatten().find(|rule| Some(&*rule.id) == thread.rule_id.as_deref()).cloned();
            let quiet = rule.as_ref().and_then(|rule| quiet_until(&rule.rule.quiet_windows, self.facts.now));
            let hold = quiet.map(|until| (until, "quiet"));
            routes.insert(Arc::clone(id), Route { occasion: self.occasion, rule, wants, hold, notes: Vec::new() });
        }
    }

    fn tell(&mut self, subject: &str, routes: BTreeMap<Arc<str>, Route>, message: &Message) {
        for (destination_id, route) in routes {
            self.tell_one(subject, &destination_id, route, message);
        }
    }

    fn tell_one(&mut self, subject: &str, destination_id: &Arc<str>, route: Route, message: &Message) {
        let now = self.facts.now;
        let incident_id = self.notice.incident_id;
        let known = incident_id
            .and_then(|id| self.facts.threads.get(&id))
            .and_then(|threads| threads.iter().find(|thread| *thread.destination_id == **destination_id).cloned());
        let mut thread = known.unwrap_or_else(|| Thread {
            destination_id: destination_id.to_string(),
            subject: subject.to_owned(),
            tenant_id: self.notice.tenant_id.clone(),
            incident_id,
            rule_id: route.rule.as_ref().map(|rule| rule.id.to_string()),
            wants: written(&route.wants),
            due_at: None,
            lease: None,
            held_until: None,
            held_by: None,
            told_status: None,
            told_severity: None,
            remembered: None,
            updated_at: now.0,
        });
        thread.updated_at = now.0;
        let on_hold = thread.held_until.is_some();
        match route.hold {
            Some((until, why)) if incident_id.is_some() => {
                // The end that is settled stays: each further thing that happens would put it off again.
                thread.held_until = Some(thread.held_until.unwrap_or(until.0));
                thread.held_by = Some(why.to_owned());
                thread.due_at = None;
                *self.planned.held.entry(why).or_default() += 1;
            }
            // Only a page ends a hold early; all else is part of what is told at its end.
            None if on_hold && route.occasion != Occasion::Triggered => return,
            // A change has no state to tell at the end of a hold: it is told late.
            hold => {
                thread.held_until = None;
                thread.held_by = None;
                let at = hold.map_or(now, |(until, _)| until);
                // Not the time that was read: a worker may have given the thread back since, and the store keeps what it has.
                thread.due_at = Some(at.0);
                let mut message = message.clone();
                message.event = route.occasion;
                message.notes.extend(route.notes);
                self.planned.plan.deliveries.push(NewDelivery {
                    id: id::new(Kind::Delivery),
                    tenant_id: self.notice.tenant_id.clone(),
                    destination_id: destination_id.to_string(),
                    subject: subject.to_owned(),
                    rule_id: route.rule.as_ref().map(|rule| rule.id.to_string()),
                    incident_id,
                    event_id: self.notice.event_id,
                    event: route.occasion.as_str(),
                    message: serde_json::to_string(&message).unwrap_or_default(),
                    created_at: now.0,
                });
            }
        }
        self.keep(thread);
    }

    /// The thread as it is from now on, for what comes later in the batch and for the store.
    fn keep(&mut self, thread: Thread) {
        let same = |have: &Thread| have.destination_id == thread.destination_id && have.subject == thread.subject;
        if let Some(incident_id) = thread.incident_id {
            let threads = self.facts.threads.entry(incident_id).or_default();
            match threads.iter_mut().find(|have| same(have)) {
                Some(have) => have.clone_from(&thread),
                None => threads.push(thread.clone()),
            }
        }
        let planned = &mut self.planned.plan.threads;
        match planned.iter_mut().find(|have| same(have)) {
            Some(have) => *have = thread,
            None => planned.push(thread),
        }
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

/// Event types as a thread keeps them.
fn written(wants: &[Occasion]) -> String {
    let words = Occasion::ALL.into_iter().filter(|occasion| wants.contains(occasion)).map(Occasion::as_str);
    words.collect::<Vec<_>>().join(",")
}

/// Reads them again.
fn wants(text: &str) -> Vec<Occasion> {
    text.split(',').filter_map(Occasion::parse).collect()
}
