//! Logs and snapshots that a stranger has written: numbers anywhere become extreme ones. Nothing may panic but the
//! tests' own checks; in these builds arithmetic that overflows does.

use super::random::{draws, replay, run};
use crate::cluster::Cluster;
use crate::command::Command;
use crate::snapshot::{load, save};
use crate::view::view;
use proptest::prelude::*;
use serde_json::Value;

const EXTREMES: [u64; 8] = [0, 1, 2, 255, u32::MAX as u64, 1 << 48, u64::MAX - 1, u64::MAX];

// Every number of a JSON value, in order.
fn numbers<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    match value {
        Value::Number(_) => found.push(value),
        Value::Array(items) => items.iter_mut().for_each(|item| numbers(item, found)),
        Value::Object(fields) => fields.values_mut().for_each(|item| numbers(item, found)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn disturbed(bytes: &[u8], changes: &[(usize, usize)]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(bytes).unwrap();
    let mut found = Vec::new();
    numbers(&mut value, &mut found);
    for (at, extreme) in changes {
        let count = found.len().max(1);
        if let Some(number) = found.get_mut(at % count) {
            **number = EXTREMES[extreme % EXTREMES.len()].into();
        }
    }
    serde_json::to_vec(&value).unwrap()
}

fn look(cluster: &Cluster) {
    for job in cluster.jobs() {
        job.tasks.keys().for_each(|task| drop(view(cluster, &job.id, *task)));
        assert!(!job.reason().is_empty());
    }
    crate::desired::desired(cluster);
    crate::deadline::next_deadline(cluster);
}

type Changes = Vec<(usize, usize)>;

fn changes() -> impl Strategy<Value = Changes> {
    proptest::collection::vec(any::<(usize, usize)>(), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_strangers_log_is_applied_without_a_panic(draws in draws(), disturbances in proptest::collection::vec((any::<u8>(), changes()), 1..20)) {
        let log = run(&mut Cluster::new(), &draws);
        let mut cluster = Cluster::new();
        for (n, (index, at_ms, command)) in log.into_iter().enumerate() {
            let mut stored = serde_json::to_vec(&(index, at_ms, command)).unwrap();
            if let Some((_, changes)) = disturbances.iter().find(|(at, _)| usize::from(*at) == n) {
                stored = disturbed(&stored, changes);
            }
            if let Ok((index, at_ms, command)) = serde_json::from_slice::<(u64, u64, Command)>(&stored) {
                let _ = command.to_string();
                let applied = cluster.apply(index, at_ms, command);
                let _ = applied.outcome.to_string();
            }
            look(&cluster);
        }
    }

    #[test]
    fn a_strangers_snapshot_is_refused_or_goes_on_without_a_panic(
        draws in draws(), more in draws(), changes in changes(), flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let mut cluster = Cluster::new();
        run(&mut cluster, &draws);
        let bytes = save(&cluster);
        if let Ok(mut cluster) = load(&disturbed(&bytes, &changes)) {
            look(&cluster);
            let log = run(&mut Cluster::new(), &more);
            let base = cluster.revision().0;
            let later = log.into_iter().map(|(index, at_ms, command)| (base.saturating_add(index), at_ms, command)).collect();
            replay(&mut cluster, &later);
            look(&cluster);
        }
        let mut flipped = bytes;
        let at = flip.0.index(flipped.len());
        flipped[at] ^= flip.1;
        if let Ok(cluster) = load(&flipped) {
            look(&cluster);
        }
    }
}
