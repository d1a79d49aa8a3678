//! Runs of workflows, jobs and checks.
//!
//! Order. A workflow's runs for pushes, and those for pull requests, are one after another: `created_at` is a run's place among them, the
//! same for all of its attempts, so an older run that fails late says nothing about the branch that a newer one has found good
//! (<https://docs.github.com/en/rest/actions/workflow-runs>). The two have keys of their own, because they test different trees. Runs
//! started by hand, by a timer or by another event may each do something else; so may deployments of one environment, jobs (which do not
//! say what started them) and the checks of GitHub Actions: of these the later report counts.

use std::borrow::Cow;

use serde_json::Value;

use super::{Context, META, Said, details};
use crate::event::{Action, DedupKey, Severity};
use crate::provider::alert::Alert;
use crate::provider::forge::{NOT_LISTED, Words, first_line};
use crate::provider::{Mapped, key, read};

/// <https://docs.github.com/en/rest/checks/runs>: `conclusion`.
static CONCLUSIONS: Words = Words {
    failed: &["failure", "timed_out", "startup_failure"],
    passed: &["success"],
    nothing: &["cancelled", "skipped", "neutral", "stale", "action_required"],
};
/// What all of these report.
pub(super) struct Report<'a> {
    pub(super) class: &'static str,
    pub(super) state: Cow<'a, str>,
    pub(super) words: &'static Words,
    pub(super) state_from: &'static str,
    pub(super) key: (DedupKey, &'static str),
    /// What ran: `Workflow CI`.
    pub(super) what: String,
    /// What it ran on: `main`, `production`.
    pub(super) on: Option<String>,
    /// What else is said.
    pub(super) text: Option<String>,
}

impl Report<'_> {
    /// The event, or why there is none.
    pub(super) fn mapped(self, context: &Context<'_>) -> Result<Mapped, Cow<'static, str>> {
        let action = self.words.action(&self.state)?;
        let on = self.on.as_deref().map(|on| format!(" on {on}")).unwrap_or_default();
        let text = self.text.map(|text| format!(": {text}")).unwrap_or_default();
        let source = context.repository();
        let summary = format!("{} {}{on}{text}", self.what, verb(&self.state, action));
        let mut mapped = Alert {
            tool: META.name,
            action: (action, self.state_from),
            key: self.key,
            summary: (summary, self.class),
            source,
            severity: (Severity::Error, "default: error"),
        }
        .mapped();
        mapped.event.class = Some(self.class.to_owned());
        mapped.event.group = self.on;
        mapped.event.custom_details = Some(details(context));
        Ok(mapped)
    }
}

fn verb(state: &str, action: Action) -> &'static str {
    match (action, state) {
        (Action::Resolve, _) => "succeeded",
        (_, "timed_out") => "timed out",
        (_, "startup_failure") => "did not start",
        _ => "failed",
    }
}

/// Whether this is the end of a run; also where nothing says what it is.
fn is_over(context: &Context<'_>, run: &Value) -> Result<(), Cow<'static, str>> {
    match context.action().as_str() {
        "" | "completed" => Ok(()),
        // A check can be over when it is made.
        "created" if read::field(run, "status").is_some_and(|status| status.eq_ignore_ascii_case("completed")) => Ok(()),
        _ => Err("the run is not over".into()),
    }
}

fn conclusion<'a>(run: &'a Value) -> Result<Cow<'a, str>, Cow<'static, str>> {
    read::field(run, "conclusion").ok_or(Cow::Borrowed("the run has no conclusion"))
}

/// The branch of a run, with its owner in front where that is not the repository's: two branches called `main` are not one.
fn branch<'a>(context: &Context<'_>, run: &'a Value) -> Option<Cow<'a, str>> {
    let branch = read::field(run, "head_branch")?;
    let (head, own) = (read::field(run, "head_repository.full_name"), read::field(context.body, "repository.full_name"));
    match head.zip(own).filter(|(head, own)| head != own && !read::unexpanded(head)) {
        Some((head, _)) => Some(format!("{}:{branch}", head.split('/').next().unwrap_or_default()).into()),
        None => Some(branch),
    }
}

pub(super) fn workflow(context: &Context<'_>, run: &Value) -> Said {
    is_over(context, run)?;
    let branch = branch(context, run);
    if !context.allows(branch.as_deref().unwrap_or_default()) {
        return Err(NOT_LISTED.into());
    }
    let (body, repository) = (context.body, context.repository().0);
    let name = read::field(run, "name").or_else(|| read::field(body, "workflow.name")).or_else(|| read::field(run, "path"));
    let id = read::field(run, "workflow_id").or_else(|| read::field(body, "workflow.id")).or_else(|| name.clone());
    let event = read::field(run, "event").unwrap_or_default().to_ascii_lowercase();
    let pull_request = event.starts_with("pull_request");
    let mut parts = vec![repository.as_ref(), id.as_deref().unwrap_or_default(), branch.as_deref().unwrap_or_default()];
    parts.extend(pull_request.then_some("pull_request"));
    let report = Report {
        class: "workflow_run",
        state: conclusion(run)?,
        words: &CONCLUSIONS,
        state_from: "workflow_run.conclusion",
        key: (key::of("workflow", &parts), "repository.full_name, workflow_run.workflow_id, workflow_run.head_branch"),
        what: format!("Workflow {}", name.as_deref().unwrap_or("run")),
        on: branch.as_deref().map(str::to_owned),
        text: read::field(run, "display_title")
            .or_else(|| read::field(run, "head_commit.message"))
            .map(|text| first_line(&text).to_owned())
            .filter(|text| Some(text.as_str()) != name.as_deref()),
    };
    let mut mapped = report.mapped(context)?;
    mapped.event.component = name.map(Cow::into_owned);
    mapped.link(run, &["html_url"], "Workflow run");
    if event == "push" || pull_request {
        mapped.since(run.get("created_at"), context.request);
    }
    Ok((mapped, Vec::new()))
}

pub(super) fn job(context: &Context<'_>, job: &Value) -> Said {
    is_over(context, job)?;
    let branch = branch(context, job);
    if !context.allows(branch.as_deref().unwrap_or_default()) {
        return Err(NOT_LISTED.into());
    }
    let (workflow, name) = (read::field(job, "workflow_name").unwrap_or_default(), read::field(job, "name").unwrap_or_default());
    let repository = context.repository().0;
    let parts = [repository.as_ref(), workflow.as_ref(), name.as_ref(), branch.as_deref().unwrap_or_default()];
    let report = Report {
        class: "workflow_job",
        state: conclusion(job)?,
        words: &CONCLUSIONS,
        state_from: "workflow_job.conclusion",
        key: (
            key::of("job", &parts),
            "repository.full_name, workflow_job.workflow_name, workflow_job.name, workflow_job.head_branch",
        ),
        what: if workflow.is_empty() { format!("Job {name}") } else { format!("Job {workflow} / {name}") },
        on: branch.as_deref().map(str::to_owned),
        text: None,
    };
    let mut mapped = report.mapped(context)?;
    mapped.event.component = (!name.is_empty()).then(|| name.into_owned());
    mapped.link(job, &["html_url"], "Job");
    Ok((mapped, Vec::new()))
}

pub(super) fn check(context: &Context<'_>, check: &Value) -> Said {
    is_over(context, check)?;
    let suite = check.get("check_suite").unwrap_or(&Value::Null);
    // That of a fork is null.
    let branch = read::field(suite, "head_branch");
    if !context.allows(branch.as_deref().unwrap_or_default()) {
        return Err(NOT_LISTED.into());
    }
    let (app, name) = (app(check), read::field(check, "name").unwrap_or_default());
    let repository = context.repository().0;
    let parts = [repository.as_ref(), app.as_ref(), name.as_ref(), branch.as_deref().unwrap_or_default()];
    let report = Report {
        class: "check_run",
        state: conclusion(check)?,
        words: &CONCLUSIONS,
        state_from: "check_run.conclusion",
        key: (key::of("check", &parts), "repository.full_name, check_run.app, check_run.name, check_run.check_suite.head_branch"),
        what: format!("Check {name}"),
        on: branch.as_deref().map(str::to_owned),
        text: read::field(check, "output.title").map(|title| first_line(&title).to_owned()),
    };
    let mut mapped = report.mapped(context)?;
    mapped.event.component = (!name.is_empty()).then(|| name.into_owned());
    mapped.link(check, &["html_url", "details_url"], "Check");
    if !is_of_actions(check) {
        mapped.since(suite.get("created_at"), context.request);
    }
    Ok((mapped, Vec::new()))
}

pub(super) fn suite(context: &Context<'_>, suite: &Value) -> Said {
    is_over(context, suite)?;
    let branch = read::field(suite, "head_branch");
    if !context.allows(branch.as_deref().unwrap_or_default()) {
        return Err(NOT_LISTED.into());
    }
    let (app, repository) = (app(suite), context.repository().0);
    let parts = [repository.as_ref(), app.as_ref(), branch.as_deref().unwrap_or_default()];
    let report = Report {
        class: "check_suite",
        state: conclusion(suite)?,
        words: &CONCLUSIONS,
        state_from: "check_suite.conclusion",
        key: (key::of("suite", &parts), "repository.full_name, check_suite.app, check_suite.head_branch"),
        what: format!("Checks of {}", read::field(suite, "app.name").as_deref().unwrap_or(&app)),
        on: branch.as_deref().map(str::to_owned),
        text: read::field(suite, "head_commit.message").map(|text| first_line(&text).to_owned()),
    };
    let mut mapped = report.mapped(context)?;
    mapped.link(context.body, &["repository.html_url"], "Repository");
    if !is_of_actions(suite) {
        mapped.since(suite.get("created_at"), context.request);
    }
    Ok((mapped, Vec::new()))
}

/// What tells apps apart; older bodies have no slug.
fn app(check: &Value) -> Cow<'_, str> {
    read::first(check, &["app.id", "app.slug", "app.name"]).map(|found| found.text).unwrap_or_default()
}

/// Whether this is of GitHub Actions, whose suites for pushes and pull requests of one branch look the same.
fn is_of_actions(check: &Value) -> bool {
    read::field(check, "app.slug").is_some_and(|slug| slug == "github-actions")
        || read::field(check, "app.id").is_some_and(|id| id == "15368")
}
