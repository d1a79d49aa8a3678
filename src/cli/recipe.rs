//! `callbox recipe`: recipes of one's own, looked at without a service.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::json;

use super::output::Output;
use crate::app::read_recipe;

/// The commands about recipes.
#[derive(Subcommand)]
pub enum Command {
    /// Say whether recipes are sound, and what is wrong with them
    Check(CheckArgs),
}

/// Options of `callbox recipe check`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox recipe check tally.toml
  callbox recipe check /etc/callbox/recipes/*.toml
  callbox explain webhook --recipe tally.toml --file body.json   what becomes of a body by it

Every problem is named with its file, line and key. Needs no running service. Exit code 0: all are sound.")]
pub struct CheckArgs {
    /// The recipes; the name of each is its type
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// A recipe is wrong or cannot be read.
    pub fn run(&self, out: &Output) -> anyhow::Result<()> {
        let Self::Check(args) = self;
        let mut wrong = Vec::new();
        let mut sound = Vec::new();
        for file in &args.files {
            match read_recipe(file) {
                Ok(recipe) => sound.push((file, recipe)),
                Err(problems) => wrong.extend(problems),
            }
        }
        if out.is_json() {
            let types: Vec<&str> = sound.iter().map(|(_, recipe)| recipe.kind.as_str()).collect();
            out.json(&json!({ "sound": types, "problems": wrong }))?;
        } else {
            let good = sound.iter().map(|(file, recipe)| format!("{}: {}, type {}", file.display(), recipe.name, recipe.kind));
            good.chain(wrong.iter().cloned()).try_for_each(|line| out.text(&line))?;
        }
        let bad = args.files.len() - sound.len();
        if bad > 0 { Err(anyhow!("{bad} of {} recipes are wrong", args.files.len())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, run};

    #[test]
    fn a_recipe_is_sound_or_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let line = ["callbox", "recipe", "check", file.to_str().unwrap()];
            run(Cli::try_parse_from(line).map_err(|error| error.to_string()).ok().unwrap()).is_ok()
        };
        assert!(check("tally.toml", "[event]\nkey = \"id\"\n"));
        assert!(!check("tally.toml", "[event]\nkeys = \"id\"\n"));
        assert!(!check("Not A Type.toml", "[event]\nkey = \"id\"\n"));
        assert!(!check("webhook.toml", "[event]\nkey = \"id\"\n"), "a type that cannot be taken");
    }
}
