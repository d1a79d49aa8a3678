//! A message under Coroot's names, so that templates written for its webhook work as they are.
//!
//! <https://docs.coroot.com/alerting/webhook>: `IncidentTemplateValues`, `AlertTemplateValues`, `DeploymentTemplateValues`, and what
//! `{{ json . }}` makes of them. An incident that came from Coroot shows what Coroot said; any other is told in its terms. Where it stands
//! is always as Callbox has it. Coroot has an incident or an alert, and a template for each; here both sets of names are always there.

use std::borrow::Cow;

use gotmpl::Value;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::value::{Written, list, map, text};
use crate::delivery::message::{Change, Incident, Named};
use crate::event::Severity;
use crate::incident::Status;
use crate::provider::read;

/// The type of integration by which Coroot's own come.
const COROOT: &str = "coroot";

/// What `{{ json . }}` writes, member by member as Coroot does.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Document<'a> {
    Incident {
        status: &'static str,
        application: Application<'a>,
        reports: Option<Vec<Report<'a>>>,
        url: Cow<'a, str>,
        #[serde(skip_serializing_if = "str::is_empty")]
        rca_summary: Cow<'a, str>,
        #[serde(skip_serializing_if = "str::is_empty")]
        rca_remediations: Cow<'a, str>,
    },
    Alert {
        status: &'static str,
        project_name: Cow<'a, str>,
        application: Application<'a>,
        rule_name: Cow<'a, str>,
        severity: &'static str,
        summary: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        details: Vec<Detail<'a>>,
        #[serde(skip_serializing_if = "str::is_empty")]
        duration: Cow<'a, str>,
        #[serde(skip_serializing_if = "str::is_empty")]
        resolved_by: Cow<'a, str>,
        url: Cow<'a, str>,
    },
    Deployment {
        status: Cow<'a, str>,
        application: Application<'a>,
        version: Cow<'a, str>,
        summary: Option<Vec<Cow<'a, str>>>,
        url: Cow<'a, str>,
    },
}

/// `namespace:Kind:name`, in newer versions after `cluster:`.
#[derive(Clone)]
pub(super) struct Application<'a> {
    whole: Cow<'a, str>,
    namespace: Cow<'a, str>,
    kind: Cow<'a, str>,
    name: Cow<'a, str>,
}

#[derive(Clone, Serialize)]
pub(super) struct Report<'a> {
    name: Cow<'a, str>,
    check: Cow<'a, str>,
    message: Cow<'a, str>,
}

#[derive(Clone, Serialize)]
pub(super) struct Detail<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

/// Adds an incident's names to `root`; what `{{ json . }}` writes.
pub(super) fn of_incident<'a>(
    incident: &'a Incident,
    details: Option<&'a Json>,
    root: &mut Vec<(&'static str, Value)>,
    written: &mut Written,
) -> Document<'a> {
    let ours = incident.integration.kind.as_deref() == Some(COROOT);
    let said = details.filter(|_| ours);
    let field = |name: &str| said.and_then(|said| read::field(said, name)).unwrap_or_default();
    let or = |name: &str, otherwise: &'a str| said.and_then(|said| read::field(said, name)).unwrap_or(Cow::Borrowed(otherwise));
    let over = incident.status == Status::Resolved;

    let status = status(incident);
    let application = match said.and_then(stated).or_else(|| ours.then_some(Cow::Borrowed(&*incident.source))) {
        Some(whole) => Application::read(whole),
        None => Application::made(&incident.service, &incident.integration, Some(&incident.source)),
    };
    let title = incident.title.strip_prefix(&*application.whole).and_then(|rest| rest.strip_prefix(": ")).filter(|_| ours);
    let title = title.unwrap_or(&incident.title);
    let class = incident.class.as_deref();
    let reports = if over { Vec::new() } else { reports(incident, said, title) };
    let url =
        said.and_then(|said| read::field(said, "url")).filter(|url| read::is_web_address(url)).unwrap_or_else(|| page(incident));
    let (rca_summary, rca_remediations) = (field("rca_summary"), field("rca_remediations"));
    let project_name = or("project_name", incident.group.as_deref().filter(|_| ours).unwrap_or(&incident.service.name));
    let rule_name = or("rule_name", class.unwrap_or(title));
    let severity = severity(incident.severity);
    let summary = or("summary", title);
    let details = said.map(stated_details).unwrap_or_default();
    let duration = if over { field("duration") } else { Cow::default() };
    let resolved_by = Cow::Borrowed(incident.resolved_by.as_deref().unwrap_or_default());

    root.extend([
        ("Status", text(status)),
        ("Application", application.shown(written)),
        ("Reports", list(reports.iter().map(|report| report.shown(written)))),
        ("URL", text(&url)),
        ("RCASummary", text(&rca_summary)),
        ("RCARemediations", text(&rca_remediations)),
        ("ProjectName", text(&project_name)),
        ("RuleName", text(&rule_name)),
        ("Severity", text(severity)),
        ("Summary", text(&summary)),
        ("Details", list(details.iter().map(|detail| detail.shown(written)))),
        ("Duration", text(&duration)),
        ("ResolvedBy", text(&resolved_by)),
    ]);
    if said.is_some_and(|said| read::field(said, "rule_name").is_some()) {
        return Document::Alert {
            status,
            project_name,
            application,
            rule_name,
            severity,
            summary,
            details,
            duration,
            resolved_by,
            url,
        };
    }
    let reports = Some(reports).filter(|reports| !reports.is_empty());
    Document::Incident { status, application, reports, url, rca_summary, rca_remediations }
}

/// Adds a change's names to `root`, as those of a deployment; what `{{ json . }}` writes.
pub(super) fn of_change<'a>(change: &'a Change, root: &mut Vec<(&'static str, Value)>, written: &mut Written) -> Document<'a> {
    let ours = change.integration.kind.as_deref() == Some(COROOT);
    let details = change.custom_details.as_ref();
    let said = details.filter(|_| ours);
    let status = said.and_then(|said| read::field(said, "status")).unwrap_or(Cow::Borrowed("Deployed"));
    let stated = said.and_then(stated).or_else(|| change.source.as_deref().filter(|_| ours).map(Cow::Borrowed));
    let application = match stated {
        Some(whole) => Application::read(whole),
        None => Application::made(&change.service, &change.integration, change.source.as_deref()),
    };
    let version = details.and_then(|details| read::field(details, "version")).unwrap_or_default();
    let summary: Vec<Cow<'_, str>> = match said {
        Some(said) => said.get("summary").and_then(Json::as_array).into_iter().flatten().filter_map(read::text).collect(),
        None => vec![Cow::Borrowed(&change.summary)],
    };
    let first_link = || change.links.first().map(|link| Cow::Borrowed(&*link.href));
    let url = said.and_then(|said| read::field(said, "url")).or_else(first_link).unwrap_or_default();
    root.extend([
        ("Status", text(&status)),
        ("Application", application.shown(written)),
        ("Version", text(&version)),
        ("Summary", list(summary.iter().map(|line| text(line)))),
        ("URL", text(&url)),
    ]);
    let summary = Some(summary).filter(|summary| !summary.is_empty());
    Document::Deployment { status, application, version, summary, url }
}

fn status(incident: &Incident) -> &'static str {
    match (incident.status, incident.severity) {
        (Status::Resolved, _) => "OK",
        (_, Severity::Critical | Severity::Error) => "CRITICAL",
        (_, Severity::Warning) => "WARNING",
        (_, Severity::Info) => "INFO",
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Error => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// The incident's page, with its id where Coroot has that of its own: what makes two of them two.
fn page(incident: &Incident) -> Cow<'_, str> {
    let url = incident.url.as_deref().unwrap_or_default();
    let (page, place) = url.split_once('#').map_or((url, String::new()), |(page, place)| (page, format!("#{place}")));
    let sign = if page.contains('?') { '&' } else { '?' };
    Cow::Owned(format!("{page}{sign}incident={}{place}", incident.id))
}

/// Those that Coroot stated; else one, of what there is.
fn reports<'a>(incident: &'a Incident, said: Option<&'a Json>, title: &'a str) -> Vec<Report<'a>> {
    let field = |report: &'a Json, name: &str| read::field(report, name).unwrap_or_default();
    let stated = said.and_then(|said| said.get("reports")).and_then(Json::as_array).into_iter().flatten();
    let stated = stated.filter(|report| report.is_object());
    let stated = stated.map(|report| Report {
        name: field(report, "name"),
        check: field(report, "check"),
        message: field(report, "message"),
    });
    let mut reports: Vec<Report<'a>> = stated.collect();
    if reports.is_empty() {
        let name = incident.component.as_deref().or(incident.group.as_deref()).unwrap_or(&incident.integration.name);
        let check = incident.class.as_deref().unwrap_or(incident.severity.as_str());
        reports.push(Report { name: name.into(), check: check.into(), message: title.into() });
    }
    reports
}

fn stated_details(said: &Json) -> Vec<Detail<'_>> {
    let details = said.get("details").and_then(Json::as_array).into_iter().flatten();
    let field = |detail, name| read::field(detail, name).unwrap_or_default();
    details
        .filter(|detail| detail.is_object())
        .map(|one| Detail { name: field(one, "name"), value: field(one, "value") })
        .collect()
}

/// The application that Coroot stated: a text, or an object that a template of the user's built.
fn stated(said: &Json) -> Option<Cow<'_, str>> {
    let application = said.get("application")?;
    if let Some(text) = read::text(application) {
        return Some(text);
    }
    let part = |names: &[&'static str]| read::first(application, names).map(|found| found.text);
    let parts = [part(&["namespace", "Namespace"]), part(&["kind", "Kind"]), part(&["name", "Name"])];
    let joined = parts.iter().flatten().map(Cow::as_ref).collect::<Vec<_>>().join(":");
    (!joined.is_empty()).then_some(Cow::Owned(joined))
}

impl<'a> Application<'a> {
    /// As Coroot reads it: a name may hold colons where there is no cluster before it.
    fn read(whole: Cow<'a, str>) -> Self {
        let parts: Vec<&str> = whole.splitn(4, ':').collect();
        let (namespace, kind, name) = match parts.as_slice() {
            ["external", kind, name, rest] if *kind != "external" => ("external", *kind, format!("{name}:{rest}")),
            [_, namespace, kind, name] | [namespace, kind, name] => (*namespace, *kind, (*name).to_owned()),
            _ => ("", "", whole.to_string()),
        };
        let (namespace, kind, name) = (namespace.to_owned().into(), kind.to_owned().into(), name.into());
        Self { namespace, kind, name, whole }
    }

    /// What is affected of which service, by which kind of integration.
    fn made(service: &'a Named, integration: &'a Named, source: Option<&'a str>) -> Self {
        let (namespace, name) = (service.name.as_str(), source.unwrap_or(&service.name));
        let kind = integration.kind.as_deref().unwrap_or("Service");
        let whole = Cow::Owned(format!("{namespace}:{kind}:{name}"));
        Self { namespace: namespace.into(), kind: kind.into(), name: name.into(), whole }
    }

    fn shown(&self, written: &mut Written) -> Value {
        let members = [("Namespace", text(&self.namespace)), ("Kind", text(&self.kind)), ("Name", text(&self.name))];
        written.with(map(members), self)
    }
}

impl Serialize for Application<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.whole)
    }
}

impl Report<'_> {
    fn shown(&self, written: &mut Written) -> Value {
        let members = [("Name", text(&self.name)), ("Check", text(&self.check)), ("Message", text(&self.message))];
        written.with(map(members), self)
    }
}

impl Detail<'_> {
    fn shown(&self, written: &mut Written) -> Value {
        written.with(map([("Name", text(&self.name)), ("Value", text(&self.value))]), self)
    }
}
