//! What becomes of rate, memory and start when the store grows, and what an event costs on disk.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::drive::{self, Pace, Run};
use crate::measure_with;
use crate::report::{Bound, Goal};
use crate::server::{Kind, Programs, Server};
use crate::workload::{Generator, Workload};

/// Incidents stored at each step.
const STEPS: [u64; 4] = [10_000, 100_000, 500_000, 1_000_000];
/// The last of them on PostgreSQL, where filling takes twice as long.
const POSTGRES_MAX: u64 = 100_000;
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
        let mut rates: Vec<(f64, f64)> = Vec::new();
        let mut stored = 0;
        let most = if kind == Kind::Postgres { POSTGRES_MAX } else { u64::MAX };
        for step in STEPS.into_iter().filter(|step| *step <= most) {
            eprintln!("growth: {} to {step}", kind.name());
            fill(&server, stored, step - stored).await?;
            stored = step;
            server.settle().await?;
            let memory = megabytes(&server);
            // The unique runs add incidents of their own, some tens of thousands a step.
            let rate = (rate(&server, Workload::Unique, stored).await?, rate(&server, Workload::Spread, stored).await?);
            let _ = writeln!(text, "| {} | {step} | {:.0} | {:.0} | {memory:.0} |", kind.name(), rate.0, rate.1);
            rates.push(rate);
            if step == 500_000 && kind == Kind::Sqlite {
                goals.push(Goal {
                    what: "memory at 500,000 stored, MB".into(),
                    bound: Bound::AtMost(150.0),
                    figure: Some(memory),
                });
            }
        }
        server.restart(programs, &[]).await?;
        let start = server.started_in.as_secs_f64();
        let _ = writeln!(text, "| {} | idle, empty: {idle:.0} MB; start on the full store: {start:.2} s | | | |", kind.name());
        let ratio = |figure: fn(&(f64, f64)) -> f64| Some(figure(rates.last()?) / figure(rates.first()?));
        let name = kind.name();
        goals.extend([
            Goal {
                what: format!("{name}: unique at {stored} stored ÷ at 10,000"),
                bound: Bound::AtLeast(0.8),
                figure: ratio(|rate| rate.0),
            },
            Goal {
                what: format!("{name}: repeats at {stored} stored ÷ at 10,000"),
                bound: Bound::AtLeast(0.8),
                figure: ratio(|rate| rate.1),
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

async fn fill(server: &Server, stored: u64, more: u64) -> anyhow::Result<()> {
    let generator = Arc::new(Generator::after(Workload::Fill, server.target.clone(), stored));
    let run = Run {
        address: server.address.clone(),
        connections: 64,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(600),
        pace: Pace::Closed,
        at_most: Some(more),
    };
    drive::run(&run, &generator, || ()).await?;
    Ok(())
}

async fn rate(server: &Server, workload: Workload, stored: u64) -> anyhow::Result<f64> {
    let generator = Arc::new(Generator::after(workload, server.target.clone(), stored));
    let mut rates = Vec::new();
    for _ in 0..RUNS {
        rates.push(measure_with(server, &generator, 1, 64, 1.0, Pace::Closed).await?.rate);
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates.get(RUNS / 2).copied().unwrap_or(f64::NAN))
}

/// The vacuumed database of 100,000 unique triggers over the sum of their bodies.
async fn on_disk(programs: &Programs) -> anyhow::Result<Goal> {
    let server = Server::start(Kind::Sqlite, programs).await?;
    let generator = Arc::new(Generator::after(Workload::Fill, server.target.clone(), 0));
    let (mut request, mut body) = (Vec::new(), String::new());
    generator.request(0, 0, &mut request, &mut body);
    let bodies = body.len() as u64 * ON_DISK;
    fill(&server, 0, ON_DISK).await?;
    let size = server.vacuumed_size()?;
    Ok(Goal {
        what: format!("database ÷ bodies, 100,000 events of {} bytes", body.len()),
        bound: Bound::AtMost(3.5),
        figure: Some(size as f64 / bodies as f64),
    })
}
