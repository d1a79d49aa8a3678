//! The settings that `rule create` and `rule update` share, and the request body they make.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::args::word;
use crate::duration::Span;

/// The lowest severity told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Floor {
    /// Everything
    Info,
    /// Without info
    Warning,
    /// Without info and warning
    Error,
    /// The worst only
    Critical,
}

/// What 404 means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum OnGone {
    /// The message is given up
    Dead,
    /// The destination is gone and is disabled
    Disable,
}

/// Destinations that are told after some time: `10m=second,third`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    after: Span,
    destinations: Vec<String>,
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (after, destinations) = text.split_once('=').ok_or("not a step: write 10m=DESTINATION,…")?;
        Ok(Self { after: after.parse().map_err(|error| format!("{error}"))?, destinations: names(destinations) })
    }
}

/// When nobody is told: `mon,tue 22:00-07:00 Europe/Berlin`, without days on every day; or JSON as the API takes it.
#[derive(Clone, PartialEq, Debug)]
pub struct Quiet(Value);

impl FromStr for Quiet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "not a window: write '[DAYS] FROM-UNTIL ZONE', such as 'sat,sun 00:00-24:00 Europe/Berlin', or JSON";
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text).map(Self).map_err(|error| error.to_string());
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, zone) = match words.as_slice() {
            [hours, zone] => (None, hours, zone),
            [days, hours, zone] => (Some(days), hours, zone),
            _ => return Err(FORM.to_owned()),
        };
        let (from, until) = hours.split_once('-').ok_or(FORM)?;
        let mut window = json!({"from": from, "until": until, "zone": zone});
        if let (Some(days), Some(map)) = (days, window.as_object_mut()) {
            map.insert("days".to_owned(), names(days).into());
        }
        Ok(Self(window))
    }
}

fn names(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Settings of a rule.
#[derive(Args)]
pub struct Settings {
    /// A destination to tell at once, by name or id. Repeatable
    #[arg(long, value_name = "DESTINATION")]
    to: Vec<String>,
    /// What to tell of: incident.triggered, incident.open_for:2h, change.created, … Repeatable
    #[arg(long = "event", value_name = "EVENT")]
    events: Vec<String>,
    /// What must hold besides: an expression in CEL
    #[arg(long, value_name = "CEL")]
    condition: Option<String>,
    /// The lowest severity to tell of
    #[arg(long, value_enum, value_name = "SEVERITY")]
    severity_floor: Option<Floor>,
    /// Only for this service, by name or id. Repeatable
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<String>,
    /// Only for this integration, by name or id. Repeatable
    #[arg(long = "integration", value_name = "INTEGRATION")]
    integrations: Vec<String>,
    /// Tell more destinations after so long without an acknowledgement. Repeatable
    #[arg(long = "step", value_name = "TIME=DESTINATION,…")]
    steps: Vec<Step>,
    /// Tell these, and the next only when none of these could be told in time. Repeatable, in order
    #[arg(long, value_name = "DESTINATION,…")]
    fallback: Vec<String>,
    /// How long each place of --fallback has
    #[arg(long, value_name = "TIME")]
    fallback_after: Option<Span>,
    /// A destination to tell whatever --fallback does. Repeatable
    #[arg(long, value_name = "DESTINATION")]
    always: Vec<String>,
    /// Page once in so long for the same key
    #[arg(long, value_name = "TIME")]
    dedupe: Option<Span>,
    /// Messages a minute; what is beyond waits
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
    /// When nobody is told; what lasts longer is told at its end. Repeatable
    #[arg(long, value_name = "[DAYS] FROM-UNTIL ZONE")]
    quiet: Vec<Quiet>,
    /// What a receiver's 404 means
    #[arg(long, value_enum, value_name = "WHAT")]
    on_gone: Option<OnGone>,
}

impl Settings {
    /// The fields that were given, by the API's names.
    pub fn to_body(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        let list = |list: &[String]| (!list.is_empty()).then(|| Value::from(list.to_vec()));
        put("destinations", list(&self.to));
        put("events", list(&self.events));
        put("condition", self.condition.clone().map(Value::from));
        put("severity_floor", self.severity_floor.map(|floor| word(floor).to_string().into()));
        put("services", list(&self.services));
        put("integrations", list(&self.integrations));
        let step = |step: &Step| json!({"after": step.after.to_string(), "destinations": step.destinations});
        put("steps", (!self.steps.is_empty()).then(|| self.steps.iter().map(step).collect::<Vec<_>>().into()));
        let places = || self.fallback.iter().map(|place| Value::from(names(place))).collect::<Vec<_>>();
        put("fallback", (!self.fallback.is_empty()).then(|| places().into()));
        put("fallback_after", self.fallback_after.map(|after| after.to_string().into()));
        put("always", list(&self.always));
        put("dedupe_window", self.dedupe.map(|window| window.to_string().into()));
        put("rate_limit", self.rate_limit.map(Value::from));
        let windows = || self.quiet.iter().map(|window| window.0.clone()).collect::<Vec<_>>();
        put("quiet_windows", (!self.quiet.is_empty()).then(|| windows().into()));
        put("on_gone", self.on_gone.map(|what| word(what).to_string().into()));
        fields
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::delivery::rule::{Ids, Rule};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(args: &[&str]) -> Result<Settings, String> {
        let line = Line::try_parse_from(std::iter::once(&"x").chain(args));
        line.map(|line| line.settings).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_says_something_that_a_rule_understands() {
        assert!(parse(&[]).unwrap().to_body().is_empty());
        let line = [
            "--to",
            "a",
            "--to",
            "b",
            "--event",
            "incident.open_for:2h",
            "--condition",
            "true",
            "--severity-floor",
            "error",
            "--service",
            "db",
            "--integration",
            "prod",
            "--step",
            "10m=c, d",
            "--fallback",
            "e,f",
            "--fallback",
            "g",
            "--fallback-after",
            "2m",
            "--always",
            "h",
            "--dedupe",
            "5m",
            "--rate-limit",
            "30",
            "--quiet",
            "mon,tue 22:00-07:00 Europe/Berlin",
            "--quiet",
            "12:00-13:00 UTC",
            "--quiet",
            r#"{"from":"2026-12-24T00:00:00Z","until":"2026-12-27T00:00:00Z"}"#,
            "--on-gone",
            "disable",
        ];
        let mut body = parse(&line).unwrap().to_body();
        assert_eq!(body["steps"], json!([{"after": "10m", "destinations": ["c", "d"]}]));
        assert_eq!(body["fallback"], json!([["e", "f"], ["g"]]));
        let window = json!({"days": ["mon", "tue"], "from": "22:00", "until": "07:00", "zone": "Europe/Berlin"});
        assert_eq!((&body["quiet_windows"][0], body["quiet_windows"].as_array().unwrap().len()), (&window, 3));
        body.insert("name".to_owned(), "x".into());
        let rule = Rule::from_json(&body, &Ids).unwrap();
        assert_eq!(rule.reaches(), ["a", "b", "c", "d", "e", "f", "g", "h"]);
    }

    #[test]
    fn what_is_no_window_or_step_is_refused_in_words() {
        for (line, told) in [
            (["--quiet", "at night"], "not a window"),
            (["--quiet", "always"], "not a window"),
            (["--quiet", "{"], "EOF"),
            (["--step", "second"], "not a step"),
            (["--step", "soon=second"], "length of time"),
        ] {
            let error = parse(&line).err().unwrap();
            assert!(error.contains(told), "{line:?}: {error}");
        }
    }
}
