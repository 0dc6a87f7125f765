//! Every crate says at its top what it is.

use std::fs;

use crate::graph::metadata;
use crate::tree::assert_none;

fn documented(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.strip_prefix("//!").is_some_and(|doc| doc.split_whitespace().count() >= 3)
}

#[test]
fn every_crate_has_a_doc() {
    let packages = metadata().workspace_packages();
    let targets: Vec<_> = packages.iter().flat_map(|package| &package.targets).collect();
    assert!(targets.len() > packages.len(), "tests are targets too");
    let undocumented = targets.into_iter().filter(|target| {
        let text = fs::read_to_string(&target.src_path).expect("cargo names files that are there");
        !target.is_custom_build() && !documented(&text)
    });
    assert_none(undocumented.map(|target| format!("{} has no //! of a sentence", target.src_path)).collect());
}

#[test]
fn a_missing_doc_is_found() {
    assert!(documented("\n//! Logs, metrics, curves.\nmod a;"));
    assert!(!documented("mod a;\n//! Logs, metrics, curves."));
    assert!(!documented("//! x\n"));
    assert!(!documented(""));
}
