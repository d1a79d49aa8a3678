//! Text from elsewhere, made safe for a terminal.
//!
//! An alert's summary is written by whoever can reach a sender. Escape sequences in it could recolour, retitle or overwrite what the
//! operator reads, and bidirectional controls reorder it (CVE-2021-42574), so both are printed as `\u{1b}` instead of obeyed.

use std::fmt::Write;

/// `text` on one line: controls (line breaks and tabs too) and reordering characters are written as escapes.
pub fn line(text: &str) -> String {
    escape(text, false)
}

/// As [`line()`], but line feeds and tabs stay: for bodies and messages of several lines.
pub fn lines(text: &str) -> String {
    escape(text, true)
}

/// JSON with the same characters as `\u` escapes inside its strings: the same value, harmless to print. `json` must be valid and
/// may be indented; such characters occur in it only inside strings.
pub fn json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_dangerous(c) {
            // All of them lie in the basic plane, so one escape of four digits is enough.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn escape(text: &str, multiline: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' if multiline => out.push(c),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_dangerous(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Controls (C0, DEL, C1), line and paragraph separators, the bidirectional controls, and the byte order mark.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Columns that `text` takes on a terminal: two for East Asian wide characters and pictographs, none for combining marks. The
/// ranges are the common ones of Unicode Standard Annex 11; a rare character may put a cell out of line, nothing worse.
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f => 2,
        0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1f9ff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// `text` cut to `columns`, the last of them `…` when something was cut.
pub fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += char_width(c);
        if used > columns {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_elsewhere_steers_the_terminal() {
        assert_eq!(line("a\u{1b}]0;title\u{7}b"), "a\\u{1b}]0;title\\u{7}b");
        assert_eq!(line("a\u{9b}31m\u{7f}"), "a\\u{9b}31m\\u{7f}");
        assert_eq!(line("user\u{202e}nimda\u{2066}"), "user\\u{202e}nimda\\u{2066}");
        assert_eq!(line("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(lines("a\r\nb\tc\u{1b}"), "a\\r\nb\tc\\u{1b}");
        assert_eq!(line("Grüße 東京 🔥"), "Grüße 東京 🔥");
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({"a": "x\u{9b}\u{202e}\u{7f}\u{1b}\ny", "b": ["東京"]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = json(&text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        assert!(!safe.chars().any(|c| c != '\n' && is_dangerous(c)), "{safe}");
    }

    #[test]
    fn widths_and_clipping() {
        assert_eq!(width("東京 a"), 6);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(clip("abcdef", 6), "abcdef");
        assert_eq!(clip("abcdef", 5), "abcd…");
        assert_eq!(clip("東京都", 4), "東…");
    }
}
