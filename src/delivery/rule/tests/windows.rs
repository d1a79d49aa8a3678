use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Window, quiet_until};
use super::rule;
use crate::time::{SECOND, Timestamp};

const MINUTE: i64 = 60;

fn windows(windows: Value) -> Vec<Window> {
    rule(json!({"name": "x", "destinations": ["ops"], "quiet_windows": windows})).quiet_windows
}

fn daily(from: &str, until: &str, zone: &str) -> Vec<Window> {
    windows(json!([{"from": from, "until": until, "zone": zone}]))
}

/// A moment by the clock of a zone; in a fold the earlier.
fn at(clock: &str, zone: &str) -> Timestamp {
    let zoned = clock.parse::<jiff::civil::DateTime>().unwrap().to_zoned(TimeZone::get(zone).unwrap()).unwrap();
    Timestamp(zoned.timestamp().as_microsecond())
}

fn utc(clock: &str) -> Timestamp {
    at(clock, "UTC")
}

#[test]
fn nights_begin_and_end_by_the_clock_of_their_zone() {
    let nights = windows(json!([{"days": ["fri", "mon"], "from": "22:00", "until": "07:00", "zone": "Europe/Berlin"}]));
    let until = |clock: &str| quiet_until(&nights, at(clock, "Europe/Berlin"));
    let end = |clock: &str| Some(at(clock, "Europe/Berlin"));
    assert_eq!(until("2026-11-20T21:59:59"), None);
    assert_eq!(until("2026-11-20T22:00"), end("2026-11-21T07:00"), "a Friday");
    assert_eq!(until("2026-11-21T06:59:59"), end("2026-11-21T07:00"), "it began on Friday");
    assert_eq!(until("2026-11-21T07:00"), None, "the end is not quiet");
    assert_eq!(until("2026-11-21T23:00"), None, "a Saturday");
    assert_eq!(until("2026-11-23T23:00"), end("2026-11-24T07:00"));
    let day = daily("00:00", "24:00", "UTC");
    assert!(quiet_until(&day, utc("2026-11-21T12:00")).unwrap() > utc("2026-11-29T00:00"), "for ever is more than a week");
    assert_eq!(quiet_until(&[], utc("2026-11-21T12:00")), None);
}

#[test]
fn windows_that_meet_are_one() {
    let all = windows(json!([
        {"days": ["sat", "sun"], "from": "00:00", "until": "24:00", "zone": "UTC"},
        {"from": "22:00", "until": "07:00", "zone": "UTC"},
        {"from": "2026-11-23T06:30:00Z", "until": "2026-11-23T09:00:00Z"},
    ]));
    assert_eq!(quiet_until(&all, utc("2026-11-20T23:00")), Some(utc("2026-11-23T09:00")), "Friday night to Monday morning");
    assert_eq!(quiet_until(&all, utc("2026-11-23T09:00")), None);
    assert_eq!(quiet_until(&all, utc("2026-11-23T21:59")), None);
    let year = windows(json!([{"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}]));
    assert_eq!(quiet_until(&year, utc("2026-06-01T00:00")), Some(utc("2027-01-01T00:00")));
}

#[test]
fn a_clock_that_jumps_over_the_end_ends_the_window() {
    // On 2026-03-29 at 02:00 the clock of Berlin jumps to 03:00; on 2026-10-25 at 03:00 it is set back to 02:00.
    let berlin = daily("22:00", "02:30", "Europe/Berlin");
    let spring = quiet_until(&berlin, utc("2026-03-28T23:00")).unwrap();
    assert_eq!(spring, utc("2026-03-29T01:00"), "with the jump");
    assert_eq!(quiet_until(&berlin, utc("2026-10-24T22:00")), Some(utc("2026-10-25T00:30")), "the first 02:30");
    assert_eq!(quiet_until(&berlin, utc("2026-10-25T01:15")), None, "the second 02:15");
    let starts = daily("02:30", "07:00", "Europe/Berlin");
    assert_eq!(quiet_until(&starts, utc("2026-03-29T00:59:59")), None);
    assert_eq!(quiet_until(&starts, utc("2026-03-29T01:00")), Some(utc("2026-03-29T05:00")), "from the jump on");
    assert_eq!(quiet_until(&starts, utc("2026-10-25T00:45")), Some(utc("2026-10-25T06:00")), "from the first 02:30 on");
    assert_eq!(quiet_until(&daily("02:10", "02:50", "Europe/Berlin"), utc("2026-03-29T01:00")), None, "there is no such hour");
    // New York: 2026-03-08 02:00 to 03:00, 2026-11-01 02:00 to 01:00.
    let new_york = daily("22:00", "06:00", "America/New_York");
    assert_eq!(quiet_until(&new_york, at("2026-03-07T22:00", "America/New_York")), Some(utc("2026-03-08T10:00")));
    assert_eq!(quiet_until(&new_york, at("2026-10-31T22:00", "America/New_York")), Some(utc("2026-11-01T11:00")));
    // Lord Howe: half an hour. 2026-10-04 02:00 to 02:30, 2026-04-05 02:00 to 01:30.
    let lord_howe = daily("01:00", "02:15", "Australia/Lord_Howe");
    let begin = at("2026-10-04T01:00", "Australia/Lord_Howe");
    assert_eq!(quiet_until(&lord_howe, begin), Some(begin.plus_seconds(60 * MINUTE)));
    let begin = at("2026-04-05T01:00", "Australia/Lord_Howe");
    assert_eq!(quiet_until(&lord_howe, begin), Some(begin.plus_seconds(105 * MINUTE)), "an hour, and half of it twice");
}

#[test]
fn a_day_that_a_zone_skips_has_no_window() {
    // Apia had no 2011-12-30: Thursday was followed by Saturday.
    let friday = windows(json!([{"days": ["fri"], "from": "09:00", "until": "17:00", "zone": "Pacific/Apia"}]));
    let jump = at("2011-12-31T00:00", "Pacific/Apia");
    for minutes in -3_000..3_000 {
        assert_eq!(quiet_until(&friday, jump.plus_seconds(minutes * MINUTE)), None, "{minutes}");
    }
    let nights = daily("22:00", "07:00", "Pacific/Apia");
    assert_eq!(quiet_until(&nights, at("2011-12-29T23:00", "Pacific/Apia")), Some(at("2011-12-31T07:00", "Pacific/Apia")));
}

#[test]
fn a_zone_that_the_machine_lacks_does_not_mute() {
    let stored =
        json!({"name": "x", "destinations": ["d"], "quiet_windows": [{"from": "00:00", "until": "24:00", "zone": "Mars/Base"}]});
    let (rule, problems) = super::Rule::stored(&super::map(stored));
    assert_eq!(problems.len(), 1);
    assert_eq!(quiet_until(&rule.quiet_windows, utc("2026-11-21T12:00")), None);
    let last = quiet_until(&daily("00:00", "24:00", "UTC"), Timestamp(i64::MAX));
    assert_eq!(last, None, "the end of time is no panic");
}

/// Minute by minute from four days before to ten days after: which are quiet. A window is open from when the clock has shown its begin
/// until it has shown its end; what a clock that was set back shows again is not counted.
fn walked(windows: &[Window], from: Timestamp, minutes: i64) -> Vec<bool> {
    let mut quiet = vec![false; usize::try_from(minutes).unwrap()];
    for window in windows {
        let Window::Weekly(weekly) = window else { panic!("only weekly ones are walked") };
        let tz = weekly.tz.as_ref().unwrap();
        let clock = |minute: i64| tz.to_datetime(jiff::Timestamp::from_second(from.seconds() + minute * MINUTE).unwrap());
        let mut shown = clock(-4 * 1_440);
        for minute in -4 * 1_440..minutes {
            shown = shown.max(clock(minute));
            let open = (0..=1).any(|before| {
                let Ok(day) = shown.date().checked_sub(jiff::Span::new().days(before)) else { return false };
                let crosses = weekly.until <= weekly.from;
                let end = if crosses { day.tomorrow().unwrap() } else { day }.to_datetime(weekly.until);
                weekly.days.contains(&day.weekday()) && day.to_datetime(weekly.from) <= shown && shown < end
            });
            if let Some(quiet) = usize::try_from(minute).ok().and_then(|minute| quiet.get_mut(minute)) {
                *quiet |= open;
            }
        }
    }
    quiet
}

fn a_window() -> impl Strategy<Value = Value> {
    let days = proptest::sample::subsequence(vec!["mon", "tue", "wed", "thu", "fri", "sat", "sun"], 1..=7);
    let zones = proptest::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]);
    let clock = || (0..24_u8, proptest::sample::select(vec![0_u8, 15, 30, 59]));
    (days, clock(), clock(), zones).prop_map(|(days, from, until, zone)| {
        let text = |(hour, minute)| format!("{hour:02}:{minute:02}");
        json!({"days": days, "from": text(from), "until": text(until), "zone": zone})
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn it_is_as_a_slow_walk_says(
        some in proptest::collection::vec(a_window(), 1..4),
        start in proptest::sample::select(vec!["2026-03-28T12:00", "2026-10-24T12:00", "2026-03-07T12:00", "2026-10-31T12:00",
            "2026-10-03T00:00", "2026-04-04T00:00", "2011-12-28T12:00", "2026-07-01T00:00"]),
        offset in 0_i64..2_880,
    ) {
        let windows = windows(json!(some));
        let now = utc(start).plus_seconds(offset * MINUTE);
        let quiet = walked(&windows, now, 10 * 1_440);
        let end = quiet.iter().position(|quiet| !quiet).map_or(quiet.len(), |end| end);
        let told = quiet_until(&windows, now).map_or(0, |until| (until.0 - now.0) / (MINUTE * SECOND));
        let walked = i64::try_from(end).unwrap();
        if walked < 8 * 1_440 {
            prop_assert_eq!(told, walked);
        } else {
            prop_assert!(told >= 8 * 1_440, "{told}");
        }
    }
}
