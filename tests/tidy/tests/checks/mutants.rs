//! Each bug in `tests/mutants` can still be put back: a change of the code that it is in takes it along.

use super::tree::{assert_none, files, root};
use std::process::Command;

// Why a patch does not apply.
fn refused(patch: &str) -> Option<String> {
    let output = Command::new("git").args(["apply", "--check", patch]).current_dir(root()).output().expect("git is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then(|| format!("{patch}: {}", text.lines().next().unwrap_or_default()))
}

#[test]
fn every_known_bug_can_be_put_back() {
    let patches: Vec<String> = files().into_iter().filter(|path| path.starts_with("tests/mutants/") && path.ends_with(".patch")).collect();
    assert!(patches.len() >= 20, "only {} are left", patches.len());
    assert_none(patches.iter().filter_map(|patch| refused(patch)).collect());
}

#[test]
fn what_does_not_fit_the_code_is_found() {
    let at = std::env::temp_dir().join(format!("tfcoord-tidy-{}.patch", std::process::id()));
    std::fs::write(&at, "--- a/Cargo.toml\n+++ b/Cargo.toml\n@@ -1 +1 @@\n-what is not there\n+x\n").unwrap();
    let found = refused(at.to_str().unwrap());
    std::fs::remove_file(&at).unwrap();
    assert!(found.is_some_and(|text| text.contains("patch failed: Cargo.toml:1")));
}
