//! The title of a Datadog event: `[P2] [Triggered on {host:web1}] CPU is high`.

use std::borrow::Cow;

/// What stands in front of a title, and the rest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Title<'a> {
    /// `Triggered`, `Recovered`, `No Data`…, as written.
    pub transition: Option<&'a str>,
    /// What follows `on`, without braces: `host:web1`.
    pub scope: Option<&'a str>,
    /// `P1` to `P5`.
    pub priority: Option<&'a str>,
    /// Whether `[TEST]` stood in front.
    pub test: bool,
    /// The rest: the monitor's name.
    pub name: &'a str,
}

impl<'a> Title<'a> {
    /// Takes the groups in brackets off that Datadog puts in front; others belong to the name.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut title = Self { name: text.trim(), ..Self::default() };
        while let Some((group, rest)) = title.name.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            if !title.take(group.trim()) {
                break;
            }
            title.name = rest.trim_start_matches([' ', ':']);
        }
        title
    }

    fn take(&mut self, group: &'a str) -> bool {
        let on = group.to_ascii_lowercase().find(" on ");
        let (word, scope) = on.and_then(|at| group.split_at_checked(at)).map_or((group, None), |(word, on)| (word, on.get(4..)));
        if super::fields::transition(word).is_some() {
            self.transition = Some(word);
            self.scope = scope.map(|scope| scope.trim_matches(['{', '}', ' '])).filter(|scope| !scope.is_empty()).or(self.scope);
            return true;
        }
        if matches!(group, "P1" | "P2" | "P3" | "P4" | "P5") {
            self.priority = Some(group);
            return true;
        }
        let test = group.eq_ignore_ascii_case("test");
        self.test |= test;
        test
    }

    /// What to show: the name, with its mark when it is a test.
    pub(super) fn shown(&self) -> Cow<'a, str> {
        if self.test { Cow::Owned(format!("[TEST] {}", self.name)) } else { Cow::Borrowed(self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_off() {
        let title = Title::parse("[TEST] [P2] [Triggered on {host:web1}] [eu] CPU is high");
        assert_eq!(
            (title.transition, title.scope, title.priority, title.test),
            (Some("Triggered"), Some("host:web1"), Some("P2"), true)
        );
        assert_eq!(title.name, "[eu] CPU is high");
        assert_eq!(title.shown(), "[TEST] [eu] CPU is high");
        let title = Title::parse("[Re-No Data] x");
        assert_eq!((title.transition, title.scope, title.name), (Some("Re-No Data"), None, "x"));
        for odd in ["[", "[]", "[Recovered", "", "x [Recovered] y", "[Recovered-ish] y"] {
            assert_eq!(Title::parse(odd).transition, None, "{odd}");
        }
    }
}
