//! Worker drivers against parameter servers, both real, on a simulated wire that delays, reorders, doubles,
//! replays and loses messages, while workers die, seem to die, come and leave, and lanes change hands.
//!
//! Two oracles: the counting model ends with exactly E everywhere, and a model whose gradients depend on the
//! parameters of every chunk ends with the bits of the quiet run of one worker and one server.
//!
//! In the other modes than bsp, one for all chunks or several, the first oracle alone, and in `ssp` how far workers are apart.
//!
//! More runs: `PROPTEST_CASES=10000 cargo test -p tfcoord-worker-core --test exchange`.
#![allow(clippy::unwrap_used)]

mod chance;
mod coordinator;
mod model;
mod process;
mod world;

use model::Model;
use proptest::prelude::*;
use tfcoord_types::job::Sync;
use tfcoord_types::variable::Group;
use world::{Conditions, Outcome, World};

fn quiet(model: &Model) -> Outcome {
    World::run(model, Conditions { workers: 1, servers: 1, faults: 0, wild: false, seed: 0 })
}

/// Every coordinate was counted once an epoch.
#[track_caller]
fn check_counts(model: &Model, outcome: &Outcome) {
    let expected = (model.plan.epochs as f32).to_bits();
    let counted: Vec<u32> = outcome.parameters.concat();
    let counts = model.variables.iter().filter(|variable| variable.group == Group::Add).count();
    assert!(counted[..counts * 9001].iter().all(|count| *count == expected), "a record was lost or counted twice");
    let records: f32 = outcome.curve.iter().map(|point| point.records).sum();
    assert_eq!(records, 9001.0 * model.plan.epochs as f32);
}

#[track_caller]
fn check_same(outcome: &Outcome, reference: &Outcome) {
    assert_eq!(outcome.curve, reference.curve);
    assert!(outcome.parameters == reference.parameters, "the parameters' bits differ");
    assert_eq!(outcome.digests, reference.digests, "other parameters were evaluated or exported");
}

#[test]
fn any_number_of_workers_and_servers_gives_the_same_bits() {
    for lanes in [1, 2, 4, 8] {
        let models = [Model::counting(lanes), Model::fit(lanes, false), Model::fit(lanes, true)];
        for (index, model) in models.iter().enumerate() {
            let reference = quiet(model);
            assert_eq!(reference.curve.len() as u64, model.plan.steps());
            for workers in 1..=4.min(lanes as usize) {
                for servers in 1..=3 {
                    let outcome = World::run(model, Conditions { workers, servers, faults: 0, wild: false, seed: 7 });
                    if index == 0 {
                        check_counts(model, &outcome);
                    }
                    check_same(&outcome, &reference);
                }
            }
        }
    }
}

#[test]
fn clipping_changes_the_bits_and_the_loss_falls() {
    let [free, clipped] = [false, true].map(|clipped| quiet(&Model::fit(4, clipped)));
    assert_ne!(free.parameters, clipped.parameters);
    let loss = |outcome: &Outcome, at: usize| outcome.curve[at].loss_sum / outcome.curve[at].records;
    assert!(loss(&free, 5) < 0.9 * loss(&free, 0), "{:?}", free.curve);
}

fn conditions() -> impl Strategy<Value = (u32, Conditions)> {
    let numbers = (0u32..4, 1usize..=4, 1u32..=3, 1usize..60, any::<bool>(), any::<u64>());
    numbers.prop_map(|(log, workers, servers, faults, wild, seed)| {
        let lanes = 1 << log;
        (lanes, Conditions { workers: workers.min(lanes as usize), servers, faults, wild, seed })
    })
}

/// One for all, or one for each of the counts; what is `local` has rounds of one length.
fn modes() -> impl Strategy<Value = [Sync; 3]> {
    let mode = |every| {
        let ssp = (1u32..4).prop_map(|staleness| Sync::Ssp { staleness });
        prop_oneof![Just(Sync::Async {}), ssp, Just(Sync::Local { every, momentum: 0.0 })]
    };
    let all = (1u32..6).prop_flat_map(move |every| [mode(every), mode(every), mode(every)]);
    (all, any::<bool>()).prop_map(|(all, one)| if one { [all[0]; 3] } else { all })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_counts_once_whatever_goes_wrong((lanes, conditions) in conditions()) {
        let model = Model::counting(lanes);
        check_counts(&model, &World::run(&model, conditions));
    }

    #[test]
    fn every_record_counts_once_in_every_mode((_, conditions) in conditions(), modes in modes()) {
        let model = Model::alone(modes);
        let outcome = World::run(&model, conditions);
        check_counts(&model, &outcome);
        assert_eq!(outcome.curve.len() as u64, model.plan.steps());
        assert!(outcome.digests.values().all(|digests| digests.len() == 1), "nobody trains while parameters are evaluated");
    }

    #[test]
    fn the_bits_are_the_quiet_run_s_whatever_goes_wrong((lanes, conditions) in conditions(), clipped: bool) {
        let model = Model::fit(lanes, clipped);
        check_same(&World::run(&model, conditions), &quiet(&model));
    }
}
