//! Every foreign crate that a manifest names has its reason in `docs/dependencies.md`, and nothing else stands there.

use std::collections::BTreeSet;
use std::fs;

use crate::graph::metadata;
use crate::tree::{assert_none, root};

/// The crates in the first cells of the tables above the heading of those that were turned down.
fn explained(docs: &str) -> BTreeSet<String> {
    let used = docs.split("\n## Not used").next().unwrap_or_default();
    let cells = used.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    cells.flat_map(|cell| cell.split(',')).map(|name| name.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn every_dependency_has_a_reason() {
    let docs = fs::read_to_string(root().join("docs/dependencies.md")).expect("docs/dependencies.md is there");
    let explained = explained(&docs);
    let manifests = metadata().workspace_packages();
    let named: BTreeSet<String> = manifests
        .iter()
        .flat_map(|package| &package.dependencies)
        .filter(|dependency| dependency.path.is_none())
        .map(|dependency| dependency.name.clone())
        .collect();
    let missing = named.difference(&explained).map(|name| format!("docs/dependencies.md has no reason for {name}"));
    let surplus = explained.difference(&named).map(|name| format!("docs/dependencies.md explains {name}, which nobody uses"));
    assert_none(missing.chain(surplus).collect());
}

#[test]
fn the_tables_are_read() {
    let docs = "| crate | why |\n|---|---|\n| `a`, `b-c` | x `d` |\n\n## Not used\n| `e` | y |\n";
    assert_eq!(explained(docs), ["a", "b-c"].map(str::to_owned).into());
}
