//! The working tree: what git tracks, and what it would track.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file, its path relative to the root.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    pub fn rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Paths relative to the root; ignored files are left out, as are those deleted but not yet committed.
pub fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
    let mut files: Vec<String> = names.split_terminator('\0').filter(|path| root().join(path).is_file()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    assert!(files.iter().any(|path| path == "Cargo.toml"), "the listing is not this project's: {files:?}");
    files
}

/// All files that are UTF-8.
pub fn texts() -> Vec<Source> {
    let read = |path: String| fs::read_to_string(root().join(&path)).ok().map(|text| Source { path, text });
    files().into_iter().filter_map(read).collect()
}

pub fn rust() -> Vec<Source> {
    texts().into_iter().filter(Source::rust).collect()
}

/// Fails with all findings at once.
#[track_caller]
pub fn assert_none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} finding(s):\n  {}\n", findings.len(), findings.join("\n  "));
}
