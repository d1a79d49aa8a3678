//! What retention removed, how far behind it is, and how much room is left.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::time::Timestamp;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TableLabel {
    table: &'static str,
}

/// The numbers of retention.
#[derive(Debug, Default)]
pub struct Retention {
    rows: Family<TableLabel, Counter>,
    bodies: Counter,
    lag_seconds: Family<TableLabel, Gauge<f64, AtomicU64>>,
    last_run: Gauge,
    held_bytes: Family<TableLabel, Gauge>,
    room_bytes: Gauge,
    above_high_water: Gauge,
}

impl Retention {
    /// Puts them on the page.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("retention_rows", "Rows removed, by table", self.rows.clone());
        registry.register("retention_bodies", "Request bodies dropped to make room", self.bodies.clone());
        registry.register(
            "retention_lag_seconds",
            "By how much the oldest row that may go is over its age, by table",
            self.lag_seconds.clone(),
        );
        registry.register(
            "retention_last_run_timestamp_seconds",
            "When there was last nothing left to remove",
            self.last_run.clone(),
        );
        registry.register("retention_held_bytes", "Bytes held, by table, where they are bounded", self.held_bytes.clone());
        registry.register("disk_room_bytes", "What the database can still store on its disk", self.room_bytes.clone());
        registry.register(
            "disk_above_high_water",
            "Whether the disk is above its high-water mark and bodies are dropped",
            self.above_high_water.clone(),
        );
    }

    /// Rows of `table` were removed.
    pub fn removed(&self, table: &'static str, rows: usize) {
        self.rows.get_or_create(&TableLabel { table }).inc_by(rows as u64);
    }

    /// Bodies were dropped.
    pub fn dropped(&self, bodies: usize) {
        self.bodies.inc_by(bodies as u64);
    }

    /// The oldest row of `table` that may go is over its age by so much; 0 where there is none.
    pub fn lag(&self, table: &'static str, seconds: f64) {
        self.lag_seconds.get_or_create(&TableLabel { table }).set(seconds);
    }

    /// Nothing was left to remove at `now`.
    pub fn ran(&self, now: Timestamp) {
        self.last_run.set(now.seconds());
    }

    /// A bounded table holds so much.
    pub fn held(&self, table: &'static str, bytes: u64) {
        self.held_bytes.get_or_create(&TableLabel { table }).set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The disk was looked at.
    pub fn disk(&self, room: u64, above_high_water: bool) {
        self.room_bytes.set(i64::try_from(room).unwrap_or(i64::MAX));
        self.above_high_water.set(i64::from(above_high_water));
    }
}
