//! What would go out for what happens: the router's own plan over what is known now, rendered as it would be sent, and never written.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::message::{self, Context};
use super::plan::{self, Facts, Paces, Untold};
use super::send::made;
use super::settle::{at_the_end, told};
use super::shown::shown;
use super::{router, waits};
use crate::delivery::channel::Letter;
use crate::delivery::destination::Destination;
use crate::delivery::message::{Message, Occasion};
use crate::delivery::thread;
use crate::id::{self, Kind};
use crate::ingest::snapshot::StoredRule;
use crate::store::outbox::route::{Notice, Plan};
use crate::store::outbox::{Thread, lane, read};
use crate::store::{Conn, Result, changes, incidents};
use crate::time::Timestamp;

/// Notices of which is shown what would come of them: a request may make thousands.
pub const NOTICES_MAX: usize = 100;

/// What would have happened.
#[derive(Debug, Default)]
pub struct Happened {
    /// What the outside world would have to be told, in order; each with an id of its own. At most [`NOTICES_MAX`].
    pub notices: Vec<Notice>,
    /// How many there are besides.
    pub more: usize,
    /// The incidents, as they would be then, by number.
    pub incidents: HashMap<i64, incidents::Incident>,
    /// The change events.
    pub changes: HashMap<i64, changes::Change>,
}

/// What would come of it, not rendered yet.
#[derive(Debug, Default)]
pub struct Preview {
    letters: Vec<Planned>,
    later: Vec<Value>,
    untold: Vec<Value>,
    more: usize,
}

/// What would come of it.
#[derive(Debug, Default, Serialize)]
pub struct Shown {
    /// One entry a message: to whom, by which rule, when, and the request.
    pub deliveries: Vec<Value>,
    /// Who would be told after some time, if nobody acknowledges or nothing arrives.
    pub later: Vec<Value>,
    /// Which rules do not tell of what, and who is not told, and why.
    pub untold: Vec<Value>,
    /// Things that happen of which nothing is shown here, because there are so many.
    #[serde(rename = "deliveries_more", skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One message to one destination.
#[derive(Debug)]
struct Planned {
    destination: Arc<Destination>,
    rule: Option<Arc<StoredRule>>,
    id: String,
    message: Message,
    remembered: Option<Value>,
    at: Timestamp,
    hold: Option<Value>,
    waits: Option<String>,
}

/// Plans what would go out at `now`. Limits of rules count as unspent. Reads, and writes nothing.
///
/// # Errors
/// A query failed.
pub fn plan(conn: &mut Conn, context: Context<'_>, happened: Happened, now: Timestamp) -> Result<Preview> {
    let Happened { notices, more, incidents, changes } = happened;
    let mut facts = router::facts(conn, context, &notices, (incidents, changes), now)?;
    facts.untold = Some(Vec::new());
    let planned = plan::plan(&notices, &mut facts, &mut Paces::new());
    let left = facts.untold.take().unwrap_or_default();
    let mut sight = Sight { facts: &facts, notices: &notices, preview: Preview { more, ..Preview::default() } };
    for thread in &planned.plan.threads {
        sight.thread(conn, thread, &planned.plan)?;
    }
    sight.later(&planned.plan);
    sight.untold(left, &planned.plan);
    Ok(sight.preview)
}

struct Sight<'a, 'b> {
    facts: &'a Facts<'b>,
    notices: &'a [Notice],
    preview: Preview,
}

impl Sight<'_, '_> {
    /// What one destination would be told of one subject.
    fn thread(&mut self, conn: &mut Conn, thread: &Thread, plan: &Plan) -> Result<()> {
        let snapshot = self.facts.context.snapshot;
        let Some(destination) = snapshot.destinations.get(thread.destination_id.as_str()) else { return Ok(()) };
        let waiting = lane::unfinished(conn, &destination.id, &[thread.subject.as_str()])?;
        let breaker = read::breakers(conn, &[&*destination.id])?.pop();
        let waits = waits::waits(destination, breaker.as_ref(), self.facts.now).or_else(|| {
            (!waiting.is_empty()).then(|| format!("messages about the same that are sent before it: {}", waiting.len()))
        });
        let row = thread.incident_id.and_then(|number| self.facts.incidents.get(&number));
        let (letters, at, by) = match (thread.held_until.map(Timestamp), row) {
            (Some(until), Some(row)) => {
                let late = at_the_end(&self.facts.context, thread, row, until);
                let rule = thread.rule_id.clone();
                let letters: Vec<_> = late.into_iter().map(|message| (id::new(Kind::Delivery), rule.clone(), message)).collect();
                if letters.is_empty() {
                    let why = "it is over before its hold ends, and it was never told that it began";
                    self.leave(
                        About { event: None, dedup_key: Some(row.dedup_key.clone()) },
                        thread.rule_id.as_deref(),
                        Some(&destination.id),
                        why,
                    );
                }
                (letters, until, thread.held_by.as_deref())
            }
            _ => {
                let of = plan.deliveries.iter();
                let of = of.filter(|new| new.destination_id == thread.destination_id && new.subject == thread.subject);
                let read = of.filter_map(|new| {
                    Some((new.id.clone(), new.rule_id.clone(), serde_json::from_str::<Message>(&new.message).ok()?))
                });
                (read.collect(), Timestamp(thread.due_at.unwrap_or(self.facts.now.0)).max(self.facts.now), Some("its rule"))
            }
        };
        let pages = thread.wants.split(',').any(|word| word == Occasion::Triggered.as_str());
        let mut opened = waiting.iter().filter_map(|delivery| Occasion::parse(&delivery.event)).any(thread::opens);
        for (id, rule_id, mut message) in letters {
            opened |= thread::may_go(told(thread), thread.in_doubt != 0, message.event, pages);
            if !opened {
                let why = "it was never told that it began";
                self.leave(About::of(&message), rule_id.as_deref(), Some(&destination.id), why);
                continue;
            }
            if let (Some(incident), Some(row), true) = (&mut message.incident, row, destination.wants_details()) {
                incident.details = Some(message::details(row));
            }
            self.preview.letters.push(Planned {
                destination: Arc::clone(destination),
                rule: self.rule(rule_id.as_deref()),
                id,
                message,
                remembered: thread.remembered.as_deref().and_then(|text| serde_json::from_str(text).ok()),
                at,
                hold: (at > self.facts.now).then(|| json!({"by": by, "until": at.to_string()})),
                waits: waits.clone(),
            });
        }
        Ok(())
    }

    /// Who would be told of a page as time goes by.
    fn later(&mut self, plan: &Plan) {
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

    fn untold(&mut self, left: Vec<Untold>, plan: &Plan) {
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

fn named(rule: &StoredRule) -> Value {
    json!({"id": &*rule.id, "name": rule.rule.name})
}

impl Preview {
    /// Renders every message as its destination would be sent it.
    pub async fn render(self) -> Shown {
        let mut deliveries = Vec::new();
        for planned in self.letters {
            deliveries.push(planned.render().await);
        }
        Shown { deliveries, later: self.later, untold: self.untold, more: self.more }
    }
}

impl Planned {
    async fn render(self) -> Value {
        let letter = Letter { id: &self.id, message: &self.message, now: self.at, remembered: self.remembered.as_ref() };
        let (request, problem) = rendered(&self.destination, &letter).await;
        let incident = self.message.incident.as_ref();
        json!({
            "destination": {"id": &*self.destination.id, "name": self.destination.name, "kind": self.destination.kind},
            "rule": self.rule.as_deref().map(named),
            "event": self.message.event,
            "dedup_key": incident.map(|incident| &incident.dedup_key),
            "at": self.at.to_string(),
            "hold": self.hold,
            "waits": self.waits,
            "request": request,
            "problem": problem,
        })
    }
}

/// What a letter looks like on its way to a destination, as people may see it; or why nothing can go there.
pub async fn rendered(destination: &Destination, letter: &Letter<'_>) -> (Option<Value>, Option<String>) {
    let (channel, target) = match destination.open(letter.now) {
        Ok(open) => open,
        Err(why) => return (None, Some(format!("{why}; what is meant for it waits"))),
    };
    match made(destination, channel, &target, letter).await {
        Ok(sending) => (Some(shown(channel, &target, &sending)), None),
        Err(why) => (None, Some(format!("it cannot be said there: {why}"))),
    }
}
