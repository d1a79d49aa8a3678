//! Rules: which events are told to which destinations, when, and how gently.
//!
//! A [`Rule`] is read from the body of the management API ([`Rule::from_json`]), which reports every problem at once, and stored as
//! [`Rule::to_json`] writes it. It knows destinations, services and integrations by their ids; whoever reads one says what a name means.

mod asked;
mod condition;
mod fields;
mod pace;
mod plan;
mod problem;
mod read;
mod wants;
mod window;
mod write;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use asked::Asked;
pub use condition::{Condition, Facts};
pub use pace::Pace;
pub use plan::{Delivery, Due, Page, Progress};
pub use problem::Problem;
pub use read::{Ids, Lookup};
pub use wants::{Answer, Reason, Seen, Verdict};
pub use window::{Weekly, Window, quiet_until};

use super::retry::Policy;
use crate::event::Severity;

/// Who is told what, when.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Whether it applies at all.
    pub enabled: bool,
    /// What it tells of; never empty.
    pub events: Vec<Asked>,
    /// What must hold besides.
    pub condition: Option<Condition>,
    /// The lowest severity that it tells of.
    pub severity_floor: Option<Severity>,
    /// Ids of the services that it is for; empty: all.
    pub services: Vec<String>,
    /// Ids of the integrations that it is for; empty: all.
    pub integrations: Vec<String>,
    /// Ids of the destinations that are told at once.
    pub destinations: Vec<String>,
    /// Who is told besides, while nobody acknowledges; the earliest first.
    pub steps: Vec<Step>,
    /// Ids of destinations in order: those of one place are told when those of the place before could not be.
    pub fallback: Vec<Vec<String>>,
    /// How long a place of `fallback` has to deliver before the next is told.
    pub fallback_after: Duration,
    /// Ids of destinations that are told at once, whatever `fallback` does.
    pub always: Vec<String>,
    /// How long further pages of a key wait after one.
    pub dedupe_window: Option<Duration>,
    /// Messages a minute.
    pub rate_limit: Option<u32>,
    /// When nobody is told.
    pub quiet_windows: Vec<Window>,
    /// How stubbornly it is tried.
    pub retry: Policy,
}

/// Destinations that are told some time after a page that nobody acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The time since the page.
    pub after: Duration,
    /// Their ids.
    pub destinations: Vec<String>,
}

/// What a rule names by name or id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A destination.
    Destination,
    /// A service.
    Service,
    /// An integration.
    Integration,
}

impl Rule {
    /// How long a place of `fallback` has, where a rule does not say.
    pub const FALLBACK_AFTER: Duration = Duration::from_secs(60);

    /// A rule of this name that tells `destinations` of every incident.
    pub fn everything(name: impl Into<String>, destinations: Vec<String>) -> Self {
        Self {
            name: name.into(),
            enabled: true,
            events: Asked::DEFAULT.to_vec(),
            condition: None,
            severity_floor: None,
            services: Vec::new(),
            integrations: Vec::new(),
            destinations,
            steps: Vec::new(),
            fallback: Vec::new(),
            fallback_after: Self::FALLBACK_AFTER,
            always: Vec::new(),
            dedupe_window: None,
            rate_limit: None,
            quiet_windows: Vec::new(),
            retry: Policy::default(),
        }
    }

    /// The ids of all destinations that it may ever tell, each once.
    pub fn reaches(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.named().map(String::as_str).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The ids of the destinations that it tells at once, in its order.
    pub fn at_once(&self) -> impl Iterator<Item = &String> {
        self.destinations.iter().chain(&self.always).chain(self.fallback.first().into_iter().flatten())
    }

    fn named(&self) -> impl Iterator<Item = &String> {
        let steps = self.steps.iter().flat_map(|step| &step.destinations);
        self.destinations.iter().chain(&self.always).chain(self.fallback.iter().flatten()).chain(steps)
    }
}

impl Kind {
    /// The word for it in a sentence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::Service => "service",
            Self::Integration => "integration",
        }
    }
}
