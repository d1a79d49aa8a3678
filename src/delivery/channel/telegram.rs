//! Telegram, by a bot: one message an incident, changed in place.
//!
//! <https://core.telegram.org/bots/api#sendmessage>, <https://core.telegram.org/bots/api#html-style>. A text may have 4,096 characters
//! after its markup is read; its parts are counted before, in UTF-16 units, which is never less. In HTML style `<`, `>` and `&` are all that
//! has a meaning; a user's name calls them by itself, so its `@` is broken. What asks somebody to look is a reply to the message, because
//! an edit rings nobody's phone.

use serde_json::{Value, json};

use super::printable;
use super::settings::{self, Problem, Settings};
use super::shown::{self, Shown};
use super::{Channel, Letter, Parcel, Sending, Target, mask, mention};
use crate::delivery::limit::{self, Unit};
use crate::secret::Secret;

/// Telegram.
pub struct Telegram;

/// Where the Bot API is.
const API: &str = "https://api.telegram.org";

/// Units of a message's text.
const TEXT_MAX: usize = 4_096;
/// Units of its parts, which together with all that is ours stay below.
const TITLE_MAX: usize = 1_000;
const NOTES_MAX: usize = 500;
const VALUE_MAX: usize = 150;

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

    fn options(&self) -> &'static [&'static str] {
        &["chat_id", "message_thread_id", "mentions"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.own_url();
        settings.token(|token| settings::is_word(token, ":_-"), "the bot's token, as BotFather shows it");
        if !target.options.get("chat_id").is_some_and(is_chat) {
            settings.wrong("chat_id", "must be the chat's number, or @name of a public channel");
        }
        if target.options.get("message_thread_id").is_some_and(|id| !id.is_u64()) {
            settings.wrong("message_thread_id", "must be the number of a topic, or left out");
        }
        mention::check(&mut settings, target, is_mention, "@name");
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let text = html(&Shown::of(letter.message), &mention::of(target, letter.message, is_mention));
        Ok(addressed(target, letter, json!({ "text": text, "parse_mode": "HTML" })))
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let shown = Shown::of(letter.message);
        let called = called(&mention::of(target, letter.message, is_mention));
        let link = shown.link.as_ref().map(|link| link.url.as_str());
        let text = shown.plain(link, TEXT_MAX - called.len(), Unit::Utf16, mention::broken_at);
        Some(addressed(target, letter, json!({ "text": called + &text })))
    }

    fn remember(&self, _target: &Target, body: &[u8]) -> Option<Value> {
        // A reply is not what is changed later. What stands in a forum's topic counts as a reply to the topic's beginning.
        let replies = answer(body, "/result/reply_to_message").is_some_and(|first| first.get("forum_topic_created").is_none());
        answer(body, "/result/message_id").filter(|id| id.is_i64() && !replies)
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

fn is_chat(id: &Value) -> bool {
    let number = |text: &str| text.strip_prefix('-').unwrap_or(text).parse::<u64>().is_ok();
    id.is_i64() || id.as_str().is_some_and(|text| number(text) || is_mention(text))
}

fn is_mention(text: &str) -> bool {
    text.strip_prefix('@').is_some_and(|name| settings::is_word(name, "_") && name.len() <= 32)
}

/// A new message, a change of the one that is remembered, or a reply to it.
fn addressed(target: &Target, letter: &Letter<'_>, mut body: Value) -> Sending {
    let remembered = letter.remembered.filter(|id| id.is_i64());
    let edited = remembered.filter(|_| !shown::pages(letter.message.event));
    if let Some(members) = body.as_object_mut() {
        let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
        set("chat_id", target.options.get("chat_id").cloned().unwrap_or_default());
        set("link_preview_options", json!({ "is_disabled": true }));
        match (edited, remembered) {
            (Some(id), _) => drop(set("message_id", id.clone())),
            (None, Some(id)) => drop(set("reply_parameters", json!({ "message_id": id, "allow_sending_without_reply": true }))),
            (None, None) => {}
        }
        if let Some(thread) = target.options.get("message_thread_id").filter(|_| edited.is_none()) {
            set("message_thread_id", thread.clone());
        }
    }
    let method = if edited.is_some() { "editMessageText" } else { "sendMessage" };
    let url = format!("{}/bot{}/{method}", target.base(API), target.token());
    Parcel::json(&Secret::new(url), &body).into()
}

fn html(shown: &Shown<'_>, mentions: &[&str]) -> String {
    let sign = shown.tone.sign();
    let mut lines = vec![format!("{}{sign} <b>{}</b>", called(mentions), shown.heading), escaped(&shown.title, TITLE_MAX)];
    lines.extend(shown.facts.iter().map(|fact| format!("<b>{}:</b> {}", fact.name, escaped(&fact.text, VALUE_MAX))));
    lines.extend(Some(escaped(&shown.notes, NOTES_MAX)).filter(|notes| !notes.is_empty()));
    lines.extend(shown.link.as_ref().map(|link| format!("<a href=\"{}\">{}</a>", link.url.replace('&', "&amp;"), link.label)));
    lines.join("\n")
}

fn called(mentions: &[&str]) -> String {
    mentions.iter().map(|mention| format!("{mention} ")).collect()
}

fn escaped(text: &str, max: usize) -> String {
    limit::cut_escaped(text, max, Unit::Utf16, escape)
}

fn escape(character: char, out: &mut String) {
    match character {
        '@' => mention::broken_at(character, out),
        other => printable::escape_html(other, out),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{incident, known, letter, parcel, sent, target, with, wrong};
    use super::*;
    use crate::delivery::message::Occasion;

    fn chat() -> Target {
        with(known(target("https://api.telegram.example/"), "1:a"), &json!({ "chat_id": -1001, "message_thread_id": 5 }))
    }

    #[test]
    fn the_first_is_sent_and_what_follows_changes_it() {
        let mut message = incident("<b>&\" @ann");
        let first = parcel(&Telegram, &chat(), &letter(&message));
        assert_eq!(first.url.expose(), "https://api.telegram.example/bot1:a/sendMessage");
        let body = sent(&first);
        assert_eq!((&body["chat_id"], &body["message_thread_id"]), (&json!(-1001), &json!(5)));
        assert!(body["text"].as_str().unwrap().contains("\n&lt;b&gt;&amp;\" @\u{200b}ann\n"), "{body}");
        let answer =
            br#"{"ok": true, "result": {"message_id": 42, "reply_to_message": {"message_id": 5, "forum_topic_created": {}}}}"#;
        let remembered = Telegram.remember(&chat(), answer);
        let reply = br#"{"ok": true, "result": {"message_id": 43, "reply_to_message": {"message_id": 42}}}"#;
        assert_eq!((Telegram.remember(&chat(), reply), Telegram.remember(&chat(), b"<html>")), (None, None));
        message.event = Occasion::UnacknowledgedFor;
        let again = parcel(&Telegram, &chat(), &Letter { remembered: remembered.as_ref(), ..letter(&message) });
        assert_eq!(
            (again.url.expose().ends_with("/sendMessage"), &sent(&again)["reply_parameters"]["message_id"]),
            (true, &json!(42))
        );
        message.event = Occasion::Resolved;
        let end = parcel(&Telegram, &chat(), &Letter { remembered: remembered.as_ref(), ..letter(&message) });
        assert!(end.url.expose().ends_with("/editMessageText"));
        assert_eq!((&sent(&end)["message_id"], sent(&end).get("message_thread_id")), (&json!(42), None));
    }

    #[test]
    fn whom_the_destination_names_is_called() {
        let mut target = chat();
        target.options.insert("mentions".to_owned(), json!({ "high": ["@ann"] }));
        let message = incident("x");
        assert!(
            sent(&parcel(&Telegram, &target, &letter(&message)))["text"]
                .as_str()
                .unwrap()
                .starts_with("@ann 🔥 <b>Triggered</b>\nx\n")
        );
    }

    #[test]
    fn a_destination_without_a_chat_or_a_token_is_refused() {
        assert_eq!(wrong(&Telegram, &chat()), [""; 0]);
        assert_eq!(wrong(&Telegram, &known(target("x"), "a/../b")), ["url", "token", "chat_id"]);
        for (id, good) in [(json!("-1001"), true), (json!("@ops"), true), (json!("ops"), false), (json!(1.5), false)] {
            let target = with(known(target(""), "1:a"), &json!({ "chat_id": id }));
            assert_eq!(wrong(&Telegram, &target).is_empty(), good, "{id}");
        }
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
}
