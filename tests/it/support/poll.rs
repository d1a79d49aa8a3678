//! Waiting for something to become true, without sleeping longer than it takes.

use std::time::{Duration, Instant};

/// How long the slowest thing may take on a loaded two-core machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `question` again and again until it answers `Ok`; panics with its last `Err` after [`PATIENCE`].
pub async fn eventually<T>(mut question: impl AsyncFnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match question().await {
            Ok(answer) => return answer,
            Err(why) => assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
