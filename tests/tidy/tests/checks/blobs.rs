//! Sizes: of any file, and of a source file.

use std::fs;

use crate::tree::{assert_none, files, root, rust};

const BYTES_MAX: u64 = 5 * 1024 * 1024;

/// A file with one subject is far shorter; this only stops the growth of a hall.
const LINES_MAX: usize = 600;

fn too_big(path: &str, bytes: u64) -> Option<String> {
    (bytes > BYTES_MAX).then(|| format!("{path}: {bytes} bytes, more than {BYTES_MAX}"))
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines >= LINES_MAX).then(|| format!("{path}: {lines} lines, split it before {LINES_MAX}"))
}

#[test]
fn files_are_small() {
    let size = |path: &String| fs::metadata(root().join(path)).map_or(0, |metadata| metadata.len());
    let mut findings: Vec<String> = files().iter().filter_map(|path| too_big(path, size(path))).collect();
    findings.extend(rust().iter().filter_map(|source| too_long(&source.path, &source.text)));
    assert_none(findings);
}

#[test]
fn big_files_are_found() {
    assert!(too_big("a", BYTES_MAX + 1).is_some());
    assert_eq!(too_big("a", BYTES_MAX), None);
    assert!(too_long("a.rs", &"x\n".repeat(LINES_MAX)).is_some());
    assert_eq!(too_long("a.rs", &"x\n".repeat(LINES_MAX - 1)), None);
}
