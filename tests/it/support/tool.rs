//! Other people's programs: found on this machine or skipped loudly, run in the background, ended with the test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::skip;

/// A background program. Killed when dropped; its output is shown when the test fails.
pub struct Tool {
    child: Child,
    log: PathBuf,
}

impl Tool {
    /// Starts `command`, its output going to a file in `folder`.
    pub fn start(mut command: Command, folder: &TempDir) -> Self {
        let log = folder.path().join("output");
        let file = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .current_dir(folder.path())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self { child, log }
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- {} ----\n{}", self.log.display(), std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// The program `name` from PATH; `None`, said loudly, where it is not installed.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        skip(&format!("{name} is not installed (scripts/setup-tests installs it)"));
    }
    found
}

/// A file that `scripts/setup-tests` puts under `target/e2e`; `None`, said loudly, where it is missing.
pub fn installed(path: &str) -> Option<PathBuf> {
    let path = repository().join("target/e2e").join(path);
    if path.exists() {
        return Some(path);
    }
    skip(&format!("{} is missing (scripts/setup-tests installs it)", path.display()));
    None
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A port of the loopback interface that is free now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
