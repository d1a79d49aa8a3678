//! The statements of retention, on real databases.

mod bodies;
mod stays;

use diesel::prelude::*;

use super::*;
use crate::id::Kind;
use crate::retention::{Aged, Keyed};
use crate::store::schema::{changes, events, incidents, refusals, requests};
use crate::store::testing::{self, Database, Place, number_at};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const BEFORE: Timestamp = NOW.plus_seconds(-30 * 86_400);
/// A millisecond before: what may go.
const OLD: Timestamp = Timestamp(BEFORE.0 - 1000);

/// A database with nobody's rows in it.
struct World {
    conn: Conn,
    place: Place,
    database: Database,
}

fn worlds() -> Vec<World> {
    let place = || Place { tenant_id: "ten_1".into(), service_id: "svc_1".into(), integration_id: "int_1".into() };
    let world = |database: Database| World { conn: database.store.writer().unwrap(), place: place(), database };
    testing::databases().into_iter().map(world).collect()
}

/// Gives the row `id` a number as if it had been made at `at`.
macro_rules! made_at {
    ($conn:expr, $table:ident, $id:expr, $at:expr) => {{
        let new = number_at($at);
        diesel::update($table::table.filter($table::id.eq(id::number(&$id)))).set($table::id.eq(new)).execute($conn).unwrap();
        new
    }};
}

use made_at;

impl World {
    fn event(&mut self, incident: Option<i64>, at: Timestamp) -> i64 {
        let incident = incident.map(|number| id::text(Kind::Incident, number));
        let planted = testing::plant_event(&mut self.conn, &self.place, incident.as_deref(), None, "updated");
        made_at!(&mut self.conn, events, planted, at)
    }

    /// A request that brought these events.
    fn request(&mut self, made: &[i64], at: Timestamp) -> i64 {
        let named: Vec<String> = made.iter().map(|number| id::text(Kind::Event, *number)).collect();
        let planted = testing::plant_request(&mut self.conn, &self.place, b"{\"a\":1}", &named);
        let request = made_at!(&mut self.conn, requests, planted, at);
        let made = events::table.filter(events::id.eq_any(made));
        diesel::update(made).set(events::request_id.eq(request)).execute(&mut self.conn).unwrap();
        request
    }

    /// An incident that was opened at `at` and resolved at `resolved_at`, with one event.
    fn incident(&mut self, key: &str, at: Timestamp, resolved_at: Option<Timestamp>) -> (i64, i64) {
        let event = self.event(None, resolved_at.unwrap_or(at));
        let named = id::text(Kind::Event, event);
        let planted = testing::plant_incident(&mut self.conn, &self.place, key, resolved_at.is_none(), &named);
        let incident = made_at!(&mut self.conn, incidents, planted, at);
        diesel::update(incidents::table.find(incident))
            .set(incidents::resolved_at.eq(resolved_at.map(|at| at.0)))
            .execute(&mut self.conn)
            .unwrap();
        diesel::update(events::table.find(event)).set(events::incident_id.eq(incident)).execute(&mut self.conn).unwrap();
        (incident, event)
    }

    fn seen(&mut self, delivery: &str, request: i64, until: Timestamp) {
        use crate::store::schema::seen_deliveries::dsl::*;
        diesel::insert_into(seen_deliveries)
            .values((
                integration_id.eq("int_1"),
                delivery_id.eq(delivery),
                body_hash.eq("00"),
                tenant_id.eq("ten_1"),
                request_id.eq(request),
                expires_at.eq(until.0),
            ))
            .execute(&mut self.conn)
            .unwrap();
    }

    fn change(&mut self, at: Timestamp) -> i64 {
        let planted = testing::plant_change(&mut self.conn, &self.place);
        made_at!(&mut self.conn, changes, planted, at)
    }

    /// A notice of an event that was made at `at`.
    fn notice(&mut self, at: Timestamp) -> i64 {
        use crate::store::schema::outbox::dsl::*;
        let row = (tenant_id.eq("ten_1"), event.eq("incident.triggered"), event_id.eq(number_at(at)), created_at.eq(7));
        diesel::insert_into(outbox).values(row).returning(id).get_result(&mut self.conn).unwrap()
    }

    fn audited(&mut self, at: Timestamp) -> String {
        use crate::store::schema::audit::dsl::*;
        let new = crate::id::new(Kind::Audit);
        let what = (actor.eq("a"), action.eq("b"), object_type.eq("c"), object_id.eq("d"), created_at.eq(at.0));
        diesel::insert_into(audit).values((id.eq(&new), tenant_id.eq("ten_1"), what)).execute(&mut self.conn).unwrap();
        new
    }

    fn due(&mut self, table: Aged) -> Vec<i64> {
        let page = page(&mut self.conn, table, 0, BEFORE, NOW, 1000).unwrap();
        page.due.into_iter().map(|row| row.id).collect()
    }
}

#[test]
fn each_table_goes_at_its_age_and_not_a_millisecond_before() {
    for mut world in worlds() {
        let rows: [(Aged, [i64; 2]); 5] = [
            (Aged::Requests, [OLD, BEFORE].map(|at| world.request(&[], at))),
            (Aged::Incidents, [OLD, BEFORE].map(|at| world.incident("k", at, Some(at)).0)),
            (Aged::Events, [OLD, BEFORE].map(|at| world.event(None, at))),
            (Aged::Changes, [OLD, BEFORE].map(|at| world.change(at))),
            (Aged::Outbox, [OLD, BEFORE].map(|at| world.notice(at))),
        ];
        for (table, [old, young]) in rows {
            let due = world.due(table);
            assert!(due.contains(&old) && !due.contains(&young), "{table:?}: {due:?}");
            assert_eq!(remove(&mut world.conn, table, &due).unwrap(), due.len(), "{table:?}");
            assert!(world.due(table).is_empty());
            let left = page(&mut world.conn, table, 0, NOW, NOW, 1000).unwrap();
            assert!(left.due.iter().any(|row| row.id == young), "{table:?}");
        }
    }
}

#[test]
fn the_audit_log_goes_by_its_own_time() {
    for mut world in worlds() {
        let [_, young] = [OLD, BEFORE].map(|at| world.audited(at));
        assert_eq!(sweep(&mut world.conn, Keyed::Audit, "", BEFORE, 10).unwrap(), Swept { removed: 1, last: None });
        use crate::store::schema::audit;
        assert_eq!(audit::table.select(audit::id).load::<String>(&mut world.conn).unwrap(), [young]);
    }
}

#[test]
fn a_walk_goes_on_where_the_last_page_ended() {
    for mut world in worlds() {
        let all: Vec<i64> = (0..7).map(|n| world.event(None, OLD.plus_seconds(n - 100))).collect();
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let page = page(&mut world.conn, Aged::Events, after, BEFORE, NOW, 3).unwrap();
            seen.extend(page.due.into_iter().map(|row| row.id));
            assert_eq!(page.looked_at.min(3), page.looked_at);
            let Some(last) = page.last else { break };
            after = last;
        }
        assert_eq!(seen, all);
    }
}

#[test]
fn refused_requests_are_told_from_those_that_were_understood() {
    for mut world in worlds() {
        let mut refused_ones = Vec::new();
        let understood = ["accepted", "ignored", "handshake", "duplicate", "invalid"];
        for word in understood.into_iter().chain(["unauthorized", "wrong_type", "limited", "disabled", "deleted", "too_large"]) {
            let id = world.request(&[], OLD);
            diesel::update(requests::table.find(id)).set(requests::verdict.eq(word)).execute(&mut world.conn).unwrap();
            refused_ones.extend((!understood.contains(&word)).then_some(id));
        }
        let page = refused(&mut world.conn, 0, BEFORE, 100).unwrap();
        assert_eq!(page.due.into_iter().map(|row| row.id).collect::<Vec<_>>(), refused_ones);
        assert_eq!((refused_ones.len(), page.looked_at), (6, 11));
    }
}

#[test]
fn counters_go_by_their_minute_and_a_sweep_looks_at_few_at_once() {
    for mut world in worlds() {
        let minute_of = |at: Timestamp| at.seconds() / 60;
        for n in -20..20 {
            let key = format!("int_{}'\\\"", n % 3);
            use crate::store::schema::refusals::dsl::*;
            let row = (
                tenant_id.eq("ten_1"),
                integration_id.eq(key),
                verdict.eq("limited"),
                minute.eq(minute_of(BEFORE) + n),
                count.eq(1),
            );
            diesel::insert_into(refusals).values(row).execute(&mut world.conn).unwrap();
        }
        let (mut after, mut removed, mut steps) = (String::new(), 0, 0);
        loop {
            let swept = sweep(&mut world.conn, Keyed::Refusals, &after, BEFORE, 7).unwrap();
            assert!(swept.removed <= 7);
            (removed, steps) = (removed + swept.removed, steps + 1);
            let Some(last) = swept.last else { break };
            after = last;
        }
        assert_eq!((removed, steps), (20, 6));
        let oldest: Option<i64> = refusals::table.select(diesel::dsl::min(refusals::minute)).first(&mut world.conn).unwrap();
        assert_eq!(oldest, Some(minute_of(BEFORE)));
    }
}

#[test]
fn one_connection_at_a_time_may_remove() {
    for world in worlds() {
        let World { mut conn, database, .. } = world;
        assert!(claim(&mut conn).unwrap());
        let mut other = database.store.writer().unwrap();
        let alone = matches!(conn, Conn::Sqlite(_));
        assert_eq!(claim(&mut other).unwrap(), alone, "on SQLite the file is locked for one process");
        drop(conn);
        // The server notices the end of a connection in its own time.
        let freed = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            claim(&mut other).unwrap()
        });
        assert!(freed);
    }
}
