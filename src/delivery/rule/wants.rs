//! Whether a rule tells of something.

use std::fmt;
use std::time::Duration;

use super::{Asked, Facts, Rule};
use crate::delivery::message::{Message, Occasion};
use crate::event::Severity;

/// Something that happened, as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What is to be told: as it is now, but as severe as it was when this happened.
    pub message: &'a Message,
    /// How long it has lasted: there for [`Occasion::OpenFor`] and [`Occasion::UnacknowledgedFor`].
    pub after: Option<Duration>,
    /// Whether this rule has paged for this incident before.
    pub paged: bool,
}

/// What a rule says to something that happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// It does not tell of it.
    No(Reason),
    /// It does.
    Yes {
        /// What it tells: what happened, or a page, where the severity has risen to the rule's floor only now.
        occasion: Occasion,
        /// What the receivers should know besides.
        notes: Vec<String>,
    },
}

/// Why a rule does not tell of something; in the order in which it is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It is disabled.
    Disabled,
    /// It does not ask for such events.
    Event,
    /// It is for other services.
    Service,
    /// It is for other integrations.
    Integration,
    /// It is less severe than the rule's floor.
    Floor(Severity),
    /// Its condition does not hold.
    Condition,
}

/// How a condition turned out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// There is none, or it holds.
    Holds,
    /// It does not hold.
    Fails,
    /// It could not be evaluated; why.
    Broken(String),
}

impl Rule {
    /// Whether it tells of something; `facts` is the same, read once for all rules. Evaluates the condition, which takes up to some
    /// milliseconds: not on an async thread.
    pub fn wants(&self, seen: &Seen<'_>, facts: &Facts) -> Answer {
        self.decide(seen, || match self.condition.as_ref().map(|condition| condition.holds(facts)) {
            None | Some(Ok(true)) => Verdict::Holds,
            Some(Ok(false)) => Verdict::Fails,
            Some(Err(why)) => Verdict::Broken(why),
        })
    }

    /// The same, where the condition is evaluated elsewhere, or has taken too long (a [`Verdict::Broken`] that says so); `judge` is called
    /// when all else is as the rule asks.
    pub fn decide(&self, seen: &Seen<'_>, judge: impl FnOnce() -> Verdict) -> Answer {
        let occasion = match self.screen(seen) {
            Ok(occasion) => occasion,
            Err(reason) => return Answer::No(reason),
        };
        match judge() {
            Verdict::Holds => Answer::Yes { occasion, notes: Vec::new() },
            Verdict::Fails => Answer::No(Reason::Condition),
            Verdict::Broken(why) => {
                let note = format!("Sent because the condition of the rule \"{}\" could not be evaluated: {why}.", self.name);
                Answer::Yes { occasion, notes: vec![note] }
            }
        }
    }

    /// What it would tell, its condition aside.
    fn screen(&self, seen: &Seen<'_>) -> Result<Occasion, Reason> {
        if !self.enabled {
            return Err(Reason::Disabled);
        }
        let message = seen.message;
        let occasion = self.occasion(seen).ok_or(Reason::Event)?;
        let (service, integration, severity) = match (&message.incident, &message.change) {
            (Some(incident), _) => (&incident.service, &incident.integration, Some(incident.severity)),
            (None, Some(change)) => (&change.service, &change.integration, None),
            // The test of a destination is no rule's business.
            (None, None) => return Err(Reason::Event),
        };
        if !self.services.is_empty() && !self.services.contains(&service.id) {
            return Err(Reason::Service);
        }
        if !self.integrations.is_empty() && !self.integrations.contains(&integration.id) {
            return Err(Reason::Integration);
        }
        // A change has no severity: a rule that asks for changes means them whatever its floor.
        match self.severity_floor.zip(severity) {
            Some((floor, severity)) if severity < floor => Err(Reason::Floor(floor)),
            _ => Ok(occasion),
        }
    }

    /// What it calls what happened. A severity that rises is a page to a rule that has not paged for this incident: floor and condition
    /// let it pass only now, if they do.
    fn occasion(&self, seen: &Seen<'_>) -> Option<Occasion> {
        let asks = |occasion| self.events.contains(&Asked { occasion, after: seen.after });
        match seen.message.event {
            Occasion::Updated if !seen.paged && asks(Occasion::Triggered) => Some(Occasion::Triggered),
            occasion => asks(occasion).then_some(occasion),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("the rule is disabled"),
            Self::Event => f.write_str("the rule does not ask for this event"),
            Self::Service => f.write_str("the rule is for other services"),
            Self::Integration => f.write_str("the rule is for other integrations"),
            Self::Floor(floor) => write!(f, "it is less severe than {}, the rule's severity_floor", floor.as_str()),
            Self::Condition => f.write_str("the rule's condition does not hold"),
        }
    }
}
