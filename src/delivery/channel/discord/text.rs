//! How a message looks in Discord.
//!
//! <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>: a title of 256, a description of 4,096, fields of
//! 1,024, and 6,000 in all; a message's text of 2,000. A backslash takes its meaning from every sign of the Markdown.

use serde_json::{Value, json};

use super::super::mention::BREAK;
use super::super::shown::Shown;
use super::{Unit, limit};

/// Units of a message's text.
const CONTENT_MAX: usize = 2_000;
/// Units of an embed's title.
const TITLE_MAX: usize = 256;
/// Units of an embed's description and of a field's value, which together stay below what an embed may have.
const DESCRIPTION_MAX: usize = 2_000;
const VALUE_MAX: usize = 400;

/// A message with its facts.
pub fn embed(shown: &Shown<'_>, timestamp: &str) -> Value {
    let line = shown.line();
    let title = cut(&line, TITLE_MAX);
    // What had no room in the title.
    let long = (Unit::Utf16.length(&line) > TITLE_MAX).then_some(shown.title.as_ref());
    let notes = Some(shown.notes.as_str()).filter(|notes| !notes.is_empty());
    let description = long.into_iter().chain(notes).collect::<Vec<_>>().join("\n");
    let fields: Vec<Value> = shown
        .facts
        .iter()
        .map(|fact| {
            // A reader sees a time in their own zone.
            let value = fact.time.map_or_else(|| cut(&fact.text, VALUE_MAX), |seconds| format!("<t:{seconds}:f>"));
            json!({ "name": fact.name, "value": value, "inline": true })
        })
        .collect();
    let mut embed = json!({ "title": title, "color": shown.tone.rgb(), "fields": fields, "timestamp": timestamp });
    if let Some(members) = embed.as_object_mut() {
        members.extend(shown.link.as_ref().map(|link| ("url".to_owned(), json!(link.url))));
        members.extend((!description.is_empty()).then(|| ("description".to_owned(), json!(cut(&description, DESCRIPTION_MAX)))));
    }
    embed
}

/// All of it without an embed.
pub fn plain(shown: &Shown<'_>, mentions: &[&str]) -> String {
    let called = mentions.iter().map(|mention| format!("{mention} ")).collect::<String>();
    // In angle brackets a link has no preview.
    let link = shown.link.as_ref().map(|link| format!("<{}>", link.url));
    let text = shown.plain(link.as_deref(), CONTENT_MAX - Unit::Utf16.length(&called), Unit::Utf16, escape_unguarded);
    called + &text
}

fn cut(text: &str, max: usize) -> String {
    limit::cut_escaped(text, max, Unit::Utf16, escape)
}

fn escape(character: char, out: &mut String) {
    if "\\*_~`|>#-[]()<@:".contains(character) {
        out.push('\\');
    }
    out.push(character);
}

/// As [`escape`], where nothing but the text itself says who is called: `@everyone` is no mention with a break in it.
pub fn escape_unguarded(character: char, out: &mut String) {
    escape(character, out);
    if character == '@' {
        out.push(BREAK);
    }
}
