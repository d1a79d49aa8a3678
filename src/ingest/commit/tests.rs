//! The committer on real databases.

use serde_json::json;

use super::*;
use crate::event::{Action, DedupKey, Event, Severity};
use crate::incident::{Outcome, Report};
use crate::ingest::lane::load;
use crate::ingest::submission::Posted;
use crate::ingest::testing::{NOW, submission};
use crate::provider::Clock;
use crate::secret::reference::References;
use crate::store::testing::{Database, databases, sealer};
use crate::store::{self, snapshot};

/// A committer on a database, and an integration that it knows.
struct Bench {
    committer: Committer,
    store: Store,
    like: Submission,
}

impl Bench {
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
            ledger: None,
            ..submission("", Vec::new())
        };
        let settings = Settings {
            lanes: 4,
            limits: Limits { requests: 1000, bytes: 1 << 30 },
            answer_within: Duration::from_secs(30),
            max_wait: Duration::from_secs(30),
        };
        let committer = Committer::start(store.clone(), settings, &Arc::new(Metrics::new())).unwrap();
        Self { committer, store, like }
    }

    /// Commits one item by itself; what it did.
    async fn send(&self, item: Posted) -> Outcome {
        let receipt = self.committer.submit(Submission { items: vec![item], ..self.like.clone() }).await.unwrap();
        receipt.events[0].outcome
    }

    /// What is open for the key of `item`: title, severity and details.
    fn open(&self, item: &Posted) -> Option<(String, Severity, Option<String>)> {
        let asked = Submission { items: vec![item.clone()], ..self.like.clone() };
        let mut conn = self.store.writer().unwrap();
        let fold = load(&mut conn, &[&asked], store::ingest::Purpose::Look, None).unwrap();
        let incident = fold.open(&asked, item)?;
        let details = incident.shown.fields().custom_details.as_ref().map(|raw| raw.get().to_owned());
        Some((incident.title.clone(), incident.severity, details))
    }
}

/// The message at the given place of a history ordered by its tool's times.
fn message(key: &str, place: usize, action: Action, severity: Severity, detailed: bool) -> Posted {
    let key = DedupKey::strict(key).unwrap();
    let mut event = Event::new(action, key.clone(), &format!("message {place}"), "db-1.example.com", severity);
    event.occurred_at = Some(NOW.plus_seconds(i64::try_from(place).unwrap()));
    event.custom_details = detailed.then(|| json!({ "place": place }));
    Posted::report(key, Report::new(&event, Clock::Transition))
}

/// What an order needs to be remembered survives the way through the database: each message is a transaction of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transitions_in_any_order_end_like_the_ordered_run() {
    use Action::{Resolve, Trigger};
    use Severity::{Critical, Info, Warning};
    let history = [
        (Trigger, Critical, true),
        (Resolve, Info, false),
        (Trigger, Warning, false),
        (Trigger, Info, true),
        (Resolve, Info, false),
        (Trigger, Warning, true),
        (Trigger, Info, false),
    ];
    let orders = [
        [0, 1, 2, 3, 4, 5, 6, 6, 0],
        [6, 5, 4, 3, 2, 1, 0, 4, 6],
        [5, 6, 0, 1, 4, 4, 3, 2, 0],
        [0, 2, 3, 5, 6, 1, 4, 1, 5],
        [4, 6, 0, 0, 5, 2, 1, 3, 4],
        [3, 0, 6, 2, 5, 1, 1, 4, 3],
    ];
    for database in databases() {
        let bench = Bench::on(&database);
        for (number, order) in orders.iter().enumerate() {
            let key = format!("order-{number}");
            let messages: Vec<Posted> = (history.iter().enumerate())
                .map(|(place, (action, severity, detailed))| message(&key, place, *action, *severity, *detailed))
                .collect();
            for place in order {
                bench.send(messages[*place].clone()).await;
            }
            let expected = ("message 6".to_owned(), Warning, Some(r#"{"place":5}"#.to_owned()));
            assert_eq!(bench.open(&messages[0]), Some(expected), "{order:?}");
            bench.send(message(&key, 7, Resolve, Info, false)).await;
            assert_eq!(bench.send(messages[6].clone()).await, Outcome::Stale, "{order:?}");
            assert_eq!(bench.open(&messages[0]), None);
        }
        bench.committer.close();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_committer_refuses() {
    for database in databases() {
        let bench = Bench::on(&database);
        let item = message("a", 0, Action::Trigger, Severity::Error, false);
        assert_eq!(bench.send(item.clone()).await, Outcome::Opened);
        bench.committer.close();
        let late = bench.committer.submit(Submission { items: vec![item], ..bench.like.clone() }).await;
        assert!(matches!(late, Err(Refused::Closed)), "{late:?}");
    }
}

/// On both databases what it wrote is undone, and whoever comes next neither meets its transaction nor waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_panics_ends_alone() {
    for database in databases() {
        let bench = Bench::on(&database);
        let note = |conn: &mut Conn| conn.run("INSERT INTO facts (name, value) VALUES ('half', 'done')");
        let abandoned = move |conn: &mut Conn| -> store::Result<()> {
            note(conn)?;
            panic!("a fault")
        };
        let told = bench.committer.write(abandoned).await;
        assert!(matches!(told, Err(StoreError::Environment(_))), "{told:?}");
        bench.committer.write(note).await.expect("nothing of it is there");
        assert_eq!(bench.send(message("a", 0, Action::Trigger, Severity::Error, false)).await, Outcome::Opened);
        bench.committer.close();
    }
}
