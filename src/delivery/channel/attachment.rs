//! A message in the form that Slack took before Block Kit, which others took over: Mattermost, and Discord at `/slack`.
//!
//! <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>,
//! <https://developers.mattermost.com/integrate/reference/message-attachments/>. Limits are those of whoever takes the least: Discord,
//! which makes an embed of it (a title of 256, fields of 1,024, 6,000 in all).

use serde_json::{Value, json};

use super::shown::Shown;
use crate::delivery::limit::{self, Unit};

/// Units of the line above, which Discord shows as the message's text.
const TEXT_MAX: usize = 1_500;
/// Units of the notes.
const NOTES_MAX: usize = 1_500;
/// Units of a field's value.
const VALUE_MAX: usize = 400;

/// A message: a line with who is called, and below it what is known. `escape` is the receiver's.
pub fn body(shown: &Shown<'_>, mentions: &[&str], escape: fn(char, &mut String)) -> Value {
    let cut = |text: &str, max: usize| limit::cut_escaped(text, max, Unit::Utf16, escape);
    let line = format!("**{}:** {}", shown.heading, cut(&shown.title, TEXT_MAX));
    let text = mentions.iter().copied().chain(Some(line.as_str())).collect::<Vec<_>>().join(" ");
    let fields: Vec<Value> = shown
        .facts
        .iter()
        .map(|fact| json!({ "title": fact.name, "value": cut(&fact.text, VALUE_MAX), "short": true }))
        .collect();
    let mut attachment = json!({
        "fallback": cut(&shown.place(), VALUE_MAX),
        "color": shown.tone.hex(),
        "text": cut(&shown.notes, NOTES_MAX),
        "fields": fields,
    });
    if let (Some(link), Some(members)) = (&shown.link, attachment.as_object_mut()) {
        members.insert("title".to_owned(), json!(link.label));
        members.insert("title_link".to_owned(), json!(link.url));
    }
    let empty = shown.facts.is_empty() && shown.notes.is_empty();
    let attachments = if empty { json!([]) } else { json!([attachment]) };
    json!({ "text": text, "attachments": attachments })
}
