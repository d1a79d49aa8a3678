//! What a replayed request was and is: one row an event, the old beside the new.

use serde_json::Value;

use crate::cli::read::{array, cell, text};
use crate::cli::terminal;

/// The columns of [`differences`].
pub(super) const DIFFERENCES: [&str; 5] = ["ACTION", "KEY", "SEVERITY", "OUTCOME", "EFFECT"];

/// One row an event, the old beside the new where they differ.
pub(super) fn differences(request: &Value) -> Vec<Vec<String>> {
    let skipped = text(request, "skipped");
    if !skipped.is_empty() {
        return vec![vec![String::new(), String::new(), String::new(), String::new(), format!("skipped: {skipped}")]];
    }
    let none = Value::Null;
    let new = array(request, "events").iter().map(|event| (event.get("was").unwrap_or(&none), event));
    let gone = array(request, "gone").iter().map(|was| (was, &none));
    let mut rows: Vec<Vec<String>> = new.chain(gone).map(|(was, event)| difference(was, event)).collect();
    let changes = request.get("changes").and_then(Value::as_u64).unwrap_or(0);
    if changes > 0 {
        rows.push(vec![format!("{changes} change events"), String::new(), String::new(), String::new(), String::new()]);
    }
    rows
}

fn difference(was: &Value, event: &Value) -> Vec<String> {
    let both = |name: &str| match (cell(was, name, 40), cell(event, name, 40)) {
        (old, new) if old == new || old.is_empty() => new,
        (old, new) if new.is_empty() => old,
        (old, new) => format!("{old} -> {new}"),
    };
    let effect = match event {
        Value::Null => "gone (not taken back)".to_owned(),
        event => text(event, "effect").replace('_', " "),
    };
    vec![both("action"), both("dedup_key"), both("severity"), both("outcome"), effect]
}

/// How a catch-all incident stands.
pub(super) fn closing(catch_all: &Value, dry_run: bool) -> String {
    let key = terminal::line(&text(catch_all, "dedup_key"));
    let left = text(catch_all, "left");
    match catch_all.get("resolved").and_then(Value::as_bool) {
        Some(true) if dry_run => format!("catch-all incident {key}: would be resolved, everything in it would be understood"),
        Some(true) => format!("catch-all incident {key}: resolved, everything in it is understood"),
        _ => format!("catch-all incident {key}: stays open, events in it that are not replayed yet: {left}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_old_stands_beside_the_new() {
        let request = json!({
            "events": [{
                "action": "trigger", "dedup_key": "disk-1", "severity": "critical", "outcome": "opened", "effect": "would_apply",
                "was": {"action": "trigger", "dedup_key": "unmapped:0f", "severity": "error", "outcome": "unmapped"},
            }],
            "gone": [{"action": "trigger", "dedup_key": "k", "severity": "info", "outcome": "updated"}],
            "changes": 0,
        });
        let expected = [
            ["trigger", "unmapped:0f -> disk-1", "error -> critical", "unmapped -> opened", "would apply"],
            ["trigger", "k", "info", "updated", "gone (not taken back)"],
        ];
        assert_eq!(differences(&request), expected);
        assert_eq!(differences(&json!({"skipped": "why", "events": []}))[0][4], "skipped: why");
    }
}
