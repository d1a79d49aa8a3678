//! The plan, looked at thread by thread: what each would be told, what of that never goes out, and who is left out.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Planned, Preview, named};
use crate::delivery::message::{Message, Occasion};
use crate::delivery::thread;
use crate::id::{self, Kind};
use crate::ingest::snapshot::StoredRule;
use crate::outbox::plan::{Facts, Untold};
use crate::outbox::settle::{at_the_end, told};
use crate::outbox::{message, waits};
use crate::store::incidents::Incident;
use crate::store::outbox::route::{Notice, Plan};
use crate::store::outbox::{NewDelivery, Thread, read, waiting};
use crate::store::{Conn, Result};
use crate::time::Timestamp;

/// What is being looked at, and what was seen so far.
pub struct Sight<'a, 'b> {
    /// What is known.
    pub facts: &'a Facts<'b>,
    /// What happens.
    pub notices: &'a [Notice],
    /// What would come of it.
    pub preview: Preview,
}

impl Sight<'_, '_> {
    /// What one destination would be told of one subject.
    pub fn thread(&mut self, conn: &mut Conn, thread: &Thread, plan: &Plan) -> Result<()> {
        let snapshot = self.facts.context.snapshot;
        let Some(destination) = snapshot.destinations.get(thread.destination_id.as_str()) else { return Ok(()) };
        let waiting = waiting::unfinished(conn, &destination.id, &[thread.subject.as_str()])?;
        let breaker = read::breakers(conn, &[&*destination.id])?.pop();
        let behind =
            || (!waiting.is_empty()).then(|| format!("messages about the same that are sent before it: {}", waiting.len()));
        let waits = waits::waits(destination, breaker.as_ref(), self.facts.now).or_else(behind);
        let row = thread.incident_id.and_then(|number| self.facts.incidents.get(&number));
        let (letters, at, by) = match (thread.held_until.map(Timestamp), row) {
            (Some(until), Some(row)) => (self.late(thread, row, until), until, thread.held_by.as_deref()),
            _ => {
                let at = thread.due_at.map_or(self.facts.now, Timestamp).max(self.facts.now);
                (soon(thread, plan), at, Some("its rule"))
            }
        };
        let hold = (at > self.facts.now).then(|| json!({"by": by, "until": at.to_string()}));
        let pages = thread.wants.split(',').any(|word| word == Occasion::Triggered.as_str());
        let mut opened = waiting.iter().filter_map(|delivery| Occasion::parse(&delivery.event)).any(thread::opens);
        for Letter { id, rule_id, mut message } in letters {
            opened |= thread::may_go(told(thread), thread.in_doubt != 0, message.event, pages);
            if !opened {
                self.leave(About::of(&message), rule_id.as_deref(), Some(&destination.id), "it was never told that it began");
                continue;
            }
            if let (Some(incident), Some(row), true) = (&mut message.incident, row, destination.wants_details()) {
                incident.details = Some(message::details(row));
            }
            let remembered = thread.remembered.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let (destination, rule) = (Arc::clone(destination), self.rule(rule_id.as_deref()));
            let (hold, waits) = (hold.clone(), waits.clone());
            self.preview.letters.push(Planned { destination, rule, id, message, remembered, at, hold, waits });
        }
        Ok(())
    }

    /// What is told at the end of a hold.
    fn late(&mut self, thread: &Thread, row: &Incident, until: Timestamp) -> Vec<Letter> {
        let late = at_the_end(&self.facts.context, thread, row, until);
        if late.is_empty() {
            let about = About { event: None, dedup_key: Some(row.dedup_key.clone()) };
            let why = "it is over before its hold ends, and it was never told that it began";
            self.leave(about, thread.rule_id.as_deref(), Some(&thread.destination_id), why);
        }
        let letter = |message| Letter { id: id::new(Kind::Delivery), rule_id: thread.rule_id.clone(), message };
        late.into_iter().map(letter).collect()
    }

    /// Who would be told of a page as time goes by.
    pub fn later(&mut self, plan: &Plan) {
        let mut done: Vec<(&str, &str)> = Vec::new();
        for new in plan.deliveries.iter().filter(|new| new.event == Occasion::Triggered.as_str()) {
            let Some(rule) = self.rule(new.rule_id.as_deref()) else { continue };
            let key = (new.rule_id.as_deref().unwrap_or_default(), new.subject.as_str());
            if done.contains(&key) {
                continue;
            }
            done.push(key);
            for (after, id) in rule.rule.ahead().into_iter().filter(|(after, _)| !after.is_zero()) {
                self.preview.later.push(json!({
                    "destination": self.destination(id),
                    "rule": named(&rule),
                    "after": crate::duration::print(i64::try_from(after.as_secs()).unwrap_or(i64::MAX)),
                    "subject": new.subject,
                    "why": if rule.rule.is_step(id) { "while nobody has acknowledged it" } else { "if those before it could not be told" },
                }));
            }
        }
    }

    /// Who is not told of what.
    pub fn untold(&mut self, left: Vec<Untold>, plan: &Plan) {
        for untold in left {
            let about = self.about(untold.notice);
            let rule = untold.rule.as_ref().map(|rule| &*rule.id);
            self.leave(about, rule, untold.destination.as_deref(), &untold.why);
        }
        for notice in self.notices {
            let subject = subject_of(notice);
            let told = plan.threads.iter().any(|thread| thread.subject == subject);
            if told {
                continue;
            }
            let why = match Occasion::parse(&notice.event) {
                Some(Occasion::Triggered) => "no rule tells anybody of it, and no destination is the default",
                Some(Occasion::Change) => "no rule tells anybody of it",
                _ => "nobody is to be told of it: nobody was told of its page",
            };
            self.leave(self.about(notice.id), None, None, why);
        }
    }

    fn about(&self, notice: i64) -> About {
        let notice = self.notices.iter().find(|known| known.id == notice);
        let row = notice.and_then(|notice| self.facts.incidents.get(&notice.incident_id?));
        About { event: notice.map(|notice| notice.event.clone()), dedup_key: row.map(|row| row.dedup_key.clone()) }
    }

    fn leave(&mut self, about: About, rule: Option<&str>, destination: Option<&str>, why: &str) {
        self.preview.untold.push(json!({
            "event": about.event,
            "dedup_key": about.dedup_key,
            "rule": self.rule(rule).as_deref().map(named),
            "destination": destination.map(|id| self.destination(id)),
            "why": why,
        }));
    }

    fn rule(&self, id: Option<&str>) -> Option<Arc<StoredRule>> {
        let id = id?;
        self.facts.context.snapshot.rules.values().flatten().find(|rule| *rule.id == *id).cloned()
    }

    fn destination(&self, id: &str) -> Value {
        let found = self.facts.context.snapshot.destinations.get(id);
        json!({"id": id, "name": found.map(|found| &found.name), "kind": found.map(|found| &found.kind)})
    }
}

/// What somebody is not told of.
#[derive(Default)]
struct About {
    event: Option<String>,
    dedup_key: Option<String>,
}

impl About {
    fn of(message: &Message) -> Self {
        let dedup_key = message.incident.as_ref().map(|incident| incident.dedup_key.clone());
        Self { event: Some(message.event.as_str().to_owned()), dedup_key }
    }
}

fn subject_of(notice: &Notice) -> String {
    let incident = notice.incident_id.map(|number| id::text(Kind::Incident, number));
    incident.or_else(|| notice.change_id.map(|number| id::text(Kind::Change, number))).unwrap_or_default()
}

/// A message on its way, not rendered.
struct Letter {
    id: String,
    rule_id: Option<String>,
    message: Message,
}

/// What is told as soon as the receiver is told anything.
fn soon(thread: &Thread, plan: &Plan) -> Vec<Letter> {
    let of = plan.deliveries.iter();
    let of = of.filter(|new| new.destination_id == thread.destination_id && new.subject == thread.subject);
    let letter = |new: &NewDelivery| {
        let message = serde_json::from_str(&new.message).ok()?;
        Some(Letter { id: new.id.clone(), rule_id: new.rule_id.clone(), message })
    };
    of.filter_map(letter).collect()
}
