//! Microsoft Teams, by a workflow that posts to a channel when a webhook request is received: an Adaptive Card.
//!
//! <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>,
//! <https://adaptivecards.io/explorer/RichTextBlock.html>. A message may have 28 KB. Text runs, unlike text blocks and facts, are not read as
//! Markdown: so everything that a tool said stands in them, and needs no escape. A workflow answers without an id, so nothing is changed
//! in place. The connectors that came before workflows refuse with 200 and a sentence.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::printable::verbatim;
use super::settings::{Problem, Settings};
use super::shown::{Shown, Tone};
use super::{Channel, Letter, Parcel, Sending, Target, mask, mention};
use crate::delivery::limit::{self, Unit};

/// Microsoft Teams.
pub struct MsTeams;

/// Bytes of the texts of a card. A byte becomes at most two in JSON; the card around them takes less than 4 KB and whom it calls less
/// than 12 KB: so a message stays below 28 KB whatever the texts are.
const TITLE_MAX: usize = 2_500;
const NOTES_MAX: usize = 1_500;
const VALUE_MAX: usize = 250;

/// How a connector begins to say that it was refused by what is behind it; the status follows.
const REFUSED: &str = "Microsoft Teams endpoint returned HTTP error ";

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

    fn options(&self) -> &'static [&'static str] {
        &["mentions"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.url("the workflow's URL, as Teams shows it once the workflow is saved");
        mention::check(&mut settings, target, is_mention, "people's user principal names: ann@example.com");
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let mentions = mention::of(target, letter.message, is_mention);
        Ok(Parcel::json(&target.url, &envelope(card(&Shown::of(letter.message), &mentions), &mentions)).into())
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let shown = Shown::of(letter.message);
        let link = shown.link.as_ref().map(|link| link.url.as_str());
        let text = shown.plain(link, TITLE_MAX + NOTES_MAX, Unit::Bytes, verbatim);
        Some(Parcel::json(&target.url, &envelope(vec![paragraph(&[run(&text)])], &[])).into())
    }

    fn status(&self, _target: &Target, status: u16, body: &[u8]) -> u16 {
        let said = std::str::from_utf8(body).ok().and_then(|text| text.split_once(REFUSED)?.1.get(..3)?.parse().ok());
        said.filter(|said| (200..300).contains(&status) && (400..600).contains(said)).unwrap_or(status)
    }

    fn masked_url(&self, url: &str) -> String {
        // What lets anybody post is the parameter `sig`, or with the connectors before workflows the path.
        mask::masked(url, |segment| segment.after("IncomingWebhook").is_some())
    }
}

/// A user principal name (<https://learn.microsoft.com/en-us/microsoftteams/platform/task-modules-and-cards/cards/cards-format#mention-support-within-adaptive-cards>).
fn is_mention(text: &str) -> bool {
    let part = |text: &str| super::settings::is_word(text, "._+-");
    text.len() <= 113 && text.split_once('@').is_some_and(|(name, domain)| part(name) && part(domain))
}

fn envelope(body: Vec<Value>, mentions: &[&str]) -> Value {
    let entity =
        |name: &&str| json!({ "type": "mention", "text": format!("<at>{name}</at>"), "mentioned": { "id": name, "name": name } });
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
                "msteams": { "width": "Full", "entities": mentions.iter().map(entity).collect::<Vec<_>>() },
            },
        }],
    })
}

fn card(shown: &Shown<'_>, mentions: &[&str]) -> Vec<Value> {
    let heading = json!({ "type": "TextRun", "text": shown.heading, "weight": "Bolder", "color": colour(shown.tone) });
    let title = json!({ "type": "TextRun", "text": cut(&shown.title, TITLE_MAX), "size": "Large", "weight": "Bolder" });
    let mut body = vec![paragraph(&[heading]), paragraph(&[title])];
    body.extend(shown.facts.iter().map(|fact| {
        let name = json!({ "type": "TextRun", "text": format!("{}: ", fact.name), "weight": "Bolder" });
        paragraph(&[name, run(&cut(&fact.text, VALUE_MAX))])
    }));
    if !shown.notes.is_empty() {
        body.push(paragraph(&[run(&cut(&shown.notes, NOTES_MAX))]));
    }
    if !mentions.is_empty() {
        let text = mentions.iter().map(|name| format!("<at>{name}</at>")).collect::<Vec<_>>().join(" ");
        body.push(json!({ "type": "TextBlock", "text": text, "wrap": true }));
    }
    if let Some(link) = &shown.link {
        let action = json!({ "type": "Action.OpenUrl", "title": link.label, "url": link.url });
        body.push(json!({ "type": "ActionSet", "actions": [action] }));
    }
    body
}

fn paragraph(runs: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs })
}

fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": text })
}

fn cut(text: &str, max: usize) -> Cow<'_, str> {
    limit::cut(text, max, Unit::Bytes)
}

/// The colours that a card has.
const fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Over => "Good",
        Tone::Seen => "Accent",
        Tone::Critical | Tone::Error => "Attention",
        Tone::Warning => "Warning",
        Tone::Quiet => "Default",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{incident, letter, parcel, sent, target, with, wrong};
    use super::*;

    const URL: &str = "https://workflows.example/invoke?sig=x";

    #[test]
    fn what_a_tool_said_stands_in_text_runs_alone() {
        let message = incident("[x](https://evil.example) **now**");
        let body = sent(&parcel(&MsTeams, &target(URL), &letter(&message)));
        let card = &body["attachments"][0]["content"];
        assert_eq!((card["type"].as_str(), card["version"].as_str()), (Some("AdaptiveCard"), Some("1.4")));
        assert_eq!(card["body"][1]["inlines"][0]["text"], "[x](https://evil.example) **now**");
        let kinds: Vec<_> = card["body"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
        assert!(kinds.iter().all(|kind| ["RichTextBlock", "ActionSet"].contains(kind)), "{kinds:?}");
    }

    #[test]
    fn whom_the_destination_names_is_called() {
        let target = with(target(URL), &json!({ "mentions": ["ann@example.com"] }));
        assert_eq!(wrong(&MsTeams, &target), [""; 0]);
        let message = incident("x");
        let body = sent(&parcel(&MsTeams, &target, &letter(&message)));
        let card = &body["attachments"][0]["content"];
        let entity = json!({ "type": "mention", "text": "<at>ann@example.com</at>", "mentioned": { "id": "ann@example.com", "name": "ann@example.com" } });
        assert_eq!(card["msteams"]["entities"], json!([entity]));
        assert!(card["body"].as_array().unwrap().iter().any(|block| block["text"] == "<at>ann@example.com</at>"));
    }

    #[test]
    fn a_refusal_with_200_is_one() {
        let status = |status, body: &str| MsTeams.status(&target(URL), status, body.as_bytes());
        let refused =
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x";
        assert_eq!((status(200, refused), status(200, "1"), status(202, ""), status(400, refused)), (429, 200, 202, 400));
        assert_eq!(wrong(&MsTeams, &with(target("x"), &json!({ "mentions": ["<at>x</at>"] }))), ["url", "mentions"]);
        assert_eq!(MsTeams.masked_url(URL), "https://workflows.example/invoke?sig=***");
    }
}
