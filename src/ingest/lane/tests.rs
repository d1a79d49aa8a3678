//! What a lane asks of the database, counted.

use diesel::connection::{Connection, InstrumentationEvent};
use std::sync::Mutex;

use super::*;
use crate::event::Action;
use crate::id::{self, Kind};
use crate::incident::Outcome;
use crate::ingest::queue::Limits;
use crate::ingest::submission::Ledger;
use crate::ingest::testing::{NOW, item, submission};
use crate::secret::reference::References;
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
        let known = snapshot::load(&mut conn, &sealer(), crate::provider::Registry::built_in(), &References::default()).unwrap();
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
        self.batch_of(Action::Trigger, keys)
    }

    /// The same with requests of this action.
    fn batch_of(&mut self, action: Action, keys: &[&str]) -> Vec<String> {
        let requests: Vec<Submission> = keys
            .iter()
            .map(|key| Submission {
                ledger: self.like.ledger.clone().map(|ledger| Ledger { id: id::new(Kind::Request), ..ledger }),
                items: vec![item(action, key)],
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

    /// Every incident of its key: whether it is open, and its events.
    fn incidents(&mut self, key: &str) -> Vec<(bool, i64)> {
        use crate::store::schema::incidents;
        use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
        let rows = incidents::table.filter(incidents::dedup_key.eq(key)).order(incidents::id.asc());
        let rows = rows.select((incidents::open_key.is_not_null(), incidents::event_count));
        match &mut self.conn {
            Conn::Sqlite(conn) => rows.load(conn).unwrap(),
            Conn::Pg(conn) => rows.load(conn).unwrap(),
        }
    }
}

/// How many rows of incidents a batch inserted and updated.
fn written(statements: &[String]) -> (usize, usize) {
    // PostgreSQL takes all in one statement, whose parameters are: requests, events, updated, (resolved,) opened and so on.
    let Some(whole) = statements.iter().find(|text| text.starts_with("WITH noted")) else {
        return (beginning(statements, "INSERT INTO incidents").len(), beginning(statements, "UPDATE incidents").len());
    };
    let (_, parameters) = whole.split_once("-- binds: [").unwrap();
    let rows: Vec<usize> = parameters.split(", ").map_while(|parameter| parameter.strip_suffix(" rows")?.parse().ok()).collect();
    if whole.contains("resolved AS") { (rows[4], rows[2] + rows[3]) } else { (rows[3], rows[2]) }
}

fn beginning<'a>(statements: &'a [String], with: &str) -> Vec<&'a String> {
    statements.iter().filter(|text| text.starts_with(with)).collect()
}

#[test]
fn equal_keys_of_a_batch_write_one_incident() {
    for database in databases() {
        let mut counted = Counted::on(&database);
        let opened = counted.batch(&["a"; 20]);
        assert_eq!(written(&opened), (1, 0), "{opened:#?}");
        let repeated = counted.batch(&["a"; 20]);
        assert_eq!(written(&repeated), (0, 1), "{repeated:#?}");
        assert_eq!(counted.incidents("a"), [(true, 40)]);
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
        let open = reads.iter().filter(|text| text.contains("JOIN incidents")).count();
        let resolved = reads.iter().filter(|text| text.contains("JOIN tombstones")).count();
        assert_eq!((open, resolved), (1, 1), "{reads:#?}");
        let statements = if database.store.backend() == Backend::Sqlite { 2 } else { 1 };
        assert_eq!(reads.len(), statements, "{reads:#?}");
        let again = counted.batch(&["a", "b", "c"]);
        assert!(beginning(&again, "SELECT").is_empty(), "what the lane met, it knows: {again:#?}");
    }
}

/// Two nodes on one PostgreSQL, each of which believes what it met last.
#[test]
fn what_another_node_changed_meanwhile_is_met_as_it_is() {
    for database in databases().into_iter().filter(|database| database.store.backend() == Backend::Postgres) {
        let (mut one, mut other) = (Counted::on(&database), Counted::on(&database));
        one.batch(&["a", "b"]);
        other.batch_of(Action::Resolve, &["a"]);
        let lost = one.batch(&["a", "b"]);
        assert_eq!(beginning(&lost, "WITH noted").len(), 2, "the first attempt found out: {lost:#?}");
        assert!(lost.iter().any(|text| text.contains("FOR UPDATE")), "the second locked: {lost:#?}");
        assert_eq!(one.incidents("a"), [(false, 1), (true, 1)], "a new incident, and the resolved one as it was");
        assert_eq!(one.incidents("b"), [(true, 2)], "what was taken back with it counts once");
        // Still careful: it reads, although it was the last to write.
        assert!(!beginning(&one.batch(&["a"]), "SELECT").is_empty());
        other.batch_of(Action::Resolve, &["b"]);
        assert_eq!(beginning(&one.batch_of(Action::Resolve, &["b"]), "WITH noted").len(), 1, "and loses no race");
        assert_eq!(one.incidents("b"), [(false, 2)]);
        for _ in 0..CAREFUL_BATCHES {
            one.batch(&["a"]);
        }
        assert!(beginning(&one.batch(&["a"]), "SELECT").is_empty(), "nobody else came: it believes again");
    }
}

/// A fault of ours that one key sets off must not end the thread that everybody waits for.
#[test]
fn an_event_that_makes_us_panic_fails_alone() {
    for database in databases() {
        let mut counted = Counted::on(&database);
        counted.conn.set_instrumentation(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                assert!(!query.to_string().contains("poison"), "the fault");
            }
        });
        let requests: Vec<Submission> = ["a", "poison", "b"]
            .iter()
            .map(|key| Submission {
                ledger: counted.like.ledger.clone().map(|ledger| Ledger { id: id::new(Kind::Request), ..ledger }),
                items: vec![item(Action::Trigger, key)],
                ..counted.like.clone()
            })
            .collect();
        let receipts = counted.lane.commit(&mut counted.conn, &requests.iter().collect::<Vec<_>>()).unwrap();
        assert!(receipts.iter().all(Result::is_ok), "{receipts:?}");
        let outcome = |index: usize| receipts[index].as_ref().unwrap().events[0].outcome;
        assert_eq!([outcome(0), outcome(1), outcome(2)], [Outcome::Opened, Outcome::Quarantined, Outcome::Opened]);
        counted.conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
        assert_eq!(counted.incidents("a"), [(true, 1)]);
        assert_eq!(counted.incidents("b"), [(true, 1)]);
        assert_eq!(counted.incidents("poison"), []);
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
        assert_eq!(written(&after), (0, 1), "it is still open: {after:#?}");
        assert!(!beginning(&after, "SELECT").is_empty(), "and was looked up");
    }
}

/// Keys are looked up by the whole batch at once, in a form in which any of them could be taken for something else.
#[test]
fn a_key_of_any_characters_is_found_again() {
    let long = "k".repeat(255);
    let keys = ["a\"b\\c", "é😀\u{2028}", "$.a", "[0]", "{}", "null", "123", "1e5", "a'b--", "\\u0041", ". .", &long];
    for database in databases() {
        let mut counted = Counted::on(&database);
        counted.batch(&keys);
        counted.lane.recent.clear();
        counted.batch(&keys);
        for key in keys {
            assert_eq!(counted.incidents(key), [(true, 2)], "{key:?}");
        }
        counted.lane.recent.clear();
        counted.batch_of(Action::Resolve, &keys);
        counted.lane.recent.clear();
        counted.batch(&keys);
        for key in keys {
            assert_eq!(counted.incidents(key), [(false, 2), (true, 1)], "{key:?}");
        }
    }
}
