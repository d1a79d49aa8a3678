//! What time alone brings about: the steps of a rule, the next place of its fallback, and how long an incident is open.

use std::collections::HashSet;
use std::sync::Arc;

use super::message::{self, Context};
use super::plan;
use super::settle::delivery;
use crate::delivery::message::Occasion;
use crate::delivery::rule::{Answer, Delivery as Told, Due, Facts, Page, Progress, Rule, Seen, quiet_until};
use crate::ingest::snapshot::StoredRule;
use crate::store::incidents::Incident;
use crate::store::outbox::read::{self, Standing};
use crate::store::outbox::route::{self, Plan};
use crate::store::outbox::{Thread, Watch};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// Watches of one turn.
const MOST: i64 = 200;

/// Whether a rule has anything to do after its page.
pub fn follows_a_page(rule: &Rule) -> bool {
    !rule.steps.is_empty() || rule.fallback.len() > 1 || is_timed(rule)
}

/// Whether a rule tells of what lasts, which may become worse, and its business, meanwhile.
pub fn is_timed(rule: &Rule) -> bool {
    rule.events.iter().any(|asked| asked.after.is_some())
}

/// What is to be written for the watches that are due, and whether there may be more of them.
///
/// # Errors
/// A query failed.
pub fn sweep(conn: &mut Conn, context: &Context<'_>, now: Timestamp) -> Result<(Plan, bool)> {
    let due = route::watches_due(conn, now.0, MOST)?;
    let mut more = due.len() >= usize::try_from(MOST).unwrap_or(usize::MAX);
    let mut plan = Plan::default();
    let mut seen = HashSet::new();
    for watch in due {
        // What one rule has told by now, the next one must find: an incident has one rule a turn.
        if !seen.insert(watch.incident_id) {
            more = true;
            continue;
        }
        let rules = context.snapshot.rules.get(watch.tenant_id.as_str());
        let rule = rules.into_iter().flatten().find(|rule| *rule.id == *watch.rule_id && rule.rule.enabled);
        let row = read::incidents(conn, &[watch.incident_id])?.pop().filter(|row| row.resolved_at.is_none());
        let (Some(rule), Some(row)) = (rule, row) else {
            plan.unwatched.push((watch.rule_id, watch.incident_id));
            continue;
        };
        let threads = route::threads_of(conn, &[watch.incident_id])?;
        let told = read::told(conn, watch.incident_id)?;
        Sweep { context, rule, row: &row, threads, told, now, plan: &mut plan }.run(watch);
    }
    Ok((plan, more))
}

struct Sweep<'a, 'b> {
    context: &'a Context<'b>,
    rule: &'a Arc<StoredRule>,
    row: &'a Incident,
    threads: Vec<Thread>,
    told: Vec<Standing>,
    now: Timestamp,
    plan: &'a mut Plan,
}

impl Sweep<'_, '_> {
    fn run(mut self, mut watch: Watch) {
        let rule = Arc::clone(self.rule);
        let since = Timestamp(watch.started_at);
        let deliveries: Vec<Told<'_>> = rule.rule.reaches().into_iter().filter_map(|id| self.standing(id, since)).collect();
        let page =
            Page { since, acknowledged_at: self.row.acknowledged_at.map(Timestamp), resolved_at: None, deliveries: &deliveries };
        // What a rule has not paged for has no steps.
        let paged = watch.done().contains(Occasion::Triggered.as_str());
        let due = if paged { rule.rule.due(&page, self.now) } else { Due::default() };
        for id in &due.destinations {
            self.tell(id, Occasion::Triggered, Vec::new());
        }
        let timed = self.timed(&mut watch);
        // What was told now is asked for again soon: the next place of a fallback waits for it.
        let again =
            (!due.destinations.is_empty() && rule.rule.fallback.len() > 1).then(|| self.now.plus(rule.rule.fallback_after));
        match [due.next, timed, again].into_iter().flatten().min() {
            Some(at) => {
                watch.due_at = at.0;
                self.plan.watches.push(watch);
            }
            None => self.plan.unwatched.push((watch.rule_id, watch.incident_id)),
        }
    }

    /// What became of telling a destination of this page, by whichever rule.
    fn standing<'i>(&self, id: &'i str, since: Timestamp) -> Option<Told<'i>> {
        let usable = self.context.snapshot.destinations.get(id).is_some_and(|destination| destination.enabled);
        if !usable || plan::is_about(self.context.snapshot, self.row).as_deref() == Some(id) {
            return Some(Told { destination: id, at: since, progress: Progress::Failed });
        }
        let held = self.threads.iter().any(|thread| thread.destination_id == id && thread.held_until.is_some());
        if held {
            return Some(Told { destination: id, at: since, progress: Progress::Underway });
        }
        let page = Occasion::Triggered.as_str();
        // A page anew is one for the steps too; who is told at once has heard of it by the router.
        let at_once = self.rule.rule.at_once().any(|first| first == id);
        let of_page =
            |told: &&Standing| told.destination_id == id && told.event == page && (at_once || told.created_at >= since.0);
        let told = self.told.iter().filter(of_page);
        let last = told.max_by_key(|told| told.created_at)?;
        let progress = match last.status.as_str() {
            "delivered" => Progress::Delivered,
            "dead" | "skipped" => Progress::Failed,
            _ => Progress::Underway,
        };
        Some(Told { destination: id, at: Timestamp(last.created_at), progress })
    }

    /// Tells what has lasted as long as the rule says; when the next of it will have.
    fn timed(&mut self, watch: &mut Watch) -> Option<Timestamp> {
        let rule = Arc::clone(self.rule);
        let mut done = watch.done();
        let mut next: Option<Timestamp> = None;
        for asked in &rule.rule.events {
            let Some(after) = asked.after else { continue };
            let from = match asked.occasion {
                Occasion::OpenFor => Timestamp(self.row.first_seen),
                _ if self.row.acknowledged_at.is_some() => continue,
                _ => Timestamp(watch.started_at),
            };
            let word = asked.to_string();
            if done.contains(&word) {
                continue;
            }
            let at = from.plus(after);
            if at > self.now {
                next = Some(next.map_or(at, |next| next.min(at)));
                continue;
            }
            done.insert(word);
            let mut whole = message::of_incident(self.context, self.row, asked.occasion, self.now);
            if let Some(incident) = &mut whole.incident {
                incident.details = Some(message::details(self.row));
            }
            let seen = Seen { message: &whole, after: Some(after), paged: true };
            if let Answer::Yes { notes, .. } = rule.rule.wants(&seen, &Facts::of(&whole)) {
                for id in rule.rule.destinations.iter().chain(&rule.rule.always) {
                    self.tell(id, asked.occasion, notes.clone());
                }
            }
        }
        watch.set_done(&done);
        next
    }

    fn tell(&mut self, id: &str, occasion: Occasion, notes: Vec<String>) {
        let Some(destination) = self.context.snapshot.destinations.get(id).filter(|found| found.enabled) else { return };
        let known = self.threads.iter().find(|thread| thread.destination_id == id).cloned();
        if known.as_ref().is_some_and(|thread| thread.held_until.is_some()) {
            return;
        }
        let mut thread = known.unwrap_or_else(|| {
            let incident_id = Some(crate::id::number(&self.row.id));
            Thread::new(&destination.tenant_id, id, &self.row.id, incident_id, Some(&self.rule.id))
        });
        thread.wants = plan::united(&thread.wants, self.rule.rule.events.iter().map(|asked| asked.occasion));
        thread.updated_at = self.now.0;
        match quiet_until(&self.rule.rule.quiet_windows, self.now) {
            Some(until) => {
                thread.held_until = Some(until.0);
                thread.held_by = Some("quiet".to_owned());
                thread.due_at = None;
            }
            None => {
                let mut message = message::of_incident(self.context, self.row, occasion, self.now);
                message.notes = notes;
                thread.due_at = Some(self.now.0);
                let mut new = delivery(&thread, self.row.id.clone(), occasion, &message, self.now);
                new.rule_id = Some(self.rule.id.to_string());
                self.plan.deliveries.push(new);
            }
        }
        self.keep(thread);
    }

    /// The thread as it is from now on, once in the plan however often it is told.
    fn keep(&mut self, thread: Thread) {
        for threads in [&mut self.threads, &mut self.plan.threads] {
            match threads.iter_mut().find(|have| have.destination_id == thread.destination_id && have.subject == thread.subject) {
                Some(have) => have.clone_from(&thread),
                None => threads.push(thread.clone()),
            }
        }
    }
}
