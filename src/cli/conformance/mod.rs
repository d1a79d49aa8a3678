//! `callbox conformance`: signatures, good ones and every kind of bad, posted for real.
//!
//! Without an integration a service of its own is started on loopback, with an integration of each tool in each scheme, and its clock is
//! moved by hand: so what is tested is the whole way of a request in this very program, rotation included. With one, the integration of
//! a running service is tested from outside, by requests that open nothing.

mod body;
mod cases;
mod door;
mod keys;
mod own;
mod report;
mod running;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use futures_util::FutureExt as _;

use self::report::Report;
use super::Session;
use super::connect::Global;
use super::failure::usage;
use crate::provider::Registry;

/// Arguments of `conformance`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox conformance                        every tool, against a service of its own that is gone afterwards
  callbox conformance --type grafana         every case of one tool
  callbox conformance --integration prod --signature-secret-file secret.txt
  CALLBOX_SIGNATURE_SECRET=… callbox conformance --integration prod --url https://alerts.example.com

Cases: good and bad signatures, secrets and times, doubled and missing headers, prefixes and spellings, bodies with emoji, CRLF, forms
and gzip, rotation; signatures that vendors published or OpenSSL and Python computed; for Amazon SNS and Pub/Sub, which sign with keys
of their own, messages and tokens that OpenSSL signed. An integration that is named is sent only
what opens no incident, and is not rotated; its ledger shows the refused requests, its key and URL come from the API. Exit code 0: every
case held.")]
pub struct ConformanceArgs {
    /// Only this type
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "integration")]
    pub kind: Option<String>,
    /// Test this integration of a running service, by name or id
    #[arg(long)]
    pub integration: Option<String>,
    /// Read the integration's signature secret from a file, - for standard input [default: CALLBOX_SIGNATURE_SECRET]
    #[arg(long, value_name = "FILE", requires = "integration")]
    pub signature_secret_file: Option<PathBuf>,
    /// Print every case, also those that held
    #[arg(long)]
    pub cases: bool,
}

impl ConformanceArgs {
    /// Tests this program, on a service of its own.
    ///
    /// # Errors
    /// A case failed, or the service does not start.
    pub fn run_private(&self, global: &Global) -> anyhow::Result<()> {
        if let Some(kind) = &self.kind
            && Registry::built_in().by_type(kind).is_none()
            && std::env::var_os("CALLBOX_PROVIDERS_RECIPES").is_none()
        {
            return Err(usage(format!("there is no type {kind:?}: the README lists them")));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
        let report = runtime.block_on(own::run(global, self.kind.as_deref()).boxed_local())?;
        self.print(&report, &global.output())
    }

    /// Tests an integration of a running service.
    ///
    /// # Errors
    /// A case failed; what the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let report =
            running::run(session, self.integration.as_deref().unwrap_or_default(), self.signature_secret_file.as_deref()).await?;
        self.print(&report, &session.out)
    }

    fn print(&self, report: &Report, out: &super::output::Output) -> anyhow::Result<()> {
        report.print(out, self.cases || self.kind.is_some() || self.integration.is_some())
    }
}
