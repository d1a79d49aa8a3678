//! Replay: requests that were not understood run again by a mapping that came later, once and only once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::delivery;
use crate::support::receiver::Receiver;
use crate::support::{Api, Callbox, Database, Integration, raw};

on_both!(
    what_was_not_understood_is_replayed_once,
    a_replay_that_is_cut_off_is_simply_run_again,
    requests_without_a_body_and_below_the_url_replay_as_they_came,
    what_cannot_be_replayed_says_why,
);

const MANY: &str = "/api/v1/requests/replay";

/// A body of a shape that nobody guesses.
fn report(name: &str, state: &str) -> Value {
    json!({"a": {"n": name, "st": state, "lvl": "crit", "txt": format!("{name} is {state}")}})
}

fn mapping() -> Value {
    json!({"mapping": {
        "summaryField": "a.txt", "dedupKeyField": "a.n", "actionField": "a.st", "triggerValues": ["bad"], "resolveValues": ["good"],
        "severityField": "a.lvl",
    }})
}

async fn post(api: &Api, tool: &Integration, body: &Value) -> String {
    let answer = api.send(&tool.path, body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.request_id().to_owned()
}

async fn many(api: &Api, fields: Value) -> Value {
    let answer = api.post(MANY, &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn one(api: &Api, id: &str, fields: Value) -> Value {
    let answer = api.post(&format!("/api/v1/requests/{id}/replay"), &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// The effects and outcomes of all items: `applied opened`.
fn effects(answer: &Value) -> Vec<String> {
    let events = answer["items"].as_array().unwrap().iter().flat_map(|item| item["events"].as_array().unwrap());
    events.map(|event| format!("{} {}", event["effect"].as_str().unwrap(), event["outcome"].as_str().unwrap_or("-"))).collect()
}

async fn by_key(api: &Api, tool: &Integration) -> BTreeMap<String, Value> {
    let incidents = api.incidents(tool).await;
    incidents.into_iter().map(|incident| (incident["dedup_key"].as_str().unwrap().to_owned(), incident)).collect()
}

/// The incident that stands for what was not understood, of which there is one.
async fn catch_all(api: &Api, tool: &Integration) -> Value {
    let all = by_key(api, tool).await;
    all.into_iter().find(|(key, incident)| key.starts_with("unmapped:") && incident["event_count"] == 4).unwrap().1
}

fn outbox(database: &Database) -> usize {
    database.noted().len()
}

async fn what_was_not_understood_is_replayed_once(database: Database) {
    let service = delivery::start(&database).await;
    let api = service.api();
    let tool = api.integration("webhook", "disks").await;
    // One that can be reached: otherwise that is news of its own.
    let receiver = Receiver::start().await;
    delivery::destination(&service, "somebody", &receiver).await;
    let mut ids = Vec::new();
    for body in [report("disk-1", "bad"), report("disk-2", "bad"), report("disk-1", "good"), report("disk-3", "bad")] {
        ids.push(post(&api, &tool, &body).await);
    }
    ids.push(post(&api, &tool, &json!({"b": {"ref": "x1"}})).await);
    assert_eq!(catch_all(&api, &tool).await["status"], "triggered");
    let told = outbox(&database);
    let wanted = json!({"integration_id": tool.id, "outcome": "unmapped"});
    let with = |fields: Value| {
        let mut all = wanted.clone();
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        all
    };

    // By a draft, with nothing written: each row sees what those before it would have done.
    let dry = many(&api, with(json!({"dry_run": true, "options": mapping()}))).await;
    let expected = ["would_apply opened", "would_apply opened", "would_apply resolved", "would_apply opened", "unchanged -"]
        .map(String::from);
    assert_eq!(effects(&dry), expected, "{dry:#}");
    let first = &dry["items"][0]["events"][0];
    assert_eq!((&first["dedup_key"], &first["severity"]), (&json!("disk-1"), &json!("critical")));
    assert_eq!((&first["was"]["outcome"], &first["was"]["severity"]), (&json!("unmapped"), &json!("error")));
    let left: Vec<&Value> = dry["items"].as_array().unwrap()[..4].iter().map(|item| &item["catch_alls"][0]["left"]).collect();
    assert_eq!(left, [3, 2, 1, 0]);
    assert_eq!(dry["counts"]["catch_alls_resolved"], 1);
    assert_eq!((api.events(&tool).await.len(), outbox(&database)), (5, told), "a dry run does nothing");

    // By the mapping itself, one request; what came since by the mapping is newer news.
    let changed = api.patch(&format!("/api/v1/integrations/{}", tool.id), &json!({"options": mapping()})).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    post(&api, &tool, &report("disk-2", "bad")).await;
    let told = outbox(&database);
    let replayed = one(&api, &ids[0], json!({})).await;
    assert_eq!(replayed["message"], "1 of 1 events applied", "{replayed}");
    let row = api.get(&format!("/api/v1/requests/{}", ids[0])).await.body;
    let incident = &by_key(&api, &tool).await["disk-1"];
    for time in ["first_seen", "last_seen"] {
        assert_eq!(incident[time], row["received_at"], "the time at which it was received");
    }
    assert_eq!(one(&api, &ids[0], json!({})).await["events"][0]["effect"], "unchanged");
    assert_eq!(catch_all(&api, &tool).await["status"], "triggered", "three of its requests are left");

    // All of them, page by page, the oldest first.
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = many(&api, with(json!({"limit": 2, "after": after}))).await;
        seen.extend(effects(&page));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    let expected = ["unchanged -", "stale stale", "applied resolved", "applied opened", "unchanged -"].map(String::from);
    assert_eq!(seen, expected);
    let all = by_key(&api, &tool).await;
    let third = api.get(&format!("/api/v1/requests/{}", ids[2])).await.body;
    assert_eq!((&all["disk-1"]["status"], &all["disk-1"]["resolved_at"]), (&json!("resolved"), &third["received_at"]));
    assert_eq!((&all["disk-2"]["status"], &all["disk-2"]["event_count"]), (&json!("triggered"), &json!(1)));
    assert_eq!(all["disk-3"]["status"], "triggered");
    let caught = catch_all(&api, &tool).await;
    assert_eq!(
        (&caught["status"], &caught["resolved_by"]),
        (&json!("resolved"), &json!("CALLBOX_ADMIN_TOKEN")),
        "all of them map"
    );
    assert_eq!(outbox(&database), told, "nobody is told");

    // Twice is once.
    let events = api.events(&tool).await.len();
    let again = many(&api, wanted.clone()).await;
    assert_eq!((&again["counts"]["applied"], &again["counts"]["catch_alls_resolved"]), (&json!(0), &json!(0)), "{again:#}");
    assert_eq!(api.events(&tool).await.len(), events);

    // Forced once is once, too; told where asked.
    let forced = one(&api, &ids[1], json!({"force": true})).await;
    assert_eq!(forced["events"][0]["outcome"], "updated", "{forced}");
    assert_eq!(one(&api, &ids[1], json!({"force": true})).await["events"][0]["effect"], "unchanged");
    assert_eq!(by_key(&api, &tool).await["disk-2"]["event_count"], 2);
    assert_eq!(outbox(&database), told);
    let unmapped = one(&api, &ids[4], json!({"notify": true, "recipe": "[event]\nkey = \"b.ref\"\nsummary = \"b.ref\"\n"})).await;
    assert_eq!(unmapped["events"][0]["outcome"], "opened", "{unmapped}");
    assert!(outbox(&database) > told, "asked to tell");

    let audit = api.all("/api/v1/audit").await;
    let replays = audit.iter().filter(|entry| entry["action"] == "request.replayed");
    let mut audited: Vec<&str> = replays.map(|entry| entry["object_id"].as_str().unwrap()).collect();
    audited.reverse();
    let expected: Vec<&str> = [0, 1, 2, 3, 1, 4].map(|index: usize| ids[index].as_str()).to_vec();
    assert_eq!(audited, expected, "who replayed what; a replay that did nothing is none");
}

async fn a_replay_that_is_cut_off_is_simply_run_again(database: Database) {
    const REQUESTS: usize = 120;
    let mut service = Callbox::start(&database).await;
    let tool = service.api().integration("webhook", "disks").await;
    for number in 0..REQUESTS {
        post(&service.api(), &tool, &report(&format!("disk-{number}"), "bad")).await;
    }
    let changed = service.api().patch(&format!("/api/v1/integrations/{}", tool.id), &json!({"options": mapping()})).await;
    assert_eq!(changed.status, 200);
    let wanted = json!({"integration_id": tool.id, "outcome": "unmapped", "limit": 500});
    let (api, fields) = (service.api(), wanted.clone());
    let cut_off = tokio::spawn(async move { api.try_call(reqwest::Method::POST, MANY, Some(&fields)).await.is_ok() });
    // Killed in the middle: as soon as the first incidents are there.
    while service.api().incidents(&tool).await.len() < 5 {
        tokio::task::yield_now().await;
    }
    service = service.kill_and_restart().await;
    let whole = cut_off.await.unwrap();
    let (api, before) = (service.api(), service.api().incidents(&tool).await.len());
    assert!(!whole && before < REQUESTS + 1, "{before} of {REQUESTS}: it was not cut off");
    let again = many(&api, wanted).await;
    let (applied, unchanged) = (again["counts"]["applied"].as_u64().unwrap(), again["counts"]["unchanged"].as_u64().unwrap());
    assert_eq!(applied + unchanged, REQUESTS as u64, "{}", again["counts"]);
    assert!(applied > 0 && again["next"].is_null(), "{}", again["counts"]);
    let all = by_key(&api, &tool).await;
    assert_eq!(all.len(), REQUESTS + 1);
    for (key, incident) in all {
        let caught = key.starts_with("unmapped:");
        let expected = if caught { ("resolved", REQUESTS) } else { ("triggered", 1) };
        assert_eq!((incident["status"].as_str().unwrap(), incident["event_count"].as_u64().unwrap() as usize), expected, "{key}");
    }
}

async fn requests_without_a_body_and_below_the_url_replay_as_they_came(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let robot = api.integration("uptimerobot", "sites").await;
    let prometheus = api.integration("alertmanager", "prometheus").await;
    let query =
        "&monitorID=777&monitorURL=https%3A%2F%2Fshop.example&monitorFriendlyName=Shop&alertType=1&alertTypeFriendlyName=Down";
    let get = raw::send(service.address(), &raw::request("GET", &format!("{}{query}", robot.path), &[], b"")).await;
    assert_eq!(get.status / 100, 2, "{}", get.json());
    let alerts = json!([{"labels": {"alertname": "Down", "instance": "db1"}, "annotations": {"summary": "db1 is down"},
        "startsAt": "2026-03-01T09:00:00Z"}]);
    let target = format!("/api/integrations/alertmanager/{}/api/v2/alerts", prometheus.hook);
    let json = [("Content-Type", "application/json")];
    let below = raw::send(service.address(), &raw::request("POST", &target, &json, alerts.to_string().as_bytes())).await;
    assert_eq!(below.status / 100, 2, "{}", below.json());
    for (reply, method, subpath) in [(get, "GET", ""), (below, "POST", "api/v2/alerts")] {
        let id = reply.header("x-request-id").unwrap();
        let row = api.get(&format!("/api/v1/requests/{id}")).await.body;
        assert_eq!((&row["method"], &row["subpath"]), (&json!(method), &json!(subpath)));
        assert!(!row["query"].as_str().unwrap().contains(&robot.hook));
        let replayed = one(&api, id, json!({"dry_run": true})).await;
        let event = &replayed["events"][0];
        assert_eq!(event["effect"], "unchanged", "{replayed:#}");
        assert_eq!((&event["was"]["dedup_key"], &event["was"]["summary"]), (&event["dedup_key"], &event["summary"]));
        assert_eq!((replayed["events"].as_array().unwrap().len(), &replayed["gone"]), (1, &json!([])));
    }
}

async fn what_cannot_be_replayed_says_why(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let tool =
        api.integration_from(json!({"type": "webhook", "name": "signed", "signature_secret": "a-secret-of-some-length"})).await;
    let refused = api.send(&tool.path, &report("disk-1", "bad")).await;
    assert_eq!(refused.status, 401);
    let id = refused.request_id().to_owned();
    crate::support::eventually(async || {
        let row = api.get(&format!("/api/v1/requests/{id}")).await;
        if row.status == 200 { Ok(()) } else { Err(row.body.to_string()) }
    })
    .await;
    let answer = api.post(&format!("/api/v1/requests/{id}/replay"), &json!({})).await;
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert!(answer.status == 409 && message.contains("not proved"), "{message}");
    let listed = many(&api, json!({"integration_id": tool.id})).await;
    assert!(listed["items"][0]["skipped"].as_str().unwrap().contains("not proved"), "{listed}");
    assert_eq!(one(&api, &id, json!({"force": true})).await["events"][0]["outcome"], "unmapped");
    let wrong = [
        json!({}),
        json!({"ids": []}),
        json!({"ids": ["req_1"]}),
        json!({"ids": [id], "options": {}}),
        json!({"integration_id": tool.id, "outcome": "lost"}),
        json!({"integration_id": tool.id, "after": "evt_1"}),
        json!({"integration_id": tool.id, "options": {"mapping": {"summaryField": 7}}}),
        json!({"integration_id": tool.id, "options": {}, "recipe": "x"}),
    ];
    for fields in wrong {
        let answer = api.post(MANY, &fields).await;
        assert_eq!(answer.status, 400, "{fields}: {}", answer.body);
    }
}
