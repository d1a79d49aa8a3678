//! Bounds on bytes, and a disk that fills up.

use std::sync::Mutex;

use super::*;
use crate::retention::disk::{Disk, HighWater};
use crate::store::retention as store;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_its_bytes_the_ledger_loses_its_oldest_bodies_and_keeps_the_rows() {
    for mut world in World::each() {
        let all = world.plant(100, DAY, 1000);
        let policy = Policy { ledger_bytes: 30_500, ..policy() };
        let mut keeper = world.keeper(policy).await;
        finish(&mut keeper).await;
        assert_eq!(world.with_body(), all[70..]);
        assert_eq!(world.count(Aged::Requests), 100);
        let page = world.app.metrics.render();
        assert!(page.contains("callbox_retention_held_bytes{table=\"requests\"}"), "{page}");
        assert!(page.contains("callbox_retention_bodies_total 70"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_their_bytes_the_oldest_events_go_but_none_that_a_notice_may_point_to() {
    for mut world in World::each() {
        world.plant(200, 2 * DAY, 10);
        world.plant(100, DAY / 2, 10);
        world.notice(NOW.plus_seconds(-DAY));
        let each = store::measure(&mut world.conn, Aged::Events, 0, NOW, 1000).unwrap().bytes / 300;
        finish(&mut world.keeper(Policy { events_bytes: 250 * each, ..policy() }).await).await;
        assert_eq!(world.count(Aged::Events), 250);
        finish(&mut world.keeper(Policy { events_bytes: 1000, ..policy() }).await).await;
        assert_eq!((world.count(Aged::Events), world.count(Aged::Requests)), (100, 300));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nearly_full_disk_costs_the_oldest_bodies_and_no_more_than_there_is_need_of() {
    let mut world = World::on(testing::sqlite());
    let all = world.plant(2000, DAY, 1000);
    let disk = Arc::new(Mutex::new(Disk { size: 100 << 20, available: 20 << 20, reusable: 0 }));
    let policy = Policy { disk_high_water: HighWater::Used(90), ..policy() };
    let mut keeper = Keeper::new(Arc::clone(&world.app), policy, Gauge::Manual(Arc::clone(&disk)));
    finish(&mut keeper).await;
    assert!(!world.app.disk.above_high_water());
    assert_eq!(world.with_body(), all);

    // A little is missing, and what the bodies leave inside the file makes up for it.
    disk.lock().unwrap().available = (10 << 20) - 200_000;
    keeper.disk_read = None;
    assert!(keeper.step().await.unwrap().is_some());
    assert!(world.app.disk.above_high_water());
    finish(&mut keeper).await;
    assert!(!world.app.disk.above_high_water());
    let left = world.with_body();
    assert!((400..1900).contains(&left.len()), "{} bodies are left", left.len());
    assert_eq!(left, all[2000 - left.len()..], "the oldest went");
    assert_eq!(world.count(Aged::Requests), 2000);

    // Far too much is missing: every body goes but the newest, no row does, and it is said and not tried for ever.
    let fresh = world.plant(1, 4, 1000);
    disk.lock().unwrap().available = 0;
    keeper.disk_read = None;
    finish(&mut keeper).await;
    assert!(world.app.disk.above_high_water());
    assert_eq!(world.with_body(), fresh);
    assert_eq!(world.count(Aged::Requests), 2001);
    let own = incidents::table.filter(incidents::open_key.eq("store:disk"));
    let begun = Instant::now();
    while own.count().get_result(&mut world.conn) != Ok(1) {
        assert!(begun.elapsed() < Duration::from_secs(30), "the operator is not paged");
        tokio::task::yield_now().await;
    }
}
