//! The command line: the tree of commands, and which code runs for each.
//!
//! Client commands know the HTTP API and nothing else of the service; the few that run on the machine itself call [`crate::app`].

pub mod api;
pub mod args;
pub mod audit;
pub mod conformance;
pub mod connect;
pub mod delivery;
pub mod destination;
pub mod event;
pub mod explain;
pub mod failure;
pub mod fixture;
pub mod incident;
pub mod integration;
pub mod local;
pub mod lookup;
pub mod output;
pub mod read;
pub mod recipe;
pub mod request;
pub mod rule;
pub mod send;
pub mod service;
pub mod tail;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod token;
pub mod told;

use std::path::Path;

use anyhow::Context;
use clap::{Parser, Subcommand};
use futures_util::FutureExt as _;

use self::api::Api;
use self::connect::{Connection, Global};
use self::output::Output;

/// The front door of on-call: receives alerts from monitoring tools, PagerDuty's API included, and turns them into incidents.
#[derive(Parser)]
#[command(name = "callbox", version, arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "Examples:
  callbox serve --dev                                       try it out in this folder
  callbox integration create alertmanager --name prod       a URL and a key for a tool
  callbox incident list --status triggered                  what is on fire
  callbox explain grafana --file body.json                  what would become of this request

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.")]
pub struct Cli {
    /// Options of all client commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Subcommand)]
pub enum Command {
    /// Run the service
    Serve(local::ServeArgs),
    /// Bring the database's schema up to date
    Migrate(local::MigrateArgs),
    /// Check configuration, database and surroundings
    Doctor(local::DoctorArgs),
    /// Print a completion script for a shell
    Completions(local::CompletionsArgs),
    /// Integrations: which tools may send, with which keys
    #[command(subcommand)]
    Integration(integration::Command),
    /// Services: what incidents are about
    #[command(subcommand)]
    Service(service::Command),
    /// Destinations: who is told of incidents and changes
    #[command(subcommand)]
    Destination(destination::Command),
    /// Rules: what is told to which destinations, and when
    #[command(subcommand)]
    Rule(rule::Command),
    /// Deliveries: what was told to whom, and dead letters
    #[command(subcommand)]
    Delivery(delivery::Command),
    /// Incidents: what is wrong, and who has taken it
    #[command(subcommand)]
    Incident(incident::Command),
    /// Events: what each alert did
    #[command(subcommand)]
    Event(event::Command),
    /// Change events: deployments and the like
    #[command(subcommand)]
    Change(event::ChangeCommand),
    /// The ledger: every request as it came
    #[command(subcommand)]
    Request(request::Command),
    /// Show requests as they come in
    Tail(tail::TailArgs),
    /// Show what would become of a request, step by step, without doing it
    Explain(explain::ExplainArgs),
    /// Fixtures: requests kept as files, with what they come to
    #[command(subcommand)]
    Fixture(fixture::Command),
    /// Hold signatures to what the tools and the standards say
    Conformance(conformance::ConformanceArgs),
    /// Recipes: tools of your own, as data
    #[command(subcommand)]
    Recipe(recipe::Command),
    /// Send an event, to Callbox or to PagerDuty
    Send(Box<send::SendArgs>),
    /// API tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Who changed what
    #[command(subcommand)]
    Audit(audit::Command),
}

/// What a client command works with.
pub struct Session {
    /// The API.
    pub api: Api,
    /// Where to print.
    pub out: Output,
}

/// Runs one command to its end.
///
/// # Errors
/// Whatever keeps it from doing what was asked; [`failure::Usage`] where the caller must change the call.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(args) => crate::app::serve(args),
        Command::Migrate(args) => args.run(&cli.global.output()),
        Command::Doctor(args) => crate::app::doctor(&args, &cli.global.output()),
        Command::Completions(args) => args.run(),
        Command::Recipe(command) => command.run(&cli.global.output()),
        Command::Conformance(args) if args.integration.is_none() => args.run_private(&cli.global),
        Command::Send(args) if args.is_direct() => args.run_direct(&cli.global.output()),
        Command::Token(token::Command::Create(args)) if args.admin => args.run_on_database(&cli.global.output()),
        command => run_client(&cli.global, command),
    }
}

fn run_client(global: &Global, command: Command) -> anyhow::Result<()> {
    let connection = Connection::find(global, Path::new("."))?;
    let session = Session { api: Api::open(&connection)?, out: global.output() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    // Boxed: a runtime has three ways to wait, and each would be compiled with a copy of all commands.
    runtime.block_on(dispatch(&session, command).boxed_local())
}

async fn dispatch(session: &Session, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Integration(command) => command.run(session).await,
        Command::Service(command) => command.run(session).await,
        Command::Destination(command) => command.run(session).await,
        Command::Rule(command) => command.run(session).await,
        Command::Delivery(command) => command.run(session).await,
        Command::Incident(command) => command.run(session).await,
        Command::Event(command) => command.run(session).await,
        Command::Change(command) => command.run(session).await,
        Command::Request(command) => command.run(session).await,
        Command::Tail(args) => args.run(session).await,
        Command::Explain(args) => args.run(session).await,
        Command::Fixture(command) => command.run(session).await,
        Command::Conformance(args) => args.run(session).await,
        Command::Send(args) => args.run(session).await,
        Command::Token(command) => command.run(session).await,
        Command::Audit(command) => command.run(session).await,
        // `run` has taken these.
        Command::Serve(_) | Command::Migrate(_) | Command::Doctor(_) | Command::Completions(_) | Command::Recipe(_) => Ok(()),
    }
}

/// Says so when a list has rows that were not fetched.
///
/// # Errors
/// Standard error cannot be written.
pub fn more(session: &Session, answer: &serde_json::Value) -> anyhow::Result<()> {
    if api::next_cursor(answer).is_none() { Ok(()) } else { session.out.note("there are more: --limit or --all shows them") }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    /// Help of `command` and of everything below it, as wide as a page.
    fn pages(command: &mut clap::Command, path: &str, out: &mut String) {
        let path = if path.is_empty() { command.get_name().to_owned() } else { format!("{path} {}", command.get_name()) };
        let help = command.clone().term_width(110).render_long_help();
        out.push_str(&format!("=== {path}\n{}\n", help.to_string().trim_end()));
        for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
            pages(inner, &path, out);
        }
    }

    #[test]
    fn every_help_page() {
        let mut command = Cli::command();
        command.build();
        let mut text = String::new();
        pages(&mut command, "", &mut text);
        insta::assert_snapshot!("help", text);
    }

    #[test]
    fn every_command_has_examples() {
        fn leaves(command: &clap::Command) -> Vec<&clap::Command> {
            let inner: Vec<&clap::Command> = command.get_subcommands().collect();
            if inner.is_empty() { vec![command] } else { inner.into_iter().flat_map(leaves).collect() }
        }
        for command in leaves(&Cli::command()) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Example"), "{} has no example", command.get_name());
        }
    }

    /// clap keeps one value an id: an argument called like a global option would silently take its place.
    #[test]
    fn no_argument_hides_an_option_of_all_commands() {
        fn check(command: &clap::Command, global: &[String]) {
            for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
                let id = argument.get_id().to_string();
                assert!(!global.contains(&id), "{} has an argument `{id}`", command.get_name());
            }
            command.get_subcommands().for_each(|inner| check(inner, global));
        }
        let top = Cli::command();
        let global = top.get_arguments().filter(|argument| argument.is_global_set());
        check(&top, &global.map(|argument| argument.get_id().to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn options_of_the_client_stand_anywhere() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).ok().map(|cli| cli.global.url);
        assert_eq!(parse("callbox --url http://a incident list"), Some(Some("http://a".to_owned())));
        assert_eq!(
            parse("callbox incident list --url http://a --status triggered --status resolved"),
            Some(Some("http://a".to_owned()))
        );
        assert!(parse("callbox incident list --limit 501").is_none());
        assert!(parse("callbox incident list --limit 5 --all").is_none());
        assert!(parse("callbox serve --tls-cert cert.pem").is_none());
        assert!(parse("callbox integration update prod").is_none(), "nothing to change");
    }
}
