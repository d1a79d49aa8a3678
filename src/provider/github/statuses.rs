//! Statuses: of commits, as other CI reports them; of deployments; and of the builds of pages.

use std::borrow::Cow;

use serde_json::Value;

use super::runs::Report;
use super::{Context, Said};
use crate::event::Action;
use crate::provider::forge::{NOT_LISTED, Words, first_line};
use crate::provider::{key, read};

/// <https://docs.github.com/en/rest/deployments/statuses>: `state`.
static DEPLOYMENTS: Words = Words {
    failed: &["failure", "error"],
    passed: &["success"],
    nothing: &["inactive", "in_progress", "queued", "pending", "waiting"],
};
/// <https://docs.github.com/en/rest/commits/statuses>: `state`.
static STATUSES: Words = Words { failed: &["failure", "error"], passed: &["success"], nothing: &["pending"] };
/// <https://docs.github.com/en/rest/pages/pages>: a build's `status`.
static PAGES: Words = Words { failed: &["errored"], passed: &["built"], nothing: &["building", "null"] };

pub(super) fn deployment(context: &Context<'_>, status: &Value) -> Said {
    let body = context.body;
    let environment =
        read::field(status, "environment").or_else(|| read::field(body, "deployment.environment")).unwrap_or_default();
    let repository = context.repository().0;
    let report = Report {
        class: "deployment_status",
        state: read::field(status, "state").ok_or("the deployment has no state")?,
        words: &DEPLOYMENTS,
        state_from: "deployment_status.state",
        key: (
            key::of("deployment", &[repository.as_ref(), environment.as_ref()]),
            "repository.full_name, deployment.environment",
        ),
        what: if environment.is_empty() { "Deployment".to_owned() } else { format!("Deployment to {environment}") },
        on: None,
        text: read::field(status, "description").map(|text| first_line(&text).to_owned()),
    };
    let mut mapped = report.mapped(context)?;
    mapped.event.group = (!environment.is_empty()).then(|| environment.into_owned());
    mapped.event.component = read::owned(body, "deployment.ref");
    mapped.link(status, &["log_url", "target_url"], "Log");
    mapped.link(status, &["environment_url"], "Environment");
    mapped.link(body, &["workflow_run.html_url"], "Workflow run");
    Ok((mapped, Vec::new()))
}

/// A status is of a commit, which may be on ten branches: a failure opens one incident, on the default branch where that is among
/// them; a success ends those of all.
pub(super) fn status(context: &Context<'_>) -> Said {
    let body = context.body;
    let (name, repository) = (read::field(body, "context").unwrap_or_default(), context.repository().0);
    let on = |branch: &str| key::of("status", &[repository.as_ref(), name.as_ref(), branch]);
    let listed = body.get("branches").and_then(Value::as_array).into_iter().flatten();
    let mut branches: Vec<Cow<'_, str>> = listed.filter_map(|branch| read::field(branch, "name")).collect();
    let known = !branches.is_empty();
    branches.retain(|branch| context.allows(branch));
    if branches.is_empty() && (known || !context.allows("")) {
        return Err(NOT_LISTED.into());
    }
    let default = read::field(body, "repository.default_branch");
    let first = branches.iter().position(|branch| Some(branch) == default.as_ref()).unwrap_or(0);
    let branch = if branches.is_empty() { None } else { Some(branches.remove(first)) };
    let report = Report {
        class: "status",
        state: read::field(body, "state").ok_or("the status has no state")?,
        words: &STATUSES,
        state_from: "state",
        key: (on(branch.as_deref().unwrap_or_default()), "repository.full_name, context, branches"),
        what: format!("Status {name}"),
        on: branch.map(Cow::into_owned),
        text: read::owned(body, "description"),
    };
    let mut mapped = report.mapped(context)?;
    mapped.event.component = (!name.is_empty()).then(|| name.clone().into_owned());
    mapped.link(body, &["target_url", "commit.html_url"], "Status");
    mapped.since(read::at(body, "updated_at").or_else(|| read::at(body, "created_at")), context.request);
    let also = branches.iter().map(|branch| on(branch)).filter(|_| mapped.event.action == Action::Resolve).collect();
    Ok((mapped, also))
}

pub(super) fn pages(context: &Context<'_>, build: &Value) -> Said {
    let repository = context.repository().0;
    let report = Report {
        class: "page_build",
        state: read::field(build, "status").ok_or("the build has no status")?,
        words: &PAGES,
        state_from: "build.status",
        key: (key::of("pages", &[repository.as_ref()]), "repository.full_name"),
        what: "Build of the pages".to_owned(),
        on: None,
        text: read::owned(build, "error.message"),
    };
    let mut mapped = report.mapped(context)?;
    mapped.link(context.body, &["repository.html_url"], "Repository");
    Ok((mapped, Vec::new()))
}
