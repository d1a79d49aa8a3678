//! Mattermost, by an incoming webhook.
//!
//! <https://developers.mattermost.com/integrate/webhooks/incoming/>,
//! <https://developers.mattermost.com/integrate/reference/message-attachments/>. A post may have 16,383 characters. A webhook's answer
//! has no id, so nothing is changed in place. Mattermost reads Slack's mentions too (`<!channel>`, `<@ID>`): a break after `<` keeps them
//! from being any.

use serde_json::{Value, json};

use super::attachment;
use super::mention::{self, BREAK};
use super::settings::{self, Problem, Settings};
use super::shown::Shown;
use super::{Channel, Letter, Parcel, Sending, Target, mask};
use crate::delivery::limit::Unit;

/// Mattermost.
pub struct Mattermost;

/// Characters of a plain text; a post has room for 16,383, and few screens show more than this.
const TEXT_MAX: usize = 4_000;

impl Channel for Mattermost {
    fn kind(&self) -> &'static str {
        "mattermost"
    }

    fn name(&self) -> &'static str {
        "Mattermost"
    }

    fn docs(&self) -> &'static str {
        "https://developers.mattermost.com/integrate/webhooks/incoming/"
    }

    fn options(&self) -> &'static [&'static str] {
        &["channel", "mentions"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.url("the incoming webhook's URL: https://HOST/hooks/…");
        let channel = |name: &str| settings::is_word(name.strip_prefix('@').unwrap_or(name), "._-");
        settings.text("channel", false, channel, "a channel's name as it stands in its URL, or @ and a user's name");
        mention::check(&mut settings, target, is_mention, "@name, @channel, @all or @here");
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let mentions = mention::of(target, letter.message, is_mention);
        Ok(addressed(target, attachment::body(&Shown::of(letter.message), &mentions, escape)))
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let shown = Shown::of(letter.message);
        let link = shown.link.as_ref().map(|link| link.url.as_str());
        let text = shown.plain(link, TEXT_MAX, Unit::Characters, escape);
        let mentions = mention::of(target, letter.message, is_mention);
        let text = mentions.into_iter().chain(Some(text.as_str())).collect::<Vec<_>>().join(" ");
        Some(addressed(target, json!({ "text": text })))
    }

    fn masked_url(&self, url: &str) -> String {
        mask::masked(url, |segment| segment.after("hooks").is_some())
    }
}

fn addressed(target: &Target, mut body: Value) -> Sending {
    if let (Some(channel), Some(members)) = (target.text("channel"), body.as_object_mut()) {
        members.insert("channel".to_owned(), json!(channel));
    }
    Parcel::json(&target.url, &body).into()
}

fn is_mention(text: &str) -> bool {
    text.strip_prefix('@').is_some_and(|name| settings::is_word(name, "._-"))
}

/// A backslash takes its meaning from a sign of the Markdown (<https://docs.mattermost.com/end-user-guide/collaborate/format-messages.html>).
fn escape(character: char, out: &mut String) {
    if "\\`*_{}[]()#+-!|~>".contains(character) {
        out.push('\\');
    }
    mention::broken_at(character, out);
    if character == '<' {
        out.push(BREAK);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{incident, letter, parcel, plain, sent, target, with, wrong};
    use super::*;

    fn hook() -> Target {
        target("https://chat.example/hooks/abc")
    }

    #[test]
    fn only_whom_the_destination_names_is_called() {
        let target = with(hook(), &json!({ "mentions": ["@ann", "@here"], "channel": "town-square" }));
        let message = incident("<!channel> @all [x](javascript:alert(1)) *");
        let body = sent(&parcel(&Mattermost, &target, &letter(&message)));
        let text = "@ann @here **Triggered:** <\u{200b}\\!channel\\> @\u{200b}all \\[x\\]\\(javascript:alert\\(1\\)\\) \\*";
        assert_eq!((&body["text"], &body["channel"]), (&json!(text), &json!("town-square")));
        assert_eq!(body["attachments"][0]["title_link"], "https://callbox.example/incidents/inc_1");
        let plain = sent(&plain(&Mattermost, &target, &letter(&message)));
        assert!(plain["text"].as_str().unwrap().ends_with("\nhttps://callbox.example/incidents/inc_1"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_and_the_key_is_not_shown() {
        assert_eq!(wrong(&Mattermost, &hook()), [""; 0]);
        assert_eq!(
            wrong(&Mattermost, &with(target("chat"), &json!({ "channel": "a b", "mentions": ["ann"] }))),
            ["url", "channel", "mentions"]
        );
        assert_eq!(Mattermost.masked_url("https://chat.example/hooks/abc"), "https://chat.example/hooks/***");
    }
}
