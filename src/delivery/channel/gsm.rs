//! Text for SMS: how many segments it takes, and what of it fits into some.
//!
//! <https://www.twilio.com/docs/glossary/what-sms-character-limit>. A text whose characters are all in the alphabet of GSM 03.38
//! (<https://www.etsi.org/deliver/etsi_gts/03/0338/05.00.00_60/gsmts_0338v050000p.pdf>) has 160 of them in one segment, or 153 in each of several;
//! those of its extension count twice. One other character, and all of it is UCS-2: 70 units, or 67 in each of several. So what has a
//! plain twin, quotes and dashes, is written as that.

/// The alphabet, and its extension.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENDED: &str = "^{}\\[~]|€";

/// How the characters of a text are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alphabet {
    Gsm,
    Ucs2,
}

impl Alphabet {
    fn of(text: &str) -> Self {
        if text.chars().all(|character| BASIC.contains(character) || EXTENDED.contains(character)) {
            Self::Gsm
        } else {
            Self::Ucs2
        }
    }

    fn units(self, character: char) -> usize {
        match self {
            Self::Gsm => 1 + usize::from(EXTENDED.contains(character)),
            Self::Ucs2 => character.len_utf16(),
        }
    }

    fn length(self, text: &str) -> usize {
        text.chars().map(|character| self.units(character)).sum()
    }

    /// Units that surely fit into `segments`: a character of two units is not split, which may cost one in each but the last.
    fn room(self, segments: usize) -> usize {
        match (self, segments) {
            (Self::Gsm, 0 | 1) => 160,
            (Self::Ucs2, 0 | 1) => 70,
            (Self::Gsm, many) => 153 * many - (many - 1),
            (Self::Ucs2, many) => 67 * many - (many - 1),
        }
    }

    /// What stands where text was cut.
    const fn mark(self) -> &'static str {
        match self {
            Self::Gsm => "...",
            Self::Ucs2 => "…",
        }
    }
}

/// `text`, and below it `link`, which is never cut, within so many segments.
pub fn fit(text: &str, link: Option<&str>, segments: usize) -> String {
    let text: String = text.chars().map(plain).collect();
    let link = link.map(|link| format!("\n{link}")).unwrap_or_default();
    let alphabet = Alphabet::of(&(text.clone() + &link));
    let room = alphabet.room(segments);
    // A link that leaves nothing for the text is of no use.
    let link = if alphabet.length(&link) <= room / 2 { link } else { String::new() };
    let room = room - alphabet.length(&link);
    if alphabet.length(&text) <= room {
        return text + &link;
    }
    let mut left = room - alphabet.length(alphabet.mark());
    let fits = |character: &char| match left.checked_sub(alphabet.units(*character)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}{}{link}", kept.trim_end(), alphabet.mark())
}

/// The plain twin of a character that has one.
const fn plain(character: char) -> char {
    match character {
        '‘' | '’' | '‚' | '‛' | '′' | '`' => '\'',
        '“' | '”' | '„' | '‟' | '″' | '«' | '»' => '"',
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => '-',
        '•' | '·' => '*',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' => ' ',
        other => other,
    }
}

/// Segments that a text takes, counted one character after another.
#[cfg(test)]
pub fn segments(text: &str) -> usize {
    let alphabet = Alphabet::of(text);
    if alphabet.length(text) <= alphabet.room(1) {
        return 1;
    }
    let size = match alphabet {
        Alphabet::Gsm => 153,
        Alphabet::Ucs2 => 67,
    };
    let (mut segments, mut left) = (1, size);
    for units in text.chars().map(|character| alphabet.units(character)) {
        if left < units {
            (segments, left) = (segments + 1, size);
        }
        left -= units;
    }
    segments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_counted_depends_on_every_character() {
        assert_eq!((segments(&"a".repeat(160)), segments(&"a".repeat(161)), segments(&"a".repeat(306))), (1, 2, 2));
        assert_eq!(
            (segments(&"€".repeat(80)), segments(&"€".repeat(81)), segments(&"€".repeat(153))),
            (1, 2, 3),
            "none is split"
        );
        assert_eq!((segments(&"я".repeat(70)), segments(&"я".repeat(71)), segments(&"😀".repeat(67))), (1, 2, 3));
        assert_eq!((BASIC.chars().count(), EXTENDED.chars().count()), (127, 9));
    }

    #[test]
    fn quotes_and_dashes_do_not_make_it_twice_as_dear() {
        assert_eq!(fit("“It’s full” – now", None, 1), "\"It's full\" - now");
        assert_eq!(fit(&"a".repeat(200), Some("https://a.example/1"), 1), "a".repeat(137) + "...\nhttps://a.example/1");
        assert_eq!(fit(&"я".repeat(200), Some("https://a.example/1"), 1), "я".repeat(49) + "…\nhttps://a.example/1");
        assert_eq!(fit("a", Some(&"b".repeat(200)), 1), "a");
    }

    proptest! {
        #[test]
        fn nothing_takes_more_segments_than_it_may(text in "(\\PC|[a-z€{}😀\n]){0,400}", link in proptest::option::of("[a-z~]{1,90}"), max in 1_usize..10) {
            let fitted = fit(&text, link.as_deref(), max);
            prop_assert!(segments(&fitted) <= max, "{} segments: {:?}", segments(&fitted), fitted);
        }
    }
}
