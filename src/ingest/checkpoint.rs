//! Moves what SQLite's log holds into the database beside the lane, so that the commit which meets the limit of
//! `wal_autocheckpoint` finds little left to move: it held all others up for 50 to 100 ms.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use diesel::connection::SimpleConnection;

use crate::store::Store;

/// Between two rounds. A page that is written often is moved once a round, so not too often.
const PAUSE: Duration = Duration::from_millis(250);

/// Tells the checkpointer that there is something to do; it ends when this is dropped.
#[derive(Clone)]
pub struct Nudge(SyncSender<()>);

impl Nudge {
    /// Something was committed.
    pub fn committed(&self) {
        // Full: it has been told already.
        let _ = self.0.try_send(());
    }
}

/// Starts the thread.
///
/// # Errors
/// It could not be started.
pub fn start(store: Store) -> std::io::Result<Nudge> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("checkpointer".into()).spawn(move || run(&store, &receiver))?;
    Ok(Nudge(sender))
}

fn run(store: &Store, nudged: &Receiver<()>) {
    let mut conn = None;
    while nudged.recv().is_ok() {
        if conn.is_none() {
            conn = store.writer().ok();
        }
        let moved = conn.as_mut().map(|conn| conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)"));
        if let Some(Err(error)) = moved {
            // The lane meets the same trouble and says so; it also moves pages itself when nobody else did.
            tracing::debug!(%error, "a checkpoint failed");
            conn = None;
        }
        std::thread::sleep(PAUSE);
    }
}
