//! Lists: filters, pages, cursors; what one item shows.

use super::*;

#[actix_web::test]
async fn i8_lists_are_paged_by_cursors_that_fit_only_their_list() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        let mut ids: Vec<String> =
            (0..5).map(|n| testing::plant_incident(&mut conn, &place, &format!("key-{n}"), n % 2 == 0, "evt_x")).collect();
        ids.reverse();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/incidents?limit=2{cursor}")).await.body;
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "id")));
            // A newcomer does not disturb the pages behind it.
            testing::plant_incident(&mut conn, &place, &format!("late-{}", seen.len()), false, "evt_x");
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ids);
        let made_for = format!("/incidents?limit=2&status=resolved{cursor}");
        assert_eq!(server.get(&made_for).await.status, 400, "other filters");
        let foreign = server.call(&server.other, Method::GET, &format!("/incidents?limit=2{cursor}"), None).await;
        assert_eq!((foreign.status, fields(&foreign.body)), (400, vec!["cursor"]), "another tenant");
        assert_eq!(server.get(&format!("/events?limit=2{cursor}")).await.status, 400, "another list");
        for bad in ["limit=0", "limit=-1", "limit=501", "limit=1000000000", "limit=x", "cursor=", "cursor=AAAA", "cursor=-1"] {
            assert_eq!(server.get(&format!("/incidents?{bad}")).await.status, 400, "{bad}");
        }
        let sql = "%27%20OR%201%3D1%20--";
        for path in ["/incidents?q=", "/incidents?dedup_key=", "/requests?q=", "/events?integration_id=", "/integrations?name="] {
            let answer = server.get(&format!("{path}{sql}")).await;
            assert_eq!((answer.status, &answer.body["items"]), (200, &json!([])), "{path}");
        }
        assert_eq!(server.get("/incidents?q=%00").await.status, 400);
        let answer = server.get("/incidents?statsu=open").await;
        assert!(answer.status == 400 && answer.body.to_string().contains("did you mean `status`"), "{}", answer.body);
    }
}

#[actix_web::test]
async fn incidents_are_found_by_their_filters() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        let open = testing::plant_incident(&mut conn, &place, "Disk_Full", true, "evt_x");
        let over = testing::plant_incident(&mut conn, &place, "diskXfull", false, "evt_y");
        let both = vec![over.clone(), open.clone()];
        for (filter, expected) in [
            ("", both.clone()),
            ("status=triggered", vec![open.clone()]),
            ("status=triggered&status=acknowledged", vec![open.clone()]),
            ("status=resolved", vec![over.clone()]),
            ("status=resolved&status=triggered", both.clone()),
            ("status=triggered&dedup_key=Disk_Full", vec![open.clone()]),
            ("dedup_key=disk_full", vec![]),
            ("q=disk_f", vec![open.clone()]),
            ("q=DISK", both.clone()),
            ("q=50%25", both.clone()),
            ("q=5%250", vec![]),
            ("severity=critical", both.clone()),
            ("severity=info", vec![]),
            ("since=1970-01-01T00:00:01Z&until=1970-01-01T00:00:02Z", both.clone()),
            ("until=1970-01-01T00:00:01Z", vec![]),
            ("integration_id=int_x", vec![]),
        ] {
            let answer = server.get(&format!("/incidents?{filter}")).await;
            let found: Vec<String> = answer.body["items"].as_array().unwrap().iter().map(|item| text(item, "id")).collect();
            assert_eq!(found, expected, "{filter}");
        }
        for bad in ["status=open", "severity=CRITICAL", "since=yesterday"] {
            assert_eq!(server.get(&format!("/incidents?{bad}")).await.status, 400, "{bad}");
        }
        let shown = server.get(&format!("/incidents/{open}")).await.body;
        assert_eq!((&shown["urgency"], &shown["custom_details"]), (&json!("high"), &json!({"a": 1})));
        assert_eq!((&shown["links"][0]["href"], &shown["images"]), (&json!("https://example.com"), &json!([])));
        assert_eq!(shown["first_seen"], "1970-01-01T00:00:01.000000Z");
    }
}

#[actix_web::test]
async fn a_timeline_follows_its_chain_and_a_request_shows_its_events() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        let mut events: Vec<String> = Vec::new();
        for n in 0..5 {
            let what = if n == 4 { "unmatched" } else { "updated" };
            let event = testing::plant_event(&mut conn, &place, Some("inc_x"), events.last().map(String::as_str), what);
            events.push(event);
        }
        let incident = testing::plant_incident(&mut conn, &place, "db-1/cpu", true, &events[4]);
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/incidents/{incident}/events?limit=2{cursor}")).await.body;
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "id")));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, events.iter().rev().cloned().collect::<Vec<_>>());
        let unmatched = server.get(&format!("/events/{}", events[4])).await.body;
        assert_eq!(unmatched["nearest_keys"], json!(["db-1/cpu"]));

        let request = testing::plant_request(&mut conn, &place, br#"{"a":1}"#, &events[1..3]);
        let shown = server.get(&format!("/requests/{request}")).await.body;
        assert_eq!(
            (&shown["body"], &shown["events"]),
            (&json!(r#"{"a":1}"#), &json!([])),
            "events of other requests are not shown"
        );
        assert_eq!(shown["headers"], json!([["content-type", "application/json"]]));
        use crate::store::schema::events as table;
        use diesel::prelude::*;
        diesel::update(table::table.filter(table::id.eq_any(events[1..3].iter().map(|event| crate::id::number(event)))))
            .set(table::request_id.eq(crate::id::number(&request)))
            .execute(&mut conn)
            .unwrap();
        let shown = server.get(&format!("/requests/{request}")).await.body;
        let made: Vec<String> = shown["events"].as_array().unwrap().iter().map(|event| text(event, "id")).collect();
        assert_eq!(made, events[1..3], "in the order of the body");
        let listed = server.get(&format!("/events?request_id={request}")).await.body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        let binary = testing::plant_request(&mut conn, &place, &[0xff, 0x00], &[]);
        let shown = server.get(&format!("/requests/{binary}")).await.body;
        assert_eq!((&shown["body_base64"], shown.get("body")), (&json!("/wA="), None));
        let dropped = testing::plant_request(&mut conn, &place, b"{}", &[]);
        crate::store::retention::drop_bodies(&mut conn, &[crate::id::number(&dropped)], START).unwrap();
        let shown = server.get(&format!("/requests/{dropped}")).await.body;
        assert_eq!((&shown["body"], &shown["body_dropped_at"]), (&json!(null), &json!(START)), "dropped, and not just empty");
        let replayed = server.post(&format!("/requests/{dropped}/replay"), json!({})).await;
        let message = replayed.body["error"]["message"].as_str().unwrap();
        assert!(replayed.status == 409 && message.contains("was dropped to make room"), "{message}");
        for (filter, count) in
            [("q=100%25%20fine", 3), ("q=integrations", 3), (&format!("q={request}"), 1), ("verdict=limited", 0)]
        {
            let listed = server.get(&format!("/requests?{filter}")).await.body;
            assert_eq!(listed["items"].as_array().unwrap().len(), count, "{filter}");
            assert!(listed["items"].as_array().unwrap().iter().all(|item| item.get("body").is_none()));
        }
        testing::plant_change(&mut conn, &place);
        let changes = server.get("/changes").await.body;
        assert_eq!(changes["items"][0]["custom_details"], json!({"build": 1}));
    }
}
