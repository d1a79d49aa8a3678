//! What a rule would make of something that happens: which of its clauses refuses, what puts it off, and what would go out.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::message::{self, Context};
use super::preview::rendered;
use super::waits;
use crate::delivery::channel::Letter;
use crate::delivery::message::{Message, Occasion};
use crate::delivery::rule::{Answer, Asked, Facts, Seen, quiet_until};
use crate::duration;
use crate::id::{self, Kind};
use crate::ingest::snapshot::{Snapshot, StoredRule};
use crate::store::incidents::Incident;
use crate::store::outbox::{Breaker, read, route};
use crate::store::{Conn, Result, changes};
use crate::time::Timestamp;

/// What a rule is tried with.
#[derive(Debug)]
pub enum Subject {
    /// An incident, stored or made up.
    Incident(Box<Incident>),
    /// A change.
    Change(Box<changes::Change>),
}

/// A rule that was tried, with what is to be rendered.
#[derive(Debug)]
pub struct Rehearsal {
    rule: Arc<StoredRule>,
    answer: Value,
    message: Option<Message>,
    subject: Subject,
    breakers: Vec<Breaker>,
    now: Timestamp,
}

/// Tries a rule. Evaluates its condition, which takes up to some milliseconds: not on an async thread. Reads, and writes nothing.
///
/// # Errors
/// A query failed.
pub fn rehearse(
    conn: &mut Conn,
    context: &Context<'_>,
    rule: Arc<StoredRule>,
    (asked, subject): (Asked, Subject),
    now: Timestamp,
) -> Result<Rehearsal> {
    let mut paged = false;
    let (plain, whole) = match &subject {
        Subject::Incident(row) => {
            let threads = route::threads_of(conn, &[id::number(&row.id)])?;
            paged = threads.iter().any(|thread| thread.rule_id.as_deref() == Some(&*rule.id));
            let plain = message::of_incident(context, row, asked.occasion, now);
            let mut whole = plain.clone();
            if let Some(incident) = &mut whole.incident {
                incident.details = Some(message::details(row));
            }
            (plain, whole)
        }
        Subject::Change(row) => {
            let plain = message::of_change(context, row, now);
            (plain.clone(), plain)
        }
    };
    let facts = Facts::of(&whole);
    let seen = Seen { message: &whole, after: asked.after, paged };
    let (message, why) = match rule.rule.wants(&seen, &facts) {
        Answer::No(reason) => (None, Some(reason.to_string())),
        Answer::Yes { occasion, notes } => (Some(Message { event: occasion, notes, ..plain }), None),
    };
    let condition = rule.rule.condition.as_ref().map(|condition| {
        let held = condition.holds(&facts);
        json!({"condition": condition.source(), "holds": held.as_ref().ok(), "error": held.as_ref().err()})
    });
    let answer = json!({
        "dry_run": true,
        "rule": {"id": &*rule.id, "name": rule.rule.name},
        "event": asked.to_string(),
        "matches": message.is_some(),
        "why": why,
        "condition": condition,
        "holds": holds(conn, &rule, &subject, message.as_ref(), now)?,
        "note": message.as_ref().and_then(|message| note(&rule, message.event)),
    });
    let breakers = read::breakers(conn, &rule.rule.reaches())?;
    Ok(Rehearsal { rule, answer, message, subject, breakers, now })
}

/// What would put it off now, but for limits, which are known to whoever sends.
fn holds(conn: &mut Conn, rule: &StoredRule, subject: &Subject, message: Option<&Message>, now: Timestamp) -> Result<Vec<Value>> {
    let hold = |by: &str, until: Timestamp| json!({"by": by, "until": until.to_string()});
    let mut holds: Vec<Value> =
        quiet_until(&rule.rule.quiet_windows, now).map(|until| hold("quiet", until)).into_iter().collect();
    let pages = message.is_some_and(|message| message.event == Occasion::Triggered);
    if let (Subject::Incident(row), true, true) = (subject, pages, rule.rule.dedupe_window.is_some()) {
        let paged = route::paged_at(conn, &rule.id, &row.integration_id, &row.dedup_key)?.map(Timestamp);
        holds.extend(rule.rule.deduped_until(paged, now).map(|until| hold("dedupe", until)));
    }
    Ok(holds)
}

/// What is to be known of an event besides.
fn note(rule: &StoredRule, event: Occasion) -> Option<&'static str> {
    let pages = rule.rule.events.iter().any(|asked| asked.occasion == Occasion::Triggered);
    match event {
        Occasion::Acknowledged | Occasion::Resolved if pages => Some(
            "it goes to whom the page was told, whatever the rules say by then; nobody is told of it who was not told of the page",
        ),
        _ => None,
    }
}

impl Rehearsal {
    /// What is said of it, with what would go out rendered.
    pub async fn render(self, snapshot: &Snapshot) -> Value {
        let mut deliveries = Vec::new();
        if let Some(message) = &self.message {
            for (after, id) in self.told(message.event) {
                deliveries.push(self.delivery(snapshot, message, after, id).await);
            }
        }
        let mut answer = self.answer;
        if let Some(map) = answer.as_object_mut() {
            map.insert("deliveries".to_owned(), deliveries.into());
        }
        answer
    }

    /// Who is told, and how long after.
    fn told(&self, event: Occasion) -> Vec<(Duration, &str)> {
        match event {
            Occasion::Triggered => self.rule.rule.ahead(),
            _ => self.rule.rule.at_once().map(|id| (Duration::ZERO, id.as_str())).collect(),
        }
    }

    async fn delivery(&self, snapshot: &Snapshot, message: &Message, after: Duration, id: &str) -> Value {
        let rule = json!({"id": &*self.rule.id, "name": self.rule.rule.name});
        let why = match (after.is_zero(), self.rule.rule.is_step(id)) {
            (true, _) => None,
            (false, true) => Some("while nobody has acknowledged it"),
            (false, false) => Some("if those before it could not be told"),
        };
        let after = (!after.is_zero()).then(|| duration::print(i64::try_from(after.as_secs()).unwrap_or(i64::MAX)));
        let Some(destination) = snapshot.destinations.get(id) else {
            return json!({"destination": {"id": id}, "rule": rule, "after": after, "problem": "the destination is deleted"});
        };
        let mut message = message.clone();
        if let (Some(incident), Subject::Incident(row), true) =
            (&mut message.incident, &self.subject, destination.wants_details())
        {
            incident.details = Some(message::details(row));
        }
        let (letter_id, now) = (id::new(Kind::Delivery), self.now);
        let letter = Letter { id: &letter_id, message: &message, now, remembered: None };
        let (request, problem) = rendered(destination, &letter).await;
        let breaker = self.breakers.iter().find(|breaker| breaker.destination_id == id);
        json!({
            "destination": {"id": id, "name": destination.name, "kind": destination.kind},
            "rule": rule,
            "event": message.event,
            "after": after,
            "why": why,
            "waits": waits::waits(destination, breaker, now),
            "request": request,
            "problem": problem,
        })
    }
}
