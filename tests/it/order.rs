//! The lifecycle through HTTP on both databases, with a clock that the test moves: orders of arrival, and timers.
//!
//! Every order of a few messages is tried in the pure core (`src/incident/tests`). Here a sample of them shows that nothing is lost
//! on the way to the database and back.

mod service;
mod timers;

use serde_json::{Value, json};

use crate::support::Database;
use service::{Alert, Service, start};

on_both!(
    an_episode_that_fires_again_with_its_old_start,
    a_senders_clock_that_is_wrong,
    times_without_a_zone_leave_the_order_to_the_arrival,
    down_up_down_in_one_second,
    messages_that_overtake_each_other,
    resolved_by_a_person_and_repeated_it_is_a_new_incident,
    warning_to_critical_escalates_once,
    a_group_gives_each_alert_its_own_outcome,
    any_order_inside_30_s_ends_like_the_ordered_run,
);

async fn an_episode_that_fires_again_with_its_old_start(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    for (key, seconds, outcome) in [("re-fire", 40, "opened"), ("late", 30, "stale")] {
        let alert = Alert::new(key, start(0));
        assert_eq!(sender.fires(&alert).await, "opened");
        service.clock.advance(300);
        assert_eq!(sender.resolves(&alert).await, "resolved");
        service.clock.advance(seconds);
        assert_eq!(sender.fires(&alert).await, outcome, "{seconds} s after the resolve");
    }
    let incidents = sender.incidents("re-fire").await;
    assert_eq!(incidents.len(), 2);
    assert_eq!((&incidents[0]["status"], &incidents[1]["status"]), (&json!("triggered"), &json!("resolved")));
    assert_eq!(incidents[0]["previous_incident_id"], incidents[1]["id"]);
    assert_eq!(sender.incidents("late").await.len(), 1);
}

async fn a_senders_clock_that_is_wrong(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    for offset in [120, -120] {
        let key = format!("off by {offset} s");
        let alert = Alert::new(&key, service.now(offset));
        assert_eq!(sender.fires(&alert).await, "opened");
        assert_eq!(sender.resolves(&alert).await, "resolved");
        assert_eq!(sender.fires(&alert).await, "stale");
        assert_eq!(sender.fires(&alert.starting(service.now(offset + 10))).await, "opened");
    }
    // Set back by two minutes between two firings: the second seems to be older, until it is repeated.
    let alert = Alert::new("stepping back", service.now(0));
    assert_eq!(sender.fires(&alert).await, "opened");
    assert_eq!(sender.resolves(&alert).await, "resolved");
    let second = alert.starting(service.now(-120));
    assert_eq!(sender.fires(&second).await, "stale");
    service.clock.advance(31);
    assert_eq!(sender.fires(&second).await, "opened");
    assert_eq!(sender.resolves(&second).await, "resolved");
}

async fn times_without_a_zone_leave_the_order_to_the_arrival(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    for (key, time) in [("no zone", "2025-06-15T15:00:00"), ("none", ""), ("zero", "0001-01-01T00:00:00Z")] {
        let alert = Alert::new(key, time.to_owned());
        let outcomes = [
            sender.fires(&alert).await,
            sender.resolves(&alert).await,
            sender.fires(&alert).await,
            sender.fires(&alert).await,
            sender.resolves(&alert).await,
        ];
        assert_eq!(outcomes, ["opened", "resolved", "opened", "updated", "resolved"], "{key}");
    }
}

async fn down_up_down_in_one_second(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    let first = Alert::new("flaps", "2025-06-15T15:00:00.100Z".to_owned());
    let second = first.starting("2025-06-15T15:00:00.700Z".to_owned());
    let outcomes = [sender.fires(&first).await, sender.resolves(&first).await, sender.fires(&second).await];
    assert_eq!(outcomes, ["opened", "resolved", "opened"]);

    // In one body, in one transaction.
    let first = Alert { key: "flaps in one body".to_owned(), ..first };
    let second = Alert { key: first.key.clone(), ..second };
    let answer = sender.post(&[(&first, "firing"), (&first, "resolved"), (&second, "firing")]).await;
    assert_eq!(answer, ["opened", "resolved", "opened"]);
    let incidents = sender.incidents("flaps in one body").await;
    assert_eq!(incidents.len(), 2);
    assert_eq!((&incidents[0]["status"], &incidents[0]["previous_incident_id"]), (&json!("triggered"), &incidents[1]["id"]));
}

async fn messages_that_overtake_each_other(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    let first = Alert::new("resolve first", start(0));
    assert_eq!(sender.resolves(&first).await, "unmatched");
    assert_eq!(sender.fires(&first).await, "stale");
    assert_eq!(sender.incidents("resolve first").await.len(), 0);

    let first = Alert::new("late resolve", start(0));
    let second = first.starting(start(60));
    assert_eq!(sender.fires(&first).await, "opened");
    assert_eq!(sender.resolves(&first).await, "resolved");
    assert_eq!(sender.fires(&second).await, "opened");
    assert_eq!(sender.resolves(&first).await, "stale");
    assert_eq!(sender.incidents("late resolve").await[0]["status"], "triggered");
    assert_eq!(sender.resolves(&second).await, "resolved");
}

async fn resolved_by_a_person_and_repeated_it_is_a_new_incident(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    let alert = Alert::new("by hand", start(0));
    sender.fires(&alert).await;
    let id = sender.incidents("by hand").await[0]["id"].as_str().unwrap().to_owned();
    let answer = service.api.post(&format!("/api/v1/incidents/{id}/resolve"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(sender.fires(&alert).await, "opened");
    assert_eq!(sender.incidents("by hand").await[0]["previous_incident_id"], id);
}

async fn warning_to_critical_escalates_once(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    let warning = Alert { severity: "warning", ..Alert::new("worse", start(0)) };
    let critical = Alert { severity: "critical", ..warning.clone() };
    assert_eq!(sender.fires(&warning).await, "opened");
    let id = sender.incidents("worse").await[0]["id"].as_str().unwrap().to_owned();
    let answer = service.api.post(&format!("/api/v1/incidents/{id}/acknowledge"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let outcomes = [sender.fires(&critical).await, sender.fires(&critical).await, sender.fires(&warning).await];
    assert_eq!(outcomes, ["escalated", "updated", "updated"]);
    let incident = &sender.incidents("worse").await[0];
    assert_eq!((&incident["severity"], &incident["urgency"]), (&json!("critical"), &json!("high")));
    assert_eq!((&incident["status"], &incident["event_count"]), (&json!("acknowledged"), &json!(4)));
    assert_eq!(service.pages(&database, &id), 2, "it opened, and it rose from low to high");
}

async fn a_group_gives_each_alert_its_own_outcome(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    let [one, two, three] = ["one", "two", "three"].map(|key| Alert::new(key, start(0)));
    sender.fires(&three).await;
    let outcomes = sender.post(&[(&one, "firing"), (&three, "resolved"), (&two, "firing")]).await;
    assert_eq!(outcomes, ["opened", "resolved", "opened"]);
    assert_eq!(sender.resolves(&two).await, "resolved");
    assert_eq!(sender.incidents("one").await[0]["status"], "triggered");
}

/// Orders that are tried; each twenty-fourth or so of what there is.
const ORDERS: u64 = 60;

async fn any_order_inside_30_s_ends_like_the_ordered_run(database: Database) {
    let service = Service::start(&database).await;
    let sender = service.sender("alertmanager").await;
    let mut random = Random(20_250_615);
    for number in 0..ORDERS {
        let messages = history(&mut random);
        let ordered = format!("{number}-ordered");
        for (alert, status) in &messages {
            sender.post(&[(&Alert { key: ordered.clone(), ..alert.clone() }, status)]).await;
        }
        let shuffled = format!("{number}-shuffled");
        let mut arrivals: Vec<&(Alert, &str)> = messages.iter().chain(&messages[..messages.len() / 2]).collect();
        for place in (1..arrivals.len()).rev() {
            arrivals.swap(place, random.below(place as u64 + 1));
        }
        for (alert, status) in &arrivals {
            sender.post(&[(&Alert { key: shuffled.clone(), ..alert.clone() }, status)]).await;
        }
        let (expected, got) = (end(&sender.incidents(&ordered).await), end(&sender.incidents(&shuffled).await));
        assert_eq!(got, expected, "{messages:#?} as {arrivals:#?}");
    }
}

/// Up to six firings and resolves of one alert, in the order of their starts.
fn history(random: &mut Random) -> Vec<(Alert, &'static str)> {
    let mut firing = start(0);
    (0..2 + random.below(5))
        .map(|place| {
            let resolved = random.below(3) == 0;
            if !resolved {
                firing = start(1 + i64::try_from(place).unwrap());
            }
            let alert = Alert {
                severity: ["info", "warning", "error", "critical"][random.below(4)],
                summary: format!("message {place}"),
                ..Alert::new("", firing.clone())
            };
            (alert, if resolved { "resolved" } else { "firing" })
        })
        .collect()
}

/// Whether the key is open, and with which title, severity and details.
fn end(incidents: &[Value]) -> Option<[Value; 3]> {
    let open = incidents.iter().find(|incident| incident["status"] != "resolved")?;
    let mut details = open["custom_details"].clone();
    // The key is the one thing in which the two runs differ.
    details["labels"].as_object_mut().expect("labels are shown").remove("disk");
    details.as_object_mut().unwrap().remove("fingerprint");
    Some([open["title"].clone(), open["severity"].clone(), details])
}

/// A small generator of numbers, the same in each run (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound).unwrap()
    }
}
