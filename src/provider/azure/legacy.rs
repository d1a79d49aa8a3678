//! The schemas before the common one:
//! <https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-non-common-schema-definitions>.

use serde_json::Value;

use super::{last_segment, origin};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::{Item, key, labels, read, tokens};
use crate::time::Timestamp;

/// A metric alert (`AzureMonitorMetricAlert`, and the classic ones): `status` is `Activated`, then `Deactivated` or `Resolved`.
pub(super) fn metric(data: &Value, body: &Value, at: String, now: Timestamp) -> Item {
    let Some(context) = data.get("context").filter(|context| context.is_object()) else {
        return Item::Unmapped { at, why: "there is no `context`".into() };
    };
    let status = read::field(data, "status");
    let over = status.is_some_and(|word| tokens::is_one_of(&word, &["Deactivated", "Resolved"]));
    let action = if over { Action::Resolve } else { Action::Trigger };
    let name = read::field(context, "name").unwrap_or("Azure metric alert".into());
    let summary = read::field(context, "description").map_or_else(|| name.to_string(), |text| format!("{name}: {text}"));
    let resource = read::first(context, &["resourceName", "resourceId", "resourceGroupName"]);
    let source = resource.as_ref().map_or("Azure Monitor", |found| last_segment(&found.text)).to_owned();
    let id = read::field(context, "id");
    let key = id.and_then(|id| {
        let resource = read::field(context, "resourceId").unwrap_or_default();
        let text = format!("{id}|{resource}{}", dimensions(context)).to_lowercase();
        DedupKey::lenient(&text)
    });
    let guessed = key.is_none();
    // A number, of which 0 is the worst.
    let severity = read::field(context, "severity").and_then(|word| tokens::severity(&format!("sev{word}")));
    let dedup_key = key.unwrap_or_else(|| key::guess(&name, &source));
    let mut event = Event::new(action, dedup_key, &summary, &source, severity.unwrap_or(Severity::Error));
    event.key_guessed = guessed;
    event.occurred_at = Timestamp::trusted(context.get("timestamp").and_then(read::time), now);
    event.class = read::owned(context, "conditionType");
    event.component = read::owned(context, "resourceType");
    event.group = read::owned(context, "resourceGroupName");
    event.custom_details = Some(body.clone());
    labels::push_link(&mut event.links, read::field(context, "portalLink"), "Resource");
    let key_from =
        if guessed { "default: guessed from name and source" } else { "context.id, context.resourceId, the dimensions" };
    let severity_from = if severity.is_some() { "context.severity" } else { "default: error" };
    Item::event(event, origin(at, "status", key_from, "context.name, context.description", "context.resourceName", severity_from))
}

/// What tells the series of one rule apart: the same when it fires and when it is over.
fn dimensions(context: &Value) -> String {
    let conditions = read::at(context, "condition.allOf").and_then(Value::as_array);
    let all = conditions.into_iter().flatten().filter_map(|one| one.get("dimensions")?.as_array()).flatten();
    all.filter_map(|one| Some(format!("|{}={}", read::field(one, "name")?, read::field(one, "value")?))).collect()
}

/// Whether it is autoscale's notice, which has the form of a classic alert:
/// <https://learn.microsoft.com/azure/azure-monitor/autoscale/autoscale-webhook-email>.
pub(super) fn is_autoscale(data: &Value) -> bool {
    let operation = read::field(data, "operation").is_some_and(|word| tokens::is_one_of(&word, &["Scale Out", "Scale In"]));
    operation && read::at(data, "context.newCapacity").is_some()
}

/// A budget that is used up so far (`AIP Budget Notification`):
/// <https://learn.microsoft.com/azure/cost-management-billing/manage/cost-management-budget-scenario>. It never says that it is over.
pub(super) fn budget(data: &Value, body: &Value, at: String) -> Item {
    let text = |name: &str| read::field(data, name).filter(|text| !text.trim().is_empty());
    let name = text("BudgetName").unwrap_or("(unnamed)".into());
    let place = read::first(data, &["SubscriptionName", "SubscriptionId", "ResourceGroup"]);
    let source = place.map_or("Azure Monitor".into(), |found| found.text);
    let spent = text("SpendingAmount").zip(text("Budget")).map(|(spent, of)| format!(": {spent} of {of} spent"));
    let unit = text("Unit").filter(|_| spent.is_some()).map(|unit| format!(" ({unit})"));
    let summary = format!("Budget {name}{}{}", spent.unwrap_or_default(), unit.unwrap_or_default());
    let place = text("SubscriptionId").unwrap_or_else(|| source.clone());
    let key = DedupKey::lenient(&format!("budget:{place}:{name}").to_lowercase());
    let dedup_key = key.unwrap_or_else(|| key::guess(&name, &source));
    let mut event = Event::new(Action::Trigger, dedup_key, &summary, &source, Severity::Warning);
    event.class = Some("Budget".to_owned());
    event.group = text("ResourceGroup").map(|group| group.into_owned());
    event.custom_details = Some(body.clone());
    let from = origin(
        at,
        "default: trigger",
        "SubscriptionId, BudgetName",
        "BudgetName, SpendingAmount, Budget",
        "SubscriptionName",
        "default: warning (a budget)",
    );
    Item::event(event, from)
}

/// A log search alert (`Microsoft.Insights/LogAlert`). It fires on every evaluation and never says that it is over.
pub(super) fn search(data: &Value, body: &Value, at: String) -> Item {
    let name = read::field(data, "AlertRuleName").unwrap_or("Azure log alert".into());
    let place = read::first(data, &["WorkspaceId", "ApplicationId", "SubscriptionId"]);
    let source = place.as_ref().map_or("Azure Monitor", |found| found.text.as_ref());
    let summary = read::field(data, "Description").map_or_else(|| name.to_string(), |text| format!("{name}: {text}"));
    let key = DedupKey::lenient(&format!("{source}:{name}").to_lowercase());
    let dedup_key = key.unwrap_or_else(|| key::guess(&name, source));
    let severity = read::field(data, "Severity")
        .and_then(|word| tokens::severity(&word).or_else(|| tokens::severity(&format!("sev{word}"))));
    let mut event = Event::new(Action::Trigger, dedup_key, &summary, source, severity.unwrap_or(Severity::Error));
    event.class = Some("Log".to_owned());
    event.custom_details = Some(body.clone());
    labels::push_link(&mut event.links, read::field(data, "LinkToSearchResults"), "Search results");
    let severity_from = if severity.is_some() { "Severity" } else { "default: error" };
    let key_from = "WorkspaceId or SubscriptionId, AlertRuleName";
    Item::event(event, origin(at, "default: trigger", key_from, "AlertRuleName, Description", "WorkspaceId", severity_from))
}
