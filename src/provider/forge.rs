//! What code forges share: words for the end of a run, and the option that says which branches count.

use serde_json::Value;

use super::{Compiled, OptionProblem, tokens};
use crate::event::Action;

/// What stands for the repository's default branch in the option.
const DEFAULT_BRANCH: &str = "$default-branch";
/// Branches that an integration may list.
const BRANCHES_MAX: usize = 100;

/// Why a run of a branch that is not listed does nothing.
pub(super) const NOT_LISTED: &str = "the branch is not among this integration's `branches`";

/// What an integration may set: the branches whose runs count (`branches`); without it, all do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    branches: Option<Vec<String>>,
}

impl Options {
    /// Reads `{"branches": ["main", "release/*", "$default-branch"]}`.
    ///
    /// # Errors
    /// Every problem found.
    pub fn compile(options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        let members = match options {
            Value::Null => return Ok(Compiled::none()),
            Value::Object(members) => members,
            _ => return Err(vec![OptionProblem::new("options", "must be an object")]),
        };
        let mut compiled = Self::default();
        let mut problems = Vec::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            match name.as_str() {
                "branches" => match branches(value) {
                    Ok(branches) => compiled.branches = Some(branches),
                    Err(why) => problems.push(OptionProblem::new(name, why)),
                },
                _ => problems.push(OptionProblem::unknown(name, &["branches"])),
            }
        }
        if problems.is_empty() { Ok(Compiled::new(compiled)) } else { Err(problems) }
    }

    /// Whether runs of `branch` count, in a repository whose default branch is `default`.
    pub fn allow(&self, branch: &str, default: Option<&str>) -> bool {
        let Some(branches) = &self.branches else { return true };
        branches.iter().any(|listed| match listed.strip_suffix('*') {
            _ if listed == DEFAULT_BRANCH => default == Some(branch),
            Some(start) => branch.starts_with(start),
            None => listed == branch,
        })
    }
}

fn branches(value: &Value) -> Result<Vec<String>, &'static str> {
    const WHY: &str = "must be a list of 1 to 100 branches, such as [\"main\", \"release/*\", \"$default-branch\"]";
    let listed = value.as_array().filter(|listed| (1..=BRANCHES_MAX).contains(&listed.len())).ok_or(WHY)?;
    let name = |name: &Value| name.as_str().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    listed.iter().map(name).collect::<Option<_>>().ok_or(WHY)
}

/// The words in which a forge tells of a run.
pub(super) struct Words {
    /// It failed.
    pub failed: &'static [&'static str],
    /// It went through.
    pub passed: &'static [&'static str],
    /// It is not over, or ended without a result.
    pub nothing: &'static [&'static str],
}

impl Words {
    /// What `word` asks for; a word that nobody knows pages.
    ///
    /// # Errors
    /// Why it asks for nothing.
    pub(super) fn action(&self, word: &str) -> Result<Action, &'static str> {
        if tokens::is_one_of(word, self.passed) {
            Ok(Action::Resolve)
        } else if tokens::is_one_of(word, self.nothing) && !tokens::is_one_of(word, self.failed) {
            Err("its state is neither a failure nor a success")
        } else {
            Ok(Action::Trigger)
        }
    }
}

/// The first line of a text: of a commit's message, its subject.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn options(value: &Value) -> Options {
        Options::compile(value).unwrap().get::<Options>().cloned().unwrap_or_default()
    }

    #[test]
    fn branches_are_names_beginnings_or_the_default() {
        let listed = options(&json!({"branches": ["main", "release/*", "$default-branch"]}));
        for yes in ["main", "release/1", "release/", "trunk"] {
            assert!(listed.allow(yes, Some("trunk")), "{yes}");
        }
        for no in ["maintenance", "release", "Main", "someone:main", ""] {
            assert!(!listed.allow(no, Some("trunk")), "{no}");
        }
        assert!(options(&Value::Null).allow("anything", None) && options(&json!({})).allow("", None));
        assert!(!options(&json!({"branches": ["$default-branch"]})).allow("$default-branch", None));
    }

    #[test]
    fn what_is_wrong_with_options_is_said() {
        for wrong in [json!([]), json!(["a", 1]), json!([" "]), json!("main"), json!({})] {
            let problems = Options::compile(&json!({"branches": wrong})).err().unwrap();
            assert!(problems[0].problem.starts_with("must be a list"), "{wrong}");
        }
        let problems = Options::compile(&json!({"branch": ["main"]})).err().unwrap();
        assert_eq!(problems[0].problem, "unknown option; did you mean `branches`?");
    }
}
