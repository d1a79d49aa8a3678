//! Every tool that there is: those in Rust, the recipes built into the program, and the recipes of its operator.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::events::Events;
use super::recipe::{self, Recipe};
use super::webhook::Webhook;
use super::{API, OWN, PROVIDERS, Provider};

/// Types that an operator's recipe cannot take: the program itself needs them as they are.
const RESERVED: [&str; 4] = [API, OWN, "events", "webhook"];

/// Tools by type and alias.
pub struct Registry {
    tools: Vec<&'static dyn Provider>,
    by_name: HashMap<&'static str, &'static dyn Provider>,
}

static BUILT_IN: LazyLock<Registry> = LazyLock::new(|| {
    let recipes = recipe::EMBEDDED.iter().filter_map(|(kind, text)| Recipe::parse(kind, text).ok());
    let recipes = recipes.map(|recipe| &*Box::leak(Box::new(recipe.into_tool())) as &dyn Provider);
    let mut tools: Vec<&'static dyn Provider> = PROVIDERS.iter().copied().chain(recipes).collect();
    // Those that take anything come last, where people look for them.
    tools.sort_by_key(|tool| RESERVED.contains(&tool.meta().kind));
    Registry::of(tools)
});

impl Registry {
    /// What is built into the program.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    fn of(tools: Vec<&'static dyn Provider>) -> Self {
        let mut by_name = HashMap::new();
        for tool in &tools {
            for alias in tool.meta().aliases {
                by_name.insert(*alias, *tool);
            }
        }
        // A type goes before an alias, whoever has it.
        by_name.extend(tools.iter().map(|tool| (tool.meta().kind, *tool)));
        Self { tools, by_name }
    }

    /// Whether `kind` is a type that no recipe may have.
    pub fn is_reserved(kind: &str) -> bool {
        RESERVED.contains(&kind)
    }

    /// These recipes too: each in place of a tool that has its type. For the start, because tools are never given back. Also the
    /// types of the tools that gave way.
    pub fn with(&self, recipes: Vec<Recipe>) -> (&'static Self, Vec<&'static str>) {
        let mut tools = self.tools.clone();
        let mut replaced = Vec::new();
        for recipe in recipes.into_iter().filter(|recipe| !Self::is_reserved(&recipe.kind)) {
            let tool: &'static dyn Provider = Box::leak(Box::new(recipe.into_tool()));
            let kind = tool.meta().kind;
            match tools.iter_mut().find(|known| known.meta().kind == kind) {
                Some(known) => {
                    replaced.push(kind);
                    *known = tool;
                }
                None => tools.push(tool),
            }
        }
        (Box::leak(Box::new(Self::of(tools))), replaced)
    }

    /// Every tool, in the order in which they are listed to people.
    pub fn tools(&self) -> impl Iterator<Item = &'static dyn Provider> {
        self.tools.iter().copied()
    }

    /// The tool whose type or alias is exactly `name`.
    pub fn by_type(&self, name: &str) -> Option<&'static dyn Provider> {
        self.by_name.get(name).copied()
    }

    /// The tool of an integration that was stored with this type. Our own take plain events; one whose recipe is gone is read by guesses,
    /// because an ugly page beats a lost one.
    pub fn of_stored(&self, kind: &str) -> &'static dyn Provider {
        match self.by_type(kind) {
            Some(tool) => tool,
            None if self.is_lost(kind) => &Webhook,
            None => &Events,
        }
    }

    /// Whether `kind` is the type of a tool that is not there: its recipe is gone.
    pub fn is_lost(&self, kind: &str) -> bool {
        self.by_type(kind).is_none() && ![API, OWN].contains(&kind)
    }

    /// Every type and alias.
    pub fn names(&self) -> Vec<&'static str> {
        let metas = self.tools().map(Provider::meta);
        metas.flat_map(|meta| [meta.kind].into_iter().chain(meta.aliases.iter().copied())).collect()
    }
}
