//! Arguments to command; the error chain and the exit code: 0 done, 1 failed, 2 wrong usage or configuration.

use std::process::ExitCode;

use callbox::cli;
use clap::Parser;

/// What a request allocates on one thread is freed on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Fails only when a provider is installed already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::failure::report(&error),
    }
}
