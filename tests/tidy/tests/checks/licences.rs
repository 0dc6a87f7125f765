//! Licences of everything that goes into the binaries, all platforms. `deny.toml` says the same to cargo-deny.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::{DependencyKind, PackageId};

use crate::graph::metadata;
use crate::spdx::satisfied;
use crate::tree::{assert_none, root};

/// Permissive licences: a notice is all they ask for. Weak copyleft (MPL-2.0, LGPL) is not needed by anything, and would ask
/// for more.
const ALLOWED: &[&str] =
    &["Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Zlib"];

const BINARIES: &[&str] = &["tfcoord-cli", "tfcoord-coordinator", "tfcoord-ps", "tfcoord-worker"];

fn finding(package: &str, licence: Option<&str>) -> Option<String> {
    let Some(licence) = licence else { return Some(format!("{package} names no licence")) };
    match satisfied(licence, &|name| ALLOWED.contains(&name)) {
        Ok(true) => None,
        Ok(false) => Some(format!("{package} is under {licence}")),
        Err(error) => Some(format!("{package}: {error}")),
    }
}

/// Packages reached from the binaries by normal and build dependencies: code that is in them, or wrote some of it.
fn shipped() -> BTreeSet<&'static PackageId> {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("cargo metadata resolves");
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let of_binary = |id: &&PackageId| BINARIES.contains(&metadata[id].name.as_str());
    let mut open: Vec<&PackageId> = metadata.workspace_members.iter().filter(of_binary).collect();
    assert_eq!(open.len(), BINARIES.len(), "not all of {BINARIES:?} are members");
    let mut reached = BTreeSet::new();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            let deps = nodes[id].deps.iter();
            let kept = deps.filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development));
            open.extend(kept.map(|dep| &dep.pkg));
        }
    }
    reached
}

#[test]
fn the_binaries_hold_permissive_code_only() {
    let packages: Vec<_> = shipped().into_iter().map(|id| &metadata()[id]).collect();
    assert!(packages.iter().any(|package| package.name.as_str() == "tokio"), "the graph ends too early");
    assert_none(packages.iter().filter_map(|package| finding(&package.name, package.license.as_deref())).collect());
}

#[test]
fn cargo_deny_has_the_same_list() {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    let (_, list) = text.split_once("\nallow = [").expect("deny.toml has a list of licences");
    let (list, _) = list.split_once("\n]").expect("the list ends");
    let listed: Vec<&str> = list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once('"')).map(|(name, _)| name).collect();
    assert_eq!(listed, ALLOWED);
}

#[test]
fn copyleft_and_silence_are_found() {
    assert_eq!(finding("a", Some("GPL-3.0-only")), Some("a is under GPL-3.0-only".to_owned()));
    assert_eq!(finding("a", Some("MIT AND LGPL-2.1-or-later")), Some("a is under MIT AND LGPL-2.1-or-later".to_owned()));
    assert_eq!(finding("a", None), Some("a names no licence".to_owned()));
    assert_eq!(finding("a", Some("MIT OR LGPL-2.1-or-later")), None);
}
