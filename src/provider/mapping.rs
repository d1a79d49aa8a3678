//! A user's mapping: which paths of a body hold which fields of an event, and what its words mean.
//!
//! Owns the options and their problems. What a mapped value becomes, and what happens where a path finds nothing, is decided in
//! [`super::webhook`].

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::OptionProblem;
use super::path::Path;
use crate::event::{Action, Severity};

/// Paths that one field may list.
const PATHS_MAX: usize = 8;
/// Words that one list may hold.
const WORDS_MAX: usize = 64;

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

/// Paths in the order in which they are tried: the first that selects something counts.
pub type Field = Vec<Path>;

/// A compiled mapping. An empty [`Field`] is one that the user did not map.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// `summaryField`.
    pub summary: Field,
    /// `severityField`.
    pub severity: Field,
    /// `dedupKeyField`.
    pub dedup_key: Field,
    /// `sourceField`.
    pub source: Field,
    /// `actionField`.
    pub action: Field,
    /// `itemsField`: the list whose elements are the alerts.
    pub items: Field,
    /// `timestampField`.
    pub timestamp: Field,
    /// `linkField`.
    pub link: Field,
    /// `triggerValues`, `acknowledgeValues`, `resolveValues`: words and what they ask for.
    actions: Vec<(String, Action)>,
    /// `severityMap`.
    severities: Vec<(String, Severity)>,
}

impl Mapping {
    /// Compiles the value of the option `mapping`.
    ///
    /// # Errors
    /// Every problem, named below `mapping`.
    pub fn compile(value: &Value) -> Result<Self, Vec<OptionProblem>> {
        let Value::Object(options) = value else {
            return Err(vec![OptionProblem::new("mapping", "must be an object")]);
        };
        let mut mapping = Self::default();
        let mut problems = Vec::new();
        for (name, value) in options.iter().filter(|(_, value)| !value.is_null()) {
            if let Err(problem) = mapping.set(name, value) {
                let option = format!("mapping.{name}");
                problems.push(match problem {
                    Some(problem) => OptionProblem::new(option, problem),
                    None => OptionProblem { option, ..OptionProblem::unknown(&camel(name), OPTIONS) },
                });
            }
        }
        if problems.is_empty() { Ok(mapping) } else { Err(problems) }
    }

    /// The action that the user's lists give to `word`, ASCII case aside.
    pub fn action_of(&self, word: &str) -> Option<Action> {
        self.actions.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, action)| *action)
    }

    /// The severity that the user's map gives to `word`, ASCII case aside.
    pub fn severity_of(&self, word: &str) -> Option<Severity> {
        self.severities.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, severity)| *severity)
    }

    /// Sets one option; the error is the problem, or `None` for a name that is no option.
    fn set(&mut self, name: &str, value: &Value) -> Result<(), Option<Cow<'static, str>>> {
        match camel(name).as_str() {
            "summaryField" => self.summary = field(value)?,
            "severityField" => self.severity = field(value)?,
            "dedupKeyField" => self.dedup_key = field(value)?,
            "sourceField" => self.source = field(value)?,
            "actionField" => self.action = field(value)?,
            "itemsField" => self.items = field(value)?,
            "timestampField" => self.timestamp = field(value)?,
            "linkField" => self.link = field(value)?,
            "triggerValues" => self.words(value, Action::Trigger)?,
            "acknowledgeValues" => self.words(value, Action::Acknowledge)?,
            "resolveValues" => self.words(value, Action::Resolve)?,
            "severityMap" => self.severities = severities(value)?,
            _ => return Err(None),
        }
        Ok(())
    }

    fn words(&mut self, value: &Value, action: Action) -> Result<(), Cow<'static, str>> {
        let words: Option<Vec<String>> = match value {
            Value::Array(list) if list.len() <= WORDS_MAX => list.iter().map(word).collect(),
            one => word(one).map(|word| vec![word]),
        };
        for word in words.ok_or(format!("must be a word or a list of at most {WORDS_MAX} words"))? {
            match self.action_of(&word) {
                Some(other) if other != action => {
                    return Err(format!("{word:?} is among the words for {} too", other.as_str()).into());
                }
                _ => self.actions.push((word, action)),
            }
        }
        Ok(())
    }
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
    let wrong = || Cow::Owned(format!("must be a path or a list of 1 to {PATHS_MAX} paths"));
    let paths: Vec<&str> = match value {
        Value::String(path) => vec![path],
        Value::Array(paths) if (1..=PATHS_MAX).contains(&paths.len()) => {
            paths.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    paths.into_iter().map(|path| Path::compile(path).map_err(|why| format!("{path:?} {why}").into())).collect()
}

fn severities(value: &Value) -> Result<Vec<(String, Severity)>, Cow<'static, str>> {
    let one = |(word, severity): (&String, &Value)| {
        let severity = severity.as_str().and_then(|word| Severity::parse(&word.trim().to_ascii_lowercase()));
        let severity = severity.ok_or(format!("{word:?} must be given critical, error, warning or info"))?;
        Ok((word.trim().to_owned(), severity))
    };
    match value {
        Value::Object(map) if map.len() <= WORDS_MAX => Map::iter(map).map(one).collect(),
        _ => Err(format!("must be an object of at most {WORDS_MAX} words, each with a severity").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(mapping: &Value) -> Vec<String> {
        let problems = Mapping::compile(mapping).err().unwrap_or_default();
        problems.into_iter().map(|problem| format!("{}: {}", problem.option, problem.problem)).collect()
    }

    #[test]
    fn every_option_in_both_spellings() {
        let camel = json!({
            "summaryField": "a", "severityField": ["$.b", "c"], "dedupKeyField": ["d", "e"], "sourceField": "f", "actionField": "g",
            "triggerValues": ["BAD", 1], "acknowledgeValues": "seen", "resolveValues": ["good", true],
            "severityMap": {"red": "critical", "1": "Warning"}, "itemsField": "$.items[*]", "timestampField": "t", "linkField": "l"
        });
        let mapping = Mapping::compile(&camel).unwrap();
        assert_eq!(camel.as_object().unwrap().len(), OPTIONS.len());
        assert_eq!((mapping.action_of("bad"), mapping.action_of("1")), (Some(Action::Trigger), Some(Action::Trigger)));
        assert_eq!((mapping.action_of("true"), mapping.action_of("goo")), (Some(Action::Resolve), None));
        assert_eq!((mapping.severity_of("RED"), mapping.severity_of("1")), (Some(Severity::Critical), Some(Severity::Warning)));
        assert_eq!(mapping.dedup_key.len(), 2);
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
