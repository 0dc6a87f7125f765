//! The graph of packages, as cargo resolves it.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::tree::root;

/// What `cargo metadata` says of the workspace, all platforms.
pub fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().expect("cargo metadata"))
}

/// The packages that `package` links on this platform: normal dependencies all the way, with the features they have when
/// `package` is built alone. `cargo metadata` would mix in the features that other members and tests ask for.
pub fn linked(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}", "--package", package])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("package names are UTF-8");
    text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
