//! Wiring: what the commands that run on the machine itself call.

use anyhow::bail;

use crate::cli::local::{DoctorArgs, ServeArgs};
use crate::secret::Secret;

/// Runs the service until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting.
pub fn serve(_args: ServeArgs) -> anyhow::Result<()> {
    bail!("serve is wired at the merge")
}

/// Brings the schema of `database` (a URL) up to date.
///
/// # Errors
/// The database cannot be opened or a migration fails.
pub fn migrate(_database: &str) -> anyhow::Result<()> {
    bail!("migrate is wired at the merge")
}

/// Checks configuration and database, and prints what it finds.
///
/// # Errors
/// At least one check failed.
pub fn doctor(_args: DoctorArgs) -> anyhow::Result<()> {
    bail!("doctor is wired at the merge")
}

/// Makes a token with every scope straight in `database` (a URL), for the first access to a new installation.
///
/// # Errors
/// The database cannot be opened or written.
pub fn create_admin_token(_database: &str, _name: &str) -> anyhow::Result<Secret> {
    bail!("token create --admin is wired at the merge")
}
