//! What a lane asks of the database, counted.

use diesel::connection::{Connection, InstrumentationEvent};
use std::sync::Mutex;

use super::*;
use crate::event::Action;
use crate::id::{self, Kind};
use crate::ingest::queue::Limits;
use crate::ingest::submission::Ledger;
use crate::ingest::testing::{NOW, item, submission};
use crate::store::snapshot;
use crate::store::testing::{Database, databases, sealer};

/// A lane on a database, its connection's statements written down, and a request that the database knows the sender of.
struct Counted {
    lane: Lane,
    conn: Conn,
    statements: Arc<Mutex<Vec<String>>>,
    like: Submission,
}

impl Counted {
    fn on(database: &Database) -> Self {
        let store = database.store.clone();
        let mut conn = store.writer().unwrap();
        store::tenants::ensure_default(&mut conn, NOW).unwrap();
        let known = snapshot::load(&mut conn, &sealer(), crate::provider::Registry::built_in()).unwrap();
        let integration = known.own.values().next().unwrap();
        let like = Submission {
            tenant_id: Arc::clone(&integration.tenant_id),
            integration_id: Arc::clone(&integration.id),
            service_id: Arc::clone(&integration.service_id),
            ..submission("", Vec::new())
        };
        let queue = Arc::new(Queue::new(Limits { requests: 1_000, bytes: 1 << 30 }));
        let lane = Lane::new(store, queue, Arc::new(Metrics::new()), None);
        let statements: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&statements);
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                sink.lock().unwrap().push(query.to_string());
            }
        });
        Self { lane, conn, statements, like }
    }

    /// Commits requests with these keys in one batch; the statements that took, without those of the transaction itself.
    fn batch(&mut self, keys: &[&str]) -> Vec<String> {
        let requests: Vec<Submission> = keys
            .iter()
            .map(|key| Submission {
                ledger: self.like.ledger.clone().map(|ledger| Ledger { id: id::new(Kind::Request), ..ledger }),
                items: vec![item(Action::Trigger, key)],
                ..self.like.clone()
            })
            .collect();
        self.statements.lock().unwrap().clear();
        let receipts = self.lane.commit(&mut self.conn, &requests.iter().collect::<Vec<_>>()).unwrap();
        assert!(receipts.iter().all(Result::is_ok), "{receipts:?}");
        let statements = std::mem::take(&mut *self.statements.lock().unwrap());
        let own = |text: &String| ["BEGIN", "COMMIT", "SET TRANSACTION"].iter().any(|word| text.starts_with(word));
        statements.into_iter().filter(|text| !own(text)).collect()
    }
}

fn beginning<'a>(statements: &'a [String], with: &str) -> Vec<&'a String> {
    statements.iter().filter(|text| text.starts_with(with)).collect()
}

#[test]
fn equal_keys_of_a_batch_write_one_incident() {
    for database in databases() {
        let mut counted = Counted::on(&database);
        let opened = counted.batch(&["a"; 20]);
        assert_eq!(beginning(&opened, "INSERT INTO incidents").len(), 1, "{opened:#?}");
        assert_eq!(beginning(&opened, "UPDATE incidents").len(), 0);
        let repeated = counted.batch(&["a"; 20]);
        assert_eq!(beginning(&repeated, "UPDATE incidents").len(), 1, "{repeated:#?}");
        assert_eq!(beginning(&repeated, "INSERT INTO incidents").len(), 0);
    }
}

#[test]
fn a_batch_reads_the_incidents_of_its_keys_and_nothing_else() {
    for database in databases() {
        let mut counted = Counted::on(&database);
        // The first batch on SQLite also looks up the newest number.
        counted.batch(&["zero"]);
        let first = counted.batch(&["a", "b", "c"]);
        let reads = beginning(&first, "SELECT");
        let numbers = reads.iter().filter(|text| text.contains("nextval")).count();
        let open = reads.iter().filter(|text| text.contains("JOIN incidents")).count();
        let resolved = reads.iter().filter(|text| text.contains("JOIN tombstones")).count();
        assert_eq!((open, resolved), (1, 1), "{reads:#?}");
        assert_eq!(reads.len(), 2 + numbers, "{reads:#?}");
        let again = counted.batch(&["a", "b", "c"]);
        let expected = if database.store.backend() == Backend::Sqlite { 0 } else { 2 };
        assert_eq!(beginning(&again, "SELECT").len(), expected, "what SQLite's lane met, it knows: {again:#?}");
    }
}

#[test]
fn what_failed_is_read_again() {
    for database in databases() {
        let mut counted = Counted::on(&database);
        counted.batch(&["a"]);
        let same = id::new(Kind::Request);
        let twice: Vec<Submission> = (0..2)
            .map(|_| Submission {
                ledger: counted.like.ledger.clone().map(|ledger| Ledger { id: same.clone(), ..ledger }),
                items: vec![item(Action::Resolve, "a")],
                ..counted.like.clone()
            })
            .collect();
        assert!(counted.lane.attempt(&mut counted.conn, &twice.iter().collect::<Vec<_>>()).is_err(), "one id for two rows");
        let after = counted.batch(&["a"]);
        assert_eq!(beginning(&after, "UPDATE incidents").len(), 1, "it is still open: {after:#?}");
        assert!(!beginning(&after, "SELECT").is_empty(), "and was looked up");
    }
}
