//! Every secret that a test got to know, and the proof that no service ever logged one of them.

use std::sync::{Mutex, MutexGuard, PoisonError};

static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn known() -> MutexGuard<'static, Vec<String>> {
    // A test that failed while it held the lock left the list whole.
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on no log may hold `secret`.
pub fn remember(secret: &str) {
    let mut known = known();
    if !known.iter().any(|one| one == secret) {
        known.push(secret.to_owned());
    }
}

/// Panics when `log` holds a secret; shows the line with the secret replaced.
pub fn assert_none_in(log: &str) {
    for secret in known().iter() {
        if let Some(line) = log.lines().find(|line| line.contains(secret.as_str())) {
            panic!("a secret is in the log: {}", line.replace(secret.as_str(), "<SECRET>"));
        }
    }
}
