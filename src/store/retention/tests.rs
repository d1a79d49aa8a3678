//! The statements of retention, on real databases.

use diesel::prelude::*;

use super::*;
use crate::id::Kind;
use crate::retention::{Aged, Keyed};
use crate::store::schema::{events, incidents, refusals, requests, seen_deliveries, tombstones};
use crate::store::testing::{self, Database, Place, id_at};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const BEFORE: Timestamp = NOW.plus_seconds(-30 * 86_400);
/// A millisecond before: what may go.
const OLD: Timestamp = Timestamp(BEFORE.0 - 1000);

/// A database with nobody's rows in it.
struct World {
    conn: Conn,
    place: Place,
    _database: Database,
}

fn worlds() -> Vec<World> {
    let place = || Place { tenant_id: "ten_1".into(), service_id: "svc_1".into(), integration_id: "int_1".into() };
    let world = |database: Database| World { conn: database.store.writer().unwrap(), place: place(), _database: database };
    testing::databases().into_iter().map(world).collect()
}

/// Gives the row `id` an identifier as if it had been made at `at`.
macro_rules! made_at {
    ($conn:expr, $table:ident, $kind:expr, $id:expr, $at:expr) => {{
        let new = id_at($kind, $at);
        diesel::update($table::table.filter($table::id.eq(&$id))).set($table::id.eq(&new)).execute($conn).unwrap();
        new
    }};
}

impl World {
    fn event(&mut self, incident: Option<&str>, at: Timestamp) -> String {
        let id = testing::plant_event(&mut self.conn, &self.place, incident, None, "updated");
        made_at!(&mut self.conn, events, Kind::Event, id, at)
    }

    /// A request that brought these events.
    fn request(&mut self, made: &[String], at: Timestamp) -> String {
        let id = testing::plant_request(&mut self.conn, &self.place, b"{\"a\":1}", made);
        let id = made_at!(&mut self.conn, requests, Kind::Request, id, at);
        let made = events::table.filter(events::id.eq_any(made));
        diesel::update(made).set(events::request_id.eq(&id)).execute(&mut self.conn).unwrap();
        id
    }

    /// An incident that was opened at `at` and resolved at `resolved_at`, with one event.
    fn incident(&mut self, key: &str, at: Timestamp, resolved_at: Option<Timestamp>) -> (String, String) {
        let event = self.event(None, resolved_at.unwrap_or(at));
        let id = testing::plant_incident(&mut self.conn, &self.place, key, resolved_at.is_none(), &event);
        let id = made_at!(&mut self.conn, incidents, Kind::Incident, id, at);
        diesel::update(incidents::table.find(&id))
            .set(incidents::resolved_at.eq(resolved_at.map(|at| at.0)))
            .execute(&mut self.conn)
            .unwrap();
        diesel::update(events::table.find(&event)).set(events::incident_id.eq(&id)).execute(&mut self.conn).unwrap();
        (id, event)
    }

    fn seen(&mut self, delivery: &str, request: &str, until: Timestamp) {
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

    fn change(&mut self, at: Timestamp) -> String {
        use crate::store::schema::changes;
        let id = testing::plant_change(&mut self.conn, &self.place);
        made_at!(&mut self.conn, changes, Kind::Change, id, at)
    }

    fn notice(&mut self, at: Timestamp) -> String {
        use crate::store::schema::outbox::dsl::*;
        let new = id_at(Kind::Outbox, at);
        let row = (id.eq(&new), tenant_id.eq("ten_1"), event.eq("incident.triggered"), created_at.eq(at.0));
        diesel::insert_into(outbox).values(row).execute(&mut self.conn).unwrap();
        new
    }

    fn audited(&mut self, at: Timestamp) -> String {
        use crate::store::schema::audit::dsl::*;
        let new = id_at(Kind::Audit, at);
        let what = (actor.eq("a"), action.eq("b"), object_type.eq("c"), object_id.eq("d"), created_at.eq(at.0));
        diesel::insert_into(audit).values((id.eq(&new), tenant_id.eq("ten_1"), what)).execute(&mut self.conn).unwrap();
        new
    }

    fn due(&mut self, table: Aged) -> Vec<String> {
        let page = page(&mut self.conn, table, "", BEFORE, NOW, 1000).unwrap();
        page.due.into_iter().map(|row| row.id).collect()
    }
}

#[test]
fn each_table_goes_at_its_age_and_not_a_millisecond_before() {
    for mut world in worlds() {
        let mut rows: Vec<(Aged, [String; 2])> = Vec::new();
        rows.push((Aged::Requests, [OLD, BEFORE].map(|at| world.request(&[], at))));
        rows.push((Aged::Incidents, [OLD, BEFORE].map(|at| world.incident("k", at, Some(at)).0)));
        rows.push((Aged::Events, [OLD, BEFORE].map(|at| world.event(None, at))));
        rows.push((Aged::Changes, [OLD, BEFORE].map(|at| world.change(at))));
        rows.push((Aged::Outbox, [OLD, BEFORE].map(|at| world.notice(at))));
        rows.push((Aged::Audit, [OLD, BEFORE].map(|at| world.audited(at))));
        for (table, [old, young]) in rows {
            let due = world.due(table);
            assert!(due.contains(&old) && !due.contains(&young), "{table:?}: {due:?}");
            assert_eq!(remove(&mut world.conn, table, &due).unwrap(), due.len(), "{table:?}");
            assert!(world.due(table).is_empty());
            let left = page(&mut world.conn, table, "", NOW, NOW, 1000).unwrap();
            assert!(left.due.iter().any(|row| row.id == young), "{table:?}");
        }
    }
}

#[test]
fn a_walk_goes_on_where_the_last_page_ended() {
    for mut world in worlds() {
        let all: Vec<String> = (0..7).map(|n| world.event(None, OLD.plus_seconds(n - 100))).collect();
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = page(&mut world.conn, Aged::Events, &after, BEFORE, NOW, 3).unwrap();
            seen.extend(page.due.into_iter().map(|row| row.id));
            assert_eq!(page.looked_at.min(3), page.looked_at);
            let Some(last) = page.last else { break };
            after = last;
        }
        assert_eq!(seen, all);
    }
}

#[test]
fn what_an_open_incident_stands_on_stays() {
    for mut world in worlds() {
        let long_ago = OLD.plus_seconds(-400 * 86_400);
        let (open, opening) = world.incident("open", long_ago, None);
        let repeat = world.event(Some(&open), OLD);
        let request = world.request(&[opening.clone(), repeat.clone()], long_ago);
        let (over, last) = world.incident("over", long_ago, Some(OLD));
        let gone = world.request(std::slice::from_ref(&last), long_ago);
        let nothing = world.request(&[], long_ago);

        assert_eq!(world.due(Aged::Incidents), [over]);
        assert_eq!(world.due(Aged::Events), [last.clone()]);
        let due = world.due(Aged::Requests);
        assert_eq!(due, [gone.clone(), nothing.clone()]);
        // Its body stays under a bound on bytes, but not on a full disk.
        let spared = bodies(&mut world.conn, "", BEFORE, true, 100).unwrap();
        assert_eq!(spared.due.iter().map(|row| &row.id).collect::<Vec<_>>(), [&gone, &nothing]);
        let any = bodies(&mut world.conn, "", BEFORE, false, 100).unwrap();
        assert_eq!(any.due.iter().map(|row| &row.id).collect::<Vec<_>>(), [&request, &gone, &nothing]);

        // Once it is resolved, and that is long ago too, nothing holds any of it.
        let resolve = incidents::table.find(&open);
        diesel::update(resolve)
            .set((incidents::open_key.eq(None::<String>), incidents::resolved_at.eq(OLD.0)))
            .execute(&mut world.conn)
            .unwrap();
        assert_eq!(world.due(Aged::Incidents).len(), 2);
        assert_eq!(world.due(Aged::Events).len(), 3);
        assert_eq!(world.due(Aged::Requests).len(), 3);
    }
}

#[test]
fn an_incident_stays_while_it_is_young_in_any_way_or_named_by_an_open_one() {
    for mut world in worlds() {
        let long_ago = OLD.plus_seconds(-86_400);
        world.incident("resolved lately", long_ago, Some(BEFORE));
        let (replayed, _) = world.incident("touched lately", long_ago, Some(OLD));
        let lately = world.event(Some(&replayed), BEFORE);
        diesel::update(incidents::table.find(&replayed))
            .set(incidents::last_event_id.eq(&lately))
            .execute(&mut world.conn)
            .unwrap();
        let (before, _) = world.incident("again", long_ago, Some(OLD));
        let (again, _) = world.incident("again", NOW, None);
        diesel::update(incidents::table.find(&again))
            .set(incidents::previous_incident_id.eq(&before))
            .execute(&mut world.conn)
            .unwrap();
        // Of the same key, but not the one that is named.
        let (older, _) = world.incident("again", long_ago, Some(OLD));
        assert_eq!(world.due(Aged::Incidents), [older]);
    }
}

#[test]
fn a_request_stays_while_its_delivery_id_is_remembered() {
    for mut world in worlds() {
        let remembered = world.request(&[], OLD);
        let forgotten = world.request(&[], OLD);
        world.seen("a", &remembered, Timestamp(NOW.0 + 1));
        world.seen("b", &forgotten, NOW);
        assert_eq!(world.due(Aged::Requests), [forgotten]);
        assert_eq!(sweep(&mut world.conn, Keyed::SeenDeliveries, "", NOW, 10).unwrap().removed, 1);
        let left: Vec<String> = seen_deliveries::table.select(seen_deliveries::delivery_id).load(&mut world.conn).unwrap();
        assert_eq!(left, ["a"]);
    }
}

#[test]
fn what_a_replay_made_is_remembered_as_long_as_its_request() {
    for mut world in worlds() {
        let (kept, gone) = (world.request(&[], NOW), world.request(&[], OLD));
        let for_ever = NOW.plus_seconds(i64::from(u32::MAX));
        world.seen(&format!("replay:{kept}"), "", for_ever);
        world.seen(&format!("replay:{gone}"), "", for_ever);
        assert_eq!(world.due(Aged::Requests), [gone.clone()], "a replay holds nothing back");
        remove(&mut world.conn, Aged::Requests, &[gone]).unwrap();
        assert_eq!(sweep(&mut world.conn, Keyed::SeenDeliveries, "", NOW, 10).unwrap().removed, 1);
        let left: Vec<String> = seen_deliveries::table.select(seen_deliveries::delivery_id).load(&mut world.conn).unwrap();
        assert_eq!(left, [format!("replay:{kept}")]);
    }
}

#[test]
fn a_tombstone_outlives_its_incident_by_the_time_that_order_needs() {
    for mut world in worlds() {
        let (incident, _) = world.incident("k", OLD, Some(OLD));
        for (key, named, updated) in [("k", Some(incident.as_str()), OLD), ("young", None, BEFORE), ("old", None, OLD)] {
            use crate::store::schema::tombstones::dsl::*;
            let row = (integration_id.eq("int_1"), dedup_key.eq(key), tenant_id.eq("ten_1"), incident_id.eq(named), updated_at.eq(updated.0));
            diesel::insert_into(tombstones).values(row).execute(&mut world.conn).unwrap();
        }
        let sweep = |conn: &mut Conn| sweep(conn, Keyed::Tombstones, "", BEFORE, 10).unwrap().removed;
        assert_eq!(sweep(&mut world.conn), 1, "what names an incident stays with it");
        remove(&mut world.conn, Aged::Incidents, &[incident]).unwrap();
        assert_eq!(sweep(&mut world.conn), 1);
        let left: Vec<String> = tombstones::table.select(tombstones::dedup_key).load(&mut world.conn).unwrap();
        assert_eq!(left, ["young"]);
    }
}

#[test]
fn counters_go_by_their_minute_and_a_sweep_looks_at_few_at_once() {
    for mut world in worlds() {
        let minute_of = |at: Timestamp| at.seconds() / 60;
        for n in -20..20 {
            let key = format!("int_{}'\\\"", n % 3);
            use crate::store::schema::refusals::dsl::*;
            let row = (tenant_id.eq("ten_1"), integration_id.eq(key), verdict.eq("limited"), minute.eq(minute_of(BEFORE) + n), count.eq(1));
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
fn a_dropped_body_says_so_and_the_rest_of_its_row_stays() {
    for mut world in worlds() {
        let request = world.request(&[], OLD);
        let empty = testing::plant_request(&mut world.conn, &world.place, b"", &[]);
        let empty = made_at!(&mut world.conn, requests, Kind::Request, empty, BEFORE);
        let old = NOW.plus_seconds(i64::from(u32::MAX));
        let found = bodies(&mut world.conn, "", old, false, 10).unwrap();
        assert_eq!(found.due, [Due { id: request.clone(), bytes: 7 }], "an empty body is not dropped");
        assert_eq!(measure(&mut world.conn, Aged::Requests, "", old, 10).unwrap().bytes, 7);
        assert_eq!(drop_bodies(&mut world.conn, &[&request], NOW).unwrap(), 1);
        assert!(bodies(&mut world.conn, "", old, false, 10).unwrap().due.is_empty());
        assert_eq!(measure(&mut world.conn, Aged::Requests, "", old, 1).unwrap(), Measured { bytes: 0, last: Some(request.clone()), rows: 1 });
        let (row, content) = crate::store::requests::find(&mut world.conn, "ten_1", &request).unwrap().unwrap();
        assert_eq!((row.body_dropped_at, content.body.len()), (Some(NOW.0), 0));
        assert_eq!((row.verdict.as_str(), row.message.as_deref()), ("accepted", Some("100% Fine")));
        let (row, _) = crate::store::requests::find(&mut world.conn, "ten_1", &empty).unwrap().unwrap();
        assert_eq!(row.body_dropped_at, None);
    }
}

#[test]
fn on_sqlite_what_small_bodies_leave_is_free_for_others() {
    let mut world = worlds().swap_remove(0);
    let body = vec![b'x'; 1000];
    world.conn.transaction_immediate(|conn| -> Result<()> {
        for _ in 0..2000 {
            testing::plant_request(conn, &world.place, &body, &[]);
        }
        Ok(())
    }).unwrap();
    let free = reusable_bytes(&mut world.conn).unwrap();
    let mut after = String::new();
    loop {
        let page = bodies(&mut world.conn, &after, NOW.plus_seconds(i64::from(u32::MAX)), false, 100).unwrap();
        let ids: Vec<String> = page.due.into_iter().map(|row| row.id).collect();
        drop_bodies(&mut world.conn, &ids, NOW).unwrap();
        let Some(last) = page.last else { break };
        after = last;
    }
    let freed = reusable_bytes(&mut world.conn).unwrap() - free;
    assert!(freed > 2000 * 1000 / 2, "{freed} bytes of {} are free again", 2000 * 1000);
    // And rows are inserted at the right edge as before, also where every body was dropped.
    let id = testing::plant_request(&mut world.conn, &world.place, &body, &[]);
    drop_bodies(&mut world.conn, &[&id], NOW).unwrap();
    drop_bodies(&mut world.conn, &[&id], NOW).unwrap();
    testing::plant_request(&mut world.conn, &world.place, &body, &[]);
    assert_eq!(requests::table.count().get_result(&mut world.conn), Ok(2002));
}

#[test]
fn the_oldest_notice_and_what_events_take() {
    for mut world in worlds() {
        assert_eq!(oldest_notice(&mut world.conn).unwrap(), None);
        world.notice(NOW);
        world.notice(OLD);
        assert_eq!(oldest_notice(&mut world.conn).unwrap(), Some(OLD));
        let events: Vec<String> = (0..3).map(|_| world.event(None, OLD)).collect();
        let measured = measure(&mut world.conn, Aged::Events, "", BEFORE, 10).unwrap();
        assert!((900..1500).contains(&measured.bytes), "{measured:?}");
        assert_eq!((measured.rows, measured.last.as_ref()), (3, events.last()));
        assert_eq!(measure(&mut world.conn, Aged::Events, &events[2], BEFORE, 10).unwrap().last, None);
    }
}

#[test]
fn one_connection_at_a_time_may_remove() {
    for world in worlds() {
        let World { mut conn, _database: database, .. } = world;
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
