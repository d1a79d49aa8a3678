//! Dedup keys: made of several values, and of none where a payload names none.

use super::read;
use crate::event::DedupKey;

/// `kind` and the `parts` of an identity, with `:` between them; those inside a part are escaped, so that two different lists never
/// make one key. A template variable that was not filled in identifies nothing.
pub fn of(kind: &str, parts: &[&str]) -> DedupKey {
    let mut text = kind.to_owned();
    for part in parts {
        text.push(':');
        let part = if read::unexpanded(part) { "" } else { part };
        for character in part.chars() {
            if matches!(character, ':' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
    }
    DedupKey::lenient(&text).unwrap_or_else(|| DedupKey::hashed("key:", text.as_bytes()))
}

/// `auto:` and a hash of the summary without its digits and of the source. Digits go because a repeated alert often carries its
/// newest measurement in its text; the source keeps them, because they tell hosts apart.
///
/// An event with such a key says [`crate::event::Event::key_guessed`].
pub fn guess(summary: &str, source: &str) -> DedupKey {
    let summary: String = summary.chars().filter(|c| !c.is_ascii_digit()).collect();
    guess_of(&summary, source)
}

/// As [`guess`], of a name, which keeps its digits: "disk 1" and "disk 2" are two.
pub fn guess_of(name: &str, source: &str) -> DedupKey {
    // 0xFF occurs in no UTF-8 text, so the two parts cannot run into each other.
    let material = [name.as_bytes(), &[0xff], source.as_bytes()].concat();
    DedupKey::hashed("auto:", &material)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_eq!(of("run", &["o/r", "main"]).as_str(), "run:o/r:main");
        assert_ne!(of("run", &["a:b", "c"]), of("run", &["a", "b:c"]));
        assert_ne!(of("run", &["a\\", "b"]), of("run", &["a", "\\b"]));
        assert_ne!(of("run", &["a", ""]), of("run", &["a"]));
    }

    #[test]
    fn measurements_do_not_count_and_hosts_do() {
        assert_eq!(guess("disk 91% full", "db1"), guess("disk 7% full", "db1"));
        assert_ne!(guess("disk 91% full", "db1"), guess("disk 91% full", "db2"));
        assert_ne!(guess("a", "bc"), guess("ab", "c"));
        assert!(guess("", "").as_str().starts_with("auto:"));
    }
}
