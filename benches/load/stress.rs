//! Past capacity, beside a flood, beside a reader, and one hot integration on PostgreSQL.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::drive::{self, Pace, Run, Tally};
use crate::report::{Bound, Goal, percentile};
use crate::server::{Kind, Programs, Server};
use crate::workload::{Endpoints, Generator, Target, Workload};

/// Pages of 100 incidents that the reader asks for in a second.
const PAGES: f64 = 20.0;
/// Runs with and without what is looked at, in turn; medians count.
const RUNS: usize = 3;

/// All of it, as text and goals.
///
/// # Errors
/// A server fails.
pub async fn measure(programs: &Programs) -> anyhow::Result<(String, Vec<Goal>)> {
    let mut text = String::new();
    let mut goals = Vec::new();
    overload(programs, &mut text, &mut goals).await?;
    fairness(programs, &mut text, &mut goals).await?;
    reader(programs, &mut text, &mut goals).await?;
    if programs.postgres.is_some() {
        lanes(programs, &mut text).await?;
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Half as much again as it can take, with a short queue so that refusals come.
async fn overload(programs: &Programs, text: &mut String, goals: &mut Vec<Goal>) -> anyhow::Result<()> {
    eprintln!("stress: overload");
    let server = Server::start_with(Kind::Sqlite, programs, &[("CALLBOX_LIMITS_QUEUE_REQUESTS", "64")]).await?;
    let capacity = rate(&send(&server, &server.target, 64, 3.0, Pace::Closed).await?);
    let before = server.own_memory();
    let past = send(&server, &server.target, 512, 5.0, Pace::Open(capacity * 1.5)).await?;
    let grown = (server.own_memory() as f64 - before as f64) / f64::from(1 << 20);
    let after = send(&server, &server.target, 64, 2.0, Pace::Open(capacity * 0.5)).await?;
    let p99 = percentile(&past.refused_times, 0.99);
    let _ = writeln!(
        text,
        "Overload (queue of 64, 1.5 × capacity offered over 512 connections): capacity {capacity:.0}/s; past it {:.0}/s accepted and \
         {:.0}/s refused, p99 of a refusal {p99:.1} ms, {grown:+.0} MB; at half of it right after: {} refused of {}.\n",
        rate(&past),
        past.refused as f64 / past.seconds,
        after.refused,
        after.good + after.refused,
    );
    let goal = |what: &str, bound, figure| Goal { what: what.to_owned(), bound, figure: Some(figure) };
    goals.extend([
        goal("overload: accepted past capacity ÷ capacity", Bound::AtLeast(0.8), rate(&past) / capacity),
        goal("overload: p99 of a refusal, ms", Bound::AtMost(50.0), p99),
        goal("overload: refused at half of capacity right after", Bound::AtMost(0.0), after.refused as f64),
        goal("overload: other answers", Bound::AtMost(0.0), (past.bad + after.bad) as f64),
    ]);
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

/// One integration, and twenty, on PostgreSQL: all keys of an integration are one lane's.
async fn lanes(programs: &Programs, text: &mut String) -> anyhow::Result<()> {
    eprintln!("stress: lanes");
    let server = Server::start(Kind::Postgres, programs).await?;
    let Target::Callbox(mut endpoints) = server.target.clone() else { return Ok(()) };
    endpoints.mix.retain(|endpoint| endpoint.kind == "events");
    let many = Target::Callbox(endpoints);
    let (mut one, mut twenty) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        one.push(rate(&send(&server, &server.target, 64, 3.0, Pace::Closed).await?));
        twenty.push(rate(&send_as(&server, Workload::Mix, &many, 64, 3.0, Pace::Closed).await?));
    }
    let _ = writeln!(
        text,
        "Lanes on PostgreSQL: one hot integration {:.0}/s, the same traffic over 20 integrations {:.0}/s.\n",
        median(one),
        median(twenty),
    );
    Ok(())
}
