//! Text that can be shown: free of what no reader sees and some receivers refuse or are misled by.

use std::borrow::Cow;

use crate::delivery::limit::{self, Unit};

/// Bytes of a text; no receiver is shown more.
const TEXT_MAX: usize = 24 * 1024;

/// `text` without what no reader sees and some receivers refuse or are misled by: control characters but line breaks, marks that turn
/// the direction of what follows (letters that run right to left do so by themselves), characters that are none. What is longer than anybody is shown is cut.
pub fn clean(text: &str) -> Cow<'_, str> {
    match limit::cut(text, TEXT_MAX, Unit::Bytes) {
        Cow::Borrowed(text) => without_unwanted(text),
        Cow::Owned(text) => Cow::Owned(without_unwanted(&text).into_owned()),
    }
}

fn without_unwanted(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|character| is_unwanted(character) || is_break(character)) {
        return Cow::Borrowed(text);
    }
    let breaks = |character| match character {
        '\t' => ' ',
        other if is_break(other) => '\n',
        other => other,
    };
    text.replace("\r\n", "\n").chars().map(breaks).filter(|character| !is_unwanted(*character)).collect::<String>().into()
}

/// What is shown as a line break or a gap and is not `\n` or a space.
const fn is_break(character: char) -> bool {
    matches!(character, '\t' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_unwanted(character: char) -> bool {
    let control = character.is_control() && !is_break(character) && character != '\n';
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let none = matches!(character, '\u{fdd0}'..='\u{fdef}' | '\u{fff9}'..='\u{fffb}') || character as u32 & 0xfffe == 0xfffe;
    control || turns || none || character == '\u{feff}'
}

/// Whether nobody would see anything of it.
pub fn is_blank(text: &str) -> bool {
    let unseen = |character| {
        matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
        )
    };
    text.chars().all(|character| character.is_whitespace() || character.is_control() || unseen(character))
}

/// Escapes nothing.
pub fn verbatim(character: char, out: &mut String) {
    out.push(character);
}

/// Escapes what has a meaning in HTML's text, which is all that has one in Slack's, Telegram's and Google's.
pub fn escape_html(character: char, out: &mut String) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_is_passed_on_and_nothing_blank_is_shown() {
        for (text, cleaned) in [
            ("plain", "plain"),
            ("a\0b\u{1b}[31mc", "ab[31mc"),
            ("a\r\nb\rc\u{2028}d\te", "a\nb\nc\nd e"),
            ("\u{202e}gpj.exe", "gpj.exe"),
            ("שלום e\u{301} 👩‍👩‍👧", "שלום e\u{301} 👩‍👩‍👧"),
            ("\u{feff}a\u{ffff}\u{1fffe}", "a"),
        ] {
            assert_eq!(clean(text), cleaned, "{text:?}");
        }
        for text in ["", " \n", "\u{200b}\u{2060}", "\u{3164}", "\u{202e}"] {
            assert!(is_blank(&clean(text)), "{text:?}");
        }
        assert!(!is_blank(" a") && !is_blank("\u{301}"));
        assert_eq!(clean(&"é".repeat(20_000)).len(), TEXT_MAX - 1);
    }
}
