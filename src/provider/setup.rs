//! The texts that say what to paste into a tool's own configuration, filled with an integration's values.
//!
//! A text is a Markdown file in `setup/`. `<<url>>`, `<<base_url>>`, `<<origin>>`, `<<key>>` and `<<name>>` are replaced, and the
//! parts of the base URL that some tools want one by one: `<<scheme>>`, `<<host>>` (with its port) and `<<path>>`. A line that begins
//! with `?key `, `?nokey `, `?signed ` or `?unsigned ` is kept, without that mark, only where it applies; one with `?about auth ` or
//! `?about redelivery ` is a note for `docs/sources.md`.

use super::Setup;

/// What stands before a note for the page about all tools: `?about auth basic or custom headers`.
const ABOUT: &str = "?about ";

/// The notes about `topic`, joined.
pub(super) fn about(template: &str, topic: &str) -> String {
    let notes = template.lines().filter_map(|line| line.strip_prefix(ABOUT)?.strip_prefix(topic)?.strip_prefix(' '));
    notes.collect::<Vec<_>>().join(" ")
}

/// `template` with `values` in it.
pub(super) fn fill(template: &str, values: &Setup<'_>) -> String {
    let marks = [
        ("?key ", values.key_required),
        ("?nokey ", !values.key_required),
        ("?signed ", values.signed),
        ("?unsigned ", !values.signed),
    ];
    let mut text = String::with_capacity(template.len());
    for line in template.lines().filter(|line| !line.starts_with(ABOUT)) {
        let marked = marks.iter().find_map(|(mark, applies)| {
            // A mark alone is an empty line.
            let rest = if line == mark.trim_end() { Some("") } else { line.strip_prefix(mark) };
            rest.map(|rest| (rest, *applies))
        });
        let (line, applies) = marked.unwrap_or((line, true));
        if applies {
            text.push_str(line);
            text.push('\n');
        }
    }
    let (scheme, rest) = values.base_url.split_once("://").unwrap_or(("https", values.base_url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let values = [
        ("<<scheme>>", scheme),
        ("<<host>>", host),
        ("<<path>>", &format!("/{path}")),
        ("<<url>>", values.url),
        ("<<base_url>>", values.base_url),
        ("<<origin>>", values.origin),
        ("<<key>>", values.key),
        ("<<name>>", values.name),
    ];
    values.into_iter().fold(text, |text, (mark, value)| text.replace(mark, value))
}
