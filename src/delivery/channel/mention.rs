//! Calling people by name in a chat: those that a destination names, on pages only, and nobody whom an alert's text names.
//!
//! The option `mentions` is a list, for every page, or lists by severity (`critical`), by urgency (`high`, `low`) and for `all`; each
//! mention is written as the vendor writes it.

use serde_json::Value;

use super::Target;
use super::settings::Settings;
use super::shown;
use crate::delivery::message::Message;

/// Groups of mentions.
const GROUPS: [&str; 7] = ["all", "high", "low", "critical", "error", "warning", "info"];

/// Mentions in a message.
const MENTIONS_MAX: usize = 20;

/// Takes its meaning from a sign that calls somebody, and is not seen.
pub const BREAK: char = '\u{200b}';

/// Who is called by `message` at `target`: none that is not `good`.
pub fn of<'a>(target: &'a Target, message: &Message, good: fn(&str) -> bool) -> Vec<&'a str> {
    let Some(incident) = message.incident.as_ref().filter(|_| shown::pages(message.event)) else { return Vec::new() };
    let texts = |list: &'a Value| list.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut called: Vec<&str> = match target.options.get("mentions") {
        Some(Value::Object(groups)) => {
            let now = ["all", incident.urgency.as_str(), incident.severity.as_str()];
            now.iter().filter_map(|name| groups.get(*name)).flat_map(texts).collect()
        }
        Some(list) => texts(list).collect(),
        None => Vec::new(),
    };
    called.retain(|mention| good(mention));
    let mut seen = Vec::new();
    called.retain(|mention| {
        !seen.contains(mention) && {
            seen.push(*mention);
            true
        }
    });
    called.truncate(MENTIONS_MAX);
    called
}

/// Checks the option; `what` says how a mention is written.
pub fn check(settings: &mut Settings<'_>, target: &Target, good: fn(&str) -> bool, what: &str) {
    let is_list = |list: &Value| list.as_array().is_some_and(|list| list.iter().all(|one| one.as_str().is_some_and(good)));
    let fine = match target.options.get("mentions") {
        None => true,
        Some(Value::Object(groups)) => groups.iter().all(|(name, list)| GROUPS.contains(&name.as_str()) && is_list(list)),
        Some(list) => is_list(list),
    };
    if !fine {
        settings.wrong("mentions", format!("must be a list of {what}, or such lists under {}", GROUPS.join(", ")));
    }
}

/// Writes a character; an `@` that would call somebody is broken. Inside an address (`ops@example.com`) it calls nobody.
pub fn broken_at(character: char, out: &mut String) {
    let inside = out.chars().next_back().is_some_and(char::is_alphanumeric);
    out.push(character);
    if character == '@' && !inside {
        out.push(BREAK);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{incident, target};
    use super::*;
    use crate::delivery::message::Occasion;

    fn with(mentions: Value) -> Target {
        let mut target = target("https://chat.example");
        target.options.insert("mentions".to_owned(), mentions);
        target
    }

    fn is_name(text: &str) -> bool {
        text.starts_with('@')
    }

    #[test]
    fn who_is_called_depends_on_how_bad_it_is() {
        let mut message = incident("x");
        let target = with(json!({ "all": ["@ann"], "critical": ["@bob", "@ann"], "low": ["@eve"], "high": ["<!channel>"] }));
        assert_eq!(of(&target, &message, is_name), ["@ann", "@bob"], "not what is none");
        assert_eq!(of(&with(json!(["@ann"])), &message, is_name), ["@ann"]);
        message.event = Occasion::Resolved;
        assert!(of(&target, &message, is_name).is_empty(), "good news calls nobody");
    }

    #[test]
    fn what_calls_nobody_is_refused_when_it_is_saved() {
        let wrong = |mentions: Value| {
            let target = with(mentions);
            let mut settings = Settings::of(&target, &["mentions"]);
            check(&mut settings, &target, is_name, "names");
            settings.problems().len()
        };
        assert_eq!((wrong(json!(["@ann"])), wrong(json!({ "low": [] }))), (0, 0));
        for bad in [json!("@ann"), json!(["ann"]), json!({ "worst": ["@ann"] }), json!({ "low": "@ann" }), json!([1])] {
            assert_eq!(wrong(bad.clone()), 1, "{bad}");
        }
    }

    #[test]
    fn an_address_stays_one() {
        let broken = |text: &str| {
            text.chars().fold(String::new(), |mut out, character| {
                broken_at(character, &mut out);
                out
            })
        };
        assert_eq!(broken("@all ops@example.com (@ann)"), "@\u{200b}all ops@example.com (@\u{200b}ann)");
    }
}
