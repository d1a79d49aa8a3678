//! What a client command prints on standard output: tables and fields for people, the API's JSON for programs.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::terminal;
use crate::time::Timestamp;

/// The form of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Format {
    /// Aligned text for people.
    Table,
    /// The API's answer, indented.
    Json,
}

/// Where a command prints, and how.
pub struct Output {
    format: Format,
    zone: TimeZone,
}

impl Output {
    /// Prints as `format`; times in UTC if `utc`, else in this machine's zone.
    pub fn new(format: Format, utc: bool) -> Self {
        Self { format, zone: if utc { TimeZone::UTC } else { TimeZone::system() } }
    }

    /// Whether the API's JSON is asked for.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// The API's answer, indented.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json(&self, value: &Value) -> anyhow::Result<()> {
        write(&terminal::json(&serde_json::to_string_pretty(value)?))
    }

    /// The same on one line: for streams.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn json_line(&self, value: &Value) -> anyhow::Result<()> {
        write(&terminal::json(&value.to_string()))
    }

    /// A table with a heading, or `none` when there is no row.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn table(&self, head: &[&str], rows: &[Vec<String>], none: &str) -> anyhow::Result<()> {
        if rows.is_empty() { self.note(none) } else { write(&table(head, rows)) }
    }

    /// Names and values, one a line; values that are empty are left out.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn fields(&self, fields: &[(&str, String)]) -> anyhow::Result<()> {
        let text = render_fields(fields);
        if text.is_empty() { Ok(()) } else { write(&text) }
    }

    /// A text that may have several lines; controls in it are escaped.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn text(&self, text: &str) -> anyhow::Result<()> {
        write(&terminal::lines(text))
    }

    /// A remark for people, on standard error so that no program reads it as data.
    ///
    /// # Errors
    /// Standard error cannot be written.
    pub fn note(&self, text: &str) -> anyhow::Result<()> {
        writeln!(io::stderr().lock(), "{}", terminal::lines(text))?;
        Ok(())
    }

    /// The API's time in the zone asked for, to the second: `2026-03-01 09:15:00+01:00`. Anything that is not a time as it is.
    pub fn time(&self, text: &str) -> String {
        let Some(parsed) = Timestamp::parse(text) else { return text.to_owned() };
        let Ok(at) = jiff::Timestamp::from_microsecond(parsed.at.0) else { return text.to_owned() };
        let form = if self.zone == TimeZone::UTC { "%Y-%m-%d %H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%S%:z" };
        at.to_zoned(self.zone.clone()).strftime(form).to_string()
    }
}

/// Writes `text` and a line feed. Not `println!`, which panics when the reader of a pipe has gone.
fn write(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// Columns as wide as their widest cell, two spaces apart; no spaces at the ends of lines.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rows: Vec<Vec<String>> =
        std::iter::once(&head).chain(rows).map(|row| row.iter().map(|cell| terminal::line(cell)).collect()).collect();
    let mut widths = vec![0; head.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = terminal::width(cell).max(*width);
        }
    }
    let lines: Vec<String> = rows.iter().map(|row| aligned(row, &widths)).collect();
    lines.join("\n")
}

fn aligned(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(cell);
        line.push_str(&" ".repeat(width.saturating_sub(terminal::width(cell)) + 2));
    }
    line.truncate(line.trim_end().len());
    line
}

fn render_fields(fields: &[(&str, String)]) -> String {
    let shown: Vec<&(&str, String)> = fields.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown.iter().map(|(name, _)| name.len() + 1).max().unwrap_or(0);
    let lines: Vec<String> =
        shown.iter().map(|(name, value)| format!("{:<width$}  {}", format!("{name}:"), terminal::line(value))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let text = table(&["NAME", "STATUS", "TITLE"], &[row(&["東京", "open", "a\u{1b}[2Jb"]), row(&["x", "acknowledged", ""])]);
        let expected = ["NAME  STATUS        TITLE", "東京  open          a\\u{1b}[2Jb", "x     acknowledged"];
        assert_eq!(text, expected.join("\n"));
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let text = render_fields(&[("id", "int_1".into()), ("service", String::new()), ("rate limit", "120\n".into())]);
        assert_eq!(text, "id:          int_1\nrate limit:  120\\n");
    }

    #[test]
    fn times_carry_their_offset() {
        let at = "2026-03-01T08:15:00.250000Z";
        assert_eq!(Output::new(Format::Table, true).time(at), "2026-03-01 08:15:00Z");
        let zone = TimeZone::fixed(jiff::tz::offset(-7));
        assert_eq!(Output { format: Format::Table, zone }.time(at), "2026-03-01 01:15:00-07:00");
        assert_eq!(Output::new(Format::Table, true).time("soon"), "soon");
    }
}
