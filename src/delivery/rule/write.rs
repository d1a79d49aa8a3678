//! Writing a rule as JSON: every field, with ids for names, so that reading it again makes the same rule.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Rule;
use crate::duration;

impl Rule {
    /// The rule as the management API shows it and the store keeps it.
    pub fn to_json(&self) -> Map<String, Value> {
        let steps = self.steps.iter().map(|step| json!({"after": wait(step.after), "destinations": step.destinations}));
        let value = json!({
            "name": self.name,
            "enabled": self.enabled,
            "events": self.events.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "condition": self.condition.as_ref().map(super::Condition::source),
            "severity_floor": self.severity_floor,
            "services": self.services,
            "integrations": self.integrations,
            "destinations": self.destinations,
            "steps": steps.collect::<Vec<_>>(),
            "fallback": self.fallback,
            "fallback_after": span(self.fallback_after),
            "always": self.always,
            "dedupe_window": self.dedupe_window.map(span),
            "rate_limit": self.rate_limit,
            "quiet_windows": self.quiet_windows.iter().map(super::Window::to_json).collect::<Vec<_>>(),
            "retry": {
                "first_delay": span(self.retry.first),
                "max_delay": span(self.retry.cap),
                "max_attempts": self.retry.attempts,
                "max_age": span(self.retry.age),
                "max_retry_after": wait(self.retry.patience),
            },
            "on_gone": if self.retry.gone_on_404 { "disable" } else { "dead" },
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// A length of time as it is written.
pub(super) fn span(duration: Duration) -> String {
    duration::print(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

/// The same, where none at all is at once and not "off".
fn wait(duration: Duration) -> String {
    if duration.is_zero() { "0s".to_owned() } else { span(duration) }
}
