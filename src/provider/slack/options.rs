//! What an integration of Slack may set.

use serde_json::Value;

use crate::event::Severity;
use crate::provider::{Compiled, OptionProblem};

const NAMES: [&str; 7] =
    ["channels", "bots", "resolveReactions", "acknowledgeReactions", "resolveWords", "acknowledgeWords", "severity"];
/// Names that one option may list.
const LISTED_MAX: usize = 100;

/// What an integration may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The ids of the channels whose messages count (`channels`); all, where none is listed.
    pub channels: Listed,
    /// The ids of the bots whose messages count (`bots`).
    pub bots: Listed,
    /// Reactions to a message that resolve its incident, by name and without colons.
    pub resolve_reactions: Listed,
    /// Reactions that acknowledge it.
    pub acknowledge_reactions: Listed,
    /// What, written in a thread and nothing else, resolves its incident.
    pub resolve_words: Listed,
    /// What acknowledges it.
    pub acknowledge_words: Listed,
    /// The severity of messages.
    pub severity: Option<Severity>,
}

/// Names in an option, compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed(Vec<String>);

impl Listed {
    /// Whether `name` is listed.
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().any(|listed| listed.eq_ignore_ascii_case(name))
    }

    /// Whether `name` is listed, or nothing is.
    pub fn allow(&self, name: &str) -> bool {
        self.0.is_empty() || self.names(name)
    }
}

impl Options {
    /// Reads an integration's options.
    ///
    /// # Errors
    /// Every problem found.
    pub(super) fn compile(options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        let members = match options {
            Value::Null => return Ok(Compiled::none()),
            Value::Object(members) => members,
            _ => return Err(vec![OptionProblem::new("options", "must be an object")]),
        };
        let mut compiled = Self::default();
        let mut problems = Vec::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let place = match name.as_str() {
                "channels" => &mut compiled.channels,
                "bots" => &mut compiled.bots,
                "resolveReactions" | "resolve_reactions" => &mut compiled.resolve_reactions,
                "acknowledgeReactions" | "acknowledge_reactions" => &mut compiled.acknowledge_reactions,
                "resolveWords" | "resolve_words" => &mut compiled.resolve_words,
                "acknowledgeWords" | "acknowledge_words" => &mut compiled.acknowledge_words,
                "severity" => {
                    compiled.severity = value.as_str().and_then(Severity::parse);
                    if compiled.severity.is_none() {
                        problems.push(OptionProblem::new(name, "must be `critical`, `error`, `warning` or `info`"));
                    }
                    continue;
                }
                _ => {
                    problems.push(OptionProblem::unknown(name, &NAMES));
                    continue;
                }
            };
            match listed(value) {
                Some(listed) => *place = listed,
                None => problems.push(OptionProblem::new(name, "must be a list of 1 to 100 names")),
            }
        }
        if problems.is_empty() { Ok(Compiled::new(compiled)) } else { Err(problems) }
    }
}

fn listed(value: &Value) -> Option<Listed> {
    let elements = value.as_array().filter(|elements| (1..=LISTED_MAX).contains(&elements.len()))?;
    let name = |element: &Value| {
        let name = element.as_str()?.trim().trim_matches(':');
        (!name.is_empty()).then(|| name.to_owned())
    };
    elements.iter().map(name).collect::<Option<_>>().map(Listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options() {
        let compiled =
            Options::compile(&json!({"channels": ["C1"], "resolveReactions": [":white_check_mark:"], "severity": "warning"}));
        let compiled = compiled.unwrap().get::<Options>().cloned().unwrap();
        assert!(compiled.channels.allow("c1") && !compiled.channels.allow("C2") && compiled.bots.allow("B1"));
        assert!(compiled.resolve_reactions.names("white_check_mark") && !compiled.bots.names("B1"));
        assert_eq!(compiled.severity, Some(Severity::Warning));
        let wrong = json!({"channels": [], "bots": "B1", "resolveWords": [""], "severity": "bad", "channel": ["C1"]});
        let problems = Options::compile(&wrong).err().unwrap();
        assert_eq!(problems.len(), 5, "{problems:?}");
    }
}
