//! Discord, by a webhook of a channel: one message an incident, changed in place.
//!
//! <https://docs.discord.com/developers/resources/webhook#execute-webhook>,
//! <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>. `allowed_mentions` without anything in it lets no text
//! mention anybody. How Discord counts is not said; UTF-16 units are the most that any count gives.

use serde_json::{Value, json};

use super::{Channel, Letter, Parcel, Sending, Target, mask};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::{Message, Occasion};
use crate::event::Severity;
use crate::secret::Secret;

/// Discord.
pub struct Discord;

/// Units of a message's text.
const CONTENT_MAX: usize = 2_000;
/// Units of an embed's title.
const TITLE_MAX: usize = 256;
/// Units of an embed's description; all texts of a message together may have 6,000.
const DESCRIPTION_MAX: usize = 2_000;
/// Units of a field's value.
const VALUE_MAX: usize = 500;

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

    fn problems(&self, _target: &Target) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let message = letter.message;
        Ok(addressed(target, letter, json!({ "embeds": [embed(message)], "allowed_mentions": { "parse": [] } })).into())
    }

    fn plain(&self, target: &Target, letter: &Letter<'_>) -> Option<Sending> {
        let text = limit::cut_escaped(&letter.message.plain(), CONTENT_MAX, Unit::Utf16, escape);
        Some(addressed(target, letter, json!({ "content": text, "allowed_mentions": { "parse": [] } })).into())
    }

    fn remember(&self, _target: &Target, body: &[u8]) -> Option<Value> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        answer.get("id").filter(|id| id.is_string()).cloned()
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

/// A new message, or a change of the one that is remembered. The answer to a new one is waited for, because it holds the id.
fn addressed(target: &Target, letter: &Letter<'_>, body: Value) -> Parcel {
    let (base, query) = target.url.expose().split_once('?').unwrap_or((target.url.expose(), ""));
    let base = base.trim_end_matches('/');
    // A thread in a forum is named by the URL's own query.
    let joined = if query.is_empty() { String::new() } else { format!("&{query}") };
    match letter.remembered.and_then(Value::as_str).filter(|id| id.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(id) => {
            let url = format!("{base}/messages/{id}?wait=true{joined}");
            Parcel { method: "PATCH", ..Parcel::json(&Secret::new(url), &body) }
        }
        None => Parcel::json(&Secret::new(format!("{base}?wait=true{joined}")), &body),
    }
}

fn embed(message: &Message) -> Value {
    let title = format!("{}: {}", message.heading(), message.title());
    let mut fields = Vec::new();
    let mut field = |name: &str, value: &str| {
        let value = limit::cut_escaped(value, VALUE_MAX, Unit::Utf16, escape);
        let value = if value.trim().is_empty() { "–".to_owned() } else { value };
        fields.push(json!({ "name": name, "value": value, "inline": true }));
    };
    if let Some(incident) = &message.incident {
        field("Severity", incident.severity.as_str());
        field("Source", &incident.source);
        field("Service", &incident.service.name);
        field("Since", &incident.first_seen);
    }
    if let Some(change) = &message.change {
        field("Source", change.source.as_deref().unwrap_or(&change.integration.name));
        field("Service", &change.service.name);
    }
    let long = Unit::Utf16.length(&title) > TITLE_MAX;
    let mut lines: Vec<&str> = Vec::new();
    lines.extend(long.then(|| message.title()));
    lines.extend(message.notes.iter().map(String::as_str));
    json!({
        // A title is shown as it is.
        "title": limit::cut(&title, TITLE_MAX, Unit::Utf16),
        "url": message.incident.as_ref().and_then(|incident| incident.url.as_deref()),
        "description": limit::cut_escaped(&lines.join("\n"), DESCRIPTION_MAX, Unit::Utf16, escape),
        "color": colour(message),
        "fields": fields,
        "timestamp": message.timestamp,
    })
}

/// A backslash takes its meaning from every sign of Discord's Markdown.
fn escape(character: char, out: &mut String) {
    if "\\*_~`|>#-[]()<@:".contains(character) {
        out.push('\\');
    }
    out.push(character);
}

fn colour(message: &Message) -> u32 {
    let severity = message.incident.as_ref().map(|incident| incident.severity);
    match (message.event, severity) {
        (Occasion::Resolved, _) => 0x2e_b6_7d,
        (Occasion::Acknowledged, _) => 0x1d_9b_d1,
        (_, Some(Severity::Critical)) => 0xc4_31_4b,
        (_, Some(Severity::Error)) => 0xe8_74_3b,
        (_, Some(Severity::Warning)) => 0xec_b2_2e,
        _ => 0x8d_8d_8d,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{incident, letter, parcel, plain, target};
    use super::*;

    const URL: &str = "https://discord.example/api/webhooks/1/token";

    fn sent(parcel: &Parcel) -> Value {
        serde_json::from_slice(&parcel.body).unwrap()
    }

    #[test]
    fn the_first_is_posted_and_what_follows_changes_it() {
        let message = incident("@everyone [x](https://evil.example)");
        let first = parcel(&Discord, &target(URL), &letter(&message));
        assert_eq!((first.method, first.url.expose()), ("POST", "https://discord.example/api/webhooks/1/token?wait=true"));
        assert_eq!(sent(&first)["allowed_mentions"], json!({ "parse": [] }));
        let remembered = Discord.remember(&target(URL), br#"{"id": "123", "content": ""}"#);
        let next = Letter { remembered: remembered.as_ref(), ..letter(&message) };
        let second = parcel(&Discord, &target(&format!("{URL}/?thread_id=9")), &next);
        let url = "https://discord.example/api/webhooks/1/token/messages/123?wait=true&thread_id=9";
        assert_eq!((second.method, second.url.expose()), ("PATCH", url));
        let odd = json!("../../users/1");
        let odd = parcel(&Discord, &target(URL), &Letter { remembered: Some(&odd), ..letter(&message) });
        assert_eq!(odd.method, "POST", "what is no id leads nowhere");
        let plain = plain(&Discord, &target(URL), &letter(&message));
        assert!(sent(&plain)["content"].as_str().unwrap().contains(r"\@everyone \[x\]\(https\:"));
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
    fn a_token_is_not_shown() {
        let shown = Discord.masked_url("https://discord.example/api/webhooks/1/token/messages/123?wait=true");
        assert_eq!(shown, "https://discord.example/api/webhooks/1/***/messages/123?wait=true");
    }

    proptest! {
        #[test]
        fn every_text_is_within_its_limit(title in "(\\PC|[*_<@\n]){0,20}", times in 1_usize..400) {
            let title = title.repeat(times);
            let mut message = incident(&title);
            message.notes = vec![title.clone()];
            if let Some(incident) = &mut message.incident {
                (incident.source, incident.service.name) = (title.clone(), title);
            }
            let embed = &sent(&parcel(&Discord, &target(URL), &letter(&message)))["embeds"][0];
            let length = |text: &Value| Unit::Utf16.length(text.as_str().unwrap());
            prop_assert!(length(&embed["title"]) <= 256 && length(&embed["title"]) > 0);
            prop_assert!(length(&embed["description"]) <= 4_096);
            let fields = embed["fields"].as_array().unwrap();
            prop_assert!(fields.len() <= 25 && fields.iter().all(|field| (1..=1_024).contains(&length(&field["value"]))));
            let all: usize = fields.iter().map(|field| length(&field["value"]) + length(&field["name"])).sum();
            prop_assert!(all + length(&embed["title"]) + length(&embed["description"]) <= 6_000);
            let plain = plain(&Discord, &target(URL), &letter(&message));
            prop_assert!(length(&sent(&plain)["content"]) <= 2_000);
        }
    }
}
