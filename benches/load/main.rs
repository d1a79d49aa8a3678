//! Load against Callbox and against Debian's Alertmanager, in one run, interleaved: the table of `docs/performance.md`.
//!
//! `scripts/bench` builds what this needs and calls it. Traffic goes to loopback only.

mod drive;
mod growth;
mod process;
mod report;
mod server;
mod stress;
mod workload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};

use drive::{Pace, Run};
use process::{Usage, machine_busy};
use report::{Bound, Figures, Goal, Report, Used};
use server::{Kind, Programs, Server};
use workload::{Generator, Workload};

#[derive(Parser)]
#[command(about, name = "load")]
struct Cli {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// The whole table.
    Table(Table),
    /// One run against one server, with the same output.
    Once(Once),
    /// What becomes of the rate when the store grows, and what an event costs on disk.
    Growth(Places),
    /// One of the figures below the table: overload, fairness, reader, retention, lanes.
    Stress(Stress),
}

#[derive(Args, Clone)]
struct Places {
    /// The callbox program, built with `--release --features bench`.
    #[arg(long)]
    callbox: PathBuf,
    /// The DSN of a PostgreSQL cluster of our own.
    #[arg(long)]
    postgres: Option<String>,
    /// Where databases are put: a disk, not memory.
    #[arg(long, default_value = "/var/tmp")]
    folder: PathBuf,
}

impl Places {
    fn programs(&self) -> Programs {
        Programs { callbox: self.callbox.clone(), postgres: self.postgres.clone(), folder: self.folder.clone() }
    }
}

#[derive(Args)]
struct Table {
    #[command(flatten)]
    places: Places,
    /// The SQLite rows only, without growth and stress.
    #[arg(long)]
    quick: bool,
    /// Rounds; medians are over these.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds that count in each run.
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
}

#[derive(Args)]
struct Once {
    #[command(flatten)]
    places: Places,
    /// alertmanager, sqlite, postgres or bare.
    #[arg(long, default_value = "sqlite")]
    server: String,
    #[arg(long, value_enum, default_value = "unique")]
    workload: Workload,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Requests a second; without it each connection sends as soon as it has its answer.
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

#[derive(Args)]
struct Stress {
    #[command(flatten)]
    places: Places,
    #[arg(value_enum)]
    what: stress::What,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // reqwest is built without a provider of cryptography of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match cli.command {
        What::Table(table) => runtime.block_on(table.run()),
        What::Once(once) => runtime.block_on(once.run()),
        What::Growth(places) => {
            let (text, goals) = runtime.block_on(growth::measure(&places.programs()))?;
            println!("{text}\n{}", report::goals(&goals));
            Ok(())
        }
        What::Stress(stress) => {
            let (text, goals) = runtime.block_on(stress::measure(&stress.places.programs(), &[stress.what]))?;
            println!("{text}{}", report::goals(&goals));
            Ok(())
        }
    }
}

/// Runs one traffic against one server.
async fn measure(server: &Server, workload: Workload, connections: usize, seconds: f64, pace: Pace) -> anyhow::Result<Figures> {
    let generator = Arc::new(Generator::new(workload, server.target.clone()));
    measure_with(server, &generator, workload.alerts(), connections, seconds, pace).await
}

/// The same with a generator that is set up already, whose requests carry `alerts` each.
async fn measure_with(
    server: &Server,
    generator: &Arc<Generator>,
    alerts: u64,
    connections: usize,
    seconds: f64,
    pace: Pace,
) -> anyhow::Result<Figures> {
    let run = Run {
        address: server.address.clone(),
        connections,
        warm_up: Duration::from_millis(500),
        duration: Duration::from_secs_f64(seconds),
        pace,
        at_most: None,
    };
    let before = || (server.usage(), Usage::own_cpu(), machine_busy());
    let (tally, (server_before, own_before, machine_before)) = drive::run(&run, generator, before).await?;
    let (server_after, own, machine) = before();
    let used = Used {
        server: server_after.cpu - server_before.cpu,
        client: own - own_before,
        machine: machine - machine_before,
        memory: server_after.memory,
        written: server_after.written.saturating_sub(server_before.written),
        alerts,
    };
    Ok(Figures::new(&tally, used))
}

impl Once {
    async fn run(&self) -> anyhow::Result<()> {
        let kind = match self.server.as_str() {
            "alertmanager" => Kind::Alertmanager,
            "postgres" => Kind::Postgres,
            "bare" => Kind::Bare,
            "sqlite" => Kind::Sqlite,
            other => anyhow::bail!("{other} is none of alertmanager, sqlite, postgres, bare"),
        };
        let server = Server::start(kind, &self.places.programs()).await?;
        let mut report = Report::default();
        for _ in 0..self.rounds {
            let pace = self.rate.map_or(Pace::Closed, Pace::Open);
            let figures = measure(&server, self.workload, self.connections, self.seconds, pace).await?;
            report.add((self.workload, self.connections, kind), figures);
        }
        println!("{}", report.markdown());
        Ok(())
    }
}

/// The traffic of the table, and over how many connections.
const TRAFFIC: [(Workload, usize); 9] = [
    (Workload::Unique, 64),
    (Workload::Duplicate, 64),
    (Workload::FireResolve, 64),
    (Workload::Signed, 64),
    (Workload::Mix, 64),
    (Workload::Unique, 16),
    (Workload::Duplicate, 16),
    (Workload::GroupNew, 16),
    (Workload::GroupRepeat, 16),
];

impl Table {
    async fn run(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let programs = self.places.programs();
        let mut report = Report::default();
        let mut kinds = vec![Kind::Alertmanager, Kind::Sqlite, Kind::Bare];
        if !self.quick && programs.postgres.is_some() {
            kinds.push(Kind::Postgres);
        }
        for round in 1..=self.rounds {
            for kind in &kinds {
                eprintln!("round {round} of {}: {}", self.rounds, kind.name());
                let server = Server::start(*kind, &programs).await?;
                for (workload, connections) in TRAFFIC {
                    if *kind == Kind::Alertmanager && !workload.has_peer() {
                        continue;
                    }
                    let figures = measure(&server, workload, connections, self.seconds, Pace::Closed).await?;
                    report.add((workload, connections, *kind), figures);
                }
            }
        }
        println!("{}", report.markdown());
        let mut goals = goals(&report);
        if !self.quick {
            let (text, more) = growth::measure(&programs).await?;
            println!("{text}");
            goals.extend(more);
            let (text, more) = stress::measure(&programs, stress::What::ALL).await?;
            println!("{text}");
            goals.extend(more);
        }
        println!("{}", report::goals(&goals));
        println!("{:.1} minutes", begun.elapsed().as_secs_f64() / 60.0);
        Ok(())
    }
}

/// The goals that the table itself answers.
fn goals(report: &Report) -> Vec<Goal> {
    let rate = |workload, connections, kind, other| report.ratio((workload, connections, kind), other, |run| run.rate);
    let p99 = |workload| report.ratio((workload, 16, Kind::Sqlite), Kind::Alertmanager, |run| run.p99);
    let goal = |what: &str, bound, figure| Goal { what: what.to_owned(), bound, figure };
    let mut goals = vec![
        goal(
            "unique, 64 connections, SQLite, × Alertmanager",
            Bound::AtLeast(1.6),
            rate(Workload::Unique, 64, Kind::Sqlite, Kind::Alertmanager),
        ),
        goal("unique, 64 connections, SQLite, × bare", Bound::AtLeast(0.5), rate(Workload::Unique, 64, Kind::Sqlite, Kind::Bare)),
        goal(
            "duplicate, 64 connections, SQLite, × Alertmanager",
            Bound::AtLeast(1.6),
            rate(Workload::Duplicate, 64, Kind::Sqlite, Kind::Alertmanager),
        ),
        goal(
            "group-new, SQLite, × Alertmanager",
            Bound::AtLeast(1.5),
            rate(Workload::GroupNew, 16, Kind::Sqlite, Kind::Alertmanager),
        ),
        goal(
            "group-repeat, SQLite, × Alertmanager",
            Bound::AtLeast(1.5),
            rate(Workload::GroupRepeat, 16, Kind::Sqlite, Kind::Alertmanager),
        ),
        goal("unique, 16 connections, SQLite, p99 × Alertmanager's", Bound::AtMost(0.5), p99(Workload::Unique)),
        goal("duplicate, 16 connections, SQLite, p99 × Alertmanager's", Bound::AtMost(0.5), p99(Workload::Duplicate)),
    ];
    for (workload, what) in [(Workload::Unique, "unique"), (Workload::Duplicate, "duplicate")] {
        let figure = rate(workload, 64, Kind::Postgres, Kind::Alertmanager);
        goals.push(goal(&format!("{what}, 64 connections, PostgreSQL, × Alertmanager"), Bound::AtLeast(1.2), figure));
    }
    goals
}
