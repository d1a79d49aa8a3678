//! Every order in which the messages of a key can arrive, each of them once or twice, ends where the ordered run ends.
//!
//! The orders are walked breadth first over the sets of messages delivered so far. Two orders of the same messages that led to the
//! same state have the same future, so each state is followed once; fields that no rule reads (counts, ids) are blanked for that.

use std::collections::HashMap;

use serde_json::json;

use super::*;

/// One message of a sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Letter {
    Resolve,
    /// A trigger with `custom_details`.
    Detailed,
    /// A trigger without.
    Plain,
    /// Speaks of the trigger before it, and arrives after it.
    Acknowledge,
}

use Letter::{Acknowledge, Detailed, Plain, Resolve};

/// What the source times of a sequence look like.
#[derive(Clone, Copy, Debug)]
enum Times {
    /// Each message has its own.
    Distinct,
    /// A resolve carries the start of the firing that it ends.
    Starts,
}

/// Whether the key is open, and with which title, severity and details.
type Answer = Option<(String, Severity, Option<String>)>;

const MESSAGES_MAX: usize = 6;
/// How often each message was delivered.
type Delivered = [u8; MESSAGES_MAX];

/// A severity for each place: falling, and up and down.
const SEVERITIES: [[usize; MESSAGES_MAX]; 2] = [[3, 3, 2, 1, 0, 0], [1, 0, 3, 2, 0, 3]];

/// All sequences of `length` letters.
fn words(letters: &[Letter], length: usize) -> Vec<Vec<Letter>> {
    (0..length).fold(vec![Vec::new()], |words, _| {
        let longer = |word: &Vec<Letter>, letter: &Letter| word.iter().chain([letter]).copied().collect();
        words.iter().flat_map(|word| letters.iter().map(move |letter| longer(word, letter))).collect()
    })
}

/// The messages of `word`, in the order of their times.
fn messages(word: &[Letter], clock: Clock, times: Times, severities: &[usize]) -> Vec<Report> {
    let mut start = 0;
    let message = |(place, letter): (usize, &Letter)| {
        let own = 1 + i64::try_from(place).unwrap();
        let (action, at) = match (letter, times) {
            (Resolve, Times::Starts) => (Action::Resolve, start),
            (Resolve, Times::Distinct) => (Action::Resolve, own),
            (Acknowledge, _) => (Action::Acknowledge, own),
            (Detailed | Plain, _) => (Action::Trigger, own),
        };
        start = if action == Action::Trigger { own } else { start };
        let mut event = event(action, source_time(at));
        event.summary = format!("message {place}");
        event.severity = Severity::ALL[severities[place]];
        event.custom_details = (*letter == Detailed).then(|| json!(place));
        Report::new(&event, clock)
    };
    word.iter().enumerate().map(message).collect()
}

/// The answer of the ordered run, from the rule and not from the code: what fired after the last resolve.
fn expected(word: &[Letter], messages: &[Report]) -> Answer {
    let from = word.iter().rposition(|letter| *letter == Resolve).map_or(0, |last| last + 1);
    let triggers: Vec<&Report> = messages[from..].iter().filter(|report| report.action == Action::Trigger).collect();
    let title = triggers.last()?.summary.clone();
    let severity = triggers.iter().map(|report| report.severity).max()?;
    let details = triggers.iter().rev().find_map(|report| report.shown.fields().custom_details.clone());
    Some((title, severity, details.map(|raw| raw.get().to_owned())))
}

fn answer(state: &KeyState) -> Answer {
    let incident = state.open.as_ref()?;
    let details = incident.shown.fields().custom_details.as_ref().map(|raw| raw.get().to_owned());
    Some((incident.title.clone(), incident.severity, details))
}

/// The state after one more message, without what no rule reads. All arrive at one moment: inside the 30 s.
fn after(state: &KeyState, message: &Report) -> KeyState {
    let mut state = state.clone();
    let arrival = Arrival { received_at: START, event_id: "", service_id: "", actor: Actor::Tool };
    apply(&mut state, message, &arrival, String::new);
    if let Some(incident) = &mut state.open {
        incident.event_count = 0;
        incident.first_summary.clear();
        incident.previous_incident_id = None;
    }
    if let Some(tombstone) = &mut state.tombstone {
        tombstone.incident_id = None;
    }
    state
}

/// Whether message `place` may arrive: an acknowledgement not before the trigger that it speaks of.
fn may_arrive(word: &[Letter], place: usize, delivered: &Delivered) -> bool {
    let trigger = word[..place].iter().rposition(|letter| matches!(letter, Detailed | Plain));
    word[place] != Acknowledge || trigger.is_none_or(|trigger| delivered[trigger] > 0)
}

/// Walks all orders of the messages, each at most `copies` times; returns how many states it met.
fn walk(word: &[Letter], messages: &[Report], copies: u8) -> usize {
    let expected = expected(word, messages);
    let in_order = messages.iter().fold(KeyState::default(), |state, message| after(&state, message));
    assert_eq!(answer(&in_order), expected, "{word:?} in order");

    let mut met = 0;
    let mut layer: HashMap<Delivered, Vec<(KeyState, Vec<usize>)>> = HashMap::new();
    layer.insert(Delivered::default(), vec![(KeyState::default(), Vec::new())]);
    while !layer.is_empty() {
        let mut next: HashMap<Delivered, Vec<(KeyState, Vec<usize>)>> = HashMap::new();
        for (delivered, states) in &layer {
            for (place, message) in messages.iter().enumerate() {
                if delivered[place] == copies || !may_arrive(word, place, delivered) {
                    continue;
                }
                let mut now = *delivered;
                now[place] += 1;
                let complete = now[..word.len()].iter().all(|times| *times > 0);
                let known = next.entry(now).or_default();
                for (state, path) in states {
                    let state = after(state, message);
                    if known.iter().any(|(known, _)| *known == state) {
                        continue;
                    }
                    let path: Vec<usize> = path.iter().copied().chain([place]).collect();
                    assert!(!complete || answer(&state) == expected, "{word:?} as {path:?}: {state:#?}, not {expected:?}");
                    known.push((state, path));
                    met += 1;
                }
            }
        }
        layer = next;
    }
    met
}

fn walk_all(clock: Clock, times: Times, letters: &[Letter], lengths: std::ops::RangeInclusive<usize>, copies: u8) {
    let mut met = 0;
    for length in lengths {
        for word in words(letters, length) {
            // Long sequences have orders enough for one assignment of severities.
            for severities in &SEVERITIES[usize::from(length >= 5)..] {
                met += walk(&word, &messages(&word, clock, times, severities), copies);
            }
        }
    }
    assert!(met > 10_000, "only {met} states: that was no enumeration");
}

const FIRING: [Letter; 3] = [Resolve, Detailed, Plain];
const ALL: [Letter; 4] = [Resolve, Detailed, Plain, Acknowledge];

#[test]
fn transition_six_messages_in_every_order() {
    walk_all(Clock::Transition, Times::Distinct, &FIRING, 1..=6, 1);
}

#[test]
fn transition_five_messages_once_or_twice_in_every_order() {
    walk_all(Clock::Transition, Times::Distinct, &FIRING, 1..=5, 2);
}

#[test]
fn transition_acknowledges_anywhere_after_their_trigger() {
    walk_all(Clock::Transition, Times::Distinct, &ALL, 1..=5, 1);
}

#[test]
fn episode_six_messages_in_every_order() {
    walk_all(Clock::Episode, Times::Starts, &FIRING, 1..=6, 1);
}

#[test]
fn episode_five_messages_once_or_twice_in_every_order() {
    walk_all(Clock::Episode, Times::Starts, &FIRING, 1..=5, 2);
}

#[test]
fn episode_acknowledges_anywhere_after_their_trigger() {
    walk_all(Clock::Episode, Times::Starts, &ALL, 1..=5, 1);
}

#[test]
fn episode_with_times_of_their_own_six_messages_in_every_order() {
    walk_all(Clock::Episode, Times::Distinct, &FIRING, 1..=6, 1);
}

#[test]
fn episode_with_times_of_their_own_five_messages_once_or_twice_in_every_order() {
    walk_all(Clock::Episode, Times::Distinct, &FIRING, 1..=5, 2);
}

#[test]
fn episode_with_times_of_their_own_acknowledges_anywhere_after_their_trigger() {
    walk_all(Clock::Episode, Times::Distinct, &ALL, 1..=5, 1);
}
