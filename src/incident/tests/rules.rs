//! What each kind of report does to a key, whatever its times.

use super::*;

const CLOCKS: [Clock; 3] = [Clock::Arrival, Clock::Transition, Clock::Episode];

/// What the outside can see of a change.
fn seen(change: &Change) -> (Outcome, Option<Notice>) {
    (change.outcome, change.notice)
}

#[test]
fn a_trigger_opens_a_repeat_counts_and_a_resolve_closes() {
    for clock in CLOCKS {
        let mut key = Key::new(clock);
        let opened = key.send(Action::Trigger, None);
        assert_eq!(seen(&opened), (Outcome::Opened, Some(Notice::Triggered)));
        assert_eq!(opened.incident_id.as_deref(), Some("inc_1"));
        key.wait(60);
        let updated = key.send(Action::Trigger, None);
        assert_eq!(seen(&updated), (Outcome::Updated, None));
        assert_eq!((updated.incident_id.as_deref(), updated.previous_event_id.as_deref()), (Some("inc_1"), Some("evt_1")));
        let incident = key.open();
        assert_eq!((incident.status, incident.event_count), (Status::Triggered, 2));
        assert_eq!((incident.first_seen, incident.last_seen), (START, START.plus_seconds(60)));
        assert_eq!((incident.service_id.as_str(), incident.last_event_id.as_str()), ("svc_1", "evt_2"));

        let resolved = key.send(Action::Resolve, None);
        assert_eq!(seen(&resolved), (Outcome::Resolved, Some(Notice::Resolved)));
        let closed = resolved.closed.expect("the incident is handed out to be written");
        assert_eq!((closed.status, closed.event_count), (Status::Resolved, 2));
        assert_eq!((closed.resolved_at, closed.resolved_by), (Some(START.plus_seconds(60)), None));
        assert!(!key.is_open());
    }
}

#[test]
fn after_a_resolve_a_trigger_opens_a_new_incident_that_names_the_one_before() {
    for clock in CLOCKS {
        for actor in [Actor::Tool, person(), Actor::Timer("auto_resolve")] {
            let mut key = Key::new(clock);
            key.trigger(None);
            assert_eq!(key.open().previous_incident_id, None);
            key.resolve_by(actor);
            assert_eq!(key.trigger(None), Outcome::Opened);
            assert_eq!((key.open().id.as_str(), key.open().previous_incident_id.as_deref()), ("inc_3", Some("inc_1")));
            assert_eq!(key.open().event_count, 1);
        }
    }
}

#[test]
fn what_is_acknowledged_stays_so_when_it_is_triggered_again() {
    for clock in CLOCKS {
        let mut key = Key::new(clock);
        key.trigger(1);
        key.wait(5);
        assert_eq!(seen(&key.acknowledge()), (Outcome::Acknowledged, Some(Notice::Acknowledged)));
        assert_eq!((key.open().status, key.open().acknowledged_at), (Status::Acknowledged, Some(key.now)));
        key.wait(5);
        assert_eq!(seen(&key.acknowledge()), (Outcome::Updated, None), "it acts once");
        assert_eq!(seen(&key.send(Action::Trigger, source_time(2))), (Outcome::Updated, None));
        assert_eq!((key.open().status, key.open().acknowledged_at), (Status::Acknowledged, Some(START.plus_seconds(5))));
        assert_eq!((key.open().event_count, key.open().last_seen), (2, key.now), "only triggers count");
    }
}

#[test]
fn what_speaks_of_a_key_that_is_not_open_is_unmatched() {
    for clock in CLOCKS {
        let mut key = Key::new(clock);
        assert_eq!(seen(&key.acknowledge()), (Outcome::Unmatched, None));
        assert_eq!(seen(&key.send(Action::Resolve, None)), (Outcome::Unmatched, None));
        assert!(!key.is_open());
        let opened = key.send(Action::Trigger, None);
        assert_eq!(seen(&opened), (Outcome::Opened, Some(Notice::Triggered)), "no acknowledgement is remembered");
        assert_eq!((key.open().status, &key.open().previous_incident_id), (Status::Triggered, &None));
        key.resolve(None);
        assert_eq!(key.resolve(None), Outcome::Unmatched, "a resolve acts once");
    }
}

#[test]
fn severity_rises_and_never_falls_while_open() {
    use Severity::{Critical, Error, Info, Warning};
    let updated = (Outcome::Updated, None);
    let rose = (Outcome::Escalated, Some(Notice::Updated));
    let paged = (Outcome::Escalated, Some(Notice::Triggered));
    let cases = [
        (vec![Info, Warning, Error, Critical], vec![rose, paged, rose]),
        (vec![Warning, Critical, Critical, Warning], vec![paged, updated, updated]),
        (vec![Critical, Error, Warning, Info], vec![updated, updated, updated]),
        (vec![Info, Critical, Error], vec![paged, updated]),
        (vec![Error, Critical], vec![rose]),
    ];
    for clock in CLOCKS {
        for (severities, expected) in &cases {
            let mut key = Key::new(clock);
            let changes: Vec<_> = severities.iter().map(|severity| seen(&key.trigger_as(*severity))).collect();
            assert_eq!(changes[1..], expected[..], "{severities:?}");
            assert_eq!(Some(key.open().severity), severities.iter().max().copied());
        }
    }
}

#[test]
fn a_rise_from_low_to_high_urgency_pages_although_it_is_acknowledged() {
    for clock in CLOCKS {
        let mut key = Key::new(clock);
        key.trigger_as(Severity::Warning);
        key.acknowledge();
        assert_eq!(seen(&key.trigger_as(Severity::Critical)), (Outcome::Escalated, Some(Notice::Triggered)));
        assert_eq!(key.open().status, Status::Acknowledged);
        assert_eq!(seen(&key.trigger_as(Severity::Critical)), (Outcome::Updated, None), "once");
    }
}

#[test]
fn a_new_incident_has_the_severity_of_its_own_triggers() {
    let mut key = Key::new(Clock::Arrival);
    key.trigger_as(Severity::Critical);
    key.resolve(None);
    key.trigger_as(Severity::Info);
    assert_eq!(key.open().severity, Severity::Info);
}

#[test]
fn a_catch_all_says_why_whether_it_opened_or_was_added() {
    for outcome in [Outcome::Unmapped, Outcome::Quarantined] {
        let mut key = Key::new(Clock::Arrival);
        let report = Report { catch_all: Some(outcome), ..Report::new(&event(Action::Trigger, None), Clock::Arrival) };
        assert_eq!(seen(&key.report(&report)), (outcome, Some(Notice::Triggered)));
        assert_eq!(seen(&key.report(&report)), (outcome, None));
        assert_eq!(key.open().event_count, 2);
    }
}

#[test]
fn who_acknowledged_and_who_resolved_is_kept() {
    let mut key = Key::new(Clock::Arrival);
    key.trigger(None);
    let report = Report::new(&event(Action::Acknowledge, None), Clock::Arrival);
    key.report_by(&report, person());
    assert_eq!(key.open().acknowledged_by.as_deref(), Some("the one on call"));
    let closed = key.resolve_by(Actor::Timer("expired")).closed.unwrap();
    assert_eq!(closed.resolved_by.as_deref(), Some("timer:expired"));
    assert_eq!(closed.acknowledged_by.as_deref(), Some("the one on call"));
}

#[test]
fn an_acknowledgement_that_ran_out_pages_again() {
    let mut key = Key::new(Clock::Arrival);
    let timer = || Actor::Timer("acknowledge_timeout");
    assert_eq!(seen(&key.act(timer(), |state, arrival, _| unacknowledge(state, arrival))), (Outcome::Unmatched, None));
    key.trigger(None);
    assert_eq!(seen(&key.act(timer(), |state, arrival, _| unacknowledge(state, arrival))), (Outcome::Updated, None));
    key.acknowledge();
    let change = key.act(timer(), |state, arrival, _| unacknowledge(state, arrival));
    assert_eq!(seen(&change), (Outcome::Updated, Some(Notice::Triggered)));
    let incident = key.open();
    assert_eq!(incident.status, Status::Triggered);
    assert_eq!((incident.acknowledged_at, &incident.acknowledged_by), (None, &None));
    assert_eq!(incident.event_count, 1, "a timer is no trigger");
    assert_eq!(key.acknowledge().outcome, Outcome::Acknowledged, "it can be acknowledged again");
}

#[test]
fn a_reminder_pages_only_for_what_nobody_has_acknowledged() {
    let mut key = Key::new(Clock::Arrival);
    let reminder = || Actor::Timer("reminder");
    assert_eq!(seen(&key.act(reminder(), |state, arrival, _| remind(state, arrival))), (Outcome::Unmatched, None));
    key.trigger(None);
    key.wait(600);
    let change = key.act(reminder(), |state, arrival, _| remind(state, arrival));
    assert_eq!(seen(&change), (Outcome::Updated, Some(Notice::Triggered)));
    assert_eq!((key.open().reminded_at, key.open().last_seen), (Some(key.now), START));
    key.acknowledge();
    // Acknowledged between the sweep that saw it and the commit.
    assert_eq!(seen(&key.act(reminder(), |state, arrival, _| remind(state, arrival))), (Outcome::Updated, None));
    assert_eq!(key.open().status, Status::Acknowledged);
}

#[test]
fn arrival_ignores_times() {
    let mut key = Key::new(Clock::Arrival);
    assert_eq!(key.trigger(100), Outcome::Opened);
    assert_eq!(key.resolve(50), Outcome::Resolved);
    assert_eq!(key.trigger(10), Outcome::Opened);
}
