//! Microsoft Teams, by a workflow that posts to a channel when a webhook request is received: an Adaptive Card.
//!
//! <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>,
//! <https://adaptivecards.io/explorer/RichTextBlock.html>. A message may have 28 KB. Text runs, unlike text blocks and facts, are not read as
//! Markdown: so everything that a tool said stands in them, and needs no escape.

use serde_json::{Value, json};

use super::{Channel, Letter, Parcel, Sending, Target};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::{Message, Occasion};
use crate::event::Severity;

/// Microsoft Teams.
pub struct MsTeams;

/// Bytes of the texts of a card. A byte becomes at most six in JSON (`\u0001`), and the card around them takes less than 2 KB: so a
/// message stays below 28 KB whatever the texts are.
const TITLE_MAX: usize = 1_500;
const NOTES_MAX: usize = 1_000;
const SHORT_MAX: usize = 300;
const URL_MAX: usize = 500;

impl Channel for MsTeams {
    fn kind(&self) -> &'static str {
        "msteams"
    }

    fn name(&self) -> &'static str {
        "Microsoft Teams"
    }

    fn docs(&self) -> &'static str {
        "https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook"
    }

    fn problems(&self, _target: &Target) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        Ok(Parcel::json(&target.url, &envelope(card(letter.message))).into())
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let text = letter.message.plain();
        let text = limit::cut(&text, TITLE_MAX + NOTES_MAX, Unit::Bytes);
        Some(Parcel::json(&target.url, &envelope(json!([paragraph(&[run(&text)])]))).into())
    }
}

fn envelope(body: Value) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "msteams": { "width": "Full" },
            },
        }],
    })
}

fn card(message: &Message) -> Value {
    let heading = json!({ "type": "TextRun", "text": message.heading(), "weight": "Bolder", "color": colour(message) });
    let title = json!({ "type": "TextRun", "text": cut(message.title(), TITLE_MAX), "size": "Large", "weight": "Bolder" });
    let mut body = vec![paragraph(&[heading]), paragraph(&[title])];
    let mut fact = |name: &str, value: &str| {
        let name = json!({ "type": "TextRun", "text": format!("{name}: "), "weight": "Bolder" });
        body.push(paragraph(&[name, run(&cut(value, SHORT_MAX))]));
    };
    if let Some(incident) = &message.incident {
        fact("Severity", incident.severity.as_str());
        fact("Source", &incident.source);
        fact("Service", &incident.service.name);
        fact("Since", &incident.first_seen);
    }
    if let Some(change) = &message.change {
        fact("Source", change.source.as_deref().unwrap_or(&change.integration.name));
        fact("Service", &change.service.name);
    }
    if !message.notes.is_empty() {
        body.push(paragraph(&[run(&cut(&message.notes.join("\n"), NOTES_MAX))]));
    }
    let incident = message.incident.as_ref();
    if let Some(url) = incident.and_then(|incident| incident.url.as_deref()).filter(|url| url.len() <= URL_MAX) {
        let action = json!({ "type": "Action.OpenUrl", "title": "Open in Callbox", "url": url });
        body.push(json!({ "type": "ActionSet", "actions": [action] }));
    }
    Value::Array(body)
}

fn paragraph(runs: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs })
}

fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": text })
}

/// A run without text is refused.
fn cut(text: &str, max: usize) -> std::borrow::Cow<'_, str> {
    if text.trim().is_empty() { "–".into() } else { limit::cut(text, max, Unit::Bytes) }
}

/// The colours that a card has.
fn colour(message: &Message) -> &'static str {
    let severity = message.incident.as_ref().map(|incident| incident.severity);
    match (message.event, severity) {
        (Occasion::Resolved, _) => "Good",
        (Occasion::Acknowledged, _) => "Accent",
        (_, Some(Severity::Critical | Severity::Error)) => "Attention",
        (_, Some(Severity::Warning)) => "Warning",
        _ => "Default",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{incident, letter, parcel, plain, target};
    use super::*;

    const URL: &str = "https://workflows.example/invoke?sig=x";

    #[test]
    fn what_a_tool_said_stands_in_text_runs_alone() {
        let parcel = parcel(&MsTeams, &target(URL), &letter(&incident("[x](https://evil.example) **now**")));
        let body: Value = serde_json::from_slice(&parcel.body).unwrap();
        let card = &body["attachments"][0]["content"];
        assert_eq!((card["type"].as_str(), card["version"].as_str()), (Some("AdaptiveCard"), Some("1.4")));
        assert_eq!(card["body"][1]["inlines"][0]["text"], "[x](https://evil.example) **now**");
        let kinds: Vec<_> = card["body"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
        assert!(kinds.iter().all(|kind| ["RichTextBlock", "ActionSet"].contains(kind)), "{kinds:?}");
    }

    proptest! {
        #[test]
        fn a_message_is_below_28_kilobytes(title in "(\\PC|[\u{1}\"\\\\\n]){0,20}", times in 1_usize..400) {
            let title = title.repeat(times);
            let mut message = incident(&title);
            message.notes = vec![title.clone()];
            if let Some(incident) = &mut message.incident {
                (incident.source, incident.service.name) = (title.clone(), title);
            }
            for parcel in [parcel(&MsTeams, &target(URL), &letter(&message)), plain(&MsTeams, &target(URL), &letter(&message))] {
                prop_assert!(parcel.body.len() < 28_000, "{}", parcel.body.len());
            }
        }
    }
}
