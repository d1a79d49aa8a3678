//! States that stand in a title, in front of it or behind it.

use crate::event::Action;
use crate::provider::tokens::{self, Meaning};

/// The state in front of a title or behind it, and the rest: `[RESOLVED] disk full`, `[FIRING:2] disk full`, `Recovered: disk full`,
/// `:fire: *FIRING*: disk full`, `Resolved in 5m 3s: disk full`, `shop is down`.
pub(super) fn state(title: &str) -> Option<(Action, &str)> {
    let title = bare(title);
    let (word, rest) = match title.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => match title.split_once(": ") {
            Some(parts) => parts,
            None => return suffixed(title),
        },
    };
    // How long it took: a place (`Problem in eu-west: …`) would be a part of the alert's name.
    let lasted = |after: &str| after.starts_with(|c: char| c.is_ascii_digit());
    let word = word.split_once(" in ").filter(|(_, after)| lasted(after)).map_or(word, |(word, _)| word);
    let word = word.split_once(':').map_or(word, |(word, _)| word).trim_matches([' ', '*', '_']);
    let is_word = word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    match tokens::meaning(word).filter(|_| is_word) {
        Some(Meaning::Act(action)) => Some((action, rest.trim())),
        Some(Meaning::Nothing) => None,
        None => suffixed(title),
    }
}

fn suffixed(title: &str) -> Option<(Action, &str)> {
    let (rest, word) = title.trim_end().rsplit_once(" is ")?;
    match tokens::meaning(word).filter(|_| tokens::is_one_of(word, &["down", "up"]))? {
        Meaning::Act(action) => Some((action, rest)),
        Meaning::Nothing => None,
    }
}

/// A title without the signs in front of it: emoji, by name or by character, and marks of emphasis.
fn bare(title: &str) -> &str {
    let mut title = title.trim_start();
    loop {
        let named =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let rest =
            title.strip_prefix(':').and_then(|rest| rest.split_once(':')).filter(|(name, _)| named(name)).map(|(_, rest)| rest);
        let rest = rest.unwrap_or_else(|| {
            title.trim_start_matches(|c: char| matches!(c, '*' | '_') || !(c.is_ascii() || c.is_alphanumeric()))
        });
        let rest = rest.trim_start();
        if rest.len() == title.len() {
            return title;
        }
        title = rest;
    }
}
