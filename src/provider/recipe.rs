//! Recipes: a tool as data. What its bodies hold and mean, how it signs, and what to paste into it, in one TOML file.
//!
//! Recipes in `recipes/` are built into the program; users put theirs into a folder, or save one on an integration of type `webhook`.
//! The keys are described in `docs/recipes.md`. Owns the format; reading a body by it is [`super::plan`]'s business.

use super::plan::{Labels, Plan};
use super::{Clock, Meta, Method, Normalised, Provider, Request, Resolves, Unmapped, body};

use crate::signature::Scheme;

mod auth;
mod event;
mod sheet;

pub use auth::Auth;
pub(super) use sheet::Given;
pub use sheet::Problem;
use sheet::Table;

include!(concat!(env!("OUT_DIR"), "/recipes.rs"));

/// Bytes of a recipe.
pub const LENGTH_MAX: usize = 64 * 1024;

/// What traces call the fields.
static LABELS: Labels = Labels {
    action: "action.field",
    severity: "severity.field",
    key: "event.key",
    summary: "event.summary",
    source: "event.source",
    items: "event.items",
};

/// What is pasted into a tool whose recipe does not say.
const SETUP: &str = include_str!("setup/recipe.md");

/// A tool as data.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The type in the URL: the name of the recipe's file.
    pub kind: String,
    /// Other names for it in URLs.
    pub aliases: Vec<String>,
    /// As the vendor spells it.
    pub name: String,
    /// The vendor's page on what it sends; may be empty.
    pub docs: String,
    /// What its times mean.
    pub clock: Clock,
    /// Whether it says that an alert is over.
    pub resolves: Resolves,
    /// The status of an accepted request.
    pub success_status: u16,
    /// The status of a request over the limit.
    pub throttle_status: u16,
    /// What it can prove, and how.
    pub auth: Auth,
    /// How its bodies may come.
    pub bodies: Vec<body::Kind>,
    /// What to paste into the tool's own configuration.
    pub setup: String,
    plan: Plan,
}

impl Recipe {
    /// Reads the recipe of the type `kind`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line and key.
    pub fn parse(kind: &str, text: &str) -> Result<Self, Vec<Problem>> {
        if text.len() > LENGTH_MAX {
            let message = format!("is larger than {} KiB", LENGTH_MAX / 1024);
            return Err(vec![Problem { line: None, key: "recipe".to_owned(), message }]);
        }
        sheet::read(text, |root| Self::read(kind, root))
    }

    fn read(kind: &str, root: &mut Table<'_>) -> Option<Self> {
        let name = root.text("name").filter(|name| !name.trim().is_empty()).unwrap_or_else(|| kind.to_owned());
        let aliases = root.texts("aliases").map(|(given, aliases)| {
            for alias in aliases.iter().filter(|alias| !is_type(alias)) {
                root.wrong(&given, format!("{alias:?} must be {TYPE}"));
            }
            aliases
        });
        let docs = root.text("docs").unwrap_or_default();
        let clocks = [("arrival", Clock::Arrival), ("transition", Clock::Transition), ("episode", Clock::Episode)];
        let clock = root.word("clock", &clocks);
        let resolves = [("never", Resolves::Never), ("on_transition", Resolves::OnTransition), ("repeats", Resolves::Repeats)];
        let resolves = root.word("resolves", &resolves);
        let success_status = root.word("success_status", &[("200", 200), ("202", 202)]);
        let throttle_status = root.word("throttle_status", &[("429", 429), ("503", 503)]);
        let bodies = body::Kind::read(root.texts("body").as_ref(), |given, why| root.wrong(given, why));
        let auth = root.table("auth").map(Auth::read);
        let setup = root.table("setup").and_then(|mut setup| {
            let text = setup.text("text");
            setup.finish();
            text
        });
        let setup = setup.unwrap_or_else(|| SETUP.to_owned());
        let plan = event::plan(Plan::new(name.clone(), &LABELS), root);
        let auth = auth.unwrap_or_default();
        let plan = plan.map(|plan| Plan { secret_fields: auth.secret_fields.clone(), ..plan })?;
        Some(Self {
            kind: kind.to_owned(),
            aliases: aliases.unwrap_or_default(),
            docs,
            clock: clock.unwrap_or(Clock::Arrival),
            resolves: resolves.unwrap_or(Resolves::OnTransition),
            success_status: success_status.unwrap_or(202),
            throttle_status: throttle_status.unwrap_or(429),
            setup: completed(setup, &name, &auth),
            name,
            auth,
            bodies,
            plan,
        })
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`Unmapped`] when the body is not a shape this tool sends.
    pub fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        match body::read(&self.bodies, request)? {
            Some(body) => self.plan.normalise(&body, request),
            None => Ok(Normalised::ignored("the request carries no parameters")),
        }
    }

    /// The tool that it describes, for as long as the program runs: its texts are never given back, so this is for recipes that are
    /// read once, at the start.
    pub fn into_tool(self) -> Tool {
        let texts = |texts: &[String]| -> &'static [&'static str] {
            let texts: Vec<&'static str> = texts.iter().map(|text| leaked(text)).collect();
            Vec::leak(texts)
        };
        let queries = self.bodies.contains(&body::Kind::Query);
        let meta = Meta {
            kind: leaked(&self.kind),
            aliases: texts(&self.aliases),
            name: leaked(&self.name),
            docs: leaked(&self.docs),
            clock: self.clock,
            resolves: self.resolves,
            success_status: self.success_status,
            throttle_status: self.throttle_status,
            scheme: self.auth.scheme.clone(),
            key_headers: texts(&self.auth.key_headers),
            delivery_header: self.auth.delivery_header.as_deref().map(leaked),
            secret_fields: texts(&self.auth.secret_fields),
            methods: if queries { &[Method::Get] } else { &[] },
            setup: leaked(&self.setup),
        };
        Tool { meta: Box::leak(Box::new(meta)), recipe: self }
    }
}

/// A tool that a recipe describes.
pub struct Tool {
    meta: &'static Meta,
    recipe: Recipe,
}

impl Provider for Tool {
    fn meta(&self) -> &'static Meta {
        self.meta
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        self.recipe.normalise(request)
    }
}

const TYPE: &str = "2 to 40 lower-case letters, digits and dashes, a letter first";

/// Whether `text` may be a type: it stands in URLs.
pub fn is_type(text: &str) -> bool {
    (2..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A setup text with what it does not say itself: where the key goes, and that a tool cannot sign.
fn completed(mut setup: String, name: &str, auth: &Auth) -> String {
    if !setup.ends_with('\n') {
        setup.push('\n');
    }
    if !setup.contains("<<key>>") {
        setup.push_str("?key\n?key Each request must carry the key too: put &key=<<key>> at the end of the URL.\n");
    }
    if !setup.contains("?signed ") && auth.scheme == Scheme::Generic {
        let why = "cannot sign: with a signature secret set, only a proxy that adds `X-Signature` gets through.";
        setup.push_str(&format!("?signed\n?signed {name} {why}\n"));
    }
    setup
}

fn leaked(text: &str) -> &'static str {
    String::leak(text.to_owned())
}

/// The common start of a problem with a text: what it is.
fn quoted(text: &str, why: &str) -> String {
    format!("{text:?} {why}")
}
