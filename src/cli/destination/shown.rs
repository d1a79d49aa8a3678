//! How destinations are printed for people.

use serde_json::Value;

use crate::cli::Session;
use crate::cli::output::Output;
use crate::cli::read::{array, cell, items, plain, text, time};

/// The table of a list.
pub fn list(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    let rows: Vec<Vec<String>> = items(answer).iter().map(row).collect();
    out.table(&["NAME", "KIND", "STATE", "URL", "ID"], &rows, "no destinations; `callbox destination create` makes one")?;
    super::super::more(session, answer)
}

fn row(destination: &Value) -> Vec<String> {
    vec![
        cell(destination, "name", 40),
        text(destination, "kind"),
        state(destination),
        cell(destination, "url", 50),
        text(destination, "id"),
    ]
}

/// In one word, what becomes of a message for it.
fn state(destination: &Value) -> String {
    let why = text(destination, "disabled_why");
    let is = |name: &str| destination.get(name).and_then(Value::as_bool).unwrap_or(false);
    let state = match (is("enabled"), text(destination, "problem").is_empty()) {
        (false, _) if !why.is_empty() => why,
        (false, _) => "disabled".to_owned(),
        (true, false) => "unusable".to_owned(),
        (true, true) => "enabled".to_owned(),
    };
    if is("default") { format!("{state}, default") } else { state }
}

/// What was just created.
pub fn created(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    out.fields(&[
        ("name", text(answer, "name")),
        ("id", text(answer, "id")),
        ("kind", text(answer, "kind")),
        ("url", text(answer, "url")),
        ("signing secret", signing_secret(answer)),
        ("rule", text(answer, "rule.name")),
    ])?;
    match text(answer, "rule.id").as_str() {
        "" => out.note("no rule tells it anything yet; `callbox rule create` makes one"),
        _ => Ok(()),
    }
}

fn signing_secret(answer: &Value) -> String {
    match text(answer, "signing_secret") {
        secret if secret.is_empty() => secret,
        secret => format!("{secret} (shown once)"),
    }
}

/// All of one destination.
pub fn settings(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    let field = |name: &str| text(answer, name);
    out.fields(&[
        ("name", field("name")),
        ("id", field("id")),
        ("kind", field("kind")),
        ("state", state(answer)),
        ("url", field("url")),
        ("key", field("token")),
        ("user", field("basic_auth.user")),
        ("headers", field("headers")),
        ("options", field("options")),
        ("signing secrets", signing_secrets(answer, out)),
        ("incident template", field("templates.incident")),
        ("change template", field("templates.change")),
        ("include", field("include")),
        ("breaker", breaker(answer)),
        ("rate limit", rate_limit(answer)),
        ("receiver", receiver(answer, out)),
        ("waiting", waiting(answer, out)),
        ("last delivered", time(answer, "last_delivered_at", out)),
        ("last failed", time(answer, "last_failed_at", out)),
        ("buttons", field("actions_url")),
        ("created", time(answer, "created_at", out)),
        ("created by", field("created_by")),
        ("updated", time(answer, "updated_at", out)),
    ])?;
    for warning in array(answer, "warnings") {
        out.text(&format!("warning: {}", plain(warning)))?;
    }
    match field("problem") {
        problem if problem.is_empty() => Ok(()),
        problem => out.text(&format!("problem: {problem}")),
    }
}

fn breaker(answer: &Value) -> String {
    match answer.get("breaker_failures").and_then(Value::as_u64) {
        Some(0) => "off".to_owned(),
        Some(failures) => format!("rests {} after {failures} failures in a row", text(answer, "breaker_rest")),
        None => String::new(),
    }
}

/// How it is doing: `well`, or since when it is left alone.
fn receiver(answer: &Value, out: &Output) -> String {
    let field = |name: &str| text(answer, &format!("breaker.{name}"));
    let failures = field("failures");
    match field("state").as_str() {
        "" => String::new(),
        "closed" if failures == "0" => "well".to_owned(),
        "closed" => format!("{failures} failures in a row"),
        state => {
            let at = |name: &str| time(answer, &format!("breaker.{name}"), out);
            let tries = if state == "half_open" {
                "one delivery tries now".to_owned()
            } else {
                format!("tried again at {}", at("retry_at"))
            };
            format!(
                "left alone since {} after {failures} failures in a row, {tries}; put off: {}",
                at("opened_at"),
                field("skipped")
            )
        }
    }
}

/// What waits for it.
fn waiting(answer: &Value, out: &Output) -> String {
    let number = |name: &str| answer.pointer(&format!("/waiting/{name}")).and_then(Value::as_i64).unwrap_or(0);
    let messages = match number("deliveries") {
        0 => None,
        count => Some(format!("{count} messages, the oldest since {}", time(answer, "waiting.oldest_at", out))),
    };
    let held = Some(number("held")).filter(|held| *held > 0).map(|held| format!("{held} incidents on hold"));
    messages.into_iter().chain(held).collect::<Vec<_>>().join("; ")
}

fn rate_limit(answer: &Value) -> String {
    match answer.get("rate_limit_per_minute").and_then(Value::as_u64) {
        Some(0) => "off".to_owned(),
        Some(limit) => format!("{limit} a minute"),
        None => String::new(),
    }
}

fn signing_secrets(answer: &Value, out: &Output) -> String {
    let one = |secret: &Value| {
        let end = time(secret, "expires_at", out);
        let end = if end.is_empty() { String::new() } else { format!(", until {end}") };
        format!("since {}{end}", time(secret, "created_at", out))
    };
    array(answer, "signing_secrets").iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What `rotate` answers: the new secret where it was made, and how long the old one goes on.
pub fn rotated(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    out.fields(&[("name", text(answer, "name")), ("signing secret", signing_secret(answer))])?;
    let end = array(answer, "signing_secrets").iter().map(|old| time(old, "expires_at", out)).find(|end| !end.is_empty());
    match end {
        Some(end) => out.note(&format!("messages are signed with the old one too until {end}")),
        None => Ok(()),
    }
}

/// What `delete` answers.
pub fn deleted(session: &Session, which: &str, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() && !answer.is_null() {
        return out.json(answer);
    }
    out.text(&format!("{which} is deleted"))?;
    let rules: Vec<String> = array(answer, "rules").iter().map(|rule| text(rule, "name")).collect();
    if rules.is_empty() {
        return Ok(());
    }
    out.note(&format!("rules that still name it: {}; `callbox rule delete` deletes one", rules.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Format;

    #[test]
    fn a_row_of_the_list() {
        let destination = json!({
            "id": "dst_1", "kind": "slack", "name": "o\u{1b}", "url": "https://hooks.slack.com/services/T0/B0/***", "enabled": true,
            "default": true, "problem": "url: gone", "disabled_why": null,
        });
        let expected = ["o\\u{1b}", "slack", "unusable, default", "https://hooks.slack.com/services/T0/B0/***", "dst_1"];
        assert_eq!(row(&destination), expected);
    }

    #[test]
    fn how_a_receiver_is_doing_in_words() {
        let out = Output::new(Format::Table, true);
        let breaker = |state: &str, failures: i64| {
            json!({"breaker": {"state": state, "failures": failures, "skipped": 7, "opened_at": "2026-03-01T00:00:00Z",
                "retry_at": "2026-03-01T00:00:30Z"}})
        };
        assert_eq!((receiver(&json!({}), &out), receiver(&breaker("closed", 0), &out)), (String::new(), "well".to_owned()));
        assert_eq!(receiver(&breaker("closed", 3), &out), "3 failures in a row");
        let open =
            "left alone since 2026-03-01 00:00:00Z after 5 failures in a row, tried again at 2026-03-01 00:00:30Z; put off: 7";
        assert_eq!(receiver(&breaker("open", 5), &out), open);
        assert!(receiver(&breaker("half_open", 5), &out).contains("one delivery tries now"));
        let answer = json!({"waiting": {"deliveries": 3, "held": 2, "oldest_at": "2026-03-01T00:00:00Z"}});
        assert_eq!(waiting(&answer, &out), "3 messages, the oldest since 2026-03-01 00:00:00Z; 2 incidents on hold");
        assert_eq!(waiting(&json!({"waiting": {"deliveries": 0, "held": 0}}), &out), "");
    }

    #[test]
    fn states_limits_and_secrets_in_words() {
        let out = Output::new(Format::Table, true);
        for (destination, told) in [
            (json!({"enabled": true}), "enabled"),
            (json!({"enabled": false}), "disabled"),
            (json!({"enabled": false, "disabled_why": "gone", "problem": "x"}), "gone"),
        ] {
            assert_eq!(state(&destination), told);
        }
        let answer = json!({
            "breaker_failures": 5, "breaker_rest": "30s", "rate_limit_per_minute": 0,
            "signing_secrets": [
                {"created_at": "2026-03-02T00:00:00Z", "expires_at": null},
                {"created_at": "2026-03-01T00:00:00Z", "expires_at": "2026-03-03T00:00:00Z"},
            ],
        });
        assert_eq!((breaker(&answer), rate_limit(&answer)), ("rests 30s after 5 failures in a row".to_owned(), "off".to_owned()));
        let expected = "since 2026-03-02 00:00:00Z; since 2026-03-01 00:00:00Z, until 2026-03-03 00:00:00Z";
        assert_eq!(signing_secrets(&answer, &out), expected);
    }
}
