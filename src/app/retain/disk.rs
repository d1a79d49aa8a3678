//! The disk that a SQLite file is on: read, and what is said of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Database;
use crate::retention::disk::Disk;

/// Where the state of the disk is read.
#[derive(Clone, Debug)]
pub enum Gauge {
    /// Nowhere: the disk is not ours to look after.
    Off,
    /// The file system of this file.
    FileSystem(PathBuf),
    /// A disk that stays as it is until it is set; every clone shows the same one.
    Manual(Arc<Mutex<Disk>>),
}

impl Gauge {
    /// Of a database.
    pub fn of(database: &Database) -> Self {
        match database {
            Database::Sqlite(path) => Self::FileSystem(path.clone()),
            Database::Postgres(_) => Self::Off,
        }
    }

    /// Size and what is available; `None` where nobody looks.
    ///
    /// # Errors
    /// The file system does not tell.
    pub fn read(&self) -> std::io::Result<Option<Disk>> {
        match self {
            Self::Off => Ok(None),
            Self::FileSystem(path) => file_system(path).map(Some),
            Self::Manual(disk) => Ok(Some(*disk.lock().unwrap_or_else(PoisonError::into_inner))),
        }
    }
}

fn file_system(path: &Path) -> std::io::Result<Disk> {
    let found = rustix::fs::statvfs(path)?;
    let reserved = found.f_bfree.saturating_sub(found.f_bavail);
    Ok(Disk {
        size: found.f_blocks.saturating_sub(reserved).saturating_mul(found.f_frsize),
        available: found.f_bavail.saturating_mul(found.f_frsize),
        reusable: 0,
    })
}

/// What was last seen of the disk, for whoever asks.
#[derive(Debug, Default)]
pub struct Status {
    above: AtomicBool,
    room: AtomicU64,
}

impl Status {
    /// Whether the disk is above its high-water mark.
    pub fn above_high_water(&self) -> bool {
        self.above.load(Ordering::Relaxed)
    }

    /// What the database can still store, in bytes; 0 also where nobody looks.
    pub fn room(&self) -> u64 {
        self.room.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, above: bool, room: u64) {
        self.above.store(above, Ordering::Relaxed);
        self.room.store(room, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_tells_its_size_and_what_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Gauge::FileSystem(folder.path().to_owned()).read().unwrap().unwrap();
        assert!(disk.size > 0 && disk.available <= disk.size, "{disk:?}");
        assert!(Gauge::FileSystem(folder.path().join("nothing")).read().is_err());
        assert_eq!(Gauge::Off.read().unwrap(), None);
    }
}
