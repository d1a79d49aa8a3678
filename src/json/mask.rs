//! Overwriting credentials in a body that is about to be stored: same length, everything else byte for byte.
//!
//! Works on bytes, not on a parse, because bodies that are not JSON are stored as well.

use std::borrow::Cow;
use std::ops::Range;

use url::form_urlencoded;

/// `body` with the value of each outermost field called one of `names` overwritten with `*`, at the same length.
///
/// Outermost are the fields of the top-level object, or of the objects directly in a top-level array. Names are compared
/// after decoding their escapes. A number becomes a string of its length, so that JSON stays JSON. In a body that is not
/// JSON every field of that name is overwritten wherever it stands, as its nesting cannot be told.
pub fn mask<'a>(body: &'a [u8], names: &[&str]) -> Cow<'a, [u8]> {
    if names.is_empty() {
        return Cow::Borrowed(body);
    }
    let scan = Scan { body, names };
    let mut spans = Vec::new();
    if !scan.outermost(&mut spans) {
        scan.everywhere(&mut spans);
    }
    overwrite(body, &spans)
}

/// `body`, an `application/x-www-form-urlencoded` one, with the value of each field called one of `names` (after decoding)
/// overwritten with `*`, at the same length.
pub fn mask_form<'a>(body: &'a [u8], names: &[&str]) -> Cow<'a, [u8]> {
    let mut spans = Vec::new();
    let mut start = 0;
    for pair in body.split(|byte| *byte == b'&') {
        let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let name = form_urlencoded::parse(pair.get(..equals).unwrap_or_default()).next();
        if name.is_some_and(|(name, _)| names.contains(&name.trim())) && equals < pair.len() {
            spans.push(Span { at: start + equals + 1..start + pair.len(), quoted: false });
        }
        start += pair.len() + 1;
    }
    overwrite(body, &spans)
}

/// Bytes to overwrite.
struct Span {
    at: Range<usize>,
    /// Whether the first and the last become quotation marks.
    quoted: bool,
}

fn overwrite<'a>(body: &'a [u8], spans: &[Span]) -> Cow<'a, [u8]> {
    if spans.is_empty() {
        return Cow::Borrowed(body);
    }
    let mut masked = body.to_vec();
    for span in spans {
        let Some(bytes) = masked.get_mut(span.at.clone()) else { continue };
        match bytes {
            [only] if span.quoted => *only = b'0',
            [first, inner @ .., last] if span.quoted => {
                (*first, *last) = (b'"', b'"');
                inner.fill(b'*');
            }
            _ => bytes.fill(b'*'),
        }
    }
    Cow::Owned(masked)
}

/// What a token is, as far as masking cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Comma,
    Colon,
    Text,
    Bare,
}

/// A body and the names to look for in it.
struct Scan<'a> {
    body: &'a [u8],
    names: &'a [&'a str],
}

impl Scan<'_> {
    /// Finds the values of the outermost fields; `false` when the tokens cannot be JSON and nesting means nothing.
    fn outermost(&self, spans: &mut Vec<Span>) -> bool {
        let mut position = 0;
        let mut depth = 0usize;
        let mut wanted = 1;
        let mut before = Token::Comma;
        while let Some((token, at)) = self.token(position) {
            let value_may_start = matches!(before, Token::Open | Token::Comma | Token::Colon);
            position = at.end;
            match token {
                Token::Open => {
                    if depth == 0 {
                        wanted = if self.body.get(at.start) == Some(&b'[') { 2 } else { 1 };
                    }
                    depth += 1;
                }
                Token::Close if depth == 0 => return false,
                Token::Close => depth -= 1,
                Token::Text | Token::Bare if !value_may_start => return false,
                Token::Text if !self.closed(&at) => {
                    return false;
                }
                Token::Text if depth == wanted => {
                    if let Some(end) = self.field(&at, spans) {
                        (position, before) = (end, Token::Bare);
                        continue;
                    }
                }
                Token::Bare if !self.is_literal(&at) => return false,
                _ => {}
            }
            before = token;
        }
        depth == 0
    }

    /// Finds the values of every field of a wanted name, whatever is around it.
    fn everywhere(&self, spans: &mut Vec<Span>) {
        // A name of n bytes has at most 6n with its escapes; reading no further keeps this linear.
        let longest = 2 + 6 * self.names.iter().map(|name| name.len()).max().unwrap_or(0);
        let quotes = self.body.iter().enumerate().filter(|(_, byte)| **byte == b'"');
        for (start, _) in quotes {
            let window = self.body.get(..self.body.len().min(start + longest)).unwrap_or_default();
            let at = start..text_end(window, start);
            self.field(&at, spans);
        }
    }

    /// If the text at `name` is a wanted field's name, notes its value and returns where that ends.
    fn field(&self, name: &Range<usize>, spans: &mut Vec<Span>) -> Option<usize> {
        if !self.is_wanted(name) {
            return None;
        }
        let (Token::Colon, colon) = self.token(name.end)? else { return None };
        let mut position = colon.end;
        let mut depth = 0usize;
        while let Some((token, at)) = self.token(position) {
            position = at.end;
            match token {
                Token::Open => depth += 1,
                Token::Close if depth == 0 => return Some(at.start),
                Token::Close => depth -= 1,
                Token::Comma if depth == 0 => return Some(at.start),
                Token::Text => {
                    let end = if self.closed(&at) { at.end - 1 } else { at.end };
                    spans.push(Span { at: at.start + 1..end, quoted: false });
                }
                Token::Bare if !self.is_constant(&at) => spans.push(Span { at, quoted: true }),
                _ => {}
            }
            if depth == 0 && token != Token::Colon {
                break;
            }
        }
        Some(position)
    }

    /// The next token at or after `position`.
    fn token(&self, position: usize) -> Option<(Token, Range<usize>)> {
        let rest = self.body.get(position..)?;
        let start = position + rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let (token, end) = match self.body.get(start)? {
            b'{' | b'[' => (Token::Open, start + 1),
            b'}' | b']' => (Token::Close, start + 1),
            b',' => (Token::Comma, start + 1),
            b':' => (Token::Colon, start + 1),
            b'"' => (Token::Text, text_end(self.body, start)),
            _ => (Token::Bare, start + self.body.get(start..)?.iter().position(ends_bare).unwrap_or(self.body.len() - start)),
        };
        Some((token, start..end))
    }

    /// Whether the text at `at` has its closing quotation mark.
    fn closed(&self, at: &Range<usize>) -> bool {
        let Some(text) = self.body.get(at.clone()) else { return false };
        let Some((b'"', inner)) = text.split_last() else { return false };
        let backslashes = inner.iter().rev().take_while(|byte| **byte == b'\\').count();
        !inner.is_empty() && backslashes % 2 == 0
    }

    fn is_wanted(&self, at: &Range<usize>) -> bool {
        let Some(text) = self.body.get(at.clone()).filter(|_| self.closed(at)) else { return false };
        if text.contains(&b'\\') {
            return serde_json::from_slice::<String>(text).is_ok_and(|name| self.names.contains(&name.as_str()));
        }
        let inner = text.get(1..text.len() - 1).unwrap_or_default();
        self.names.iter().any(|name| name.as_bytes() == inner)
    }

    fn is_constant(&self, at: &Range<usize>) -> bool {
        matches!(self.body.get(at.clone()), Some(b"true" | b"false" | b"null"))
    }

    fn is_literal(&self, at: &Range<usize>) -> bool {
        let number = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
        self.is_constant(at) || self.body.get(at.clone()).is_some_and(number)
    }
}

/// Where the text whose opening quotation mark is at `start` ends: after its closing one, or at the end of `body`.
fn text_end(body: &[u8], start: usize) -> usize {
    let mut escaped = false;
    for (offset, byte) in body.iter().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return offset + 1,
            _ => {}
        }
    }
    body.len()
}

fn ends_bare(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || b",:{}[]\"".contains(byte)
}

#[cfg(test)]
mod tests;
