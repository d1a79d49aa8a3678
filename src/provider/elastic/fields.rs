//! Kibana's and Watcher's variables, wherever a template put them, and the event that they make.

use std::borrow::Cow;

use serde_json::Value;

use super::META;
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::flat::Flat;
use crate::provider::tokens::{self, Meaning};
use crate::provider::{Mapped, Origin, key, labels, read};
use crate::time::Timestamp;

/// Spellings of each variable: letters and digits only, in lower case, nested names joined.
const GROUP: &[&str] = &[
    "alertactiongroup",
    "actiongroup",
    "kibanaalertactiongroup",
    "alertactiongroupid",
    "actiongroupid",
    "alertactiongroupname",
    "actiongroupname",
];
const STATUS: &[&str] = &[
    "kibanaalertstatus",
    "eventaction",
    "alertstatus",
    "status",
    "state",
    "action",
    "event",
    "eventtype",
    "alertstate",
    "contextalertstate",
    "kibanaalertworkflowstatus",
];
const ALERT_STATUS: &[&str] = &["kibanaalertstatus"];
const GIVEN_KEY: &[&str] = &["dedupkey", "dedupid", "incidentkey", "deduplicationkey"];
const RULE_ID: &[&str] = &["ruleid", "kibanaalertruleuuid", "ruleuuid", "alertruleuuid", "alertruleid", "ctxruleid"];
const RULE_NAME: &[&str] = &["rulename", "kibanaalertrulename", "alertrulename", "alertname", "ruletitle"];
const INSTANCE: &[&str] = &["alertinstanceid", "kibanaalertinstanceid", "instanceid", "alertinstance"];
const ALERT_ID: &str = "alertid";
const UUID: &[&str] = &["alertuuid", "kibanaalertuuid", "alertinstanceuuid", "uuid"];
const WATCH: &[&str] = &["watchid", "ctxwatchid", "watch", "ctxmetadataname", "metadataname"];
const WATCH_NAME: &[&str] = &["ctxmetadataname", "metadataname", "watchid", "ctxwatchid", "watch"];
const REASON: &[&str] = &[
    "contextreason",
    "kibanaalertreason",
    "reason",
    "contextmessage",
    "message",
    "contexttitle",
    "description",
    "msg",
    "text",
    "body",
    "contextalertdetails",
    "contextconditions",
    "ctxmetadatadescription",
    "metadatadescription",
];
const TITLE: &[&str] = &["summary", "title", "subject", "alerttitle"];
const HOST: &[&str] = &[
    "contexthostname",
    "contexthost",
    "hostname",
    "host",
    "contextmonitorname",
    "contextservicename",
    "servicename",
    "service",
    "contextgroup",
    "kibanaalertinstanceid",
    "alertinstanceid",
    "source",
    "instance",
];
const SEVERITY: &[&str] = &[
    "severity",
    "kibanaalertseverity",
    "contextseverity",
    "alertseverity",
    "contextruleseverity",
    "priority",
    "level",
    "metadataseverity",
    "ctxmetadataseverity",
    "contextalertstate",
    "alertstate",
];
const PAGES: &[(&str, &str)] = &[
    ("contextalertdetailsurl", "Alert"),
    ("kibanaalerturl", "Alert"),
    ("contextlink", "Results"),
    ("contextresultslink", "Results"),
    ("contextviewinappurl", "View"),
    ("ruleurl", "Rule"),
    ("url", "Link"),
    ("link", "Link"),
];

/// The event that the fields make. `rule` is the body around an alert of a summary: the rule's fields may be there alone; `asked` is
/// what the list asks for in which the alert stands.
pub(super) fn mapped(
    fields: &Flat<'_>,
    rule: &Flat<'_>,
    asked: Option<Action>,
    sent: &Value,
    at: String,
    now: Timestamp,
) -> Result<Mapped, &'static str> {
    // What stands among the recovered and says something else of itself pages.
    let recovered = |word: &str| tokens::is_one_of(word, &["recovered"]);
    let (action, action_from) = match asked {
        Some(Action::Resolve) if fields.text(ALERT_STATUS).is_some_and(|word| !recovered(&word)) => {
            (Action::Trigger, "kibanaalertstatus")
        }
        Some(action) => (action, "the list"),
        None => action(fields),
    };
    let name = fields.get(RULE_NAME).or_else(|| rule.get(RULE_NAME)).or_else(|| fields.get(WATCH_NAME));
    let found = dedup_key(fields, rule);
    let (summary, summary_from) =
        summary(fields, name.as_ref()).ok_or("there is neither a rule, an alert, a watch, nor a message")?;
    if found.is_none()
        && name.is_none()
        && fields.get(GROUP).is_none()
        && fields.get(STATUS).is_none()
        && fields.get(TITLE).is_none()
    {
        return Err("there is neither a rule, an alert, nor a watch");
    }
    let (source, source_from) = fields
        .get(HOST)
        .or_else(|| instance(fields).and_then(|text| Some((read::shown(text.into())?, "alert.id"))))
        .or(name)
        .unwrap_or((META.name.into(), "default: the tool"));
    let (severity, severity_from) = severity(fields, rule);
    let key_guessed = found.is_none();
    let (dedup_key, key_from) =
        found.unwrap_or_else(|| (key::guess(&summary, &source), "default: guessed from summary and source"));
    let mut event = Event::new(action, dedup_key, &summary, &source, severity);
    event.key_guessed = key_guessed;
    event.class = fields.text(&["ruletype", "kibanaalertrulecategory", "ruletypename"]).map(Cow::into_owned);
    event.group = fields.text(&["rulespaceid", "spaceid", "kibanaspaceids"]).map(Cow::into_owned);
    event.client = Some(META.name.to_owned());
    for (path, text) in PAGES {
        labels::push_link(&mut event.links, fields.text(&[*path]), text);
    }
    event.custom_details = Some(sent.clone());
    let date = fields.text(&["date", "timestamp", "kibanaalertlastdetected", "contextdate", "ctxexecutiontime"]);
    event.occurred_at = Timestamp::trusted(date.and_then(|date| read::time(&Value::String(date.into_owned()))), now);
    let origin = Origin {
        at,
        action: action_from.into(),
        dedup_key: key_from.into(),
        summary: summary_from.into(),
        source: source_from.into(),
        severity: severity_from.into(),
    };
    Ok(Mapped { event, origin })
}

/// `recovered` resolves, by whatever field; so does a word of the user's own recovery action. Everything else pages.
fn action(fields: &Flat<'_>) -> (Action, &'static str) {
    if let Some((_, from)) = fields.get(GROUP).filter(|(group, _)| tokens::is_one_of(group, &["recovered"])) {
        return (Action::Resolve, from);
    }
    let known = |name: &&'static str| match tokens::meaning(&fields.text(&[*name])?) {
        Some(Meaning::Act(action)) => Some((action, *name)),
        _ => None,
    };
    let group = || fields.get(GROUP).map(|(_, from)| (Action::Trigger, from));
    STATUS.iter().find_map(known).or_else(group).unwrap_or((Action::Trigger, "default: trigger"))
}

/// The alert within its rule. Beside `alertInstanceId`, `alertId` is the rule's: so they were called before 8.0.
fn instance<'a>(fields: &'a Flat<'_>) -> Option<&'a str> {
    fields.raw(INSTANCE).or_else(|| fields.raw(&[ALERT_ID]))
}

/// A key of the user's, rule and alert, the alert's uuid, the rule, or the watch.
fn dedup_key(fields: &Flat<'_>, rule: &Flat<'_>) -> Option<(DedupKey, &'static str)> {
    let key = |text: &str, from| Some((DedupKey::lenient(text)?, from));
    if let Some(given) = fields.raw(GIVEN_KEY) {
        return key(&format!("key:{given}"), "a key of the template's");
    }
    let legacy = fields.raw(INSTANCE).and_then(|_| fields.raw(&[ALERT_ID]));
    let rule_id = fields.raw(RULE_ID).or_else(|| rule.raw(RULE_ID)).or(legacy);
    let rule_name = || fields.raw(RULE_NAME).or_else(|| rule.raw(RULE_NAME));
    // Escaped, so that two different pairs never make one text.
    let pair = |kind: &str, rule: &str, alert: &str| format!("{kind}:{}:{alert}", rule.replace('\\', "\\\\").replace(':', "\\:"));
    match (rule_id, instance(fields), fields.raw(UUID)) {
        (Some(rule), Some(alert), _) => key(&pair("alert", rule, alert), "rule.id, alert.id"),
        (_, _, Some(uuid)) => key(&format!("uuid:{uuid}"), "alert.uuid"),
        (Some(rule), None, None) => key(&format!("rule:{rule}"), "rule.id"),
        (None, Some(alert), None) => match rule_name() {
            Some(rule) => key(&pair("name", rule, alert), "rule.name, alert.id"),
            None => key(&format!("instance:{alert}"), "alert.id"),
        },
        (None, None, None) => match (fields.raw(WATCH), rule_name()) {
            (Some(watch), _) => key(&format!("watch:{watch}"), "watch_id"),
            (None, Some(rule)) => key(&format!("rule-name:{rule}"), "rule.name"),
            (None, None) => None,
        },
    }
}

fn summary(fields: &Flat<'_>, name: Option<&(Cow<'_, str>, &'static str)>) -> Option<(String, &'static str)> {
    if let Some((title, from)) = fields.get(TITLE) {
        return Some((title.into_owned(), from));
    }
    match (name, fields.get(REASON)) {
        (Some((name, _)), Some((reason, from))) if !reason.contains(&**name) => Some((format!("{name}: {reason}"), from)),
        (_, Some((reason, from))) => Some((reason.into_owned(), from)),
        (Some((name, from)), None) => match instance(fields) {
            Some(alert) => Some((format!("{name}: {alert}"), *from)),
            None => Some(((**name).to_owned(), *from)),
        },
        (None, None) => instance(fields).or_else(|| fields.raw(UUID)).map(|alert| (format!("Alert {alert}"), "alert.id")),
    }
}

/// A field that says it, or the end of the action group: `metrics.inventory_threshold.warning`.
fn severity(fields: &Flat<'_>, rule: &Flat<'_>) -> (Severity, &'static str) {
    let said = |flat: &Flat<'_>, names: &'static [&'static str]| {
        names.iter().find_map(|name| Some((tokens::severity(&flat.text(&[*name])?)?, *name)))
    };
    let grouped = || {
        let (group, from) = fields.get(GROUP)?;
        Some((tokens::severity(group.rsplit('.').next()?)?, from))
    };
    said(fields, SEVERITY).or_else(grouped).or_else(|| said(rule, &["severity"])).unwrap_or((Severity::Error, "default: error"))
}
