//! Security alerts: of Dependabot, code scanning, secret scanning, and the vulnerability alerts before Dependabot's. Each has a number
//! in its repository, the same from the first message to the last. Their times change with anything about them, so arrival orders them.

use std::borrow::Cow;

use serde_json::Value;

use super::{Context, META, Said, details};
use crate::event::{Action, Severity};
use crate::provider::alert::Alert;
use crate::provider::{key, read, tokens};

/// One family of alerts.
struct Family {
    class: &'static str,
    opens: &'static [&'static str],
    ends: &'static [&'static str],
    /// What its alerts are called.
    noun: &'static str,
    /// Where the text is.
    text: &'static [&'static str],
    /// Where the severity is; empty: a leaked secret is critical.
    severity: &'static [&'static str],
}

/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#dependabot_alert>
static DEPENDABOT: Family = Family {
    class: "dependabot_alert",
    opens: &["created", "reintroduced", "reopened", "auto_reopened"],
    ends: &["fixed", "dismissed", "auto_dismissed"],
    noun: "Vulnerable dependency",
    text: &["security_advisory.summary", "security_advisory.ghsa_id"],
    severity: &["security_advisory.severity", "security_vulnerability.severity"],
};
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#code_scanning_alert>
static CODE_SCANNING: Family = Family {
    class: "code_scanning_alert",
    opens: &["created", "reopened", "reopened_by_user", "appeared_in_branch"],
    ends: &["fixed", "closed_by_user"],
    noun: "Code scanning alert",
    text: &["rule.description", "rule.name", "rule.id"],
    severity: &["rule.security_severity_level", "rule.severity"],
};
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#secret_scanning_alert>
static SECRET_SCANNING: Family = Family {
    class: "secret_scanning_alert",
    opens: &["created", "reopened", "publicly_leaked"],
    ends: &["resolved", "revoked"],
    noun: "Secret in the repository",
    text: &["secret_type_display_name", "secret_type"],
    severity: &[],
};
/// Before [`DEPENDABOT`].
static VULNERABILITY: Family = Family {
    class: "repository_vulnerability_alert",
    opens: &["create", "reopen"],
    ends: &["dismiss", "resolve"],
    noun: "Vulnerable dependency",
    text: &["external_identifier", "ghsa_id"],
    severity: &["severity"],
};

/// The alert's family, by the members that only its alerts have; else by the header.
fn family(context: &Context<'_>, alert: &Value) -> Option<&'static Family> {
    let has = |name: &str| read::at(alert, name).is_some();
    if has("security_advisory") || has("dependency") {
        Some(&DEPENDABOT)
    } else if has("secret_type") {
        Some(&SECRET_SCANNING)
    } else if has("rule") {
        Some(&CODE_SCANNING)
    } else if has("affected_package_name") {
        Some(&VULNERABILITY)
    } else {
        let event = context.request.headers.get("x-github-event")?;
        [&DEPENDABOT, &CODE_SCANNING, &SECRET_SCANNING, &VULNERABILITY].into_iter().find(|family| family.class == event)
    }
}

/// What an alert's event says; `None` for an alert of no family.
pub(super) fn alert(context: &Context<'_>, alert: &Value) -> Option<Said> {
    let family = family(context, alert)?;
    // Where a found secret stands is an event of its own.
    if context.has("location") {
        return Some(Err("the place of an alert that has events of its own".into()));
    }
    Some(said(context, alert, family))
}

fn said(context: &Context<'_>, alert: &Value, family: &'static Family) -> Said {
    let action = action(context, alert, family)?;
    let number = read::first(alert, &["number", "id", "html_url"]).ok_or("the alert has no number")?;
    let repository = context.repository();
    let text = read::first(alert, family.text).map(|found| found.text);
    let package = read::first(alert, &["dependency.package.name", "affected_package_name"]).map(|found| found.text);
    let subject = [package.as_deref(), text.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let summary = match subject.as_str() {
        "" => format!("{} {}", family.noun, number.text),
        subject => format!("{}: {subject}", family.noun),
    };
    let mut mapped = Alert {
        tool: META.name,
        action: (action, "action"),
        key: (key::of(family.class, &[repository.0.as_ref(), number.text.as_ref()]), "repository.full_name, alert.number"),
        summary: (summary, family.class),
        source: repository,
        severity: severity(alert, family),
    }
    .mapped();
    mapped.event.class = Some(family.class.to_owned());
    mapped.event.component = package.map(Cow::into_owned);
    mapped.event.group = read::owned(alert, "tool.name");
    mapped.event.custom_details = Some(details(context));
    mapped.link(alert, &["html_url", "external_reference"], "Alert");
    Ok((mapped, Vec::new()))
}

/// What the event's `action` asks for; without one, the alert's `state`.
fn action(context: &Context<'_>, alert: &Value, family: &Family) -> Result<Action, Cow<'static, str>> {
    const OVER: [&str; 4] = ["fixed", "dismissed", "resolved", "auto_dismissed"];
    let action = context.action();
    let over = read::field(alert, "state").is_some_and(|state| tokens::is_one_of(&state, &OVER));
    if tokens::is_one_of(&action, family.ends) {
        Ok(Action::Resolve)
    } else if action == "appeared_in_branch" && over {
        Err("the alert is over, and was found on another branch".into())
    } else if tokens::is_one_of(&action, family.opens) {
        Ok(Action::Trigger)
    } else if action.is_empty() {
        Ok(if over { Action::Resolve } else { Action::Trigger })
    } else {
        Err(format!("the action `{action}` opens and ends no alert").into())
    }
}

fn severity(alert: &Value, family: &Family) -> (Severity, &'static str) {
    if family.severity.is_empty() {
        return (Severity::Critical, "default: critical");
    }
    let found = read::first(alert, family.severity);
    let severity = found.as_ref().and_then(|found| match found.text.as_ref() {
        note if note.eq_ignore_ascii_case("note") => Some(Severity::Info),
        word => tokens::severity(word),
    });
    match severity.zip(found) {
        Some((severity, found)) => (severity, found.path),
        None => (Severity::Error, "default: error"),
    }
}
