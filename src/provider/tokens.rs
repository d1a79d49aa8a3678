//! The words that tools use for states and severities, compared as wholes: a word that merely contains another means nothing.
//!
//! Owns the two tables that several tools share. A tool with a vocabulary of its own keeps it in its own file.

use crate::event::{Action, Severity};

/// What a state word asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// An event.
    Act(Action),
    /// Nothing: a state on the way, a notice, a ping. Nothing but a real acknowledgement acknowledges.
    Nothing,
}

const SEVERITIES: &[(Severity, &[&str])] = &[
    (
        Severity::Critical,
        &[
            "critical",
            "crit",
            "fatal",
            "page",
            "emergency",
            "emerg",
            "disaster",
            "p0",
            "p1",
            "sev0",
            "sev-0",
            "blocker",
            "urgent",
        ],
    ),
    (Severity::Error, &["error", "err", "high", "major", "p2", "sev1", "sev-1"]),
    (Severity::Warning, &["warning", "warn", "minor", "moderate", "medium", "average", "p3", "sev2", "sev-2"]),
    (
        Severity::Info,
        &[
            "info",
            "informational",
            "information",
            "low",
            "notice",
            "debug",
            "none",
            "ok",
            "p4",
            "p5",
            "sev3",
            "sev4",
            "sev-3",
            "sev-4",
        ],
    ),
];

const TRIGGER: &[&str] = &[
    "trigger",
    "triggered",
    "re-triggered",
    "retriggered",
    "fire",
    "fired",
    "firing",
    "open",
    "opened",
    "reopen",
    "reopened",
    "new",
    "create",
    "created",
    "alert",
    "alerting",
    "alarm",
    "critical",
    "crit",
    "error",
    "warning",
    "warn",
    "down",
    "problem",
    "fail",
    "failed",
    "failing",
    "failure",
    "active",
    "activated",
    "unhealthy",
    "raise",
    "raised",
    "start",
    "started",
    "occurred",
    "degraded",
    "offline",
    "missed",
    "missing",
    "unresolved",
    "unavailable",
    "unreachable",
    "not responding",
    "ok_to_firing",
    "1",
];

const ACKNOWLEDGE: &[&str] = &["ack", "acked", "acknowledge", "acknowledged", "acknowledgement", "acknowledgment"];

const RESOLVE: &[&str] = &[
    "resolve",
    "resolved",
    "ok",
    "okay",
    "close",
    "closed",
    "up",
    "recover",
    "recovered",
    "recovery",
    "clear",
    "cleared",
    "normal",
    "success",
    "succeeded",
    "healthy",
    "restored",
    "online",
    "available",
    "successful",
    "passed",
    "passing",
    "fixed",
    "end",
    "ended",
    "canceled",
    "cancelled",
    "firing_to_ok",
    "0",
];

const NOTHING: &[&str] = &[
    "pending",
    "queued",
    "scheduled",
    "waiting",
    "running",
    "in_progress",
    "in-progress",
    "in progress",
    "paused",
    "muted",
    "silenced",
    "suppressed",
    "snoozed",
    "skipped",
    "maintenance",
    "downtime",
    "flapping",
    "unchanged",
    "ping",
    "heartbeat",
];

/// The severity that `word` names, whatever its case: PagerDuty's four words, syslog's, `P1` to `P5`, `Sev0` to `Sev4`. Not syslog's
/// `alert`: with most tools that is any state that is not well.
pub fn severity(word: &str) -> Option<Severity> {
    let word = word.trim();
    SEVERITIES.iter().find(|(_, words)| is_one_of(word, words)).map(|(severity, _)| *severity)
}

/// What `word` asks for in a body of no known shape, whatever its case; `None` for a word in no table.
pub fn meaning(word: &str) -> Option<Meaning> {
    let word = word.trim();
    let tables = [
        (TRIGGER, Meaning::Act(Action::Trigger)),
        (RESOLVE, Meaning::Act(Action::Resolve)),
        (ACKNOWLEDGE, Meaning::Act(Action::Acknowledge)),
        (NOTHING, Meaning::Nothing),
    ];
    tables.iter().find(|(words, _)| is_one_of(word, words)).map(|(_, meaning)| *meaning)
}

/// Whether `word` is one of `words`, ASCII case aside.
pub fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_whole() {
        for word in ["broken", "not ok", "abnormal", "unrecovered", "okta", "acknowledge me", "closedown", "", "reopened?"] {
            assert_eq!(meaning(word), None, "{word}");
        }
        for word in ["RESOLVED", " ok ", "Closed", "0", "Recovered"] {
            assert_eq!(meaning(word), Some(Meaning::Act(Action::Resolve)), "{word}");
        }
        assert_eq!(meaning("Firing"), Some(Meaning::Act(Action::Trigger)));
        assert_eq!(meaning("acked"), Some(Meaning::Act(Action::Acknowledge)));
    }

    #[test]
    fn nothing_on_the_way_acknowledges() {
        for word in ["pending", "queued", "downtime", "flapping", "in_progress", "ping"] {
            assert_eq!(meaning(word), Some(Meaning::Nothing), "{word}");
        }
    }

    #[test]
    fn no_word_is_in_two_tables() {
        let tables = [TRIGGER, ACKNOWLEDGE, RESOLVE, NOTHING];
        let mut all: Vec<&str> = tables.concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        let mut severities: Vec<&str> = SEVERITIES.iter().flat_map(|(_, words)| words.iter().copied()).collect();
        let count = severities.len();
        severities.sort_unstable();
        severities.dedup();
        assert_eq!(severities.len(), count);
    }

    #[test]
    fn severities_in_any_case() {
        assert_eq!(severity("PAGE"), Some(Severity::Critical));
        assert_eq!(severity("p2"), Some(Severity::Error));
        assert_eq!(severity("Sev2"), Some(Severity::Warning));
        assert_eq!(severity("ok"), Some(Severity::Info));
        assert_eq!(severity("not critical"), None);
        for word in Severity::ALL {
            assert_eq!(severity(word.as_str()), Some(word));
        }
    }
}
