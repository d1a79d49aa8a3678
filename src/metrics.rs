//! Stub until merged.
use std::time::Duration;
/// Metrics.
#[derive(Default)]
pub struct Metrics;
impl Metrics {
    /// A batch.
    pub fn committed(&self, _took: Duration, _requests: usize, _ok: bool) {}
}
