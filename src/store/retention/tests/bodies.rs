//! Bodies that go before their rows, and what tables hold.

use super::*;

#[test]
fn a_dropped_body_says_so_and_the_rest_of_its_row_stays() {
    for mut world in worlds() {
        let request = world.request(&[], OLD);
        let empty = testing::plant_request(&mut world.conn, &world.place, b"", &[]);
        let empty = made_at!(&mut world.conn, requests, empty, BEFORE);
        let old = NOW;
        let found = bodies(&mut world.conn, 0, old, false, 10).unwrap();
        assert_eq!(found.due, [Due { id: request, bytes: 7 }], "an empty body is not dropped");
        assert_eq!(measure(&mut world.conn, Aged::Requests, 0, old, 10).unwrap().bytes, 7);
        assert_eq!(drop_bodies(&mut world.conn, &[request], NOW).unwrap(), 1);
        assert!(bodies(&mut world.conn, 0, old, false, 10).unwrap().due.is_empty());
        assert_eq!(
            measure(&mut world.conn, Aged::Requests, 0, old, 1).unwrap(),
            Measured { bytes: 0, last: Some(request), rows: 1 }
        );
        let (row, content) =
            crate::store::requests::find(&mut world.conn, "ten_1", &id::text(Kind::Request, request)).unwrap().unwrap();
        assert_eq!((row.body_dropped_at, content.body.len()), (Some(NOW.0), 0));
        assert_eq!((row.verdict.as_str(), row.message.as_deref()), ("accepted", Some("100% Fine")));
        let (row, _) = crate::store::requests::find(&mut world.conn, "ten_1", &id::text(Kind::Request, empty)).unwrap().unwrap();
        assert_eq!(row.body_dropped_at, None);
    }
}

#[test]
fn on_sqlite_what_small_bodies_leave_is_free_for_others() {
    let mut world = worlds().swap_remove(0);
    let body = vec![b'x'; 1000];
    world
        .conn
        .transaction_immediate(|conn| -> Result<()> {
            for _ in 0..2000 {
                testing::plant_request(conn, &world.place, &body, &[]);
            }
            Ok(())
        })
        .unwrap();
    let free = reusable_bytes(&mut world.conn).unwrap();
    let mut after = 0;
    loop {
        let page = bodies(&mut world.conn, after, NOW, false, 100).unwrap();
        let ids: Vec<i64> = page.due.into_iter().map(|row| row.id).collect();
        drop_bodies(&mut world.conn, &ids, NOW).unwrap();
        let Some(last) = page.last else { break };
        after = last;
    }
    let freed = reusable_bytes(&mut world.conn).unwrap() - free;
    assert!(freed > 2000 * 1000 / 2, "{freed} bytes of {} are free again", 2000 * 1000);
    assert_eq!(requests::table.count().get_result(&mut world.conn), Ok(2000));
    let texts: i64 = requests::table
        .filter(requests::message.eq("100% Fine").and(requests::tenant_id.eq("ten_1")))
        .filter(requests::body_dropped_at.eq(NOW.0))
        .count()
        .get_result(&mut world.conn)
        .unwrap();
    assert_eq!(texts, 2000, "every other column is as it was");
}

#[test]
fn the_oldest_notice_and_what_events_take() {
    for mut world in worlds() {
        assert_eq!(oldest_notice(&mut world.conn).unwrap(), None);
        world.notice(OLD);
        world.notice(NOW);
        assert_eq!(oldest_notice(&mut world.conn).unwrap(), Some(OLD));
        let events: Vec<i64> = (0..3).map(|_| world.event(None, OLD)).collect();
        let measured = measure(&mut world.conn, Aged::Events, 0, BEFORE, 10).unwrap();
        assert!((480..900).contains(&measured.bytes), "{measured:?}");
        assert_eq!((measured.rows, measured.last.as_ref()), (3, events.last()));
        assert_eq!(measure(&mut world.conn, Aged::Events, events[2], BEFORE, 10).unwrap().last, None);
    }
}
