//! What would go out, printed for people.

use serde_json::Value;

use super::delivery::exchange;
use super::output::Output;
use super::read::{array, text};

/// Prints what `explain` and the test of a rule say of deliveries.
///
/// # Errors
/// It cannot be printed.
pub fn print(out: &Output, answer: &Value) -> anyhow::Result<()> {
    for delivery in array(answer, "deliveries") {
        out.text(&format!("\n{}", headline(delivery, out)))?;
        for (name, title) in [("waits", "waits"), ("problem", "problem")] {
            match text(delivery, name) {
                said if said.is_empty() => {}
                said => out.text(&format!("{title}: {said}"))?,
            }
        }
        if delivery.get("request").is_some_and(Value::is_object) {
            exchange(delivery, out)?;
        }
    }
    let later: Vec<String> = array(answer, "later").iter().map(later).collect();
    if !later.is_empty() {
        out.text("")?;
    }
    later.iter().try_for_each(|line| out.text(line))?;
    let untold: Vec<String> = array(answer, "untold").iter().map(untold).collect();
    if !untold.is_empty() {
        out.text("")?;
    }
    untold.iter().try_for_each(|line| out.text(line))?;
    match text(answer, "deliveries_note") {
        note if note.is_empty() => Ok(()),
        note => out.text(&format!("\nnothing would go out: {note}")),
    }
}

/// `would tell incident.triggered to ops (slack), by the rule pages, at 09:00`.
fn headline(delivery: &Value, out: &Output) -> String {
    let rule = match text(delivery, "rule.name") {
        name if name.is_empty() => String::new(),
        name => format!(", by the rule {name}"),
    };
    let held = match text(delivery, "hold.until") {
        until if until.is_empty() => String::new(),
        until => format!(", not before {} ({})", out.time(&until), text(delivery, "hold.by")),
    };
    let after = match text(delivery, "after") {
        after if after.is_empty() => String::new(),
        after => format!(", after {after} {}", text(delivery, "why")),
    };
    let to = format!("{} ({})", text(delivery, "destination.name"), text(delivery, "destination.kind"));
    format!("would tell {} to {to}{rule}{held}{after}", text(delivery, "event"))
}

fn later(later: &Value) -> String {
    let (after, to) = (text(later, "after"), text(later, "destination.name"));
    format!("after {after}: {to}, {}", text(later, "why"))
}

fn untold(untold: &Value) -> String {
    let parts = [
        text(untold, "event"),
        text(untold, "dedup_key"),
        Some(text(untold, "rule.name")).filter(|name| !name.is_empty()).map_or_else(String::new, |name| format!("rule {name}")),
        Some(text(untold, "destination.name"))
            .filter(|name| !name.is_empty())
            .map_or_else(String::new, |name| format!("to {name}")),
    ];
    let about: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("not told: {}: {}", about.join(", "), text(untold, "why"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Format;

    #[test]
    fn who_is_told_when_and_who_is_not() {
        let out = Output::new(Format::Table, true);
        let ops = json!({"id": "dst_1", "name": "ops", "kind": "slack"});
        let rule = json!({"id": "rul_1", "name": "pages"});
        let told = json!({"destination": ops, "rule": rule, "event": "incident.triggered",
            "hold": {"by": "quiet", "until": "2026-03-02T07:00:00Z"}});
        let expected = "would tell incident.triggered to ops (slack), by the rule pages, not before 2026-03-02 07:00:00Z (quiet)";
        assert_eq!(headline(&told, &out), expected);
        let step = json!({"destination": ops, "rule": rule, "after": "10m", "why": "while nobody has acknowledged it"});
        assert_eq!(later(&step), "after 10m: ops, while nobody has acknowledged it");
        let left =
            json!({"event": "incident.resolved", "dedup_key": "disk", "rule": rule, "destination": null, "why": "so it is"});
        assert_eq!(untold(&left), "not told: incident.resolved, disk, rule pages: so it is");
    }
}
