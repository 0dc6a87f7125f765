//! The crates and the arrows between them (ARCHITECTURE.md).

use std::collections::BTreeSet;

use cargo_metadata::DependencyKind;

use crate::graph::metadata;
use crate::tree::assert_none;

/// Which of the project's crates a crate may depend on. A new crate takes its place here first.
const MAY_SEE: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("fault", &[]),
    ("kerberos", &[]),
    ("hadoop-rpc", &["kerberos"]),
    ("webhdfs", &["kerberos", "hadoop-rpc"]),
    ("fs", &["fault", "kerberos", "hadoop-rpc"]),
    ("telemetry", &["fs"]),
    ("proto", &["types"]),
    ("data", &["types", "fs"]),
    ("model", &["types"]),
    ("optimizer", &["types"]),
    ("launch", &["types", "fault", "fs"]),
    ("checkpoint", &["types", "fault", "fs"]),
    ("client", &["types", "proto"]),
    ("exchange", &["types", "proto"]),
    ("coordinator-core", &["types"]),
    ("ps-core", &["types", "optimizer"]),
    ("worker-core", &["types"]),
    // For the tokens and endpoints that both sides of a session must read alike.
    (
        "coordinator",
        &[
            "types",
            "proto",
            "client",
            "coordinator-core",
            "checkpoint",
            "fault",
            "kerberos",
            "hadoop-rpc",
            "webhdfs",
            "fs",
            "launch",
            "telemetry",
        ],
    ),
    ("ps", &["types", "proto", "client", "exchange", "checkpoint", "fault", "fs", "ps-core", "telemetry"]),
    ("worker", &["types", "proto", "client", "exchange", "data", "fault", "fs", "model", "optimizer", "worker-core", "telemetry"]),
    // `launch` for what runs of a job on this machine, to be struck by `submit --chaos`; what is about Hadoop for `doctor`.
    ("cli", &["types", "proto", "client", "fs", "hadoop-rpc", "webhdfs", "kerberos", "launch"]),
    ("testkit", &["types", "proto", "exchange"]),
];

/// Tests and benchmarks: they see anything, nothing sees them.
const SEE_ANYTHING: &[&str] = &["benches", "e2e", "hadoop-tests", "sim", "tidy"];

const PREFIX: &str = "tfcoord-";

fn findings(edges: &[(String, Vec<String>)]) -> Vec<String> {
    let mut findings = Vec::new();
    for (from, to) in edges {
        if SEE_ANYTHING.contains(&from.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_SEE.iter().find(|(name, _)| name == from) else {
            findings.push(format!("{from} has no place in the graph of crates"));
            continue;
        };
        let outside = to.iter().filter(|to| !allowed.contains(&to.as_str()));
        findings.extend(outside.map(|to| format!("{from} must not depend on {to}")));
    }
    findings
}

#[test]
fn arrows_are_those_of_the_plan() {
    let ours = |name: &str| name.strip_prefix(PREFIX).map(str::to_owned);
    let edges = metadata().workspace_packages().into_iter().map(|package| {
        let shipped = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        let from = ours(&package.name).unwrap_or_else(|| panic!("{} lacks the prefix {PREFIX}", package.name));
        (from, shipped.filter_map(|dependency| ours(&dependency.name)).collect())
    });
    assert_none(findings(&edges.collect::<Vec<_>>()));
}

#[test]
fn the_plan_has_no_cycle() {
    let mut placed = BTreeSet::new();
    for (name, sees) in MAY_SEE {
        for seen in *sees {
            assert!(placed.contains(seen), "{name} sees {seen}, which stands further down");
        }
        assert!(placed.insert(name), "{name} stands twice");
    }
}

#[test]
fn a_wrong_arrow_is_found() {
    let check = |from: &str, to: &str, expect: &[&str]| {
        assert_eq!(findings(&[(from.to_owned(), vec![to.to_owned()])]), expect, "{from} -> {to}");
    };
    check("worker", "worker-core", &[]);
    check("worker", "ps", &["worker must not depend on ps"]);
    check("ps", "testkit", &["ps must not depend on testkit"]);
    check("e2e", "testkit", &[]);
    check("novel", "types", &["novel has no place in the graph of crates"]);
}
