//! Fault points: each stands in the table of its crate, in one place of the program, and in the docs.

use std::collections::BTreeMap;
use std::fs;

use tfcoord_fault::{Kind, POINTS, Point};

use crate::regions::shipped;
use crate::tree::{assert_none, root, rust};

const MACROS: &[&str] = &["point!(\"", "io!(\""];

/// The table's own crate shows how they are used.
const TABLE: &str = "crates/fault/";

/// The names of the points that a file marks.
fn marks<'a>(path: &str, text: &'a str) -> Vec<&'a str> {
    let code = shipped(path, text);
    let mut marks = Vec::new();
    for open in MACROS {
        // In `code` a literal is spaces, its place is the same.
        let called = open.trim_end_matches('"');
        for (at, _) in code.match_indices(called) {
            let own = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let name = text[at..].strip_prefix(open).and_then(|rest| rest.split('"').next());
            marks.extend(name.filter(|_| own));
        }
    }
    marks
}

// What is done in two ways, to files of this machine and to those in HDFS, stands once in each.
const IN_TWO_WAYS: [&str; 6] = [
    "checkpoint.part.create",
    "checkpoint.manifest.write",
    "checkpoint.manifest.written",
    "checkpoint.manifest.rename",
    "worker.export.written",
    "worker.export.renamed",
];

fn findings(points: &[Point], marks: &BTreeMap<String, usize>) -> Vec<String> {
    let times = |point: &Point| marks.get(point.name).copied().unwrap_or_default();
    let wanted = |point: &Point| if IN_TWO_WAYS.contains(&point.name) { 2 } else { 1 };
    let wrong = points.iter().filter(|point| times(point) != wanted(point));
    wrong.map(|point| format!("{} stands in {} places of the program, not in {}", point.name, times(point), wanted(point))).collect()
}

fn row(point: &Point) -> String {
    let errors = if point.kind == Kind::Io { "`eio`, `enospc`" } else { "" };
    format!("| `{}` | {errors} | {} |", point.name, point.at)
}

#[test]
fn every_point_is_one_place() {
    let mut counts = BTreeMap::new();
    for source in rust().iter().filter(|source| !source.path.starts_with(TABLE)) {
        for name in marks(&source.path, &source.text) {
            *counts.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    assert_none(findings(POINTS, &counts));
}

#[test]
fn the_docs_show_the_table() {
    let docs = fs::read_to_string(root().join("docs/fault-points.md")).expect("docs/fault-points.md is there");
    let shown: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `")).collect();
    let rows: Vec<String> = POINTS.iter().map(row).collect();
    assert_eq!(shown, rows, "docs/fault-points.md has other rows than crates/fault/src/points.rs:\n{}\n", rows.join("\n"));
}

#[test]
fn a_point_that_is_nowhere_or_twice_is_found() {
    let text = "fn f() { tfcoord_fault::point!(\"a.b\"); io!(\"c\")?; checkpoint!(\"d\"); } // point!(\"e\")\n#[cfg(test)]\nmod t { fn g() { point!(\"f\") } }";
    assert_eq!(marks("ps/src/a.rs", text), ["a.b", "c"]);
    let point = |name| Point { name, at: "", kind: Kind::Plain };
    let counts = [("a".to_owned(), 1), ("b".to_owned(), 2)].into();
    let found = findings(&[point("a"), point("b"), point("c")], &counts);
    assert_eq!(found, ["b stands in 2 places of the program, not in 1", "c stands in 0 places of the program, not in 1"]);
}
