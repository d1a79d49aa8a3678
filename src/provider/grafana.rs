//! Grafana: unified alerting's webhook, and the webhook of dashboard alerting before it.
//!
//! <https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>.
//! Unified bodies look like Alertmanager's, with `state` and `title` beside `alerts`; those two speak of the whole notification,
//! so `alerts` is looked for first and each alert's own `status` counts. Firing alerts are repeated with the same `startsAt`.
//! Dashboard alerting sends one rule a request, by `ruleId` and `state`; `evalMatches` is empty on `ok` and so no part of the key.
//! Either may come by PUT.

use serde_json::Value;

use super::labels::{self, Context};
use super::read::{self, Found};
use super::{Clock, Compiled, Item, Meta, Normalised, OptionProblem, Origin, Provider, Request, Resolves, Unmapped, key, tokens};
use crate::event::{Action, DedupKey, Event, Image, Severity};
use crate::signature::{self, Scheme};

/// Grafana.
pub struct Grafana;

/// What an integration may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What dashboard alerting's `no_data` does (`noData`).
    pub no_data: NoData,
    /// The header, in lower case, that carries the signature when it is not the default (`signatureHeader`).
    pub signature_header: Option<String>,
    /// The header, in lower case, that carries the signed time, if the contact point names one (`timestampHeader`).
    pub timestamp_header: Option<String>,
}

/// What dashboard alerting's state `no_data` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoData {
    /// It pages, as a warning.
    #[default]
    Trigger,
    /// Nothing.
    Ignore,
}

static META: Meta = Meta {
    kind: "grafana",
    aliases: &[],
    name: "Grafana",
    docs: "https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/",
    clock: Clock::Episode,
    resolves: Resolves::Repeats,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Hmac(signature::GRAFANA),
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/grafana.md"),
};

const SOURCES: &[&str] = &[
    "labels.instance",
    "labels.host",
    "labels.hostname",
    "labels.node",
    "labels.pod",
    "labels.service",
    "labels.grafana_folder",
];
const ALERT_LINKS: &[(&str, &str)] = &[("dashboardURL", "Dashboard"), ("panelURL", "Panel"), ("silenceURL", "Silence")];

impl Provider for Grafana {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn scheme(&self, options: &Compiled) -> Scheme {
        match options.get::<Options>() {
            Some(options) => Scheme::grafana(options.signature_header.as_deref(), options.timestamp_header.as_deref()),
            None => self.meta().scheme.clone(),
        }
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let Value::Object(members) = body else {
            return Err(Unmapped::new("the body is not an object"));
        };
        match members.get("alerts") {
            Some(Value::Array(alerts)) => Ok(unified(alerts, body, request)),
            _ if read::at(body, "labels").is_some() => {
                Ok(Normalised::one(alert(body, &context(&Value::Null, request), String::new())))
            }
            _ if read::first(body, &["ruleId", "ruleName"]).is_some() => dashboard(body, request),
            _ => {
                Err(Unmapped::new("there is neither an `alerts` array nor a `ruleId`; for a body of your own, use type webhook"))
            }
        }
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        let members = match options {
            Value::Null => return Ok(Compiled::none()),
            Value::Object(members) => members,
            _ => return Err(vec![OptionProblem::new("options", "must be an object")]),
        };
        let mut compiled = Options::default();
        let mut problems = Vec::new();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let outcome = match name.as_str() {
                "noData" | "no_data" => no_data(value).map(|no_data| compiled.no_data = no_data),
                "signatureHeader" | "signature_header" => header(value).map(|name| compiled.signature_header = Some(name)),
                "timestampHeader" | "timestamp_header" => header(value).map(|name| compiled.timestamp_header = Some(name)),
                _ => {
                    problems.push(OptionProblem::unknown(name, &["noData", "signatureHeader", "timestampHeader"]));
                    continue;
                }
            };
            problems.extend(outcome.err().map(|problem| OptionProblem::new(name, problem)));
        }
        if problems.is_empty() { Ok(Compiled::new(compiled)) } else { Err(problems) }
    }
}

fn no_data(value: &Value) -> Result<NoData, &'static str> {
    match value.as_str() {
        Some("trigger") => Ok(NoData::Trigger),
        Some("ignore") => Ok(NoData::Ignore),
        _ => Err("must be `trigger` or `ignore`"),
    }
}

/// A header's name (RFC 9110 `token`), in lower case.
fn header(value: &Value) -> Result<String, &'static str> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    match value.as_str() {
        Some(name) if !name.is_empty() && name.chars().all(token) => Ok(name.to_ascii_lowercase()),
        _ => Err("must be the name of a header"),
    }
}

fn context<'a>(group: &'a Value, request: &Request<'_>) -> Context<'a> {
    Context {
        group,
        tool: META.name,
        sources: SOURCES,
        direct: false,
        received_at: request.received_at,
        over: labels::is_over(group),
    }
}

fn unified(alerts: &[Value], body: &Value, request: &Request<'_>) -> Normalised {
    let mut normalised = Normalised::default();
    let context = context(body, request);
    normalised.items = alerts.iter().enumerate().map(|(n, one)| alert(one, &context, format!("/alerts/{n}"))).collect();
    match labels::truncation(body, META.name) {
        Some(said) if said.event.action == Action::Resolve => normalised.if_open.push(said),
        Some(said) => normalised.items.push(Item::Event(Box::new(said))),
        None => {}
    }
    if normalised.items.is_empty() {
        normalised.note = Some("the notification holds no alerts".into());
    }
    normalised
}

/// One alert, with the links and the image that Grafana adds.
fn alert(alert: &Value, context: &Context<'_>, at: String) -> Item {
    let mut mapped = match labels::mapped(alert, context, at) {
        Ok(mapped) => mapped,
        Err((at, why)) => return Item::Unmapped { at, why: why.into() },
    };
    for (path, text) in ALERT_LINKS {
        labels::push_link(&mut mapped.event.links, read::field(alert, path), text);
    }
    mapped.event.images = images(alert, "imageURL");
    Item::Event(Box::new(mapped))
}

fn images(value: &Value, path: &str) -> Vec<Image> {
    let src = read::owned(value, path).filter(|src| read::is_web_address(src));
    src.map(|src| Image { src, href: None, alt: None }).into_iter().collect()
}

/// What a dashboard rule's state asks for; unknown words page.
fn dashboard_action(state: &str, options: &Options) -> Result<Action, &'static str> {
    match state {
        "ok" => Ok(Action::Resolve),
        "paused" => Err("the rule is paused"),
        "pending" => Err("the rule is pending"),
        "unknown" => Err("the rule has not been evaluated yet"),
        "no_data" if options.no_data == NoData::Ignore => Err("no_data is ignored by this integration's options"),
        _ => Ok(Action::Trigger),
    }
}

fn dashboard(body: &Value, request: &Request<'_>) -> Result<Normalised, Unmapped> {
    let default = Options::default();
    let options = request.options.get::<Options>().unwrap_or(&default);
    let state = read::field(body, "state").map(|state| state.to_ascii_lowercase());
    let action = match state.as_deref().map(|state| dashboard_action(state, options)) {
        Some(Ok(action)) => action,
        Some(Err(why)) => return Ok(Normalised::one(Item::Ignored { at: String::new(), why: why.into() })),
        None => Action::Trigger,
    };
    let summary = read::first(body, &["title", "ruleName", "message"])
        .unwrap_or(Found { text: META.name.into(), path: "default: the tool" });
    let source = read::first(body, &["tags.instance", "tags.host", "tags.service", "ruleName"])
        .unwrap_or(Found { text: META.name.into(), path: "default: the tool" });
    let tagged = read::field(body, "tags.severity").and_then(|word| tokens::severity(&word));
    let (severity, severity_from) = match (tagged, state.as_deref()) {
        (_, Some("no_data")) => (Severity::Warning, "state: no_data"),
        (Some(severity), _) => (severity, "tags.severity"),
        (None, _) => (Severity::Error, "default: error"),
    };
    let (dedup_key, key_from) =
        dashboard_key(body).unwrap_or_else(|| (key::guess(&summary.text, &source.text), "default: guessed"));
    let mut event = Event::new(action, dedup_key, &summary.text, &source.text, severity);
    event.key_guessed = key_from == "default: guessed";
    event.client = Some(META.name.to_owned());
    event.client_url = read::owned(body, "ruleUrl").filter(|url| read::is_web_address(url));
    labels::push_link(&mut event.links, read::field(body, "ruleUrl"), "Rule");
    event.images = images(body, "imageUrl");
    event.custom_details = Some(body.clone());
    let action_from = if state.is_some() { "state" } else { "default: trigger" };
    let origin = Origin {
        at: String::new(),
        action: action_from.into(),
        dedup_key: key_from.into(),
        summary: summary.path.into(),
        source: source.path.into(),
        severity: severity_from.into(),
    };
    Ok(Normalised::one(Item::event(event, origin)))
}

/// `rule:` and the rule's id, within its organisation where one is named; else the rule's name.
fn dashboard_key(body: &Value) -> Option<(DedupKey, &'static str)> {
    let scalar = |name: &str| body.get(name).and_then(read::scalar).filter(|text| !text.trim().is_empty());
    if let Some(rule) = scalar("ruleId") {
        let (text, from) = match scalar("orgId") {
            Some(org) => (format!("org:{org}:rule:{rule}"), "orgId, ruleId"),
            None => (format!("rule:{rule}"), "ruleId"),
        };
        return Some((DedupKey::lenient(&text)?, from));
    }
    Some((DedupKey::lenient(&format!("rule-name:{}", scalar("ruleName")?))?, "ruleName"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options() {
        let compiled =
            Grafana.compile(&json!({"noData": "ignore", "signatureHeader": "X-Sig", "timestamp_header": "X-Time"})).unwrap();
        let options = compiled.get::<Options>().unwrap();
        assert_eq!(options.no_data, NoData::Ignore);
        assert_eq!((options.signature_header.as_deref(), options.timestamp_header.as_deref()), (Some("x-sig"), Some("x-time")));
        let problems = Grafana.compile(&json!({"nodata": "ignore", "signatureHeader": "a b", "noData": 1})).err().unwrap();
        let texts: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.option, problem.problem)).collect();
        assert_eq!(
            texts,
            [
                "noData: must be `trigger` or `ignore`",
                "nodata: unknown option; did you mean `noData`?",
                "signatureHeader: must be the name of a header",
            ]
        );
    }
}
