//! How a message looks in Slack (<https://docs.slack.dev/reference/block-kit/blocks>).
//!
//! Slack counts characters. `<`, `>` and `&` are all that its markup gives a meaning beyond letters' looks
//! (<https://docs.slack.dev/messaging/formatting-message-text#escaping>): escaped, no text makes a link or calls anybody.

use serde_json::{Value, json};

use super::super::printable::escape_html;
use super::super::shown::{Fact, Shown};
use super::button;
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::Incident;

/// Characters of a section's text.
const SECTION_MAX: usize = 3_000;
/// Characters of a section's field; a section has room for ten.
const FIELD_MAX: usize = 2_000;
const FIELDS_MAX: usize = 10;
/// Characters of a message's text; Slack cuts at 40,000, and few screens show more than this.
const TEXT_MAX: usize = 3_000;

/// The text of a message: who is called, what happened, to what.
pub fn text(shown: &Shown<'_>, mentions: &[&str]) -> String {
    called(mentions, &format!("*{}:* {}", shown.heading, escaped(&shown.title, TEXT_MAX)))
}

/// All of it without blocks.
pub fn plain(shown: &Shown<'_>, mentions: &[&str]) -> String {
    let link = shown.link.as_ref().map(|link| escaped(&link.url, TEXT_MAX));
    called(mentions, &shown.plain(link.as_deref(), TEXT_MAX, Unit::Characters, escape_html))
}

/// A text for one person.
pub fn whisper(text: &str) -> String {
    escaped(text, TEXT_MAX)
}

/// What clients without attachments show in place of one.
pub fn fallback(shown: &Shown<'_>) -> String {
    escaped(&shown.place(), FIELD_MAX)
}

fn called(mentions: &[&str], text: &str) -> String {
    mentions.iter().copied().chain(Some(text)).collect::<Vec<_>>().join(" ")
}

/// What is known, the notes, and what can be done: the link, and the buttons of `incident`.
pub fn blocks(shown: &Shown<'_>, incident: Option<&Incident>) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !shown.facts.is_empty() {
        let fields: Vec<Value> = shown.facts.iter().take(FIELDS_MAX).map(field).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if !shown.notes.is_empty() {
        blocks.push(json!({ "type": "section", "text": mrkdwn(escaped(&shown.notes, SECTION_MAX)) }));
    }
    let mut elements: Vec<Value> = shown.link.iter().map(|link| button::link(&link.label, &link.url)).collect();
    elements.extend(incident.into_iter().flat_map(button::deeds));
    if !elements.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": elements }));
    }
    blocks
}

fn field(fact: &Fact<'_>) -> Value {
    let value = escaped(&fact.text, FIELD_MAX - fact.name.len() - 3);
    // A reader sees a time in their own zone.
    let value =
        fact.time.map_or(value.clone(), |seconds| format!("<!date^{seconds}^{{date_short_pretty}} {{time_secs}}|{value}>"));
    mrkdwn(format!("*{}*\n{value}", fact.name))
}

fn mrkdwn(text: String) -> Value {
    json!({ "type": "mrkdwn", "text": text })
}

fn escaped(text: &str, max: usize) -> String {
    limit::cut_escaped(text, max, Unit::Characters, escape_html)
}
