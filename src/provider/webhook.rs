//! Any JSON over HTTP: the body of a tool that we do not know, read by a user's mapping, by PagerDuty's form, or by guesses.
//!
//! Paths are RFC 9535 JSONPath (<https://www.rfc-editor.org/rfc/rfc9535>) or dotted names. What a path selects is coerced, so that
//! no alert is lost to its mapping:
//!
//! - a string, number or boolean is its text;
//! - of many values the first that is not null counts;
//! - an object or array is its JSON for summary, source and key, and nothing for the other fields;
//! - nothing is a warning, and the field is guessed as if it were not mapped; only a mapped action that finds nothing is a
//!   trigger, because a guess could resolve.
//!
//! Alerts in Alertmanager's form are read as Alertmanager's, whichever tool sends them.
//!
//! With `itemsField` each element is an alert. Fields are looked for in the element, then in the whole body; the key in the
//! element only, because a key they share would make one alert of them.

use std::sync::LazyLock;

use serde_json::Value;

use super::alertmanager::Alertmanager;
use super::grafana::Grafana;
use super::plan::Plan;
use super::recipe::Recipe;
use super::{Clock, Compiled, Item, Meta, Normalised, OptionProblem, Provider, Request, Resolves, Unmapped, mapping};
use crate::signature::Scheme;

/// Any tool that can post JSON.
pub struct Webhook;

/// The type.
pub const KIND: &str = "webhook";

static META: Meta = Meta {
    kind: KIND,
    aliases: &["generic"],
    name: "Webhook",
    docs: "https://www.rfc-editor.org/rfc/rfc9535",
    clock: Clock::Arrival,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: SECRET_FIELDS,
    methods: &[],
    setup: include_str!("setup/webhook.md"),
};

const SECRET_FIELDS: &[&str] = &["routing_key", "service_key", "integration_key", "api_key"];

impl Provider for Webhook {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        match request.options.get::<Options>() {
            Some(Options::Recipe(recipe)) => recipe.normalise(request),
            Some(Options::Mapping(plan)) => read(plan, request),
            None => match request.json.and_then(known) {
                Some(tool) => tool.normalise(request),
                None => read(&GUESSES, request),
            },
        }
    }

    fn scheme(&self, options: &Compiled) -> Scheme {
        match options.get::<Options>() {
            Some(Options::Recipe(recipe)) => recipe.auth.scheme.clone(),
            _ => META.scheme.clone(),
        }
    }

    fn delivery_header<'a>(&self, options: &'a Compiled) -> Option<&'a str> {
        match options.get::<Options>() {
            Some(Options::Recipe(recipe)) => recipe.auth.delivery_header.as_deref(),
            _ => None,
        }
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        let members = match options {
            Value::Null => return Ok(Compiled::none()),
            Value::Object(members) => members,
            _ => return Err(vec![OptionProblem::new("options", "must be an object")]),
        };
        let unknown = members.keys().filter(|name| !OPTIONS.contains(&name.as_str()));
        let mut problems: Vec<OptionProblem> = unknown.map(|name| OptionProblem::unknown(name, OPTIONS)).collect();
        let given = |name: &str| members.get(name).filter(|value| !value.is_null());
        let compiled = match (given("mapping"), given("recipe")) {
            (Some(_), Some(_)) => Err(vec![OptionProblem::new("recipe", "cannot be combined with mapping: use one of them")]),
            (Some(mapping), None) => mapping::compile(GUESSES.clone(), mapping).map(Box::new).map(Options::Mapping).map(Some),
            (None, Some(recipe)) => saved(recipe).map(Box::new).map(Options::Recipe).map(Some),
            (None, None) => Ok(None),
        };
        match compiled {
            Ok(options) if problems.is_empty() => Ok(options.map_or(Compiled::none(), Compiled::new)),
            Ok(_) => Err(problems),
            Err(found) => {
                problems.extend(found);
                Err(problems)
            }
        }
    }
}

/// The names of the options.
const OPTIONS: &[&str] = &["mapping", "recipe"];

/// What an integration says about its bodies.
enum Options {
    /// The option `mapping`: names for some fields, guesses for the others.
    Mapping(Box<Plan>),
    /// The option `recipe`: a recipe's text. What its head says about the type (clock, methods, statuses) is that of `webhook`.
    Recipe(Box<Recipe>),
}

/// Everything guessed.
static GUESSES: LazyLock<Plan> = LazyLock::new(|| {
    let secret_fields = SECRET_FIELDS.iter().map(|&name| name.to_owned()).collect();
    Plan { guesses: true, secret_fields, ..Plan::new(META.name, &mapping::LABELS) }
});

fn read(plan: &Plan, request: &Request<'_>) -> Result<Normalised, Unmapped> {
    plan.normalise(request.json.ok_or(Unmapped::new("the body is not JSON"))?, request)
}

/// What a body says that `tool` does not send, where it says it as plainly as an alert of an unknown tool can: a title, and a dedup key
/// of its own or a word for its state, be it in front of the title (`Resolved: disk full`). Templates for other receivers are such bodies, and other tools at the wrong address.
pub fn stray(tool: &str, request: &Request<'_>) -> Option<Normalised> {
    let options = Compiled::none();
    let request = Request { options: &options, ..*request };
    let mut normalised = Webhook.normalise(&request).ok()?;
    for item in &mut normalised.items {
        let Item::Event(mapped) = item else { return None };
        let is_default = |from: &str| from.starts_with("default");
        if is_default(&mapped.origin.summary) || (mapped.event.key_guessed && is_default(&mapped.origin.action)) {
            return None;
        }
        if is_default(&mapped.origin.source) {
            mapped.event.source = tool.to_owned();
        }
        // What its times mean is unknown.
        (mapped.event.occurred_at, mapped.event.starts_at) = (None, None);
    }
    let warning = format!("{tool} does not send this; it was read by the names of its fields");
    normalised.warnings.push(warning.into());
    (!normalised.items.is_empty()).then_some(normalised)
}

/// The tool whose form other tools have taken over, if the body is of that form.
fn known(body: &Value) -> Option<&'static dyn Provider> {
    let alerts = body.get("alerts").unwrap_or(body).as_array()?;
    let labelled = |alert: &Value| alert.get("labels").is_some_and(Value::is_object);
    (!alerts.is_empty() && alerts.iter().all(labelled)).then_some(())?;
    Some(if body.get("orgId").is_some() { &Grafana } else { &Alertmanager })
}

fn saved(recipe: &Value) -> Result<Recipe, Vec<OptionProblem>> {
    let text = recipe.as_str().ok_or_else(|| vec![OptionProblem::new("recipe", "must be the text of a recipe")])?;
    Recipe::parse(META.kind, text)
        .map_err(|problems| problems.into_iter().map(|problem| OptionProblem::new("recipe", problem.to_string())).collect())
}
