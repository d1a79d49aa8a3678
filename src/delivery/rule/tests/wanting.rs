use std::time::Duration;

use serde_json::json;

use super::super::{Answer, Facts, Reason, Rule, Seen, Verdict};
use super::{changed, rule, triggered};
use crate::delivery::message::{Message, Occasion};
use crate::event::Severity;

fn asked(extra: serde_json::Value) -> Rule {
    let mut body = json!({"name": "x", "destinations": ["ops"]});
    for (name, value) in super::map(extra) {
        body[name] = value;
    }
    rule(body)
}

fn of(event: Occasion, severity: Severity) -> Message {
    let mut message = triggered();
    message.event = event;
    if let Some(incident) = &mut message.incident {
        incident.severity = severity;
    }
    message
}

fn answer(rule: &Rule, message: &Message, paged: bool) -> Answer {
    rule.wants(&Seen { message, after: None, paged }, &Facts::of(message))
}

fn yes(occasion: Occasion) -> Answer {
    Answer::Yes { occasion, notes: Vec::new() }
}

#[test]
fn everything_an_incident_does_is_told_by_default_and_changes_are_not() {
    let rule = asked(json!({}));
    for occasion in [Occasion::Triggered, Occasion::Acknowledged, Occasion::Resolved, Occasion::Updated] {
        assert_eq!(answer(&rule, &of(occasion, Severity::Info), true), yes(occasion));
    }
    assert_eq!(answer(&rule, &changed(), false), Answer::No(Reason::Event));
    assert_eq!(
        answer(&asked(json!({"events": ["change.created"], "severity_floor": "critical"})), &changed(), false),
        yes(Occasion::Change)
    );
    assert_eq!(answer(&rule, &of(Occasion::Test, Severity::Info), true), Answer::No(Reason::Event));
}

#[test]
fn each_reason_not_to() {
    let no = |extra| match answer(&asked(extra), &triggered(), false) {
        Answer::No(reason) => reason,
        Answer::Yes { .. } => panic!(),
    };
    assert_eq!(no(json!({"enabled": false})), Reason::Disabled);
    assert_eq!(no(json!({"events": ["incident.resolved"]})), Reason::Event);
    assert_eq!(no(json!({"services": ["known_other"]})), Reason::Service);
    assert_eq!(no(json!({"integrations": ["known_other"]})), Reason::Integration);
    assert_eq!(no(json!({"condition": "incident.severity == 'info'"})), Reason::Condition);
    assert_eq!(answer(&asked(json!({"services": ["known_other", "known_shop"]})), &triggered(), false), yes(Occasion::Triggered));
    let low = of(Occasion::Triggered, Severity::Warning);
    let floor = answer(&asked(json!({"severity_floor": "error"})), &low, false);
    assert_eq!(floor, Answer::No(Reason::Floor(Severity::Error)));
    assert_eq!(Reason::Floor(Severity::Error).to_string(), "it is less severe than error, the rule's severity_floor");
}

#[test]
fn a_condition_that_fails_to_be_evaluated_delivers_and_says_so() {
    let rule = asked(json!({"condition": "incident.custom_details.team == 'db'"}));
    let Answer::Yes { occasion: Occasion::Triggered, notes } = answer(&rule, &triggered(), false) else { panic!() };
    assert!(notes[0].starts_with("Sent because the condition of the rule \"x\" could not be evaluated: "), "{notes:?}");
    let message = triggered();
    let seen = Seen { message: &message, after: None, paged: false };
    let Answer::Yes { notes, .. } = rule.decide(&seen, || Verdict::Broken("it took longer than 50 ms".to_owned())) else {
        panic!()
    };
    assert!(notes[0].ends_with("it took longer than 50 ms."));
    let other = asked(json!({"events": ["incident.resolved"]}));
    assert_eq!(other.decide(&seen, || panic!("nothing is evaluated in vain")), Answer::No(Reason::Event));
}

#[test]
fn a_severity_that_rises_to_the_floor_is_a_page_once() {
    let rule = asked(json!({"severity_floor": "error", "condition": "incident.severity != 'info'"}));
    assert_eq!(answer(&rule, &of(Occasion::Triggered, Severity::Info), false), Answer::No(Reason::Floor(Severity::Error)));
    assert_eq!(answer(&rule, &of(Occasion::Updated, Severity::Warning), false), Answer::No(Reason::Floor(Severity::Error)));
    assert_eq!(answer(&rule, &of(Occasion::Updated, Severity::Error), false), yes(Occasion::Triggered));
    assert_eq!(answer(&rule, &of(Occasion::Updated, Severity::Critical), true), yes(Occasion::Updated));
    let pages_only = asked(json!({"severity_floor": "error", "events": ["incident.triggered"]}));
    assert_eq!(answer(&pages_only, &of(Occasion::Updated, Severity::Critical), false), yes(Occasion::Triggered));
    assert_eq!(answer(&pages_only, &of(Occasion::Updated, Severity::Critical), true), Answer::No(Reason::Event));
    let no_pages = asked(json!({"events": ["incident.updated"]}));
    assert_eq!(answer(&no_pages, &of(Occasion::Updated, Severity::Critical), false), yes(Occasion::Updated));
}

#[test]
fn what_lasts_is_told_at_the_length_that_the_rule_names() {
    let rule = asked(json!({"events": ["incident.open_for:30m", "incident.open_for:2h"]}));
    let message = of(Occasion::OpenFor, Severity::Error);
    let at = |minutes: u64| {
        let after = Some(Duration::from_secs(minutes * 60));
        rule.wants(&Seen { message: &message, after, paged: true }, &Facts::of(&message))
    };
    assert_eq!([at(30), at(120)], [yes(Occasion::OpenFor), yes(Occasion::OpenFor)]);
    assert_eq!(at(31), Answer::No(Reason::Event));
    let other = of(Occasion::UnacknowledgedFor, Severity::Error);
    let after = Some(Duration::from_secs(1_800));
    assert_eq!(rule.wants(&Seen { message: &other, after, paged: true }, &Facts::of(&other)), Answer::No(Reason::Event));
}
