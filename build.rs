//! Lists the recipes of `src/provider/recipes`, so that a new tool is a file there and no line of code.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("src/provider/recipes");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut list =
        String::from("/// The recipes built into the program: type and text.\npub static EMBEDDED: &[(&str, &str)] = &[\n");
    for file in files {
        let kind = file.file_stem().unwrap_or_default().to_string_lossy();
        writeln!(list, "    ({kind:?}, include_str!({:?})),", file.display().to_string()).map_err(io::Error::other)?;
    }
    list.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("recipes.rs"), list)
}
