//! Azure DevOps service hooks: builds, runs of pipelines with their stages and jobs, and deployments of releases.
//!
//! <https://learn.microsoft.com/en-us/azure/devops/service-hooks/events>. `eventType` names the event, `resourceVersion` the form of
//! `resource`: in 1.0 the result of a build is its `status` and its branch stands inside of `sourceGetVersion`. It cannot sign; it can
//! send Basic authentication and headers of one's own. `id` is another with each attempt by hand.
//!
//! Order. Builds of one definition on one branch are one after another by `queueTime` (in 1.0 `startTime`) where a push or a pull request
//! started them; those started by hand or by a timer may each do something else, and other events carry no such time: of these the later
//! report counts.

use std::borrow::Cow;

use serde_json::Value;

use super::alert::Alert;
use super::forge::{NOT_LISTED, Options, Words};
use super::{Clock, Compiled, Item, Mapped, Meta, Normalised, OptionProblem, Provider, Request, Resolves, Unmapped, key, read};
use crate::event::{Action, DedupKey, Severity};
use crate::signature::Scheme;

/// Azure DevOps.
pub struct AzureDevOps;

static META: Meta = Meta {
    kind: "azure-devops",
    aliases: &["azuredevops", "azure-pipelines"],
    name: "Azure DevOps",
    docs: "https://learn.microsoft.com/en-us/azure/devops/service-hooks/events",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/azure-devops.md"),
};

/// Results of builds, runs, stages, jobs and deployments. One that succeeded in part has failed in part.
static RESULTS: Words = Words {
    failed: &["failed", "partiallySucceeded", "succeededWithIssues", "rejected"],
    passed: &["succeeded"],
    nothing: &[
        "canceled",
        "cancelled",
        "stopped",
        "skipped",
        "abandoned",
        "none",
        "notStarted",
        "inProgress",
        "queued",
        "postponed",
        "completed",
        "pending",
        "waiting",
        "running",
        "scheduled",
        "cancelling",
        "undefined",
        "unknown",
    ],
};

impl Provider for AzureDevOps {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        Options::compile(options)
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let event = read::field(body, "eventType").ok_or(Unmapped::new("there is no `eventType`"))?.to_ascii_lowercase();
        let default = Options::default();
        let context = Context { body, request, options: request.options.get().unwrap_or(&default) };
        let said = match event.as_str() {
            "build.complete" => context.build(),
            "ms.vss-pipelines.run-state-changed-event" => context.part("pipeline_run", "run", "Pipeline"),
            "ms.vss-pipelines.stage-state-changed-event" => context.part("pipeline_stage", "stage", "Stage"),
            "ms.vss-pipelines.job-state-changed-event" => context.part("pipeline_job", "job", "Job"),
            "ms.vss-release.deployment-completed-event" => context.release(),
            other => Err(format!("the event `{other}` reports no state").into()),
        };
        match said {
            Ok(mapped) => Ok(Normalised::one(Item::Event(Box::new(mapped)))),
            Err(why) => Ok(Normalised::ignored(why)),
        }
    }
}

type Said = Result<Mapped, Cow<'static, str>>;

/// What an event is read from.
struct Context<'a> {
    body: &'a Value,
    request: &'a Request<'a>,
    options: &'a Options,
}

/// What all events report.
struct Report<'a> {
    class: &'static str,
    state: (Cow<'a, str>, &'static str),
    key: (DedupKey, &'static str),
    what: String,
    on: Option<String>,
    source: Option<Cow<'a, str>>,
}

impl<'a> Context<'a> {
    fn field(&self, path: &'static str) -> Option<Cow<'a, str>> {
        read::field(self.body, path)
    }

    fn first(&self, paths: &[&'static str]) -> Cow<'a, str> {
        read::first(self.body, paths).map(|found| found.text).unwrap_or_default()
    }

    /// The project, whose definitions are numbered through.
    fn project(&self) -> Cow<'a, str> {
        self.first(&[
            "resourceContainers.project.id",
            "resource.project.id",
            "resource.definition.project.id",
            "resource.project.name",
        ])
    }

    fn mapped(&self, report: Report<'_>) -> Said {
        let action = RESULTS.action(&report.state.0)?;
        let verb = match (action, report.state.0.as_ref()) {
            (Action::Resolve, _) => "succeeded",
            (_, word) if word.eq_ignore_ascii_case("partiallySucceeded") => "succeeded in part",
            (_, word) if word.eq_ignore_ascii_case("succeededWithIssues") => "succeeded with issues",
            _ => "failed",
        };
        let in_part = verb.starts_with("succeeded ");
        let severity = if in_part { (Severity::Warning, report.state.1) } else { (Severity::Error, "default: error") };
        let on = report.on.as_deref().map(|on| format!(" on {on}")).unwrap_or_default();
        let (source, from) = match report.source {
            Some(source) => (source, report.class),
            None => (META.name.into(), "default: the tool"),
        };
        let mut mapped = Alert {
            tool: META.name,
            action: (action, report.state.1),
            key: report.key,
            summary: (format!("{} {verb}{on}", report.what), report.class),
            source: (source, from),
            severity,
        }
        .mapped();
        mapped.event.class = Some(report.class.to_owned());
        mapped.event.group = report.on;
        let shown = ["eventType", "message", "resource"].into_iter();
        let shown = shown.filter_map(|name| Some((name.to_owned(), self.body.get(name)?.clone()))).collect();
        mapped.event.custom_details = Some(Value::Object(shown));
        Ok(mapped)
    }

    /// A branch by its short name; that of a pull request is `refs/pull/5/merge`.
    fn allowed(&self, branch: Option<Cow<'_, str>>) -> Result<Option<String>, Cow<'static, str>> {
        let short = branch.map(|branch| branch.strip_prefix("refs/heads/").unwrap_or(&branch).to_owned());
        let default = self.field("resource.repository.defaultBranch");
        let default = default.as_deref().map(|default| default.strip_prefix("refs/heads/").unwrap_or(default));
        if self.options.allow(short.as_deref().unwrap_or_default(), default) { Ok(short) } else { Err(NOT_LISTED.into()) }
    }

    fn build(&self) -> Said {
        const RESULT: &[&str] = &["resource.result", "resource.status"];
        let state = read::first(self.body, RESULT).ok_or("the build has no result")?;
        let branch = self.field("resource.sourceBranch").or_else(|| self.field("resource.sourceGetVersion").map(inner_branch));
        let branch = self.allowed(branch)?;
        let name = self.first(&["resource.definition.name"]);
        let id = self.first(&["resource.definition.id", "resource.definition.name"]);
        let project = self.project();
        let mut mapped = self.mapped(Report {
            class: "build",
            state: (state.text, state.path),
            key: (
                key::of("build", &[&project, &id, branch.as_deref().unwrap_or_default()]),
                "resourceContainers.project.id, resource.definition.id, resource.sourceBranch",
            ),
            what: format!("Build {}", if name.is_empty() { &id } else { &name }),
            on: branch,
            source: self.field("resource.repository.name").or_else(|| self.field("resource.definition.name")),
        })?;
        mapped.event.component = (!name.is_empty()).then(|| name.into_owned());
        mapped.link(self.body, &["resource._links.web.href", "resource.url"], "Build");
        let reason = self.first(&["resource.reason"]);
        if ["individualCI", "batchedCI", "pullRequest"].iter().any(|known| known.eq_ignore_ascii_case(&reason)) {
            let at = read::at(self.body, "resource.queueTime").or_else(|| read::at(self.body, "resource.startTime"));
            mapped.since(at, self.request);
        }
        Ok(mapped)
    }

    /// A run of a pipeline, or a stage or job of one. Some say on which branch: those of one branch are not those of another.
    fn part(&self, class: &'static str, part: &'static str, noun: &'static str) -> Said {
        let field = |name: &str| {
            let found = read::field(self.body, &format!("resource.{part}.{name}"));
            found.or_else(|| read::field(self.body, &format!("resource.{name}")).filter(|_| part == "run"))
        };
        let state = field("result").ok_or("it is not over")?;
        let (name, pipeline) =
            (field("name").unwrap_or_default(), self.first(&["resource.pipeline.name", "resource.run.pipeline.name"]));
        let id = self.first(&["resource.pipeline.id", "resource.run.pipeline.id", "resource.pipeline.name"]);
        let project = self.project();
        let branch = match self.field("resource.run.resources.repositories.self.refName") {
            Some(branch) => self.allowed(Some(branch))?,
            None => None,
        };
        let stage = self.first(&["resource.stage.name", "resource.stage.displayName"]);
        let mut parts = vec![project.as_ref(), id.as_ref()];
        let what = if part == "run" {
            format!("{noun} {pipeline}")
        } else {
            // Jobs of several stages may have one name.
            parts.extend([stage.as_ref()].into_iter().filter(|stage| part == "job" && !stage.is_empty()));
            parts.push(name.as_ref());
            format!("{noun} {pipeline} / {name}")
        };
        parts.extend(branch.as_deref());
        let mut mapped = self.mapped(Report {
            class,
            state: (state, "resource.run.result"),
            key: (key::of(class, &parts), "resourceContainers.project.id, resource.pipeline.id, its stage, job and branch"),
            what,
            on: branch.clone(),
            source: self.field("resource.pipeline.name").or_else(|| self.field("resource.run.pipeline.name")),
        })?;
        mapped.event.component = (part != "run" && !name.is_empty()).then(|| name.clone().into_owned());
        const PAGES: &[&str] = &[
            "resource.run._links.web.href",
            "resource._links.web.href",
            "resource.stage._links.web.href",
            "resource.job._links.web.href",
            "resource.runUrl",
        ];
        mapped.link(self.body, PAGES, "Run");
        Ok(mapped)
    }

    fn release(&self) -> Said {
        let state = self.field("resource.environment.status").ok_or("the deployment has no status")?;
        let environment = self.first(&["resource.environment.name"]);
        let stage = self.first(&["resource.environment.definitionEnvironmentId", "resource.environment.name"]);
        let definition = self.first(&[
            "resource.environment.releaseDefinition.id",
            "resource.environment.release.releaseDefinition.id",
            "resource.environment.releaseDefinition.name",
        ]);
        let name = self.first(&["resource.environment.releaseDefinition.name", "resource.environment.release.name"]);
        let project = self.project();
        let mut mapped = self.mapped(Report {
            class: "release",
            state: (state, "resource.environment.status"),
            key: (
                key::of("release", &[&project, &definition, &stage]),
                "resourceContainers.project.id, resource.environment.releaseDefinition.id, resource.environment.definitionEnvironmentId",
            ),
            what: format!("Deployment of {name} to {environment}"),
            on: None,
            source: (!name.is_empty()).then_some(name),
        })?;
        mapped.event.group = (!environment.is_empty()).then(|| environment.into_owned());
        mapped.link(
            self.body,
            &["resource.environment.release._links.web.href", "resource.environment.releaseDefinition._links.web.href"],
            "Release",
        );
        Ok(mapped)
    }
}

/// The branch in `LG:refs/heads/main:600c52d2`.
fn inner_branch(version: Cow<'_, str>) -> Cow<'_, str> {
    let branch = version.split(':').find(|part| part.starts_with("refs/")).map(str::to_owned);
    branch.map_or(version, Cow::Owned)
}
