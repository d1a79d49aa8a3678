//! A CloudWatch alarm, as SNS carries it and as EventBridge does: one alarm, one key, whichever way it comes.

use std::borrow::Cow;

use serde_json::Value;

use super::options::{Alarms, Insufficient};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::{Item, Mapped, Origin, labels, read, tokens};
use crate::time::{Parsed, Timestamp};

/// What an alarm says, whatever its form.
pub struct Alarm<'a> {
    name: Option<Cow<'a, str>>,
    arn: Option<Cow<'a, str>>,
    account: Option<Cow<'a, str>>,
    region: Option<Cow<'a, str>>,
    /// One series of an alarm over many.
    contributor: Option<Cow<'a, str>>,
    state: Option<Cow<'a, str>>,
    reason: Option<Cow<'a, str>>,
    changed: Option<Parsed>,
    metric: Option<&'a Value>,
    paths: &'static Paths,
}

/// What the fields are called in a form.
struct Paths {
    state: &'static str,
    key: &'static str,
    fallback: &'static str,
    summary: &'static str,
    source: &'static str,
    namespace: &'static str,
    metric: &'static str,
    dimensions: &'static str,
}

static NOTIFICATION: Paths = Paths {
    state: "NewStateValue",
    key: "AlarmArn",
    fallback: "AWSAccountId, Region, AlarmName",
    summary: "AlarmName, NewStateReason",
    source: "Trigger, its dimensions",
    namespace: "Namespace",
    metric: "MetricName",
    dimensions: "Dimensions",
};

static EVENT: Paths = Paths {
    state: "detail.state.value",
    key: "resources.0",
    fallback: "account, region, detail.alarmName",
    summary: "detail.alarmName, detail.state.reason",
    source: "detail.configuration.metrics, their dimensions",
    namespace: "namespace",
    metric: "name",
    dimensions: "dimensions",
};

static ACTION: Paths = Paths {
    state: "alarmData.state.value",
    key: "alarmArn",
    fallback: "accountId, region, alarmData.alarmName",
    summary: "alarmData.alarmName, alarmData.state.reason",
    source: "alarmData.configuration.metrics, their dimensions",
    namespace: "namespace",
    metric: "name",
    dimensions: "dimensions",
};

/// A text that is more than a variable which an input transformer left as it is.
fn filled(text: Option<Cow<'_, str>>) -> Option<Cow<'_, str>> {
    text.filter(|text| !read::unexpanded(text))
}

impl<'a> Alarm<'a> {
    /// Whether `json` is an alarm as SNS carries it.
    pub fn is_notification(json: &Value) -> bool {
        read::at(json, "NewStateValue").is_some() && read::first(json, &["AlarmName", "AlarmArn"]).is_some()
    }

    /// An alarm as SNS carries it.
    pub fn of_notification(json: &'a Value) -> Self {
        let trigger = json.get("Trigger").unwrap_or(&Value::Null);
        let in_list = || {
            let metrics = trigger.get("Metrics").and_then(Value::as_array)?;
            metrics.iter().find_map(|metric| read::at(metric, "MetricStat.Metric"))
        };
        Self {
            name: filled(read::field(json, "AlarmName")),
            arn: filled(read::field(json, "AlarmArn")),
            account: read::field(json, "AWSAccountId"),
            region: read::field(json, "Region"),
            contributor: read::field(json, "AlarmContributorId"),
            state: read::field(json, "NewStateValue"),
            reason: read::field(json, "NewStateReason"),
            changed: json.get("StateChangeTime").and_then(read::time),
            metric: in_list().or_else(|| trigger.is_object().then_some(trigger)),
            paths: &NOTIFICATION,
        }
    }

    /// An alarm as EventBridge carries it:
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>.
    pub fn of_event(event: &'a Value) -> Self {
        let metrics = || read::at(event, "detail.configuration.metrics")?.as_array();
        Self {
            name: filled(read::field(event, "detail.alarmName")),
            arn: filled(event.pointer("/resources/0").and_then(read::text)),
            account: read::field(event, "account"),
            region: read::field(event, "region"),
            contributor: read::field(event, "detail.alarmContributor.id"),
            state: read::field(event, "detail.state.value"),
            reason: read::field(event, "detail.state.reason"),
            changed: read::at(event, "detail.state.timestamp").or_else(|| event.get("time")).and_then(read::time),
            metric: metrics().and_then(|metrics| metrics.iter().find_map(|metric| read::at(metric, "metricStat.metric"))),
            paths: &EVENT,
        }
    }

    /// Whether `json` is an alarm as CloudWatch hands it to a Lambda function.
    pub fn is_action(json: &Value) -> bool {
        read::at(json, "alarmData.state.value").is_some() && read::first(json, &["alarmArn", "alarmData.alarmName"]).is_some()
    }

    /// An alarm as CloudWatch hands it to a Lambda function, which may pass it on:
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html>.
    pub fn of_action(json: &'a Value) -> Self {
        let metrics = || read::at(json, "alarmData.configuration.metrics")?.as_array();
        Self {
            name: filled(read::field(json, "alarmData.alarmName")),
            arn: filled(read::field(json, "alarmArn")),
            account: read::field(json, "accountId"),
            region: read::field(json, "region"),
            contributor: None,
            state: read::field(json, "alarmData.state.value"),
            reason: read::field(json, "alarmData.state.reason"),
            changed: read::at(json, "alarmData.state.timestamp").or_else(|| json.get("time")).and_then(read::time),
            metric: metrics().and_then(|metrics| metrics.iter().find_map(|metric| read::at(metric, "metricStat.metric"))),
            paths: &ACTION,
        }
    }

    /// The alarm as an alert; `body` is what is shown.
    pub fn item(&self, body: &Value, at: String, options: &Alarms, received_at: Timestamp) -> Item {
        let Some(state) = self.state.as_deref() else {
            return Item::Unmapped { at, why: format!("there is no `{}`", self.paths.state).into() };
        };
        let Some(action) = action(state, options.insufficient) else {
            return Item::Ignored { at, why: "INSUFFICIENT_DATA says neither that it is broken nor that it is well".into() };
        };
        let Some((dedup_key, key_from)) = self.key() else {
            return Item::Unmapped { at, why: format!("there is neither `{}` nor the alarm's name", self.paths.key).into() };
        };
        let name = self.name();
        let source = self.source().unwrap_or_else(|| name.to_owned());
        let summary = self.reason.as_ref().map_or_else(|| name.to_owned(), |reason| format!("{name}: {reason}"));
        let named = options.severity(name);
        let mut event = Event::new(action, dedup_key, &summary, &source, named.unwrap_or(Severity::Critical));
        event.occurred_at = Timestamp::trusted(self.changed, received_at);
        event.component = self.metric.and_then(|metric| read::owned(metric, self.paths.namespace));
        event.class = self.metric.and_then(|metric| read::owned(metric, self.paths.metric));
        event.group = self.account.as_deref().map(str::to_owned);
        event.custom_details = Some(body.clone());
        event.client = Some("Amazon CloudWatch".to_owned());
        event.client_url = self.console();
        labels::push_link(&mut event.links, event.client_url.clone().map(Cow::Owned), "Alarm");
        let origin = Origin {
            at,
            action: self.paths.state.into(),
            dedup_key: key_from.into(),
            summary: self.paths.summary.into(),
            source: self.paths.source.into(),
            severity: if named.is_some() { "option severityByName" } else { "default: critical" }.into(),
        };
        Item::Event(Box::new(Mapped { event, origin }))
    }

    /// The name; of an alarm that has only an ARN, its end.
    fn name(&self) -> &str {
        let in_arn = || self.arn.as_deref().and_then(|arn| arn.splitn(7, ':').nth(6).or(Some(arn)));
        self.name.as_deref().or_else(in_arn).unwrap_or("Alarm without a name")
    }

    /// The ARN, which old messages lack; then account, region and name. Of an alarm over many series each is one.
    fn key(&self) -> Option<(DedupKey, &'static str)> {
        let of = |text: &str| match &self.contributor {
            Some(contributor) => DedupKey::lenient(&format!("{text}:{contributor}")),
            None => DedupKey::lenient(text),
        };
        if let Some(key) = self.arn.as_deref().and_then(of) {
            return Some((key, self.paths.key));
        }
        let name = self.name.as_deref()?;
        let part = |part: &Option<Cow<'_, str>>| part.as_deref().unwrap_or_default().to_owned();
        Some((of(&format!("{}:{}:{name}", part(&self.account), part(&self.region)))?, self.paths.fallback))
    }

    /// The values of the metric's dimensions (`i-0abc`); without any, its namespace.
    fn source(&self) -> Option<String> {
        let metric = self.metric?;
        let values: Vec<String> = match metric.get(self.paths.dimensions) {
            Some(Value::Array(list)) => list.iter().filter_map(|one| read::owned(one, "value")).collect(),
            Some(Value::Object(members)) => members.values().filter_map(read::text).map(Cow::into_owned).collect(),
            _ => Vec::new(),
        };
        if values.is_empty() { read::owned(metric, self.paths.namespace) } else { Some(values.join("/")) }
    }

    /// The alarm's page in the console of its partition.
    fn console(&self) -> Option<String> {
        let mut parts = self.arn.as_deref()?.splitn(7, ':');
        let (partition, region, name) = (parts.nth(1)?, parts.nth(1)?, parts.nth(2)?);
        let host = match partition {
            "aws" => "console.aws.amazon.com",
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            _ => return None,
        };
        if region.is_empty() || !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return None;
        }
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        Some(format!("https://{region}.{host}/cloudwatch/home?region={region}#alarmsV2:alarm/{}", name.replace('+', "%20")))
    }
}

/// What a state asks for; unknown words page. `None`: nothing.
fn action(state: &str, insufficient: Insufficient) -> Option<Action> {
    if tokens::is_one_of(state, &["OK"]) {
        return Some(Action::Resolve);
    }
    match insufficient {
        _ if !tokens::is_one_of(state, &["INSUFFICIENT_DATA"]) => Some(Action::Trigger),
        Insufficient::Ignore => None,
        Insufficient::Trigger => Some(Action::Trigger),
        Insufficient::Resolve => Some(Action::Resolve),
    }
}
