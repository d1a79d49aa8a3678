//! Pipelines, jobs and deployments.
//!
//! Order. Pipelines of pushes to a branch, and those of one merge request, are one after another: `created_at` is a pipeline's place among them, the
//! same when its jobs are retried, so an older pipeline that fails late says nothing about the branch that a newer one has found good
//! (<https://docs.gitlab.com/user/project/integrations/webhook_events/#pipeline-events>). Pipelines of tags, and those started by a
//! schedule, by hand, by the API or by another pipeline may each do something else, and jobs do not say what started them: of these the later report counts.
//!
//! A child pipeline that fails is an incident of its own. That another child goes through says nothing about it; that its branch's next
//! whole pipeline does, ends it.

use std::borrow::Cow;

use serde_json::Value;

use super::{Context, META, Said, moment};
use crate::event::{Action, DedupKey, SUMMARY_MAX, Severity, clip};
use crate::provider::alert::Alert;
use crate::provider::forge::{NOT_LISTED, Words};
use crate::provider::{Mapped, Normalised, key, read};

/// <https://docs.gitlab.com/api/pipelines/>, <https://docs.gitlab.com/api/jobs/>: `status`.
static STATUSES: Words = Words {
    failed: &["failed"],
    passed: &["success", "passed"],
    nothing: &[
        "canceled",
        "canceling",
        "cancelled",
        "skipped",
        "manual",
        "created",
        "pending",
        "running",
        "preparing",
        "waiting_for_resource",
        "waiting_for_callback",
        "scheduled",
        "blocked",
    ],
};

/// What all of these report.
struct Report<'a> {
    class: &'static str,
    state: Cow<'a, str>,
    state_from: &'static str,
    key: (DedupKey, &'static str),
    what: String,
    on: Option<&'a str>,
    text: Option<String>,
}

impl Report<'_> {
    fn mapped(self, context: &Context<'_>) -> Result<Mapped, Cow<'static, str>> {
        let action = STATUSES.action(&self.state)?;
        let on = self.on.map(|on| format!(" on {on}")).unwrap_or_default();
        let verb = if action == Action::Resolve { "succeeded" } else { "failed" };
        let text = self.text.filter(|_| action == Action::Trigger).map(|text| format!(": {text}")).unwrap_or_default();
        let mut mapped = Alert {
            tool: META.name,
            action: (action, self.state_from),
            key: self.key,
            summary: (format!("{} {verb}{on}{text}", self.what), self.class),
            source: context.source(),
            severity: (Severity::Error, "default: error"),
        }
        .mapped();
        mapped.event.class = Some(self.class.to_owned());
        mapped.event.group = self.on.map(str::to_owned);
        mapped.event.custom_details = Some(context.details());
        Ok(mapped)
    }
}

/// Whether what ran is a tag; those follow one another, each under a name of its own.
fn is_tag(body: &Value, path: &str) -> bool {
    read::field(body, path).is_some_and(|tag| tag == "true")
}

pub(super) fn pipeline(context: &Context<'_>) -> Said {
    let body = context.body;
    let state = read::field(body, "object_attributes.status").ok_or("the pipeline has no status")?;
    let (branch, project) = (read::field(body, "object_attributes.ref").unwrap_or_default(), context.project().0);
    if !context.allows(&branch) {
        return Err(NOT_LISTED.into());
    }
    let source = context.word("object_attributes.source");
    let request = read::field(body, "merge_request.iid").filter(|_| source == "merge_request_event");
    let key = |parts: &[&str]| key::of("pipeline", &[&[project.as_ref()], parts].concat());
    let (own, also) = match (&request, source.as_str()) {
        (Some(iid), _) => (key(&["", "merge_request", iid.as_ref()]), None),
        (None, "parent_pipeline") => (key(&[branch.as_ref(), "child"]), None),
        (None, _) if is_tag(body, "object_attributes.tag") => (key(&["", "tag"]), None),
        (None, "schedule") => (key(&[branch.as_ref(), "schedule"]), None),
        (None, _) => (key(&[branch.as_ref()]), Some(key(&[branch.as_ref(), "child"]))),
    };
    let report = Report {
        class: "pipeline",
        state,
        state_from: "object_attributes.status",
        key: (own, "project.id, object_attributes.ref, object_attributes.source"),
        what: match read::field(body, "object_attributes.name") {
            Some(name) => format!("Pipeline {name}"),
            None => "Pipeline".to_owned(),
        },
        on: (!branch.is_empty()).then_some(branch.as_ref()),
        text: failed_jobs(body),
    };
    let mut mapped = report.mapped(context)?;
    if source == "parent_pipeline" && mapped.event.action == Action::Resolve {
        return Err("a child pipeline went through, which says nothing about its siblings".into());
    }
    mapped.event.component = request.map(|iid| format!("!{iid}"));
    link(&mut mapped, body);
    mapped.link(body, &["merge_request.url"], "Merge request");
    if matches!(source.as_str(), "push" | "merge_request_event") && !is_tag(body, "object_attributes.tag") {
        mapped.since(read::at(body, "object_attributes.created_at").and_then(moment).as_ref(), context.request);
    }
    let child = also.filter(|_| mapped.event.action == Action::Resolve).map(|key| {
        let mut child = mapped.clone();
        // A child began after the pipeline that it belongs to.
        child.event.occurred_at = None;
        child.event.dedup_key = key;
        child
    });
    Ok((mapped, child))
}

/// The names of the jobs that failed and may not.
fn failed_jobs(body: &Value) -> Option<String> {
    let jobs = body.get("builds")?.as_array()?.iter();
    let failed = jobs.filter(|job| {
        let is = |name: &str, word: &str| read::field(job, name).is_some_and(|text| text.eq_ignore_ascii_case(word));
        is("status", "failed") && !is("allow_failure", "true")
    });
    let names: Vec<_> = failed.filter_map(|job| read::field(job, "name")).take(5).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A pipeline's page; older bodies do not say where it is.
fn link(mapped: &mut Mapped, body: &Value) {
    let made = read::field(body, "project.web_url").zip(read::field(body, "object_attributes.id"));
    let made = made.map(|(project, id)| Value::String(format!("{project}/-/pipelines/{id}")));
    match read::field(body, "object_attributes.url") {
        Some(_) => mapped.link(body, &["object_attributes.url"], "Pipeline"),
        None => mapped.link(&serde_json::json!({ "url": made }), &["url"], "Pipeline"),
    }
}

pub(super) fn job(context: &Context<'_>) -> Said {
    let body = context.body;
    let state = read::field(body, "build_status").ok_or("the job has no status")?;
    let (branch, project) = (read::field(body, "ref").unwrap_or_default(), context.project().0);
    if !context.allows(&branch) {
        return Err(NOT_LISTED.into());
    }
    let may_fail = read::field(body, "build_allow_failure").is_some_and(|may| may == "true");
    if may_fail && STATUSES.action(&state) == Ok(Action::Trigger) {
        return Err("the job may fail".into());
    }
    let name = read::field(body, "build_name").unwrap_or_default();
    let parts: &[&str] = if is_tag(body, "tag") { &["", "tag"] } else { &[branch.as_ref()] };
    let report = Report {
        class: "job",
        state,
        state_from: "build_status",
        key: (key::of("job", &[&[project.as_ref(), name.as_ref()], parts].concat()), "project_id, build_name, ref"),
        what: format!("Job {name}"),
        on: (!branch.is_empty()).then_some(branch.as_ref()),
        text: read::owned(body, "build_failure_reason").filter(|reason| reason != "unknown_failure"),
    };
    let mut mapped = report.mapped(context)?;
    mapped.event.component = (!name.is_empty()).then(|| name.into_owned());
    let page = read::first(body, &["repository.homepage", "project.web_url"]).zip(read::field(body, "build_id"));
    let page = page.map(|(project, id)| format!("{}/-/jobs/{id}", project.text));
    mapped.link(&serde_json::json!({ "url": page }), &["url"], "Job");
    Ok((mapped, None))
}

pub(super) fn deployment(context: &Context<'_>) -> Said {
    let body = context.body;
    let environment = read::field(body, "environment").unwrap_or_default();
    let project = context.project().0;
    let report = Report {
        class: "deployment",
        state: read::field(body, "status").ok_or("the deployment has no status")?,
        state_from: "status",
        key: (key::of("deployment", &[project.as_ref(), environment.as_ref()]), "project.id, environment"),
        what: if environment.is_empty() { "Deployment".to_owned() } else { format!("Deployment to {environment}") },
        on: None,
        text: read::owned(body, "commit_title"),
    };
    let mut mapped = report.mapped(context)?;
    mapped.event.group = (!environment.is_empty()).then(|| environment.into_owned());
    mapped.event.component = read::owned(body, "ref");
    mapped.link(body, &["deployable_url"], "Job");
    mapped.link(body, &["environment_external_url"], "Environment");
    mapped.link(body, &["commit_url"], "Commit");
    Ok((mapped, None))
}

/// Of a merge request only its end counts: nobody will repair its pipeline.
pub(super) fn merge_request(context: &Context<'_>) -> Normalised {
    let body = context.body;
    let over = matches!(context.word("object_attributes.action").as_str(), "merge" | "close");
    let Some(iid) = read::field(body, "object_attributes.iid").filter(|_| over) else {
        return Normalised::ignored("the event `merge_request` reports no state");
    };
    let (iid, project) = (iid.as_ref(), context.project().0);
    let report = Report {
        class: "pipeline",
        state: "success".into(),
        state_from: "object_attributes.action",
        key: (key::of("pipeline", &[project.as_ref(), "", "merge_request", iid]), "project.id, object_attributes.iid"),
        what: String::new(),
        on: None,
        text: None,
    };
    let mut if_open: Vec<Mapped> = report.mapped(context).into_iter().collect();
    for mapped in &mut if_open {
        mapped.event.summary = clip(&format!("Merge request !{iid} is over"), SUMMARY_MAX).into_owned();
    }
    Normalised { if_open, note: Some("the merge request is over".into()), ..Normalised::default() }
}
