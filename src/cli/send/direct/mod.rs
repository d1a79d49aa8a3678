//! `callbox send --to`: destinations told by this program itself, without a service.
//!
//! Events go to every destination at once. Each destination has a lane of its own, which tells it one event after the other: one that is
//! slow or dead costs the others nothing until [`BACKLOG`] events wait for it. What is sent, and how an answer is judged, is the
//! service's own code: [`crate::outbox::Direct`].

mod lane;
mod memory;
mod sink;
#[cfg(test)]
mod tests;
mod told;

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use futures_util::future::{FutureExt as _, join_all};
use serde_json::Value;
use tokio::sync::mpsc;

use self::lane::{Lane, Tally};
use self::memory::Memory;
use self::sink::Sink;
use self::told::Told;
use super::SendArgs;
use crate::cli::args::{Source, word};
use crate::cli::incident::Severity;
use crate::cli::output::Output;
use crate::duration::Span;
use crate::event;
use crate::time::Clock;

/// Events that wait for one destination before all wait for it.
const BACKLOG: usize = 10_000;
/// Bytes of a line of events: what the Events API takes.
const LINE_MAX: u64 = 512 * 1024;

/// Options of `send` that tell destinations without a service.
#[derive(Args)]
#[command(next_help_heading = "Without a service")]
pub struct DirectArgs {
    /// Tell this destination itself: its URL (slack://…, pagerduty://KEY, https://…) as it is, @FILE or env:NAME. Repeatable
    #[arg(long, value_name = "URL", conflicts_with = "integration")]
    to: Vec<Source>,
    /// Leave out events less severe than this
    #[arg(long, value_enum, value_name = "SEVERITY", requires = "to", conflicts_with = "change")]
    severity_floor: Option<Severity>,
    /// Leave out what a destination was told within this time already
    #[arg(long, value_name = "TIME", requires = "to", conflicts_with = "change")]
    dedupe: Option<Span>,
    /// Where --dedupe remembers what was told [default: callbox/send.json in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "FILE", requires = "dedupe")]
    state: Option<PathBuf>,
    /// Print the requests that would go out, secrets masked, and send nothing
    #[arg(long, requires = "to")]
    dry_run: bool,
    /// Read events from a file, - for standard input: one a line, in JSON as the Events API v2 takes it, without routing key
    #[arg(long, value_name = "FILE", requires = "to", conflicts_with_all = [
        "action", "summary", "source", "severity", "dedup_key", "component", "group", "class", "details", "links", "client",
        "client_url", "timestamp",
    ])]
    events: Option<PathBuf>,
}

/// What all lanes share.
struct Shared<'a> {
    out: &'a Output,
    client: crate::net::Client,
    clock: Clock,
    dry_run: bool,
    retries: u32,
    floor: Option<event::Severity>,
    memory: Option<RefCell<Memory>>,
}

impl DirectArgs {
    /// Whether destinations are named.
    pub fn is_given(&self) -> bool {
        !self.to.is_empty()
    }

    /// Tells the destinations.
    ///
    /// # Errors
    /// The call is wrong, or a destination was not told of an event; the others were told all the same.
    pub fn run(&self, send: &SendArgs, out: &Output) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
        // Whoever reads standard input is not waited for.
        let result = runtime.block_on(self.tell(send, out).boxed_local());
        runtime.shutdown_background();
        result
    }

    async fn tell(&self, send: &SendArgs, out: &Output) -> anyhow::Result<()> {
        let client = sink::client()?;
        let sinks = sink::read(&self.to, &client)?;
        let shared = Shared {
            out,
            client,
            clock: Clock::System,
            dry_run: self.dry_run,
            retries: send.retries,
            floor: self.severity_floor.and_then(|floor| event::Severity::parse(&word(floor).to_string())),
            memory: self.memory(out)?.map(RefCell::new),
        };
        let single = match &self.events {
            Some(_) => None,
            None => Some(Arc::new(self.read(&send.event()?, send.change)?)),
        };
        let (lanes, doors): (Vec<_>, Vec<_>) = sinks.iter().map(|sink| open(sink, &shared)).unzip();
        let feeding = async {
            let broken = match (&single, &self.events) {
                (Some(told), _) => hand_over(&doors, told).await.map(|()| 0),
                (None, Some(path)) => self.feed(path, send.change, &doors, &shared).await,
                (None, None) => Ok(0),
            };
            // With their doors closed the lanes come to their end.
            drop(doors);
            broken
        };
        let (broken, tallies) = tokio::join!(feeding, join_all(lanes.into_iter().map(Lane::run)));
        if let Some(key) = single.as_ref().and_then(|told| told.key.as_ref()).filter(|_| !self.dry_run && !out.is_json()) {
            out.text(key.as_str())?;
        }
        end(broken?, tallies.into_iter().collect::<anyhow::Result<_>>()?, self.events.is_some(), out)
    }

    fn memory(&self, out: &Output) -> anyhow::Result<Option<Memory>> {
        let Some(window) = self.dedupe.filter(|window| !window.is_off()) else { return Ok(None) };
        let file = self.state.clone().or_else(memory::usual_file);
        if file.is_none() {
            out.note("--dedupe remembers nothing after this run, because there is no home folder: name a file with --state")?;
        }
        Ok(Some(Memory::open(window, file, self.dry_run)))
    }

    /// One event; with `--dedupe` one without a key is known by its summary and source.
    fn read(&self, body: &Value, change: bool) -> anyhow::Result<Told> {
        let now = Clock::System.now();
        let told = if change { Told::change(body, now) } else { Told::event(body, self.dedupe.is_some(), now) };
        told.map_err(super::usage)
    }

    /// Hands over the events of a file; returns how many lines were none.
    async fn feed(
        &self,
        path: &Path,
        change: bool,
        doors: &[mpsc::Sender<Arc<Told>>],
        shared: &Shared<'_>,
    ) -> anyhow::Result<usize> {
        let mut lines = lines(path)?;
        let (mut number, mut broken) = (0, 0);
        while let Some(line) = lines.recv().await {
            number += 1;
            let line = line.with_context(|| format!("cannot read {}", path.display()))?;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let body = serde_json::from_slice(&line).map_err(|error| super::usage(format!("not JSON: {error}")));
            match body.and_then(|body| self.read(&body, change)) {
                Ok(told) => hand_over(doors, &Arc::new(told)).await?,
                Err(error) => {
                    broken += 1;
                    shared.out.note(&format!("line {number} is left out: {error}"))?;
                }
            }
        }
        Ok(broken)
    }
}

/// A lane, and the door by which events come into it.
fn open<'a>(sink: &'a Sink, shared: &'a Shared<'a>) -> (Lane<'a>, mpsc::Sender<Arc<Told>>) {
    let (door, events) = mpsc::channel(BACKLOG);
    (Lane::new(sink, shared, events), door)
}

async fn hand_over(doors: &[mpsc::Sender<Arc<Told>>], told: &Arc<Told>) -> anyhow::Result<()> {
    for door in doors {
        // A lane ends early only where nothing can be printed any more.
        door.send(Arc::clone(told)).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
    }
    Ok(())
}

/// The lines of a file or of standard input, read on a thread of their own: a read of a terminal or a pipe cannot be given up.
fn lines(path: &Path) -> anyhow::Result<mpsc::Receiver<std::io::Result<Vec<u8>>>> {
    let source: Box<dyn Read + Send> = match path == Path::new("-") {
        true => Box::new(std::io::stdin()),
        false => Box::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?),
    };
    let (sender, receiver) = mpsc::channel(64);
    let read = move || {
        let mut source = BufReader::new(source);
        loop {
            let mut line = Vec::new();
            let read = source.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
            let line = match read {
                Ok(0) => return,
                Ok(_) if line.len() as u64 == LINE_MAX && !line.ends_with(b"\n") => {
                    Err(std::io::Error::other(format!("a line is longer than {LINE_MAX} bytes, which no event is")))
                }
                Ok(_) => Ok(line),
                Err(error) => Err(error),
            };
            let last = line.is_err();
            if sender.blocking_send(line).is_err() || last {
                return;
            }
        }
    };
    std::thread::Builder::new().name("events".to_owned()).spawn(read).context("cannot start a thread")?;
    Ok(receiver)
}

/// How it ends: well, unless something was not told or not understood.
fn end(broken: usize, tallies: Vec<Tally>, many: bool, out: &Output) -> anyhow::Result<()> {
    let sum = |part: fn(&Tally) -> usize| tallies.iter().map(part).sum::<usize>();
    let (told, left_out, failed) = (sum(|tally| tally.told), sum(|tally| tally.left_out), sum(|tally| tally.failed));
    if many {
        out.note(&format!("{told} told, {left_out} left out, {failed} failed"))?;
    }
    let lines = match broken {
        0 => String::new(),
        1 => "1 line was no event; ".to_owned(),
        broken => format!("{broken} lines were no events; "),
    };
    let missed: Vec<String> = tallies.into_iter().filter_map(|tally| tally.last_failure).collect();
    match missed.is_empty() {
        true if broken == 0 => Ok(()),
        true => Err(anyhow::anyhow!("{lines}the rest was told")),
        false => Err(anyhow::anyhow!("{lines}not told: {}", missed.join("; "))),
    }
}
