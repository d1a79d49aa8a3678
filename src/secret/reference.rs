//! Secrets that are named instead of given: `${NAME}`, anywhere in a text, stands for an environment variable, and `file:PATH`, as the
//! whole text, for what a file holds.
//!
//! Whoever may configure a destination could read the machine by this; so only what the operator lists can be named: the variables of
//! `outbound.secrets_env` and the files below `outbound.secrets_dir`.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::Secret;

/// Bytes that a file may hold.
const FILE_MAX: usize = 64 << 10;
/// What a text that names a file begins with.
const FILE: &str = "file:";

/// What may be named.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// The variables that are listed; `None`: listed and not set.
    variables: HashMap<String, Option<Secret>>,
    folder: Option<PathBuf>,
}

/// Why a reference leads to nothing. No text holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// The variable is not listed.
    #[error("${{{0}}} may not be used: the operator lists it in outbound.secrets_env, or write $${{{0}}} for the text itself")]
    NotListed(String),
    /// The variable is listed, and not there.
    #[error("{0} is not set in the environment of the service: set it and restart")]
    NotSet(String),
    /// Files cannot be named here, or not this one.
    #[error("file:{0} may not be used: the operator names its folder in outbound.secrets_dir")]
    Outside(String),
    /// The file cannot be used.
    #[error("file:{0} {1}")]
    File(String, String),
}

impl References {
    /// These variables of the environment, and the files below `folder`.
    pub fn new(variables: HashMap<String, Option<Secret>>, folder: Option<PathBuf>) -> Self {
        Self { variables, folder }
    }

    /// Whether a text names another; what it names need not be there.
    pub fn is_one(text: &str) -> bool {
        Self::is_file(text) || pieces(text).any(|piece| matches!(piece, Piece::Variable(_)))
    }

    /// Whether a text names a file.
    pub fn is_file(text: &str) -> bool {
        text.starts_with(FILE)
    }

    /// What a text stands for: itself where it names nothing. What a name stands for is taken as it is.
    ///
    /// # Errors
    /// It names what may not be named, or is not there.
    pub fn resolve(&self, text: &Secret) -> Result<Secret, Unresolved> {
        if let Some(path) = text.expose().strip_prefix(FILE) {
            return self.file(path);
        }
        let mut whole = String::with_capacity(text.expose().len());
        for piece in pieces(text.expose()) {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Variable(name) => whole.push_str(self.variable(name)?.expose()),
            }
        }
        Ok(Secret::new(whole))
    }

    fn variable(&self, name: &str) -> Result<&Secret, Unresolved> {
        match self.variables.get(name) {
            None => Err(Unresolved::NotListed(name.to_owned())),
            Some(None) => Err(Unresolved::NotSet(name.to_owned())),
            Some(Some(value)) => Ok(value),
        }
    }

    /// The text of a file below the folder, without the line break at its end. Whether anything lies outside is not told, and not
    /// looked at: a link that leads out counts as outside.
    fn file(&self, path: &str) -> Result<Secret, Unresolved> {
        let outside = || Unresolved::Outside(path.to_owned());
        let failed = |why: &str| Unresolved::File(path.to_owned(), why.to_owned());
        let folder = self.folder.as_deref().ok_or_else(outside)?;
        let full = folder.join(path);
        if !full.starts_with(folder) || Path::new(path).components().any(|part| part == Component::ParentDir) {
            return Err(outside());
        }
        let missing = |error: std::io::Error| failed(&format!("cannot be read: {}", error.kind()));
        let folder = folder.canonicalize().map_err(missing)?;
        let full = full.canonicalize().map_err(missing)?;
        if !full.starts_with(&folder) {
            return Err(outside());
        }
        // Opening a pipe would wait for its other end.
        if !full.metadata().map_err(missing)?.is_file() {
            return Err(failed("is not a file"));
        }
        let mut text = String::new();
        let mut file = File::open(&full).map_err(missing)?.take(FILE_MAX as u64 + 1);
        file.read_to_string(&mut text).map_err(missing)?;
        let text = Secret::new(text);
        match text.expose().trim_end_matches(['\r', '\n']) {
            "" => Err(failed("is empty")),
            whole if whole.len() > FILE_MAX => Err(failed("is too large for a secret")),
            whole => Ok(Secret::new(whole)),
        }
    }
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// The parts of a text, in order. `$${NAME}` is the text `${NAME}`.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, left) = next(rest);
        rest = left;
        Some(piece)
    })
}

/// The first part, and what follows it.
fn next(text: &str) -> (Piece<'_>, &str) {
    if let Some((name, rest)) = named(text) {
        return (Piece::Variable(name), rest);
    }
    if let Some(escaped) = text.strip_prefix('$')
        && let Some((_, rest)) = named(escaped)
    {
        return (Piece::Text(escaped.strip_suffix(rest).unwrap_or(escaped)), rest);
    }
    // Up to the next `$`, and past one that begins nothing.
    let end = text.char_indices().skip(1).find(|(_, character)| *character == '$').map_or(text.len(), |(at, _)| at);
    let (head, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (Piece::Text(head), rest)
}

/// The name where a text begins with `${NAME}`, and what follows.
fn named(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix("${")?.split_once('}')?;
    is_name(name).then_some((name, rest))
}

/// Whether `name` can be that of an environment variable: letters, digits and `_`, no digit first.
pub fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(folder: Option<&Path>) -> References {
        let variables = [("SLACK", Some(Secret::new("T0/B0/x"))), ("UNSET", None), ("ODD", Some(Secret::new("${SLACK}")))];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        References::new(variables, folder.map(Path::to_owned))
    }

    fn resolve(text: &str) -> Result<String, Unresolved> {
        references(None).resolve(&Secret::new(text)).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn a_variable_stands_anywhere_and_only_where_it_is_written_as_one() {
        for (text, stands_for) in [
            ("https://hooks.example/${SLACK}?a=1", "https://hooks.example/T0/B0/x?a=1"),
            ("${SLACK}${SLACK}", "T0/B0/xT0/B0/x"),
            ("${ODD}", "${SLACK}"),
            ("$${SLACK}", "${SLACK}"),
            ("$$${SLACK}", "$${SLACK}"),
            ("pa$$word $SLACK ${} ${1A} ${a b} ${open", "pa$$word $SLACK ${} ${1A} ${a b} ${open"),
            ("é${SLACK}é$", "éT0/B0/xé$"),
            ("", ""),
        ] {
            assert_eq!(resolve(text).as_deref(), Ok(stands_for), "{text}");
            assert_eq!(References::is_one(text), stands_for.contains("T0") || text == "${ODD}", "{text}");
        }
        assert_eq!(resolve("x${PATH}"), Err(Unresolved::NotListed("PATH".into())));
        assert_eq!(resolve("${UNSET}"), Err(Unresolved::NotSet("UNSET".into())));
        let told = Unresolved::NotListed("PATH".into()).to_string();
        assert!(told.starts_with("${PATH} may not") && told.contains("$${PATH} for"), "{told}");
    }

    #[test]
    fn a_file_is_read_below_the_folder_and_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("secrets");
        std::fs::create_dir_all(folder.join("team")).unwrap();
        std::fs::write(root.path().join("outside"), "hush").unwrap();
        std::fs::write(folder.join("url"), "https://hooks.example/x\r\n").unwrap();
        std::fs::write(folder.join("team/token"), "${SLACK}").unwrap();
        std::fs::write(folder.join("empty"), "\n").unwrap();
        std::fs::write(folder.join("large"), "x".repeat(FILE_MAX + 1)).unwrap();
        std::fs::write(folder.join("binary"), b"\xff").unwrap();
        std::os::unix::fs::symlink(root.path().join("outside"), folder.join("out")).unwrap();
        std::os::unix::fs::symlink("url", folder.join("in")).unwrap();
        let references = references(Some(&folder));
        let read = |path: &str| references.resolve(&Secret::new(format!("file:{path}"))).map(|secret| secret.expose().to_owned());
        for path in ["url", "in", folder.join("url").to_str().unwrap()] {
            assert_eq!(read(path).as_deref(), Ok("https://hooks.example/x"), "{path}");
        }
        assert_eq!(read("team/token").as_deref(), Ok("${SLACK}"), "what a file holds is not read again");
        let outside = root.path().join("outside");
        for path in ["../outside", "team/../../outside", "out", "/etc/passwd", "/no/such/file", outside.to_str().unwrap()] {
            assert_eq!(read(path), Err(Unresolved::Outside(path.into())), "{path}");
        }
        for path in ["missing", "empty", "large", "binary", "team", ""] {
            assert!(matches!(read(path), Err(Unresolved::File(..))), "{path}");
        }
        assert_eq!(resolve("file:url"), Err(Unresolved::Outside("url".into())), "without a folder there are no files");
    }
}
