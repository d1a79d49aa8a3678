//! The lifecycle, rule by rule, in every order, and at random.

mod every_order;
mod order;
mod random;
mod rules;
mod shown;

use super::*;
use crate::event::DedupKey;

/// When the first report of each test is received.
const START: Timestamp = Timestamp::from_seconds(1_750_000_000);

/// A source time, `seconds` after [`START`].
fn source_time(seconds: i64) -> Option<Timestamp> {
    Some(START.plus_seconds(seconds))
}

/// An event as a tool would send it, with its source time in both places.
fn event(action: Action, at: Option<Timestamp>) -> Event {
    let key = DedupKey::strict("disk/db-1").unwrap();
    let mut event = Event::new(action, key, "the disk is full", "db-1.example.com", Severity::Critical);
    (event.occurred_at, event.starts_at) = (at, at);
    event
}

/// One key, what was sent to it so far, and the time.
struct Key {
    state: KeyState,
    clock: Clock,
    now: Timestamp,
    sent: u32,
}

impl Key {
    fn new(clock: Clock) -> Self {
        Self { state: KeyState::default(), clock, now: START, sent: 0 }
    }

    /// Lets time pass.
    fn wait(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
    }

    fn report(&mut self, report: &Report) -> Change {
        self.report_by(report, Actor::Tool)
    }

    fn report_by(&mut self, report: &Report, actor: Actor) -> Change {
        self.act(actor, |state, arrival, new_id| apply(state, report, arrival, || new_id))
    }

    /// Runs one of the functions of the lifecycle with a fresh event id.
    fn act(&mut self, actor: Actor, run: impl FnOnce(&mut KeyState, &Arrival<'_>, String) -> Change) -> Change {
        self.sent += 1;
        let event_id = format!("evt_{}", self.sent);
        let arrival = Arrival { received_at: self.now, event_id: &event_id, service_id: "svc_1", actor };
        run(&mut self.state, &arrival, format!("inc_{}", self.sent))
    }

    fn send(&mut self, action: Action, at: Option<Timestamp>) -> Change {
        let report = Report::new(&event(action, at), self.clock);
        self.report(&report)
    }

    /// Sends a trigger with a source time (`None`: without one); what it did.
    fn trigger(&mut self, at: impl Into<Option<i64>>) -> Outcome {
        self.send(Action::Trigger, at.into().and_then(source_time)).outcome
    }

    fn resolve(&mut self, at: impl Into<Option<i64>>) -> Outcome {
        self.send(Action::Resolve, at.into().and_then(source_time)).outcome
    }

    fn acknowledge(&mut self) -> Change {
        self.send(Action::Acknowledge, None)
    }

    /// Sends a trigger of a severity, without a source time.
    fn trigger_as(&mut self, severity: Severity) -> Change {
        let report = Report { severity, ..Report::new(&event(Action::Trigger, None), self.clock) };
        self.report(&report)
    }

    fn resolve_by(&mut self, actor: Actor) -> Change {
        let report = Report::new(&event(Action::Resolve, None), Clock::Arrival);
        self.report_by(&report, actor)
    }

    fn open(&self) -> &Incident {
        self.state.open.as_ref().expect("the key is open")
    }

    fn is_open(&self) -> bool {
        self.state.open.is_some()
    }
}

fn person() -> Actor {
    Actor::Person("the one on call".to_owned())
}
