//! The page on channels says what there is.

use super::super::{CHANNELS, shorthand};

/// What docs/channels.md says of a kind: from its heading to the next.
fn documented(name: &str) -> &'static str {
    let page = include_str!("../../../../docs/channels.md");
    let heading = format!("\n## {name}\n");
    page.split_once(&heading).map_or("", |(_, rest)| rest.split("\n## ").next().unwrap_or_default())
}

#[test]
fn every_kind_and_every_option_is_documented() {
    for channel in CHANNELS {
        let section = documented(channel.name());
        assert!(section.contains(&format!("`{}`", channel.kind())), "{} has no section", channel.name());
        assert!(section.contains(channel.docs()), "{} does not name its source", channel.name());
        for option in channel.options() {
            assert!(section.contains(&format!("`{option}`")), "{}: {option} is not explained", channel.name());
        }
    }
}

#[test]
fn every_shorthand_in_the_documentation_is_one() {
    let page = include_str!("../../../../docs/channels.md");
    let table = page.split_once("\n## Shorthands\n").unwrap().1.split("\n## ").next().unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(rows.len() > 15, "only {} rows", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let named = shorthand::shorthand(cells[1]).unwrap_or_else(|| panic!("{} names nothing", cells[1]));
        assert_eq!(named.kind, cells[2], "{}", cells[1]);
    }
}
