//! What becomes of rate, memory and start when the store grows, and what an event costs on disk.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use crate::drive::{self, Pace, Run};
use crate::measure_with;
use crate::report::{Bound, Goal, median};
use crate::server::{Kind, Programs, Server};
use crate::workload::{Generator, Workload};

/// Incidents stored at each step.
const STEPS: [u64; 4] = [10_000, 100_000, 500_000, 1_000_000];
/// The store that the largest is compared with.
const SMALL: u64 = 10_000;
/// The step at which there is a goal for memory. From here on rates are measured at the end alone, beside a small store.
const MEMORY_AT: u64 = 500_000;
/// Runs at each step; the median counts.
const RUNS: usize = 3;
/// Events whose cost on disk is measured.
const ON_DISK: u64 = 100_000;

/// All of it, as text and goals.
///
/// # Errors
/// A server fails.
pub async fn measure(programs: &Programs) -> anyhow::Result<(String, Vec<Goal>)> {
    let mut text = String::from("| server | stored | unique/s | repeats over all of it/s | memory MB |\n|---|---|---|---|---|\n");
    let mut goals = Vec::new();
    let kinds = [Some(Kind::Sqlite), programs.postgres.is_some().then_some(Kind::Postgres)];
    for kind in kinds.into_iter().flatten() {
        let mut server = Server::start(kind, programs).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let idle = megabytes(&server);
        let mut stored = 0;
        for step in STEPS {
            eprintln!("growth: {} to {step}", kind.name());
            fill(&server, Workload::FillGroup, stored, step - stored).await?;
            stored = step;
            server.settle().await?;
            let memory = megabytes(&server);
            let _ = match step {
                MEMORY_AT.. => writeln!(text, "| {} | {step} | – | – | {memory:.0} |", kind.name()),
                _ => {
                    // The unique runs add incidents of their own, some tens of thousands a step.
                    let [rates] = in_turn([(&server, stored)]).await?;
                    writeln!(text, "| {} | {step} | {:.0} | {:.0} | {memory:.0} |", kind.name(), rates.unique, rates.repeats)
                }
            };
            if step == MEMORY_AT && kind == Kind::Sqlite {
                goals.push(Goal {
                    what: "memory at 500,000 stored, MB".into(),
                    bound: Bound::AtMost(150.0),
                    figure: Some(memory),
                });
            }
        }
        let [small, large] = beside_a_small_one(programs, kind, &server, stored).await?;
        let _ = writeln!(
            text,
            "| {} | {SMALL} and {stored}, in turn | {:.0} and {:.0} | {:.0} and {:.0} | |",
            kind.name(),
            small.unique,
            large.unique,
            small.repeats,
            large.repeats
        );
        server.restart(programs, &[]).await?;
        let start = server.started_in.as_secs_f64();
        let _ = writeln!(text, "| {} | idle, empty: {idle:.0} MB; start on the full store: {start:.2} s | | | |", kind.name());
        let name = kind.name();
        goals.extend([
            Goal {
                what: format!("{name}: unique at {stored} stored ÷ at 10,000, in turn"),
                bound: Bound::AtLeast(0.8),
                figure: Some(large.unique / small.unique),
            },
            Goal {
                what: format!("{name}: repeats at {stored} stored ÷ at 10,000, in turn"),
                bound: Bound::AtLeast(0.8),
                figure: Some(large.repeats / small.repeats),
            },
            Goal { what: format!("{name}: start on {stored} stored, s"), bound: Bound::AtMost(1.0), figure: Some(start) },
        ]);
        if kind == Kind::Sqlite {
            goals.push(Goal { what: "memory idle, MB".into(), bound: Bound::AtMost(20.0), figure: Some(idle) });
        }
    }
    goals.push(on_disk(programs).await?);
    Ok((text, goals))
}

fn megabytes(server: &Server) -> f64 {
    server.own_memory() as f64 / f64::from(1 << 20)
}

/// Adds `more` incidents to as many as `stored`.
async fn fill(server: &Server, workload: Workload, stored: u64, more: u64) -> anyhow::Result<()> {
    let generator = Arc::new(Generator::after(workload, server.target.clone(), stored));
    let run = Run {
        address: server.address.clone(),
        connections: if workload == Workload::Fill { 64 } else { 16 },
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(600),
        pace: Pace::Closed,
        at_most: Some(more / workload.alerts()),
    };
    let (tally, ()) = drive::run(&run, &generator, || ()).await?;
    ensure!(tally.refused + tally.bad == 0, "{} refused, {} failed while the store was filled", tally.refused, tally.bad);
    Ok(())
}

/// Requests a second.
struct Rates {
    unique: f64,
    repeats: f64,
}

/// The store beside another that holds 10,000, by turns: what the disk does in one minute and not in the next, both feel.
async fn beside_a_small_one(programs: &Programs, kind: Kind, server: &Server, stored: u64) -> anyhow::Result<[Rates; 2]> {
    eprintln!("growth: {}, 10000 and {stored} in turn", kind.name());
    let small = Server::start(kind, programs).await?;
    fill(&small, Workload::FillGroup, 0, SMALL).await?;
    small.settle().await?;
    in_turn([(&small, SMALL), (server, stored)]).await
}

/// Each server's medians, with as many stored as said.
async fn in_turn<const N: usize>(servers: [(&Server, u64); N]) -> anyhow::Result<[Rates; N]> {
    let mut runs = [(); N].map(|()| (Vec::new(), Vec::new()));
    for _ in 0..RUNS {
        for ((server, stored), (unique, repeats)) in servers.iter().zip(&mut runs) {
            for (workload, rates) in [(Workload::Unique, unique), (Workload::Spread, repeats)] {
                let generator = Arc::new(Generator::after(workload, server.target.clone(), *stored));
                rates.push(measure_with(server, &generator, 1, 64, 1.0, Pace::Closed).await?.rate);
            }
        }
    }
    Ok(runs.map(|(unique, repeats)| Rates { unique: median(unique), repeats: median(repeats) }))
}

/// The vacuumed database of 100,000 unique triggers over the sum of their bodies.
async fn on_disk(programs: &Programs) -> anyhow::Result<Goal> {
    let server = Server::start(Kind::Sqlite, programs).await?;
    let generator = Arc::new(Generator::after(Workload::Fill, server.target.clone(), 0));
    let (mut request, mut body) = (Vec::new(), String::new());
    generator.request(0, 0, &mut request, &mut body);
    let bodies = body.len() as u64 * ON_DISK;
    fill(&server, Workload::Fill, 0, ON_DISK).await?;
    let size = server.vacuumed_size()?;
    Ok(Goal {
        what: format!("database ÷ bodies, 100,000 events of {} bytes", body.len()),
        bound: Bound::AtMost(3.5),
        figure: Some(size as f64 / bodies as f64),
    })
}
