//! Shapes of one tool that belong together: what one of them opens, the other one closes.

use super::*;

/// A tool, the fixture that opens, and the one that closes.
const PAIRS: &[(&str, &str, &str)] = &[
    ("checkmk", "with-prefix", "with-prefix-recovery"),
    ("checkmk", "with-prefix-flapping", "with-prefix-flapping-stop"),
    ("checkly", "degraded", "degraded-recovered"),
    ("dynatrace", "default-template", "default-template-resolved"),
    ("dynatrace", "problem-of-the-api", "problem-of-the-api-closed"),
    ("dynatrace", "workflow-event", "workflow-event-closed"),
    ("elastic", "flat-names", "flat-names-recovered"),
    ("elastic", "json-as-a-text", "resolve"),
    ("elastic", "json-inside-json", "resolve"),
    ("elastic", "legacy-names", "legacy-names-recovered"),
    ("honeybadger", "check-in-missing", "check-in-reporting"),
    ("honeybadger", "site-down", "site-up"),
    ("icinga", "state-as-a-number", "state-as-a-number-ok"),
    ("netdata", "agent", "agent-clear"),
    ("netdata", "unreachable", "reachable"),
    ("newrelic", "legacy-open", "legacy-closed"),
    ("newrelic", "legacy-open", "legacy-event-type-only"),
    ("sentry", "issue-created", "issue-archived"),
    ("sentry", "issue-unresolved", "issue-ignored"),
    ("sentry", "metric-critical", "metric-resolved"),
    ("sentry", "metric-warning", "metric-resolved"),
    ("sentry", "event-of-old", "resolve"),
    ("solarwinds", "alert-id-and-node", "alert-id-and-node-reset"),
    ("splunk-observability", "trigger", "manually-resolved"),
    ("splunk-observability", "trigger", "stopped"),
    ("zabbix", "without-event-id", "without-event-id-resolved"),
    ("uptime-kuma", "multipart-down", "multipart-up"),
    ("uptime-kuma", "proposed-custom-body", "proposed-custom-body-up"),
    ("uptime-kuma", "query-down", "query-up"),
    ("uptime-kuma", "trigger", "keyword-up-without-monitor"),
];

#[test]
fn what_one_shape_opens_another_one_closes() {
    let cases: BTreeMap<String, Case> = cases().into_iter().map(|case| (case.name.clone(), case)).collect();
    for (tool, opens, closes) in PAIRS {
        let first = |name: &str| {
            let case = &cases[&format!("{tool}/{name}")];
            let normalised = case.as_sent().unwrap_or_else(|why| panic!("{}: {why}", case.name));
            let event = events(&normalised).next().unwrap_or_else(|| panic!("{}: no event", case.name));
            (event.action, event.dedup_key.clone())
        };
        let (opened, closed) = (first(opens), first(closes));
        assert_eq!((opened.0, closed.0), (Action::Trigger, Action::Resolve), "{tool}: {opens}, {closes}");
        assert_eq!(opened.1, closed.1, "{tool}: {opens}, {closes}");
    }
}
