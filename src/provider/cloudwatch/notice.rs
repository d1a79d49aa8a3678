//! Notices that AWS services publish to topics by themselves: RDS and DMS, Auto Scaling, Backup, and the tests of S3.

use serde_json::{Value, json};

use super::message::Message;
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::{Item, Origin, labels, read, tokens};

/// Whether `json` is such a notice.
pub(super) fn is_known(json: &Value) -> bool {
    json.get("Event Message").is_some() || json.get("AutoScalingGroupName").is_some()
}

/// The notice as an alert; `None` when it is none.
pub(super) fn item(json: &Value, message: &Message<'_>) -> Option<Item> {
    let ignored = |why: &'static str| Some(Item::Ignored { at: message.at.clone(), why: why.into() });
    match read::field(json, "Event").as_deref() {
        Some("s3:TestEvent" | "autoscaling:TEST_NOTIFICATION") => return ignored("a test that AWS sends when a topic is set up"),
        Some(event) if json.get("AutoScalingGroupName").is_some() => return scaling(json, event, message),
        _ => {}
    }
    database(json, message)
}

/// RDS and DMS: <https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Events.html>. They say what happened and never that it is over.
fn database(json: &Value, message: &Message<'_>) -> Option<Item> {
    let text = read::first(json, &["Event Message"])?;
    let source = read::first(json, &["Source ID", "SourceId", "Source ARN", "Event Source"])?;
    let id = read::field(json, "Event ID").unwrap_or_default();
    let number = id.rsplit(['#', '/']).next().unwrap_or_default();
    let kind = read::field(json, "Event Source").unwrap_or_default();
    let key = DedupKey::lenient(&format!("{kind}:{}:{number}", source.text))?;
    let summary = format!("{}: {}", source.text, text.text);
    let mut event = Event::new(Action::Trigger, key, &summary, &source.text, Severity::Error);
    event.class = Some(kind.into_owned()).filter(|kind| !kind.is_empty());
    event.occurred_at = message.published_at;
    labels::push_link(&mut event.links, read::field(json, "Identifier Link"), "AWS console");
    Some(finish(event, json, message, "Event Source, Source ID, Event ID", source.path))
}

/// Auto Scaling: <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-sns-notifications.html>. Only a failed launch or
/// termination is a problem.
fn scaling(json: &Value, event: &str, message: &Message<'_>) -> Option<Item> {
    let group = read::first(json, &["AutoScalingGroupName"])?;
    if !event.ends_with("_ERROR") {
        return Some(Item::Ignored { at: message.at.clone(), why: "instances came and went as they should".into() });
    }
    let key = DedupKey::lenient(&format!("autoscaling:{}:{event}", group.text))?;
    let said = read::field(json, "StatusMessage").or_else(|| read::field(json, "Description")).unwrap_or_else(|| event.into());
    let event = Event::new(Action::Trigger, key, &format!("{}: {said}", group.text), &group.text, Severity::Error);
    Some(finish(event, json, message, "AutoScalingGroupName, Event", group.path))
}

/// AWS Backup says in attributes what became of a job, and in words for people what its text is:
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-notifications.html>.
pub(super) fn backup(message: &Message<'_>) -> Option<Item> {
    let envelope = message.envelope?;
    let kind = envelope.attribute("EventType").filter(|kind| tokens::is_one_of(kind, BACKUP))?;
    let (state, id) = (envelope.attribute("State")?, envelope.attribute("Id")?);
    if !tokens::is_one_of(&state, &["FAILED", "ABORTED", "EXPIRED", "PARTIAL"]) {
        return Some(Item::Ignored { at: message.at.clone(), why: format!("the job is {state}").into() });
    }
    let key = DedupKey::lenient(&format!("backup:{id}"))?;
    let text = read::shown(message.text.into())?;
    let severity = if state.eq_ignore_ascii_case("FAILED") { Severity::Error } else { Severity::Warning };
    let mut event = Event::new(Action::Trigger, key, &text, "AWS Backup", severity);
    event.class = Some(kind.into_owned());
    event.occurred_at = message.published_at;
    let attributes = envelope.fields.get("MessageAttributes").cloned().unwrap_or_default();
    let details = json!({"message": message.text, "attributes": attributes});
    Some(finish(event, &details, message, "MessageAttributes.Id", "default: the service"))
}

const BACKUP: &[&str] = &["BACKUP_JOB", "RESTORE_JOB", "COPY_JOB", "RECOVERY_POINT"];

fn finish(mut event: Event, details: &Value, message: &Message<'_>, key: &'static str, source: &'static str) -> Item {
    event.custom_details = Some(details.clone());
    event.group.clone_from(&message.topic);
    let severity = event.severity.as_str();
    let origin = Origin {
        at: message.at.clone(),
        action: "default: trigger".into(),
        dedup_key: key.into(),
        summary: "the message".into(),
        source: source.into(),
        severity: format!("default: {severity}").into(),
    };
    Item::event(event, origin)
}
