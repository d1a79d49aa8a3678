//! What Sentry's shapes hold, and where: the issue's id, the project, tags.

use std::borrow::Cow;

use serde_json::Value;

use super::META;
use crate::event::Severity;
use crate::provider::read::{self, Found};
use crate::provider::tokens;

/// Where a project's name is, whatever the shape.
const PROJECTS: &[&str] = &[
    "data.issue.project.slug",
    "data.issue.project.name",
    "data.event.project_slug",
    "data.event.project_name",
    "data.metric_alert.projects",
    "project_slug",
    "project_name",
    "project.slug",
    "project.name",
    "project",
];
/// The issue's id below `place`. An event's own id, and the short one that people see, are none.
pub(super) fn issue_id<'a>(body: &'a Value, place: &'static str) -> Option<(Cow<'a, str>, &'static str)> {
    let below = |name: &str| format!("{place}{name}");
    let field = |name: &'static str| raw(body, &below(name)).map(|id| (id, name));
    let addressed = |name: &'static str| {
        let address = read::at(body, &below(name))?.as_str()?;
        Some((Cow::Borrowed(issue_in(address)?), name))
    };
    let named = match place {
        "data.event." => ["issue_id", "groupID", "group_id"].into_iter().find_map(field),
        // Of a service hook `id` is the event's: the address is sure.
        "" => addressed("url").or_else(|| field("id")),
        _ => field("id"),
    };
    named.or_else(|| ["issue_url", "web_url", "permalink", "url"].into_iter().find_map(addressed))
}

/// The number that follows `issues/` in an address.
fn issue_in(address: &str) -> Option<&str> {
    let path = address.split(['?', '#']).next()?;
    let mut segments = path.split('/').skip_while(|segment| !segment.eq_ignore_ascii_case("issues")).skip(1);
    segments.next().filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A scalar as sent: for keys.
pub(super) fn raw<'a>(body: &'a Value, path: &str) -> Option<Cow<'a, str>> {
    read::at(body, path).and_then(read::scalar).filter(|text| !text.trim().is_empty() && !read::unexpanded(text))
}

/// How bad it is, by the first of `paths` whose word is known.
pub(super) fn level(body: &Value, paths: &[&'static str]) -> (Severity, &'static str) {
    let found = paths.iter().find_map(|path| {
        let word = read::field(body, path)?;
        let severity = if word.eq_ignore_ascii_case("sample") { Some(Severity::Info) } else { tokens::severity(&word) };
        Some((severity?, *path))
    });
    found.unwrap_or((Severity::Error, "default: error"))
}

/// A tag of an event; tags are pairs, or objects of old.
pub(super) fn tag<'a>(event: Option<&'a Value>, name: &str) -> Option<Cow<'a, str>> {
    event?.get("tags")?.as_array()?.iter().find_map(|tag| {
        let part = |place: usize, name: &str| tag.get(place).or_else(|| tag.get(name)).and_then(read::text);
        part(0, "key").filter(|key| key.eq_ignore_ascii_case(name)).and_then(|_| part(1, "value"))
    })
}

/// An event that Sentry made up, for a test of the rule or of the project.
pub(super) fn is_sample(event: Option<&Value>) -> bool {
    tag(event, "sample_event").is_some_and(|value| tokens::is_one_of(&value, &["yes", "true"]))
}

/// The project that it is about, or the server.
pub(super) fn source<'a>(body: &'a Value, event: Option<&'a Value>) -> Found<'a> {
    let named = read::first(body, PROJECTS).filter(|found| !found.text.bytes().all(|byte| byte.is_ascii_digit()));
    let listed = || {
        let project = read::at(body, "data.metric_alert.projects")?.get(0).and_then(read::text)?;
        Some(Found { text: project, path: "data.metric_alert.projects" })
    };
    // An event's `project` is a number; its API address says `projects/<organisation>/<project>/`.
    let addressed = || {
        let mut segments = read::at(body, "data.event.url")?
            .as_str()?
            .split('/')
            .skip_while(|segment| !segment.eq_ignore_ascii_case("projects"));
        let project = segments.nth(2).filter(|project| !project.is_empty())?;
        Some(Found { text: project.into(), path: "data.event.url" })
    };
    let server = || tag(event, "server_name").map(|text| Found { text, path: "tags" });
    let found = named.or_else(listed).or_else(addressed).or_else(server);
    found.unwrap_or(Found { text: META.name.into(), path: "default: the tool" })
}
