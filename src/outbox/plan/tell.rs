//! What is written for each destination that is told: a delivery, or a hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Planner, Route};
use crate::delivery::message::{Message, Occasion};
use crate::id::{self, Kind};
use crate::store::outbox::{NewDelivery, Thread};

impl Planner<'_, '_> {
    pub(super) fn tell(&mut self, subject: &str, routes: BTreeMap<Arc<str>, Route>, message: &Message) {
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
        let mut thread = known.unwrap_or_else(|| {
            let rule_id = route.rule.as_ref().map(|rule| &*rule.id);
            Thread::new(&self.notice.tenant_id, destination_id, subject, incident_id, rule_id)
        });
        // What another rule pages comes to its end there too, where that rule asks for it.
        thread.wants = united(&thread.wants, route.wants.iter().copied());
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
            None if on_hold && route.occasion != Occasion::Triggered => {
                let why = || "it waits for the end of a hold, and this is part of what it is told then".to_owned();
                return self.leave(route.rule.as_ref(), Some(destination_id), why);
            }
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

/// Event types as a thread keeps them: those that it has, and these.
pub fn united(have: &str, more: impl Iterator<Item = Occasion>) -> String {
    let more: Vec<&str> = more.map(Occasion::as_str).collect();
    let words = Occasion::ALL.map(Occasion::as_str).into_iter();
    words.filter(|word| more.contains(word) || have.split(',').any(|have| have == *word)).collect::<Vec<_>>().join(",")
}
