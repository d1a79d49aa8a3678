//! A small file system of a test's own.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::skip;

/// A tmpfs, unmounted when it is dropped.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// Of this size, as mount(8) reads it; `None`, said loudly, where mounting is not permitted.
    pub fn mount(size: &str) -> Option<Self> {
        let folder = TempDir::with_prefix("callbox-disk-").unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                skip(&format!("cannot mount a small disk: {}", String::from_utf8_lossy(&output.stderr).trim()));
                None
            }
            Err(error) => {
                skip(&format!("cannot mount a small disk: {error}"));
                None
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file until nothing more fits.
    pub fn fill(&self) -> std::path::PathBuf {
        use std::io::Write as _;
        let path = self.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        // Smaller and smaller pieces, so that not one page is left.
        for size in [1 << 20, 1 << 16, 1 << 12] {
            while file.write_all(&vec![0_u8; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: on a failed test the service may still hold its file.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
