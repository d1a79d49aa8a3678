//! Quiet windows: hours of the week in a zone, or a span between two moments, in which nobody is told.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
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
