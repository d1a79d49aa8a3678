//! Slack, by an incoming webhook: Block Kit, within its limits, with nothing in it that pages a channel by accident.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/block-kit/blocks>. Slack counts characters. `<`, `>` and `&` are all that its markup gives a meaning
//! beyond letters' looks (<https://docs.slack.dev/messaging/formatting-message-text#escaping>): escaped, no text makes a link or mentions
//! anybody.

use serde_json::{Value, json};

use super::{Channel, Letter, Parcel, Sending, Target, mask};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::{Incident, Message, Occasion};
use crate::event::Severity;

/// Slack.
pub struct Slack;

/// Characters of a header block.
const HEADER_MAX: usize = 150;
/// Characters of a section's text.
const SECTION_MAX: usize = 3_000;
/// Characters of a section's field.
const FIELD_MAX: usize = 2_000;
/// Characters of the text of a notification; Slack cuts at 40,000, and few screens show more than this.
const TEXT_MAX: usize = 3_000;
/// Characters of a button's address.
const URL_MAX: usize = 3_000;

impl Channel for Slack {
    fn kind(&self) -> &'static str {
        "slack"
    }

    fn name(&self) -> &'static str {
        "Slack"
    }

    fn docs(&self) -> &'static str {
        "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"
    }

    fn problems(&self, _target: &Target) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let message = letter.message;
        let text = escaped(&format!("{}: {}", message.heading(), message.title()), TEXT_MAX);
        let body = json!({
            "text": text,
            "attachments": [{ "color": colour(message), "fallback": text, "blocks": blocks(message) }],
            "unfurl_links": false,
            "unfurl_media": false,
        });
        Ok(Parcel::json(&target.url, &body).into())
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        Some(Parcel::json(&target.url, &json!({ "text": escaped(&letter.message.plain(), TEXT_MAX) })).into())
    }

    fn masked_url(&self, url: &str) -> String {
        // services/T…/B…/SECRET, and triggers/… of workflows.
        mask::masked(url, |segment| {
            segment.after("services").is_some_and(|place| place > 2) || segment.after("triggers").is_some()
        })
    }
}

fn blocks(message: &Message) -> Vec<Value> {
    // A header block is plain text, in which nothing is escaped.
    let header = limit::cut(message.title(), HEADER_MAX, Unit::Characters);
    let header = if header.trim().is_empty() { message.heading().into() } else { header };
    let mut blocks = vec![json!({ "type": "header", "text": { "type": "plain_text", "text": header, "emoji": false } })];
    if message.title().chars().count() > HEADER_MAX {
        blocks.push(section(&escaped(message.title(), SECTION_MAX)));
    }
    if let Some(incident) = &message.incident {
        let fields: Vec<Value> = fields(message, incident).into_iter().map(|(name, text)| field(name, &text)).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
        if let Some(url) = incident.url.as_deref().filter(|url| url.len() <= URL_MAX) {
            let label = json!({ "type": "plain_text", "text": format!("Incident {}", incident.number), "emoji": false });
            blocks.push(json!({ "type": "actions", "elements": [{ "type": "button", "text": label, "url": url }] }));
        }
    }
    if let Some(change) = &message.change {
        let source = change.source.as_deref().unwrap_or(&change.integration.name);
        let fields = [("What", message.heading()), ("Source", source), ("Service", &change.service.name)];
        let fields: Vec<Value> = fields.into_iter().map(|(name, text)| field(name, text)).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if !message.notes.is_empty() {
        blocks.push(section(&escaped(&message.notes.join("\n"), SECTION_MAX)));
    }
    blocks
}

/// What is shown of an incident; a section has room for ten.
fn fields(message: &Message, incident: &Incident) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("Status", message.heading().to_owned()),
        ("Severity", incident.severity.as_str().to_owned()),
        ("Source", incident.source.clone()),
        ("Service", incident.service.name.clone()),
        ("Since", incident.first_seen.clone()),
        ("From", incident.integration.name.clone()),
    ];
    let by = match message.event {
        Occasion::Acknowledged => incident.acknowledged_by.clone().map(|name| ("Acknowledged by", name)),
        Occasion::Resolved => incident.resolved_by.clone().map(|name| ("Resolved by", name)),
        _ => None,
    };
    fields.extend(by);
    fields
}

fn field(name: &str, text: &str) -> Value {
    let room = FIELD_MAX - name.len() - 3;
    json!({ "type": "mrkdwn", "text": format!("*{name}*\n{}", escaped(text, room)) })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

fn escaped(text: &str, max: usize) -> String {
    limit::cut_escaped(text, max, Unit::Characters, escape)
}

fn escape(character: char, out: &mut String) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    }
}

/// The bar beside a message: red, orange and yellow for what is open, blue for what somebody has seen, green for what is over.
fn colour(message: &Message) -> &'static str {
    let severity = message.incident.as_ref().map(|incident| incident.severity);
    match (message.event, severity) {
        (Occasion::Resolved, _) => "#2eb67d",
        (Occasion::Acknowledged, _) => "#1d9bd1",
        (_, Some(Severity::Critical)) => "#c4314b",
        (_, Some(Severity::Error)) => "#e8743b",
        (_, Some(Severity::Warning)) => "#ecb22e",
        _ => "#8d8d8d",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{incident, letter, parcel, target};
    use super::*;

    fn body(message: &Message) -> Value {
        let parcel = parcel(&Slack, &target("https://hooks.slack.example/services/T/B/x"), &letter(message));
        serde_json::from_slice(&parcel.body).unwrap()
    }

    /// Every text of a message with its kind.
    fn texts<'a>(value: &'a Value, found: &mut Vec<(&'a str, &'a str)>) {
        match value {
            Value::Object(members) => {
                if let (Some(kind), Some(text)) = (members.get("type"), members.get("text").and_then(Value::as_str)) {
                    found.push((kind.as_str().unwrap(), text));
                }
                members.values().for_each(|member| texts(member, found));
            }
            Value::Array(elements) => elements.iter().for_each(|element| texts(element, found)),
            _ => {}
        }
    }

    #[test]
    fn no_text_mentions_anybody_or_makes_a_link() {
        let body = body(&incident("<!channel> <@U123> <https://evil.example|click> & more"));
        assert_eq!(body["text"], "Triggered: &lt;!channel&gt; &lt;@U123&gt; &lt;https://evil.example|click&gt; &amp; more");
        let mut found = Vec::new();
        texts(&body, &mut found);
        assert!(found.iter().filter(|(kind, _)| *kind == "mrkdwn").all(|(_, text)| !text.contains(['<', '>'])), "{found:?}");
    }

    #[test]
    fn what_lets_anybody_post_is_not_shown() {
        assert_eq!(
            Slack.masked_url("https://hooks.slack.example/services/T1/B1/abc"),
            "https://hooks.slack.example/services/T1/B1/***"
        );
    }

    proptest! {
        #[test]
        fn every_text_is_within_its_limit_and_not_empty(title in "(\\PC|[<>&\"\n]){0,20}", times in 1_usize..400) {
            let title = title.repeat(times);
            let mut message = incident(&title);
            message.notes = vec![title.clone()];
            if let Some(incident) = &mut message.incident {
                incident.source = title;
            }
            let body = body(&message);
            let mut found = Vec::new();
            texts(&body, &mut found);
            for (kind, text) in found {
                let max = if kind == "plain_text" { HEADER_MAX } else { SECTION_MAX };
                prop_assert!(text.chars().count() <= max);
                prop_assert!(kind != "plain_text" || !text.trim().is_empty());
            }
            for field in body["attachments"][0]["blocks"][1]["fields"].as_array().into_iter().flatten() {
                prop_assert!(field["text"].as_str().unwrap().chars().count() <= FIELD_MAX);
            }
        }
    }
}
