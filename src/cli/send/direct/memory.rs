//! What each destination was told, and when: so that a repeat is left out.
//!
//! Of each alert and destination the last thing told is kept: what it was (trigger, acknowledge, resolve), how bad, and when. The same
//! again within the window is a repeat; a change of state never is, nor is an alert that got worse, so that a destination's last word is
//! never a lie. The file holds hashes of URLs and keys, no text of theirs.
//!
//! Runs that share a file take turns at it, not at sending: what is about to be told is noted first, as not yet sure, and counts for
//! [`UNSURE`]. A run that dies in between leaves a note that is soon worth nothing: a repeat pages, when in doubt.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::told::Told;
use crate::duration::Span;
use crate::event::{Action, Severity};
use crate::time::Timestamp;

/// How long what is about to be told counts as told, in microseconds.
const UNSURE: i64 = 60 * 1_000_000;
/// How long anything is kept at least, in microseconds: other runs may have longer windows.
const KEPT: i64 = 24 * 3_600 * 1_000_000;

/// What was told of one alert to one destination.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Mark {
    action: Action,
    severity: Severity,
    /// Microseconds since the epoch.
    at: i64,
    /// Whether it arrived.
    sure: bool,
}

/// What was told.
pub struct Memory {
    window: i64,
    file: Option<PathBuf>,
    marks: HashMap<String, Mark>,
    /// Whether the file is read and never written.
    dry: bool,
    trouble: Option<String>,
}

/// Where the file is, unless another is named.
pub fn usual_file() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("callbox/send.json"))
}

impl Memory {
    /// With what `file` holds. Where `dry`, the file is left as it is.
    pub fn open(window: Span, file: Option<PathBuf>, dry: bool) -> Self {
        let window = window.seconds().saturating_mul(1_000_000);
        let mut memory = Self { window, file, marks: HashMap::new(), dry, trouble: None };
        if dry && let Some(file) = memory.file.take() {
            memory.marks = read(&file).unwrap_or_else(|error| {
                memory.trouble = Some(error.to_string());
                HashMap::new()
            });
        }
        memory
    }

    /// Whether a destination is to be told this; if so it is noted as about to be told.
    pub fn claim(&mut self, sink: &str, told: &Told, now: Timestamp) -> bool {
        let (Some(name), Some(action)) = (name(sink, told), told.action) else { return true };
        let severity = told.severity.unwrap_or(Severity::Info);
        let mark = Mark { action, severity, at: now.0, sure: self.dry };
        let window = self.window;
        self.change(now, |marks| {
            let repeats = marks.get(&name).is_some_and(|before| is_repeat(before, &mark, window));
            if !repeats {
                marks.insert(name, mark);
            }
            !repeats
        })
    }

    /// Notes what became of it.
    pub fn settle(&mut self, sink: &str, told: &Told, arrived: bool, now: Timestamp) {
        let Some(name) = name(sink, told) else { return };
        self.change(now, |marks| match marks.get_mut(&name).filter(|mark| !mark.sure) {
            Some(mark) if arrived => (mark.at, mark.sure) = (now.0, true),
            Some(_) => drop(marks.remove(&name)),
            None => {}
        });
    }

    /// Why the file could not be used, once.
    pub fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Changes what is known: in the file, where that works, else in memory.
    fn change<T>(&mut self, now: Timestamp, act: impl FnOnce(&mut HashMap<String, Mark>) -> T) -> T {
        let turn = self.file.as_deref().map(Turn::take).transpose();
        let turn = turn.and_then(|turn| match turn {
            Some(turn) => read(&turn.path).map(|marks| Some((turn, marks))),
            None => Ok(None),
        });
        match turn {
            Ok(Some((turn, marks))) => {
                self.marks = marks;
                let done = act(&mut self.marks);
                let oldest = now.0.saturating_sub(self.window.max(KEPT));
                self.marks.retain(|_, mark| mark.at >= oldest);
                if let Err(error) = turn.write(&self.marks) {
                    self.give_up(&error);
                }
                done
            }
            Ok(None) => act(&mut self.marks),
            Err(error) => {
                self.give_up(&error);
                act(&mut self.marks)
            }
        }
    }

    /// From here on without the file.
    fn give_up(&mut self, error: &io::Error) {
        let path = self.file.take().unwrap_or_default();
        self.trouble = Some(format!("{}: {error}", path.display()));
    }
}

fn is_repeat(before: &Mark, mark: &Mark, window: i64) -> bool {
    let window = if before.sure { window } else { window.min(UNSURE) };
    // A clock that was set back makes no repeat.
    let age = mark.at.saturating_sub(before.at);
    before.action == mark.action && mark.severity <= before.severity && (0..window).contains(&age)
}

/// Under which name an alert at a destination is kept.
fn name(sink: &str, told: &Told) -> Option<String> {
    let key = told.key.as_ref()?;
    Some(hex::encode(Sha256::digest(format!("{sink}\0{key}"))))
}

/// What a file holds; nothing where there is none.
fn read(path: &Path) -> io::Result<HashMap<String, Mark>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| io::Error::other("it is not what `callbox send` writes there: delete it, or name another with --state")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(error) => Err(error),
    }
}

/// A turn at the file: other runs wait until it is over.
struct Turn {
    path: PathBuf,
    _lock: File,
}

impl Turn {
    /// Waits for it. The lock is a file beside it, because the file itself is replaced.
    fn take(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let lock = File::options().create(true).append(true).open(folder.join(name))?;
        lock.lock()?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Replaces the file as a whole.
    fn write(&self, marks: &HashMap<String, Mark>) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(marks)?)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}
