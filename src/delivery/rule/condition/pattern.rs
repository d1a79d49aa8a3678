//! The patterns of `matches`, compiled when a condition is saved.
//!
//! The crate `regex` needs at most (size of the pattern) × (length of the text), but the first factor can be large: `[ab]{900}` is one of
//! 900 states, each of which may have to be followed at each byte. So they are counted.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

/// Characters of a pattern, states that it may have, and bytes of what it is compiled to.
const LENGTH_MAX: usize = 200;
const STATES_MAX: u64 = 1_000;
const SIZE_MAX: usize = 256 << 10;

/// A pattern, ready for use.
#[derive(Debug)]
pub(super) struct Pattern {
    pub regex: Regex,
    /// In how many places of the pattern a text can be at once, at most.
    pub states: u64,
}

impl Pattern {
    /// Of its text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let broken = || format!("the pattern {pattern:?} is not a regular expression");
        let large = || format!("the pattern {pattern:?} is too large; repeat less");
        if pattern.chars().count() > LENGTH_MAX {
            return Err(format!("a pattern must have at most {LENGTH_MAX} characters"));
        }
        let parsed = regex_syntax::ParserBuilder::new().nest_limit(20).build().parse(pattern).map_err(|_| broken())?;
        let states = states(&parsed);
        if states > STATES_MAX {
            return Err(large());
        }
        match RegexBuilder::new(pattern).size_limit(SIZE_MAX).nest_limit(20).build() {
            Ok(regex) => Ok(Self { regex, states }),
            Err(regex::Error::CompiledTooBig(_)) => Err(large()),
            Err(_) => Err(broken()),
        }
    }
}

/// The places of a pattern: each byte of a literal, up to four for a class (as many bytes has a character), all of it again for each
/// time that a part is repeated.
fn states(pattern: &Hir) -> u64 {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(class) => class.maximum_len().unwrap_or(4) as u64,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or_else(|| repetition.min.saturating_add(1)).max(1);
            states(&repetition.sub).saturating_mul(u64::from(times))
        }
        HirKind::Capture(capture) => states(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(states).fold(0, u64::saturating_add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_counted() {
        let states = |pattern: &str| Pattern::new(pattern).map(|pattern| pattern.states);
        assert_eq!(states("db[0-9]+"), Ok(4));
        assert_eq!(states("^(full|failed)$"), Ok(12));
        assert_eq!(states("[ab]*a[ab]{60}c"), Ok(63));
        assert_eq!(states("a{0}"), Ok(1));
        assert!(states("(?i)\\bdisk\\b.*\\w+-\\d+").is_ok());
        assert!(states("[ab]{999}").is_ok());
        for large in ["[ab]{1001}", "((a{10}){10}){11}", "(((a{999}){999}){999}){999}", "\\w{300}"] {
            assert!(states(large).unwrap_err().contains("too large"), "{large}");
        }
        for broken in ["(", "a{2,1}", "(?<n", "\\1", "(?=x)"] {
            assert!(states(broken).unwrap_err().contains("not a regular expression"), "{broken}");
        }
        assert!(states(&"x".repeat(201)).unwrap_err().contains("200 characters"));
        assert!(states(&"(".repeat(190)).is_err());
    }
}
