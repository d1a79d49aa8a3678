//! What must hold besides: an expression in CEL over the event.

/// Characters that a condition may have.
pub(super) const LENGTH_MAX: usize = 2_000;

/// A condition, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Condition {
    source: String,
}

impl Condition {
    /// Of its text.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn new(source: &str) -> Result<Self, String> {
        if source.chars().count() > LENGTH_MAX {
            return Err(format!("must have at most {LENGTH_MAX} characters"));
        }
        Ok(Self { source: source.to_owned() })
    }

    /// One that is not understood, and why: it holds, and says so.
    pub fn broken(source: &str, _why: String) -> Self {
        Self { source: source.to_owned() }
    }

    /// Its text.
    pub fn source(&self) -> &str {
        &self.source
    }
}
