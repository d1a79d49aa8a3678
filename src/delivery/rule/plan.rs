//! Who is told of a page when: at once, in steps until somebody acknowledges, and in order of fallback.
//!
//! Nothing is remembered here: from the page and what became of telling each destination so far follows who is due, whenever it is asked.

use std::time::Duration;

use super::Rule;
use crate::time::Timestamp;

/// A page, as far as it has come.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// When the rule paged: when it was asked to, or when the quiet window ended that held it.
    pub since: Timestamp,
    /// When the incident was acknowledged. What was before `since` does not count: a severity that rises pages an acknowledged one anew.
    pub acknowledged_at: Option<Timestamp>,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// The deliveries of this page by this rule, at most one a destination.
    pub deliveries: &'a [Delivery<'a>],
}

/// What became of telling a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivery<'a> {
    /// The destination's id.
    pub destination: &'a str,
    /// When it was due.
    pub at: Timestamp,
    /// Where it stands.
    pub progress: Progress,
}

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// On its way: pending, held or retried.
    Underway,
    /// It arrived.
    Delivered,
    /// It never will: dead or skipped.
    Failed,
}

/// Who is to be told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Due<'a> {
    /// The ids of destinations that are to be told now, each once.
    pub destinations: Vec<&'a str>,
    /// When to ask again if nothing happens before; after each delivery that fails it is to be asked anyway.
    pub next: Option<Timestamp>,
}

impl Page<'_> {
    fn delivery(&self, id: &str) -> Option<&Delivery<'_>> {
        self.deliveries.iter().find(|delivery| delivery.destination == id)
    }

    fn is_since(&self, at: Option<Timestamp>) -> bool {
        at.is_some_and(|at| at >= self.since)
    }
}

impl Rule {
    /// Who is to be told of `page` at `now`. Nobody once it is resolved; by steps and fallback nobody once it is acknowledged.
    pub fn due<'a>(&'a self, page: &Page<'_>, now: Timestamp) -> Due<'a> {
        let mut due = Due::default();
        if page.is_since(page.resolved_at) {
            return due;
        }
        due.tell(self.destinations.iter().chain(&self.always), page);
        if !page.is_since(page.acknowledged_at) {
            self.fall_back(page, now, &mut due);
            self.step(page, now, &mut due);
        }
        due
    }

    /// Who is told how long after a page that nobody acknowledges and nothing arrives of; those that are told at once first.
    pub fn ahead(&self) -> Vec<(Duration, &str)> {
        let since = Timestamp(0);
        let (mut ahead, mut deliveries, mut now) = (Vec::new(), Vec::new(), since);
        loop {
            let page = Page { since, acknowledged_at: None, resolved_at: None, deliveries: &deliveries };
            let due = self.due(&page, now);
            let after = Duration::from_micros(u64::try_from(now.0).unwrap_or(0));
            for destination in due.destinations {
                ahead.push((after, destination));
                deliveries.push(Delivery { destination, at: now, progress: Progress::Underway });
            }
            match due.next {
                Some(next) if next > now => now = next,
                _ => return ahead,
            }
        }
    }

    /// Whether a destination stands in its steps.
    pub fn is_step(&self, id: &str) -> bool {
        self.steps.iter().flat_map(|step| &step.destinations).any(|named| named == id)
    }

    fn step<'a>(&'a self, page: &Page<'_>, now: Timestamp, due: &mut Due<'a>) {
        for step in &self.steps {
            let at = page.since.plus(step.after);
            if at > now {
                return due.ask_at(at);
            }
            due.tell(&step.destinations, page);
        }
    }

    /// Goes on to the next place where all destinations of one have failed, or none has delivered in time; ends where one has.
    fn fall_back<'a>(&'a self, page: &Page<'_>, now: Timestamp, due: &mut Due<'a>) {
        let told = |id: &String| page.delivery(id);
        if self.fallback.iter().flatten().filter_map(told).any(|delivery| delivery.progress == Progress::Delivered) {
            return;
        }
        for place in &self.fallback {
            due.tell(place, page);
            if place.iter().filter_map(told).filter(|delivery| delivery.progress == Progress::Failed).count() == place.len() {
                continue;
            }
            let begun = place.iter().map(|id| told(id).map_or(now, |delivery| delivery.at)).max().unwrap_or(now);
            let late = begun.plus(self.fallback_after.max(Duration::from_secs(1)));
            if late > now {
                return due.ask_at(late);
            }
        }
    }
}

impl<'a> Due<'a> {
    /// Adds those that have not been told yet.
    fn tell(&mut self, ids: impl IntoIterator<Item = &'a String>, page: &Page<'_>) {
        for id in ids {
            if page.delivery(id).is_none() && !self.destinations.contains(&id.as_str()) {
                self.destinations.push(id);
            }
        }
    }

    fn ask_at(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}
