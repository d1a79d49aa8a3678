//! Moves what SQLite's log holds into the database beside the lane, so that the commit which meets the limit of
//! `wal_autocheckpoint` finds little left to move: it held all others up for 50 to 100 ms.
//!
//! SQLite begins the log anew only when all of it has been moved and nothing was added since, which beside a busy lane never
//! happens. A long log is therefore moved twice in a row, and the few pages of the last milliseconds by the lane itself.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use diesel::sql_types::Integer;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::queue::{Job, Queue};
use crate::store::{Conn, Result, Store};

/// Between two rounds. A page that is written often is moved once a round, so not too often.
const PAUSE: Duration = Duration::from_millis(250);

/// Pages in a log that should begin anew: fewer than the limit at which a commit moves them (`wal_autocheckpoint`).
const LONG: i32 = 6_000;

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

/// Starts the thread for the lane that this queue feeds.
///
/// # Errors
/// It could not be started.
pub fn start(store: Store, lane: Arc<Queue>) -> std::io::Result<Nudge> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("checkpointer".into()).spawn(move || run(&store, &lane, &receiver))?;
    Ok(Nudge(sender))
}

fn run(store: &Store, lane: &Queue, nudged: &Receiver<()>) {
    let mut conn = None;
    while nudged.recv().is_ok() {
        if conn.is_none() {
            conn = store.writer().ok();
        }
        match conn.as_mut().map(round) {
            Some(Ok(length)) if length >= LONG => {
                // A queue that is closed will be empty soon, and the last connection moves what is left.
                let _ = lane.push_job(Job { work: Box::new(finish), changes_keys: false });
            }
            // The lane meets the same trouble and says so; it also moves pages itself when nobody else did.
            Some(Err(error)) => {
                tracing::debug!(%error, "a checkpoint failed");
                conn = None;
            }
            Some(Ok(_)) | None => {}
        }
        std::thread::sleep(PAUSE);
    }
}

/// Moves what is there; of a long log also what was added meanwhile. Returns how many pages the log has.
fn round(conn: &mut Conn) -> Result<i32> {
    let length = checkpoint(conn)?;
    if length < LONG { Ok(length) } else { checkpoint(conn) }
}

/// The lane's part: nothing is added while it is at it.
fn finish(conn: Result<&mut Conn>) {
    if let Err(error) = conn.and_then(checkpoint) {
        tracing::debug!(%error, "a checkpoint failed");
    }
}

#[derive(QueryableByName)]
struct Log {
    /// Pages in the log (-1: it was busy, or there is none). https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
    #[diesel(sql_type = Integer)]
    log: i32,
}

/// Waits for nobody. Returns how many pages the log has.
fn checkpoint(conn: &mut Conn) -> Result<i32> {
    let Log { log } = sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(conn)?;
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::queue::{Limits, Turn};
    use crate::store::testing::sqlite;

    /// One page or two.
    fn write(conn: &mut Conn, name: &str) {
        conn.run(&format!("INSERT INTO facts (name, value) VALUES ('{name}', 'done')")).unwrap();
    }

    #[test]
    fn a_long_log_begins_anew_beside_a_busy_lane() {
        let database = sqlite();
        let mut lane = database.store.writer().unwrap();
        let queue = Arc::new(Queue::new(Limits { requests: 10, bytes: 1 << 20 }));
        lane.run(&format!("INSERT INTO facts (name, value) VALUES ('large', zeroblob({}))", LONG * 8192)).unwrap();

        // A batch that began before the log was moved and is committed after it: its pages are added to the log.
        lane.run("BEGIN IMMEDIATE; SELECT * FROM facts WHERE name = 'large'").unwrap();
        let nudge = start(database.store.clone(), Arc::clone(&queue)).unwrap();
        nudge.committed();
        let Turn::Job(job) = queue.take() else { panic!("the lane is asked to move the rest") };
        assert!(!job.changes_keys);
        write(&mut lane, "the last milliseconds");
        lane.run("COMMIT").unwrap();
        (job.work)(Ok(&mut lane));
        drop(nudge);

        write(&mut lane, "the first of a new log");
        let length = checkpoint(&mut lane).unwrap();
        assert!((1..10).contains(&length), "{length} pages");
    }

    #[test]
    fn a_short_log_is_not_the_lanes_to_move() {
        let database = sqlite();
        let mut lane = database.store.writer().unwrap();
        write(&mut lane, "a");
        let queue = Arc::new(Queue::new(Limits { requests: 10, bytes: 1 << 20 }));
        let nudge = start(database.store.clone(), Arc::clone(&queue)).unwrap();
        nudge.committed();
        drop(nudge);
        std::thread::sleep(PAUSE * 2);
        queue.close();
        assert!(matches!(queue.take(), Turn::Closed));
    }
}
