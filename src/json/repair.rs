//! The one repair of almost-JSON: raw control characters inside strings, which templates of several tools let through.

/// `body` with every byte below 0x20 inside a string escaped; `None` when there is none.
pub(super) fn escape_controls(body: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = Vec::with_capacity(body.len() + 64);
    let (mut inside, mut escaped, mut changed) = (false, false, false);
    for &byte in body {
        if inside && byte < 0x20 {
            push_escape(&mut repaired, byte, escaped);
            (escaped, changed) = (false, true);
            continue;
        }
        repaired.push(byte);
        if escaped {
            escaped = false;
        } else if byte == b'"' {
            inside = !inside;
        } else {
            escaped = inside && byte == b'\\';
        }
    }
    changed.then_some(repaired)
}

/// Writes the escape of `byte`; the backslash is there already when the body had one before the raw character.
fn push_escape(out: &mut Vec<u8>, byte: u8, backslash_written: bool) {
    if !backslash_written {
        out.push(b'\\');
    }
    match byte {
        b'\n' => out.push(b'n'),
        b'\r' => out.push(b'r'),
        b'\t' => out.push(b't'),
        _ => out.extend_from_slice(format!("u{byte:04x}").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_inside_a_string_changes() {
        assert_eq!(escape_controls(b"{\n\"a\": 1\r\n}"), None);
        assert_eq!(escape_controls(b"[\"a\\\"\n\"\n]").unwrap(), b"[\"a\\\"\\n\"\n]");
        assert_eq!(escape_controls(b"[\"\x1b[31m\"]").unwrap(), b"[\"\\u001b[31m\"]");
        assert_eq!(escape_controls(b"[\"a\\\r\"]").unwrap(), b"[\"a\\r\"]");
    }
}
