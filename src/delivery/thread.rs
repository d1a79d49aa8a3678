//! One incident at one destination: what was told there, and what of the present is news to it.
//!
//! Holds (quiet windows, dedupe windows, limits, breakers) delay and merge. What comes out at their end is decided here: how things
//! stand now, if the destination knows something else, and nothing that would be a lie: no resolve of what was never told.

use super::message::Occasion;
use crate::event::Severity;
use crate::incident::Status;

/// Where an incident stands: what a destination knows of it, or what is true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// Its status.
    pub status: Status,
    /// Its severity.
    pub severity: Severity,
}

/// What to tell, in order, so that a destination that knows `told` (`None`: nothing) knows `present`.
///
/// In doubt, where something was sent of which it is not known whether it arrived, the present is told in any case: to have been told twice
/// harms less than not to have been told.
///
/// An acknowledged incident of which nothing was told is told twice, as a page and as acknowledged: a receiver that opens something of
/// its own must have something to acknowledge.
pub fn catch_up(told: Option<State>, in_doubt: bool, present: State) -> Vec<Occasion> {
    let Some(told) = told else {
        return match present.status {
            Status::Triggered => vec![Occasion::Triggered],
            Status::Acknowledged => vec![Occasion::Triggered, Occasion::Acknowledged],
            // A page may have arrived, and then its end must.
            Status::Resolved if in_doubt => vec![Occasion::Resolved],
            Status::Resolved => Vec::new(),
        };
    };
    match (told.status, present.status) {
        // Nothing comes after the end; another page is another incident.
        (Status::Resolved, _) => Vec::new(),
        (_, Status::Resolved) => vec![Occasion::Resolved],
        (_, Status::Acknowledged) if in_doubt => vec![Occasion::Acknowledged],
        (_, Status::Triggered) if in_doubt => vec![Occasion::Triggered],
        (Status::Triggered, Status::Acknowledged) => vec![Occasion::Acknowledged],
        (Status::Acknowledged, Status::Triggered) => vec![Occasion::Triggered],
        _ if present.severity <= told.severity => Vec::new(),
        _ if present.severity.urgency() > told.severity.urgency() => vec![Occasion::Triggered],
        _ => vec![Occasion::Updated],
    }
}

/// What a destination knows once it was told this: the state in the message.
pub fn knows(occasion: Occasion, state: State) -> Option<State> {
    match occasion {
        Occasion::Change | Occasion::Test => None,
        // A page on an incident that somebody has acknowledged leaves it so.
        _ => Some(state),
    }
}

/// Whether a message of this kind may go where nothing was told before.
pub const fn opens(occasion: Occasion) -> bool {
    matches!(occasion, Occasion::Triggered | Occasion::Change | Occasion::Test)
}

/// Whether a message of this kind may go to who knows `told`, or perhaps more where that is in doubt, by a route that `pages` or does not: one that never does has nothing that
/// its other messages would come without.
pub const fn may_go(told: Option<State>, in_doubt: bool, occasion: Occasion, pages: bool) -> bool {
    told.is_some() || in_doubt || opens(occasion) || !pages
}

/// The state in the message of a transition, where the incident may have gone on since: what was read is `present`.
pub const fn at(occasion: Occasion, present: State, acknowledged: bool) -> State {
    let status = match (occasion, present.status) {
        (Occasion::Resolved, _) => Status::Resolved,
        (Occasion::Acknowledged, _) => Status::Acknowledged,
        (_, Status::Resolved) if acknowledged => Status::Acknowledged,
        (_, Status::Resolved) => Status::Triggered,
        (_, status) => status,
    };
    State { status, severity: present.severity }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state() -> impl Strategy<Value = State> {
        let status = prop_oneof![Just(Status::Triggered), Just(Status::Acknowledged), Just(Status::Resolved)];
        let severity =
            prop_oneof![Just(Severity::Info), Just(Severity::Warning), Just(Severity::Error), Just(Severity::Critical)];
        (status, severity).prop_map(|(status, severity)| State { status, severity })
    }

    proptest! {
        #[test]
        fn what_is_told_is_enough_and_no_lie(told in proptest::option::of(state()), in_doubt: bool, present in state()) {
            let steps = catch_up(told, in_doubt, present);
            // Told one after the other, each with the state of its moment.
            let mut known = told;
            for step in &steps {
                prop_assert!(known.is_some() || in_doubt || opens(*step), "{step:?} where nothing was told");
                let status = match step {
                    Occasion::Triggered if steps.len() > 1 => Status::Triggered,
                    _ => present.status,
                };
                known = knows(*step, State { status, ..present });
            }
            match (told, present.status) {
                (None, Status::Resolved) if !in_doubt => prop_assert_eq!(known, None),
                (Some(State { status: Status::Resolved, .. }), _) => prop_assert!(steps.is_empty()),
                (_, Status::Resolved) => prop_assert_eq!(known.map(|state| state.status), Some(Status::Resolved)),
                _ => {
                    let known = known.unwrap();
                    prop_assert_eq!(known.status, present.status);
                    prop_assert!(known.severity >= present.severity);
                    prop_assert!(!in_doubt || !steps.is_empty(), "nothing is told, though it is not known what it knows");
                }
            }
            prop_assert!(catch_up(known, false, present).is_empty(), "told twice");
        }
    }

    #[test]
    fn a_message_is_of_its_moment() {
        let over = State { status: Status::Resolved, severity: Severity::Error };
        assert_eq!(at(Occasion::Triggered, over, false).status, Status::Triggered);
        assert_eq!(at(Occasion::Updated, over, true).status, Status::Acknowledged);
        assert_eq!(at(Occasion::Acknowledged, over, true).status, Status::Acknowledged);
        assert_eq!(at(Occasion::Resolved, over, true).status, Status::Resolved);
    }
}
