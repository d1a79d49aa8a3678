//! Sends and counts: connections on one thread, in a closed loop or at a fixed rate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::workload::Generator;

/// How requests follow each other.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pace {
    /// Each connection sends as soon as it has its answer.
    Closed,
    /// So many requests a second over all connections. A request that could not leave in time counts from when it should have:
    /// a stalled server is charged for all that it kept waiting (coordinated omission).
    Open(f64),
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// What is sent before anything counts.
    pub warm_up: Duration,
    /// What counts.
    pub duration: Duration,
    /// The pace.
    pub pace: Pace,
    /// Ends the run early once that many requests were answered.
    pub at_most: Option<u64>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Answers in the counted time, by hundreds of their status.
    pub good: u64,
    /// 429 and 503.
    pub refused: u64,
    /// Anything else.
    pub bad: u64,
    /// The counted time, in seconds.
    pub seconds: f64,
    /// Microseconds from sending (or when it should have been) to the answer, of good answers.
    pub good_times: Histogram<u64>,
    /// The same of 429 and 503.
    pub refused_times: Histogram<u64>,
    /// Of 429 and 503, from when they really left: without what they waited for a connection.
    pub refused_alone: Histogram<u64>,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        let empty = || Histogram::new_with_bounds(1, 120_000_000, 3);
        Ok(Self {
            good: 0,
            refused: 0,
            bad: 0,
            seconds: 0.0,
            good_times: empty()?,
            refused_times: empty()?,
            refused_alone: empty()?,
        })
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.good += other.good;
        self.refused += other.refused;
        self.bad += other.bad;
        self.good_times.add(&other.good_times)?;
        self.refused_times.add(&other.refused_times)?;
        self.refused_alone.add(&other.refused_alone)?;
        Ok(())
    }

    /// One answer: how long it took from when it should have been sent, and from when it was.
    fn note(&mut self, status: u16, took: Duration, alone: Duration) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        match status {
            200..300 => {
                self.good += 1;
                self.good_times.saturating_record(micros(took));
            }
            429 | 503 => {
                self.refused += 1;
                self.refused_times.saturating_record(micros(took));
                self.refused_alone.saturating_record(micros(alone));
            }
            _ => self.bad += 1,
        }
    }
}

/// Runs it. `counting` is called when the warm-up is over, and its result handed back with the tally.
///
/// # Errors
/// A connection could not be made, or broke.
pub async fn run<T>(run: &Run, generator: &Arc<Generator>, counting: impl FnOnce() -> T) -> anyhow::Result<(Tally, T)> {
    let begin = Instant::now() + Duration::from_millis(20);
    let counted = begin + run.warm_up;
    let end = counted + run.duration;
    let share = run.at_most.map(|most| most.div_ceil(run.connections.max(1) as u64));
    let mut tasks = Vec::new();
    for number in 0..run.connections {
        let stream = TcpStream::connect(&run.address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let connection = Connection { stream, generator: Arc::clone(generator), number, read: Vec::with_capacity(1 << 14) };
        let gap = match run.pace {
            Pace::Closed => None,
            Pace::Open(rate) => Some(Duration::from_secs_f64(run.connections as f64 / rate)),
        };
        let first = begin + gap.map_or(Duration::ZERO, |gap| gap.mul_f64(number as f64 / run.connections as f64));
        tasks.push(tokio::spawn(connection.drive(Times { first, gap, counted, end }, share)));
    }
    tokio::time::sleep_until(counted.into()).await;
    let noted = counting();
    let began = Instant::now();
    let mut total = Tally::new()?;
    for task in tasks {
        total.add(&task.await??)?;
    }
    // What was due in time and answered late counts; so does the time that it took.
    let elapsed = began.elapsed();
    total.seconds = if run.pace == Pace::Closed { elapsed.min(run.duration) } else { elapsed }.as_secs_f64();
    Ok((total, noted))
}

struct Times {
    first: Instant,
    gap: Option<Duration>,
    counted: Instant,
    end: Instant,
}

struct Connection {
    stream: TcpStream,
    generator: Arc<Generator>,
    number: usize,
    read: Vec<u8>,
}

impl Connection {
    async fn drive(mut self, times: Times, share: Option<u64>) -> anyhow::Result<Tally> {
        let mut tally = Tally::new()?;
        let (mut request, mut body) = (Vec::with_capacity(1 << 16), String::with_capacity(1 << 16));
        let mut due = times.first;
        tokio::time::sleep_until(due.into()).await;
        for turn in 0.. {
            if share.is_some_and(|share| turn >= share) {
                break;
            }
            let mut sent = Instant::now();
            if let Some(gap) = times.gap {
                if due > sent {
                    tokio::time::sleep_until(due.into()).await;
                }
                sent = due;
                due += gap;
            }
            if sent >= times.end {
                break;
            }
            self.generator.request(self.number, turn, &mut request, &mut body);
            let left = Instant::now();
            if times.gap.is_none() {
                sent = left;
            }
            self.stream.write_all(&request).await?;
            let status = self.answer().await?;
            let now = Instant::now();
            if sent >= times.counted && (now <= times.end || times.gap.is_some()) {
                tally.note(status, now - sent, now - left);
            }
        }
        Ok(tally)
    }

    /// Reads one answer whole; its status.
    async fn answer(&mut self) -> anyhow::Result<u16> {
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the connection was closed");
            }
            let Some(end) = find(&self.read, b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(self.read.get(..end).unwrap_or_default())?;
            let status = head.get(9..12).unwrap_or_default().parse()?;
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())?;
            while self.read.len() < end + 4 + length {
                if self.stream.read_buf(&mut self.read).await? == 0 {
                    bail!("the connection was closed within an answer");
                }
            }
            return Ok(status);
        }
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
