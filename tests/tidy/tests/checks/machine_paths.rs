//! Absolute paths of somebody's machine.

use crate::tree::{Source, assert_none, texts};

/// Written in parts, so that this file does not find itself.
const FOLDERS: &[&str] = &[concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];

fn findings(source: &Source) -> Vec<String> {
    let lines = source.text.lines().enumerate();
    let hits = lines.filter_map(|(number, line)| {
        let folder = FOLDERS.iter().find(|folder| line.match_indices(**folder).any(|(at, _)| absolute(&line[..at])))?;
        Some(format!("{}:{}: {folder}", source.path, number + 1))
    });
    hits.collect()
}

/// Whether a path that goes on behind `before` starts there, and is not the middle of a longer one or of an address.
fn absolute(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || "_-.~}*".contains(c))
}

#[test]
fn no_file_knows_a_machine() {
    assert_none(texts().iter().flat_map(findings).collect());
}

#[test]
fn machine_paths_are_found() {
    let check = |text: &str, expect: usize| {
        let found = findings(&Source { path: "a".to_owned(), text: text.to_owned() });
        assert_eq!(found.len(), expect, "{text}: {found:?}");
    };
    check(concat!("cd /ro", "ot/x"), 1);
    check(concat!("\"/wo", "rk/main\""), 1);
    check(concat!("file:///ho", "me/me"), 1);
    check(concat!("target/wo", "rk/x {dir}/wo", "rk/y ~/wo", "rk/"), 0);
    check("/var/lib/tfcoord", 0);
}
