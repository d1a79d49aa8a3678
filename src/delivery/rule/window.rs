//! Quiet windows: hours of the week in a zone, or a span between two moments, in which nobody is told.
//!
//! A weekly window lasts from the first moment at which the zone's clock shows its begin, or more, to the first at which it shows its end,
//! or more. So where the clock jumps over the end, the window ends with the jump; where it is set back, it ends the first time. At worst
//! somebody is told an hour early.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde_json::{Value, json};

use super::Lookup;
use super::fields::Fields;
use crate::time::Timestamp;

/// When nobody is told.
#[derive(Clone, PartialEq, Debug)]
pub enum Window {
    /// Every week.
    Weekly(Weekly),
    /// Once.
    Once {
        /// Its begin.
        from: Timestamp,
        /// Its end, which is no longer quiet.
        until: Timestamp,
    },
}

/// Hours of some days of the week, by the clock of a zone.
#[derive(Clone, PartialEq, Debug)]
pub struct Weekly {
    /// The days on which it begins, Monday first.
    pub days: Vec<Weekday>,
    /// When it begins, in whole minutes.
    pub from: Time,
    /// When it ends: on the next day where this is not after `from`.
    pub until: Time,
    /// The zone's name: `Europe/Berlin`.
    pub zone: String,
    /// The zone; `None`: this machine's database lacks it, and the window never mutes.
    pub tz: Option<TimeZone>,
}

/// How far ahead joined windows are followed. Longer than a week: what is quiet for all of it may be so for ever.
const HORIZON_DAYS: i64 = 8;

/// Until when nobody is told, where that is so at `now`: the first moment that lies in none of the windows. Where there may be none, a
/// moment more than a week ahead, at which to ask again.
pub fn quiet_until(windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    let horizon = now.plus_seconds(HORIZON_DAYS * 86_400);
    let mut until = None;
    let mut at = now;
    while at <= horizon {
        match windows.iter().filter_map(|window| window.until(at)).max() {
            Some(end) => {
                at = end;
                until = Some(end);
            }
            None => break,
        }
    }
    until
}

/// The days of a week as they are written, Monday first.
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Window {
    /// What one looks like.
    pub(super) const FORM: &'static str = "must be an object like {\"days\": [\"mon\", \"tue\"], \"from\": \"22:00\", \"until\": \"07:00\", \
        \"zone\": \"Europe/Berlin\"} or {\"from\": \"2026-12-24T00:00:00Z\", \"until\": \"2026-12-27T00:00:00Z\"}";

    /// Reads one; `None`: it is none.
    pub(super) fn read(fields: &mut Fields<'_>, lookup: &dyn Lookup) -> Option<Self> {
        let weekly = fields.get("days").is_some() || fields.get("zone").is_some();
        let moment = |value: &Value| value.as_str().is_some_and(|text| text.len() > "22:00".len());
        if !weekly && fields.get("from").is_some_and(moment) {
            Self::once(fields)
        } else {
            Weekly::read(fields, lookup).map(Self::Weekly)
        }
    }

    fn once(fields: &mut Fields<'_>) -> Option<Self> {
        let (from, until) = (moment(fields, "from"), moment(fields, "until"));
        let (from, until) = (from?, until?);
        if until <= from {
            fields.problem("until", "must be after `from`");
            return None;
        }
        Some(Self::Once { from, until })
    }

    /// Its end, where `at` lies in it.
    fn until(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { from, until } => (*from <= at && at < *until).then_some(*until),
            Self::Weekly(weekly) => weekly.until(at),
        }
    }

    /// It as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Once { from, until } => json!({"from": from, "until": until}),
            Self::Weekly(weekly) => {
                let days = DAYS.iter().filter(|(_, day)| weekly.days.contains(day)).map(|(word, _)| *word);
                json!({
                    "days": days.collect::<Vec<_>>(),
                    "from": clock(weekly.from),
                    "until": clock(weekly.until),
                    "zone": weekly.zone,
                })
            }
        }
    }
}

fn moment(fields: &mut Fields<'_>, name: &'static str) -> Option<Timestamp> {
    const MUST: &str = "must be an RFC 3339 time with offset, like 2026-12-24T00:00:00Z";
    fields.demand(name, MUST);
    fields.with(name, MUST, |value| Timestamp::parse(value.as_str()?).filter(|parsed| parsed.has_offset).map(|parsed| parsed.at))
}

impl Weekly {
    /// Its end, where `at` lies in it.
    fn until(&self, at: Timestamp) -> Option<Timestamp> {
        let tz = self.tz.as_ref()?;
        let today = tz.to_datetime(jiff::Timestamp::from_microsecond(at.0).ok()?).date();
        // It lasts a day at most; one more on each side, because a clock may be set back over midnight.
        let ends = (-2..=1).filter_map(|days| {
            let (from, until) = self.on(tz, today.checked_add(days.days()).ok()?)?;
            (from <= at && at < until).then_some(until)
        });
        ends.max()
    }

    /// When it begins and ends that begins on `day`.
    fn on(&self, tz: &TimeZone, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.contains(&day.weekday()) {
            return None;
        }
        let last = if self.until > self.from { day } else { day.tomorrow().ok()? };
        Some((first_at(tz, day.to_datetime(self.from))?, first_at(tz, last.to_datetime(self.until))?))
    }

    fn read(fields: &mut Fields<'_>, lookup: &dyn Lookup) -> Option<Self> {
        const CLOCK: &str = "must be a time of day from \"00:00\" to \"23:59\"";
        for name in ["from", "until"] {
            fields.demand(name, CLOCK);
        }
        fields.demand("zone", "is required: an IANA time zone like \"Europe/Berlin\", or \"UTC\"");
        let days = days(fields);
        let from = fields.with("from", CLOCK, |value| time_of_day(value.as_str()?));
        let until = fields.with("until", CLOCK, |value| match value.as_str()? {
            "24:00" => Some(Time::midnight()),
            text => time_of_day(text),
        });
        let zone = fields.text("zone", 100).map(str::to_owned);
        let tz = zone.as_deref().and_then(|zone| lookup.zone(zone));
        if let (Some(zone), None) = (&zone, &tz) {
            fields.problem(
                "zone",
                format!("this machine's time zone database has no {zone:?}; write an IANA name like \"Europe/Berlin\""),
            );
        }
        Some(Self { days, from: from?, until: until?, zone: zone?, tz })
    }
}

/// The first moment at which the clock of `tz` shows `clock` or more.
fn first_at(tz: &TimeZone, clock: DateTime) -> Option<Timestamp> {
    let at = match tz.to_ambiguous_timestamp(clock).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(clock).ok()?
        }
        AmbiguousOffset::Gap { before, .. } => {
            // By the clock as it was before, this is the jump or later; a second later, and the jump is certainly the last one before.
            let later = before.to_timestamp(clock).ok()?.checked_add(1.second()).ok()?;
            tz.preceding(later).next()?.timestamp()
        }
    };
    Some(Timestamp(at.as_microsecond()))
}

/// Days of the week; absent: all.
fn days(fields: &mut Fields<'_>) -> Vec<Weekday> {
    let all = || DAYS.map(|(_, day)| day).to_vec();
    let words = DAYS.map(|(word, _)| word).join(", ");
    let read = fields.with("days", format_args!("must be an array of at least one of {words}"), |value| {
        let named: Vec<&str> = value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
        let good = !named.is_empty() && named.iter().all(|word| DAYS.iter().any(|(known, _)| known == word));
        good.then(|| DAYS.iter().filter(|(word, _)| named.contains(word)).map(|(_, day)| *day).collect())
    });
    read.unwrap_or_else(all)
}

/// `22:00`: two digits, a colon, two digits.
fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number =
        |part: &str| (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<i8>().ok())?;
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

fn clock(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}
