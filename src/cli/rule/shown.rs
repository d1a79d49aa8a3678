//! How rules are printed for people.

use std::collections::HashMap;

use serde_json::Value;

use crate::cli::Session;
use crate::cli::lookup::{self, Named};
use crate::cli::read::{array, cell, items, plain, text, time};
use crate::cli::told;

/// Names by id, where the token may see them.
struct Names(HashMap<String, String>);

impl Names {
    async fn of(session: &Session, kinds: &[Named]) -> Self {
        let mut names = HashMap::new();
        for kind in kinds {
            names.extend(lookup::names(&session.api, *kind).await.unwrap_or_default());
        }
        Self(names)
    }

    /// A list of ids as names; an id whose name is not known stays.
    fn list(&self, ids: &[Value]) -> String {
        let name = |id: &Value| self.0.get(&plain(id)).cloned().unwrap_or_else(|| plain(id));
        ids.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

/// The table of a list.
pub async fn list(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    let names = Names::of(session, &[Named::Destination]).await;
    let rows: Vec<Vec<String>> = items(answer).iter().map(|rule| row(rule, &names)).collect();
    out.table(&["NAME", "STATE", "TELLS", "FLOOR", "WARNINGS", "ID"], &rows, "no rules; `callbox rule create` makes one")?;
    super::super::more(session, answer)
}

fn row(rule: &Value, names: &Names) -> Vec<String> {
    let warnings = array(rule, "warnings").len();
    vec![
        cell(rule, "name", 40),
        state(rule).to_owned(),
        tells(rule, names),
        text(rule, "severity_floor"),
        if warnings == 0 { "-".to_owned() } else { warnings.to_string() },
        text(rule, "id"),
    ]
}

fn state(rule: &Value) -> &'static str {
    if rule.get("enabled").and_then(Value::as_bool) == Some(false) { "disabled" } else { "enabled" }
}

/// Everybody whom it tells at once, and how many later.
fn tells(rule: &Value, names: &Names) -> String {
    let first = array(rule, "fallback").first().and_then(Value::as_array).cloned().unwrap_or_default();
    let at_once: Vec<Value> = [array(rule, "destinations"), array(rule, "always"), &first].concat();
    let later = array(rule, "steps").len() + array(rule, "fallback").len().saturating_sub(1);
    match (names.list(&at_once), later) {
        (at_once, 0) => at_once,
        (at_once, later) => format!("{at_once} + {later} later"),
    }
}

/// All of one rule.
pub async fn whole(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    let names = Names::of(session, &[Named::Destination, Named::Service, Named::Integration]).await;
    let field = |name: &str| text(answer, name);
    let list = |name: &str| names.list(array(answer, name));
    out.fields(&[
        ("name", field("name")),
        ("id", field("id")),
        ("state", state(answer).to_owned()),
        ("events", field("events")),
        ("condition", field("condition")),
        ("severity floor", field("severity_floor")),
        ("services", list("services")),
        ("integrations", list("integrations")),
        ("tells", list("destinations")),
        ("steps", steps(answer, &names)),
        ("fallback", fallback(answer, &names)),
        ("always", list("always")),
        ("dedupe window", field("dedupe_window")),
        ("rate limit", rate_limit(answer)),
        ("quiet windows", array(answer, "quiet_windows").iter().map(window).collect::<Vec<_>>().join("; ")),
        ("retry", field("retry")),
        ("on 404", field("on_gone")),
        ("created", time(answer, "created_at", out)),
        ("created by", field("created_by")),
        ("updated", time(answer, "updated_at", out)),
    ])?;
    array(answer, "warnings").iter().try_for_each(|warning| out.text(&format!("warning: {}", plain(warning))))
}

/// What the test of a rule answers.
pub fn tried(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    let matches = answer.get("matches").and_then(Value::as_bool).unwrap_or(false);
    let holds = array(answer, "holds").iter().map(|hold| format!("{} until {}", text(hold, "by"), time(hold, "until", out)));
    out.fields(&[
        ("rule", text(answer, "rule.name")),
        ("event", text(answer, "event")),
        ("matches", if matches { "yes".to_owned() } else { format!("no: {}", text(answer, "why")) }),
        ("condition", condition(answer)),
        ("waits for", holds.collect::<Vec<_>>().join("; ")),
        ("note", text(answer, "note")),
    ])?;
    told::print(out, answer)
}

/// The condition, and its value or why it has none.
fn condition(answer: &Value) -> String {
    let Some(condition) = answer.get("condition").filter(|condition| condition.is_object()) else { return String::new() };
    let value = match condition.get("holds").and_then(Value::as_bool) {
        Some(true) => "holds".to_owned(),
        Some(false) => "does not hold".to_owned(),
        None => format!("cannot be evaluated, so it delivers: {}", text(condition, "error")),
    };
    format!("{} ({value})", text(condition, "condition"))
}

fn steps(rule: &Value, names: &Names) -> String {
    let one = |step: &Value| format!("after {}: {}", text(step, "after"), names.list(array(step, "destinations")));
    array(rule, "steps").iter().map(one).collect::<Vec<_>>().join("; ")
}

fn fallback(rule: &Value, names: &Names) -> String {
    let place = |place: &Value| names.list(place.as_array().map_or(&[], Vec::as_slice));
    let places: Vec<String> = array(rule, "fallback").iter().map(place).collect();
    match places.as_slice() {
        [] => String::new(),
        places => format!("{} (each has {})", places.join("; then "), text(rule, "fallback_after")),
    }
}

fn rate_limit(rule: &Value) -> String {
    match text(rule, "rate_limit") {
        limit if limit.is_empty() => limit,
        limit => format!("{limit} a minute"),
    }
}

fn window(window: &Value) -> String {
    let hours = format!("{}-{} {}", text(window, "from"), text(window, "until"), text(window, "zone"));
    format!("{} {hours}", text(window, "days")).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_in_words() {
        let names = Names([("dst_1", "ops"), ("dst_2", "chat")].map(|(id, name)| (id.to_owned(), name.to_owned())).into());
        let rule = json!({
            "id": "rul_1", "name": "nights", "enabled": true, "severity_floor": "error", "warnings": ["w"],
            "destinations": ["dst_1"], "always": ["dst_3"], "steps": [{"after": "10m", "destinations": ["dst_2"]}],
            "fallback": [["dst_2"], ["dst_1", "dst_3"]], "fallback_after": "1m", "rate_limit": 30,
            "quiet_windows": [{"days": ["mon"], "from": "22:00", "until": "07:00", "zone": "UTC"}],
        });
        assert_eq!(row(&rule, &names), ["nights", "enabled", "ops, dst_3, chat + 2 later", "error", "1", "rul_1"]);
        assert_eq!(steps(&rule, &names), "after 10m: chat");
        assert_eq!(fallback(&rule, &names), "chat; then ops, dst_3 (each has 1m)");
        assert_eq!((rate_limit(&rule), window(&rule["quiet_windows"][0])), ("30 a minute".into(), "mon 22:00-07:00 UTC".into()));
    }

    #[test]
    fn a_condition_says_what_became_of_it() {
        let said =
            |holds: Value, error: Value| condition(&json!({"condition": {"condition": "a", "holds": holds, "error": error}}));
        assert_eq!(said(json!(true), Value::Null), "a (holds)");
        assert_eq!(said(json!(false), Value::Null), "a (does not hold)");
        assert_eq!(said(Value::Null, json!("no a")), "a (cannot be evaluated, so it delivers: no a)");
        assert_eq!(condition(&json!({"condition": null})), "");
    }
}
