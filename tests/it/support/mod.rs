//! What the integration tests stand on: a fresh database, the real program, its API, raw sockets, and waiting.
//!
//! Knows the service only from outside: its command line, its environment, its HTTP interface, its tables.

// Shared by all areas: an area that comes later finds what it needs here, used by others already or not.
#![allow(dead_code)]

use std::io::Write as _;

#[macro_use]
pub mod database;
pub mod api;
pub mod authority;
pub mod callbox;
pub mod disk;
pub mod poll;
pub mod raw;
pub mod receiver;
pub mod secrets;
pub mod tool;

pub use api::{Api, Integration};
pub use authority::Authority;
pub use callbox::Callbox;
pub use database::Database;
pub use poll::eventually;

/// Whether a missing tool or database is a failure (`CI=true`) instead of a skip.
pub fn skips_are_failures() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Whether tests run in their full size, minutes long: `scripts/test --full`.
pub fn full() -> bool {
    std::env::var_os("CALLBOX_TEST_FULL").is_some()
}

/// Says loudly that a test did not run; fails instead under `CI=true`. The caller returns after it.
pub fn skip(why: &str) {
    assert!(!skips_are_failures(), "cannot be skipped under CI=true: {why}");
    announce_skip(why);
}

/// Says loudly that a test did not run, and fails nowhere: for what a clone on its own does not have.
pub fn announce_skip(why: &str) {
    // Written past the test runner's capture, which shows nothing of a test that passes.
    let mut stderr = std::io::stderr();
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    writeln!(stderr, "\n#### SKIPPED {name}: {why}\n").unwrap();
}
