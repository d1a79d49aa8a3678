//! What tools declare of themselves, against what they send: the meaning of their times, whether they resolve, and what they insist on.

use super::place::{put, scalars};
use super::*;

/// The comment at the start of the file that describes a tool.
fn header(kind: &str) -> String {
    if let Some((_, text)) = recipe::EMBEDDED.iter().find(|(known, _)| *known == kind) {
        return text.lines().take_while(|line| line.starts_with('#')).collect();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider").join(format!("{}.rs", kind.replace('-', "_")));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().take_while(|line| line.starts_with("//!")).collect()
}

fn named() -> BTreeMap<String, Case> {
    cases().into_iter().map(|case| (case.name.clone(), case)).collect()
}

fn ordered() -> impl Iterator<Item = &'static Meta> {
    Registry::built_in().tools().map(|tool| tool.meta()).filter(|meta| meta.clock != Clock::Arrival)
}

#[test]
fn whoever_orders_by_time_names_the_page_that_proves_it() {
    assert!(ordered().count() >= 8);
    for meta in ordered() {
        assert!(header(meta.kind).contains("https://"), "{}: its file's header names no page", meta.kind);
    }
}

/// The time of a transition is that of the state which the message reports: a resolve that carried the start of its alert would be as
/// old as the trigger, and a late trigger would open the incident anew. The start of an episode is the same in all of its messages.
#[test]
fn times_that_order_stand_for_what_the_clock_says() {
    let cases = named();
    for meta in ordered() {
        let event = |name: &str| {
            let case = &cases[&format!("{}/{name}", meta.kind)];
            events(&case.as_sent().unwrap()).next().unwrap_or_else(|| panic!("{}: no event", case.name)).clone()
        };
        // What never resolves has the times of its triggers alone.
        let last = if meta.resolves == Resolves::Never { "repeat" } else { "resolve" };
        let [trigger, repeat, resolve] = ["trigger", "repeat", last].map(event);
        match meta.clock {
            Clock::Transition => {
                let [trigger, repeat, resolve] = [trigger, repeat, resolve]
                    .map(|event| event.occurred_at.unwrap_or_else(|| panic!("{}: {:?} has no time", meta.kind, event.action)));
                assert!(
                    trigger <= repeat && repeat <= resolve && (trigger < resolve || last == "repeat"),
                    "{}: {trigger} {repeat} {resolve}",
                    meta.kind
                );
            }
            _ => {
                assert!(trigger.starts_at.is_some(), "{}: no start", meta.kind);
                assert_eq!((trigger.starts_at, trigger.starts_at), (repeat.starts_at, resolve.starts_at), "{}", meta.kind);
            }
        }
    }
}

/// A time without an offset is that of some place which nobody names: it orders nothing.
#[test]
fn a_time_without_its_zone_is_unknown() {
    let cases = named();
    let mut tools = 0;
    // Jira's texts are for show: what orders it is `timestamp`, a number.
    for meta in ordered().filter(|meta| meta.kind != "jira") {
        let case = &cases[&format!("{}/trigger", meta.kind)];
        let body = case.object().unwrap();
        let zoneless =
            |text: &str| Some(text.get(..19)?.to_owned()).filter(|_| Timestamp::parse(text).is_some_and(|at| at.has_offset));
        let mut local = body.clone();
        for place in scalars(&body) {
            let text = super::place::get(&body, &place).and_then(|value| zoneless(value.as_str()?));
            local = text.map_or(local.clone(), |text| put(&local, &place, &json!(text)));
        }
        if local == body {
            continue;
        }
        tools += 1;
        let normalised = case.with(&local).unwrap();
        let event = events(&normalised).next().unwrap();
        let order = if meta.clock == Clock::Transition { event.occurred_at } else { event.starts_at };
        assert_eq!(order, None, "{}: {local}", meta.kind);
    }
    assert!(tools >= 6, "{tools} tools");
}

#[test]
fn who_never_resolves_has_nothing_that_does() {
    // An integration's options may name what ends an alert of it.
    let unset = |case: &&Case| case.fixture.headers.get(OPTIONS).is_none();
    // Nothing in Slack says that an alert is over; that its message was deleted does, and is seldom.
    let unset = |case: &&Case| unset(case) && case.name != "slack/deleted";
    for case in cases().iter().filter(|case| case.provider.meta().resolves == Resolves::Never).filter(unset) {
        let Ok(normalised) = case.as_sent() else { continue };
        assert!(events(&normalised).all(|event| event.action != Action::Resolve), "{}", case.name);
    }
    let never: Vec<&str> = Registry::built_in()
        .tools()
        .map(|tool| tool.meta())
        .filter(|meta| meta.resolves == Resolves::Never)
        .map(|meta| meta.kind)
        .collect();
    assert_eq!(never, ["slack", "elastalert", "graylog"]);
}

/// 200 where nothing else counts as success; 503 where a 429 would be the end of the alert, because the tool repeats nothing but a 5xx.
const STATUSES: &[(&str, u16, u16)] = &[
    ("alertmanager", 202, 503),
    ("azure", 200, 429),
    ("cloudwatch", 200, 503),
    ("datadog", 202, 503),
    ("google-cloud-monitoring", 200, 429),
    ("honeycomb", 202, 503),
    ("netdata", 200, 429),
    ("slack", 200, 429),
    ("splunk-observability", 200, 429),
];
/// Headers of a tool's own that carry the key, and the header that names a delivery.
const HEADERS: &[(&str, &[&str], Option<&str>)] = &[
    ("azure", &["aeg-sas-key"], None),
    ("bitbucket", &[], Some("x-request-uuid")),
    ("cloudflare", &["cf-webhook-auth"], None),
    ("github", &[], Some("x-github-delivery")),
    ("gitlab", &["x-gitlab-token"], Some("idempotency-key")),
    ("honeycomb", &["x-honeycomb-webhook-token"], Some("x-honeycomb-webhook-delivery-id")),
    ("jira", &[], Some("x-atlassian-webhook-identifier")),
    ("pagerduty", &[], Some("x-webhook-id")),
];
/// Fields of a body that hold a credential.
const SECRETS: &[(&str, &[&str])] = &[
    ("events", &["routing_key", "service_key"]),
    ("honeycomb", &["shared_secret"]),
    ("slack", &["token"]),
    ("statuscake", &["Token"]),
    ("webhook", &["routing_key", "service_key", "integration_key", "api_key"]),
];

#[test]
fn what_a_tool_insists_on_is_said_once() {
    let mut tools: Vec<&Meta> = Registry::built_in().tools().map(|tool| tool.meta()).collect();
    tools.sort_unstable_by_key(|meta| meta.kind);
    let statuses: Vec<_> = tools.iter().map(|meta| (meta.kind, meta.success_status, meta.throttle_status)).collect();
    assert_eq!(
        statuses.into_iter().filter(|(_, success, throttle)| (*success, *throttle) != (202, 429)).collect::<Vec<_>>(),
        STATUSES
    );
    let headers: Vec<_> = tools.iter().map(|meta| (meta.kind, meta.key_headers, meta.delivery_header)).collect();
    assert_eq!(headers.into_iter().filter(|(_, key, id)| !key.is_empty() || id.is_some()).collect::<Vec<_>>(), HEADERS);
    let secrets: Vec<_> = tools.iter().map(|meta| (meta.kind, meta.secret_fields)).collect();
    assert_eq!(secrets.into_iter().filter(|(_, fields)| !fields.is_empty()).collect::<Vec<_>>(), SECRETS);
}
