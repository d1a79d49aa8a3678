use super::*;
use crate::event::Action;
use crate::incident::Outcome;
use crate::ingest::submission::{Delivery, Mode};
use crate::ingest::testing::{NOW, item, item_at, replay, submission};
use crate::provider::Clock;
use crate::store::ingest::Met;

/// A batch that met nothing.
fn empty<'a>() -> Fold<'a> {
    Fold::default()
}

/// The key that `item(_, key)` has on `int_1`.
fn key(key: &str) -> Key {
    Key { integration_id: Arc::from("int_1"), dedup_key: key.to_owned() }
}

/// The incident that a trigger of `key` opens, as a later batch loads it.
fn stored(of: &str) -> (Key, Incident) {
    let request = submission("int_1", vec![item(Action::Trigger, of)]);
    let mut fold = empty();
    fold.items(&request, &request.items, NOW);
    (key(of), fold.finish().opened.pop().unwrap().incident)
}

fn met<'a>(open: Vec<(Key, Incident)>) -> Fold<'a> {
    Fold::new(8, Met { open, ..Met::default() }, HashMap::new())
}

fn outcomes(receipts: &[EventReceipt]) -> Vec<Outcome> {
    receipts.iter().map(|receipt| receipt.outcome).collect()
}

fn unmapped(key: &str) -> Posted {
    let mut item = item(Action::Trigger, key);
    if let Effect::Report(report) = &mut item.effect {
        report.catch_all = Some(Outcome::Unmapped);
    }
    item
}

#[test]
fn an_incident_is_written_once_however_many_events_it_has() {
    let requests: Vec<Submission> =
        (0..10).map(|_| submission("int_1", vec![item(Action::Trigger, "a"), item(Action::Trigger, "b")])).collect();
    let mut fold = met(vec![stored("b")]);
    for request in &requests {
        fold.items(request, &request.items, NOW);
        fold.ledger(request, &[], NOW);
    }
    let rows = fold.finish();
    assert_eq!((rows.events.len(), rows.requests.len()), (20, 10));
    assert_eq!((rows.opened.len(), rows.opened[0].incident.event_count), (1, 10));
    assert_eq!((rows.updated.len(), rows.updated[0].incident.event_count), (1, 11));
    assert!(rows.resolved.is_empty() && rows.tombstones.is_empty());
    assert_eq!(rows.outbox.len(), 1, "one page for the one that opened");
}

#[test]
fn an_incident_that_opens_and_ends_in_one_batch_is_inserted_resolved() {
    let actions = [Action::Trigger, Action::Acknowledge, Action::Resolve, Action::Trigger];
    let request = submission("int_1", actions.map(|action| item(action, "a")).to_vec());
    let mut fold = empty();
    let receipts = fold.items(&request, &request.items, NOW);
    assert_eq!(outcomes(&receipts), [Outcome::Opened, Outcome::Acknowledged, Outcome::Resolved, Outcome::Opened]);
    let rows = fold.finish();
    let mut states: Vec<_> = rows.opened.iter().map(|row| row.incident.status.as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["resolved", "triggered"]);
    assert!(rows.opened.is_sorted_by_key(|row| &row.incident.id));
    assert!(rows.updated.is_empty() && rows.resolved.is_empty());
    let reopened = rows.opened.iter().find(|row| row.incident.previous_incident_id.is_some()).unwrap();
    assert_eq!(reopened.incident.previous_incident_id, receipts[0].incident_id);
    assert_eq!(rows.tombstones.len(), 1);
    let events: Vec<_> = rows.outbox.iter().map(|row| row.event).collect();
    assert_eq!(events, ["incident.triggered", "incident.acknowledged", "incident.resolved", "incident.triggered"]);
}

#[test]
fn a_stored_incident_that_ends_is_updated_and_its_successor_inserted() {
    let request = submission("int_1", vec![item(Action::Resolve, "a"), item(Action::Trigger, "a")]);
    let (key, incident) = stored("a");
    let mut fold = met(vec![(key, incident.clone())]);
    assert_eq!(outcomes(&fold.items(&request, &request.items, NOW)), [Outcome::Resolved, Outcome::Opened]);
    let rows = fold.finish();
    assert_eq!((rows.resolved.len(), rows.resolved[0].incident.id.as_str()), (1, incident.id.as_str()));
    assert_eq!(rows.opened.len(), 1);
    assert_eq!(rows.opened[0].incident.previous_incident_id.as_deref(), Some(incident.id.as_str()));
}

#[test]
fn what_the_batch_did_not_touch_is_not_written() {
    let request = submission("int_1", vec![item(Action::Resolve, "c")]);
    let mut fold = met(vec![stored("a"), stored("b")]);
    let receipts = fold.items(&request, &request.items, NOW);
    assert_eq!((outcomes(&receipts), &receipts[0].incident_id), (vec![Outcome::Unmatched], &None));
    let rows = fold.finish();
    assert_eq!(rows.events.len(), 1, "the event is stored all the same");
    assert!(rows.opened.is_empty() && rows.updated.is_empty() && rows.resolved.is_empty() && rows.outbox.is_empty());
    assert!(rows.tombstones.is_empty(), "a resolve without a time leaves nothing to remember");
}

#[test]
fn a_resolve_with_a_time_is_remembered_although_it_matched_nothing() {
    let request = submission("int_1", vec![item_at(Action::Resolve, "a", Clock::Transition, Some(NOW))]);
    let mut fold = empty();
    fold.items(&request, &request.items, NOW);
    let rows = fold.finish();
    assert_eq!(rows.tombstones.len(), 1);
    assert_eq!((rows.tombstones[0].tombstone.order_at, rows.tombstones[0].updated_at), (Some(NOW), NOW));
}

#[test]
fn the_same_key_of_two_integrations_is_two_keys() {
    let (one, two) =
        (submission("int_1", vec![item(Action::Trigger, "a")]), submission("int_2", vec![item(Action::Trigger, "a")]));
    let mut fold = empty();
    assert_eq!(outcomes(&fold.items(&one, &one.items, NOW)), [Outcome::Opened]);
    assert_eq!(outcomes(&fold.items(&two, &two.items, NOW)), [Outcome::Opened]);
    assert_eq!(fold.finish().opened.len(), 2);
}

#[test]
fn each_event_names_the_one_before_it_in_the_timeline() {
    let request = submission("int_1", vec![item(Action::Trigger, "a"), item(Action::Trigger, "a"), item(Action::Resolve, "a")]);
    let mut fold = empty();
    let receipts = fold.items(&request, &request.items, NOW);
    let rows = fold.finish();
    let previous: Vec<_> = rows.events.iter().map(|row| row.previous_event_id.clone()).collect();
    assert_eq!(previous, [None, Some(receipts[0].id.clone()), Some(receipts[1].id.clone())]);
    assert_eq!(rows.opened[0].incident.last_event_id, receipts[2].id);
}

#[test]
fn what_is_meant_only_for_an_open_key_or_one_incident_is_nothing_otherwise() {
    let (key, incident) = stored("a");
    let only_if_open = |key| Posted { only_if_open: true, ..item(Action::Resolve, key) };
    let meant_for = |id: &str| Posted { incident_id: Some(id.to_owned()), ..item(Action::Resolve, "a") };
    let unseen_since = |at| Posted { unseen_since: Some(at), ..item(Action::Resolve, "a") };
    let cases = [
        (only_if_open("not open"), 0),
        (only_if_open("a"), 1),
        (meant_for("inc_another"), 0),
        (meant_for(&incident.id), 1),
        (unseen_since(NOW.plus_seconds(-1)), 0),
        (unseen_since(NOW), 1),
    ];
    for (item, events) in cases {
        let request = submission("int_1", vec![item]);
        let mut fold = met(vec![(key.clone(), incident.clone())]);
        assert_eq!(fold.items(&request, &request.items, NOW).len(), events, "{request:?}");
        let rows = fold.finish();
        assert_eq!((rows.events.len(), rows.resolved.len(), rows.updated.len()), (events, events, 0));
    }
}

#[test]
fn beyond_twenty_catch_alls_share_one_but_those_that_are_open_go_on() {
    let items = (0..CATCH_ALL_MAX + 5).map(|n| unmapped(&format!("unmapped:{n:016x}"))).collect();
    let request = submission("int_1", items);
    let again = submission("int_1", vec![unmapped("unmapped:0000000000000000"), item(Action::Trigger, "mapped")]);
    let mut fold = empty();
    let receipts = fold.items(&request, &request.items, NOW);
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Unmapped));
    let shared = receipts.iter().filter(|receipt| receipt.dedup_key == CATCH_ALL_OTHER).count();
    assert_eq!(shared, 5);
    let receipts = fold.items(&again, &again.items, NOW);
    let keys: Vec<_> = receipts.iter().map(|receipt| receipt.dedup_key.as_str()).collect();
    assert_eq!(keys, ["unmapped:0000000000000000", "mapped"]);
    let rows = fold.finish();
    let catch_alls = rows.opened.iter().filter(|row| row.key.dedup_key.starts_with(CATCH_ALL_PREFIX)).count();
    assert_eq!(catch_alls as i64, CATCH_ALL_MAX + 1);
    let other = rows.opened.iter().find(|row| row.key.dedup_key == CATCH_ALL_OTHER).unwrap();
    assert_eq!(other.incident.event_count, 5);
}

#[test]
fn catch_alls_that_are_open_in_the_store_count() {
    let request = submission("int_1", vec![unmapped("unmapped:1"), unmapped("unmapped:2")]);
    let mut fold = Fold::new(1, Met::default(), HashMap::from([(Arc::from("int_1"), CATCH_ALL_MAX - 1)]));
    let receipts = fold.items(&request, &request.items, NOW);
    assert_eq!((receipts[0].dedup_key.as_str(), receipts[1].dedup_key.as_str()), ("unmapped:1", CATCH_ALL_OTHER));
}

#[test]
fn the_ledger_row_names_its_first_and_last_event() {
    let request = submission("int_1", vec![item(Action::Trigger, "a"), item(Action::Trigger, "b"), item(Action::Trigger, "c")]);
    let mut fold = empty();
    let receipts = fold.items(&request, &request.items, NOW);
    fold.ledger(&request, &receipts, NOW);
    let rows = fold.finish();
    assert_eq!(rows.requests[0].first_event_id.as_ref(), Some(&receipts[0].id));
    assert_eq!(rows.requests[0].last_event_id.as_ref(), Some(&receipts[2].id));
    assert!(rows.seen.is_empty(), "no delivery id");
}

#[test]
fn a_delivery_id_is_written_with_its_effect_and_a_duplicate_is_only_a_ledger_row() {
    let delivery = Delivery { id: "d-1".to_owned(), body_hash: "ab".to_owned(), remembered: Delivery::REMEMBERED };
    let request = Submission { delivery: Some(delivery), ..submission("int_1", vec![item(Action::Trigger, "a")]) };
    let mut fold = empty();
    fold.ledger(&request, &[], NOW);
    fold.duplicate(&request, NOW);
    let rows = fold.finish();
    assert_eq!((rows.seen.len(), rows.seen[0].delivery_id), (1, "d-1"));
    assert_eq!(rows.seen[0].expires_at, NOW.plus_seconds(24 * 3600));
    let verdicts: Vec<_> = rows.requests.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, ["accepted", "duplicate"]);
    assert!(rows.events.is_empty());
}

#[test]
fn change_events_are_told_and_open_nothing() {
    let change = ChangeEvent {
        summary: "deployed".to_owned(),
        source: None,
        occurred_at: None,
        custom_details: None,
        links: Vec::new(),
        images: Vec::new(),
        hops: 0,
    };
    let request = Submission { changes: vec![change], ..submission("int_1", Vec::new()) };
    let mut fold = empty();
    fold.changes(&request, NOW);
    let rows = fold.finish();
    assert_eq!((rows.changes.len(), rows.opened.len()), (1, 0));
    assert_eq!((rows.outbox[0].event, &rows.outbox[0].incident_id), ("change.created", &None));
    assert_eq!(rows.outbox[0].change_id.as_ref(), Some(&rows.changes[0].id));
}

#[test]
fn a_replay_tells_the_outside_world_only_when_asked() {
    for (mode, told) in [(Mode::Live, 1), (replay(true), 1), (replay(false), 0)] {
        let request = Submission { mode, ..submission("int_1", vec![item(Action::Trigger, "a")]) };
        let mut fold = empty();
        fold.items(&request, &request.items, NOW);
        let rows = fold.finish();
        assert_eq!((rows.opened.len(), rows.outbox.len()), (1, told), "{:?}", request.mode);
    }
}

#[test]
fn nothing_is_noted_for_the_outside_world_where_nobody_is_to_be_told() {
    let change = ChangeEvent {
        summary: "deployed".to_owned(),
        source: None,
        occurred_at: None,
        custom_details: None,
        links: Vec::new(),
        images: Vec::new(),
        hops: 0,
    };
    for (tells, told) in [(false, 0), (true, 2)] {
        let items = vec![item(Action::Trigger, "a")];
        let request = Submission { tells, changes: vec![change.clone()], ..submission("int_1", items) };
        let mut fold = empty();
        fold.items(&request, &request.items, NOW);
        fold.changes(&request, NOW);
        let rows = fold.finish();
        assert_eq!((rows.opened.len(), rows.changes.len(), rows.outbox.len()), (1, 1, told));
    }
}

#[test]
fn what_stands_in_for_a_refused_event_says_where_the_body_is_and_quotes_nothing_of_it() {
    let refused = item(Action::Resolve, "key-of-the-refused");
    let stand_in = quarantined(&refused, Some("req_7"));
    let Effect::Report(report) = &stand_in.effect else { panic!("a report") };
    assert_eq!((report.action, report.catch_all), (Action::Trigger, Some(Outcome::Quarantined)));
    assert!(report.summary.contains("req_7"), "{}", report.summary);
    assert!(stand_in.key.as_str().starts_with(CATCH_ALL_PREFIX));
    assert!(!stand_in.key.as_str().contains("key-of-the-refused"));
    assert_eq!(stand_in.key, quarantined(&refused, Some("req_8")).key, "one incident a refused key");
    assert_ne!(stand_in.key, quarantined(&item(Action::Resolve, "another"), None).key);
}

#[test]
fn updates_lock_in_the_order_of_the_keys() {
    let request = submission("int_1", ["c", "a", "b"].map(|key| item(Action::Trigger, key)).to_vec());
    let mut fold = met(["c", "a", "b"].map(stored).to_vec());
    fold.items(&request, &request.items, NOW);
    let rows = fold.finish();
    let keys: Vec<_> = rows.updated.iter().map(|row| row.key.dedup_key.as_str()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}
