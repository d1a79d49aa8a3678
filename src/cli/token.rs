//! `callbox token`: API tokens.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Session;
use super::api::Query;
use super::args::Paging;
use super::failure::usage;
use super::local::DatabaseArgs;
use super::lookup::{self, Named};
use super::output::Output;
use super::read::{cell, first, items, text, time};
use crate::duration::Span;
use crate::time::Clock;

/// Commands on tokens.
#[derive(Subcommand)]
pub enum Command {
    /// Create a token and print it; it is shown only once
    Create(CreateArgs),
    /// List tokens
    #[command(after_help = "Example:\n  callbox token list")]
    List(Paging),
    /// Revoke a token at once
    #[command(after_help = "Example:\n  callbox token revoke ci")]
    Revoke {
        /// Name or id
        // Not `token`: that is the id of the option that all commands have, and it would take this value.
        #[arg(value_name = "TOKEN")]
        which: String,
    },
}

/// Arguments of `create`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox token create --name ci --scope events:write
  callbox token create --name ops --scope integrations:write --expires-in 90d
  callbox token create --admin --database postgres://callbox@db/callbox

With --admin the token has every scope and is written straight into the database, without a running service: the way to the first
token.")]
pub struct CreateArgs {
    /// A name to know it by
    #[arg(long, default_value_if("admin", "true", "admin"), required_unless_present = "admin")]
    pub name: Option<String>,
    /// What it may do; repeatable
    #[arg(long = "scope", value_name = "SCOPE", required_unless_present = "admin", conflicts_with = "admin")]
    pub scopes: Vec<String>,
    /// How long it is valid: 90d; without this until it is revoked
    #[arg(long, value_name = "TIME", conflicts_with = "admin")]
    pub expires_in: Option<Span>,
    /// Every scope, straight in the database
    #[arg(long)]
    pub admin: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl CreateArgs {
    /// Makes an admin token in the database.
    ///
    /// # Errors
    /// The database cannot be opened or written.
    pub fn run_on_database(&self, out: &Output) -> anyhow::Result<()> {
        let name = self.name.as_deref().unwrap_or("admin");
        let token = crate::app::create_admin_token(&self.database, name)?;
        if out.is_json() {
            return out.json(&json!({ "name": name, "token": token.expose() }));
        }
        out.note(&format!("{name}, with every scope, shown only once:"))?;
        out.text(token.expose())
    }

    fn to_body(&self) -> anyhow::Result<Value> {
        if self.database.database.is_some() {
            return Err(usage("--database goes with --admin: other tokens are made by the running service"));
        }
        let mut body = Map::new();
        body.insert("name".to_owned(), self.name.clone().into());
        body.insert("scopes".to_owned(), self.scopes.clone().into());
        if let Some(span) = self.expires_in {
            if span.is_off() {
                return Err(usage("--expires-in must be longer than nothing; leave it out for a token without an end"));
            }
            let end = Clock::System.now().plus_seconds(span.seconds());
            body.insert("expires_at".to_owned(), end.to_string().into());
        }
        Ok(Value::Object(body))
    }
}

impl Command {
    /// Runs it through the API.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::Create(args) => create(session, args).await,
            Self::List(paging) => list(session, paging).await,
            Self::Revoke { which } => revoke(session, which).await,
        }
    }
}

/// The token alone on standard output, so that `$(callbox token create …)` is the token.
async fn create(session: &Session, args: &CreateArgs) -> anyhow::Result<()> {
    let answer = session.api.post(&["tokens"], &args.to_body()?).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&answer);
    }
    out.note(&format!("{} ({}), shown only once:", text(&answer, "name"), text(&answer, "id")))?;
    out.text(&first(&answer, &["token", "secret"]))
}

async fn list(session: &Session, paging: &Paging) -> anyhow::Result<()> {
    let answer = session.api.list(&["tokens"], &Query::new(), paging).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&answer);
    }
    let rows: Vec<Vec<String>> = items(&answer).iter().map(|token| row(token, out)).collect();
    out.table(&["NAME", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "ID"], &rows, "no tokens")?;
    super::more(session, &answer)
}

fn row(token: &Value, out: &Output) -> Vec<String> {
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    vec![
        cell(token, "name", 40),
        cell(token, "scopes", 60),
        time(token, "created_at", out),
        or(time(token, "last_used_at", out), "never"),
        or(time(token, "expires_at", out), "never"),
        text(token, "id"),
    ]
}

async fn revoke(session: &Session, token: &str) -> anyhow::Result<()> {
    let id = lookup::id(&session.api, Named::Token, token).await?;
    let answer = session.api.delete(&["tokens", &id], &Query::new()).await?;
    if session.out.is_json() && !answer.is_null() {
        return session.out.json(&answer);
    }
    session.out.text(&format!("{token} is revoked"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command as Top};
    use super::*;

    fn create_args(line: &str) -> Option<CreateArgs> {
        let cli = Cli::try_parse_from(["callbox", "token", "create"].into_iter().chain(line.split_whitespace())).ok()?;
        match cli.command {
            Top::Token(Command::Create(args)) => Some(args),
            _ => None,
        }
    }

    #[test]
    fn a_token_needs_a_name_and_a_scope_unless_it_may_everything() {
        let body = create_args("--name ci --scope events:write --scope incidents:read").unwrap().to_body().unwrap();
        assert_eq!(body, json!({"name": "ci", "scopes": ["events:write", "incidents:read"]}));
        let admin = create_args("--admin --database sqlite:x.db").unwrap();
        assert_eq!((admin.name.as_deref(), admin.database.database.as_deref()), (Some("admin"), Some("sqlite:x.db")));
        assert!(create_args("--name ci --scope a --database sqlite:x.db").unwrap().to_body().is_err());
        assert_eq!(create_args("--admin --name root").unwrap().name.as_deref(), Some("root"));
        for bad in ["--name ci", "--scope events:write", "--admin --scope events:write", "--name a --scope b --expires-in soon"] {
            assert!(create_args(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_end_is_a_moment() {
        let body = create_args("--name ci --scope a --expires-in 90d").unwrap().to_body().unwrap();
        let end = crate::time::Timestamp::parse(body["expires_at"].as_str().unwrap()).unwrap();
        let expected = Clock::System.now().plus_seconds(90 * 86_400);
        assert!((expected.0 - end.at.0).abs() < 60_000_000);
        assert!(create_args("--name ci --scope a --expires-in off").unwrap().to_body().is_err());
    }
}
