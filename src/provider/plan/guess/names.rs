//! The names under which tools that we do not know send things, by their letters and digits in lower case.

/// Objects around or inside an alert, the likeliest to be the alert itself first.
pub(super) const WRAPPERS: &[&str] = &[
    "alert",
    "alarm",
    "incident",
    "alertgroup",
    "issue",
    "problem",
    "event",
    "notification",
    "data",
    "payload",
    "body",
    "attributes",
    "detail",
    "details",
    "result",
    "annotations",
    "labels",
    "checkresult",
    "check",
    "monitor",
    "trigger",
    "rule",
    "stream",
    "host",
    "service",
];
/// Those that are what is watched, and not the alert: one of them may have several alerts in its time.
pub(super) const WATCHED: &[&str] = &["check", "checkresult", "monitor", "trigger", "rule", "stream"];
/// Those whose state is not the alert's.
pub(super) const STATELESS: &[&str] = &["host", "service", "rule", "trigger", "stream", "labels", "annotations", "details"];
/// Lists of alerts.
pub(super) const LISTS: &[&str] = &["alerts", "incidents", "events", "problems", "alarms"];

pub(super) const TITLE: &[&str] = &["summary", "title", "subject", "alerttitle", "alertsummary", "headline", "shortdescription"];
pub(super) const TEXT: &[&str] = &[
    "message",
    "description",
    "text",
    "msg",
    "resultdescription",
    "name",
    "alertname",
    "monitorname",
    "checkname",
    "rulename",
    "displayname",
    "eventname",
    "searchname",
    "reason",
    "output",
    "content",
    "info",
];
/// What identifies an alert wherever it stands.
pub(super) const KEY: &[&str] = &[
    "dedupkey",
    "deduplicationkey",
    "alertuid",
    "alertid",
    "alertkey",
    "alertgroupid",
    "alarmid",
    "incidentkey",
    "incidentid",
    "problemid",
    "issueid",
    "fingerprint",
    "aggregationkey",
    "dedupekey",
    "uniquekey",
];
/// What identifies the object it stands in.
pub(super) const ID: &[&str] = &["id", "key", "uid", "uuid", "guid", "alias"];
/// What identifies what is watched.
pub(super) const WATCHED_ID: &[&str] =
    &["monitorid", "checkid", "testid", "sensorid", "triggerid", "ruleid", "jobid", "streamid"];
/// The name of one thing that is watched, whatever is said of it.
pub(super) const WATCHED_NAME: &[&str] = &[
    "monitorname",
    "monitor",
    "checkname",
    "check",
    "alertname",
    "rulename",
    "rule",
    "alarmname",
    "conditionname",
    "triggername",
    "sensor",
    "probe",
    "jobname",
    "testname",
];
pub(super) const SERVICE: &[&str] = &["service", "servicename", "servicedesc"];
pub(super) const HOST: &[&str] = &["host", "hostname", "instance", "node", "device", "server"];
pub(super) const SOURCE: &[&str] = &[
    "source",
    "host",
    "hostname",
    "server",
    "instance",
    "node",
    "device",
    "service",
    "servicename",
    "resource",
    "resourcename",
    "entity",
    "entityname",
    "component",
    "application",
    "app",
    "origin",
    "system",
    "monitor",
    "monitorname",
    "target",
    "monitortarget",
];
pub(super) const SEVERITY: &[&str] =
    &["severity", "level", "priority", "urgency", "criticality", "alertlevel", "alertseverity", "alertpriority"];
/// Where the state of an alert stands.
pub(super) const STATE: &[&str] = &[
    "eventaction",
    "status",
    "state",
    "alertstatus",
    "alertstate",
    "alarmstate",
    "incidentstatus",
    "incidentstate",
    "monitorstatus",
    "monitorstate",
    "checkstatus",
    "checkstatename",
    "currentstate",
    "currentstatus",
    "newstate",
    "newstatus",
    "transition",
    "alerttransition",
    "alerttypefriendlyname",
    "result",
    "outcome",
    "conclusion",
];
/// Where what happened to it stands.
pub(super) const HAPPENED: &[&str] = &[
    "action",
    "actiontype",
    "event",
    "eventtype",
    "eventname",
    "notificationevent",
    "notificationtype",
    "messagetype",
    "alertaction",
];
/// Where a kind stands, which may be what happened.
pub(super) const KIND: &[&str] = &["type", "alerttype", "kind"];
/// A kind that is a state; `error` or `normal` is none.
pub(super) const KIND_WORDS: &[&str] = &[
    "alert",
    "problem",
    "trigger",
    "triggered",
    "firing",
    "down",
    "up",
    "recovery",
    "recovered",
    "resolve",
    "resolved",
    "acknowledge",
    "acknowledged",
    "acknowledgement",
    "ok_to_firing",
    "firing_to_ok",
];
/// Words that ask for a page only where nothing else says what happened.
pub(super) const VAGUE: &[&str] = &["alert", "alarm"];
/// What a word of what happened may begin with: `alert.resolved`, `monitor_down`. `not_ok` does not.
pub(super) const NOUNS: &[&str] = &[
    "alert",
    "alerts",
    "alarm",
    "incident",
    "incidents",
    "issue",
    "problem",
    "event",
    "monitor",
    "check",
    "uptime",
    "heartbeat",
    "status",
    "service",
    "host",
    "notification",
    "heartbeat",
    "trigger",
    "degraded",
];
/// Members that are true or false, and whether true means that the alert is over.
pub(super) const FLAGS: &[(&str, bool)] = &[
    ("resolved", true),
    ("isresolved", true),
    ("recovered", true),
    ("cleared", true),
    ("isup", true),
    ("firing", false),
    ("isfiring", false),
    ("triggered", false),
    ("isdown", false),
    ("alerting", false),
    ("isopen", false),
];
/// When the alert was over; nothing while it is not.
pub(super) const OVER: &[&str] = &["resolvedat", "resolvedtime", "endedat", "closedat", "recoveredat", "clearedat"];
pub(super) const TIME: &[&str] = &["timestamp", "time", "occurredat", "createdat", "date", "ts"];
pub(super) const LINKS: &[(&str, &str)] = &[
    ("linktoupstreamdetails", "Details"),
    ("link", "Link"),
    ("url", "Link"),
    ("htmlurl", "Link"),
    ("alerturl", "Alert"),
    ("dashboardurl", "Dashboard"),
    ("runbookurl", "Runbook"),
];
pub(super) const IMAGE: &[&str] = &["imageurl", "image"];
