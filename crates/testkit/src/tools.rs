//! Tools that `make setup` puts under `target/tools`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The tool, or `None` where it is not installed, said loudly. With `CI` set, a missing tool is a failure: a check that
/// did not run must not look like one that passed.
///
/// # Panics
/// If it is missing and `CI` is set.
pub fn tool(path: &str) -> Option<PathBuf> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(path);
    if tool.exists() {
        return Some(tool);
    }
    skip(&format!("{} is missing: run make setup", tool.display()));
    None
}

/// Says loudly that a check is left out, and why.
///
/// # Panics
/// If `CI` is set: there, nothing is left out.
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    // Not `eprintln!`, which the test harness keeps to itself when a test passes.
    let _ = writeln!(io::stderr(), "\n*** SKIP: {why} ***\n");
}
