//! The rows of what watches: uptime, metrics, words and bodies.

use serde_json::{Value, json};

use super::platforms::{cloud, forges};
use super::{Row, row};

fn alert(fingerprint: &str, status: &str, starts_at: &str, severity: &str) -> Value {
    let ends_at = if status == "resolved" { "2026-01-02T05:00:00Z" } else { "0001-01-01T00:00:00Z" };
    json!({
        "status": status, "labels": {"alertname": "a", "instance": "db1", "severity": severity}, "annotations": null,
        "startsAt": starts_at, "endsAt": ends_at, "fingerprint": fingerprint,
    })
}

fn group(alerts: &[Value]) -> Value {
    let firing = alerts.iter().any(|alert| alert["status"] == "firing");
    let (status, state) = if firing { ("firing", "alerting") } else { ("resolved", "ok") };
    json!({
        "version": "1", "orgId": 1, "groupKey": "g", "status": status, "state": state, "alerts": alerts, "commonLabels": null,
        "title": format!("[{}:{}] a", status.to_uppercase(), alerts.len()),
    })
}

const T0: &str = "2026-01-02T03:00:00Z";
const T1: &str = "2026-01-02T06:00:00Z";

pub(super) fn all() -> Vec<Row> {
    [uptime(), observability(), forges(), cloud(), states(), bodies()].into_iter().flatten().collect()
}

fn uptime() -> Vec<Row> {
    let betterstack = |event: &str, id: &str| json!({"event": event, "data": {"id": id, "type": "incident", "attributes": {"name": "n", "cause": "c"}}});
    let pingdom = |state: &str, at: u64| json!({"check_id": 4, "check_name": "c", "current_state": state, "importance_level": "HIGH", "state_changed_timestamp": at});
    let kuma = |status: u64| json!({"heartbeat": {"monitorID": 1, "status": status, "msg": "m"}, "monitor": {"id": 1, "name": "n", "url": "https://a.example"}, "msg": "m"});
    vec![
        row(
            3,
            "JSON:API was never read: one shared key, never resolved",
            "better-uptime",
            vec![betterstack("started", "1"), betterstack("started", "2"), betterstack("resolved", "1")],
            &[("1", "resolved", "critical"), ("2", "triggered", "critical")],
        ),
        row(
            4,
            "the state was looked for under another name",
            "pingdom",
            vec![pingdom("DOWN", 1_767_322_800), pingdom("UP", 1_767_322_900)],
            &[("4", "resolved", "critical")],
        ),
        row(
            15,
            "pending, maintenance and the test button paged",
            "uptime-kuma",
            vec![kuma(2), kuma(3), json!({"heartbeat": null, "monitor": null, "msg": "Testing"}), kuma(0), kuma(2), kuma(1)],
            &[("monitor:1", "resolved", "critical")],
        ),
        row(
            15,
            "an expiring certificate and a pause were critical",
            "uptimerobot",
            vec![
                json!({"monitorID": "7", "monitorFriendlyName": "n", "alertType": "3", "alertDetails": "expires"}),
                json!({"monitorID": "7", "monitorFriendlyName": "n", "alertType": "99", "alertTypeFriendlyName": "Paused"}),
            ],
            &[("expiry:7", "triggered", "warning")],
        ),
        row(
            17,
            "the end of a downtime, of flapping, and a custom notice acknowledged",
            "nagios",
            ["PROBLEM", "DOWNTIMESTART", "DOWNTIMEEND", "FLAPPINGSTOP", "CUSTOM"]
                .map(|kind| json!({"NOTIFICATIONTYPE": kind, "HOSTNAME": "db1", "SERVICEDESC": "disk", "SERVICESTATE": "CRITICAL"}))
                .to_vec(),
            &[("db1:disk", "triggered", "critical")],
        ),
        row(
            17,
            "any update acknowledged",
            "zabbix",
            vec![
                json!({"event_id": 1, "event_value": 1, "event_update_status": 0, "event_nseverity": 5, "title": "t"}),
                json!({"event_id": 1, "event_value": 1, "event_update_status": 1, "event_ack_status": "No", "event_nseverity": 5, "title": "t"}),
            ],
            &[("1", "triggered", "critical")],
        ),
    ]
}

fn observability() -> Vec<Row> {
    let newrelic = |state: &str| json!({"id": "i-6", "title": "t", "priority": "HIGH", "state": state, "trigger": "STATE_CHANGE", "createdAt": 1_767_322_800_000_u64});
    let honeycomb =
        |id: &str, status: &str| json!({"version": "v0.1.0", "id": id, "name": "n", "status": status, "summary": "s"});
    let datadog = |title: &str, id: u64| json!({"id": id, "title": title, "body": "b", "event_type": "query_alert_monitor", "date": "1767322800000", "last_updated": "1767322800000", "org": {"id": "9", "name": "o"}});
    let dynatrace = |state: &str| json!({"State": state, "PID": "5", "ProblemTitle": "t", "ProblemSeverity": "AVAILABILITY"});
    let splunk = |severity: &str, id: &str| json!({"incidentId": id, "severity": severity, "status": "anomalous", "statusExtended": "anomalous", "messageTitle": "t"});
    let elastic = |rule: &str, group: &str| json!({"rule": {"id": rule, "name": rule}, "alert": {"id": "query matched", "actionGroup": group}, "context": {"reason": "r"}});
    let issue = |action: &str| {
        (
            Some(("sentry-hook-resource", "issue")),
            json!({"action": action, "data": {"issue": {"id": "1117", "title": "t", "level": "error", "status": action}}}),
        )
    };
    let event = json!({"action": "triggered", "data": {"event": {"issue_id": "1117", "event_id": "e", "title": "t", "level": "error", "fingerprint": ["{{ default }}"]}, "triggered_rule": "r"}});
    vec![
        row(
            2,
            "two alerts were one, and never resolved",
            "grafana",
            vec![
                group(&[alert("f1", "firing", T0, "error"), alert("f2", "firing", T0, "error")]),
                group(&[alert("f1", "resolved", T0, "error"), alert("f2", "firing", T0, "error")]),
            ],
            &[("f1", "resolved", "error"), ("f2", "triggered", "error")],
        ),
        Row {
            sent: vec![(Some(("sentry-hook-resource", "event_alert")), event), issue("resolved")],
            ..row(5, "what stands under data was not read", "sentry", vec![], &[("1117", "resolved", "error")])
        },
        row(
            6,
            "workflows were ignored",
            "newrelic",
            vec![newrelic("ACTIVATED"), newrelic("CLOSED")],
            &[("i-6", "resolved", "error")],
        ),
        row(
            11,
            "a recovery had another key, and paged",
            "datadog",
            vec![
                datadog("[Triggered on {host:web1}] CPU is high", 1),
                datadog("[Triggered on {host:web2}] CPU is high", 2),
                datadog("[Recovered on {host:web1}] CPU is high", 3),
                json!({"alert_cycle_key": 11, "alert_title": "t", "alert_transition": "Triggered", "alert_priority": "1", "unknown": [1]}),
                json!({"alert_cycle_key": "11", "alert_title": "t", "alert_status": "OK"}),
            ],
            &[("auto:*", "resolved", "error"), ("auto:*", "triggered", "error"), ("11", "resolved", "critical")],
        ),
        row(
            12,
            "all triggers shared a key: one recovery closed another's incident",
            "honeycomb",
            vec![honeycomb("a", "TRIGGERED"), honeycomb("b", "TRIGGERED"), honeycomb("a", "OK")],
            &[("a", "resolved", "error"), ("b", "triggered", "error")],
        ),
        row(
            15,
            "a merged problem paged",
            "dynatrace",
            vec![dynatrace("MERGED"), dynatrace("OPEN"), dynatrace("RESOLVED")],
            &[("5", "resolved", "critical")],
        ),
        row(
            15,
            "Major and Minor were both warnings",
            "splunk-observability",
            vec![splunk("Major", "m1"), splunk("Minor", "m2")],
            &[("m1", "triggered", "error"), ("m2", "triggered", "warning")],
        ),
        row(
            15,
            "alerts of all rules shared an id, and a recovery was not read",
            "elastic",
            vec![elastic("r1", "query matched"), elastic("r2", "query matched"), elastic("r1", "recovered")],
            &[("alert:r1:query matched", "resolved", "error"), ("alert:r2:query matched", "triggered", "error")],
        ),
    ]
}

fn states() -> Vec<Row> {
    let f = |status: &str, starts_at: &str| group(&[alert("f", status, starts_at, "info")]);
    let words = ["broken", "not ok", "abnormal", "unresolved"];
    let mapped = json!({"mapping": {"summaryField": "what", "dedupKeyField": "no", "actionField": "is", "severityField": "bad"}});
    vec![
        row(
            1,
            "a repeated resolve ate the next page",
            "alertmanager",
            vec![f("firing", T0), f("resolved", T0), f("resolved", T0), f("firing", T1)],
            &[("f", "resolved", "info"), ("f", "triggered", "info")],
        ),
        row(15, "info was a warning", "alertmanager", vec![f("firing", T0)], &[("f", "triggered", "info")]),
        row(
            16,
            "states were searched for words: \"broken\" contains \"ok\"",
            "webhook",
            words.map(|word| json!({"title": "t", "alert_id": 16, "priority": 1, "status": word})).to_vec(),
            &[("16", "triggered", "error")],
        ),
        Row {
            options: mapped,
            ..row(
                16,
                "the mapping that was promised was not there",
                "webhook",
                vec![
                    json!({"what": "w", "no": 3, "is": "firing", "bad": "critical"}),
                    json!({"what": "w", "no": "3", "is": "OK"}),
                ],
                &[("3", "resolved", "critical")],
            )
        },
        row(
            17,
            "what is on its way acknowledged",
            "webhook",
            ["firing", "pending", "queued", "running", "in_progress"]
                .map(|word| json!({"id": 17, "title": "t", "status": word}))
                .to_vec(),
            &[("17", "triggered", "error")],
        ),
    ]
}

fn bodies() -> Vec<Row> {
    let nulls =
        json!({"id": 18, "title": "t", "status": "firing", "source": null, "severity": null, "url": null, "timestamp": null});
    let mut odd = group(&[alert("g1", "firing", T0, "critical"), json!("text"), alert("g2", "firing", T0, "critical")]);
    odd["truncatedAlerts"] = Value::Null;
    vec![
        row(18, "null was refused", "webhook", vec![nulls], &[("18", "triggered", "error")]),
        row(
            19,
            "one bad alert failed its whole group, and the tool sent all of it again",
            "alertmanager",
            vec![odd],
            &[("g1", "triggered", "critical"), ("unmapped:*", "triggered", "error"), ("g2", "triggered", "critical")],
        ),
    ]
}
