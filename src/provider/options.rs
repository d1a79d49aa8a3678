//! An integration's options as its provider works with them, and what may be wrong with them.

use std::any::Any;
use std::sync::Arc;

use serde::Serialize;

/// An integration's options in the form its provider works with; cheap to clone.
#[derive(Clone)]
pub struct Compiled(Option<Arc<dyn Any + Send + Sync>>);

impl Compiled {
    /// No options.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Options of the provider's own type.
    pub fn new<T: Any + Send + Sync>(options: T) -> Self {
        Self(Some(Arc::new(options)))
    }

    /// The options, if they are of type `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

/// One thing wrong with an integration's options.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OptionProblem {
    /// The option, as a dotted path below `options`.
    pub option: String,
    /// What is wrong with it.
    pub problem: String,
}

impl OptionProblem {
    /// `option` has this `problem`.
    pub fn new(option: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { option: option.into(), problem: problem.into() }
    }

    /// `option` is not one of `known`; names the nearest when one is near.
    pub fn unknown(option: &str, known: &[&str]) -> Self {
        let near = known
            .iter()
            .map(|name| (strsim::jaro_winkler(option, name), name))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match near {
            Some((_, name)) => Self::new(option, format!("unknown option; did you mean `{name}`?")),
            None => Self::new(option, "unknown option"),
        }
    }
}
