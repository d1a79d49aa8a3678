//! Twenty ways in which a product like this one has lost alerts or left them open. Each is a row: what a tool sends, and what must
//! stand afterwards. The bodies are our own.

use serde_json::{Value, json};

use crate::support::api::Integration;
use crate::support::{Callbox, Database, raw};

mod platforms;
mod rows;

on_both!(each_is_put_right, a_crash_after_the_answer_loses_nothing);

/// One thing a tool sends: the name of a header and its value, if the tool tells by one what it sends, and the body.
type Sent = (Option<(&'static str, &'static str)>, Value);

/// What stands afterwards, in the order in which it was opened: key (`*` at its end is anything), status and severity.
type Stands = (&'static str, &'static str, &'static str);

struct Row {
    /// Which of the twenty.
    number: u8,
    /// What went wrong elsewhere.
    was: &'static str,
    kind: &'static str,
    options: Value,
    sent: Vec<Sent>,
    stands: &'static [Stands],
}

fn row(number: u8, was: &'static str, kind: &'static str, sent: Vec<Value>, stands: &'static [Stands]) -> Row {
    let sent = sent.into_iter().map(|body| (None, body)).collect();
    Row { number, was, kind, options: json!({}), sent, stands }
}

async fn post(service: &Callbox, integration: &Integration, (header, body): &Sent) -> raw::Reply {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(header);
    raw::send(service.address(), &raw::request("POST", &integration.path, &headers, body.to_string().as_bytes())).await
}

async fn each_is_put_right(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    let rows = rows::all();
    let (mut numbers, mut wrong) = (Vec::new(), Vec::new());
    for row in &rows {
        numbers.push(row.number);
        let fields = json!({
            "type": row.kind, "name": format!("{} {} {}", row.number, row.kind, numbers.len()), "rate_limit_per_minute": 0,
            "options": row.options,
        });
        let integration = api.integration_from(fields).await;
        for sent in &row.sent {
            let reply = post(&service, &integration, sent).await;
            if !(200..300).contains(&reply.status) {
                wrong.push(format!("{} ({}): answered {}: {}", row.number, row.kind, reply.status, reply.json()));
            }
        }
        let mut stands: Vec<_> = api.incidents(&integration).await;
        stands.sort_by_key(|incident| incident["number"].as_u64());
        let text = |incident: &Value, name: &str| incident[name].as_str().unwrap_or_default().to_owned();
        let stands: Vec<_> = stands
            .iter()
            .map(|incident| [text(incident, "dedup_key"), text(incident, "status"), text(incident, "severity")])
            .collect();
        let is = |key: &str, expected: &str| expected.strip_suffix('*').map_or(key == expected, |start| key.starts_with(start));
        let same = stands.len() == row.stands.len()
            && stands.iter().zip(row.stands).all(|([key, status, severity], expected)| {
                is(key, expected.0) && (status, severity) == (&expected.1.to_owned(), &expected.2.to_owned())
            });
        if !same {
            wrong.push(format!("{} ({}: {}): {stands:?} instead of {:?}", row.number, row.kind, row.was, row.stands));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The twentieth is a test of its own.
    assert!((1..=19).all(|number| numbers.contains(&number)), "{numbers:?}");
}

/// The twentieth: paging was started and forgotten, so that a crash lost it. What was answered is there after a crash, and can be closed.
async fn a_crash_after_the_answer_loses_nothing(database: Database) {
    let service = Callbox::start(&database).await;
    let integration = service.api().integration("pingdom", "20").await;
    let check = |state: &str, at: u64| {
        (None, json!({"check_id": 20, "check_name": "c", "current_state": state, "state_changed_timestamp": at}))
    };
    assert_eq!(post(&service, &integration, &check("DOWN", 1_767_322_800)).await.status, 202);
    let service = service.kill_and_restart().await;
    let status = async || service.api().incidents(&integration).await[0]["status"].clone();
    assert_eq!(status().await, "triggered");
    assert_eq!(post(&service, &integration, &check("UP", 1_767_322_900)).await.status, 202);
    assert_eq!(status().await, "resolved");
}
