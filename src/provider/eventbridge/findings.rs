//! Findings: of GuardDuty, and of Security Hub, which gathers those of others.

use serde_json::Value;

use super::fill;
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::{Item, Origin, labels, read, tokens};

/// <https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html>. A finding is sent again with a higher `count`
/// while it goes on; archiving it is the only end it has.
pub(super) fn guard_duty(sent: &Value, at: &str) -> Item {
    let Some(dedup_key) = read::owned(sent, "detail.id").and_then(|id| DedupKey::lenient(&id)) else {
        return Item::Unmapped { at: at.to_owned(), why: "there is no `detail.id`".into() };
    };
    let archived = read::at(sent, "detail.service.archived").and_then(read::scalar).is_some_and(|word| word == "true");
    let action = if archived { Action::Resolve } else { Action::Trigger };
    let summary = read::first(sent, &["detail.title", "detail.type", "detail.description"]);
    let (summary, summary_from) =
        summary.map_or(("GuardDuty finding".into(), "default: the service"), |found| (found.text, found.path));
    let paths = ["detail.resource.instanceDetails.instanceId", "detail.accountId", "account"];
    let source = read::first(sent, &paths);
    let (source, source_from) =
        source.map_or(("Amazon GuardDuty".into(), "default: the service"), |found| (found.text, found.path));
    let score = read::at(sent, "detail.severity").and_then(number);
    let mut event = Event::new(action, dedup_key, &summary, &source, score.map_or(Severity::Error, severity));
    event.class = read::owned(sent, "detail.type");
    event.starts_at = read::at(sent, "detail.service.eventFirstSeen").and_then(read::time).map(|parsed| parsed.at);
    let origin = Origin {
        at: at.to_owned(),
        action: if archived { "detail.service.archived" } else { "default: trigger" }.into(),
        dedup_key: "detail.id".into(),
        summary: summary_from.into(),
        source: source_from.into(),
        severity: if score.is_some() { "detail.severity" } else { "default: error" }.into(),
    };
    Item::event(fill(event, sent), origin)
}

fn number(value: &Value) -> Option<f64> {
    read::scalar(value)?.trim().parse().ok()
}

/// GuardDuty's four ranges: <https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html>.
fn severity(score: f64) -> Severity {
    match score {
        score if score >= 9.0 => Severity::Critical,
        score if score >= 7.0 => Severity::Error,
        score if score >= 4.0 => Severity::Warning,
        _ => Severity::Info,
    }
}

/// <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html>: a list of findings, each with a life of
/// its own.
pub(super) fn security_hub(sent: &Value, at: &str) -> Vec<Item> {
    let findings = read::at(sent, "detail.findings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if findings.is_empty() {
        return vec![Item::Unmapped { at: at.to_owned(), why: "there are no `detail.findings`".into() }];
    }
    findings.iter().enumerate().map(|(n, finding)| one(finding, sent, format!("{at}/detail/findings/{n}"))).collect()
}

fn one(finding: &Value, sent: &Value, at: String) -> Item {
    let Some(dedup_key) = read::owned(finding, "Id").and_then(|id| DedupKey::lenient(&id)) else {
        return Item::Unmapped { at, why: "the finding has no `Id`".into() };
    };
    let said = |path: &'static str, words: &[&str]| {
        read::field(finding, path).is_some_and(|word| tokens::is_one_of(&word, words)).then_some(path)
    };
    let over = said("RecordState", &["ARCHIVED"])
        .or_else(|| said("Workflow.Status", &["RESOLVED", "SUPPRESSED"]))
        .or_else(|| said("Compliance.Status", &["PASSED", "NOT_AVAILABLE"]));
    let action = if over.is_some() { Action::Resolve } else { Action::Trigger };
    let summary = read::owned(finding, "Title").unwrap_or_else(|| "Security Hub finding".to_owned());
    let resource = finding.pointer("/Resources/0/Id").and_then(read::text);
    let source = resource.or_else(|| read::field(finding, "AwsAccountId")).unwrap_or("AWS Security Hub".into());
    let severity = read::field(finding, "Severity.Label").and_then(|word| tokens::severity(&word));
    let mut event = Event::new(action, dedup_key, &summary, &source, severity.unwrap_or(Severity::Error));
    event.class = finding.pointer("/Types/0").and_then(read::text).map(Into::into);
    event.component = read::owned(finding, "ProductName");
    labels::push_link(&mut event.links, read::field(finding, "SourceUrl"), "Finding");
    labels::push_link(&mut event.links, read::field(finding, "Remediation.Recommendation.Url"), "Remediation");
    let mut event = fill(event, sent);
    // Not its neighbours: a list of n would be stored n times n.
    event.custom_details = Some(finding.clone());
    let origin = Origin {
        at,
        action: over.unwrap_or("default: trigger").into(),
        dedup_key: "Id".into(),
        summary: "Title".into(),
        source: "Resources.0.Id, AwsAccountId".into(),
        severity: if severity.is_some() { "Severity.Label" } else { "default: error" }.into(),
    };
    Item::event(event, origin)
}
