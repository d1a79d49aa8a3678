//! How integrations are printed for people.

use serde_json::Value;

use super::What;
use crate::cli::Session;
use crate::cli::lookup::{self, Named};
use crate::cli::output::Output;
use crate::cli::read::{array, cell, first, items, text, time};
use crate::secret::Secret;

/// The table of a list.
pub fn list(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    let rows: Vec<Vec<String>> = items(answer).iter().map(row).collect();
    out.table(
        &["NAME", "TYPE", "POLICY", "STATE", "WARNINGS", "ID"],
        &rows,
        "no integrations; `callbox integration create` makes one",
    )?;
    super::super::more(session, answer)
}

fn row(integration: &Value) -> Vec<String> {
    let state = if integration.get("enabled").and_then(Value::as_bool) == Some(false) { "disabled" } else { "enabled" };
    let warnings = array(integration, "warnings").len();
    vec![
        cell(integration, "name", 40),
        text(integration, "type"),
        text(integration, "policy"),
        state.to_owned(),
        if warnings == 0 { "-".to_owned() } else { warnings.to_string() },
        text(integration, "id"),
    ]
}

/// What was just created: what a person needs to connect the tool, and no more. `show` has the rest.
pub async fn created(session: &Session, answer: &Value, generated: Option<&Secret>) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return as_json(out, answer, generated);
    }
    out.fields(&[
        ("name", text(answer, "name")),
        ("id", text(answer, "id")),
        ("type", text(answer, "type")),
        ("service", service(session, answer).await),
        ("url", text(answer, "url")),
        ("key", text(answer, "key")),
        ("secret", generated.map(shown_once).unwrap_or_default()),
    ])?;
    setup(out, answer)
}

/// All of one integration: settings, credentials as far as the token may see them, and the setup text.
pub async fn whole(session: &Session, answer: &Value) -> anyhow::Result<()> {
    settings(session, answer, None).await?;
    if session.out.is_json() { Ok(()) } else { setup(&session.out, answer) }
}

/// What to paste into the tool, and nothing else.
pub fn setup_alone(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let setup = text(answer, "setup");
    if setup.is_empty() {
        anyhow::bail!("the setup text is not shown: the token needs the scope integrations:write, and the type a tool");
    }
    if session.out.is_json() {
        session.out.json(&serde_json::json!({ "setup": setup }))
    } else {
        session.out.text(setup.trim_end())
    }
}

fn setup(out: &Output, answer: &Value) -> anyhow::Result<()> {
    let setup = text(answer, "setup");
    if setup.is_empty() { Ok(()) } else { out.text(&format!("\n{}", setup.trim_end())) }
}

/// The API's answer. A secret generated here goes to standard error, because it is not part of that.
fn as_json(out: &Output, answer: &Value, generated: Option<&Secret>) -> anyhow::Result<()> {
    out.json(answer)?;
    match generated {
        Some(secret) => out.note(&format!("signature secret (shown once): {}", secret.expose())),
        None => Ok(()),
    }
}

fn shown_once(secret: &Secret) -> String {
    format!("{} (shown once)", secret.expose())
}

async fn service(session: &Session, answer: &Value) -> String {
    lookup::described(&session.api, Named::Service, &text(answer, "service_id")).await
}

/// Settings and credentials, without the setup text.
pub async fn settings(session: &Session, answer: &Value, generated: Option<&Secret>) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return as_json(out, answer, generated);
    }
    let field = |name: &str| text(answer, name);
    out.fields(&[
        ("name", field("name")),
        ("id", field("id")),
        ("type", field("type")),
        ("service", service(session, answer).await),
        ("policy", field("policy")),
        ("enabled", field("enabled")),
        ("url", field("url")),
        ("key", field("key")),
        ("secret", generated.map(shown_once).unwrap_or_default()),
        ("rate limit", rate_limit(answer)),
        ("auto-resolve after", timer(answer, "auto_resolve_after")),
        ("acknowledge timeout", timer(answer, "acknowledge_timeout")),
        ("remind after", timer(answer, "remind_after")),
        ("options", field("options")),
        ("live urls", credentials(answer, "hooks", out)),
        ("live keys", credentials(answer, "keys", out)),
        ("live secrets", credentials(answer, "secrets", out)),
        ("refused last hour", field("refusals_last_hour")),
        ("created", time(answer, "created_at", out)),
        ("created by", field("created_by")),
        ("updated", time(answer, "updated_at", out)),
    ])?;
    array(answer, "warnings").iter().try_for_each(|warning| out.text(&format!("warning: {}", warning_text(warning))))
}

/// What a test did.
pub fn tested(session: &Session, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    out.fields(&[("result", text(answer, "message")), ("incident", text(answer, "incident_id"))])?;
    let rows: Vec<Vec<String>> = array(answer, "events")
        .iter()
        .map(|event| vec![text(event, "action"), text(event, "outcome"), cell(event, "dedup_key", 60)])
        .collect();
    out.text("")?;
    out.table(&["ACTION", "OUTCOME", "KEY"], &rows, "no events")
}

fn warning_text(warning: &Value) -> String {
    let message = text(warning, "message");
    if message.is_empty() { super::super::read::plain(warning) } else { message }
}

fn rate_limit(answer: &Value) -> String {
    match answer.get("rate_limit_per_minute").and_then(Value::as_u64) {
        Some(0) => "off".to_owned(),
        Some(limit) => format!("{limit} a minute"),
        None => String::new(),
    }
}

/// Null is the default of the type; a field that the answer lacks is not shown.
fn timer(answer: &Value, name: &str) -> String {
    match answer.get(name) {
        Some(Value::Null) => "default of the type".to_owned(),
        _ => text(answer, name),
    }
}

/// The live credentials of one kind: the newest is alone, or an older one has an end.
fn credentials(answer: &Value, name: &str, out: &Output) -> String {
    let one = |credential: &Value| {
        let used = time(credential, "last_used_at", out);
        let used = if used.is_empty() { "never used".to_owned() } else { format!("last used {used}") };
        let end = time(credential, "expires_at", out);
        let end = if end.is_empty() { String::new() } else { format!(", valid until {end}") };
        format!("since {} ({used}{end})", time(credential, "created_at", out))
    };
    array(answer, name).iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What `rotate` answers: the new value, and how long the old one lives.
pub fn rotated(session: &Session, what: What, answer: &Value) -> anyhow::Result<()> {
    let out = &session.out;
    if out.is_json() {
        return out.json(answer);
    }
    let shown = |of: What, names: &[&str]| if what == of { first(answer, names) } else { String::new() };
    out.fields(&[
        ("key", shown(What::Key, &["key"])),
        ("url", shown(What::Hook, &["url"])),
        ("secret", shown(What::Secret, &["secret", "signature_secret"])),
    ])?;
    let list = match what {
        What::Key => "keys",
        What::Hook => "hooks",
        What::Secret => "secrets",
    };
    let end = array(answer, list).iter().map(|old| time(old, "expires_at", out)).find(|end| !end.is_empty());
    match end {
        Some(end) => out.note(&format!("the old one is valid until {end}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Format;

    #[test]
    fn limits_timers_and_credentials_in_words() {
        let out = Output::new(Format::Table, true);
        let answer = json!({
            "rate_limit_per_minute": 0, "auto_resolve_after": null, "remind_after": "4h",
            "keys": [
                {"id": "crd_2", "created_at": "2026-03-02T00:00:00Z", "expires_at": null, "last_used_at": null},
                {"id": "crd_1", "created_at": "2026-03-01T00:00:00Z", "expires_at": "2026-03-03T00:00:00Z", "last_used_at": "2026-03-01T12:00:00Z"},
            ],
        });
        assert_eq!(rate_limit(&answer), "off");
        assert_eq!(timer(&answer, "auto_resolve_after"), "default of the type");
        assert_eq!(timer(&answer, "remind_after"), "4h");
        assert_eq!(timer(&answer, "acknowledge_timeout"), "");
        let expected = "since 2026-03-02 00:00:00Z (never used); since 2026-03-01 00:00:00Z \
                        (last used 2026-03-01 12:00:00Z, valid until 2026-03-03 00:00:00Z)";
        assert_eq!(credentials(&answer, "keys", &out), expected);
    }

    #[test]
    fn a_row_of_the_list() {
        let integration =
            json!({"id": "int_1", "type": "grafana", "name": "p\u{1b}", "policy": "hook", "enabled": false, "warnings": ["w"]});
        assert_eq!(row(&integration), ["p\\u{1b}", "grafana", "hook", "disabled", "1", "int_1"]);
    }
}
