//! AWS Health: <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>.

use serde_json::Value;

use super::{affected, fill};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::{Item, Origin, read, tokens};

/// An event of AWS's own operations. It is sent again as it goes on, with the same `eventArn`; `statusCode` says that it is closed.
pub(super) fn item(sent: &Value, at: &str) -> Item {
    let Some(dedup_key) = read::owned(sent, "detail.eventArn").and_then(|arn| DedupKey::lenient(&arn)) else {
        return Item::Unmapped { at: at.to_owned(), why: "there is no `detail.eventArn`".into() };
    };
    let status = read::field(sent, "detail.statusCode");
    let closed = status.as_deref().is_some_and(|word| tokens::is_one_of(word, &["closed"]));
    let action = if closed { Action::Resolve } else { Action::Trigger };
    let code = read::field(sent, "detail.eventTypeCode");
    let text = sent.pointer("/detail/eventDescription/0/latestDescription").and_then(read::text);
    let line = text.as_deref().and_then(|text| text.lines().find(|line| !line.trim().is_empty()));
    let summary = match (&code, line) {
        (Some(code), Some(line)) => format!("{code}: {line}"),
        (Some(code), None) => code.to_string(),
        (None, Some(line)) => line.to_owned(),
        (None, None) => "AWS Health event".to_owned(),
    };
    let source = affected(sent).unwrap_or("AWS Health".into());
    let category = read::field(sent, "detail.eventTypeCategory");
    let severity = category.as_deref().and_then(severity);
    let mut event = Event::new(action, dedup_key, &summary, &source, severity.unwrap_or(Severity::Error));
    event.component = read::owned(sent, "detail.service");
    event.class = code.as_deref().map(str::to_owned);
    let origin = Origin {
        at: at.to_owned(),
        action: if closed { "detail.statusCode" } else { "default: trigger" }.into(),
        dedup_key: "detail.eventArn".into(),
        summary: "detail.eventTypeCode, detail.eventDescription".into(),
        source: "resources.0, account".into(),
        severity: if severity.is_some() { "detail.eventTypeCategory" } else { "default: error" }.into(),
    };
    Item::event(fill(event, sent), origin)
}

/// An issue is a problem now; the others are news.
fn severity(category: &str) -> Option<Severity> {
    match category {
        "issue" => Some(Severity::Error),
        "investigation" => Some(Severity::Warning),
        "scheduledChange" | "accountNotification" => Some(Severity::Info),
        _ => None,
    }
}
