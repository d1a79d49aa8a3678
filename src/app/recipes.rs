//! The operator's own recipes: read from their folder, once, when the service starts.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::cli::failure::usage;
use crate::config::Config;
use crate::provider::Registry;
use crate::provider::recipe::{LENGTH_MAX, Recipe, is_type};

/// Every tool that there is with these settings.
///
/// # Errors
/// The folder cannot be read; everything that is wrong with its recipes, each with its file, line and key.
pub(super) fn load(config: &Config) -> anyhow::Result<&'static Registry> {
    let built_in = Registry::built_in();
    let Some(folder) = &config.providers.recipes else { return Ok(built_in) };
    let files = files(folder);
    let files = files.map_err(|error| usage(format!("providers.recipes: {} cannot be read: {error}", folder.display())))?;
    let mut recipes = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        match read(&file) {
            Ok(recipe) => recipes.push(recipe),
            Err(found) => problems.extend(found),
        }
    }
    problems.extend(shared(folder, &recipes));
    if !problems.is_empty() {
        return Err(usage(problems.join("\n")));
    }
    let names: Vec<String> = recipes.iter().map(|recipe| recipe.kind.clone()).collect();
    let (tools, replaced) = built_in.with(recipes);
    tracing::info!(folder = %folder.display(), recipes = ?names, "recipes loaded");
    for kind in replaced {
        tracing::warn!(r#type = kind, "a recipe stands in place of a tool that is built in");
    }
    Ok(tools)
}

/// Aliases that two recipes claim, or that are another one's type: which of them an integration meant would be chance.
fn shared(folder: &Path, recipes: &[Recipe]) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, recipe) in recipes.iter().enumerate() {
        let others = || recipes.iter().enumerate().filter(|(other, _)| *other != place);
        for alias in &recipe.aliases {
            let owner = others().find(|(other, one)| one.kind == *alias || (*other < place && one.aliases.contains(alias)));
            if let Some((_, owner)) = owner {
                let file = folder.join(format!("{}.toml", recipe.kind));
                problems.push(format!(
                    "{}: the alias {alias:?} is that of {}.toml too: take it from one",
                    file.display(),
                    owner.kind
                ));
            }
        }
    }
    problems
}

/// Reads the recipe in a file; its type is the file's name.
///
/// # Errors
/// Everything that is wrong with it, a line each.
pub fn read(file: &Path) -> Result<Recipe, Vec<String>> {
    let shown = file.display();
    let kind = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if !is_type(&kind) {
        return Err(vec![format!("{shown}: the name of the file is the type: 2 to 40 lower-case letters, digits and dashes")]);
    }
    if Registry::is_reserved(&kind) {
        return Err(vec![format!("{shown}: the type {kind:?} cannot be taken: call the file otherwise")]);
    }
    let text = fs::metadata(file).and_then(|about| match usize::try_from(about.len()) {
        Ok(length) if length <= LENGTH_MAX => fs::read_to_string(file),
        _ => Err(io::Error::other(format!("it is larger than {} KiB", LENGTH_MAX / 1024))),
    });
    let text = text.map_err(|error| vec![format!("{shown}: cannot be read: {error}")])?;
    Recipe::parse(&kind, &text).map_err(|problems| {
        let line = |problem: &crate::provider::recipe::Problem| match problem.line {
            Some(line) => format!("{shown}:{line}: {}", problem.said()),
            None => format!("{shown}: {}", problem.said()),
        };
        problems.iter().map(line).collect()
    })
}

/// The recipes of a folder by name; what begins with a dot is somebody else's.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let hidden = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml") && !hidden(file));
    files.sort();
    Ok(files)
}
