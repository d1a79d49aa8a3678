//! How a command fails: the message on standard error and the exit code.

use std::io;
use std::process::ExitCode;

use super::terminal;

/// A mistake in how the command was called or configured: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// A [`Usage`] error with this message.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// Prints the error chain and says how the process ends: 1 failed, 2 wrong usage. A reader that went away (`callbox tail | head`)
/// is no failure.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    eprintln!("{}", message(error));
    ExitCode::from(code(error))
}

/// The chain as one text: the outermost first, each cause once.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::from("error: ");
    let mut last = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let cause = cause.to_string();
        // A cause that its wrapper already quotes adds nothing.
        if depth > 0 && last.contains(&cause) {
            continue;
        }
        if depth > 0 {
            text.push_str("\n  because: ");
        }
        text.push_str(&cause);
        last = cause;
    }
    terminal::lines(&text)
}

fn code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<Usage>()) { 2 } else { 1 }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn usage_ends_with_2_and_the_rest_with_1() {
        assert_eq!(code(&usage("no").context("outer")), 2);
        assert_eq!(code(&anyhow!("no")), 1);
    }

    #[test]
    fn the_chain_is_printed_once_and_escaped() {
        let error = Err::<(), _>(anyhow!("inner \u{1b}[31m")).context("outer").unwrap_err();
        assert_eq!(message(&error), "error: outer\n  because: inner \\u{1b}[31m");
        let error = Err::<(), _>(anyhow!("inner")).context("outer: inner").unwrap_err();
        assert_eq!(message(&error), "error: outer: inner");
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_broken_pipe(&error));
        assert!(!is_broken_pipe(&anyhow!("other")));
    }
}
