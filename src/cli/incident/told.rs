//! What was told of an incident, printed for people.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::lookup::{self, Named};
use crate::cli::output::Output;
use crate::cli::read::{array, cell, text, time};
use std::collections::HashMap;

/// Prints the deliveries of an incident, and where it is on hold.
///
/// # Errors
/// It cannot be printed.
pub async fn print(session: &Session, incident: &Value) -> anyhow::Result<()> {
    let (deliveries, holds) = (array(incident, "deliveries"), array(incident, "holds"));
    let out = &session.out;
    if deliveries.is_empty() && holds.is_empty() {
        return match incident.get("unrouted").and_then(Value::as_bool) {
            Some(true) => {
                out.text("\nnobody was told: no rule tells of it; `callbox rule test NAME --dry-run --incident ID` says why")
            }
            _ => Ok(()),
        };
    }
    let names = lookup::names(&session.api, Named::Destination).await.unwrap_or_default();
    out.text("\ndeliveries:")?;
    let rows: Vec<Vec<String>> = deliveries.iter().map(|delivery| row(delivery, &names, out)).collect();
    out.table(&["MADE", "EVENT", "STATUS", "ATTEMPTS", "NEXT", "DESTINATION", "REASON"], &rows, "none yet")?;
    holds.iter().try_for_each(|hold| out.text(&held(hold, &names, out)))
}

fn row(delivery: &Value, names: &HashMap<String, String>, out: &Output) -> Vec<String> {
    vec![
        time(delivery, "created_at", out),
        text(delivery, "event"),
        text(delivery, "status"),
        text(delivery, "attempt_count"),
        time(delivery, "next_attempt_at", out),
        name(delivery, names),
        cell(delivery, "reason", 60),
    ]
}

fn held(hold: &Value, names: &HashMap<String, String>, out: &Output) -> String {
    format!("on hold for {} until {} ({})", name(hold, names), time(hold, "until", out), text(hold, "by"))
}

/// The destination's name, where the token may see it.
fn name(of: &Value, names: &HashMap<String, String>) -> String {
    let id = text(of, "destination_id");
    names.get(&id).cloned().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Format;

    #[test]
    fn a_delivery_and_a_hold() {
        let out = Output::new(Format::Table, true);
        let names = HashMap::from([("dst_1".to_owned(), "ops".to_owned())]);
        let delivery = json!({"destination_id": "dst_1", "event": "incident.triggered", "status": "retrying", "attempt_count": 2,
            "created_at": "2026-03-01T00:00:00Z", "next_attempt_at": "2026-03-01T00:00:04Z", "reason": "it answered 503"});
        let expected =
            ["2026-03-01 00:00:00Z", "incident.triggered", "retrying", "2", "2026-03-01 00:00:04Z", "ops", "it answered 503"];
        assert_eq!(row(&delivery, &names, &out), expected);
        let hold = json!({"destination_id": "dst_2", "by": "quiet", "until": "2026-03-01T07:00:00Z"});
        assert_eq!(held(&hold, &names, &out), "on hold for dst_2 until 2026-03-01 07:00:00Z (quiet)");
    }
}
