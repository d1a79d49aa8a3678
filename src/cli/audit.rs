//! `callbox audit`: who changed what.

use clap::Subcommand;
use serde_json::{Map, Value};

use super::Session;
use super::api::Query;
use super::args::Paging;
use super::output::Output;
use super::read::{first, items, plain, text, time};
use super::terminal;

/// Commands on the audit log.
#[derive(Subcommand)]
pub enum Command {
    /// List changes of configuration, the newest first
    #[command(after_help = "Examples:\n  callbox audit list\n  callbox audit list --all --output json")]
    List(Paging),
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let Self::List(paging) = self;
        let answer = session.api.list(&["audit"], &Query::new(), paging).await?;
        let out = &session.out;
        if out.is_json() {
            return out.json(&answer);
        }
        let rows: Vec<Vec<String>> = items(&answer).iter().map(|entry| row(entry, out)).collect();
        out.table(&["TIME", "WHO", "ACTION", "OBJECT", "DETAILS"], &rows, "nothing was changed yet")?;
        super::more(session, &answer)
    }
}

fn row(entry: &Value, out: &Output) -> Vec<String> {
    let name = first(entry, &["after.name", "before.name"]);
    vec![
        time(entry, "created_at", out),
        text(entry, "actor"),
        text(entry, "action"),
        if name.is_empty() { text(entry, "object_id") } else { terminal::clip(&terminal::line(&name), 40) },
        terminal::clip(&terminal::line(&changes(entry)), 80),
    ]
}

/// What differs between before and after: `enabled: yes -> no`. Of what was made or taken away there is nothing to compare.
fn changes(entry: &Value) -> String {
    let side = |name: &str| entry.get(name).and_then(Value::as_object);
    let empty = Map::new();
    let (before, after) = match (side("before"), side("after")) {
        (Some(before), Some(after)) => (before, after),
        // A rotation says what it did.
        (None, Some(after)) if after.contains_key("what") => (&empty, after),
        _ => return String::new(),
    };
    let told = |name: &str, value: &Value| match before.get(name) {
        Some(old) => name != "updated_at" && old != value,
        // Beside a rotation its name stands in a column of its own.
        None => name != "name" && value != &Value::Bool(false),
    };
    let differs = after.iter().filter(|(name, value)| told(name, value));
    let one = |(name, value): (&String, &Value)| match before.get(name) {
        Some(old) => format!("{name}: {} -> {}", shown(old), shown(value)),
        None => format!("{name}: {}", shown(value)),
    };
    differs.map(one).collect::<Vec<_>>().join(", ")
}

fn shown(value: &Value) -> String {
    let text = plain(value);
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_what_differs() {
        let updated = json!({
            "before": {"name": "prod", "enabled": true, "options": {}, "updated_at": "1"},
            "after": {"name": "prod", "enabled": false, "options": {"a": 1}, "updated_at": "2"},
        });
        assert_eq!(changes(&updated), "enabled: yes -> no, options: - -> {\"a\":1}");
        assert_eq!(changes(&json!({"before": null, "after": {"name": "prod"}})), "");
        assert_eq!(
            changes(&json!({"before": null, "after": {"name": "prod", "given": false, "what": "key", "overlap": "1h"}})),
            "overlap: 1h, what: key"
        );
    }
}
