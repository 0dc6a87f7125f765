use std::collections::BTreeSet;

use metrics::Unit;

use super::*;

fn rendered(role: Role, record: impl FnOnce()) -> String {
    let (recorder, endpoint) = recorder(role);
    metrics::with_local_recorder(&recorder, record);
    endpoint.render()
}

#[test]
fn names_follow_the_conventions() {
    let mut seen = BTreeSet::new();
    for metric in RECORDED_METRICS.iter().chain(PROCESS_METRICS) {
        let name = metric.name;
        assert!(seen.insert(name), "{name} stands twice");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        assert!(name.starts_with(if metric.role.is_some() { "tfcoord_" } else { "process_" }), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        let stem = name.trim_end_matches("_total");
        match metric.unit {
            Unit::Seconds => assert!(stem.ends_with("_seconds"), "{name}"),
            Unit::Bytes => assert!(stem.ends_with("_bytes"), "{name}"),
            Unit::Count => assert!(!stem.ends_with("_seconds") && !stem.ends_with("_bytes"), "{name}"),
            unit => panic!("{name}: {unit:?} is no base unit"),
        }
        assert!(metric.help.ends_with('.') && metric.help.len() > 10, "{name}: {}", metric.help);
        if let Kind::Histogram { buckets } = metric.kind {
            assert!(buckets.is_sorted_by(|a, b| a < b) && !buckets.is_empty(), "{name}");
        }
    }
}

#[test]
fn what_has_no_label_is_there_at_zero_from_the_start() {
    let text = rendered(Role::ParameterServer, || ());
    for line in ["tfcoord_chunk_updates_total 0", "tfcoord_held_blocks 0", "tfcoord_step 0", "# TYPE tfcoord_step gauge"] {
        assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("tfcoord_worker_"), "another role's metric in\n{text}");
}

#[test]
fn what_is_recorded_is_rendered_with_labels_and_the_tables_buckets() {
    let text = rendered(Role::ParameterServer, || {
        metrics::counter!("tfcoord_pushes_total", "outcome" => "held").increment(2);
    });
    assert!(text.contains("# HELP tfcoord_pushes_total Pushes answered, by outcome.\n"), "{text}");
    assert!(text.contains("tfcoord_pushes_total{outcome=\"held\"} 2\n"), "{text}");

    let text = rendered(Role::Worker, || metrics::histogram!("tfcoord_worker_wait_seconds").record(0.02));
    assert!(text.contains("# TYPE tfcoord_worker_wait_seconds histogram\n"), "{text}");
    assert!(text.contains("tfcoord_worker_wait_seconds_bucket{le=\"0.01\"} 0\n"), "{text}");
    assert!(text.contains("tfcoord_worker_wait_seconds_bucket{le=\"0.03\"} 1\n"), "{text}");
    assert!(text.contains("tfcoord_worker_wait_seconds_sum 0.02\n"), "{text}");
}

#[test]
fn every_scrape_has_the_process_itself() {
    let text = rendered(Role::Worker, || ());
    for metric in PROCESS_METRICS {
        assert!(text.lines().any(|line| line.starts_with(&format!("{} ", metric.name))), "{} in\n{text}", metric.name);
    }
}
