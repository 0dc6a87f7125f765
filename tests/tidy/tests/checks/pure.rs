//! The cores' sources: no clock, no chance, no world.

use crate::regions::shipped;
use crate::tree::{assert_none, rust};

const CORES: &[&str] = &["coordinator/core/src/", "ps/core/src/", "worker/core/src/"];

/// Names that never stand in a core. Hash maps are among them: their order is a hidden coin.
const NAMES: &[&str] =
    &["tokio", "tonic", "rand", "getrandom", "Instant", "SystemTime", "HashMap", "HashSet", "RandomState", "thread_local"];

/// Modules of `std` that reach outside.
const MODULES: &[&str] = &["fs", "net", "env", "process", "thread"];

fn findings(path: &str, text: &str) -> Vec<String> {
    let code = shipped(path, text);
    let mut findings = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut say = |what: &str| findings.push(format!("{path}:{}: {what} in a pure core", number + 1));
        for name in NAMES.iter().filter(|name| words(line).any(|word| word == **name)) {
            say(name);
        }
        let mut rest = line;
        while let Some(at) = rest.find("std::") {
            let own = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            rest = &rest[at + "std::".len()..];
            if let Some(module) = MODULES.iter().find(|module| own && words(rest).next() == Some(module) && !rest.starts_with('{')) {
                say(&format!("std::{module}"));
            }
        }
    }
    // A group `std::{...}` may go over several lines: its members count wherever they stand in it.
    for (at, open) in code.match_indices("std::{") {
        let group = &code[at + open.len()..];
        let group = &group[..group.find(';').unwrap_or(group.len())];
        let hit = MODULES.iter().filter(|module| group.split(['{', '}', ',']).any(|part| words(part).next() == Some(module)));
        findings.extend(hit.map(|module| format!("{path}: std::{module} in a pure core")));
    }
    findings
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn cores_are_pure() {
    let cores: Vec<_> = rust().into_iter().filter(|source| CORES.iter().any(|core| source.path.starts_with(core))).collect();
    for core in CORES {
        assert!(cores.iter().any(|source| source.path.starts_with(core)), "{core} has no sources");
    }
    assert_none(cores.iter().flat_map(|source| findings(&source.path, &source.text)).collect());
}

#[test]
fn what_is_not_pure_is_found() {
    let check = |text: &str, expect: &[&str]| {
        let found = findings("a.rs", text);
        assert_eq!(found.len(), expect.len(), "{text}: {found:?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.contains(expect), "{text}: {found}");
        }
    };
    check("use std::time::Instant;", &["Instant"]);
    check("let now = std::time::SystemTime::now();", &["SystemTime"]);
    check("use std::time::Duration;", &[]);
    check("use std::fs::File;", &["std::fs"]);
    check("use std::{\n    collections::BTreeMap,\n    net::IpAddr,\n};", &["std::net"]);
    check("use std::{collections::{BTreeMap, HashSet}, fmt};", &["HashSet"]);
    check("use rand::Rng;", &["rand"]);
    check("let operand = strand; // tokio, std::fs", &[]);
    check("const A: &str = \"std::fs\";", &[]);
    check("#[cfg(test)]\nmod tests {\n    use std::fs;\n}", &[]);
}
