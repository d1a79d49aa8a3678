//! What is wrong with a rule.

/// One thing wrong with a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The field, as a dotted path: `steps.1.after`.
    pub field: String,
    /// What is wrong with it, and what it must be.
    pub message: String,
}

impl Problem {
    /// `field` has this problem.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
