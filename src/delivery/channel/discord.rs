//! Discord, by a webhook of a channel: one message an incident, changed in place.
//!
//! <https://docs.discord.com/developers/resources/webhook#execute-webhook>,
//! <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>. `allowed_mentions` lets nobody be called but those whom
//! the destination names. How Discord counts is not said; UTF-16 units are the most that any count gives. What asks somebody to look
//! is a message of its own, because an edit rings nobody's phone; it is not waited for, so that the first stays the one to change.
//!
//! A URL that ends in `/slack` takes what Slack took before Block Kit, answers without an id, and knows no `allowed_mentions`.

mod text;

use serde_json::{Value, json};

use super::attachment;
use super::settings::{self, Problem, Settings};
use super::shown::{self, Shown};
use super::{Channel, Letter, Parcel, Sending, Target, mask, mention};
use crate::delivery::limit::{self, Unit};
use crate::secret::Secret;

/// Discord.
pub struct Discord;

impl Channel for Discord {
    fn kind(&self) -> &'static str {
        "discord"
    }

    fn name(&self) -> &'static str {
        "Discord"
    }

    fn docs(&self) -> &'static str {
        "https://docs.discord.com/developers/resources/webhook#execute-webhook"
    }

    fn options(&self) -> &'static [&'static str] {
        &["mentions"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.url("the webhook's URL: https://discord.com/api/webhooks/…/…");
        mention::check(&mut settings, target, is_mention, "<@ID> (a person), <@&ID> (a role), @everyone or @here");
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let shown = Shown::of(letter.message);
        let mentions = mention::of(target, letter.message, is_mention);
        if is_slack(target) {
            let body = attachment::body(&shown, &mentions, text::escape_unguarded);
            return Ok(Parcel::json(&target.url, &body).into());
        }
        let body = json!({ "content": mentions.join(" "), "embeds": [text::embed(&shown, &letter.message.timestamp)] });
        Ok(addressed(target, letter, body, &mentions))
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let mentions = mention::of(target, letter.message, is_mention);
        let content = text::plain(&Shown::of(letter.message), &mentions);
        match is_slack(target) {
            true => Some(Parcel::json(&target.url, &json!({ "text": content })).into()),
            false => Some(addressed(target, letter, json!({ "content": content, "embeds": [] }), &mentions)),
        }
    }

    fn remember(&self, _target: &Target, body: &[u8]) -> Option<Value> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        answer.get("id").filter(|id| id.as_str().is_some_and(is_id)).cloned()
    }

    fn retry_after(&self, body: &[u8]) -> Option<String> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        let seconds = answer.get("retry_after")?.as_f64().filter(|seconds| (0.0..1e9).contains(seconds))?;
        Some(format!("{:.0}", seconds.ceil()))
    }

    fn masked_url(&self, url: &str) -> String {
        // webhooks/ID/TOKEN
        mask::masked(url, |segment| segment.after("webhooks") == Some(2))
    }
}

/// A new message, or a change of the one that is remembered. The answer to the first is waited for, because it holds the id.
fn addressed(target: &Target, letter: &Letter<'_>, mut body: Value, mentions: &[&str]) -> Sending {
    if let Some(members) = body.as_object_mut() {
        members.insert("allowed_mentions".to_owned(), allowed(mentions));
    }
    let (base, query) = target.url.expose().split_once('?').unwrap_or((target.url.expose(), ""));
    let base = base.trim_end_matches('/');
    // A thread in a forum is named by the URL's own query.
    let joined = |first: &str| [first, query].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
    let remembered = letter.remembered.and_then(Value::as_str).filter(|id| is_id(id));
    let url = |path: &str, query: String| Secret::new(format!("{base}{path}{}{query}", if query.is_empty() { "" } else { "?" }));
    let pages = shown::pages(letter.message.event);
    match remembered {
        Some(id) if !pages => Parcel { method: "PATCH", ..Parcel::json(&url(&format!("/messages/{id}"), joined("")), &body) },
        Some(_) => Parcel::json(&url("", joined("")), &body),
        None => Parcel::json(&url("", joined("wait=true")), &body),
    }
    .into()
}

/// Who may be called: exactly these.
fn allowed(mentions: &[&str]) -> Value {
    let ids = |start: &str| {
        mentions
            .iter()
            .filter_map(|mention| mention.strip_prefix(start)?.strip_suffix('>'))
            .filter(|id| is_id(id))
            .collect::<Vec<_>>()
    };
    let everyone = mentions.iter().any(|mention| mention.starts_with("@"));
    json!({ "parse": if everyone { vec!["everyone"] } else { vec![] }, "users": ids("<@"), "roles": ids("<@&") })
}

/// A mention as Discord writes it (<https://docs.discord.com/developers/reference#message-formatting>).
fn is_mention(text: &str) -> bool {
    let id = |start: &str| text.strip_prefix(start).and_then(|rest| rest.strip_suffix('>')).is_some_and(is_id);
    matches!(text, "@everyone" | "@here") || id("<@") || id("<@&")
}

fn is_id(text: &str) -> bool {
    settings::is_number(text) && text.len() <= 20
}

fn is_slack(target: &Target) -> bool {
    let path = target.url.expose().split('?').next().unwrap_or_default();
    path.trim_end_matches('/').ends_with("/slack")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{incident, letter, parcel, plain, sent, target, with, wrong};
    use super::*;
    use crate::delivery::message::{Message, Occasion};

    const URL: &str = "https://discord.example/api/webhooks/1/token";

    #[test]
    fn the_first_is_posted_and_what_follows_changes_it() {
        let mut message = incident("@everyone [x](https://evil.example)");
        let first = parcel(&Discord, &target(URL), &letter(&message));
        assert_eq!((first.method, first.url.expose()), ("POST", "https://discord.example/api/webhooks/1/token?wait=true"));
        assert_eq!(sent(&first)["allowed_mentions"], json!({ "parse": [], "users": [], "roles": [] }));
        let remembered = Discord.remember(&target(URL), br#"{"id": "123", "content": ""}"#);
        message.event = Occasion::UnacknowledgedFor;
        let page = parcel(&Discord, &target(URL), &Letter { remembered: remembered.as_ref(), ..letter(&message) });
        assert_eq!((page.method, page.url.expose()), ("POST", URL), "an edit would ring nobody's phone");
        message.event = Occasion::Resolved;
        let next = Letter { remembered: remembered.as_ref(), ..letter(&message) };
        let second = parcel(&Discord, &target(&format!("{URL}/?thread_id=9")), &next);
        let url = "https://discord.example/api/webhooks/1/token/messages/123?thread_id=9";
        assert_eq!((second.method, second.url.expose()), ("PATCH", url));
        let odd = json!("../../users/1");
        let odd = parcel(&Discord, &target(URL), &Letter { remembered: Some(&odd), ..letter(&message) });
        assert_eq!(odd.method, "POST", "what is no id leads nowhere");
        let plain = plain(&Discord, &target(URL), &letter(&message));
        assert!(sent(&plain)["content"].as_str().unwrap().contains("\\@\u{200b}everyone \\[x\\]\\(https\\:"));
    }

    #[test]
    fn whom_the_destination_names_is_called_and_nobody_else() {
        let target = with(target(URL), &json!({ "mentions": ["<@1>", "<@&2>", "@here"] }));
        assert!(Discord.problems(&target).is_empty());
        let message = incident("x");
        let body = sent(&parcel(&Discord, &target, &letter(&message)));
        assert_eq!(body["content"], "<@1> <@&2> @here");
        assert_eq!(body["allowed_mentions"], json!({ "parse": ["everyone"], "users": ["1"], "roles": ["2"] }));
        let resolved = Message { event: Occasion::Resolved, ..message };
        assert_eq!(sent(&parcel(&Discord, &target, &letter(&resolved)))["content"], "");
    }

    #[test]
    fn the_form_of_slack_goes_to_its_own_url() {
        let message = incident("@everyone");
        let target = target(&format!("{URL}/slack"));
        let parcel = parcel(&Discord, &target, &Letter { remembered: Some(&json!("1")), ..letter(&message) });
        assert_eq!((parcel.method, parcel.url.expose()), ("POST", "https://discord.example/api/webhooks/1/token/slack"));
        let body = sent(&parcel);
        assert_eq!(body["attachments"][0]["color"], "#c4314b");
        assert!(!body.to_string().contains("@everyone"), "{body}");
        assert_eq!(Discord.remember(&target, b"ok"), None);
    }

    #[test]
    fn it_waits_as_long_as_the_body_says() {
        let after = |body: &str| Discord.retry_after(body.as_bytes());
        assert_eq!(
            after(r#"{"message": "You are being rate limited.", "retry_after": 64.57, "global": false}"#).as_deref(),
            Some("65")
        );
        assert_eq!(after(r#"{"retry_after": 3}"#).as_deref(), Some("3"));
        for body in [r#"{"retry_after": -1}"#, r#"{"retry_after": 1e300}"#, r#"{"retry_after": "soon"}"#, "{}", "<html>"] {
            assert_eq!(after(body), None, "{body}");
        }
    }

    #[test]
    fn a_token_is_not_shown_and_wrong_settings_are_refused() {
        let shown = Discord.masked_url("https://discord.example/api/webhooks/1/token/messages/123?wait=true");
        assert_eq!(shown, "https://discord.example/api/webhooks/1/***/messages/123?wait=true");
        assert_eq!(wrong(&Discord, &with(target(""), &json!({ "mentions": ["@ann", "<@x>"] }))), ["url", "mentions"]);
    }
}
