//! What chats take.

use serde_json::{Value, json};

use super::super::Target;
use super::super::testing::{known, target, with};
use super::schema::Shape::{Counted, Either, Flag, List, Number, Object, Text, Url, Word};
use super::schema::{self, Shape};
use super::{Case, Sent, Verdict, case, ensure};
use crate::delivery::limit::Unit;
use crate::secret::Secret;

pub fn cases() -> Vec<Case> {
    let slack = || target("https://hooks.slack.example/services/T1/B1/abc");
    let mentions = json!({ "buttons": true, "mentions": { "all": ["<@U1>"], "critical": ["<!subteam^S1>", "<!here>"] } });
    let bot = json!({ "channel": "C1", "buttons": true, "mentions": ["<!channel>"] });
    let thread = json!({ "channel": "C1", "ts": "1503435956.000247" });
    let discord = "https://discord.example/api/webhooks/1/token";
    let chat = known(target(""), "1:a");
    let mattermost = target("https://chat.example/hooks/abc");
    vec![
        case("slack", slack(), None, slack_valid),
        case("slack", signed(with(slack(), &mentions)), None, slack_valid),
        case("slack", signed(with(known(target(""), "xoxb-1"), &bot)), Some(thread), slack_valid),
        case("discord", target(discord), Some(json!("123456789012345678")), discord_valid),
        case(
            "discord",
            with(target(discord), &json!({ "mentions": ["<@1>", "<@&2>", "@here"] })),
            Some(json!("1")),
            discord_valid,
        ),
        case("discord", with(target(&format!("{discord}/slack")), &json!({ "mentions": ["<@&2>"] })), None, discord_slack_valid),
        case("mattermost", mattermost.clone(), None, mattermost_valid),
        case("mattermost", with(mattermost, &json!({ "channel": "ops", "mentions": ["@ann", "@here"] })), None, mattermost_valid),
        case(
            "telegram",
            with(chat.clone(), &json!({ "chat_id": -1001, "message_thread_id": 5 })),
            Some(json!(42)),
            telegram_valid,
        ),
        case("telegram", with(chat, &json!({ "chat_id": "@ops", "mentions": ["@ann"] })), Some(json!(42)), telegram_valid),
    ]
}

/// One whose presses can be verified, so that it has buttons.
fn signed(target: Target) -> Target {
    Target { signing: vec![Secret::new("8f742231b10e8888abcd99yyyzzz85a5")], ..target }
}

/// `text` without each of `parts`, once.
pub fn without(text: &str, parts: &[&str]) -> String {
    parts.iter().fold(text.to_owned(), |text, part| text.replacen(part, "", 1))
}

/// Whether some `@` calls somebody: one that a name follows, and that is not inside an address.
fn calls(text: &str) -> bool {
    let before = Some(' ').into_iter().chain(text.chars());
    before
        .zip(text.chars())
        .zip(text.chars().skip(1))
        .any(|((before, at), after)| at == '@' && !before.is_alphanumeric() && (after.is_alphanumeric() || "_-.".contains(after)))
}

pub fn keeps_link(sent: &Sent<'_>, body: &Value) -> Verdict {
    let link = sent.link();
    let marked = |link: &String| link.replace('&', "&amp;");
    let found = |link: &String| schema::texts(body).iter().any(|(_, text)| text.contains(link) || text.contains(&marked(link)));
    ensure(link.as_ref().is_none_or(found), "lost its link")
}

const PLAIN_TEXT: Shape = Object(&[("type", true, Word(&["plain_text"])), ("text", true, Text(1, 75)), ("emoji", false, Flag)]);
const MRKDWN: Shape = Object(&[("type", true, Word(&["mrkdwn"])), ("text", true, Text(1, 3_000))]);
const FIELD: Shape = Object(&[("type", true, Word(&["mrkdwn"])), ("text", true, Text(1, 2_000))]);
const BUTTON: Shape = Object(&[
    ("type", true, Word(&["button"])),
    ("text", true, PLAIN_TEXT),
    ("action_id", true, Text(1, 255)),
    ("url", false, Url(3_000)),
    ("value", false, Text(1, 2_000)),
]);
const BLOCK: Shape = Either(&[
    Object(&[("type", true, Word(&["section"])), ("fields", true, List(1, 10, &FIELD))]),
    Object(&[("type", true, Word(&["section"])), ("text", true, MRKDWN)]),
    Object(&[("type", true, Word(&["actions"])), ("elements", true, List(1, 25, &BUTTON))]),
]);
/// <https://docs.slack.dev/reference/methods/chat.postMessage>, <https://docs.slack.dev/reference/block-kit/blocks>
const SLACK: Shape = Object(&[
    ("channel", false, Text(1, 80)),
    ("ts", false, Text(1, 20)),
    ("thread_ts", false, Text(1, 20)),
    ("reply_broadcast", false, Flag),
    ("text", true, Text(1, 4_000)),
    ("unfurl_links", true, Flag),
    ("unfurl_media", true, Flag),
    (
        "attachments",
        true,
        List(
            0,
            20,
            &Object(&[("color", true, Text(7, 7)), ("fallback", true, Text(0, 3_000)), ("blocks", true, List(1, 50, &BLOCK))]),
        ),
    ),
]);

fn slack_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&SLACK, &body)?;
    schema::clean(&body)?;
    keeps_link(sent, &body)?;
    let bot = sent.target.token.is_some();
    let url = sent.parcel()?.url.expose();
    ensure(bot == body.get("channel").is_some(), "names a channel where it must not, or none")?;
    ensure(!bot || url.ends_with("/chat.update") == body.get("ts").is_some(), "changes nothing")?;
    let ids: Vec<_> = schema::texts(&body).into_iter().filter(|(name, _)| name == "action_id").collect();
    ensure(ids.iter().collect::<std::collections::BTreeSet<_>>().len() == ids.len(), "has two buttons of one id")?;
    for (name, text) in schema::texts(&body).into_iter().filter(|(name, _)| name == "text" || name == "fallback") {
        let mut rest = without(&text, &sent.called());
        // A time, which is ours.
        if let Some((before, (date, after))) =
            rest.split_once("<!date^").and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
        {
            ensure(date.chars().all(|character| character.is_ascii() && !"<>".contains(character)), "has a bad time")?;
            rest = format!("{before}{after}");
        }
        ensure(!rest.contains(['<', '>']), &format!("{name} calls somebody or links: {rest:?}"))?;
    }
    Ok(())
}

const UTF16: Unit = Unit::Utf16;
const DISCORD_FIELD: Shape =
    Object(&[("name", true, Counted(1, 256, UTF16)), ("value", true, Counted(1, 1_024, UTF16)), ("inline", false, Flag)]);
const EMBED: Shape = Object(&[
    ("title", true, Counted(1, 256, UTF16)),
    ("description", false, Counted(1, 4_096, UTF16)),
    ("url", false, Url(2_048)),
    ("color", true, Number(0, 0xff_ff_ff)),
    ("timestamp", true, Text(20, 32)),
    ("fields", true, List(0, 25, &DISCORD_FIELD)),
]);
/// <https://docs.discord.com/developers/resources/webhook#execute-webhook>
const DISCORD: Shape = Object(&[
    ("content", true, Counted(0, 2_000, UTF16)),
    ("embeds", true, List(0, 10, &EMBED)),
    (
        "allowed_mentions",
        true,
        Object(&[
            ("parse", true, List(0, 1, &Word(&["everyone"]))),
            ("users", true, List(0, 100, &Text(1, 20))),
            ("roles", true, List(0, 100, &Text(1, 20))),
        ]),
    ),
]);

fn discord_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&DISCORD, &body)?;
    schema::clean(&body)?;
    keeps_link(sent, &body)?;
    let embeds = body["embeds"].as_array().ok_or("no embeds")?;
    ensure(!embeds.is_empty() || body["content"] != "", "is empty")?;
    let counted = |name: &str| ["title", "description", "name", "value"].contains(&name);
    let all: usize =
        schema::texts(&body["embeds"]).iter().filter(|(name, _)| counted(name)).map(|(_, text)| UTF16.length(text)).sum();
    ensure(all <= 6_000, "has embeds of more than 6,000")?;
    let called = sent.called();
    let allowed = &body["allowed_mentions"];
    let count = ["parse", "users", "roles"].iter().filter_map(|name| allowed[*name].as_array()).map(Vec::len).sum::<usize>();
    ensure(count == called.len(), "calls somebody else")
}

const ATTACHMENT_FIELD: Shape =
    Object(&[("title", true, Text(1, 256)), ("value", true, Counted(1, 1_024, UTF16)), ("short", true, Flag)]);
/// What Slack took before Block Kit, as <https://developers.mattermost.com/integrate/reference/message-attachments/> has it.
const ATTACHED: Shape = Object(&[
    ("channel", false, Text(1, 64)),
    ("text", true, Counted(1, 16_383, UTF16)),
    (
        "attachments",
        false,
        List(
            0,
            10,
            &Object(&[
                ("fallback", true, Text(0, 3_000)),
                ("color", true, Text(7, 7)),
                ("title", false, Text(1, 256)),
                ("title_link", false, Url(2_048)),
                ("text", true, Counted(0, 2_048, UTF16)),
                ("fields", true, List(0, 25, &ATTACHMENT_FIELD)),
            ]),
        ),
    ),
]);

fn discord_slack_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&ATTACHED, &body)?;
    schema::clean(&body)?;
    keeps_link(sent, &body)?;
    ensure(UTF16.length(body["text"].as_str().unwrap_or_default()) <= 2_000, "has a text of more than 2,000")?;
    for (_, text) in schema::texts(&body) {
        let rest = without(&text, &sent.called());
        ensure(!["@everyone", "@here", "<@", "<#"].iter().any(|call| rest.contains(call)), &format!("calls somebody: {rest:?}"))?;
    }
    Ok(())
}

fn mattermost_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&ATTACHED, &body)?;
    schema::clean(&body)?;
    keeps_link(sent, &body)?;
    for (_, text) in schema::texts(&body) {
        let rest = without(&text, &sent.called());
        ensure(
            !calls(&rest) && !["<!", "<@", "<http"].iter().any(|call| rest.contains(call)),
            &format!("calls somebody: {rest:?}"),
        )?;
    }
    Ok(())
}

/// <https://core.telegram.org/bots/api#sendmessage>, <https://core.telegram.org/bots/api#editmessagetext>
const TELEGRAM: Shape = Object(&[
    ("chat_id", true, Either(&[Text(1, 64), Number(i64::MIN, i64::MAX)])),
    ("message_id", false, Number(1, i64::MAX)),
    ("message_thread_id", false, Number(1, i64::MAX)),
    (
        "reply_parameters",
        false,
        Object(&[("message_id", true, Number(1, i64::MAX)), ("allow_sending_without_reply", true, Flag)]),
    ),
    ("link_preview_options", true, Object(&[("is_disabled", true, Flag)])),
    ("parse_mode", false, Word(&["HTML"])),
    ("text", true, Text(1, 100_000)),
]);

fn telegram_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&TELEGRAM, &body)?;
    schema::clean(&body)?;
    keeps_link(sent, &body)?;
    let edits = sent.parcel()?.url.expose().ends_with("/editMessageText");
    ensure(edits == body.get("message_id").is_some(), "changes nothing")?;
    ensure(!(edits && body.get("message_thread_id").is_some()), "moves what it changes")?;
    let text = body["text"].as_str().unwrap_or_default();
    ensure(sent.plain == body.get("parse_mode").is_none(), "is plain, or not")?;
    let shown = if sent.plain { text.to_owned() } else { unmarked(text, &["b", "a"])? };
    let length = UTF16.length(&shown);
    ensure((1..=4_096).contains(&length), &format!("has a text of {length}"))?;
    let rest = without(&shown, &sent.called());
    ensure(!calls(&rest), &format!("calls somebody: {rest:?}"))
}

/// What is shown of HTML in which there may be these elements, each closed where it must be, and three entities.
pub fn unmarked(html: &str, elements: &[&str]) -> Result<String, String> {
    let (mut out, mut open, mut rest) = (String::new(), Vec::new(), html);
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let (tag, after) = after.split_once('>').ok_or("has a tag without an end")?;
        let name: String = tag.chars().skip_while(|c| *c == '/').take_while(char::is_ascii_alphanumeric).collect();
        ensure(elements.contains(&name.as_str()), &format!("has an element {tag:?}"))?;
        if tag.starts_with('/') {
            ensure(open.pop() == Some(name), "closes what is not open")?;
        } else {
            let attributes = tag.get(name.len()..).unwrap_or_default();
            let quotes = attributes.matches('"').count();
            ensure(attributes.is_empty() || (quotes % 2 == 0 && attributes.starts_with(' ')), "has a bad attribute")?;
            ensure(!attributes.contains("href") || attributes.contains("href=\"http"), "links to what is no page")?;
            open.push(name);
        }
        rest = after;
    }
    ensure(open.is_empty(), &format!("does not close {open:?}"))?;
    out.push_str(rest);
    ensure(!out.contains('>'), "has a sign that closes nothing")?;
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    for part in out.split('&').skip(1) {
        ensure(entities.iter().any(|(entity, _)| format!("&{part}").starts_with(entity)), &format!("has an entity &{part}"))?;
    }
    Ok(entities.iter().fold(out, |text, (entity, character)| text.replace(entity, character)))
}
