//! Past capacity, beside a flood, beside a reader, and one hot integration on PostgreSQL.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::drive::{self, Pace, Run, Tally};
use crate::report::{Bound, Goal, median, percentile};
use crate::server::{Kind, Programs, Server};
use crate::workload::{Endpoints, Generator, Target, Workload};

/// Pages of 100 incidents that the reader asks for in a second.
const PAGES: f64 = 20.0;
/// Connections of the overload.
const OVERLOADED: usize = 256;
/// Old requests, and as many old events, that retention finds.
const OLD_ROWS: i64 = 300_000;
/// Runs with and without what is looked at, in turn; medians count.
const RUNS: usize = 3;

/// What is measured here.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    Overload,
    Fairness,
    Reader,
    Retention,
    Lanes,
}

impl What {
    /// All of it.
    pub const ALL: &[Self] = &[Self::Overload, Self::Fairness, Self::Reader, Self::Retention, Self::Lanes];
}

/// Some of it, as text and goals.
///
/// # Errors
/// A server fails.
pub async fn measure(programs: &Programs, what: &[What]) -> anyhow::Result<(String, Vec<Goal>)> {
    let mut text = String::new();
    let mut goals = Vec::new();
    let alone = what.len() == 1;
    for what in what {
        match what {
            What::Overload => overload(programs, &mut text, &mut goals).await?,
            What::Fairness => fairness(programs, &mut text, &mut goals).await?,
            What::Reader => reader(programs, &mut text, &mut goals).await?,
            What::Retention => {
                retention(Kind::Sqlite, programs, &mut text, &mut goals).await?;
                // By itself only: the table must be done while one waits for it.
                if alone && programs.postgres.is_some() {
                    retention(Kind::Postgres, programs, &mut text, &mut goals).await?;
                }
            }
            What::Lanes if programs.postgres.is_none() => {}
            What::Lanes => lanes(programs, &mut text).await?,
        }
    }
    Ok((text, goals))
}

async fn send(server: &Server, target: &Target, connections: usize, seconds: f64, pace: Pace) -> anyhow::Result<Tally> {
    send_as(server, Workload::Unique, target, connections, seconds, pace).await
}

async fn send_as(
    server: &Server,
    workload: Workload,
    target: &Target,
    connections: usize,
    seconds: f64,
    pace: Pace,
) -> anyhow::Result<Tally> {
    let run = Run {
        address: server.address.clone(),
        connections,
        warm_up: Duration::from_millis(500),
        duration: Duration::from_secs_f64(seconds),
        pace,
        at_most: None,
    };
    let generator = Arc::new(Generator::new(workload, target.clone()));
    Ok(drive::run(&run, &generator, || ()).await?.0)
}

fn rate(tally: &Tally) -> f64 {
    tally.good as f64 / tally.seconds.max(f64::EPSILON)
}

/// Half as much again as it can take, with a short queue so that refusals come: of single events, with which the processors are
/// full first, and of groups, with which the committing thread is.
async fn overload(programs: &Programs, text: &mut String, goals: &mut Vec<Goal>) -> anyhow::Result<()> {
    for workload in [Workload::Unique, Workload::GroupNew] {
        eprintln!("stress: overload, {}", workload.name());
        let server = Server::start_with(Kind::Sqlite, programs, &[("CALLBOX_LIMITS_QUEUE_REQUESTS", "64")]).await?;
        let load = |connections, seconds, pace| send_as(&server, workload, &server.target, connections, seconds, pace);
        let capacity = rate(&load(96, 3.0, Pace::Closed).await?);
        let before = server.own_memory();
        let past = load(OVERLOADED, 5.0, Pace::Open(capacity * 1.5)).await?;
        let grown = (server.own_memory() as f64 - before as f64) / f64::from(1 << 20);
        let after = load(64, 2.0, Pace::Open(capacity * 0.5)).await?;
        let (p99, alone) = (percentile(&past.refused_times, 0.99), percentile(&past.refused_alone, 0.99));
        let _ = writeln!(
            text,
            "Overload, {} (queue of 64, 1.5 × capacity offered over {OVERLOADED} connections): capacity {capacity:.0}/s; past it \
             {:.0}/s accepted and {:.0}/s refused; p99 of a refusal {alone:.1} ms from when it left, {p99:.1} ms from when it should \
             have; {grown:+.0} MB; at half of capacity right after: {} refused of {}.\n",
            workload.name(),
            rate(&past),
            past.refused as f64 / past.seconds,
            after.refused,
            after.good + after.refused,
        );
        let goal = |what: &str, bound, figure| Goal {
            what: format!("overload, {}: {what}", workload.name()),
            bound,
            figure: Some(figure),
        };
        goals.extend([
            goal("accepted past capacity ÷ capacity", Bound::AtLeast(0.8), rate(&past) / capacity),
            goal("p99 of a refusal from when it left, ms", Bound::AtMost(50.0), alone),
            goal("p99 of a refusal from when it should have left, ms", Bound::AtMost(50.0), p99),
            goal("refused at half of capacity right after", Bound::AtMost(0.0), after.refused as f64),
            goal("other answers", Bound::AtMost(0.0), (past.bad + after.bad) as f64),
        ]);
    }
    Ok(())
}

/// One integration floods, another sends 100 a second.
async fn fairness(programs: &Programs, text: &mut String, goals: &mut Vec<Goal>) -> anyhow::Result<()> {
    eprintln!("stress: fairness");
    let server = Server::start(Kind::Sqlite, programs).await?;
    let quiet = match &server.target {
        Target::Callbox(endpoints) => {
            let events = server.integration("events", "quiet", false).await?;
            Target::Callbox(Box::new(Endpoints { events, ..(**endpoints).clone() }))
        }
        Target::Alertmanager => Target::Alertmanager,
    };
    let alone = send(&server, &quiet, 8, 3.0, Pace::Open(100.0)).await?;
    let (flood, beside) = tokio::try_join!(
        send(&server, &server.target, 256, 5.0, Pace::Closed),
        send(&server, &quiet, 8, 5.0, Pace::Open(100.0)),
    )?;
    let p99 = percentile(&beside.good_times, 0.99);
    let _ = writeln!(
        text,
        "Fairness: 100 requests/s of one integration have a p99 of {:.1} ms alone, and of {p99:.1} ms beside another that keeps 256 \
         requests in flight ({:.0}/s, p99 {:.1} ms).\n",
        percentile(&alone.good_times, 0.99),
        rate(&flood),
        percentile(&flood.good_times, 0.99),
    );
    goals.push(Goal { what: "fairness: p99 beside a flood, ms".into(), bound: Bound::AtMost(100.0), figure: Some(p99) });
    Ok(())
}

/// Ingest with and without somebody who pages through the incidents.
async fn reader(programs: &Programs, text: &mut String, goals: &mut Vec<Goal>) -> anyhow::Result<()> {
    eprintln!("stress: reader");
    let server = Server::start(Kind::Sqlite, programs).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        without.push(rate(&send(&server, &server.target, 64, 3.0, Pace::Closed).await?));
        let reading = async {
            let (mut cursor, mut ticks) = (None, tokio::time::interval(Duration::from_secs_f64(1.0 / PAGES)));
            loop {
                ticks.tick().await;
                cursor = server.page(cursor.as_deref()).await?;
            }
        };
        let result: anyhow::Result<Tally> = tokio::select! {
            sent = send(&server, &server.target, 64, 3.0, Pace::Closed) => sent,
            failed = reading => failed,
        };
        with.push(rate(&result?));
    }
    let ratio = median(with) / median(without.clone());
    let _ = writeln!(
        text,
        "Reader: {PAGES} pages of 100 incidents a second leave {:.0} % of {:.0} requests/s.\n",
        ratio * 100.0,
        median(without),
    );
    goals.push(Goal { what: "ingest beside a reader ÷ without".into(), bound: Bound::AtLeast(0.9), figure: Some(ratio) });
    Ok(())
}

/// Ingest with and without a retention that has much to remove.
async fn retention(kind: Kind, programs: &Programs, text: &mut String, goals: &mut Vec<Goal>) -> anyhow::Result<()> {
    eprintln!("stress: retention, {}", kind.name());
    let ages = |age| [("CALLBOX_RETENTION_LEDGER", age), ("CALLBOX_RETENTION_EVENTS", age)];
    let mut server = Server::start_with(kind, programs, &ages("off")).await?;
    server.plant(OLD_ROWS)?;
    server.settle().await?;
    let (mut without, mut with, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..2 * RUNS {
        // Each as often first as second.
        let removes = matches!(run % 4, 1 | 2);
        server.restart(programs, &ages(if removes { "30d" } else { "off" })).await?;
        let gone = server.counter("callbox_retention_rows_total").await?;
        let sent = send(&server, &server.target, 64, 3.0, Pace::Closed).await?;
        let gone = server.counter("callbox_retention_rows_total").await? - gone;
        if removes { &mut with } else { &mut without }.push(rate(&sent));
        if removes {
            removed.push(gone / sent.seconds);
        }
    }
    let ratio = median(with) / median(without.clone());
    let _ = writeln!(
        text,
        "Retention, {}: while it removes {:.0} rows a second, {:.0} % of {:.0} requests/s are left.\n",
        kind.name(),
        median(removed),
        ratio * 100.0,
        median(without),
    );
    let what = format!("{}: ingest beside a retention delete ÷ without", kind.name());
    goals.push(Goal { what, bound: Bound::AtLeast(0.9), figure: Some(ratio) });
    Ok(())
}

/// One integration, and twenty, on PostgreSQL with one lane, two and four: all keys of an integration are one lane's.
async fn lanes(programs: &Programs, text: &mut String) -> anyhow::Result<()> {
    for lanes in ["1", "2", "4"] {
        eprintln!("stress: {lanes} lanes");
        let server = Server::start_with(Kind::Postgres, programs, &[("CALLBOX_STORE_LANES", lanes)]).await?;
        let Target::Callbox(mut endpoints) = server.target.clone() else { return Ok(()) };
        endpoints.mix.retain(|endpoint| endpoint.kind == "events");
        let many = Target::Callbox(endpoints.clone());
        endpoints.mix.truncate(1);
        let hot = Target::Callbox(endpoints);
        let (mut one, mut twenty) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            one.push(rate(&send_as(&server, Workload::Mix, &hot, 64, 2.0, Pace::Closed).await?));
            twenty.push(rate(&send_as(&server, Workload::Mix, &many, 64, 2.0, Pace::Closed).await?));
        }
        let (one, twenty) = (median(one), median(twenty));
        let _ =
            writeln!(text, "PostgreSQL, {lanes} lanes: one integration {one:.0}/s, the same requests to twenty {twenty:.0}/s.\n");
    }
    Ok(())
}
