//! Telegram, by a bot: one message an incident, changed in place.
//!
//! <https://core.telegram.org/bots/api#sendmessage>, <https://core.telegram.org/bots/api#html-style>. A text may have 4,096 characters
//! after its markup is read; it is counted before, in UTF-16 units, which is never less. In HTML style `<`, `>` and `&` are all that
//! has a meaning. A user name or an address in the text still becomes a link: the one thing that cannot be turned off.

use serde_json::{Value, json};

use super::{Channel, Letter, Parcel, Sending, Target, mask};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::{Message, Occasion};
use crate::secret::Secret;

/// Telegram.
pub struct Telegram;

/// Units of a message's text.
const TEXT_MAX: usize = 4_096;
/// Units of its parts, which together with all that is ours stay below.
const TITLE_MAX: usize = 1_200;
const NOTES_MAX: usize = 1_000;
const SHORT_MAX: usize = 300;
const URL_MAX: usize = 600;

impl Channel for Telegram {
    fn kind(&self) -> &'static str {
        "telegram"
    }

    fn name(&self) -> &'static str {
        "Telegram"
    }

    fn docs(&self) -> &'static str {
        "https://core.telegram.org/bots/api#sendmessage"
    }

    fn problems(&self, target: &Target) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let token = target.token.as_ref().map(Secret::expose).unwrap_or_default();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
        if token.is_empty() || !token.bytes().all(good) {
            problems.push(("token", "must be the bot's token, as BotFather shows it".to_owned()));
        }
        if target.text("chat_id").is_none() && !target.options.get("chat_id").is_some_and(Value::is_number) {
            problems.push(("chat_id", "must be the chat's number, or @name of a public channel".to_owned()));
        }
        problems
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        Ok(addressed(target, letter, json!({ "text": html(letter.message), "parse_mode": "HTML" })).into())
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let text = letter.message.plain();
        Some(addressed(target, letter, json!({ "text": limit::cut(&text, TEXT_MAX, Unit::Utf16) })).into())
    }

    fn remember(&self, _target: &Target, body: &[u8]) -> Option<Value> {
        answer(body, "/result/message_id").filter(Value::is_i64)
    }

    fn status(&self, _target: &Target, status: u16, body: &[u8]) -> u16 {
        // An edit that changes nothing is refused, though what is shown is what should be.
        let unchanged = status == 400 && answer(body, "/description").is_some_and(|text| text.as_str().is_some_and(is_unchanged));
        if unchanged { 200 } else { status }
    }

    fn retry_after(&self, body: &[u8]) -> Option<String> {
        answer(body, "/parameters/retry_after")?.as_u64().map(|seconds| seconds.to_string())
    }

    fn masked_url(&self, url: &str) -> String {
        mask::masked(url, |segment| segment.text.starts_with("bot"))
    }
}

/// What stands there in an answer.
fn answer(body: &[u8], pointer: &str) -> Option<Value> {
    serde_json::from_slice::<Value>(body).ok()?.pointer(pointer).cloned()
}

fn is_unchanged(description: &str) -> bool {
    description.starts_with("Bad Request: message is not modified")
}

/// A new message, or a change of the one that is remembered.
fn addressed(target: &Target, letter: &Letter<'_>, mut body: Value) -> Parcel {
    let remembered = letter.remembered.filter(|id| id.is_i64());
    if let Some(members) = body.as_object_mut() {
        members.insert("chat_id".to_owned(), target.options.get("chat_id").cloned().unwrap_or_default());
        members.insert("link_preview_options".to_owned(), json!({ "is_disabled": true }));
        match (remembered, target.options.get("message_thread_id")) {
            (Some(id), _) => drop(members.insert("message_id".to_owned(), id.clone())),
            (None, Some(thread)) => drop(members.insert("message_thread_id".to_owned(), thread.clone())),
            (None, None) => {}
        }
    }
    let method = if remembered.is_some() { "editMessageText" } else { "sendMessage" };
    let token = target.token.as_ref().map(Secret::expose).unwrap_or_default();
    let base = target.url.expose().trim_end_matches('/');
    Parcel::json(&Secret::new(format!("{base}/bot{token}/{method}")), &body)
}

fn html(message: &Message) -> String {
    let short = |text: &str| escaped(text, SHORT_MAX);
    let title = escaped(message.title(), TITLE_MAX);
    let mut lines = vec![format!("{} <b>{}</b>", sign(message), message.heading()), title];
    if let Some(incident) = &message.incident {
        lines.push(format!("{} on {}", incident.severity.as_str(), short(&incident.source)));
        lines.push(format!("{}, since {}", short(&incident.service.name), short(&incident.first_seen)));
        if let Some(url) = incident.url.as_deref().filter(|url| url.len() <= URL_MAX) {
            // In an attribute a quote ends it.
            let url = limit::cut_escaped(url, 6 * URL_MAX, Unit::Utf16, escape_quoted);
            lines.push(format!("<a href=\"{url}\">Incident {}</a>", incident.number));
        }
    }
    if let Some(change) = &message.change {
        lines.push(short(change.source.as_deref().unwrap_or(&change.integration.name)));
    }
    if !message.notes.is_empty() {
        lines.push(format!("<i>{}</i>", escaped(&message.notes.join("\n"), NOTES_MAX)));
    }
    lines.join("\n")
}

fn sign(message: &Message) -> &'static str {
    match message.event {
        Occasion::Resolved => "✅",
        Occasion::Acknowledged => "👀",
        Occasion::Change => "🔧",
        Occasion::Test => "🔔",
        _ => "🔥",
    }
}

fn escaped(text: &str, max: usize) -> String {
    limit::cut_escaped(text, max, Unit::Utf16, escape)
}

fn escape(character: char, out: &mut String) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    }
}

fn escape_quoted(character: char, out: &mut String) {
    if character == '"' { out.push_str("&quot;") } else { escape(character, out) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{incident, letter, parcel, plain, target};
    use super::*;

    fn chat() -> Target {
        let mut target = target("https://api.telegram.example");
        target.options = json!({ "chat_id": -1001, "message_thread_id": 5 }).as_object().unwrap().clone();
        target
    }

    fn sent(parcel: &Parcel) -> Value {
        serde_json::from_slice(&parcel.body).unwrap()
    }

    #[test]
    fn the_first_is_sent_and_what_follows_changes_it() {
        let message = incident("<b>&\"");
        let first = parcel(&Telegram, &chat(), &letter(&message));
        assert_eq!(first.url.expose(), "https://api.telegram.example/botthe-token/sendMessage");
        let body = sent(&first);
        assert_eq!((&body["chat_id"], &body["message_thread_id"]), (&json!(-1001), &json!(5)));
        assert!(body["text"].as_str().unwrap().contains("\n&lt;b&gt;&amp;\"\n"), "{body}");
        let remembered = Telegram.remember(&chat(), br#"{"ok": true, "result": {"message_id": 42}}"#);
        let next = Letter { remembered: remembered.as_ref(), ..letter(&message) };
        let second = parcel(&Telegram, &chat(), &next);
        assert!(second.url.expose().ends_with("/editMessageText"));
        assert_eq!((&sent(&second)["message_id"], sent(&second).get("message_thread_id")), (&json!(42), None));
        assert_eq!(Telegram.remember(&chat(), b"<html>"), None);
    }

    #[test]
    fn a_destination_without_a_chat_or_a_token_is_refused() {
        let settings = |target: &Target| Telegram.problems(target).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(settings(&chat()), [""; 0]);
        assert_eq!(settings(&Target { token: Some(Secret::new("a/../b")), ..target("") }), ["token", "chat_id"]);
    }

    #[test]
    fn answers_are_read_as_what_they_amount_to() {
        let refused = |status, body: &str| Telegram.status(&chat(), status, body.as_bytes());
        let unchanged =
            r#"{"ok": false, "error_code": 400, "description": "Bad Request: message is not modified: specified new message"}"#;
        assert_eq!(refused(400, unchanged), 200);
        assert_eq!(refused(400, r#"{"ok": false, "description": "Bad Request: chat not found"}"#), 400);
        let slower = br#"{"ok": false, "error_code": 429, "parameters": {"retry_after": 33}}"#;
        assert_eq!(Telegram.retry_after(slower).as_deref(), Some("33"));
        assert_eq!(Telegram.retry_after(b"<html>"), None);
        assert_eq!(
            Telegram.masked_url("https://api.telegram.example/bot1:a/sendMessage"),
            "https://api.telegram.example/***/sendMessage"
        );
    }

    proptest! {
        #[test]
        fn every_text_is_within_the_limit(title in "(\\PC|[&<>\"\n]){0,20}", times in 1_usize..400) {
            let title = title.repeat(times);
            let mut message = incident(&title);
            message.notes = vec![title.clone()];
            if let Some(incident) = &mut message.incident {
                (incident.source, incident.service.name) = (title.clone(), title.clone());
                incident.url = Some(format!("https://callbox.example/{}", title.chars().take(100).collect::<String>()));
            }
            for parcel in [parcel(&Telegram, &chat(), &letter(&message)), plain(&Telegram, &chat(), &letter(&message))] {
                let length = Unit::Utf16.length(sent(&parcel)["text"].as_str().unwrap());
                prop_assert!((1..=TEXT_MAX).contains(&length), "{length}");
            }
        }
    }
}
