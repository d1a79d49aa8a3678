//! The task on a real service with a clock of its own, on both databases.

mod bytes;

use diesel::prelude::*;

use super::*;
use crate::app::{Parts, assemble};
use crate::config::{Config, Flags};
use crate::duration::Span;
use crate::event::{Action, DedupKey, Event, Severity};
use crate::id;
use crate::ingest::submission::{Posted, Submission};
use crate::ingest::timers;
use crate::retention::pace::ROWS_MAX;
use crate::store::schema::{events, incidents, outbox, requests};
use crate::store::testing::{self, Database, Place, number_at};
use crate::store::{Conn, tenants};

const NOW: Timestamp = Timestamp::from_seconds(1_900_000_000);
const DAY: i64 = 86_400;

struct World {
    app: Arc<App>,
    conn: Conn,
    place: Place,
    database: Database,
}

impl World {
    fn each() -> Vec<Self> {
        testing::databases().into_iter().map(Self::on).collect()
    }

    fn on(database: Database) -> Self {
        let mut conn = database.store.writer().unwrap();
        let tenant_id = tenants::ensure_default(&mut conn, NOW).unwrap();
        let app = Self::node(&database, &tenant_id);
        let own = app.directory.snapshot().own.values().next().cloned().unwrap();
        let place = Place { tenant_id, service_id: own.service_id.to_string(), integration_id: own.id.to_string() };
        Self { app, conn, place, database }
    }

    /// A service on the database, as a process of its own would have it.
    fn node(database: &Database, tenant_id: &str) -> Arc<App> {
        let parts = Parts {
            store: database.store.clone(),
            sealer: testing::sealer(),
            clock: Clock::manual(NOW),
            default_tenant: tenant_id.into(),
            admin_token: None,
            tools: crate::provider::Registry::built_in(),
        };
        let config = Config::load(None, std::iter::empty(), &Flags::default()).unwrap();
        Arc::new(assemble(parts, &config).unwrap())
    }

    /// The one that removes, as soon as the database has noticed that the one before it is gone.
    async fn keeper(&self, policy: Policy) -> Keeper {
        let mut keeper = Keeper::new(Arc::clone(&self.app), policy, Gauge::Off);
        let begun = Instant::now();
        while !keeper.hands.may(&keeper.app).await.unwrap() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it never got its turn");
            keeper.hands = Hands::default();
        }
        keeper
    }

    /// Requests with a body of so many bytes, a second apart, the last one `age` seconds old; each with an event of its own.
    fn plant(&mut self, count: i64, age: i64, body: usize) -> Vec<i64> {
        let bytes = vec![b'x'; body];
        let Self { conn, place, .. } = self;
        conn.transaction_immediate(|conn| -> Result<Vec<i64>> {
            let one = |n: i64| {
                let at = NOW.plus_seconds(n + 1 - count - age);
                let event = testing::plant_event(conn, place, None, None, "unmatched");
                let planted = testing::plant_request(conn, place, &bytes, std::slice::from_ref(&event));
                let (new_event, new_request) = (number_at(at), number_at(at));
                diesel::update(events::table.find(id::number(&event)))
                    .set((events::id.eq(new_event), events::request_id.eq(new_request)))
                    .execute(conn)?;
                diesel::update(requests::table.find(id::number(&planted)))
                    .set((requests::id.eq(new_request), requests::first_event_id.eq(new_event)))
                    .execute(conn)?;
                Ok(new_request)
            };
            (0..count).map(one).collect()
        })
        .unwrap()
    }

    fn notice(&mut self, at: Timestamp) {
        use crate::store::schema::outbox::dsl::*;
        let row = (tenant_id.eq("ten_1"), event.eq("incident.triggered"), event_id.eq(number_at(at)), created_at.eq(at.0));
        diesel::insert_into(outbox).values(row).execute(&mut self.conn).unwrap();
    }

    fn count(&mut self, table: Aged) -> i64 {
        match table {
            Aged::Requests => requests::table.count().get_result(&mut self.conn).unwrap(),
            Aged::Events => events::table.count().get_result(&mut self.conn).unwrap(),
            _ => outbox::table.count().get_result(&mut self.conn).unwrap(),
        }
    }

    /// The requests whose bodies are there, oldest first.
    fn with_body(&mut self) -> Vec<i64> {
        let rows = requests::table.filter(requests::body_dropped_at.is_null()).order(requests::id);
        rows.select(requests::id).load(&mut self.conn).unwrap()
    }
}

fn policy() -> Policy {
    let days = |days: u32| Span::from_seconds(days * 86_400).unwrap();
    Policy { ledger: days(30), events: days(90), incidents: days(365), undelivered: days(7), ..Policy::default() }
}

/// Steps until nothing is left to do; how many steps it took.
async fn finish(keeper: &mut Keeper) -> usize {
    let mut steps = 0;
    while keeper.step().await.unwrap().is_some() {
        steps += 1;
        assert!(steps < 10_000, "it does not end");
    }
    steps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_goes_in_small_transactions_and_whoever_stops_is_taken_over_from() {
    for mut world in World::each() {
        world.plant(1500, 100 * DAY, 10);
        world.plant(50, 40 * DAY, 10);
        world.plant(20, DAY, 10);
        let mut keeper = world.keeper(policy()).await;
        let mut before = world.count(Aged::Requests) + world.count(Aged::Events);
        let mut transactions = 0;
        while transactions < 4 {
            keeper.step().await.unwrap().unwrap();
            let left = world.count(Aged::Requests) + world.count(Aged::Events);
            assert!(before - left <= ROWS_MAX as i64, "{} rows at once", before - left);
            transactions += usize::from(left < before);
            before = left;
        }
        assert!(world.count(Aged::Requests) > 70, "not all at once");
        // Stopped in the middle of it; the next one, with nothing but the tables, finishes.
        drop(keeper);
        finish(&mut world.keeper(policy()).await).await;
        assert_eq!((world.count(Aged::Requests), world.count(Aged::Events)), (20, 70));
        let page = world.app.metrics.render();
        assert!(page.contains("callbox_retention_lag_seconds{table=\"requests\"} 0.0"), "{page}");
        assert!(page.contains("callbox_retention_last_run_timestamp_seconds 1900000000"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_requests_go_sooner() {
    for mut world in World::each() {
        let planted = world.plant(100, 10 * DAY, 10);
        let refused = requests::table.filter(requests::id.eq_any(&planted[..40]));
        diesel::update(refused).set(requests::verdict.eq("limited")).execute(&mut world.conn).unwrap();
        let refused = Span::from_seconds(7 * 86_400).unwrap();
        finish(&mut world.keeper(Policy { refused, ..policy() }).await).await;
        assert_eq!(world.with_body(), planted[40..]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_is_for_ever() {
    for mut world in World::each() {
        world.plant(10, 3000 * DAY, 10);
        let policy = Policy { undelivered: policy().undelivered, ..Policy::default() };
        finish(&mut world.keeper(policy).await).await;
        assert_eq!((world.count(Aged::Requests), world.count(Aged::Events)), (10, 10));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_notice_may_point_to_waits_for_it_and_it_does_not_wait_for_ever() {
    for mut world in World::each() {
        let short = Span::from_seconds(86_400).unwrap();
        let policy = Policy { ledger: short, events: short, ..policy() };
        world.plant(5, 6 * DAY, 10);
        world.plant(5, 3 * DAY, 10);
        world.notice(NOW.plus_seconds(-4 * DAY));
        finish(&mut world.keeper(policy.clone()).await).await;
        assert_eq!(
            (world.count(Aged::Requests), world.count(Aged::Outbox)),
            (5, 1),
            "older than the notice: nothing it points to"
        );
        world.app.clock.advance(4 * DAY);
        finish(&mut world.keeper(policy).await).await;
        assert_eq!((world.count(Aged::Requests), world.count(Aged::Events), world.count(Aged::Outbox)), (0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_removes_and_another_takes_over_from_it() {
    for mut world in World::each().into_iter().filter(|world| matches!(world.conn, Conn::Pg(_))) {
        world.plant(100, 100 * DAY, 10);
        let other = World::node(&world.database, &world.place.tenant_id);
        let mut first = world.keeper(policy()).await;
        let mut second = Keeper::new(Arc::clone(&other), policy(), Gauge::Off);
        assert!(first.step().await.unwrap().is_some());
        assert_eq!(second.step().await.unwrap(), None, "it is not its turn");
        assert_eq!(world.count(Aged::Events), 100);
        drop(first);
        world.app = other;
        finish(&mut world.keeper(policy()).await).await;
        assert_eq!(world.count(Aged::Events), 0);
    }
}

/// The events of a person's acts, at the time of the clock.
fn act(world: &World, action: Action) -> Submission {
    let own = world.app.directory.snapshot().own.values().next().cloned().unwrap();
    let key = DedupKey::strict("again").unwrap();
    let event = Event::new(action, key, "again", "db-1", Severity::Error);
    let item: Posted = crate::ingest::interpret::posted(&event, crate::provider::Clock::Arrival);
    timers::act(&own, crate::incident::Actor::Tool, vec![item], world.app.clock.now())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_rise_and_links_end_cleanly_after_the_last_incident_is_gone() {
    for mut world in World::each() {
        for action in [Action::Trigger, Action::Resolve] {
            world.app.commit(act(&world, action)).await.unwrap();
        }
        let first: (i64, i64) = incidents::table.select((incidents::id, incidents::number)).first(&mut world.conn).unwrap();
        // The ids were made by the machine's clock, the service's is ahead of it by years.
        finish(&mut world.keeper(Policy { incidents: Span::from_seconds(3600).unwrap(), ..policy() }).await).await;
        assert_eq!(incidents::table.count().get_result(&mut world.conn), Ok(1), "resolved just now");
        world.app.clock.advance(400 * DAY);
        finish(&mut world.keeper(policy()).await).await;
        assert_eq!(incidents::table.count().get_result(&mut world.conn), Ok(0));
        assert_eq!(world.count(Aged::Events), 0);
        // A process that starts now counts on from where the last one was.
        let app = World::node(&world.database, &world.place.tenant_id);
        app.clock.advance(400 * DAY);
        world.app = app;
        world.app.commit(act(&world, Action::Trigger)).await.unwrap();
        let columns = (incidents::number, incidents::previous_incident_id);
        let (number, previous): (i64, Option<i64>) = incidents::table.select(columns).first(&mut world.conn).unwrap();
        assert!(number > first.1, "{number} after {}", first.1);
        assert_eq!(previous, None, "it names none that is gone: {}", first.0);
    }
}
