//! Bodies of tools that we do not know, sent to `webhook` as they are: each opens, and its end closes what it opened.

use super::*;

fn told(body: &Value) -> (Action, String) {
    let event = only("webhook", &Value::Null, body).event;
    (event.action, event.dedup_key.as_str().to_owned())
}

/// What opens, and what changes in it when it is over.
fn pairs() -> Vec<(Value, Value)> {
    vec![
        (json!({"id": 7, "status": "firing", "message": "disk full"}), json!({"status": "resolved", "message": "disk is fine"})),
        (json!({"AlertID": "A-7", "ActionType": "Create", "Status": "Down"}), json!({"ActionType": "Resolve", "Status": "Up"})),
        (
            json!({"event": "monitor.down", "data": {"monitor": {"id": "m1", "name": "shop"}, "alert": {"id": "a1"}}}),
            json!({"event": "monitor.recovered"}),
        ),
        (
            json!({"id": "evt_1", "event": "incident.created", "data": {"incident": {"id": "i1", "title": "t"}}}),
            json!({"id": "evt_2", "event": "incident.resolved"}),
        ),
        (json!({"event": "alert.fired", "alert": {"id": "a9", "name": "latency"}}), json!({"event": "alert.resolved"})),
        (
            json!({"monitor_id": "32-letters", "monitor_name": "site", "monitor_status": "offline", "timestamp": 1}),
            json!({"monitor_status": "online", "timestamp": 2}),
        ),
        (
            json!({"monitor_id": 1, "notification_event": "monitor_down", "monitor_state": "down"}),
            json!({"notification_event": "monitor_up", "monitor_state": "up"}),
        ),
        (
            json!({"check": {"type": "uptime", "status": "failed"}, "monitor": {"id": 1, "url": "https://a.example"}}),
            json!({"check": {"type": "uptime", "status": "successful"}}),
        ),
        (json!({"event": "monitor_failed", "monitor": {"id": "m_1", "name": "backup"}}), json!({"event": "monitor_recovered"})),
        (
            json!({"data": {"service": {"id": 3}, "alert": {"is_up": false, "id": 4}}, "event": "alert_raised"}),
            json!({"event": "alert_cleared"}),
        ),
        (
            json!({"alertId": "u-1", "status": "ACTIVE", "type": "ALERT_TYPE_APPLICATION_PROBLEM", "info": "i"}),
            json!({"status": "CANCELED"}),
        ),
        (
            json!({"host": "db1", "service": "disk", "state": "critical", "description": "95 %"}),
            json!({"state": "ok", "description": "50 %"}),
        ),
        (
            json!({"check_result": {"triggered": true, "result_description": "2 messages"}, "stream": {"id": "s1", "title": "t"}}),
            json!({"check_result": {"triggered": false}}),
        ),
        (
            json!({"alert_type": "ALERT_FAILURE", "check_id": "c1", "alert_title": "x has failed"}),
            json!({"alert_type": "ALERT_RECOVERY", "alert_title": "x has recovered"}),
        ),
        (json!({"title": "[FIRING:1] disk full", "host": "db1"}), json!({"title": "[RESOLVED] disk full"})),
        (json!({"text": "PROBLEM: disk full"}), json!({"text": "RECOVERED: disk full"})),
        (
            json!({"monitor": "shop", "status": "down", "message": "shop is down: HTTP 500"}),
            json!({"status": "up", "message": "shop is up again"}),
        ),
        (
            json!({"incident": {"id": 12, "resolved_at": null, "name": "x"}}),
            json!({"incident": {"id": 12, "resolved_at": "2026-01-02T03:04:05Z", "name": "x"}}),
        ),
        (
            json!({"alert": {"uid": "u1", "resolved": false, "summary": "s"}}),
            json!({"alert": {"uid": "u1", "resolved": true, "summary": "s"}}),
        ),
        (json!({"type": "Alert", "key": "k1", "name": "cron"}), json!({"type": "Recovery"})),
        (
            json!({"event": "uptime.down", "trigger": "down", "name": "shop", "url": "https://shop.example"}),
            json!({"event": "uptime.up"}),
        ),
        (json!({"event": "heartbeat.down", "name": "backup"}), json!({"event": "heartbeat.up"})),
        (json!({"alert_id": "7", "alert_transition": "Triggered", "title": "CPU"}), json!({"alert_transition": "Recovered"})),
        (json!({"subject": "Problem: disk full"}), json!({"subject": "Resolved in 5m 3s: disk full"})),
        (
            json!({"event_action": "trigger", "dedup_key": "d", "payload": {"summary": "s", "source": "h", "severity": "error"}}),
            json!({"event_action": "resolve"}),
        ),
        (
            json!({"service_key": "k", "event_type": "trigger", "incident_key": "i1", "description": "d"}),
            json!({"event_type": "resolve"}),
        ),
        (json!({"status": "firing", "alert": {"id": 0, "name": "cpu"}}), json!({"status": "ok"})),
        (json!({"fault": {"id": 5}, "event": "down", "check_id": 5}), json!({"event": "up"})),
    ]
}

#[test]
fn an_unknown_tool_opens_and_its_end_closes_what_it_opened() {
    let mut wrong = Vec::new();
    for (body, changes) in pairs() {
        let mut over = body.clone();
        for (name, value) in changes.as_object().unwrap() {
            over[name] = value.clone();
        }
        let (opened, closed) = (told(&body), told(&over));
        if opened.0 != Action::Trigger || closed != (Action::Resolve, opened.1.clone()) {
            wrong.push(format!("{body}: {opened:?}, then {closed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_state_in_front_of_a_title_or_behind_it() {
    let pairs = [
        (json!({"text": ":fire: *FIRING*: disk full"}), json!({"text": ":white_check_mark: *RESOLVED*: disk full"})),
        (json!({"text": "\u{1f525} [FIRING:2] disk full"}), json!({"text": "\u{2705} [RESOLVED] disk full"})),
        (json!({"message": "shop is DOWN"}), json!({"message": "shop is UP"})),
        (
            json!({"event": "check.down", "check": {"url": "https://a.example"}}),
            json!({"event": "check.up", "check": {"url": "https://a.example"}}),
        ),
        (
            json!({"dedupeKey": "k", "title": "t", "type": "OK_TO_FIRING"}),
            json!({"dedupeKey": "k", "title": "t", "type": "FIRING_TO_OK"}),
        ),
        (
            json!({"event": "alert", "alert": {"id": "a1", "status": "critical", "isOpen": true}}),
            json!({"event": "alert", "alert": {"id": "a1", "status": "ok", "isOpen": false}}),
        ),
    ];
    for (one, other) in pairs {
        let (opened, closed) = (told(&one), told(&other));
        assert_eq!((opened.0, closed.0), (Action::Trigger, Action::Resolve), "{one} and {other}");
        assert_eq!(opened.1, closed.1, "{one} and {other}");
    }
}

#[test]
fn what_a_tool_does_not_send_is_read_where_it_says_plainly_what_it_is() {
    let headers = Headers::default();
    let options = Compiled::none();
    let stray = |body: &Value| {
        let text = body.to_string();
        let request = Request {
            body: text.as_bytes(),
            json: Some(body),
            headers: &headers,
            query: &[],
            subpath: "",
            received_at: Timestamp(1_767_323_045_000_000),
            options: &options,
        };
        webhook::stray("Grafana", &request)
    };
    let told = |body: &Value| {
        let normalised = stray(body).unwrap_or_else(|| panic!("{body}"));
        let told: Vec<_> = events(&normalised).map(|event| (event.action, event.dedup_key.as_str().to_owned())).collect();
        told
    };
    let body = |state: &str| json!({"alert_uid": "u-7", "title": "Shop is slow", "state": state});
    assert_eq!(told(&body("alerting")), [(Action::Trigger, "u-7".to_owned())]);
    assert_eq!(told(&body("ok")), [(Action::Resolve, "u-7".to_owned())]);
    assert_eq!(told(&json!([{"labels": {"alertname": "a"}, "annotations": {}}])).len(), 1);
    // Nothing but a subject and a text, as Zabbix' own message templates write them.
    let mail = |subject: &str| told(&json!({"to": "callbox", "subject": subject, "message": "Host: db1"}));
    let (opened, closed) = (mail("Problem: disk of db1 is full"), mail("Resolved in 5m 3s: disk of db1 is full"));
    assert_eq!((opened[0].0, closed[0].0, &opened[0].1), (Action::Trigger, Action::Resolve, &closed[0].1));
    for doubtful in [
        json!({"title": "t"}),
        json!({"status": "firing"}),
        json!({"id": 5}),
        json!({"title": "t", "state": "pending"}),
        json!({"subject": "Problem in eu-west: disk full"}),
        json!("t"),
    ] {
        assert!(stray(&doubtful).is_none(), "{doubtful}");
    }
}

#[test]
fn what_is_in_doubt_pages() {
    for body in [
        json!({"title": "t", "status": "not_ok"}),
        json!({"title": "t", "status": "alert_not_resolved"}),
        json!({"title": "t", "event": "okay-ish.closed?"}),
        json!({"title": "t", "type": "normal"}),
        json!({"title": "t", "type": "success"}),
        json!({"title": "t", "host": {"status": "up"}}),
        json!({"title": "t", "service": {"state": "ok"}}),
        json!({"title": "t", "status": "investigating", "resolved_at": "2026-01-02T03:04:05Z"}),
        json!({"title": "t", "resolved_at": "0001-01-01T00:00:00Z"}),
        json!({"title": "t", "resolved_at": 0}),
        json!({"title": "Resolved hosts are failing"}),
        json!({"title": "the [OK] button is gone"}),
        json!({"title": "Close: but no cigar", "status": "failing"}),
    ] {
        assert_eq!(told(&body).0, Action::Trigger, "{body}");
    }
}

#[test]
fn different_alerts_of_an_unknown_tool_have_different_keys() {
    let pairs = [
        (json!({"monitor": {"id": 5}, "status": "down"}), json!({"id": "5", "status": "down"})),
        (json!({"rule_id": 5, "host": "a", "status": "down"}), json!({"rule_id": 5, "host": "b", "status": "down"})),
        (json!({"rule_id": "5:a", "host": "b", "status": "down"}), json!({"rule_id": 5, "host": "a:b", "status": "down"})),
        (
            json!({"service": "pay", "title": "errors", "status": "firing"}),
            json!({"service": "pay", "title": "latency", "status": "firing"}),
        ),
        (json!({"service": "pay", "message": "errors"}), json!({"service": "pay", "message": "latency"})),
        (json!({"monitor": "disk 1", "status": "down"}), json!({"monitor": "disk 2", "status": "down"})),
        (
            json!({"id": "e", "event": "alert.fired", "alert": {"id": 1}}),
            json!({"id": "e", "event": "alert.fired", "alert": {"id": 2}}),
        ),
    ];
    for (one, other) in pairs {
        assert_ne!(told(&one).1, told(&other).1, "{one} and {other}");
    }
}

#[test]
fn lists_of_alerts_are_read_one_by_one() {
    let of = |body: Value| {
        let normalised = normalise("webhook", &Value::Null, &body).unwrap();
        events(&normalised).map(|event| (event.action, event.dedup_key.as_str().to_owned())).collect::<Vec<_>>()
    };
    let labelled = |status: &str| json!({"status": status, "labels": {"alertname": "a"}, "fingerprint": format!("f-{status}")});
    let form = of(json!({"version": "4", "status": "firing", "alerts": [labelled("firing"), labelled("resolved")]}));
    assert_eq!(form, [(Action::Trigger, "f-firing".to_owned()), (Action::Resolve, "f-resolved".to_owned())]);
    let own = of(
        json!({"status": "resolved", "host": "db1", "alerts": [{"id": 1, "name": "a"}, {"id": 2, "name": "b", "status": "firing"}]}),
    );
    assert_eq!(own, [(Action::Resolve, "1".to_owned()), (Action::Trigger, "2".to_owned())]);
    let bare = of(json!([{"labels": {"alertname": "a"}, "endsAt": "2026-01-02T03:00:00Z"}]));
    assert_eq!(bare[0].0, Action::Resolve);
}
