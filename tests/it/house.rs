//! The rules of the house that a compiler does not check, read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that do no I/O, read no clock and never await.
const PURE: [&str; 7] = ["event", "json", "provider", "signature", "incident", "retention", "delivery"];

/// What none of their lines may hold.
const IMPURE: [&str; 14] = [
    "std::fs",
    "std::net::Tcp",
    "std::process",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Clock::System",
    ".await",
    "async fn",
    "tokio::",
    "actix_web",
    "diesel",
];

fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "conformance.rs")))
}

/// The lines of a file before its test module.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

#[test]
fn the_core_is_pure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut read, mut broken) = (0, Vec::new());
    for module in PURE {
        let mut files = sources(&root.join(module));
        files.extend(Some(root.join(format!("{module}.rs"))).filter(|path| path.exists()));
        for path in files.into_iter().filter(|path| !is_test(path)) {
            read += 1;
            for (number, line) in code(&path).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                if let Some(word) = IMPURE.iter().find(|word| line.contains(*word)) {
                    broken.push(format!("{}:{}: {word}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(read > 40, "only {read} files were read");
    assert!(broken.is_empty(), "the core does I/O, reads a clock or awaits:\n{}", broken.join("\n"));
}

#[test]
fn the_test_of_purity_can_fail() {
    let line = "let now = std::time::Instant::now();";
    assert!(IMPURE.iter().any(|word| line.contains(word)));
}

#[test]
fn every_module_says_what_it_owns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let silent: Vec<String> = sources(&root)
        .into_iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .filter(|path| !is_test(path) && !path.components().any(|part| part.as_os_str() == "tests"))
        .map(|path| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "files without a //! line: {}", silent.join(", "));
}

#[test]
fn sqlite_and_postgresql_have_the_same_migrations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let names = |database: &str| {
        let mut names: Vec<_> = fs::read_dir(root.join(database)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}
