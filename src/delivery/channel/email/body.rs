//! What stands in a mail: a subject, plain text, and the same in HTML that needs nothing from elsewhere.

use serde_json::Value;

use super::super::printable;
use super::super::shown::{self, Shown};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::Details;

/// Characters of a subject; readers show no more.
const SUBJECT_MAX: usize = 200;
/// Characters of other texts.
const TITLE_MAX: usize = 5_000;
const VALUE_MAX: usize = 1_000;
const NOTES_MAX: usize = 5_000;
/// Characters of what the tool said besides.
const DETAILS_MAX: usize = 20_000;
/// Links of the tool's own.
const LINKS_MAX: usize = 10;

/// In one line. What looks like a text that is encoded for a header field (`=?utf-8?q?=0D=0A?=`,
/// <https://www.rfc-editor.org/rfc/rfc2047#section-2>) no reader decodes: it may stand for line breaks.
pub fn subject(shown: &Shown<'_>) -> String {
    let line = shown.line();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ").replace("=?", "= ?");
    limit::cut(&line, SUBJECT_MAX, Unit::Characters).into_owned()
}

/// The body in plain text.
pub fn text(shown: &Shown<'_>, details: Option<&Details>) -> String {
    let title = limit::cut(&shown.title, TITLE_MAX, Unit::Characters);
    let facts = shown.facts.iter().map(|fact| format!("{}: {}", fact.name, limit::cut(&fact.text, VALUE_MAX, Unit::Characters)));
    let links = links(shown, details).into_iter().map(|(label, url)| format!("{label}: {url}"));
    let parts = [
        format!("{}: {title}", shown.heading),
        facts.collect::<Vec<_>>().join("\n"),
        limit::cut(&shown.notes, NOTES_MAX, Unit::Characters).into_owned(),
        links.collect::<Vec<_>>().join("\n"),
        custom(details).unwrap_or_default(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// The body in HTML.
pub fn html(shown: &Shown<'_>, details: Option<&Details>) -> String {
    let colour = shown.tone.hex();
    let mut html = format!(
        "<!doctype html>\n<div style=\"font-family:sans-serif;max-width:640px;border-left:4px solid {colour};padding-left:16px\">\n\
         <p style=\"color:{colour};font-weight:bold;margin:0\">{}</p>\n<h2 style=\"margin:4px 0 12px;white-space:pre-wrap\">{}</h2>\n",
        shown.heading,
        escaped(&shown.title, TITLE_MAX)
    );
    if !shown.facts.is_empty() {
        html.push_str("<table style=\"border-spacing:0\">\n");
        for fact in &shown.facts {
            let value = escaped(&fact.text, VALUE_MAX);
            html.push_str(&format!(
                "<tr><th style=\"text-align:left;padding:2px 16px 2px 0\">{}</th><td>{value}</td></tr>\n",
                fact.name
            ));
        }
        html.push_str("</table>\n");
    }
    if !shown.notes.is_empty() {
        html.push_str(&format!("<p style=\"white-space:pre-wrap\">{}</p>\n", escaped(&shown.notes, NOTES_MAX)));
    }
    for (label, url) in links(shown, details) {
        html.push_str(&format!("<p><a href=\"{}\">{}</a></p>\n", escaped(&url, usize::MAX), escaped(&label, VALUE_MAX)));
    }
    if let Some(custom) = custom(details) {
        html.push_str(&format!("<pre style=\"white-space:pre-wrap\">{}</pre>\n", escaped(&custom, usize::MAX)));
    }
    html + "</div>\n"
}

/// Ours, then the tool's: what to write on each, and where it leads.
fn links(shown: &Shown<'_>, details: Option<&Details>) -> Vec<(String, String)> {
    let theirs = details.map(|details| details.links.as_slice()).unwrap_or_default().iter().take(LINKS_MAX).filter_map(|found| {
        let text = printable::clean(found.text.as_deref().unwrap_or_default());
        let label = if printable::is_blank(&text) {
            "Link".to_owned()
        } else {
            limit::cut(&text, VALUE_MAX, Unit::Characters).into_owned()
        };
        shown::link(label, &found.href)
    });
    shown.link.clone().into_iter().chain(theirs).map(|link| (link.label, link.url)).collect()
}

/// What the tool said besides.
fn custom(details: Option<&Details>) -> Option<String> {
    let raw = details?.custom_details.as_ref()?;
    let value: Value = serde_json::from_str(raw.get()).ok()?;
    let text = value.as_str().map_or_else(|| serde_json::to_string_pretty(&value).unwrap_or_default(), str::to_owned);
    let text = printable::clean(&text).into_owned();
    Some(limit::cut(&text, DETAILS_MAX, Unit::Characters).into_owned()).filter(|text| !printable::is_blank(text))
}

fn escaped(text: &str, max: usize) -> String {
    limit::cut(text, max, Unit::Characters).chars().fold(String::new(), |mut out, character| {
        match character {
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => printable::escape_html(other, &mut out),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::incident;
    use super::*;
    use crate::event::Link;

    #[test]
    fn a_subject_is_one_line_and_nothing_in_it_is_decoded() {
        let of = |title: &str| subject(&Shown::of(&incident(title)));
        assert_eq!(of("a\r\nBcc: b\u{2028}c\u{85}d"), "Triggered: a Bcc: b c d");
        assert_eq!(of("=?utf-8?q?=0D=0ABcc:=20b?= ==??"), "Triggered: = ?utf-8?q?=0D=0ABcc:=20b?= == ??");
        assert_eq!(of(&"🔥".repeat(300)).chars().count(), SUBJECT_MAX);
    }

    #[test]
    fn both_forms_say_the_same_and_hold_no_markup_of_the_tools() {
        let mut message = incident("<script>alert(1)</script>");
        message.notes = vec!["\"quoted\" & <b>".to_owned()];
        let custom_details = Some(serde_json::from_str(r#"{"disk": "</pre>"}"#).unwrap());
        let links = vec![
            Link { href: "https://grafana.example/d/1?a=\"b".to_owned(), text: Some("<i>Graph</i>".to_owned()) },
            Link { href: "javascript:alert(1)".to_owned(), text: Some("click".to_owned()) },
        ];
        let details = Details { custom_details, links, ..Details::default() };
        let shown = Shown::of(&message);
        let text = text(&shown, Some(&details));
        let expected = "Triggered: <script>alert(1)</script>\n\n\
            Severity: critical\nSource: db-1.example.com\nService: checkout\nSince: 2025-06-15 15:06:40 UTC\nFrom: production\n\n\
            \"quoted\" & <b>\n\n\
            Incident 7: https://callbox.example/incidents/inc_1\n<i>Graph</i>: https://grafana.example/d/1?a=%22b\n\n\
            {\n  \"disk\": \"</pre>\"\n}\n";
        assert_eq!(text, expected);
        let html = html(&shown, Some(&details));
        for part in [
            "&lt;script&gt;",
            "&quot;quoted&quot; &amp; &lt;b&gt;",
            "&lt;i&gt;Graph&lt;/i&gt;",
            "&lt;/pre&gt;",
            "href=\"https://grafana.example/d/1?a=%22b\"",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains("<script") && !html.contains("javascript"));
    }
}
