//! Names that say nothing, and the older way to lay out modules.

use crate::tree::{assert_none, files};

/// Whatever holds "the rest" grows for ever; what a file holds has a name.
const EMPTY_WORDS: &[&str] = &["util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"];

const SOURCES: &[&str] = &["rs", "py", "sh", "proto"];

fn finding(path: &str) -> Option<String> {
    let (stem, extension) = path.rsplit_once('.')?;
    if !SOURCES.contains(&extension) {
        return None;
    }
    if path == "mod.rs" || path.ends_with("/mod.rs") {
        return Some(format!("{path}: a module `foo` is foo.rs, its parts are in foo/"));
    }
    let word = stem.split(['/', '_', '-']).find(|word| EMPTY_WORDS.contains(word))?;
    Some(format!("{path}: {word} does not say what is in it"))
}

#[test]
fn names_say_what_is_in_a_file() {
    assert_none(files().iter().filter_map(|path| finding(path)).collect());
}

#[test]
fn empty_names_are_found() {
    for path in ["a/mod.rs", "a/utils.rs", "a/helper/b.rs", "lease_manager.rs", "tests/common.py"] {
        assert!(finding(path).is_some(), "{path}");
    }
    for path in ["a/model.rs", "a/utilization.rs", "docs/common.md", "LICENSE"] {
        assert_eq!(finding(path), None);
    }
}
