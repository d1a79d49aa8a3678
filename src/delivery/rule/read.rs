//! Reading a rule from JSON.

use std::collections::HashSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Asked, Condition, Kind, Problem, Rule, Step, Window};
use crate::delivery::retry::Policy;
use crate::event::Severity;

/// Characters of a name, here and of what is named.
const NAME_MAX: usize = 100;
/// Events, services or integrations, destinations of one place, steps, places of a fallback, and windows that a rule may name.
const EVENTS_MAX: usize = 50;
const SCOPE_MAX: usize = 500;
const DESTINATIONS_MAX: usize = 50;
const STEPS_MAX: usize = 20;
const FALLBACK_MAX: usize = 10;
const WINDOWS_MAX: usize = 50;
/// Seconds that a page may wait: for a step, for the next place of a fallback, behind another one, for an attempt.
const WAIT_MAX: u32 = 7 * 86_400;
/// Messages a minute that a rule may be limited to.
const RATE_MAX: u32 = 1_000_000;
const ATTEMPTS_MAX: u32 = 1_000;

/// What the words of a rule mean here.
pub trait Lookup {
    /// The id of what has this name or id.
    ///
    /// # Errors
    /// There is none, in a sentence for the user.
    fn id(&self, kind: Kind, word: &str) -> Result<String, String>;

    /// The zone of this name; as this machine's database has it.
    fn zone(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(name).ok()
    }
}

/// Every word is an id already, as in a stored rule.
#[derive(Clone, Copy, Debug)]
pub struct Ids;

impl Lookup for Ids {
    fn id(&self, _kind: Kind, word: &str) -> Result<String, String> {
        Ok(word.to_owned())
    }
}

impl Rule {
    /// Reads a rule as a user gives it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_json(map: &Map<String, Value>, lookup: &dyn Lookup) -> Result<Self, Vec<Problem>> {
        let (rule, problems) = read(map, lookup);
        if problems.is_empty() { Ok(rule) } else { Err(problems) }
    }

    /// Reads a rule as [`Rule::to_json`] wrote it, perhaps long ago, perhaps elsewhere. What cannot be read any longer falls to the side of
    /// telling: a window in a zone that is gone does not mute, a condition that is not understood delivers and says so.
    pub fn stored(map: &Map<String, Value>) -> (Self, Vec<Problem>) {
        read(map, &Ids)
    }
}

fn read(map: &Map<String, Value>, lookup: &dyn Lookup) -> (Rule, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut fields = Fields::of(map, &mut problems);
    let rule = Reader { lookup }.rule(&mut fields);
    fields.finish();
    (rule, problems)
}

struct Reader<'a> {
    lookup: &'a dyn Lookup,
}

impl Reader<'_> {
    fn rule(&self, fields: &mut Fields<'_>) -> Rule {
        fields.demand("name", "is required");
        let rule = Rule {
            name: fields.text("name", NAME_MAX).unwrap_or_default().to_owned(),
            enabled: fields.boolean("enabled").unwrap_or(true),
            events: events(fields),
            condition: condition(fields),
            severity_floor: fields.word("severity_floor", &Severity::ALL.map(|severity| (severity.as_str(), severity))),
            services: self.ids(fields, "services", Kind::Service, SCOPE_MAX),
            integrations: self.ids(fields, "integrations", Kind::Integration, SCOPE_MAX),
            destinations: self.ids(fields, "destinations", Kind::Destination, DESTINATIONS_MAX),
            steps: self.steps(fields),
            fallback: self.fallback(fields),
            fallback_after: fallback_after(fields),
            always: self.ids(fields, "always", Kind::Destination, DESTINATIONS_MAX),
            dedupe_window: fields.duration("dedupe_window", WAIT_MAX).filter(|window| !window.is_zero()),
            rate_limit: fields.integer("rate_limit", 1..=RATE_MAX),
            quiet_windows: self.windows(fields),
            retry: retry(fields),
        };
        check_destinations(&rule, fields);
        rule
    }

    /// The ids of what an array names, each once.
    fn ids(&self, fields: &mut Fields<'_>, name: &'static str, kind: Kind, max: usize) -> Vec<String> {
        let list = fields.list(name, max);
        self.resolve(fields, name, list, kind)
    }

    fn resolve(&self, fields: &mut Fields<'_>, at: &str, list: &[Value], kind: Kind) -> Vec<String> {
        let mut ids = Vec::new();
        for (place, word) in list.iter().enumerate() {
            let found = match word.as_str() {
                Some(word) => self.lookup.id(kind, word),
                None => Err(format!("must be the name or id of a {}", kind.as_str())),
            };
            match found {
                Ok(id) if ids.contains(&id) => {}
                Ok(id) => ids.push(id),
                Err(message) => fields.problem(format_args!("{at}.{place}"), message),
            }
        }
        ids
    }

    fn steps(&self, fields: &mut Fields<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        for (place, value) in fields.list("steps", STEPS_MAX).iter().enumerate() {
            let Some(map) = value.as_object() else {
                fields.problem(
                    format_args!("steps.{place}"),
                    "must be an object like {\"after\": \"10m\", \"destinations\": [\"NAME\"]}",
                );
                continue;
            };
            let mut step = fields.within(format_args!("steps.{place}"), map);
            step.demand("after", "is required: a duration like \"10m\", or \"0s\" for at once");
            let after = step.duration("after", WAIT_MAX).unwrap_or_default();
            let destinations = self.ids(&mut step, "destinations", Kind::Destination, DESTINATIONS_MAX);
            if destinations.is_empty() && !step.is_wrong("destinations") {
                step.problem("destinations", "must name at least one destination");
            }
            step.finish();
            steps.push(Step { after, destinations });
        }
        steps.sort_by_key(|step| step.after);
        steps
    }

    fn fallback(&self, fields: &mut Fields<'_>) -> Vec<Vec<String>> {
        let mut places = Vec::new();
        for (place, value) in fields.list("fallback", FALLBACK_MAX).iter().enumerate() {
            let at = format!("fallback.{place}");
            match value.as_array() {
                Some(list) if (1..=DESTINATIONS_MAX).contains(&list.len()) => {
                    places.push(self.resolve(fields, &at, list, Kind::Destination));
                }
                _ => fields.problem(at, format!("must be an array of 1 to {DESTINATIONS_MAX} destinations")),
            }
        }
        places
    }

    fn windows(&self, fields: &mut Fields<'_>) -> Vec<Window> {
        let mut windows = Vec::new();
        for (place, value) in fields.list("quiet_windows", WINDOWS_MAX).iter().enumerate() {
            match value.as_object() {
                Some(map) => {
                    let mut fields = fields.within(format_args!("quiet_windows.{place}"), map);
                    windows.extend(Window::read(&mut fields, self.lookup));
                    fields.finish();
                }
                None => fields.problem(format_args!("quiet_windows.{place}"), Window::FORM),
            }
        }
        windows
    }
}

fn condition(fields: &mut Fields<'_>) -> Option<Condition> {
    let source = fields.with("condition", "must be a text: an expression in CEL", Value::as_str)?;
    if source.trim().is_empty() {
        return None;
    }
    match Condition::new(source) {
        Ok(condition) => Some(condition),
        Err(problems) => {
            let why = problems.join("; ");
            problems.into_iter().for_each(|problem| fields.problem("condition", problem));
            Some(Condition::broken(source, why))
        }
    }
}

fn fallback_after(fields: &mut Fields<'_>) -> Duration {
    let after = fields.duration("fallback_after", WAIT_MAX);
    if after.is_some_and(|after| after.is_zero()) {
        fields.problem("fallback_after", "must be longer than 0s: a destination needs time to deliver");
    }
    after.filter(|after| !after.is_zero()).unwrap_or(Rule::FALLBACK_AFTER)
}

fn retry(fields: &mut Fields<'_>) -> Policy {
    let default = Policy::default();
    let gone_on_404 = fields.word("on_gone", &[("dead", false), ("disable", true)]).unwrap_or(default.gone_on_404);
    let must = "must be an object of first_delay, max_delay, max_attempts, max_age and max_retry_after";
    let Some(map) = fields.with("retry", must, Value::as_object) else {
        return Policy { gone_on_404, ..default };
    };
    let mut retry = fields.within("retry", map);
    let policy = Policy {
        first: retry.duration("first_delay", WAIT_MAX).unwrap_or(default.first),
        cap: retry.duration("max_delay", WAIT_MAX).unwrap_or(default.cap),
        attempts: retry.integer("max_attempts", 1..=ATTEMPTS_MAX),
        age: retry.duration("max_age", WAIT_MAX).unwrap_or(default.age),
        patience: retry.duration("max_retry_after", WAIT_MAX).unwrap_or(default.patience),
        gone_on_404,
    };
    for (name, wait) in [("first_delay", policy.first), ("max_delay", policy.cap), ("max_age", policy.age)] {
        if wait.is_zero() {
            retry.problem(name, "must be longer than 0s");
        }
    }
    retry.finish();
    policy
}

fn events(fields: &mut Fields<'_>) -> Vec<Asked> {
    let Some(list) = fields.with("events", "must be an array of events", Value::as_array) else {
        return Asked::DEFAULT.to_vec();
    };
    if list.is_empty() || list.len() > EVENTS_MAX {
        fields.problem(
            "events",
            format!("must name 1 to {EVENTS_MAX} events; leave it out for an incident from its page to its end"),
        );
    }
    let mut events = Vec::new();
    for (place, value) in list.iter().take(EVENTS_MAX).enumerate() {
        match Asked::read(value) {
            Ok(asked) if events.contains(&asked) => {}
            Ok(asked) => events.push(asked),
            Err(message) => fields.problem(format_args!("events.{place}"), message),
        }
    }
    if events.is_empty() { Asked::DEFAULT.to_vec() } else { events }
}

/// A rule must tell somebody, and each of them once a page.
fn check_destinations(rule: &Rule, fields: &mut Fields<'_>) {
    let wrong = ["destinations", "steps", "fallback", "always"].iter().any(|name| fields.is_wrong(name));
    if rule.reaches().is_empty() && !wrong {
        fields.problem("destinations", "name at least one destination, here or in steps, fallback or always");
    }
    let at_once: HashSet<&String> = rule.destinations.iter().chain(&rule.always).collect();
    let steps: Vec<&String> = rule.steps.iter().flat_map(|step| &step.destinations).collect();
    for (name, list) in [("steps", steps), ("fallback", rule.fallback.iter().flatten().collect())] {
        let mut seen = at_once.clone();
        if list.into_iter().any(|id| !seen.insert(id)) {
            fields.problem(
                name,
                "names a destination that is told before; each is told once a page (incident.unacknowledged_for in events reminds)",
            );
        }
    }
}
