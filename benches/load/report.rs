//! The table: medians over the rounds, their spread, ratios, and whether the goals are met.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::drive::Tally;
use crate::server::Kind;
use crate::workload::Workload;

/// What one run came to.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Good answers a second.
    pub rate: f64,
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
    /// Milliseconds.
    pub p999: f64,
    /// Cores that the server and its database used.
    pub server: f64,
    /// Cores that we used.
    pub client: f64,
    /// Cores that somebody else used; a run where this is not near zero says little.
    pub others: f64,
    /// Mebibytes at the end.
    pub memory: f64,
    /// Bytes handed to the disk for each alert.
    pub written: f64,
    /// Answers that were neither good nor 429 nor 503.
    pub bad: u64,
}

/// A percentile in milliseconds.
pub fn percentile(times: &Histogram<u64>, quantile: f64) -> f64 {
    times.value_at_quantile(quantile) as f64 / 1000.0
}

impl Figures {
    /// From what was counted, and what was used meanwhile.
    pub fn new(tally: &Tally, used: Used) -> Self {
        let seconds = tally.seconds.max(f64::EPSILON);
        Self {
            rate: tally.good as f64 / seconds,
            p50: percentile(&tally.good_times, 0.5),
            p99: percentile(&tally.good_times, 0.99),
            p999: percentile(&tally.good_times, 0.999),
            server: used.server / seconds,
            client: used.client / seconds,
            others: (used.machine - used.server - used.client).max(0.0) / seconds,
            memory: used.memory as f64 / f64::from(1 << 20),
            written: used.written as f64 / (tally.good as f64 * used.alerts as f64).max(1.0),
            bad: tally.bad,
        }
    }
}

/// What a run used, in seconds of CPU and bytes.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// By the server and its database.
    pub server: f64,
    /// By us.
    pub client: f64,
    /// By everybody.
    pub machine: f64,
    /// Bytes held at the end.
    pub memory: u64,
    /// Bytes written.
    pub written: u64,
    /// Alerts in a request.
    pub alerts: u64,
}

/// A row of the table: which server, which traffic, over how many connections.
pub type Row = (Workload, usize, Kind);

/// All runs so far.
#[derive(Default)]
pub struct Report {
    runs: BTreeMap<usize, Vec<Figures>>,
    rows: Vec<Row>,
}

impl Report {
    /// Adds a run.
    pub fn add(&mut self, row: Row, figures: Figures) {
        let index = self.rows.iter().position(|known| *known == row).unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        self.runs.entry(index).or_default().push(figures);
    }

    fn runs(&self, row: Row) -> &[Figures] {
        let index = self.rows.iter().position(|known| *known == row);
        index.and_then(|index| self.runs.get(&index)).map_or(&[], Vec::as_slice)
    }

    /// The median over the rounds of one figure.
    pub fn median(&self, row: Row, figure: impl Fn(&Figures) -> f64) -> Option<f64> {
        let mut values: Vec<f64> = self.runs(row).iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// The median of one figure over that of another server in the same traffic.
    pub fn ratio(&self, row: Row, other: Kind, figure: impl Fn(&Figures) -> f64) -> Option<f64> {
        Some(self.median(row, &figure)? / self.median((row.0, row.1, other), &figure)?)
    }

    /// The whole table, as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| traffic | connections | server | requests/s (min–max) | alerts/s | p50 ms | p99 ms | p99.9 ms | server cores | client cores | others | memory MB | written B/alert | × Alertmanager | × bare |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        let mut rows = self.rows.clone();
        rows.sort_by_key(|(workload, connections, kind)| (*workload, usize::MAX - connections, *kind));
        for row in rows {
            let get = |figure: fn(&Figures) -> f64| self.median(row, figure).unwrap_or(f64::NAN);
            let rates: Vec<f64> = self.runs(row).iter().map(|run| run.rate).collect();
            let (least, most) = rates.iter().fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
            let ratio =
                |other| self.ratio(row, other, |run| run.rate).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
            let bad: u64 = self.runs(row).iter().map(|run| run.bad).sum();
            let bad = if bad > 0 { format!(" **{bad} bad answers**") } else { String::new() };
            text.push_str(&format!(
                "| {} | {} | {} | {:.0} ({least:.0}–{most:.0}){bad} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {} | {} |\n",
                row.0.name(), row.1, row.2.name(), get(|run| run.rate), get(|run| run.rate) * row.0.alerts() as f64, get(|run| run.p50),
                get(|run| run.p99), get(|run| run.p999), get(|run| run.server), get(|run| run.client), get(|run| run.others),
                get(|run| run.memory), get(|run| run.written), ratio(Kind::Alertmanager), ratio(Kind::Bare),
            ));
        }
        text
    }
}

/// One goal, and what came of it.
pub struct Goal {
    /// What was asked for.
    pub what: String,
    /// The bound, and whether the figure must be at least or at most that.
    pub bound: Bound,
    /// The figure; `None`: not measured in this run.
    pub figure: Option<f64>,
}

/// A bound.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// The figure must not be lower.
    AtLeast(f64),
    /// The figure must not be higher.
    AtMost(f64),
}

/// The goals as Markdown.
pub fn goals(goals: &[Goal]) -> String {
    let mut text = String::from("| goal | wanted | measured | |\n|---|---|---|---|\n");
    for goal in goals {
        let (sign, bound, met) = match goal.bound {
            Bound::AtLeast(bound) => ("≥", bound, goal.figure.map(|figure| figure >= bound)),
            Bound::AtMost(bound) => ("≤", bound, goal.figure.map(|figure| figure <= bound)),
        };
        let figure = goal.figure.map_or_else(|| "not measured".to_owned(), |figure| format!("{figure:.2}"));
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "",
        };
        text.push_str(&format!("| {} | {sign} {bound} | {figure} | {verdict} |\n", goal.what));
    }
    text
}

/// The one in the middle; not a number where there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
