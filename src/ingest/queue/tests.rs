use super::*;
use crate::event::Action;
use crate::ingest::testing::{item, submission};

const ROOMY: Limits = Limits { requests: 100_000, bytes: 1 << 30 };

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A request that is told apart by its one key.
fn request(integration: &str, key: &str) -> Submission {
    submission(integration, vec![item(Action::Trigger, key)])
}

/// A request with a body of `bytes`.
fn heavy(integration: &str, bytes: usize) -> Submission {
    let mut submission = submission(integration, Vec::new());
    if let Some(ledger) = &mut submission.ledger {
        ledger.body = vec![b' '; bytes].into();
    }
    submission
}

fn push(queue: &Queue, submission: Submission) -> oneshot::Receiver<Answer> {
    queue.push(submission, later()).unwrap()
}

fn batch_of(queue: &Queue) -> Vec<Entry> {
    match queue.take() {
        Turn::Batch(entries) => entries,
        Turn::Job(_) => panic!("a job"),
        Turn::Closed => panic!("closed"),
    }
}

fn keys(entries: &[Entry]) -> Vec<&str> {
    entries.iter().flat_map(|entry| &entry.submission.items).map(|item| item.key.as_str()).collect()
}

fn job() -> Job {
    Job { work: Box::new(|_| ()), changes_keys: false }
}

#[test]
fn integrations_take_turns_and_each_keeps_its_order() {
    let queue = Queue::new(ROOMY);
    for number in 0..4 {
        drop(push(&queue, request("int_flood", &format!("flood-{number}"))));
    }
    for number in 0..2 {
        drop(push(&queue, request("int_b", &format!("b-{number}"))));
    }
    drop(push(&queue, request("int_c", "c-0")));
    let batch = batch_of(&queue);
    assert_eq!(keys(&batch), ["flood-0", "b-0", "c-0", "flood-1", "b-1", "flood-2", "flood-3"]);
    assert_eq!(queue.depth(), Depth::default());
}

#[test]
fn one_that_floods_delays_the_others_by_no_more_than_a_batch() {
    let queue = Queue::new(ROOMY);
    for number in 0..BATCH_REQUESTS * 3 {
        drop(push(&queue, request("int_flood", &format!("flood-{number}"))));
    }
    assert_eq!(batch_of(&queue).len(), BATCH_REQUESTS);
    drop(push(&queue, request("int_quiet", "quiet")));
    let batch = batch_of(&queue);
    assert_eq!(keys(&batch)[..3], ["flood-256", "quiet", "flood-257"]);
    assert_eq!(queue.depth().requests, BATCH_REQUESTS + 1);
}

#[test]
fn an_integration_that_comes_back_waits_behind_those_that_wait() {
    let queue = Queue::new(ROOMY);
    let large = submission("int_a", (0..BATCH_EVENTS).map(|number| item(Action::Trigger, &format!("a-{number}"))).collect());
    drop(push(&queue, large));
    drop(push(&queue, request("int_b", "b-0")));
    assert_eq!(batch_of(&queue).len(), 1, "the large one fills the batch");
    drop(push(&queue, request("int_a", "a-late")));
    assert_eq!(keys(&batch_of(&queue)), ["b-0", "a-late"]);
}

#[test]
fn a_batch_ends_with_the_event_that_fills_it() {
    let queue = Queue::new(ROOMY);
    for number in 0..5 {
        let items = (0..1500).map(|n| item(Action::Trigger, &format!("{number}-{n}"))).collect();
        drop(push(&queue, submission("int_a", items)));
    }
    assert_eq!([batch_of(&queue).len(), batch_of(&queue).len()], [3, 2], "4,000 events are reached by the third");
}

#[test]
fn a_batch_ends_with_the_byte_that_fills_it() {
    let queue = Queue::new(ROOMY);
    for _ in 0..5 {
        drop(push(&queue, heavy("int_a", BATCH_BYTES / 2)));
    }
    assert_eq!([batch_of(&queue).len(), batch_of(&queue).len(), batch_of(&queue).len()], [2, 2, 1]);
}

#[test]
fn what_is_over_the_bound_is_refused_and_what_was_taken_makes_room() {
    let queue = Queue::new(Limits { requests: 3, bytes: 1 << 30 });
    for number in 0..3 {
        drop(push(&queue, request("int_a", &format!("{number}"))));
    }
    assert!(matches!(queue.push(request("int_a", "3"), later()), Err(Refused::Full)));
    assert!(queue.push(request("int_b", "0"), later()).is_ok(), "another one's newest makes room");
    assert_eq!(queue.depth().requests, 3, "the bound is for all");
    assert_eq!(keys(&batch_of(&queue)), ["0", "0", "1"]);
    assert!(queue.push(request("int_a", "3"), later()).is_ok());
}

#[test]
fn bytes_are_bounded_too_but_one_request_always_has_room() {
    let queue = Queue::new(Limits { requests: 10, bytes: 1000 });
    drop(push(&queue, heavy("int_a", 5000)));
    assert!(matches!(queue.push(heavy("int_b", 0), later()), Err(Refused::Full)));
    assert_eq!((queue.depth().requests, queue.depth().bytes), (1, 5000));
    assert_eq!(batch_of(&queue).len(), 1);
    drop(push(&queue, heavy("int_a", 600)));
    assert!(matches!(queue.push(heavy("int_b", 401), later()), Err(Refused::Full)));
    assert!(queue.push(heavy("int_b", 400), later()).is_ok());
}

#[test]
fn what_gives_way_for_nothing_keeps_its_place() {
    let queue = Queue::new(Limits { requests: 100, bytes: 100_000 });
    let flood: Vec<_> = (0..3)
        .map(|number| {
            let mut one = heavy("int_flood", 30_000);
            one.items = vec![item(Action::Trigger, &number.to_string())];
            push(&queue, one)
        })
        .collect();
    let before = queue.depth();
    // One of thirty would do for the first half of it, and nothing for the second.
    assert!(matches!(queue.push(heavy("int_b", 80_000), later()), Err(Refused::Full)));
    assert_eq!((queue.depth().requests, queue.depth().bytes), (before.requests, before.bytes));
    assert_eq!(keys(&batch_of(&queue)), ["0", "1", "2"]);
    drop(flood);
}

#[test]
fn what_is_read_already_does_not_wait_for_what_is_still_read() {
    let queue = Arc::new(Queue::new(ROOMY));
    let flood = Arc::from("int_flood");
    let reading: Vec<_> = (0..100).map(|_| queue.enter(&flood, later()).unwrap()).collect();
    busy(&queue, Duration::from_millis(100));
    let soon = || Instant::now() + Duration::from_millis(500);
    assert!(queue.enter(&flood, soon()).is_err(), "a second of work is before it");
    assert!(queue.push(request("int_flood", "first"), soon()).is_ok());
    drop(reading);
}

#[test]
fn draining_takes_everything_however_much_it_is() {
    let queue = Queue::new(ROOMY);
    let receivers: Vec<_> = (0..BATCH_REQUESTS * 2 + 1).map(|n| push(&queue, request("int_a", &n.to_string()))).collect();
    let all = queue.drain();
    assert_eq!(all.len(), receivers.len());
    for entry in all {
        entry.answer(Err(Refused::Full));
    }
    for mut receiver in receivers {
        assert!(matches!(receiver.try_recv().map(|answer| answer.result), Ok(Err(Refused::Full))));
    }
    assert_eq!(queue.depth(), Depth::default());
    assert!(queue.drain().is_empty());
}

#[test]
fn jobs_go_first() {
    let queue = Queue::new(ROOMY);
    drop(push(&queue, request("int_a", "a")));
    queue.push_job(job()).unwrap();
    assert!(matches!(queue.take(), Turn::Job(_)));
    assert_eq!(keys(&batch_of(&queue)), ["a"]);
}

#[test]
fn a_closed_queue_takes_nothing_more_and_serves_what_waits() {
    let queue = Queue::new(ROOMY);
    drop(push(&queue, request("int_a", "a")));
    queue.push_job(job()).unwrap();
    queue.close();
    assert!(matches!(queue.push(request("int_a", "b"), later()), Err(Refused::Closed)));
    assert!(matches!(queue.push_job(job()), Err(Refused::Closed)));
    assert!(matches!(queue.take(), Turn::Job(_)));
    assert_eq!(keys(&batch_of(&queue)), ["a"]);
    assert!(matches!(queue.take(), Turn::Closed));
}

#[test]
fn whoever_waits_for_work_wakes_up() {
    let queue = Queue::new(ROOMY);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| batch_of(&queue).len());
        drop(push(&queue, request("int_a", "a")));
        assert_eq!(waiting.join().unwrap(), 1);
        let waiting = scope.spawn(|| matches!(queue.take(), Turn::Closed));
        queue.close();
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn the_depth_says_how_long_the_oldest_has_waited() {
    let queue = Queue::new(ROOMY);
    assert_eq!(queue.depth().oldest, Duration::ZERO);
    drop(push(&queue, request("int_a", "a")));
    std::thread::sleep(Duration::from_millis(5));
    drop(push(&queue, request("int_b", "b")));
    assert!(queue.depth().oldest >= Duration::from_millis(5));
}

#[test]
fn a_full_queue_takes_from_whoever_has_most() {
    let queue = Queue::new(Limits { requests: 10, bytes: 1 << 30 });
    let mut flood: Vec<_> = (0..10).map(|number| push(&queue, request("int_flood", &format!("flood-{number}")))).collect();
    let refused = |receiver: &mut oneshot::Receiver<Answer>| {
        matches!(receiver.try_recv().map(|answer| answer.result), Ok(Err(Refused::Full)))
    };
    assert!(matches!(queue.push(request("int_flood", "flood-10"), later()), Err(Refused::Full)), "it has most itself");
    let others: Vec<_> = (0..5).map(|number| push(&queue, request("int_b", &format!("b-{number}")))).collect();
    assert!(matches!(queue.push(request("int_b", "b-5"), later()), Err(Refused::Full)), "half each is fair");
    let told: Vec<bool> = flood.iter_mut().map(refused).collect();
    assert_eq!(told, [false, false, false, false, false, true, true, true, true, true], "the newest give way, and are told");
    assert_eq!(queue.depth().requests, 10);
    drop(others);
    assert_eq!(keys(&batch_of(&queue)).len(), 10);
    assert_eq!((queue.depth().requests, queue.depth().bytes), (0, 0));
}

#[test]
fn a_full_queue_counts_bytes_where_bytes_are_what_fills_it() {
    let queue = Queue::new(Limits { requests: 100, bytes: 100_000 });
    let mut large: Vec<_> = (0..3).map(|_| push(&queue, heavy("int_large", 30_000))).collect();
    let small: Vec<_> = (0..5).map(|_| push(&queue, heavy("int_small", 4_000))).collect();
    assert!(large.pop().is_some_and(|mut newest| newest.try_recv().is_ok()), "one large one made room for five small ones");
    assert_eq!(queue.depth().requests, 7);
    drop(small);
}

/// Has served batches of ten in this time lately, none of which took all that waited.
fn busy(queue: &Queue, batch: Duration) {
    let waiting: Vec<_> = (0..BATCH_REQUESTS + 1).map(|number| push(queue, request("int_busy", &number.to_string()))).collect();
    assert_eq!(batch_of(queue).len(), BATCH_REQUESTS);
    for _ in 0..200 {
        queue.served(10, batch);
    }
    assert_eq!(batch_of(queue).len(), 1);
    drop(waiting);
}

#[test]
fn a_slow_commit_of_few_refuses_no_burst() {
    let queue = Arc::new(Queue::new(ROOMY));
    for number in 0..200 {
        drop(push(&queue, request("int_a", &number.to_string())));
        assert_eq!(batch_of(&queue).len(), 1);
        queue.served(1, Duration::from_millis(20));
    }
    // Each of them took 20 ms, and so will two or three batches of all of these.
    let soon = Instant::now() + Duration::from_millis(500);
    let burst: Vec<_> = (0..600).map(|number| queue.push(request("int_a", &number.to_string()), soon)).collect();
    assert!(burst.iter().all(Result::is_ok));
}

#[test]
fn what_cannot_be_served_in_time_is_refused_at_once() {
    let queue = Queue::new(ROOMY);
    busy(&queue, Duration::from_millis(100));
    let soon = || Instant::now() + Duration::from_millis(500);
    let mut waiting = Vec::new();
    let refused = (0..100).find(|number| match queue.push(request("int_flood", &format!("flood-{number}")), soon()) {
        Ok(receiver) => {
            waiting.push(receiver);
            false
        }
        Err(refused) => matches!(refused, Refused::Full),
    });
    assert!(
        refused.is_some_and(|number| (45..=51).contains(&number)),
        "10 ms each: about fifty fit into 500 ms, not {refused:?}"
    );
    assert!(queue.push(request("int_b", "b-0"), soon()).is_ok(), "the other one's turn comes before all of these");
    while queue.depth().requests > 0 {
        batch_of(&queue);
    }
    queue.served(100, Duration::ZERO);
    assert!(queue.push(request("int_flood", "again"), soon()).is_ok(), "and right after, it is served again");
}

#[test]
fn what_would_be_refused_is_known_before_the_work() {
    let queue = Arc::new(Queue::new(Limits { requests: 3, bytes: 1 << 30 }));
    let (flood, other) = (Arc::from("int_flood"), Arc::from("int_b"));
    let enter = |integration| queue.enter(integration, later());
    let waiting: Vec<_> = (0..2).map(|number| push(&queue, request("int_flood", &number.to_string()))).collect();
    let place = enter(&flood).unwrap();
    assert!(matches!(enter(&flood), Err(Refused::Full)), "two wait, one is read");
    assert!(enter(&other).is_ok(), "it would be made room for");
    assert_eq!(queue.depth().requests, 2, "what is read does not wait yet");
    drop(place);
    assert!(enter(&flood).is_ok(), "a place that is given back is free");
    queue.close();
    assert!(matches!(enter(&other), Err(Refused::Closed)));
    drop(waiting);
    let slow = Arc::new(Queue::new(ROOMY));
    busy(&slow, Duration::from_secs(1_000));
    let waiting = push(&slow, request("int_flood", "0"));
    let soon = Instant::now() + Duration::from_millis(500);
    assert!(matches!(slow.enter(&other, soon), Err(Refused::Full)), "not in time");
    drop(waiting);
}

#[test]
fn places_are_shared_out_as_the_queue_is() {
    let queue = Arc::new(Queue::new(Limits { requests: 10, bytes: 1 << 30 }));
    let (flood, other) = (Arc::from("int_flood"), Arc::from("int_b"));
    let held: Vec<_> = (0..10).map(|_| queue.enter(&flood, later()).unwrap()).collect();
    assert!(queue.enter(&flood, later()).is_err());
    let others: Vec<_> = std::iter::from_fn(|| queue.enter(&other, later()).ok()).take(20).collect();
    assert_eq!(others.len(), 9, "as long as it has less");
    drop((held, others));
    assert_eq!(queue.state().places, 0);
    assert!(queue.state().fifos.is_empty(), "nothing is kept of who has nothing");
    // One that was served meanwhile keeps its place.
    let place = queue.enter(&flood, later()).unwrap();
    drop(push(&queue, request("int_flood", "1")));
    assert_eq!(batch_of(&queue).len(), 1);
    assert_eq!(queue.state().fifos.len(), 1);
    drop(place);
    assert!(queue.state().fifos.is_empty());
}
