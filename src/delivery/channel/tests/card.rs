//! What chats take that show cards.

use serde_json::json;

use super::super::testing::{target, with};
use super::chat::{keeps_link, unmarked, without};
use super::schema::Shape::{Either, Flag, List, Map, Null, Object, Text, Url, Word};
use super::schema::{self, Shape};
use super::{Case, Sent, Verdict, case, ensure};

/// What takes the meaning from a sign, and is not seen.
const BREAK: char = '\u{200b}';

pub fn cases() -> Vec<Case> {
    let google = "https://chat.example/v1/spaces/S/messages?key=k&token=t";
    let teams = target("https://workflows.example/invoke?sig=x");
    vec![
        case("google-chat", target(google), None, google_valid),
        case("google-chat", with(target(google), &json!({ "mentions": ["<users/1>", "<users/all>"] })), None, google_valid),
        case("msteams", teams.clone(), None, teams_valid),
        case("msteams", with(teams, &json!({ "mentions": ["ann@example.com"] })), None, teams_valid),
    ]
}

const WIDGET: Shape = Either(&[
    Object(&[("textParagraph", true, Object(&[("text", true, Text(1, 32_000))]))]),
    Object(&[(
        "decoratedText",
        true,
        Object(&[("topLabel", true, Text(1, 100)), ("text", true, Text(1, 4_000)), ("wrapText", true, Flag)]),
    )]),
    Object(&[(
        "buttonList",
        true,
        Object(&[(
            "buttons",
            true,
            List(
                1,
                6,
                &Object(&[
                    ("text", true, Text(1, 100)),
                    ("onClick", true, Object(&[("openLink", true, Object(&[("url", true, Url(2_048))]))])),
                ]),
            ),
        )]),
    )]),
]);
/// <https://developers.google.com/workspace/chat/api/reference/rest/v1/cards>
const GOOGLE: Shape = Object(&[
    ("text", false, Text(1, 32_000)),
    ("thread", false, Object(&[("threadKey", true, Text(1, 4_000))])),
    (
        "cardsV2",
        false,
        List(
            1,
            1,
            &Object(&[
                ("cardId", true, Text(1, 100)),
                (
                    "card",
                    true,
                    Object(&[
                        ("header", true, Object(&[("title", true, Text(1, 200)), ("subtitle", false, Text(1, 1_000))])),
                        ("sections", true, List(1, 100, &Object(&[("widgets", true, List(1, 100, &WIDGET))]))),
                    ]),
                ),
            ]),
        ),
    ),
]);

fn google_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&GOOGLE, &body)?;
    schema::clean(&body)?;
    keeps_link(sent, &body)?;
    ensure(sent.parcel()?.body.len() <= 32_000, "has more than 32,000 bytes")?;
    ensure(body.get("text").is_some() || body.get("cardsV2").is_some(), "is empty")?;
    ensure(body.get("thread").is_some() == sent.message.incident.is_some(), "is in no thread")?;
    let text = without(body["text"].as_str().unwrap_or_default(), &sent.called());
    ensure(!text.replace(&format!("<{BREAK}"), "").contains('<'), &format!("calls somebody: {text:?}"))?;
    for (_, text) in schema::texts(&body["cardsV2"][0]["card"]["sections"]).iter().filter(|(name, _)| name == "text") {
        unmarked(text, &["b"])?;
    }
    Ok(())
}

const RUN: Shape = Object(&[
    ("type", true, Word(&["TextRun"])),
    ("text", true, Text(1, 28_000)),
    ("weight", false, Word(&["Bolder"])),
    ("size", false, Word(&["Large"])),
    ("color", false, Word(&["Good", "Accent", "Attention", "Warning", "Default"])),
]);
const CARD_BLOCK: Shape = Either(&[
    Object(&[("type", true, Word(&["RichTextBlock"])), ("inlines", true, List(1, 10, &RUN))]),
    Object(&[("type", true, Word(&["TextBlock"])), ("text", true, Text(1, 5_000)), ("wrap", true, Flag)]),
    Object(&[
        ("type", true, Word(&["ActionSet"])),
        (
            "actions",
            true,
            List(
                1,
                6,
                &Object(&[("type", true, Word(&["Action.OpenUrl"])), ("title", true, Text(1, 100)), ("url", true, Url(2_048))]),
            ),
        ),
    ]),
]);
/// <https://adaptivecards.io/explorer/AdaptiveCard.html>
const TEAMS: Shape = Object(&[
    ("type", true, Word(&["message"])),
    (
        "attachments",
        true,
        List(
            1,
            1,
            &Object(&[
                ("contentType", true, Word(&["application/vnd.microsoft.card.adaptive"])),
                ("contentUrl", true, Null),
                (
                    "content",
                    true,
                    Object(&[
                        ("$schema", true, Url(100)),
                        ("type", true, Word(&["AdaptiveCard"])),
                        ("version", true, Word(&["1.4"])),
                        ("body", true, List(1, 50, &CARD_BLOCK)),
                        (
                            "msteams",
                            true,
                            Object(&[
                                ("width", true, Word(&["Full"])),
                                ("entities", true, List(0, 20, &Map(3, &Either(&[Text(1, 200), Map(2, &Text(1, 113))])))),
                            ]),
                        ),
                    ]),
                ),
            ]),
        ),
    ),
]);

fn teams_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&TEAMS, &body)?;
    schema::clean(&body)?;
    keeps_link(sent, &body)?;
    ensure(sent.parcel()?.body.len() <= 28 * 1024, "has more than 28 KB")?;
    let content = &body["attachments"][0]["content"];
    let entities = content["msteams"]["entities"].as_array().map_or(0, Vec::len);
    ensure(sent.plain || entities == sent.called().len(), "calls somebody else")?;
    let blocks = content["body"].as_array().into_iter().flatten();
    // Markdown is read in these alone, and they are ours.
    let mut ours = blocks.filter(|block| block["type"] == "TextBlock").filter_map(|block| block["text"].as_str());
    ensure(ours.all(|text| text.split(' ').all(|part| part.starts_with("<at>"))), "says something in Markdown")
}
