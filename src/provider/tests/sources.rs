use std::fs;
use std::path::Path;

use super::*;
use crate::provider::sources;

#[test]
fn the_page_about_every_tool_is_what_the_program_knows() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sources.md");
    let page = sources::page(Registry::built_in());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let first = page.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(written == page, "docs/sources.md is behind the program; run `{}`\nfirst difference: {first:?}", sources::COMMAND);
}

#[test]
fn nothing_on_the_page_is_left_unfilled() {
    let page = sources::page(Registry::built_in());
    assert!(!page.contains("<<") && !page.contains("\n?"), "a mark of the setup texts stands on the page");
    for tool in Registry::built_in().tools() {
        let meta = tool.meta();
        assert!(page.contains(&format!("\n## {}\n", meta.kind)), "{}", meta.kind);
        assert!(page.contains(meta.docs), "{}", meta.kind);
    }
}
