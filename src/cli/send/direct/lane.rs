//! One destination's lane: events in, one after the other, each tried until it is told, refused or given up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::Shared;
use super::sink::Sink;
use super::told::Told;
use crate::cli::delivery::exchange;
use crate::outbox::{Direct, Line};

/// The longest wait between two tries; a receiver that asks for more gets this.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a mail may take.
const TIMEOUT: Duration = super::sink::DEADLINE;

/// One destination's lane.
pub struct Lane<'a> {
    sink: &'a Sink,
    shared: &'a Shared<'a>,
    events: mpsc::Receiver<Arc<Told>>,
    /// Whether the last event was given up: then the next are tried once each, until one arrives.
    in_trouble: bool,
}

/// What became of a lane's events.
#[derive(Default)]
pub struct Tally {
    /// Delivered, or shown in a dry run.
    pub told: usize,
    /// Left out by the floor or as repeats.
    pub left_out: usize,
    /// Refused or given up.
    pub failed: usize,
    /// Where and why that was last.
    pub last_failure: Option<String>,
}

/// What became of one event.
#[derive(Default)]
struct Outcome {
    word: &'static str,
    reason: Option<String>,
    exchanges: Vec<Value>,
}

impl<'a> Lane<'a> {
    /// The lane to `sink`.
    pub fn new(sink: &'a Sink, shared: &'a Shared<'a>, events: mpsc::Receiver<Arc<Told>>) -> Self {
        Self { sink, shared, events, in_trouble: false }
    }

    /// Tells everything that comes.
    ///
    /// # Errors
    /// Nothing can be printed any more.
    pub async fn run(mut self) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        while let Some(told) = self.events.recv().await {
            let result = self.tell(&told).await?;
            match result.word {
                "delivered" | "dry_run" => tally.told += 1,
                "skipped" => tally.left_out += 1,
                _ => {
                    tally.failed += 1;
                    tally.last_failure = Some(format!("{}: {}", self.sink.name, result.reason.as_deref().unwrap_or_default()));
                }
            }
            self.print(&told, result)?;
        }
        Ok(tally)
    }

    async fn tell(&mut self, told: &Told) -> anyhow::Result<Outcome> {
        let skipped = |reason: String| Ok(Outcome { word: "skipped", reason: Some(reason), exchanges: Vec::new() });
        if let (Some(floor), Some(severity)) = (self.shared.floor, told.severity)
            && severity < floor
        {
            return skipped(format!("{} is less severe than {}", severity.as_str(), floor.as_str()));
        }
        if !self.remember(|memory, now| memory.claim(&self.sink.mark, told, now))?.unwrap_or(true) {
            return skipped("it was told that within the time of --dedupe".to_owned());
        }
        let direct = Direct::new(Arc::clone(&self.sink.destination), told.message.clone(), self.shared.clock.now());
        let line = Line { client: &self.shared.client, clock: &self.shared.clock, timeout: TIMEOUT };
        if self.shared.dry_run {
            return Ok(match direct.shown(self.shared.clock.now()).await {
                Ok(request) => Outcome { word: "dry_run", reason: None, exchanges: vec![json!({ "request": request })] },
                Err(why) => Outcome { word: "refused", reason: Some(why), exchanges: Vec::new() },
            });
        }
        let result = self.attempts(direct, line).await?;
        let arrived = result.word == "delivered";
        self.in_trouble = result.word == "later";
        self.remember(|memory, now| memory.settle(&self.sink.mark, told, arrived, now))?;
        Ok(result)
    }

    async fn attempts(&self, mut direct: Direct, line: Line<'_>) -> anyhow::Result<Outcome> {
        let retries = if self.in_trouble { 0 } else { self.shared.retries };
        let mut result = Outcome::default();
        for tries in 0..=retries {
            let tried = match direct.attempt(line).await {
                Ok(tried) => tried,
                Err(why) => return Ok(Outcome { word: "refused", reason: Some(why), ..result }),
            };
            direct = tried.direct;
            result.exchanges.extend(tried.exchanges);
            (result.word, result.reason) = (tried.result, tried.reason);
            let Some(again) = tried.again.filter(|_| tries < retries) else { break };
            let micros = u64::try_from(again.0.saturating_sub(self.shared.clock.now().0)).unwrap_or(0);
            let wait = Duration::from_micros(micros).min(WAIT_MAX);
            let why = result.reason.as_deref().unwrap_or_default();
            self.shared.out.note(&format!("{}: {why}; trying again in {:.0} s", self.sink.name, wait.as_secs_f64()))?;
            tokio::time::sleep(wait).await;
        }
        Ok(result)
    }

    /// Does something with the memory, where there is one; where its file fails, says so once.
    fn remember<T>(&self, act: impl FnOnce(&mut super::Memory, crate::time::Timestamp) -> T) -> anyhow::Result<Option<T>> {
        let Some(memory) = &self.shared.memory else { return Ok(None) };
        let mut memory = memory.borrow_mut();
        let done = act(&mut memory, self.shared.clock.now());
        if let Some(trouble) = memory.trouble() {
            self.shared.out.note(&format!("what was told is remembered in this run only: {trouble}"))?;
        }
        Ok(Some(done))
    }

    fn print(&self, told: &Told, result: Outcome) -> anyhow::Result<()> {
        let out = self.shared.out;
        let Outcome { word, reason, exchanges } = result;
        if out.is_json() {
            let mut line = Map::new();
            line.insert("destination".to_owned(), self.sink.name.clone().into());
            line.insert("kind".to_owned(), self.sink.destination.kind.clone().into());
            line.insert("event".to_owned(), told.message.event.as_str().into());
            line.insert("dedup_key".to_owned(), told.key.as_ref().map(|key| key.as_str()).into());
            line.insert("result".to_owned(), word.into());
            line.insert("reason".to_owned(), reason.into());
            line.insert("attempts".to_owned(), exchanges.into());
            return out.json_line(&Value::Object(line));
        }
        if word == "dry_run" {
            exchanges.iter().try_for_each(|one| exchange(one, out))?;
            return out.text("");
        }
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let word = if word == "later" { "given up" } else { word };
        out.note(&format!("{}: {word}{reason}", self.sink.name))
    }
}
