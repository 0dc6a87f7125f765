//! One server, message by message. Faults and several servers: `worker/core/tests/exchange`.

mod arrive;
mod cut;

use super::*;
use bytes::Bytes;
use tfcoord_optimizer::Slots;
use tfcoord_types::id::Incarnation;
use tfcoord_types::layout::SEGMENT;
use tfcoord_types::variable::{Initializer, Variable};
use tfcoord_types::view::{Directive, Placement};

const A: Incarnation = Incarnation(10);
const B: Incarnation = Incarnation(11);

fn variable(name: &str, len: u32, group: Group) -> Variable {
    Variable { name: name.into(), shape: vec![len], initializer: Initializer::Ones, group, sync: None }
}

/// Four lanes: 8 records a step, then 5 (lanes 2, 1, 1, 1), three epochs. Lanes 0 and 1 are A's, 2 and 3 are B's.
fn view() -> TaskView {
    TaskView {
        revision: Revision(5),
        incarnation: Incarnation(1),
        directive: Directive::Run,
        generation: Generation(1),
        plan: TrainPlan { records: 13, batch_size: 8, micro_batches: 4, epochs: 3 },
        placement: Some(Placement {
            epoch: 1,
            variables: vec![variable("w", 5000, Group::Train), variable("curve", 3, Group::Curve)],
            chunk_elements: SEGMENT,
            servers: vec![0, 1, 0],
        }),
        servers: vec![],
        owners: vec![Some(A), Some(A), Some(B), Some(B)],
        workers: vec![A, B],
        leases: vec![],
        run_until: 4,
        evaluate: None,
        export: None,
        evaluations: vec![],
        restore: None,
        cut: None,
    }
}

fn config(more: &str) -> Config {
    let train = format!(r#"{{"batch_size": 8, "epochs": 3, "optimizer": {{"sgd": {{"learning_rate": 0.5}}}}{more}}}"#);
    Config { slot: 0, train: serde_json::from_str(&train).unwrap() }
}

fn push(who: Incarnation, chunk: u32, step: u64, (first, len): (u32, u32), value: f32) -> Push {
    let block = Block::new(first, len).unwrap();
    let records = u32::try_from(view().plan.records_in(step, block.lanes())).unwrap();
    let payload = value.to_le_bytes().repeat([4096, 904, 3][chunk as usize]).into();
    Push { from: 7, incarnation: who, view_revision: Revision(5), generation: Generation(1), step, chunk, block, records, payload }
}

struct Bed(Server);

impl Bed {
    fn new() -> Self {
        let mut bed = Bed(Server::new(config("")));
        bed.apply(Input::View(Box::new(view())));
        bed
    }

    fn apply(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.0.apply(input, &mut effects);
        effects
    }

    /// What became of a push: the answer, or the version that it made and its first value.
    fn push(&mut self, push: Push) -> String {
        let said = |effect: Effect| match effect {
            Effect::Answer { answer, .. } => format!("{answer:?}"),
            Effect::Updated { chunk, version, values, .. } => {
                format!("chunk {chunk} version {version}: {}", f32::from_le_bytes(values[..4].try_into().unwrap()))
            }
            other => other.to_string(),
        };
        self.apply(Input::Push(push)).into_iter().map(said).collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn a_step_is_applied_once_when_all_lanes_are_in() {
    let mut bed = Bed::new();
    assert_eq!(bed.push(push(A, 0, 0, (0, 2), 4.0)), "Held");
    assert_eq!(bed.push(push(A, 0, 0, (1, 1), 9.0)), "Held", "inside what is held");
    assert_eq!(bed.push(push(B, 0, 0, (3, 1), 9.0)), "Held");
    assert_eq!(bed.push(push(B, 0, 0, (2, 2), 4.0)), "chunk 0 version 1: 0.5", "1 - 0.5 * (4 + 4) / 8");
    for late in [push(A, 0, 0, (0, 2), 4.0), push(B, 0, 0, (3, 1), 9.0)] {
        assert_eq!(bed.push(late), "Duplicate");
    }
    assert_eq!(bed.0.cursors(), [(0, 1), (2, 0)]);
    assert_eq!(bed.0.report().reached, Some(0));
    assert_eq!(bed.push(push(A, 2, 0, (0, 2), 1.5)), "Held");
    assert_eq!(bed.push(push(B, 2, 0, (2, 2), 1.0)), "curve grew to step 0, chunk 2 version 1: 1, reached step 1");
    assert_eq!(bed.0.curve(0), [CurvePoint { step: 0, loss_sum: 2.5, records: 2.5, correct: 2.5 }]);
}

#[test]
fn held_blocks_are_counted_as_they_come_merge_and_go() {
    let mut bed = Bed::new();
    let mut held = |who, chunk, step, block| {
        bed.push(push(who, chunk, step, block, 1.0));
        bed.0.held_blocks()
    };
    assert_eq!([held(A, 0, 0, (0, 1)), held(A, 0, 0, (1, 1)), held(B, 2, 0, (2, 2))], [1, 2, 3]);
    assert_eq!([held(A, 0, 0, (0, 2)), held(A, 0, 0, (0, 1))], [2, 2], "both lanes in one, then one that is inside");
    assert_eq!([held(B, 0, 0, (2, 2)), held(A, 2, 0, (0, 2))], [1, 0], "a chunk's step is done, then the other's");
    assert_eq!(held(A, 0, 1, (0, 2)), 1);
    bed.apply(Input::View(Box::new(TaskView { revision: Revision(9), generation: Generation(2), ..view() })));
    assert_eq!(bed.0.held_blocks(), 0);
}

#[test]
fn lanes_without_records_are_not_waited_for() {
    let mut view = view();
    view.plan = TrainPlan { records: 5, ..view.plan };
    view.owners = vec![Some(A); 4];
    // Lanes of 2, 1, 1, 1 records and one step an epoch; with one record more a lane there would be two.
    let mut bed = Bed(Server::new(config("")));
    bed.apply(Input::View(Box::new(view)));
    let one = |records, block| Push { records, ..push(A, 0, 0, block, 1.0) };
    assert_eq!(bed.push(one(3, (0, 2))), "Held");
    assert!(bed.push(one(2, (2, 1))).contains("lanes 2..3 have 1 records at step 0, not 2"));
    assert!(bed.push(one(2, (2, 2))).starts_with("chunk 0 version 1"));
}

#[test]
fn only_owners_of_every_lane_may_push() {
    let mut bed = Bed(Server::new(config("")));
    let early = push(A, 0, 0, (0, 2), 1.0);
    assert_eq!(bed.push(early), "NotYet { revision: Revision(0) }");
    let mut bed = Bed::new();
    assert_eq!(bed.push(push(B, 0, 0, (0, 1), 1.0)), "NotOwner");
    assert_eq!(bed.push(push(A, 0, 0, (0, 4), 1.0)), "NotOwner");
    assert_eq!(bed.push(Push { view_revision: Revision(6), ..push(B, 0, 0, (0, 1), 1.0) }), "NotYet { revision: Revision(5) }");
    assert_eq!(bed.push(push(Incarnation(9), 0, 0, (0, 1), 1.0)), "Fenced", "below the highest and not live");
    assert_eq!(bed.push(push(Incarnation(12), 0, 0, (0, 1), 1.0)), "NotOwner", "not known yet");

    bed.apply(Input::View(Box::new(TaskView { revision: Revision(6), workers: vec![A], owners: vec![Some(A); 4], ..view() })));
    assert_eq!(bed.push(push(B, 0, 0, (2, 2), 1.0)), "Fenced", "was the highest once");
    bed.apply(Input::View(Box::new(view())));
    assert_eq!(bed.push(push(B, 0, 0, (2, 2), 1.0)), "Fenced", "an older view changes nothing");
    assert!(bed.push(push(A, 0, 0, (0, 4), 1.0)).starts_with("chunk 0 version 1"));
}

#[test]
fn what_is_too_early_or_malformed_is_not_taken() {
    let mut bed = Bed::new();
    assert_eq!(bed.push(push(A, 0, 1, (0, 2), 1.0)), "Ahead");
    bed.apply(Input::View(Box::new(TaskView { run_until: 0, revision: Revision(6), ..view() })));
    assert_eq!(bed.push(push(A, 0, 0, (0, 2), 1.0)), "Ahead", "all wait at run_until");
    assert_eq!(bed.push(Push { view_revision: Revision(7), ..push(A, 0, 0, (0, 2), 1.0) }), "NotYet { revision: Revision(6) }");
    let good = push(A, 0, 0, (0, 2), 1.0);
    for (bad, reason) in [
        (Push { chunk: 1, ..good.clone() }, "chunk 1 is not on ps-0"),
        (Push { chunk: 99, ..good.clone() }, "chunk 99 is not on ps-0"),
        (Push { block: Block::new(4, 4).unwrap(), ..good.clone() }, "lanes 4..8 are not among 0..4"),
        (Push { records: 3, ..good.clone() }, "lanes 0..2 have 4 records at step 0, not 3"),
        (Push { payload: good.payload.slice(1..), ..good.clone() }, "chunk 0 has 16384 bytes, not 16383"),
        (Push { step: u64::MAX, records: 0, ..good.clone() }, "records at step 18446744073709551615"),
    ] {
        assert!(bed.push(bad.clone()).contains(reason), "{}", bed.push(bad));
    }
    assert!(bed.push(Push { generation: Generation(2), ..good.clone() }).starts_with("NotYet"));
    assert_eq!(bed.push(Push { generation: Generation(0), ..good }), "NotOwner");
    assert_eq!(bed.0.held_blocks(), 0);
}

#[test]
fn two_versions_can_be_pulled_and_a_reader_keeps_its_own() {
    let mut bed = Bed::new();
    let pull = |step| Input::Pull { from: 3, generation: Generation(1), chunk: 0, step };
    let mut read = Vec::new();
    for step in 0..3u8 {
        bed.push(push(A, 0, u64::from(step), (0, 2), 4.0));
        bed.push(push(B, 0, u64::from(step), (2, 2), 4.0));
        for (version, held) in [(step, true), (step + 1, true), (step + 2, false)] {
            match &bed.apply(pull(u64::from(version)))[..] {
                [Effect::Pulled { version, values, .. }] if held => read.push((*version, values.clone(), values.to_vec())),
                [Effect::Gone { .. }] if !held => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(matches!(bed.apply(pull(1))[..], [Effect::Gone { version: 1, .. }]));
    for (version, values, copy) in read {
        assert_eq!(values, copy, "version {version} was written to while it was read");
    }
}

#[test]
fn buffers_are_used_again_when_nobody_reads_them() {
    let mut bed = Bed::new();
    let mut buffers = std::collections::BTreeSet::new();
    for step in 0..4 {
        bed.push(push(A, 0, step, (0, 2), 4.0));
        for effect in bed.apply(Input::Push(push(B, 0, step, (2, 2), 4.0))) {
            if let Effect::Updated { values, .. } = effect {
                buffers.insert(values.as_ptr());
            }
        }
    }
    assert_eq!(buffers.len(), 2);
}

#[test]
fn clipping_waits_for_every_server() {
    let mut bed = Bed(Server::new(config(r#", "clip_norm": 1.0"#)));
    bed.apply(Input::View(Box::new(view())));
    assert_eq!(bed.push(push(A, 0, 0, (0, 2), 4.0)), "Held");
    assert_eq!(bed.push(push(B, 0, 0, (2, 2), 4.0)), "Held");
    assert_eq!(bed.push(push(B, 0, 0, (2, 2), 4.0)), "Held");
    let others = vec![SegmentNorm { slab: 0, segment: 1, squared: 904.0 }];
    let norms = |step, segments| Input::Norms { from: 1, generation: Generation(1), step, segments };
    assert_eq!(bed.apply(norms(0, vec![])), []);
    let effects = bed.apply(norms(0, others.clone()));
    let scale = (1.0 / 5000f64.sqrt()) as f32;
    assert_eq!(effects[0], Effect::SendScale { to: 1, generation: Generation(1), step: 0, scale });
    let Effect::Updated { values, version: 1, .. } = &effects[1] else { panic!("{effects:?}") };
    assert_eq!(f32::from_le_bytes(values[..4].try_into().unwrap()), 1.0 - 0.5 * scale);
    let again = bed.apply(norms(0, others));
    assert_eq!(again, [Effect::SendScale { to: 1, generation: Generation(1), step: 0, scale }], "lost on the way, told again");
}

#[test]
fn norms_are_sent_again_on_a_new_stream_until_the_scale_comes() {
    let mut bed = Bed(Server::new(Config { slot: 1, ..config(r#", "clip_norm": 1.0"#) }));
    bed.apply(Input::View(Box::new(view())));
    bed.push(push(A, 1, 0, (0, 2), 4.0));
    let sent = bed.apply(Input::Push(push(B, 1, 0, (2, 2), 4.0)));
    let norms =
        Effect::SendNorms { generation: Generation(1), step: 0, segments: vec![SegmentNorm { slab: 0, segment: 1, squared: 904.0 }] };
    assert_eq!(sent[1], norms);
    assert_eq!(bed.apply(Input::Linked), [norms]);
    let scale = |step| Input::Scale { generation: Generation(1), step, scale: 0.5 };
    assert_eq!(bed.apply(scale(1)), []);
    assert_eq!(bed.apply(scale(0)).len(), 2);
    assert_eq!(bed.apply(scale(0)), [], "the same scale again");
    assert_eq!(bed.apply(Input::Linked), []);
    assert_eq!(bed.0.cursors(), [(1, 1)]);
}

#[test]
fn a_placement_that_cannot_be_is_a_fault() {
    let mut bad = view();
    bad.placement.as_mut().unwrap().servers.pop();
    let mut bed = Bed(Server::new(config("")));
    let effects = bed.apply(Input::View(Box::new(bad)));
    let [Effect::Fail { fault }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(fault.message, "ps-0 cannot take revision 5: the placement has 2 servers for 3 chunks");
}

#[test]
fn a_new_generation_begins_from_the_seed() {
    let mut bed = Bed::new();
    bed.push(push(A, 0, 0, (0, 2), 4.0));
    bed.push(push(B, 0, 0, (2, 2), 4.0));
    assert_eq!(bed.0.cursors()[0], (0, 1));
    bed.apply(Input::View(Box::new(TaskView { revision: Revision(9), generation: Generation(2), ..view() })));
    assert_eq!(bed.0.cursors()[0], (0, 0));
}
