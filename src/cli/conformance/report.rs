//! How the result is printed.

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde_json::json;

use super::door::{Outcome, Row};
use crate::cli::output::Output;

/// Everything that was tried.
#[derive(Default)]
pub struct Report {
    /// One line a case.
    pub rows: Vec<Row>,
    /// Tools whose proofs are none that can be made here, and what they are.
    pub not_covered: Vec<(String, String)>,
}

impl Report {
    fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|row| row.outcome == outcome).count()
    }

    /// Prints it: every case where `whole`, else one line a scheme, and in any case what failed.
    ///
    /// # Errors
    /// Something failed, or nothing was tried.
    pub fn print(&self, out: &Output, whole: bool) -> anyhow::Result<()> {
        let (ok, failed, skipped) = (self.count(Outcome::Held), self.count(Outcome::Failed), self.count(Outcome::Skipped));
        if out.is_json() {
            let cases: Vec<_> = self.rows.iter().map(to_json).collect();
            let not_covered: Vec<_> =
                self.not_covered.iter().map(|(kind, scheme)| json!({"type": kind, "scheme": scheme})).collect();
            out.json(&json!({"ok": ok, "failed": failed, "skipped": skipped, "cases": cases, "not_covered": not_covered}))?;
        } else {
            self.tables(out, whole)?;
            out.text(&format!("\n{ok} ok, {failed} failed, {skipped} skipped"))?;
        }
        match (ok, failed) {
            (_, 1..) => Err(anyhow!("{failed} of {} cases failed", ok + failed)),
            (0, 0) => Err(anyhow!("nothing was tried")),
            _ => Ok(()),
        }
    }

    fn tables(&self, out: &Output, whole: bool) -> anyhow::Result<()> {
        let shown: Vec<&Row> = self.rows.iter().filter(|row| whole || row.outcome == Outcome::Failed).collect();
        if !whole {
            out.table(&["TYPE", "SCHEME", "OK", "FAILED", "SKIPPED"], &self.summary(), "nothing was tried")?;
        }
        for (kind, scheme) in &self.not_covered {
            out.text(&format!("not covered: {kind} ({scheme})"))?;
        }
        if shown.is_empty() {
            return Ok(());
        }
        if !whole {
            out.text("")?;
        }
        let rows: Vec<Vec<String>> = shown.into_iter().map(cells).collect();
        out.table(&["TYPE", "SCHEME", "CASE", "RESULT", "EXPECTED", "CAME"], &rows, "")
    }

    fn summary(&self) -> Vec<Vec<String>> {
        let mut counts: BTreeMap<(&str, &str), [usize; 3]> = BTreeMap::new();
        for row in &self.rows {
            let [ok, failed, skipped] = counts.entry((&row.kind, &row.scheme)).or_default();
            *match row.outcome {
                Outcome::Held => ok,
                Outcome::Failed => failed,
                Outcome::Skipped => skipped,
            } += 1;
        }
        let cells = counts.into_iter().map(|((kind, scheme), counts)| {
            [kind.to_owned(), scheme.to_owned()].into_iter().chain(counts.map(|count| count.to_string())).collect()
        });
        cells.collect()
    }
}

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.kind.clone(),
        row.scheme.clone(),
        row.case.clone(),
        row.outcome.word().to_owned(),
        row.expected.to_owned(),
        row.came.clone(),
    ]
}

fn to_json(row: &Row) -> serde_json::Value {
    json!({
        "type": row.kind, "scheme": row.scheme, "case": row.case, "result": row.outcome.word(), "expected": row.expected,
        "came": row.came,
    })
}
