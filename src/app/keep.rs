//! What a service on SQLite keeps beside its file so that it needs no settings: the master key, an administrator's token, a lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::failure::usage;
use crate::config::{Config, Database};
use crate::secret::{Sealer, Secret};

/// The secrets that a service runs with, and the lock on its file.
pub struct Kept {
    /// The master key; `None` where SQLite has none beside it.
    pub master_key: Option<Secret>,
    /// Held as long as the service runs: two on one file would each take the other's writes for granted.
    pub lock: Option<File>,
}

/// Locks the SQLite file, and finds the master key: from the settings, or in the file beside the database.
///
/// # Errors
/// PostgreSQL without a master key ([`crate::cli::failure::Usage`]), a file that cannot be read, or a database that another process
/// serves.
pub fn keep(config: &Config) -> anyhow::Result<Kept> {
    let given = config.secrets.master_key.clone();
    match &config.store.database {
        Database::Postgres(_) if given.is_none() => Err(usage(
            "PostgreSQL needs the master key that seals its secrets, the same on every node: set CALLBOX_MASTER_KEY or \
             CALLBOX_MASTER_KEY_FILE to 32 random bytes in base64 (for example from `openssl rand -base64 32`)",
        )),
        Database::Postgres(_) => Ok(Kept { master_key: given, lock: None }),
        Database::Sqlite(path) => {
            let lock = Some(lock(path)?);
            let master_key = if given.is_some() { given } else { read(&beside(path, ".key"))? };
            Ok(Kept { master_key, lock })
        }
    }
}

/// `callbox.db` and `.key` make `callbox.db.key`.
pub fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn lock(database: &Path) -> anyhow::Result<File> {
    let path = beside(database, ".lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("{} is served by another process", database.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Makes the master key of a SQLite database that has sealed nothing yet, and leaves it beside the file.
///
/// # Errors
/// `sealed`: what was sealed needs the key that was there before; or the file cannot be written.
pub fn first_master_key(database: &Path, sealed: bool) -> anyhow::Result<Secret> {
    let path = beside(database, ".key");
    if sealed {
        bail!(
            "{} is there but its master key {} is not; bring the file back or set CALLBOX_MASTER_KEY",
            database.display(),
            path.display()
        );
    }
    let text = Sealer::generate_text().context("cannot make a master key")?;
    write(&path, &text)?;
    Ok(text)
}

/// A secret file's text without white space around it; `None` where there is no such file.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> anyhow::Result<Option<Secret>> {
    let mut text = String::new();
    match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => Ok(Some(Secret::new(text.trim()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes a secret file that only its owner can read, and makes sure that it is on disk.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, text: &Secret) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(file, "{}", text.expose()).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))
}
