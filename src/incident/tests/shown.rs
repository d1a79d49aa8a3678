//! What an incident shows, and what may change it.

use serde_json::{Value, json};

use super::*;
use crate::event::{Image, LINKS_MAX, Link};

fn link(href: &str, text: &str) -> Link {
    Link { href: href.to_owned(), text: Some(text.to_owned()) }
}

fn full(key: &Key) -> Report {
    let mut event = event(Action::Trigger, None);
    event.component = Some("sda".to_owned());
    event.group = Some("storage".to_owned());
    event.class = Some("disk".to_owned());
    event.client = Some("Monitor".to_owned());
    event.client_url = Some("https://monitor.example.com/1".to_owned());
    event.custom_details = Some(json!({"free": "0 B", "mount": "/var"}));
    event.links = vec![link("https://example.com/a", "a")];
    event.images = vec![Image { src: "https://example.com/1.png".to_owned(), href: None, alt: None }];
    Report::new(&event, key.clock)
}

fn details(key: &Key) -> Option<Value> {
    key.open().shown.fields().custom_details.as_ref().map(|raw| serde_json::from_str(raw.get()).unwrap())
}

#[test]
fn what_is_absent_or_blank_does_not_replace() {
    for clock in [Clock::Arrival, Clock::Transition, Clock::Episode] {
        let mut key = Key::new(clock);
        let first = full(&key);
        key.report(&first);
        let before = key.open().clone();
        for blank in [None, Some(String::new()), Some(" \t".to_owned())] {
            let mut report = Report::new(&event(Action::Trigger, None), clock);
            report.summary = blank.clone().unwrap_or_default();
            report.source = blank.clone().unwrap_or_default();
            report.shown.fields_mut().component = blank.clone();
            report.shown.fields_mut().group = blank.clone();
            report.shown.fields_mut().class = blank.clone();
            report.shown.fields_mut().client = blank.clone();
            report.shown.fields_mut().client_url = blank;
            key.report(&report);
        }
        let after = key.open();
        assert_eq!((&after.title, &after.source, &after.shown), (&before.title, &before.source, &before.shown));
    }
}

#[test]
fn what_is_present_replaces_and_the_first_summary_stays() {
    let mut key = Key::new(Clock::Arrival);
    let first = full(&key);
    key.report(&first);
    let mut newer = event(Action::Trigger, None);
    newer.summary = "the disk is very full".to_owned();
    newer.source = "db-2.example.com".to_owned();
    newer.component = Some("sdb".to_owned());
    newer.client_url = Some("https://monitor.example.com/2".to_owned());
    key.report(&Report::new(&newer, Clock::Arrival));
    let incident = key.open();
    assert_eq!((incident.title.as_str(), incident.first_summary.as_str()), ("the disk is very full", "the disk is full"));
    assert_eq!(incident.source, "db-2.example.com");
    assert_eq!(incident.shown.fields().component.as_deref(), Some("sdb"));
    assert_eq!(incident.shown.fields().client_url.as_deref(), Some("https://monitor.example.com/2"));
    assert_eq!(
        (incident.shown.fields().group.as_deref(), incident.shown.fields().class.as_deref()),
        (Some("storage"), Some("disk"))
    );
}

#[test]
fn custom_details_replace_as_a_whole() {
    let mut key = Key::new(Clock::Arrival);
    let first = full(&key);
    key.report(&first);
    for value in [json!({"free": "1 B"}), json!("text"), json!([1, 2]), json!(0), json!(false), json!({})] {
        let mut newer = event(Action::Trigger, None);
        newer.custom_details = Some(value.clone());
        key.report(&Report::new(&newer, Clock::Arrival));
        assert_eq!(details(&key), Some(value));
    }
    key.trigger(None);
    assert_eq!(details(&key), Some(json!({})), "a trigger without any leaves them");
}

#[test]
fn links_and_images_are_united_up_to_fifty() {
    let mut key = Key::new(Clock::Arrival);
    let with = |links: Vec<Link>| {
        let mut event = event(Action::Trigger, None);
        event.images = links.iter().map(|link| Image { src: link.href.clone(), href: None, alt: link.text.clone() }).collect();
        event.links = links;
        Report::new(&event, Clock::Arrival)
    };
    key.report(&with(vec![link("https://example.com/0", "first"), link("https://example.com/0", "twice in one")]));
    key.report(&with(vec![link("https://example.com/0", "again"), link("https://example.com/1", "another")]));
    let texts =
        |key: &Key| -> Vec<String> { key.open().shown.fields().links.iter().filter_map(|link| link.text.clone()).collect() };
    assert_eq!(texts(&key), ["first", "another"], "one of each href; the first stays");
    assert_eq!(key.open().shown.fields().images.len(), 2);
    for round in 0..3 {
        let many = (0..40).map(|number| link(&format!("https://example.com/{round}/{number}"), "x")).collect();
        key.report(&with(many));
    }
    assert_eq!((key.open().shown.fields().links.len(), key.open().shown.fields().images.len()), (LINKS_MAX, LINKS_MAX));
    assert_eq!(texts(&key)[..2], ["first", "another"]);
}

#[test]
fn acknowledges_and_resolves_change_nothing_shown() {
    for clock in [Clock::Arrival, Clock::Transition, Clock::Episode] {
        for action in [Action::Acknowledge, Action::Resolve] {
            let mut key = Key::new(clock);
            let first = full(&key);
            key.report(&first);
            let before = key.open().clone();
            let mut other = full(&key);
            other.action = action;
            other.summary = "OK: all is well".to_owned();
            other.source = "elsewhere.example.com".to_owned();
            other.severity = Severity::Info;
            other.shown.fields_mut().component = Some("another".to_owned());
            other.shown.fields_mut().custom_details = None;
            other.shown.fields_mut().links = vec![link("https://example.com/other", "other")];
            let change = key.report(&other);
            let after = change.closed.as_ref().unwrap_or_else(|| key.state.open.as_ref().unwrap());
            assert_eq!((&after.title, &after.source, &after.shown), (&before.title, &before.source, &before.shown));
            assert_eq!((after.severity, after.event_count), (before.severity, before.event_count));
        }
    }
}

#[test]
fn a_trigger_that_is_older_than_another_fills_only_what_that_one_left_open() {
    let mut key = Key::new(Clock::Transition);
    let mut newer = event(Action::Trigger, source_time(10));
    newer.summary = "newer".to_owned();
    newer.component = Some("newer".to_owned());
    key.report(&Report::new(&newer, Clock::Transition));
    let mut older = event(Action::Trigger, source_time(5));
    older.summary = "older".to_owned();
    older.component = Some("older".to_owned());
    older.class = Some("older".to_owned());
    older.custom_details = Some(json!("older"));
    assert_eq!(key.report(&Report::new(&older, Clock::Transition)).outcome, Outcome::Updated);
    let incident = key.open();
    assert_eq!((incident.title.as_str(), incident.event_count), ("newer", 2));
    assert_eq!(incident.shown.fields().component.as_deref(), Some("newer"));
    assert_eq!(incident.shown.fields().class.as_deref(), Some("older"));
    assert_eq!(details(&key), Some(json!("older")));
}

#[test]
fn only_the_newest_trigger_says_when_it_expires() {
    let mut key = Key::new(Clock::Episode);
    let with = |key: &mut Key, at, expires_at| {
        let report = Report { expires_at, ..Report::new(&event(Action::Trigger, source_time(at)), Clock::Episode) };
        key.report(&report);
        key.open().expires_at
    };
    assert_eq!(with(&mut key, 10, source_time(100)), source_time(100));
    assert_eq!(with(&mut key, 10, source_time(160)), source_time(160), "a repeat of the episode");
    assert_eq!(with(&mut key, 5, source_time(500)), source_time(160), "an older episode");
    assert_eq!(with(&mut key, 20, None), None);
}
