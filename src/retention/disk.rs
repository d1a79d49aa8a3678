//! How full the disk may get, and whether it is.

use std::fmt;

/// Where the disk counts as nearly full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HighWater {
    /// Never.
    #[default]
    Off,
    /// When less than this many bytes are left, or less than a tenth of it where that is not as much.
    Left(u64),
    /// When more than this many hundredths of it are used.
    Used(u64),
}

impl fmt::Display for HighWater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Left(bytes) => write!(f, "{} left", Bytes(*bytes)),
            Self::Used(used) => write!(f, "{used}% used"),
        }
    }
}

/// Bytes for people.
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
            .into_iter()
            .find(|(shift, _)| self.0 >> shift > 0)
            .unwrap_or((0, "bytes"));
        let whole = self.0 >> unit;
        let tenths = if unit == 0 || whole >= 10 { 0 } else { ((self.0 >> (unit - 10)) & 1023) * 10 / 1024 };
        if tenths == 0 { write!(f, "{whole} {name}") } else { write!(f, "{whole}.{tenths} {name}") }
    }
}

/// A disk with a database on it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Disk {
    /// Its size, without what is reserved for the administrator.
    pub size: u64,
    /// What anybody may still write.
    pub available: u64,
    /// What the database has given back and will fill first: its file does not shrink.
    pub reusable: u64,
}

impl Disk {
    /// What the database can still store.
    pub const fn room(&self) -> u64 {
        self.available.saturating_add(self.reusable)
    }
}

/// Whether the disk is above its mark, as it goes up and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Level {
    above: bool,
}

impl Level {
    /// Whether it is, now that the disk looks like this. Once above it stays so until a little more room is made than the mark
    /// asks for, so that it does not come and go with every request.
    pub fn read(&mut self, mark: HighWater, disk: &Disk) -> bool {
        let needed = match mark {
            HighWater::Off => 0,
            HighWater::Left(left) => left.min(disk.size / 10),
            HighWater::Used(used) => disk.size / 100 * (100 - used),
        };
        let spare = if self.above { needed / 20 } else { 0 };
        self.above = disk.room() < needed.saturating_add(spare);
        self.above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn bytes_for_people() {
        let cases = [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (GIB, "1 GiB"), (12 * GIB + GIB / 2, "12 GiB")];
        for (bytes, text) in cases {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(Bytes(u64::MAX).to_string(), "16777215 TiB");
        assert_eq!((HighWater::Left(GIB).to_string(), HighWater::Used(90).to_string()), ("1 GiB left".into(), "90% used".into()));
    }

    #[test]
    fn pages_that_were_given_back_are_room() {
        let mut level = Level::default();
        let disk = |available, reusable| Disk { size: 100 * GIB, available, reusable };
        assert!(!level.read(HighWater::Left(GIB), &disk(GIB, 0)));
        assert!(level.read(HighWater::Left(GIB), &disk(GIB - 1, 0)));
        assert!(!level.read(HighWater::Left(GIB), &disk(0, 2 * GIB)));
        assert!(!level.read(HighWater::Used(90), &disk(6 * GIB, 4 * GIB)));
        assert!(level.read(HighWater::Used(90), &disk(6 * GIB, 4 * GIB - 1)));
        assert!(!level.read(HighWater::Off, &disk(0, 0)));
    }

    #[test]
    fn it_is_left_a_little_later_than_it_was_reached() {
        let mut level = Level::default();
        let disk = |available| Disk { size: 100 * GIB, available, reusable: 0 };
        assert!(!level.read(HighWater::Used(80), &disk(20 * GIB)));
        assert!(level.read(HighWater::Used(80), &disk(20 * GIB - 1)));
        assert!(level.read(HighWater::Used(80), &disk(21 * GIB - 1)), "not yet");
        assert!(!level.read(HighWater::Used(80), &disk(21 * GIB)));
        assert!(!level.read(HighWater::Used(80), &disk(20 * GIB)), "and not at once again");
    }

    #[test]
    fn on_a_small_disk_a_tenth_is_enough() {
        let disk = |available| Disk { size: 24 << 20, available, reusable: 0 };
        assert!(!Level::default().read(HighWater::Left(GIB), &disk(3 << 20)));
        assert!(Level::default().read(HighWater::Left(GIB), &disk(2 << 20)));
    }
}
