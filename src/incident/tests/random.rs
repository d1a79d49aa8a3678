//! Random histories never reach a state that must not be.

use proptest::prelude::*;

use super::*;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Report { action: Action, at: Option<i64>, severity: Severity, details: Option<u8>, by_person: bool },
    Unacknowledge,
    Remind,
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let action = prop_oneof![4 => Just(Action::Trigger), 1 => Just(Action::Acknowledge), 2 => Just(Action::Resolve)];
    let severity = proptest::sample::select(Severity::ALL.to_vec());
    let report = (action, proptest::option::weighted(0.8, -50..50i64), severity, proptest::option::of(0..4u8), 0..8u8)
        .prop_map(|(action, at, severity, details, by)| Step::Report { action, at, severity, details, by_person: by == 0 });
    let step = prop_oneof![20 => report, 1 => Just(Step::Unacknowledge), 1 => Just(Step::Remind)];
    let pause = prop_oneof![4 => 0..20i64, 1 => 20..100i64, 1 => Just(25 * 3600)];
    proptest::collection::vec((step, pause), 1..40)
}

fn clocks() -> impl Strategy<Value = Clock> {
    proptest::sample::select(vec![Clock::Arrival, Clock::Transition, Clock::Episode])
}

fn run(key: &mut Key, step: &Step) -> Change {
    match step {
        Step::Unacknowledge => key.act(Actor::Timer("acknowledge_timeout"), |state, arrival, _| unacknowledge(state, arrival)),
        Step::Remind => key.act(Actor::Timer("reminder"), |state, arrival, _| remind(state, arrival)),
        Step::Report { action, at, severity, details, by_person } => {
            let mut event = event(*action, at.and_then(source_time));
            event.severity = *severity;
            event.summary = format!("message {}", key.sent);
            event.custom_details = details.map(|details| serde_json::json!(details));
            let actor = if *by_person && *action != Action::Trigger { person() } else { Actor::Tool };
            key.report_by(&Report::new(&event, key.clock), actor)
        }
    }
}

/// What must hold of an open incident.
fn check_open(incident: &Incident) {
    assert_ne!(incident.status, Status::Resolved);
    assert_eq!((incident.resolved_at, &incident.resolved_by), (None, &None));
    assert_eq!(incident.acknowledged_at.is_some(), incident.status == Status::Acknowledged);
    assert!(incident.event_count >= 1 && incident.first_seen <= incident.last_seen);
    assert!(!incident.title.is_empty() && !incident.first_summary.is_empty());
}

/// What must hold between the state before a change and after it.
fn check_step(before: Option<&Incident>, after: Option<&Incident>, change: &Change) {
    match (before, after) {
        (None, None) => assert!(matches!(change.outcome, Outcome::Unmatched | Outcome::Stale)),
        (None, Some(_)) => assert_eq!((change.outcome, change.notice), (Outcome::Opened, Some(Notice::Triggered))),
        (Some(before), None) => {
            assert_eq!((change.outcome, change.notice), (Outcome::Resolved, Some(Notice::Resolved)));
            let closed = change.closed.as_ref().expect("a resolved incident is handed out");
            assert_eq!((closed.status, &closed.id), (Status::Resolved, &before.id));
            assert_eq!((closed.severity, closed.event_count), (before.severity, before.event_count));
        }
        (Some(before), Some(after)) => check_stayed(before, after, change),
    }
    assert_eq!(change.closed.is_some(), change.outcome == Outcome::Resolved);
    assert_eq!(change.incident_id.as_ref(), before.or(after).map(|incident| &incident.id));
    assert_eq!(change.previous_event_id.as_ref(), before.map(|incident| &incident.last_event_id));
}

fn check_stayed(before: &Incident, after: &Incident, change: &Change) {
    assert_eq!((&before.id, &before.first_summary, before.first_seen), (&after.id, &after.first_summary, after.first_seen));
    assert!(before.event_count <= after.event_count && before.last_seen <= after.last_seen);
    assert_ne!(before.last_event_id, after.last_event_id, "each event stands in the timeline");
    // Only a late resolve takes back what an ended firing said.
    assert!(before.severity <= after.severity || change.outcome == Outcome::Stale);
    assert_eq!(before.severity < after.severity, change.outcome == Outcome::Escalated);
    let acknowledged = before.status == Status::Triggered && after.status == Status::Acknowledged;
    assert_eq!(acknowledged, change.notice == Some(Notice::Acknowledged));
    match change.notice {
        Some(Notice::Triggered) => assert!(
            before.severity.urgency() < after.severity.urgency()
                || (before.status, after.status) == (Status::Acknowledged, Status::Triggered)
                || (after.status == Status::Triggered && after.reminded_at.is_some()),
        ),
        Some(Notice::Updated) => assert_eq!(change.outcome, Outcome::Escalated),
        Some(Notice::Resolved) => panic!("it is still open"),
        Some(Notice::Acknowledged) | None => {}
    }
}

proptest! {
    #[test]
    fn no_history_reaches_an_illegal_state(clock in clocks(), steps in steps()) {
        let mut key = Key::new(clock);
        for (step, pause) in &steps {
            key.wait(*pause);
            let before = key.state.open.clone();
            let change = run(&mut key, step);
            key.state.open.iter().for_each(check_open);
            check_step(before.as_ref(), key.state.open.as_ref(), &change);
        }
    }

    /// Whatever happened before, a trigger by arrival, or of a key whose last resolve is forgotten, is never lost.
    #[test]
    fn a_trigger_that_nothing_can_have_overtaken_leaves_the_key_open(clock in clocks(), steps in steps(), forgotten: bool) {
        let mut key = Key::new(clock);
        for (step, pause) in &steps {
            key.wait(*pause);
            run(&mut key, step);
        }
        if forgotten {
            key.wait(24 * 3600 + 1);
        } else {
            key.clock = Clock::Arrival;
        }
        prop_assert_ne!(key.trigger(-1000), Outcome::Stale);
        prop_assert!(key.is_open());
    }
}
