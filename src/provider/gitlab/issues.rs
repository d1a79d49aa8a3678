//! Incidents (issues of that type), alerts and vulnerabilities. Arrival orders them: their times change with anything about them.

use std::borrow::Cow;

use super::{Context, META, Said};
use crate::event::{Action, DedupKey, Severity};
use crate::provider::alert::Alert;
use crate::provider::{Mapped, key, read, tokens};

/// Issues page only where they are incidents: <https://docs.gitlab.com/operations/incident_management/>.
pub(super) fn incident(context: &Context<'_>) -> Said {
    let body = context.body;
    let current = context.word("changes.type.current");
    let kind = [context.word("object_attributes.type"), current.clone(), context.word("object_attributes.work_item_type")];
    let named = context.word("object_kind") == "incident";
    if !named && !kind.iter().any(|kind| kind == "incident") {
        return Err("an issue that is no incident".into());
    }
    let action = incident_action(context, current == "incident")?;
    let number = read::first(body, &["object_attributes.iid", "object_attributes.id"]).ok_or("the incident has no number")?;
    let project = context.project().0;
    let title = read::field(body, "object_attributes.title").unwrap_or_else(|| format!("Incident #{}", number.text).into());
    let key = key::of("incident", &[project.as_ref(), number.text.as_ref()]);
    let mut mapped = mapped(context, "incident", action, (key, "project.id, object_attributes.iid"), title.into_owned());
    if is_confidential(context)
        && let Some(attributes) = mapped.event.custom_details.as_mut().and_then(|details| details.get_mut("object_attributes"))
        && let Some(attributes) = attributes.as_object_mut()
    {
        // The summary goes to every channel; the text stays where it was written.
        attributes.remove("description");
    }
    Ok((mapped, None))
}

fn is_confidential(context: &Context<'_>) -> bool {
    context.word("event_type").starts_with("confidential") || context.word("object_attributes.confidential") == "true"
}

fn incident_action(context: &Context<'_>, became: bool) -> Result<(Action, &'static str), Cow<'static, str>> {
    const ACTION: &str = "object_attributes.action";
    let escalation = context.word("changes.escalation_status.current");
    let closed = context.word("object_attributes.state") == "closed";
    match context.word(ACTION).as_str() {
        "open" | "reopen" => Ok((Action::Trigger, ACTION)),
        "close" => Ok((Action::Resolve, ACTION)),
        "" if closed => Ok((Action::Resolve, "object_attributes.state")),
        "" => Ok((Action::Trigger, "object_attributes.state")),
        "update" if closed => Err("the incident is closed".into()),
        "update" if became => Ok((Action::Trigger, "changes.type")),
        "update" if escalation == "acknowledged" => Ok((Action::Acknowledge, "changes.escalation_status")),
        "update" if escalation == "resolved" => Ok((Action::Resolve, "changes.escalation_status")),
        "update" if escalation == "triggered" => Ok((Action::Trigger, "changes.escalation_status")),
        "update" if !context.word("changes.severity.current").is_empty() => Ok((Action::Trigger, "changes.severity")),
        "update" => Err("nothing that counts has changed about the incident".into()),
        _ => Ok((Action::Trigger, "default: trigger")),
    }
}

/// GitLab's own alerts, in the form in which its integrations get them.
pub(super) fn alert(context: &Context<'_>) -> Said {
    let body = context.body;
    let action = match context.word("object_attributes.status").as_str() {
        "resolved" => Action::Resolve,
        "acknowledged" => Action::Acknowledge,
        "ignored" => return Err("the alert is ignored".into()),
        _ => Action::Trigger,
    };
    let id = read::first(body, &["object_attributes.iid", "object_attributes.url", "object_attributes.title"])
        .ok_or("the alert has no number")?;
    let project = context.project().0;
    let title = read::field(body, "object_attributes.title").unwrap_or_else(|| format!("Alert {}", id.text).into());
    let key = key::of("alert", &[project.as_ref(), id.text.as_ref()]);
    Ok((mapped(context, "alert", (action, "object_attributes.status"), (key, id.path), title.into_owned()), None))
}

/// <https://docs.gitlab.com/user/project/integrations/webhook_events/#vulnerability-events>
pub(super) fn vulnerability(context: &Context<'_>) -> Said {
    let body = context.body;
    let action = match context.word("object_attributes.state").as_str() {
        "resolved" | "dismissed" => Action::Resolve,
        _ => Action::Trigger,
    };
    let id = read::first(body, &["object_attributes.url", "object_attributes.id", "object_attributes.title"])
        .ok_or("the vulnerability has no address")?;
    let title = read::field(body, "object_attributes.title").unwrap_or_default();
    let key = key::of("vulnerability", &[id.text.as_ref()]);
    let summary = format!("Vulnerability: {title}");
    Ok((mapped(context, "vulnerability", (action, "object_attributes.state"), (key, id.path), summary), None))
}

fn mapped(
    context: &Context<'_>,
    class: &'static str,
    action: (Action, &'static str),
    key: (DedupKey, &'static str),
    summary: String,
) -> Mapped {
    let word = read::field(context.body, "object_attributes.severity").and_then(|word| tokens::severity(&word));
    let severity = word.map_or((Severity::Error, "default: error"), |severity| (severity, "object_attributes.severity"));
    let summary = (summary, "object_attributes.title");
    let mut mapped = Alert { tool: META.name, action, key, summary, source: context.source(), severity }.mapped();
    mapped.event.class = Some(class.to_owned());
    mapped.event.custom_details = Some(context.details());
    mapped.link(context.body, &["object_attributes.url"], "GitLab");
    mapped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::forge::Options;
    use crate::provider::{Compiled, Headers, Request};
    use crate::time::Timestamp;
    use serde_json::{Value, json};

    #[test]
    fn what_an_update_of_an_incident_asks_for() {
        let action = |changes: Value| {
            let body = json!({"object_kind": "issue", "object_attributes": {"type": "Incident", "action": "update", "iid": 1}, "changes": changes});
            let (headers, options) = (Headers::default(), Compiled::none());
            let request = Request {
                body: b"",
                json: Some(&body),
                headers: &headers,
                query: &[],
                subpath: "",
                received_at: Timestamp(0),
                options: &options,
            };
            let said = incident(&Context { body: &body, request: &request, options: &Options::default() });
            said.ok().map(|(mapped, _)| mapped.event.action)
        };
        let escalation = |status: &str| json!({"escalation_status": {"previous": "x", "current": status}});
        assert_eq!(action(escalation("acknowledged")), Some(Action::Acknowledge));
        assert_eq!(action(escalation("resolved")), Some(Action::Resolve));
        assert_eq!(action(escalation("triggered")), Some(Action::Trigger));
        assert_eq!(action(escalation("ignored")), None);
        assert_eq!(action(json!({"type": {"previous": "Issue", "current": "Incident"}})), Some(Action::Trigger));
        assert_eq!(action(json!({"severity": {"previous": "low", "current": "critical"}})), Some(Action::Trigger));
        assert_eq!(action(json!({"labels": {}})), None);
    }
}
