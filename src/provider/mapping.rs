//! A user's mapping: which paths of a body hold which fields of an event, and what its words mean.
//!
//! Owns the options and their problems; what becomes of them is a [`Plan`], and reading by it is [`super::plan`]'s business.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::OptionProblem;
use super::path::Path;
use super::plan::{Field, Labels, Names, Plan, Template, Words};
use super::tokens::Meaning;
use crate::event::{Action, Severity};

/// Paths that one field may list.
const PATHS_MAX: usize = 8;
/// Words that one list may hold.
const WORDS_MAX: usize = 64;

/// What traces and warnings call the fields.
pub static LABELS: Labels = Labels {
    action: "mapping.actionField",
    severity: "mapping.severityField",
    key: "mapping.dedupKeyField",
    summary: "mapping.summaryField",
    source: "mapping.sourceField",
    items: "mapping.itemsField",
};

/// Every option, as documented; the same names in snake_case are accepted.
pub const OPTIONS: &[&str] = &[
    "summaryField",
    "severityField",
    "dedupKeyField",
    "sourceField",
    "actionField",
    "triggerValues",
    "acknowledgeValues",
    "resolveValues",
    "severityMap",
    "itemsField",
    "timestampField",
    "linkField",
];

/// Puts the value of the option `mapping` into `plan`.
///
/// # Errors
/// Every problem, named below `mapping`.
pub fn compile(mut plan: Plan, value: &Value) -> Result<Plan, Vec<OptionProblem>> {
    let Value::Object(options) = value else {
        return Err(vec![OptionProblem::new("mapping", "must be an object")]);
    };
    let mut problems = Vec::new();
    for (name, value) in options.iter().filter(|(_, value)| !value.is_null()) {
        if let Err(problem) = set(&mut plan, name, value) {
            let option = format!("mapping.{name}");
            problems.push(match problem {
                Some(problem) => OptionProblem::new(option, problem),
                None => OptionProblem { option, ..OptionProblem::unknown(&camel(name), OPTIONS) },
            });
        }
    }
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

/// Sets one option; the error is the problem, or `None` for a name that is no option.
fn set(plan: &mut Plan, name: &str, value: &Value) -> Result<(), Option<Cow<'static, str>>> {
    match camel(name).as_str() {
        "summaryField" => plan.summary = field(value)?,
        "severityField" => plan.severity.field = field(value)?,
        "dedupKeyField" => plan.key = field(value)?,
        "sourceField" => plan.source = field(value)?,
        "actionField" => plan.action.field = field(value)?,
        "itemsField" => plan.items = paths(value, Path::compile)?,
        "timestampField" => plan.occurred_at = field(value)?,
        "linkField" => plan.links = vec![("Link".to_owned(), field(value)?)],
        "triggerValues" => words(&mut plan.action, value, Action::Trigger)?,
        "acknowledgeValues" => words(&mut plan.action, value, Action::Acknowledge)?,
        "resolveValues" => words(&mut plan.action, value, Action::Resolve)?,
        "severityMap" => severities(&mut plan.severity, value)?,
        _ => return Err(None),
    }
    Ok(())
}

fn words(known: &mut Words<Meaning>, value: &Value, action: Action) -> Result<(), Cow<'static, str>> {
    let words: Option<Vec<String>> = match value {
        Value::Array(list) if list.len() <= WORDS_MAX => list.iter().map(word).collect(),
        one => word(one).map(|word| vec![word]),
    };
    for word in words.ok_or(format!("must be a word or a list of at most {WORDS_MAX} words"))? {
        known.add(&*word, Meaning::Act(action)).map_err(|other| {
            let other = if let Meaning::Act(other) = other { other.as_str() } else { "nothing" };
            format!("{word:?} is among the words for {other} too")
        })?;
    }
    Ok(())
}

/// `dedup_key_field` as `dedupKeyField`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        camel.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    camel
}

fn word(value: &Value) -> Option<String> {
    super::read::text(value).map(Cow::into_owned)
}

fn field(value: &Value) -> Result<Field, Cow<'static, str>> {
    paths(value, |path| Template::path(path, Names::Exact))
}

fn paths<T>(value: &Value, compile: impl Fn(&str) -> Result<T, Cow<'static, str>>) -> Result<Vec<T>, Cow<'static, str>> {
    let wrong = || Cow::Owned(format!("must be a path or a list of 1 to {PATHS_MAX} paths"));
    let paths: Vec<&str> = match value {
        Value::String(path) => vec![path],
        Value::Array(paths) if (1..=PATHS_MAX).contains(&paths.len()) => {
            paths.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    paths.into_iter().map(|path| compile(path).map_err(|why| format!("{path:?} {why}").into())).collect()
}

fn severities(known: &mut Words<Severity>, value: &Value) -> Result<(), Cow<'static, str>> {
    let Some(map) = value.as_object().filter(|map| map.len() <= WORDS_MAX) else {
        return Err(format!("must be an object of at most {WORDS_MAX} words, each with a severity").into());
    };
    for (word, severity) in Map::iter(map) {
        let severity = severity.as_str().and_then(|word| Severity::parse(&word.trim().to_ascii_lowercase()));
        let severity = severity.ok_or(format!("{word:?} must be given critical, error, warning or info"))?;
        known.add(word.trim(), severity).map_err(|other| format!("{word:?} is given {} too", other.as_str()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(mapping: &Value) -> Vec<String> {
        let problems = compile(Plan::new("Webhook", &LABELS), mapping).err().unwrap_or_default();
        problems.into_iter().map(|problem| format!("{}: {}", problem.option, problem.problem)).collect()
    }

    #[test]
    fn every_option_in_both_spellings() {
        let camel = json!({
            "summaryField": "a", "severityField": ["$.b", "c"], "dedupKeyField": ["d", "e"], "sourceField": "f", "actionField": "g",
            "triggerValues": ["BAD", 1], "acknowledgeValues": "seen", "resolveValues": ["good", true],
            "severityMap": {"red": "critical", "1": "Warning"}, "itemsField": "$.items[*]", "timestampField": "t", "linkField": "l"
        });
        let plan = compile(Plan::new("Webhook", &LABELS), &camel).unwrap();
        let asks = |word: &str| plan.action.of(word);
        assert_eq!(camel.as_object().unwrap().len(), OPTIONS.len());
        assert_eq!((asks("bad"), asks("1")), (Some(Meaning::Act(Action::Trigger)), Some(Meaning::Act(Action::Trigger))));
        assert_eq!((asks("true"), asks("goo")), (Some(Meaning::Act(Action::Resolve)), None));
        assert_eq!((plan.severity.of("RED"), plan.severity.of("1")), (Some(Severity::Critical), Some(Severity::Warning)));
        assert_eq!(plan.key.len(), 2);
        let snake = json!({"summary_field": "a", "dedup_key_field": "b", "resolve_values": ["x"], "severity_map": {}, "link_field": null});
        assert_eq!(problems(&snake), Vec::<String>::new());
    }

    #[test]
    fn every_problem_at_once_by_name() {
        let mapping = json!({
            "sumaryField": "a", "dedup_key_feild": "b", "severityField": "$..a..b", "sourceField": 7, "linkField": [],
            "triggerValues": ["x"], "resolveValues": ["X"], "severityMap": {"red": "loud"}, "zzz": 1
        });
        assert_eq!(
            problems(&mapping),
            [
                "mapping.dedup_key_feild: unknown option; did you mean `dedupKeyField`?",
                "mapping.linkField: must be a path or a list of 1 to 8 paths",
                "mapping.severityField: \"$..a..b\" has more than one `..`",
                "mapping.severityMap: \"red\" must be given critical, error, warning or info",
                "mapping.sourceField: must be a path or a list of 1 to 8 paths",
                "mapping.sumaryField: unknown option; did you mean `summaryField`?",
                "mapping.triggerValues: \"x\" is among the words for resolve too",
                "mapping.zzz: unknown option",
            ]
        );
        assert_eq!(problems(&json!([])), ["mapping: must be an object"]);
    }
}
