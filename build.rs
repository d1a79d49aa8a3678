//! Lists the recipes of `src/provider/recipes`, so that a new tool is a file there and no line of code; and of each tool's fixtures
//! the two that open nothing, for `callbox conformance`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default());
    fs::write(out.join("recipes.rs"), recipes(&root.join("src/provider/recipes"))?)?;
    fs::write(out.join("samples.rs"), samples(&root.join("fixtures"))?)
}

fn recipes(folder: &Path) -> io::Result<String> {
    let mut files = entries(folder)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let mut list =
        String::from("/// The recipes built into the program: type and text.\npub static EMBEDDED: &[(&str, &str)] = &[\n");
    for file in files {
        let kind = file.file_stem().unwrap_or_default().to_string_lossy();
        writeln!(list, "    ({kind:?}, include_str!({:?})),", file.display().to_string()).map_err(io::Error::other)?;
    }
    list.push_str("];\n");
    Ok(list)
}

fn samples(folder: &Path) -> io::Result<String> {
    let mut list = String::from(
        "/// Requests of each tool that open nothing, where it has such: its type, a test message, a resolve.\n\
         pub static SAMPLES: &[(&str, &[&[u8]])] = &[\n",
    );
    for folder in entries(folder)? {
        let kind = folder.file_name().unwrap_or_default().to_string_lossy();
        let files = ["test-ping.http", "resolve.http"].map(|name| folder.join(name)).into_iter().filter(|file| file.is_file());
        let files: Vec<String> = files.map(|file| format!("include_bytes!({:?})", file.display().to_string())).collect();
        writeln!(list, "    ({kind:?}, &[{}]),", files.join(", ")).map_err(io::Error::other)?;
    }
    list.push_str("];\n");
    Ok(list)
}

/// What is in a folder, sorted; the build depends on it.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort();
    Ok(entries)
}
