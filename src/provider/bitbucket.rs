//! Bitbucket: build statuses of Cloud and of Data Center.
//!
//! <https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Build-status-created>,
//! <https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html>. Pipelines has no event of its own: it reports as a
//! build status, as other CI does. A status belongs to a commit; its `key` names what was built and stays, except that Pipelines makes up
//! a new one for each run, so that its statuses are known by their names (`Pipeline #5 for main`). A pull request's end is a push.
//!
//! Order. `created_on` is when a commit's status was first reported, the same over its updates, and so its place among the statuses of one
//! tool on one branch. Without a branch (`refname` is null where the tool did not say) statuses of several branches share a key, and the
//! pipelines of a branch may each do something else: of these the later report counts.

use serde_json::Value;

use super::alert::Alert;
use super::forge::{NOT_LISTED, Options, Words};
use super::{Clock, Compiled, Item, Mapped, Meta, Normalised, OptionProblem, Provider, Request, Resolves, Unmapped, key, read};
use crate::event::{Action, Severity};
use crate::signature::{self, Scheme};

/// Bitbucket.
pub struct Bitbucket;

static META: Meta = Meta {
    kind: "bitbucket",
    aliases: &["bitbucket-pipelines"],
    name: "Bitbucket",
    docs: "https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Hmac(signature::BITBUCKET),
    key_headers: &[],
    delivery_header: Some("x-request-uuid"),
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/bitbucket.md"),
};

/// `state`, of Cloud and of Data Center.
static STATES: Words =
    Words { failed: &["FAILED"], passed: &["SUCCESSFUL"], nothing: &["INPROGRESS", "STOPPED", "CANCELLED", "UNKNOWN"] };

impl Provider for Bitbucket {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        Options::compile(options)
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let status = ["commit_status", "buildStatus", "build_status"].iter().find_map(|name| read::at(body, name));
        let Some(status) = status.filter(|status| status.is_object()) else { return other(body, request) };
        let default = Options::default();
        match mapped(body, status, request, request.options.get().unwrap_or(&default)) {
            Ok(mapped) => Ok(Normalised::one(Item::Event(Box::new(mapped)))),
            Err(why) => Ok(Normalised::ignored(why)),
        }
    }
}

/// Events that report no state: pushes, pull requests, Data Center's test.
fn other(body: &Value, request: &Request<'_>) -> Result<Normalised, Unmapped> {
    if let Some(event) = request.headers.get("x-event-key").filter(|event| !event.is_empty()) {
        return Ok(Normalised::ignored(format!("the event `{event}` reports no state")));
    }
    let known = ["repository", "pullrequest", "pullRequest", "eventKey", "test"];
    if known.iter().any(|name| read::at(body, name).is_some()) {
        return Ok(Normalised::ignored("the event reports no state"));
    }
    Err(Unmapped::new("there is no `commit_status`"))
}

fn mapped(body: &Value, status: &Value, request: &Request<'_>, options: &Options) -> Result<Mapped, &'static str> {
    let state = read::field(status, "state").ok_or("the status has no state")?;
    let action = STATES.action(&state)?;
    let name = read::first(status, &["name", "key"]).map(|found| found.text).unwrap_or_default();
    let pipeline = pipeline(&name).map(|branch| branch.map(str::to_owned));
    let branch = read::first(status, &["refname", "ref"]).map(|found| found.text.into_owned());
    let branch = branch.or_else(|| pipeline.clone().flatten());
    let branch = branch.map(|branch| branch.strip_prefix("refs/heads/").map_or(branch.clone(), str::to_owned));
    let default = read::field(body, "repository.mainbranch.name");
    if !options.allow(branch.as_deref().unwrap_or_default(), default.as_deref()) {
        return Err(NOT_LISTED);
    }
    let of = |names: &[&'static str]| read::first(body, names).or_else(|| read::first(status, names)).map(|found| found.text);
    let repository = of(&["repository.uuid", "repository.id", "repository.full_name", "repository.slug"]).unwrap_or_default();
    let what = read::first(status, &["key", "name"]).map(|found| found.text).unwrap_or_default();
    let ran = branch.as_deref().unwrap_or_default();
    let key = match &pipeline {
        Some(_) => key::of("pipelines", &[repository.as_ref(), ran]),
        None => key::of("status", &[repository.as_ref(), what.as_ref(), ran]),
    };
    let source = of(&["repository.full_name", "repository.name", "repository.slug"]).unwrap_or(META.name.into());
    let verb = if action == Action::Resolve { "succeeded" } else { "failed" };
    let on = branch.as_deref().filter(|branch| !name.contains(*branch)).map(|branch| format!(" on {branch}")).unwrap_or_default();
    let text = read::field(status, "description").map(|text| format!(": {text}")).unwrap_or_default();
    let mut mapped = Alert {
        tool: META.name,
        action: (action, "commit_status.state"),
        key: (key, if pipeline.is_some() { "repository.uuid, refname" } else { "repository.uuid, commit_status.key, refname" }),
        summary: (format!("{name} {verb}{on}{text}"), "commit_status.name"),
        source: (source, "repository.full_name"),
        severity: (Severity::Error, "default: error"),
    }
    .mapped();
    mapped.event.class = Some("build_status".to_owned());
    mapped.event.component = (!name.is_empty()).then(|| name.clone().into_owned());
    mapped.event.group.clone_from(&branch);
    mapped.event.custom_details = Some(status.clone());
    mapped.link(status, &["url"], "Build");
    mapped.link(status, &["commit.links.html.href"], "Commit");
    if pipeline.is_none() && branch.is_some() {
        mapped.since(read::at(status, "created_on").or_else(|| read::at(status, "createdDate")), request);
    }
    Ok(mapped)
}

/// The branch in the name that Pipelines gives a status (`Pipeline #5 for main`, `Pipeline #5`); `None` for any other name.
fn pipeline(name: &str) -> Option<Option<&str>> {
    let start = "pipeline #";
    let rest = name.get(..start.len()).filter(|have| have.eq_ignore_ascii_case(start)).and_then(|have| name.get(have.len()..))?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let branch = rest.trim().get(..4).filter(|word| word.eq_ignore_ascii_case("for ")).and_then(|_| rest.trim().get(4..));
    (!number.is_empty() && (rest.is_empty() || branch.is_some())).then_some(branch.map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::pipeline;

    #[test]
    fn the_names_that_pipelines_gives() {
        assert_eq!(pipeline("Pipeline #5 for main"), Some(Some("main")));
        assert_eq!(pipeline("Pipeline #42"), Some(None));
        for other in ["Pipeline", "Pipeline #", "Pipeline #x for main", "Unit tests", "Pipeline #5!", "é"] {
            assert_eq!(pipeline(other), None, "{other}");
        }
    }
}
