//! Text within a receiver's limits, counted as the receiver counts, and cut where a reader sees that it was.

use std::borrow::Cow;

/// What stands where text was cut.
const MARK: char = '…';

/// How a receiver counts the length of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Characters, as Unicode scalar values.
    Characters,
    /// Bytes of UTF-8.
    Bytes,
    /// Units of UTF-16, as JavaScript and Java count.
    Utf16,
}

impl Unit {
    const fn of(self, character: char) -> usize {
        match self {
            Self::Characters => 1,
            Self::Bytes => character.len_utf8(),
            Self::Utf16 => character.len_utf16(),
        }
    }

    /// The length of a text.
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Bytes => text.len(),
            _ => text.chars().map(|character| self.of(character)).sum(),
        }
    }
}

/// At most `max` units of `text`: what is longer loses its end and gains `…`. A character is never split; where not even the mark
/// has room, nothing is left.
pub fn cut(text: &str, max: usize, unit: Unit) -> Cow<'_, str> {
    // No character has more units than bytes.
    if text.len() <= max || unit.length(text) <= max {
        return Cow::Borrowed(text);
    }
    let Some(mut room) = max.checked_sub(unit.of(MARK)) else { return Cow::Borrowed("") };
    let fits = |character: &char| match room.checked_sub(unit.of(*character)) {
        Some(rest) => {
            room = rest;
            true
        }
        None => false,
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.truncate(kept.trim_end().len());
    kept.push(MARK);
    Cow::Owned(kept)
}

/// As [`cut`], for text that grows when it is escaped: at most `max` units of what `escape` makes of each character. What an escape
/// makes is never split.
pub fn cut_escaped(text: &str, max: usize, unit: Unit, escape: fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    // Where the text would be cut, if it turns out to be too long.
    let (mut length, mut fits) = (0, 0);
    for character in text.chars() {
        let start = out.len();
        escape(character, &mut out);
        length += unit.length(out.get(start..).unwrap_or_default());
        if length > max {
            out.truncate(fits);
            out.truncate(out.trim_end().len());
            if unit.of(MARK) <= max {
                out.push(MARK);
            }
            return out;
        }
        if length + unit.of(MARK) <= max {
            fits = out.len();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNITS: [Unit; 3] = [Unit::Characters, Unit::Bytes, Unit::Utf16];

    fn angle(character: char, out: &mut String) {
        match character {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            other => out.push(other),
        }
    }

    #[test]
    fn what_is_counted_is_the_receivers_choice() {
        assert_eq!(cut("abcdef", 6, Unit::Characters), "abcdef");
        assert_eq!(cut("abcdef", 5, Unit::Characters), "abcd…");
        assert_eq!(cut("ab cdef", 4, Unit::Characters), "ab…");
        assert_eq!(cut("ééé", 6, Unit::Bytes), "ééé");
        assert_eq!(cut("ééé", 5, Unit::Bytes), "é…");
        assert_eq!(cut("😀😀😀", 5, Unit::Utf16), "😀😀…");
        assert_eq!(cut("😀😀😀", 3, Unit::Characters), "😀😀😀");
        assert_eq!(cut("long", 2, Unit::Bytes), "");
        assert_eq!(cut("", 0, Unit::Bytes), "");
    }

    #[test]
    fn an_escape_is_whole_or_not_there() {
        let cut = |text, max| cut_escaped(text, max, Unit::Characters, angle);
        assert_eq!(cut("a<b", 6), "a&lt;b");
        assert_eq!(cut("a<b", 5), "a…");
        assert_eq!(cut("a<", 5), "a&lt;");
        assert_eq!(cut("<<", 5), "&lt;…");
        assert_eq!(cut("<<", 4), "…");
        assert_eq!(cut("<", 0), "");
    }

    proptest! {
        #[test]
        fn nothing_is_longer_than_its_limit_and_nothing_short_is_cut(text in "\\PC{0,40}", max in 0_usize..60) {
            for unit in UNITS {
                let short = cut(&text, max, unit);
                prop_assert!(unit.length(&short) <= max);
                prop_assert_eq!(unit.length(&text) <= max, short == text);
                let escaped: String = text.chars().fold(String::new(), |mut out, c| { angle(c, &mut out); out });
                let short = cut_escaped(&text, max, unit, angle);
                prop_assert!(unit.length(&short) <= max, "{:?}", short);
                prop_assert_eq!(unit.length(&escaped) <= max, short == escaped);
                let whole = short.trim_end_matches(MARK);
                prop_assert!(text.contains(MARK) || escaped.starts_with(whole), "{:?}", short);
            }
        }
    }
}
