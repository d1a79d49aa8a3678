//! What must not go, however old it is.

use super::*;
use crate::store::schema::{replays, seen_deliveries, tombstones};

#[test]
fn what_an_open_incident_stands_on_stays() {
    for mut world in worlds() {
        let long_ago = OLD.plus_seconds(-400 * 86_400);
        let (open, opening) = world.incident("open", long_ago, None);
        let repeat = world.event(Some(open), OLD);
        let request = world.request(&[opening, repeat], long_ago);
        let (over, last) = world.incident("over", long_ago, Some(OLD));
        let gone = world.request(&[last], long_ago);
        let nothing = world.request(&[], long_ago);

        assert_eq!(world.due(Aged::Incidents), [over]);
        assert_eq!(world.due(Aged::Events), &[last]);
        let due = world.due(Aged::Requests);
        assert_eq!(due, [gone, nothing]);
        // Its body stays under a bound on bytes, but not on a full disk.
        let spared = bodies(&mut world.conn, 0, BEFORE, true, 100).unwrap();
        assert_eq!(spared.due.iter().map(|row| row.id).collect::<Vec<_>>(), [gone, nothing]);
        let any = bodies(&mut world.conn, 0, BEFORE, false, 100).unwrap();
        assert_eq!(any.due.iter().map(|row| row.id).collect::<Vec<_>>(), [request, gone, nothing]);

        // Once it is resolved, and that is long ago too, nothing holds any of it.
        let resolve = incidents::table.find(open);
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
        let lately = world.event(Some(replayed), BEFORE);
        diesel::update(incidents::table.find(replayed))
            .set(incidents::last_event_id.eq(lately))
            .execute(&mut world.conn)
            .unwrap();
        let (before, _) = world.incident("again", long_ago, Some(OLD));
        let (again, _) = world.incident("again", NOW, None);
        diesel::update(incidents::table.find(again))
            .set(incidents::previous_incident_id.eq(before))
            .execute(&mut world.conn)
            .unwrap();
        // Of the same key, but not the one that is named.
        let (older, _) = world.incident("again", long_ago, Some(OLD));
        assert_eq!(world.due(Aged::Incidents), [older]);
        // It may have been named since it was found.
        assert_eq!(remove(&mut world.conn, Aged::Incidents, &[before, older]).unwrap(), 1);
        assert_eq!(incidents::table.find(before).count().get_result(&mut world.conn), Ok(1));
    }
}

#[test]
fn a_request_stays_while_its_delivery_id_is_remembered() {
    for mut world in worlds() {
        let remembered = world.request(&[], OLD);
        let forgotten = world.request(&[], OLD);
        world.seen("a", remembered, Timestamp(NOW.0 + 1));
        world.seen("b", forgotten, NOW);
        assert_eq!(world.due(Aged::Requests), [forgotten]);
        assert_eq!(sweep(&mut world.conn, Keyed::SeenDeliveries, "", NOW, 10).unwrap().removed, 1);
        let left: Vec<String> = seen_deliveries::table.select(seen_deliveries::delivery_id).load(&mut world.conn).unwrap();
        assert_eq!(left, ["a"]);
    }
}

#[test]
fn a_request_stays_while_what_its_replay_opened_is_open_and_takes_what_is_known_of_it_along() {
    for mut world in worlds() {
        let (open, event) = world.incident("open", OLD, None);
        let replayed = world.request(&[], OLD);
        let (over, last) = world.incident("over", OLD, Some(OLD));
        let finished = world.request(&[], OLD);
        for (request, event, incident) in [(replayed, event, open), (finished, last, over)] {
            use crate::store::schema::replays::dsl::*;
            let row = (
                request_id.eq(request),
                mark.eq("0:trigger:k"),
                tenant_id.eq("ten_1"),
                event_id.eq(event),
                incident_id.eq(incident),
                replayed_at.eq(OLD.0),
            );
            diesel::insert_into(replays).values(row).execute(&mut world.conn).unwrap();
        }
        assert_eq!(world.due(Aged::Requests), [finished]);
        remove(&mut world.conn, Aged::Requests, &[finished]).unwrap();
        let left: Vec<i64> = replays::table.select(replays::request_id).load(&mut world.conn).unwrap();
        assert_eq!(left, [replayed]);
    }
}

#[test]
fn a_tombstone_outlives_its_incident_by_the_time_that_order_needs() {
    for mut world in worlds() {
        let (incident, _) = world.incident("k", OLD, Some(OLD));
        for (key, named, updated) in [("k", Some(incident), OLD), ("young", None, BEFORE), ("old", None, OLD)] {
            use crate::store::schema::tombstones::dsl::*;
            let row = (
                integration_id.eq("int_1"),
                dedup_key.eq(key),
                tenant_id.eq("ten_1"),
                incident_id.eq(named),
                updated_at.eq(updated.0),
            );
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
