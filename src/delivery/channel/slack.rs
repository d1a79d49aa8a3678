//! Slack, by an incoming webhook or by a bot: Block Kit, within its limits, with nobody in it called but whom the destination names.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/methods/chat.postMessage>, <https://docs.slack.dev/reference/methods/chat.update>. A bot posts one
//! message an incident and changes it when somebody acknowledges or it is over; what happens between stands in its thread, and what asks
//! somebody to look is shown in the channel too, because an edit rings nobody's phone. The Web API refuses with 200 and `"ok": false`.

mod blocks;
mod button;

use serde_json::{Value, json};

use super::settings::{self, Problem, Settings};
use super::shown::Shown;
use super::{Channel, Letter, Parcel, Press, Sending, Target, mask, mention};
use crate::delivery::message::Occasion;
use crate::secret::Secret;
use crate::signature::{self, Scheme};

/// Slack.
pub struct Slack;

/// Where the Web API is.
const API: &str = "https://slack.com/api";

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

    fn options(&self) -> &'static [&'static str] {
        &["channel", "mentions", "buttons"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        if target.token.is_some() {
            settings.own_url();
            settings.token(|token| token.starts_with("xox"), "the app's bot token: xoxb-…");
            let id =
                |text: &str| settings::is_word(text, "") || text.strip_prefix('#').is_some_and(|name| !name.trim().is_empty());
            settings.text("channel", true, id, "the channel's id (C…), as its details show it at the bottom");
        } else {
            settings.url("the incoming webhook's URL: https://hooks.slack.com/services/…; or give the token of a bot");
            settings.text("channel", false, |_| false, "left out: an incoming webhook knows its channel");
        }
        settings.flag("buttons");
        mention::check(&mut settings, target, is_mention, "<@U…> (a person), <!subteam^S…> (a group), <!here> or <!channel>");
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let message = letter.message;
        let shown = Shown::of(message);
        let text = blocks::text(&shown, &mention::of(target, message, is_mention));
        let blocks = blocks::blocks(&shown, message.incident.as_ref().filter(|_| has_buttons(target)));
        let attachment = json!({ "color": shown.tone.hex(), "fallback": blocks::fallback(&shown), "blocks": blocks });
        let attachments = if blocks.is_empty() { json!([]) } else { json!([attachment]) };
        Ok(addressed(target, letter, json!({ "text": text, "attachments": attachments })))
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let text = blocks::plain(&Shown::of(letter.message), &mention::of(target, letter.message, is_mention));
        Some(addressed(target, letter, json!({ "text": text, "attachments": [] })))
    }

    fn remember(&self, _target: &Target, body: &[u8]) -> Option<Value> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        let (channel, ts) = (answer.get("channel")?.as_str()?, answer.get("ts")?.as_str()?);
        // What stands in a thread is not what is changed later.
        let in_thread = answer.pointer("/message/thread_ts").is_some_and(|thread| thread != ts);
        (!in_thread).then(|| json!({ "channel": channel, "ts": ts }))
    }

    fn status(&self, _target: &Target, status: u16, body: &[u8]) -> u16 {
        let refusal = || -> Option<String> {
            let answer: Value = serde_json::from_slice(body).ok()?;
            let error = || answer.get("error").and_then(Value::as_str).unwrap_or_default().to_owned();
            (answer.get("ok") == Some(&Value::Bool(false))).then(error)
        };
        match refusal().filter(|_| (200..300).contains(&status)).as_deref() {
            None => status,
            Some("ratelimited" | "rate_limited" | "message_limit_exceeded") => 429,
            Some("internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "team_added_to_org") => 503,
            Some("invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired") => 401,
            Some("channel_not_found") => 404,
            Some(_) => 400,
        }
    }

    fn buttons_signed_by(&self) -> Option<Scheme> {
        Some(Scheme::Hmac(signature::SLACK))
    }

    fn whisper(&self, text: &str) -> Value {
        json!({ "response_type": "ephemeral", "replace_original": false, "text": blocks::whisper(text) })
    }

    fn pressed(&self, body: &[u8]) -> Option<Press> {
        button::pressed(body)
    }

    fn masked_url(&self, url: &str) -> String {
        // services/T…/B…/SECRET, and triggers/… of workflows.
        mask::masked(url, |segment| {
            segment.after("services").is_some_and(|place| place > 2) || segment.after("triggers").is_some()
        })
    }
}

/// Whether messages have buttons: only where what comes of them can be verified, and nobody said no.
fn has_buttons(target: &Target) -> bool {
    let unwanted = target.options.get("buttons") == Some(&Value::Bool(false));
    !unwanted && target.signing.iter().any(|secret| !secret.expose().is_empty())
}

/// To a webhook, or by a bot: as a new message, as a change of the one that is remembered, or into its thread.
fn addressed(target: &Target, letter: &Letter<'_>, mut body: Value) -> Sending {
    let mut set = |name: &str, value: Value| body.as_object_mut().map(|members| members.insert(name.to_owned(), value));
    set("unfurl_links", json!(false));
    set("unfurl_media", json!(false));
    if target.token.is_none() {
        return Parcel::json(&target.url, &body).into();
    }
    let remembered = letter.remembered.and_then(|value| Some((value.get("channel")?.as_str()?, value.get("ts")?.as_str()?)));
    let ends = matches!(letter.message.event, Occasion::Acknowledged | Occasion::Resolved);
    set("channel", json!(remembered.map(|(channel, _)| channel).or_else(|| target.text("channel"))));
    let method = match remembered {
        Some((_, ts)) if ends => {
            set("ts", json!(ts));
            "chat.update"
        }
        Some((_, ts)) => {
            set("thread_ts", json!(ts));
            set("reply_broadcast", json!(super::shown::pages(letter.message.event)));
            "chat.postMessage"
        }
        None => "chat.postMessage",
    };
    let url = Secret::new(format!("{}/{method}", target.base(API)));
    Parcel::json_utf8(&url, &body).bearer(target.token()).into()
}

/// A mention as Slack writes it (<https://docs.slack.dev/messaging/formatting-message-text#mentioning-users>).
fn is_mention(text: &str) -> bool {
    let id = |rest: &str| rest.strip_suffix('>').is_some_and(|id| settings::is_word(id, ""));
    matches!(text, "<!here>" | "<!channel>" | "<!everyone>")
        || ["<@", "<!subteam^"].iter().any(|start| text.strip_prefix(start).is_some_and(id))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{header, incident, known, letter, parcel, plain, sent, target, with, wrong};
    use super::*;
    use crate::delivery::message::Message;

    fn hook() -> Target {
        target("https://hooks.slack.example/services/T1/B1/abc")
    }

    fn bot() -> Target {
        with(known(target(""), "xoxb-1"), &json!({ "channel": "C1", "buttons": true }))
    }

    fn posted(event: Occasion, remembered: Option<&Value>) -> (String, Value) {
        let message = Message { event, ..incident("The disk is full") };
        let parcel = parcel(&Slack, &bot(), &Letter { remembered, ..letter(&message) });
        assert_eq!(header(&parcel, "authorization"), Some("Bearer xoxb-1"));
        (parcel.url.expose().to_owned(), sent(&parcel))
    }

    #[test]
    fn an_incident_is_one_message_changed_in_place_with_a_thread() {
        let (url, body) = posted(Occasion::Triggered, None);
        assert_eq!((url.as_str(), &body["channel"]), ("https://slack.com/api/chat.postMessage", &json!("C1")));
        let first = Slack.remember(&bot(), br#"{"ok": true, "channel": "C9", "ts": "1.2", "message": {"text": ""}}"#).unwrap();
        let (url, body) = posted(Occasion::UnacknowledgedFor, Some(&first));
        assert!(url.ends_with("/chat.postMessage"));
        assert_eq!((&body["thread_ts"], &body["reply_broadcast"], &body["channel"]), (&json!("1.2"), &json!(true), &json!("C9")));
        let reply = br#"{"ok": true, "channel": "C9", "ts": "3.4", "message": {"thread_ts": "1.2"}}"#;
        assert_eq!(Slack.remember(&bot(), reply), None, "the first stays the one to change");
        let (_, body) = posted(Occasion::Updated, Some(&first));
        assert_eq!(body["reply_broadcast"], false);
        for event in [Occasion::Acknowledged, Occasion::Resolved] {
            let (url, body) = posted(event, Some(&first));
            assert_eq!(
                (url.as_str(), &body["ts"], body.get("thread_ts")),
                ("https://slack.com/api/chat.update", &json!("1.2"), None)
            );
        }
    }

    #[test]
    fn an_answer_is_read_as_what_it_amounts_to() {
        let amounts = |error: &str| Slack.status(&bot(), 200, format!(r#"{{"ok": false, "error": "{error}"}}"#).as_bytes());
        let expected = [
            ("ratelimited", 429),
            ("internal_error", 503),
            ("invalid_auth", 401),
            ("channel_not_found", 404),
            ("msg_too_long", 400),
        ];
        for (error, status) in expected {
            assert_eq!(amounts(error), status, "{error}");
        }
        assert_eq!(Slack.status(&bot(), 200, br#"{"ok": true}"#), 200);
        assert_eq!(Slack.status(&hook(), 200, b"ok"), 200);
        assert_eq!(Slack.status(&hook(), 404, b"no_service"), 404);
        assert_eq!(Slack.status(&bot(), 500, br#"{"ok": false}"#), 500);
    }

    #[test]
    fn only_whom_the_destination_names_is_called() {
        let target = with(hook(), &json!({ "mentions": { "critical": ["<!subteam^S1>", "<@U2>"], "low": ["<!channel>"] } }));
        assert!(Slack.problems(&target).is_empty());
        let mut message = incident("<!channel> <@U123> <https://evil.example|click> & more");
        let text = sent(&parcel(&Slack, &target, &letter(&message)))["text"].clone();
        let escaped = "&lt;!channel&gt; &lt;@U123&gt; &lt;https://evil.example|click&gt; &amp; more";
        assert_eq!(text, format!("<!subteam^S1> <@U2> *Triggered:* {escaped}"));
        assert!(
            sent(&plain(&Slack, &target, &letter(&message)))["text"]
                .as_str()
                .unwrap()
                .starts_with("<!subteam^S1> <@U2> Triggered: &lt;!")
        );
        message.event = Occasion::Resolved;
        assert_eq!(sent(&parcel(&Slack, &target, &letter(&message)))["text"], format!("*Resolved:* {escaped}"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!((wrong(&Slack, &hook()), wrong(&Slack, &bot())), (vec![], vec![]));
        assert_eq!(wrong(&Slack, &target("")), ["url"]);
        assert_eq!(wrong(&Slack, &known(target(""), "abc")), ["token", "channel"]);
        assert_eq!(
            wrong(&Slack, &with(hook(), &json!({ "channel": "C1", "buttons": 1, "mentions": ["@here"] }))),
            ["channel", "buttons", "mentions"]
        );
    }

    #[test]
    fn buttons_are_shown_where_what_comes_of_them_can_be_verified() {
        let message = incident("The disk is full");
        let ids = |target: &Target| -> Vec<String> {
            let body = sent(&parcel(&Slack, target, &letter(&message))).to_string();
            ["callbox_acknowledge", "callbox_resolve"].into_iter().filter(|id| body.contains(id)).map(str::to_owned).collect()
        };
        let signed = |target: Target| Target { signing: vec![Secret::new("8f742231b10e8888abcd99yyyzzz85a5")], ..target };
        let (none, both): (Vec<String>, _) = (Vec::new(), vec!["callbox_acknowledge".to_owned(), "callbox_resolve".to_owned()]);
        assert_eq!(ids(&bot()), none, "wanted, and of no use");
        assert_eq!((ids(&signed(bot())), ids(&signed(hook()))), (both.clone(), both));
        assert_eq!(ids(&signed(with(hook(), &json!({ "buttons": false })))), none);
    }

    #[test]
    fn what_lets_anybody_post_is_not_shown() {
        assert_eq!(Slack.masked_url(hook().url.expose()), "https://hooks.slack.example/services/T1/B1/***");
    }
}
