//! What the words of each tool mean, said once: which severity each is, and what holds for a word that nobody knows and for none.
//!
//! The scale is one for all tools. Critical: critical, fatal, page, emergency, P1, Sev0, disaster. Error: error, high, major, P2, Sev1.
//! Warning: warning, minor, moderate, medium, average, P3, Sev2. Info: info, low, notice, P4, P5, Sev3, Sev4. Where nothing says how bad
//! it is, a monitor that knows only up and down is critical, and everything else an error.

use Severity::{Critical, Error, Info, Warning};

use super::*;
use crate::event::Severity;

/// A fixture, the place of its word (none: the tool says nothing of the kind), the words by severity with `|` between them, and what
/// holds otherwise.
type Scale = (&'static str, &'static str, [&'static str; 4], Severity);

const NO_WORDS: [&str; 4] = [""; 4];
/// What people write into labels and templates.
const COMMON: [&str; 4] = [
    "critical|crit|fatal|page|emergency|P1|Sev0|disaster",
    "error|high|major|P2|Sev1",
    "warning|warn|minor|moderate|medium|average|P3|Sev2",
    "info|informational|low|notice|P4|P5|Sev3|Sev4|ok|none",
];
const LEVELS: [&str; 4] = ["critical", "error", "warning", "info"];
const CLOUDFLARE: [&str; 4] = [
    "",
    "health_check_status_notification|load_balancing_health_alert|advanced_ddos_attack_l7_alert|tunnel_health_event",
    "universal_ssl_event_type|dedicated_ssl_certificate_event_type|access_custom_certificate_expiration_type|\
     zone_aop_custom_certificate_expiration_type|mtls_certificate_store_certificate_expiration_type|expiring_service_token_alert",
    "",
];
const PRTG: [&str; 4] = [
    "Down|Down (Partial)|Down (Simulated Error)|Up ended (now: Down)|Warning ended (now: Down)",
    "",
    "Warning|Unusual|Up ended (now: Unusual)|Warning ended (now: Unusual)|Down (Partial) ended (now: Warning)",
    "",
];

const SCALES: &[Scale] = &[
    ("alertmanager/trigger", "/alerts/0/labels/severity", COMMON, Error),
    ("grafana/trigger", "/alerts/0/labels/severity", COMMON, Error),
    ("grafana/legacy-alerting", "/tags/severity", COMMON, Error),
    ("grafana/legacy-no-data", "", NO_WORDS, Warning),
    ("events/trigger", "/payload/severity", LEVELS, Error),
    ("webhook/trigger", "/severity", COMMON, Error),
    ("elastalert/trigger", "/severity", COMMON, Error),
    ("datadog/trigger", "/alert_priority", ["P1|1", "P2|2", "P3|3", "P4|P5|4|5"], Error),
    ("datadog/default-body-triggered", "/alert_type", ["", "error", "warning", "info"], Error),
    (
        "datadog/default-body-triggered",
        "/alert_transition",
        ["", "Triggered|Re-Triggered|No Data|Renotify", "Warn|Re-Warn", ""],
        Error,
    ),
    ("newrelic/trigger", "/priority", ["CRITICAL", "HIGH", "MEDIUM|WARNING", "LOW|INFO"], Error),
    (
        "dynatrace/trigger",
        "/ProblemSeverity",
        ["AVAILABILITY", "ERROR|MONITORING_UNAVAILABLE", "PERFORMANCE|SLOWDOWN|RESOURCE_CONTENTION|CUSTOM_ALERT|WARNING", "INFO"],
        Error,
    ),
    ("appdynamics/trigger", "/severity", ["ERROR", "", "WARN", "INFO"], Error),
    ("elastic/trigger", "/severity", ["critical", "high", "medium", "low"], Error),
    ("honeycomb/trigger", "", NO_WORDS, Error),
    ("honeycomb/burn-alert", "/alert/severity", LEVELS, Error),
    ("splunk-observability/trigger", "/severity", ["Critical", "Major", "Minor|Warning", "Info"], Error),
    ("splunk-oncall/trigger", "/message_type", ["CRITICAL", "", "WARNING", ""], Error),
    ("cloudwatch/trigger", "", NO_WORDS, Critical),
    ("eventbridge/trigger", "", NO_WORDS, Critical),
    ("eventbridge/guardduty", "/detail/severity", ["9|9.5|10", "7|8.9", "4|6.9", "0|1|3.9"], Error),
    (
        "eventbridge/health",
        "/detail/eventTypeCategory",
        ["", "issue", "investigation", "scheduledChange|accountNotification"],
        Error,
    ),
    ("eventbridge/security-hub", "/detail/findings/0/Severity/Label", ["CRITICAL", "HIGH", "MEDIUM", "LOW|INFORMATIONAL"], Error),
    ("azure/trigger", "/data/essentials/severity", ["Sev0", "Sev1", "Sev2", "Sev3|Sev4"], Error),
    ("azure/metric-before-common", "/data/context/severity", ["0", "1", "2", "3|4"], Error),
    (
        "azure/service-health",
        "/data/alertContext/properties/incidentType",
        ["", "Incident|Security", "ActionRequired", "Maintenance|Informational"],
        Error,
    ),
    (
        "azure/resource-health",
        "/data/context/activityLog/properties/currentHealthStatus",
        ["", "Unavailable", "Degraded|Unknown", ""],
        Error,
    ),
    ("google-cloud-monitoring/little", "/incident/severity", ["Critical", "Error", "Warning", ""], Error),
    ("sentry/trigger", "/data/event/level", ["fatal", "error", "warning", "info|debug|sample"], Error),
    ("sentry/issue-created", "/data/issue/level", ["fatal", "error", "warning", "info|debug|sample"], Error),
    ("sentry/metric-critical", "/action", ["critical", "", "warning", ""], Error),
    ("github/trigger", "", NO_WORDS, Error),
    ("github/dependabot-created", "/alert/security_advisory/severity", ["critical", "high", "medium|moderate", "low"], Error),
    ("github/code-scanning-created", "/alert/rule/security_severity_level", ["critical", "high", "medium", "low"], Error),
    ("github/secret-scanning-created", "", NO_WORDS, Critical),
    ("gitlab/trigger", "", NO_WORDS, Error),
    ("gitlab/incident-open", "/object_attributes/severity", ["critical", "high", "medium", "low"], Error),
    ("gitlab/alert", "/object_attributes/severity", ["critical", "high", "medium", "low|info"], Error),
    ("gitlab/vulnerability-detected", "/object_attributes/severity", ["critical", "high", "medium", "low|info"], Error),
    ("bitbucket/trigger", "", NO_WORDS, Error),
    ("azure-devops/trigger", "", NO_WORDS, Error),
    ("azure-devops/build-in-part", "", NO_WORDS, Warning),
    ("uptimerobot/trigger", "", NO_WORDS, Critical),
    ("uptimerobot/certificate", "", NO_WORDS, Warning),
    ("pingdom/trigger", "/importance_level", ["HIGH", "", "LOW", ""], Critical),
    ("better-uptime/trigger", "", NO_WORDS, Critical),
    ("uptime-kuma/trigger", "", NO_WORDS, Critical),
    ("uptime-kuma/certificate-expiry", "", NO_WORDS, Warning),
    ("statuscake/trigger", "", NO_WORDS, Critical),
    ("site24x7/trigger", "/STATUS", ["DOWN|CRITICAL", "", "TROUBLE", ""], Critical),
    ("healthchecks/trigger", "", NO_WORDS, Critical),
    ("cronitor/trigger", "", NO_WORDS, Critical),
    ("hetrixtools/trigger", "", NO_WORDS, Critical),
    ("hyperping/trigger", "", NO_WORDS, Critical),
    ("uptime-com/trigger", "/data/alert/state", ["CRITICAL", "", "WARNING", ""], Critical),
    (
        "checkly/trigger",
        "/ALERT_TYPE",
        [
            "ALERT_FAILURE|ALERT_FAILURE_REMAIN|ALERT_DEGRADED_FAILURE",
            "",
            "ALERT_DEGRADED|ALERT_DEGRADED_REMAIN|ALERT_FAILURE_DEGRADED|ALERT_SSL",
            "",
        ],
        Critical,
    ),
    ("prtg/trigger", "/status", PRTG, Critical),
    ("coroot/trigger", "/status", ["CRITICAL", "", "WARNING", "INFO"], Error),
    ("netdata/trigger", "/severity", ["critical", "", "warning", ""], Error),
    ("netdata/unreachable", "", NO_WORDS, Critical),
    (
        "zabbix/trigger",
        "/event_nseverity",
        ["5|Disaster", "4|High", "3|2|Average|Warning", "1|0|Information|Not classified"],
        Error,
    ),
    ("nagios/trigger", "/SERVICESTATE", ["CRITICAL", "UNKNOWN", "WARNING", ""], Error),
    ("nagios/host-down", "/HOSTSTATE", ["DOWN", "UNREACHABLE", "", ""], Error),
    ("icinga/trigger", "/service_state", ["CRITICAL|2", "UNKNOWN|3", "WARNING|1", ""], Error),
    ("icinga/host-down", "/host_state", ["DOWN|1", "UNREACHABLE", "", ""], Error),
    ("checkmk/trigger", "/SERVICESTATE", ["CRITICAL|CRIT", "UNKNOWN", "WARNING|WARN", ""], Error),
    ("checkmk/host-unreachable", "/HOSTSTATE", ["DOWN", "UNREACHABLE", "", ""], Error),
    ("librenms/trigger", "/severity", ["critical", "", "warning", ""], Error),
    ("cloudflare/trigger", "/alert_type", CLOUDFLARE, Error),
    ("cloudflare/trigger", "/data/severity", LEVELS, Error),
    ("opsgenie/trigger", "/alert/priority", ["P1|1", "P2|2", "P3|3", "P4|P5|4|5"], Error),
    ("graylog/trigger", "/event/priority", ["4", "3", "2", "1|0"], Error),
    (
        "honeybadger/trigger",
        "/event",
        ["down|check_in_missing", "occurred|rate_exceeded|unresolved|volume_spike|alarm_alert", "cert_will_expire", ""],
        Error,
    ),
    (
        "jira/trigger",
        "/issue/fields/priority/name",
        ["Highest|Blocker|Critical", "High|Major", "Medium|Minor", "Low|Lowest|Trivial"],
        Error,
    ),
    ("pagerduty/priority", "/event/data/priority/summary", ["P1", "P2", "P3", "P4|P5"], Error),
    ("pagerduty/trigger", "/event/data/urgency", ["", "high", "low", ""], Error),
    ("slack/trigger", "", NO_WORDS, Error),
    ("exosphere/trigger", "/event", ["", "workflow.failed|run.failed", "workflow.duration_exceeded", ""], Error),
    ("opsknight/trigger", "/incident/urgency", ["HIGH", "MEDIUM", "", "LOW"], Error),
    ("pilot/trigger", "", NO_WORDS, Error),
    ("pilot/nonce-replay", "", NO_WORDS, Warning),
    ("kapacitor/trigger", "/level", ["CRITICAL", "", "WARNING", "INFO"], Error),
    ("logicmonitor/trigger", "/level", ["critical", "error", "warn|warning", ""], Error),
    ("riemann/trigger", "/state", ["critical|down", "error|major|expired|unknown", "warning|minor", ""], Error),
    ("solarwinds/trigger", "/AlertSeverity", ["Critical", "Serious|High", "Warning", "Informational|Notice"], Error),
    ("vercel/trigger", "/payload/target", ["", "production", "staging", ""], Warning),
    (
        "vrealize/trigger",
        "/criticality",
        [
            "ALERT_CRITICALITY_LEVEL_CRITICAL|CRITICAL",
            "ALERT_CRITICALITY_LEVEL_IMMEDIATE|IMMEDIATE",
            "ALERT_CRITICALITY_LEVEL_WARNING|WARNING",
            "ALERT_CRITICALITY_LEVEL_INFO|INFO|INFORMATION",
        ],
        Error,
    ),
];

/// `body` with `word` at `place`, which may be missing.
fn with(body: &Value, place: &str, word: &Value) -> Value {
    let mut body = body.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap_or_else(|| panic!("there is nothing at {parent}"));
    match parent {
        Value::Array(elements) => elements[name.parse::<usize>().unwrap()] = word.clone(),
        parent => parent[name] = word.clone(),
    }
    body
}

/// What a body asks for. One that is not mapped goes to the catch-all, which pages as an error.
fn asked(result: Result<Normalised, Unmapped>) -> Option<(Action, Severity)> {
    match result {
        Ok(normalised) => events(&normalised).next().map(|event| (event.action, event.severity)),
        Err(_) => Some((Action::Trigger, Error)),
    }
}

#[test]
fn every_word_has_its_severity() {
    let cases: BTreeMap<String, Case> = cases().into_iter().map(|case| (case.name.clone(), case)).collect();
    let (mut words, mut wrong) = (0, Vec::new());
    for (name, place, scale, otherwise) in SCALES {
        let case = cases.get(*name).unwrap_or_else(|| panic!("there is no fixture {name}"));
        let mut expect = |what: &str, found: Result<Normalised, Unmapped>, severity: Severity| {
            let found = asked(found);
            if found != Some((Action::Trigger, severity)) {
                wrong.push(format!("{name}: {what} at {place:?} is {found:?}, not {severity:?}"));
            }
        };
        if place.is_empty() {
            expect("nothing", case.as_sent(), *otherwise);
            continue;
        }
        let body = case.object().unwrap_or_else(|| panic!("{name}: has no body"));
        for (list, severity) in scale.iter().zip([Critical, Error, Warning, Info]) {
            for word in list.split('|').filter(|word| !word.is_empty()) {
                expect(word, case.with(&with(&body, place, &json!(word))), severity);
                words += 1;
            }
        }
        expect("an unknown word", case.with(&with(&body, place, &json!("frobnicated"))), *otherwise);
        expect("null", case.with(&with(&body, place, &Value::Null)), *otherwise);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(words > 250, "{words} words");
}

#[test]
fn every_tool_says_what_its_words_mean() {
    let named: Vec<&str> = SCALES.iter().filter_map(|(name, ..)| Some(name.split_once('/')?.0)).collect();
    let tools = Registry::built_in().tools().map(|tool| tool.meta().kind);
    let missing: Vec<&str> = tools.filter(|kind| !named.contains(kind)).collect();
    assert!(missing.is_empty(), "add to SCALES what the words of these tools mean: {}", missing.join(", "));
}
