//! Messages that arrive late, twice, or with clocks that are wrong: the cases by name.

use super::*;

const ORDERED: [Clock; 2] = [Clock::Transition, Clock::Episode];

#[test]
fn resolved_then_firing_with_the_same_start_40_s_later_is_a_new_incident() {
    let mut key = Key::new(Clock::Episode);
    key.trigger(0);
    key.wait(300);
    assert_eq!(key.resolve(0), Outcome::Resolved);
    key.wait(40);
    assert_eq!(key.trigger(0), Outcome::Opened);
    assert_eq!(key.open().previous_incident_id.as_deref(), Some("inc_1"));
}

#[test]
fn resolved_then_firing_with_the_same_start_within_30_s_is_stale() {
    for (seconds, outcome) in [(0, Outcome::Stale), (30, Outcome::Stale), (31, Outcome::Opened)] {
        let mut key = Key::new(Clock::Episode);
        key.trigger(0);
        key.wait(300);
        key.resolve(0);
        key.wait(seconds);
        assert_eq!(key.trigger(0), outcome, "after {seconds} s");
    }
}

#[test]
fn the_30_s_count_from_the_resolve_that_closed_the_key_last() {
    let mut key = Key::new(Clock::Episode);
    key.trigger(0);
    key.resolve(0);
    key.wait(40);
    assert_eq!(key.trigger(0), Outcome::Opened);
    key.wait(20);
    assert_eq!(key.resolve(0), Outcome::Resolved);
    key.wait(5);
    assert_eq!(key.trigger(0), Outcome::Stale, "the doubled delivery of the second firing");
    // A doubled resolve closes nothing, so it does not put the page off any longer.
    key.wait(20);
    assert_eq!(key.resolve(0), Outcome::Unmatched);
    key.wait(10);
    assert_eq!(key.trigger(0), Outcome::Opened);
}

#[test]
fn the_episode_resolved_last_counts_even_where_a_later_one_was_resolved_before() {
    let mut key = Key::new(Clock::Episode);
    key.trigger(50);
    key.resolve(50);
    key.wait(60);
    assert_eq!(key.trigger(10), Outcome::Opened, "an old start, but long after the resolve");
    assert_eq!(key.resolve(10), Outcome::Resolved);
    assert_eq!(key.trigger(10), Outcome::Stale);
    assert_eq!(key.trigger(20), Outcome::Opened, "a later episode opens at once");
}

#[test]
fn a_later_start_is_a_new_episode_and_opens_at_once() {
    let mut key = Key::new(Clock::Episode);
    key.trigger(0);
    key.resolve(0);
    assert_eq!(key.trigger(1), Outcome::Opened);
}

#[test]
fn an_episode_that_began_before_the_open_one_cannot_resolve_it() {
    let mut key = Key::new(Clock::Episode);
    key.trigger(10);
    assert_eq!(key.resolve(5), Outcome::Stale);
    assert!(key.is_open());
    assert_eq!(key.resolve(10), Outcome::Resolved);
}

#[test]
fn a_transition_older_than_what_is_known_is_stale() {
    let mut key = Key::new(Clock::Transition);
    key.trigger(10);
    assert_eq!(key.resolve(5), Outcome::Stale);
    assert_eq!(key.resolve(20), Outcome::Resolved);
    key.wait(3600);
    assert_eq!(key.trigger(15), Outcome::Stale, "not only for 30 s");
    assert_eq!(key.trigger(20), Outcome::Opened, "a tie goes to the later arrival");
}

#[test]
fn the_last_resolve_is_remembered_24_hours_also_when_it_matched_nothing() {
    for matched in [true, false] {
        for (seconds, outcome) in [(24 * 3600, Outcome::Stale), (24 * 3600 + 1, Outcome::Opened)] {
            let mut key = Key::new(Clock::Transition);
            if matched {
                key.trigger(5);
            }
            key.resolve(10);
            key.wait(seconds);
            assert_eq!(key.trigger(7), outcome, "{seconds} s after a resolve that matched: {matched}");
        }
    }
}

#[test]
fn a_clock_2_min_ahead_or_behind_is_compared_with_itself_only() {
    for clock in ORDERED {
        for offset in [120, -120] {
            let mut key = Key::new(clock);
            assert_eq!(key.trigger(offset), Outcome::Opened);
            key.wait(10);
            // An episode's resolve carries its start, a transition's the moment of the recovery.
            let recovered = if clock == Clock::Episode { offset } else { offset + 10 };
            assert_eq!(key.resolve(recovered), Outcome::Resolved);
            key.wait(2);
            assert_eq!(key.trigger(offset), Outcome::Stale, "the doubled delivery");
            key.wait(8);
            assert_eq!(key.trigger(offset + 20), Outcome::Opened, "{clock:?} {offset}");
        }
    }
}

#[test]
fn a_clock_that_steps_back_between_resolve_and_episode_delays_the_page_by_30_s_at_most() {
    let mut key = Key::new(Clock::Episode);
    key.trigger(100);
    key.resolve(100);
    key.wait(10);
    assert_eq!(key.trigger(-10), Outcome::Stale);
    key.wait(21);
    assert_eq!(key.trigger(-10), Outcome::Opened, "its repeat");
    assert_eq!(key.resolve(-10), Outcome::Resolved);
}

#[test]
fn a_clock_that_steps_back_while_a_transition_is_open_closes_nothing_wrongly() {
    let mut key = Key::new(Clock::Transition);
    key.trigger(100);
    key.wait(10);
    assert_eq!(key.resolve(-10), Outcome::Stale, "it may be the resolve of an earlier firing: stay open");
    assert!(key.is_open());
    assert_eq!(key.resolve(101), Outcome::Resolved, "once the clock has caught up");
}

#[test]
fn times_that_say_nothing_leave_the_order_to_the_arrival() {
    let zoneless = "2025-06-15T15:06:41";
    let far_ahead = "2025-06-15T15:11:41Z";
    let all = [zoneless, far_ahead, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "", "soon"];
    for clock in ORDERED {
        for text in all {
            let at = Timestamp::trusted(Timestamp::parse(text), START);
            assert_eq!(at, None, "{text:?}");
            let mut key = Key::new(clock);
            // Known, unknown, unknown, known: each unknown one counts as the newest so far.
            assert_eq!(key.trigger(0), Outcome::Opened);
            assert_eq!(key.send(Action::Resolve, at).outcome, Outcome::Resolved, "{text:?}");
            assert_eq!(key.send(Action::Trigger, at).outcome, Outcome::Opened, "{text:?}");
            assert_eq!(key.send(Action::Trigger, at).outcome, Outcome::Updated);
            assert_eq!(key.resolve(10), Outcome::Resolved);
        }
    }
}

#[test]
fn a_key_without_any_times_goes_by_arrival() {
    for clock in ORDERED {
        let mut key = Key::new(clock);
        for _ in 0..3 {
            assert_eq!(key.resolve(None), Outcome::Unmatched);
            assert_eq!(key.trigger(None), Outcome::Opened);
            assert_eq!(key.resolve(None), Outcome::Resolved);
        }
        assert_eq!(key.trigger(-1000), Outcome::Opened, "an unknown time cannot make a known one stale");
    }
}

#[test]
fn down_up_down_in_one_second() {
    // Whole seconds: all three the same.
    for clock in [Clock::Arrival, Clock::Transition] {
        let mut key = Key::new(clock);
        assert_eq!((key.trigger(0), key.resolve(0), key.trigger(0)), (Outcome::Opened, Outcome::Resolved, Outcome::Opened));
    }
    // With fractions the second start differs, and it opens at once.
    for clock in ORDERED {
        let mut key = Key::new(clock);
        let first = source_time(0);
        let second = first.map(|at| Timestamp(at.0 + 400_000));
        key.send(Action::Trigger, first);
        key.send(Action::Resolve, first);
        assert_eq!(key.send(Action::Trigger, second).outcome, Outcome::Opened);
    }
    // Without them it cannot be told from a doubled delivery; its repeat opens.
    let mut key = Key::new(Clock::Episode);
    assert_eq!((key.trigger(0), key.resolve(0), key.trigger(0)), (Outcome::Opened, Outcome::Resolved, Outcome::Stale));
    key.wait(60);
    assert_eq!(key.trigger(0), Outcome::Opened);
}

#[test]
fn resolve_first() {
    for clock in ORDERED {
        let mut key = Key::new(clock);
        assert_eq!(key.resolve(5), Outcome::Unmatched);
        assert_eq!(key.trigger(3), Outcome::Stale, "{clock:?}");
        assert!(!key.is_open());
        assert_eq!(key.trigger(6), Outcome::Opened);
    }
    let mut key = Key::new(Clock::Arrival);
    assert_eq!((key.resolve(5), key.trigger(3)), (Outcome::Unmatched, Outcome::Opened));
}

#[test]
fn a_late_resolve_after_the_re_fire_changes_nothing() {
    for clock in ORDERED {
        // Doubled, and late altogether.
        for arrived_before in [true, false] {
            let mut key = Key::new(clock);
            key.trigger(1);
            let end = if clock == Clock::Episode { 1 } else { 2 };
            if arrived_before {
                key.resolve(end);
            }
            key.trigger(3);
            assert_eq!(key.resolve(end), Outcome::Stale);
            assert!(key.is_open());
            assert_eq!(key.resolve(3), Outcome::Resolved);
        }
    }
}

#[test]
fn what_only_the_ended_firing_said_is_taken_back() {
    let mut key = Key::new(Clock::Transition);
    let mut first = event(Action::Trigger, source_time(1));
    first.custom_details = Some(serde_json::json!("of the first firing"));
    key.report(&Report::new(&first, Clock::Transition));
    let second =
        Report { severity: Severity::Warning, ..Report::new(&event(Action::Trigger, source_time(3)), Clock::Transition) };
    key.report(&second);
    assert_eq!(key.open().severity, Severity::Critical);
    assert_eq!(key.send(Action::Resolve, source_time(2)).notice, None);
    assert_eq!(key.open().severity, Severity::Warning);
    assert_eq!(key.open().shown.fields().custom_details.as_ref().map(|raw| raw.get()), None);
}

#[test]
fn a_stale_trigger_stands_in_the_timeline_and_nowhere_else() {
    let mut key = Key::new(Clock::Transition);
    key.trigger(1);
    key.resolve(2);
    key.trigger(3);
    let before = key.open().clone();
    key.wait(10);
    let mut stale = event(Action::Trigger, source_time(1));
    stale.summary = "stale".to_owned();
    stale.custom_details = Some(serde_json::json!("stale"));
    let change = key.report(&Report::new(&stale, Clock::Transition));
    assert_eq!((change.outcome, change.notice), (Outcome::Stale, None));
    assert_eq!(change.incident_id.as_deref(), Some("inc_3"));
    assert_eq!(key.open(), &Incident { last_event_id: "evt_4".to_owned(), ..before });
}

#[test]
fn resolved_by_a_person_or_a_timer_then_repeated_is_a_new_incident() {
    for clock in [Clock::Arrival, Clock::Transition, Clock::Episode] {
        for actor in [person(), Actor::Timer("auto_resolve"), Actor::Timer("expired"), Actor::Timer("deleted")] {
            let mut key = Key::new(clock);
            key.trigger(0);
            assert_eq!(key.resolve_by(actor).outcome, Outcome::Resolved);
            assert_eq!(key.trigger(0), Outcome::Opened, "{clock:?}");
            assert_eq!(key.open().previous_incident_id.as_deref(), Some("inc_1"));
        }
    }
}

#[test]
fn a_person_resolves_whatever_the_times() {
    let mut key = Key::new(Clock::Transition);
    key.trigger(100);
    let report = Report::new(&event(Action::Resolve, source_time(-100)), Clock::Transition);
    assert_eq!(key.report_by(&report, person()).outcome, Outcome::Resolved);
    assert_eq!(key.trigger(-200), Outcome::Opened);
}

#[test]
fn warning_to_critical_escalates_once_in_any_order() {
    for clock in [Clock::Arrival, Clock::Transition, Clock::Episode] {
        let mut key = Key::new(clock);
        let report = |severity, at| Report { severity, ..Report::new(&event(Action::Trigger, source_time(at)), clock) };
        key.report(&report(Severity::Warning, 1));
        let messages = [(Severity::Critical, 3), (Severity::Critical, 3), (Severity::Warning, 2), (Severity::Critical, 4)];
        let outcomes = messages.map(|(severity, at)| key.report(&report(severity, at)).outcome);
        assert_eq!(outcomes, [Outcome::Escalated, Outcome::Updated, Outcome::Updated, Outcome::Updated]);
        assert_eq!(key.open().severity, Severity::Critical);
    }
}
