//! The commands that run on the machine itself and not through the API: `serve`, `migrate`, `doctor`, `completions`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::output::Output;
use crate::config::Flags;

/// Options of `callbox serve`. Each has a counterpart in the environment and in the file: flag > environment > file > default.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox serve --dev
  callbox serve --config /etc/callbox.toml
  callbox serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --public-url https://alerts.example.com
  CALLBOX_DATABASE=postgres://callbox@db/callbox callbox serve

A flag wins over the environment (CALLBOX_LISTEN, CALLBOX_DATABASE, CALLBOX_PUBLIC_URL, CALLBOX_ADMIN_TOKEN, CALLBOX_MASTER_KEY;
each also with _FILE), the environment over the file, the file over the default.")]
pub struct ServeArgs {
    /// Try it out: SQLite, loopback only, a token and a demo integration made once, a curl command to paste
    #[arg(long)]
    pub dev: bool,
    /// Read settings from this TOML file
    #[arg(long, env = "CALLBOX_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// sqlite:FILE or postgres://… [default: sqlite:callbox.db]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Speak TLS with this certificate chain (PEM); read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A listener of its own for API, console and metrics [default: the same as --listen]
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// What printed URLs begin with [default: the address listened on]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

/// The database that a command works on directly: found as `serve` finds it.
#[derive(Args)]
pub struct DatabaseArgs {
    /// Read settings from this TOML file
    #[arg(long, env = "CALLBOX_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// sqlite:FILE or postgres://… [default: CALLBOX_DATABASE, the file's, or sqlite:callbox.db]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// Options of `callbox migrate`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox migrate
  callbox migrate --config /etc/callbox.toml
  callbox migrate --database postgres://callbox@db/callbox

`serve` does the same at its start. Running it apart lets an upgrade fail before the old process is stopped: the previous release
runs on the new schema.")]
pub struct MigrateArgs {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Options of `callbox doctor`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox doctor
  callbox doctor --config /etc/callbox.toml
  callbox doctor --database postgres://callbox@db/callbox

Run it where the service runs, with the settings it has. Exit code 0: nothing to worry about.")]
pub struct DoctorArgs {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Options of `callbox completions`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox completions bash > /etc/bash_completion.d/callbox
  callbox completions zsh > ~/.zfunc/_callbox
  callbox completions fish > ~/.config/fish/completions/callbox.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

impl CompletionsArgs {
    /// Prints the completion script.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn run(&self) -> anyhow::Result<()> {
        // Into memory first: the generator panics when the reader of a pipe has gone.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "callbox", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(())
    }
}

impl ServeArgs {
    /// As the settings take them.
    pub fn flags(&self) -> Flags {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        Flags {
            listen: self.listen.clone(),
            database: self.database.clone(),
            tls_cert: path(&self.tls_cert),
            tls_key: path(&self.tls_key),
            admin_listen: self.admin_listen.clone(),
            public_url: self.public_url.clone(),
        }
    }
}

impl DatabaseArgs {
    /// As the settings take them.
    pub fn flags(&self) -> Flags {
        Flags { database: self.database.clone(), ..Flags::default() }
    }
}

impl MigrateArgs {
    /// Brings the schema up to date, and says of which database.
    ///
    /// # Errors
    /// The settings are wrong, the database cannot be opened, or a migration fails.
    pub fn run(&self, out: &Output) -> anyhow::Result<()> {
        let database = crate::app::migrate(&self.database)?;
        if out.is_json() {
            return out.json(&serde_json::json!({ "database": database, "migrated": true }));
        }
        out.text(&format!("the schema of {database} is up to date"))
    }
}
