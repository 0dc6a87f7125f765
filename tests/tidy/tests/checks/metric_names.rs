//! Metrics: the sources, telemetry's table and the docs name the same ones.

use std::collections::BTreeSet;
use std::fs;

use tfcoord_telemetry::prometheus::{Metric, PROCESS_METRICS, RECORDED_METRICS, Role};

use crate::regions::shipped;
use crate::tree::{assert_none, root, rust};

const MACROS: &[&str] = &["counter!(", "gauge!(", "histogram!("];

/// The table's own crate passes names on from it.
const TABLE: &str = "crates/telemetry/";

/// One use of a metric in a source file.
#[derive(Debug, PartialEq)]
struct Use {
    /// As in `ps/src/push.rs:12`.
    place: String,
    kind: &'static str,
    /// `None` where the name is not a literal.
    name: Option<String>,
    labels: BTreeSet<String>,
}

fn uses(path: &str, text: &str) -> Vec<Use> {
    let code = shipped(path, text);
    let mut uses = Vec::new();
    for macro_open in MACROS {
        for (at, _) in code.match_indices(macro_open) {
            if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let start = at + macro_open.len();
            let arguments = start..start + arguments_len(&code[start..]);
            let literals = literals(&text[arguments.clone()]);
            let named = text[arguments].trim_start().starts_with('"');
            uses.push(Use {
                place: format!("{path}:{}", text[..at].lines().count().max(1)),
                kind: macro_open.trim_end_matches("!("),
                name: named.then(|| literals[0].0.to_owned()),
                labels: literals
                    .iter()
                    .filter(|(_, rest)| rest.trim_start().starts_with("=>"))
                    .map(|(name, _)| (*name).to_owned())
                    .collect(),
            });
        }
    }
    uses
}

/// How far the arguments go behind the opening bracket, in code without literals.
fn arguments_len(code: &str) -> usize {
    let mut depth = 1;
    let close = code.bytes().position(|byte| {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    close.unwrap_or(code.len())
}

/// The plain string literals of `text`, each with what follows it. Names have no escapes.
fn literals(text: &str) -> Vec<(&str, &str)> {
    let mut parts = text.split('"');
    let mut at = parts.next().map_or(0, str::len);
    let mut literals = Vec::new();
    while let (Some(literal), Some(between)) = (parts.next(), parts.next()) {
        at += literal.len() + 2;
        literals.push((literal, &text[at..]));
        at += between.len();
    }
    literals
}

fn finding(used: &Use, table: &[Metric]) -> Option<String> {
    let Use { place, kind, name, labels } = used;
    let Some(name) = name else { return Some(format!("{place}: write the metric's name as a literal, for people to find it")) };
    let Some(metric) = table.iter().find(|metric| metric.name == name) else {
        return Some(format!("{place}: {name} is not in telemetry's table"));
    };
    if metric.kind.word() != *kind {
        return Some(format!("{place}: {name} is a {} in telemetry's table", metric.kind.word()));
    }
    let listed: BTreeSet<String> = metric.labels.iter().map(|&label| label.to_owned()).collect();
    (listed != *labels).then(|| format!("{place}: {name} has the labels {listed:?} in telemetry's table, not {labels:?}"))
}

fn all_uses() -> Vec<Use> {
    let sources = rust();
    sources.iter().filter(|source| !source.path.starts_with(TABLE)).flat_map(|source| uses(&source.path, &source.text)).collect()
}

#[test]
fn every_metric_used_is_in_the_table() {
    assert_none(all_uses().iter().filter_map(|used| finding(used, RECORDED_METRICS)).collect());
}

#[test]
fn every_metric_of_the_table_is_used() {
    let used: BTreeSet<String> = all_uses().into_iter().filter_map(|used| used.name).collect();
    let idle = RECORDED_METRICS.iter().filter(|metric| !used.contains(metric.name));
    assert_none(idle.map(|metric| format!("{} is in telemetry's table, and nobody records it", metric.name)).collect());
}

#[test]
fn the_docs_have_the_same_table() {
    let docs = fs::read_to_string(root().join("docs/metrics.md")).expect("docs/metrics.md is there");
    let rows: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> = RECORDED_METRICS.iter().chain(PROCESS_METRICS).map(row).collect();
    let missing = expected.iter().filter(|row| !rows.contains(&row.as_str())).map(|row| format!("docs/metrics.md lacks {row}"));
    let surplus = rows.iter().filter(|row| !expected.iter().any(|have| have == *row)).map(|row| format!("docs/metrics.md has {row}"));
    assert_none(missing.chain(surplus).collect());
}

fn row(metric: &Metric) -> String {
    let Metric { name, kind, unit, labels, role, help } = metric;
    let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
    let role = match role {
        Some(Role::Coordinator) => "coordinator",
        Some(Role::ParameterServer) => "parameter server",
        Some(Role::Worker) => "worker",
        None => "every process",
    };
    format!("| `{name}` | {} | {} | {labels} | {role} | {help} |", kind.word(), unit.as_str())
}

#[test]
fn uses_are_found() {
    let text = "fn f() {\n  metrics::counter!(\n    \"a_total\", \"outcome\" => \"x\", \"by\" => g(1)).increment(1);\n  gauge!(NAME).set(1.0);\n}\n// counter!(\"no\")";
    let found = uses("p.rs", text);
    let labels = ["by", "outcome"].map(str::to_owned).into();
    assert_eq!(found[0], Use { place: "p.rs:2".to_owned(), kind: "counter", name: Some("a_total".to_owned()), labels });
    assert_eq!(found[1], Use { place: "p.rs:4".to_owned(), kind: "gauge", name: None, labels: BTreeSet::new() });
    assert_eq!(found.len(), 2);
}

#[test]
fn what_differs_from_the_table_is_found() {
    let check = |text: &str, expect: Option<&str>| {
        let found = finding(&uses("p.rs", text)[0], RECORDED_METRICS);
        assert_eq!(found.is_some(), expect.is_some(), "{text}: {found:?}");
        assert!(found.unwrap_or_default().contains(expect.unwrap_or_default()), "{text}");
    };
    check(r#"counter!("tfcoord_pushes_total", "outcome" => "held")"#, None);
    check(r#"counter!("tfcoord_pushes_total")"#, Some("labels"));
    check(r#"gauge!("tfcoord_pushes_total", "outcome" => "held")"#, Some("is a counter"));
    check(r#"counter!("tfcoord_pulls_total")"#, Some("not in"));
    check(r#"counter!(format!("tfcoord_{x}_total"))"#, Some("literal"));
}
