//! Google Chat, by an incoming webhook: a card, in a thread an incident.
//!
//! <https://developers.google.com/workspace/chat/quickstart/webhooks>,
//! <https://developers.google.com/workspace/chat/format-messages>. A message may have 32,000 bytes. A card's texts are HTML of a kind, its header
//! is not. In a message's text `<users/ID>` calls somebody, and no sign escapes it: a break after `<` does. A webhook may not edit, so
//! nothing is changed in place.

use serde_json::{Value, json};

use super::mention::{self, BREAK};
use super::printable::escape_html;
use super::settings::{self, Problem, Settings};
use super::shown::Shown;
use super::{Channel, Letter, Parcel, Sending, Target};
use crate::delivery::limit::{self, Unit};
use crate::secret::Secret;

/// Google Chat.
pub struct GoogleChat;

/// Bytes of a message's texts. A byte becomes at most two in JSON, and the card around them takes less than 4 KB: so a message stays
/// below 32,000 bytes whatever the texts are.
const HEADER_MAX: usize = 300;
const TITLE_MAX: usize = 5_000;
const NOTES_MAX: usize = 3_000;
const VALUE_MAX: usize = 500;
const TEXT_MAX: usize = 8_000;

impl Channel for GoogleChat {
    fn kind(&self) -> &'static str {
        "google-chat"
    }

    fn name(&self) -> &'static str {
        "Google Chat"
    }

    fn docs(&self) -> &'static str {
        "https://developers.google.com/workspace/chat/quickstart/webhooks"
    }

    fn options(&self) -> &'static [&'static str] {
        &["mentions"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        settings.url("the webhook's URL: https://chat.googleapis.com/v1/spaces/…");
        mention::check(&mut settings, target, is_mention, "<users/ID> (a person) or <users/all>");
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let shown = Shown::of(letter.message);
        let called = mention::of(target, letter.message, is_mention).join(" ");
        let mut body = json!({ "cardsV2": [{ "cardId": letter.id, "card": card(&shown) }] });
        if let (false, Some(members)) = (called.is_empty(), body.as_object_mut()) {
            members.insert("text".to_owned(), json!(called));
        }
        Ok(threaded(target, letter, body))
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let shown = Shown::of(letter.message);
        let link = shown.link.as_ref().map(|link| link.url.as_str());
        let text = shown.plain(link, TEXT_MAX, Unit::Bytes, escape_text);
        let called = mention::of(target, letter.message, is_mention);
        let text = called.into_iter().chain(Some(text.as_str())).collect::<Vec<_>>().join(" ");
        Some(threaded(target, letter, json!({ "text": text })))
    }
}

/// Into the incident's thread, which the first message makes.
fn threaded(target: &Target, letter: &Letter<'_>, mut body: Value) -> Sending {
    let Some(incident) = &letter.message.incident else { return Parcel::json_utf8(&target.url, &body).into() };
    if let Some(members) = body.as_object_mut() {
        members.insert("thread".to_owned(), json!({ "threadKey": incident.id }));
    }
    let url = target.url.expose();
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = Secret::new(format!("{url}{joint}messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"));
    Parcel::json_utf8(&url, &body).into()
}

fn card(shown: &Shown<'_>) -> Value {
    let mut widgets = vec![json!({ "textParagraph": { "text": format!("<b>{}</b>", escaped(&shown.title, TITLE_MAX)) } })];
    widgets.extend(shown.facts.iter().map(
        |fact| json!({ "decoratedText": { "topLabel": fact.name, "text": escaped(&fact.text, VALUE_MAX), "wrapText": true } }),
    ));
    if !shown.notes.is_empty() {
        widgets.push(json!({ "textParagraph": { "text": escaped(&shown.notes, NOTES_MAX) } }));
    }
    if let Some(link) = &shown.link {
        let button = json!({ "text": link.label, "onClick": { "openLink": { "url": link.url } } });
        widgets.push(json!({ "buttonList": { "buttons": [button] } }));
    }
    let place = shown.place();
    let mut header = json!({ "title": format!("{} {}", shown.tone.sign(), shown.heading) });
    if let (false, Some(members)) = (place.is_empty(), header.as_object_mut()) {
        members.insert("subtitle".to_owned(), json!(limit::cut(&place, HEADER_MAX, Unit::Bytes)));
    }
    json!({ "header": header, "sections": [{ "widgets": widgets }] })
}

fn escaped(text: &str, max: usize) -> String {
    limit::cut_escaped(text, max, Unit::Bytes, escape_html)
}

fn escape_text(character: char, out: &mut String) {
    out.push(character);
    if character == '<' {
        out.push(BREAK);
    }
}

fn is_mention(text: &str) -> bool {
    text.strip_prefix("<users/").and_then(|rest| rest.strip_suffix('>')).is_some_and(|id| settings::is_word(id, ""))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{incident, letter, parcel, plain, sent, target, test, with, wrong};
    use super::*;

    const URL: &str = "https://chat.example/v1/spaces/S/messages?key=k&token=t";

    #[test]
    fn messages_of_an_incident_stand_in_one_thread() {
        let message = incident("<users/all> <b>");
        let sent_one = parcel(&GoogleChat, &target(URL), &letter(&message));
        assert_eq!(sent_one.url.expose(), format!("{URL}&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"));
        let body = sent(&sent_one);
        assert_eq!((&body["thread"]["threadKey"], body.get("text")), (&json!("inc_1"), None));
        let card = &body["cardsV2"][0]["card"];
        assert_eq!(card["sections"][0]["widgets"][0]["textParagraph"]["text"], "<b>&lt;users/all&gt; &lt;b&gt;</b>");
        let test = test();
        assert_eq!(parcel(&GoogleChat, &target(URL), &letter(&test)).url.expose(), URL);
    }

    #[test]
    fn only_whom_the_destination_names_is_called() {
        let target = with(target(URL), &json!({ "mentions": { "high": ["<users/123>"] } }));
        let message = incident("<users/all>");
        assert_eq!(sent(&parcel(&GoogleChat, &target, &letter(&message)))["text"], "<users/123>");
        let text = sent(&plain(&GoogleChat, &target, &letter(&message)))["text"].clone();
        assert!(text.as_str().unwrap().starts_with("<users/123> Triggered: <\u{200b}users/all>\n"), "{text}");
    }

    #[test]
    fn settings_that_cannot_work_are_refused_and_keys_are_not_shown() {
        assert_eq!(wrong(&GoogleChat, &target(URL)), [""; 0]);
        assert_eq!(wrong(&GoogleChat, &with(target(""), &json!({ "mentions": ["@all"] }))), ["url", "mentions"]);
        assert_eq!(GoogleChat.masked_url(URL), "https://chat.example/v1/spaces/S/messages?key=***&token=***");
    }
}
