use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::super::Pace;
use super::rule;
use crate::time::{SECOND, Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);

#[test]
fn a_minutes_worth_at_once_then_evenly() {
    let mut pace = Pace::default();
    for _ in 0..10 {
        assert_eq!(pace.admit(10, NOW), Ok(()));
    }
    assert_eq!(pace.admit(10, NOW), Err(NOW.plus_seconds(6)));
    assert_eq!(pace.admit(10, NOW.plus_seconds(5)), Err(NOW.plus_seconds(6)));
    assert_eq!(pace.admit(10, NOW.plus_seconds(6)), Ok(()));
    assert_eq!(pace.admit(10, NOW.plus_seconds(6)), Err(NOW.plus_seconds(12)));
    let admitted = (0..20).filter(|_| pace.admit(10, NOW.plus_seconds(600)).is_ok()).count();
    assert_eq!(admitted, 10, "it does not save more than a minute's worth");
}

#[test]
fn a_clock_that_is_set_back_blocks_nothing() {
    let mut pace = Pace::default();
    for _ in 0..5 {
        assert_eq!(pace.admit(5, NOW.plus_seconds(86_400)), Ok(()));
    }
    let admitted = (0..6).filter(|_| pace.admit(5, NOW).is_ok()).count();
    assert_eq!(admitted, 5);
    assert_eq!(pace.admit(5, NOW), Err(NOW.plus_seconds(12)));
    assert_eq!(pace.admit(5, NOW.plus_seconds(12)), Ok(()));
}

#[test]
fn further_pages_of_a_key_wait_for_the_window_of_the_first() {
    let rule = rule(json!({"name": "x", "destinations": ["ops"], "dedupe_window": "5m"}));
    let until = |paged_at| rule.deduped_until(paged_at, NOW);
    assert_eq!(until(None), None);
    assert_eq!(until(Some(NOW)), Some(NOW.plus_seconds(300)));
    assert_eq!(until(Some(NOW.plus_seconds(-299))), Some(NOW.plus_seconds(1)));
    assert_eq!(until(Some(NOW.plus_seconds(-300))), None);
    assert_eq!(until(Some(NOW.plus_seconds(7_000))), None, "the clock was set back");
    assert_eq!(until(Some(NOW.plus_seconds(1))), Some(NOW.plus_seconds(301)), "another machine's clock is a second ahead");
    let off = super::rule(json!({"name": "x", "destinations": ["ops"], "dedupe_window": "off"}));
    assert_eq!((off.dedupe_window, off.deduped_until(Some(NOW), NOW)), (None, None));
}

/// A bucket of fractions of messages.
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

proptest! {
    #[test]
    fn it_is_a_bucket_that_fills_evenly(
        limit in prop_oneof![1_u32..=20, Just(60), Just(7), Just(1_000), Just(1_000_000)],
        gaps in proptest::collection::vec(prop_oneof![Just(0_i64), 0_i64..10_000_000, 0_i64..100], 1..200),
    ) {
        let (mut pace, mut now, mut sent) = (Pace::default(), NOW, Vec::new());
        let mut bucket = Bucket { tokens: f64::from(limit), at: NOW };
        for gap in gaps {
            now = Timestamp(now.0 + gap);
            let gained = (now.0 - bucket.at.0) as f64 * f64::from(limit) / (60 * SECOND) as f64;
            bucket = Bucket { tokens: (bucket.tokens + gained).min(f64::from(limit)), at: now };
            let admitted = pace.clone().admit(limit, now);
            // The interval is a whole number of microseconds, so at the edge the two may differ.
            if (bucket.tokens - 1.0).abs() > 0.02 {
                prop_assert_eq!(admitted.is_ok(), bucket.tokens > 1.0, "{}", bucket.tokens);
            }
            match pace.admit(limit, now) {
                Ok(()) => {
                    bucket.tokens -= 1.0;
                    sent.push(now);
                }
                Err(wait) => {
                    prop_assert!(wait > now && wait <= now.plus(Duration::from_secs(60)));
                    prop_assert_eq!(pace.clone().admit(limit, Timestamp(wait.0 - 1)), Err(wait));
                    prop_assert_eq!(pace.clone().admit(limit, wait), Ok(()));
                }
            }
        }
        for (first, begin) in sent.iter().enumerate() {
            for (last, end) in sent.iter().enumerate().skip(first) {
                let most = f64::from(limit) * (1.0 + (end.0 - begin.0) as f64 / (60 * SECOND) as f64);
                prop_assert!((last - first) as f64 <= most * 1.000_1, "{} in {} us", last - first + 1, end.0 - begin.0);
            }
        }
    }
}
