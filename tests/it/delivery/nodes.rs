//! Several processes: two on one PostgreSQL that share the sending, and one Callbox that tells another.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;

use super::{destination, destination_from, send, sender, start_with};
use crate::support::callbox::Options;
use crate::support::receiver::{Receiver, Way};
use crate::support::{Authority, Callbox, Database, eventually, secrets};

on_both!(one_callbox_tells_another_as_it_would_tell_pagerduty);

const PAGES: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_send_each_delivery_once_and_take_over_from_one_that_is_gone() {
    let Some(database) = Database::postgres() else { return };
    let settings = [("CALLBOX_DELIVERY_LEASE", "3s"), ("CALLBOX_DELIVERY_CONCURRENCY", "4")];
    let (first, second) = (start_with(&database, &settings).await, start_with(&database, &settings).await);
    let receiver = Receiver::deciding(|_| Way::Late(Duration::from_millis(10))).await;
    destination(&first, "ops", &receiver).await;
    let tool = sender(&first).await;
    // The other process must know of the destination before it notes anything for it.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for page in 0..PAGES {
        let through = if page % 2 == 0 { &first } else { &second };
        send(through, &tool, "trigger", &format!("page-{page}")).await;
    }
    let seen = receiver.wait(PAGES).await;
    let ids: HashSet<&str> = seen.iter().map(|request| request.id()).collect();
    assert_eq!((ids.len(), seen.len()), (PAGES, PAGES), "while both live nothing is sent twice");
    // The router is one of them: whichever goes, the other goes on.
    for page in 0..PAGES {
        let through = if page < PAGES / 2 { &first } else { &second };
        send(through, &tool, "resolve", &format!("page-{page}")).await;
        if page == PAGES / 2 {
            break;
        }
    }
    first.kill();
    for page in PAGES / 2 + 1..PAGES {
        send(&second, &tool, "resolve", &format!("page-{page}")).await;
    }
    eventually(async || {
        let told: HashSet<(String, i64)> = receiver.told().into_iter().collect();
        if told.len() == 2 * PAGES { Ok(()) } else { Err(format!("{} of {}", told.len(), 2 * PAGES)) }
    })
    .await;
    let mut order: HashMap<i64, Vec<String>> = HashMap::new();
    for (event, incident) in receiver.told() {
        order.entry(incident).or_default().push(event);
    }
    for events in order.values_mut() {
        events.dedup();
        assert_eq!(*events, ["incident.triggered", "incident.resolved"]);
    }
}

async fn one_callbox_tells_another_as_it_would_tell_pagerduty(database: Database) {
    let authority = Authority::new();
    let far = authority.start(&Database::sqlite()).await;
    let there = far.api().integration("events", "from the near one").await;
    secrets::remember(&there.key);
    let environment = vec![
        ("CALLBOX_OUTBOUND_ALLOW".to_owned(), "127.0.0.0/8".to_owned()),
        ("SSL_CERT_FILE".to_owned(), authority.certificate().to_str().unwrap().to_owned()),
    ];
    let near = Callbox::start_with(&database, Options { environment, ..Options::default() }).await;
    let fields = json!({
        "name": "far", "kind": "pagerduty", "token": there.key, "url": format!("{}/v2/enqueue", far.base()), "include": "details",
    });
    destination_from(&near, fields).await;
    let tool = sender(&near).await;
    for (action, status) in [("trigger", "triggered"), ("acknowledge", "acknowledged"), ("resolve", "resolved")] {
        send(&near, &tool, action, "disk").await;
        eventually(async || {
            let incidents = far.api().incidents(&there).await;
            match incidents.as_slice() {
                [incident] if incident["status"] == status => Ok(()),
                other => Err(format!("not one that is {status}: {other:?}")),
            }
        })
        .await;
    }
    let incidents = far.api().incidents(&there).await;
    assert_eq!(incidents[0]["title"], "disk is in trouble");
    assert_eq!(incidents[0]["source"], "db1");
}
