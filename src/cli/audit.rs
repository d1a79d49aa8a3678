//! `callbox audit`: who changed what.

use clap::Subcommand;
use serde_json::Value;

use super::Session;
use super::api::Query;
use super::args::Paging;
use super::output::Output;
use super::read::{first, items};
use super::terminal;

/// Commands on the audit log.
#[derive(Subcommand)]
pub enum Command {
    /// List changes of configuration, the newest first
    #[command(after_help = "Examples:\n  callbox audit list\n  callbox audit list --all --output json")]
    List(Paging),
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let Self::List(paging) = self;
        let answer = session.api.list(&["audit"], &Query::new(), paging).await?;
        let out = &session.out;
        if out.is_json() {
            return out.json(&answer);
        }
        let rows: Vec<Vec<String>> = items(&answer).iter().map(|entry| row(entry, out)).collect();
        out.table(&["TIME", "WHO", "ACTION", "OBJECT", "DETAILS"], &rows, "nothing was changed yet")?;
        super::more(session, &answer)
    }
}

fn row(entry: &Value, out: &Output) -> Vec<String> {
    vec![
        out.time(&first(entry, &["created_at", "at"])),
        first(entry, &["actor", "created_by", "by"]),
        first(entry, &["action", "what"]),
        first(entry, &["object_id", "target_id", "object", "target"]),
        terminal::clip(&terminal::line(&first(entry, &["details", "changes", "summary"])), 80),
    ]
}
