//! Shapes of one tool that belong together: what one of them opens, the other one closes.

use super::*;

/// A tool, the fixture that opens, and the one that closes.
const PAIRS: &[(&str, &str, &str)] = &[
    ("checkmk", "with-prefix", "with-prefix-recovery"),
    ("checkmk", "with-prefix-flapping", "with-prefix-flapping-stop"),
    ("checkly", "degraded", "degraded-recovered"),
    ("azure-devops", "build-in-part", "resolve"),
    ("azure-devops", "build-of-version-1", "build-of-version-1-succeeded"),
    ("azure-devops", "release-rejected", "release-succeeded"),
    ("azure-devops", "run-failed", "run-succeeded"),
    ("azure-devops", "stage-failed", "stage-succeeded"),
    ("bitbucket", "data-center-failed", "data-center-successful"),
    ("bitbucket", "pipelines-failed", "pipelines-successful"),
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
    ("events", "kerno-trigger", "kerno-resolve"),
    ("exosphere", "duration-exceeded", "resolve"),
    ("jira", "automation", "automation-done"),
    ("jira", "trigger", "deleted"),
    ("jira", "trigger", "server-closed"),
    ("pagerduty", "trigger", "version-1-resolve"),
    ("pagerduty", "version-1", "version-1-resolve"),
    ("pagerduty", "version-2", "resolve"),
    ("pilot", "trust-revoked-by-peer", "handshake-approved"),
    ("pilot", "tunnel-gave-up", "tunnel-established"),
    ("slack", "bot-listed", "resolve-by-reaction"),
    ("slack", "trigger", "resolve-by-word"),
    ("slack", "trigger", "deleted"),
    ("github", "check-run-of-a-fork", "check-run-created-over"),
    ("github", "code-scanning-created", "code-scanning-closed-by-user"),
    ("github", "dependabot-created", "dependabot-fixed"),
    ("github", "deployment-failure", "deployment-success"),
    ("github", "form", "resolve"),
    ("github", "secret-scanning-created", "secret-scanning-resolved"),
    ("github", "status-failure", "status-success"),
    ("github", "vulnerability-create", "vulnerability-resolve"),
    ("gitlab", "deployment-failed", "deployment-success"),
    ("gitlab", "incident-open", "incident-close"),
    ("gitlab", "job-failed", "job-success"),
    ("gitlab", "pipeline-of-a-merge-request", "merge-request-merged"),
    ("gitlab", "pipeline-of-an-older-version", "resolve"),
    ("gitlab", "vulnerability-detected", "vulnerability-dismissed"),
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
