//! Amazon CloudWatch's alarms, and whatever else a topic of Amazon SNS delivers over HTTPS.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html>. An alarm speaks once, when its state
//! changes, and says when (`StateChangeTime`). It comes in an SNS envelope ([`super::sns`]), bare with raw message delivery, or inside
//! the records of a Lambda function. `INSUFFICIENT_DATA` is no state to act on unless the integration says so. A topic carries other
//! things too: events of EventBridge, notices of AWS Backup, DMS, RDS and Auto Scaling, and whatever people publish. SNS repeats a
//! notification with the same `MessageId` (<https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html>), surely so after a
//! 5xx (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>), which is why a request over the limit is answered
//! 503.

use std::borrow::Cow;

use serde_json::Value;

use super::sns::{self, Envelope, Kind};
use super::{
    Clock, Compiled, Confirm, Item, Meta, Normalised, OptionProblem, Provider, Reply, Request, Resolves, Unmapped, read,
};
use crate::signature::Scheme;
use crate::signature::published::{Published, sns as sns_rules};
use crate::time::Timestamp;

pub(super) mod alarm;
mod message;
mod notice;
pub(super) mod options;

use message::Message;
use options::Options;

/// Amazon CloudWatch and SNS.
pub struct CloudWatch;

static META: Meta = Meta {
    kind: "cloudwatch",
    aliases: &["sns", "aws-sns"],
    name: "Amazon CloudWatch",
    docs: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 200,
    throttle_status: 503,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/cloudwatch.md"),
};

/// The header of a raw delivery.
const RAW: &str = "x-amz-sns-rawdelivery";

impl Provider for CloudWatch {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let none = Options::default();
        let options = request.options.get::<Options>().unwrap_or(&none);
        let envelopes = request.json.map(sns::envelopes).unwrap_or_default();
        if envelopes.is_empty() {
            return bare(request, options);
        }
        let mut normalised = Normalised::default();
        let one = envelopes.len() == 1;
        for (at, envelope) in envelopes {
            match envelope {
                Some(envelope) => enveloped(&envelope, &at, options, request, &mut normalised),
                None => normalised.items.push(Item::Unmapped { at, why: "the record holds no SNS message".into() }),
            }
        }
        if !one {
            normalised.delivery_id = None;
        }
        Ok(normalised)
    }

    fn published(&self, options: &Compiled) -> Option<Published> {
        let options = options.get::<Options>()?;
        let rules = sns_rules::Rules { topics: options.topics.clone(), required: options.verified() };
        (rules.required || !rules.topics.is_empty()).then_some(Published::Sns(rules))
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        Options::read(options).map(Compiled::new)
    }
}

/// A body without an envelope: what raw message delivery posts.
fn bare(request: &Request<'_>, options: &Options) -> Result<Normalised, Unmapped> {
    let raw = request.headers.get(RAW).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let known = request.json.is_some_and(message::is_known);
    if !raw && !known {
        return Err(Unmapped::new(match request.json {
            Some(_) => "the body is neither an SNS message nor an alarm",
            None => "the body is not JSON",
        }));
    }
    let text = String::from_utf8_lossy(request.body);
    let message = Message {
        json: request.json.cloned(),
        text: &text,
        subject: None,
        topic: request.headers.get("x-amz-sns-topic-arn").and_then(|arn| read::shown(arn.into())).map(Cow::into_owned),
        envelope: None,
        at: String::new(),
        published_at: None,
    };
    let delivery_id = request.headers.get("x-amz-sns-message-id").filter(|_| raw).map(str::to_owned);
    Ok(Normalised { delivery_id, ..Normalised::many(message.items(options, request)) })
}

fn enveloped(envelope: &Envelope<'_>, at: &str, options: &Options, request: &Request<'_>, normalised: &mut Normalised) {
    match envelope.kind {
        Kind::Notification => {
            let place = if envelope.fields.get("Message").is_some() { format!("{at}/Message") } else { at.to_owned() };
            let inner = envelope.fields.get("Message").unwrap_or(&Value::Null);
            let text = read::scalar(inner).unwrap_or_default();
            let json = match inner {
                Value::Object(_) | Value::Array(_) => Some(inner.clone()),
                _ => crate::json::parse_lenient(text.as_bytes()).ok().map(|parsed| parsed.value),
            };
            let subject = envelope.text("Subject");
            let sent = envelope.fields.get("Timestamp").and_then(read::time);
            let published_at = Timestamp::trusted(sent, request.received_at);
            let message = Message {
                json,
                text: &text,
                subject,
                topic: read::owned(envelope.fields, "TopicArn"),
                envelope: Some(*envelope),
                at: place,
                published_at,
            };
            normalised.items.extend(message.items(options, request));
            normalised.delivery_id = read::owned(envelope.fields, "MessageId");
        }
        Kind::SubscriptionConfirmation => {
            let topic = read::field(envelope.fields, "TopicArn").unwrap_or("(unnamed)".into());
            let named = options.topics.iter().find(|named| **named == topic);
            normalised.confirm = named
                .zip(envelope.text("SubscribeURL"))
                .map(|(topic, url)| Confirm { topic: topic.clone(), url: url.to_owned() });
            normalised.note = Some(match normalised.confirm {
                Some(_) => format!("the subscription of {topic} is confirmed by a visit to its SubscribeURL").into(),
                None => options.pending(&topic).into(),
            });
            normalised.reply = Some(Reply::ok("{\"status\":\"success\"}"));
        }
        Kind::UnsubscribeConfirmation => {
            let topic = read::field(envelope.fields, "TopicArn").unwrap_or("(unnamed)".into());
            normalised.note = Some(
                format!("{topic} does not deliver here any longer; subscribe this URL again in Amazon SNS if that was not meant")
                    .into(),
            );
            normalised.reply = Some(Reply::ok("{\"status\":\"success\"}"));
        }
    }
}
