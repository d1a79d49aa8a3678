//! Which lanes there are: one is opened where there is something to do, and closes itself when there is nothing more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Lane;
use crate::outbox::{Engine, Outbox, POLL, orphans};
use crate::store::outbox::{read, waiting};

/// How often it is counted what has not been delivered: of a long queue, that is a walk over all of it.
const COUNTS: Duration = Duration::from_secs(5);

/// Starts lanes where there is something to do, and wakes those that nobody told of it: another node's work, a lease that ended.
/// Returns when all have come to their end.
pub async fn dispatch(engine: Arc<Engine>) {
    let mut lanes = JoinSet::new();
    let mut stop = engine.stop.clone();
    let mut interval = tokio::time::interval(POLL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    count(&engine).await;
    let mut counted = Instant::now();
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = engine.app.outbox.new_lane.notified() => {}
            _ = stop.changed() => break,
        }
        let due = match engine.app.store.read(waiting::due).await {
            Ok(due) => due,
            Err(error) => {
                engine.app.metrics.store_error(error.class());
                tracing::warn!(%error, "what is due cannot be read; again in a second");
                continue;
            }
        };
        let (snapshot, now) = (engine.app.directory.snapshot(), engine.app.clock.now());
        let mut unknown = Vec::new();
        for (id, at) in due {
            let Some((id, _)) = snapshot.destinations.get_key_value(id.as_str()) else {
                unknown.push(id);
                continue;
            };
            match engine.app.outbox.lane(id) {
                Some(lane) => {
                    if at <= now.0 {
                        lane.notify_one();
                    }
                }
                None => {
                    let wake = engine.app.outbox.open(id);
                    lanes.spawn(Lane::new(Arc::clone(&engine), Arc::clone(id), wake).run());
                }
            }
        }
        while lanes.try_join_next().is_some() {}
        orphans::give_up(&engine.app, unknown).await;
        if counted.elapsed() >= COUNTS {
            count(&engine).await;
            counted = Instant::now();
        }
    }
    for (_, lane) in engine.app.outbox.all() {
        lane.notify_one();
    }
    while lanes.join_next().await.is_some() {}
}

/// Notes what has not been delivered.
async fn count(engine: &Engine) {
    if let Ok((dead, oldest)) = engine.app.store.read(read::standing).await {
        let age = oldest.map_or(0, |at| engine.app.clock.now().0 - at);
        engine.app.metrics.delivery.waiting(dead, Duration::from_micros(u64::try_from(age).unwrap_or(0)));
    }
}

impl Outbox {
    fn lane(&self, id: &str) -> Option<Arc<Notify>> {
        self.lanes().get(id).cloned()
    }

    fn open(&self, id: &Arc<str>) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        self.lanes().insert(Arc::clone(id), Arc::clone(&wake));
        wake
    }

    /// A lane came to its end.
    pub(super) fn close(&self, id: &str) {
        self.lanes().remove(id);
    }

    fn all(&self) -> Vec<(Arc<str>, Arc<Notify>)> {
        self.lanes().iter().map(|(id, lane)| (Arc::clone(id), Arc::clone(lane))).collect()
    }
}
