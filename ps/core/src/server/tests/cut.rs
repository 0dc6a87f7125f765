//! Checkpoints: cut while training goes on, and begun from.

use super::arrive::{batch, bed, said};
use super::*;
use std::collections::BTreeMap;
use tfcoord_types::checkpoint::{CutOutcome, PartFile};
use tfcoord_types::id::CheckpointId;

fn checkpoint(step: u64, attempt: u64) -> Checkpoint {
    Checkpoint { id: CheckpointId { generation: Generation(1), step, attempt }, dir: "/c".into() }
}

fn asked(step: u64, attempt: u64) -> Input {
    Input::View(Box::new(TaskView { revision: Revision(attempt), cut: Some(checkpoint(step, attempt)), ..view() }))
}

fn adam() -> Bed {
    let train = r#"{"batch_size": 8, "epochs": 3, "optimizer": {"adam": {"learning_rate": 0.5}}}"#;
    let mut bed = Bed(Server::new(Config { slot: 0, train: serde_json::from_str(train).unwrap() }));
    bed.apply(Input::View(Box::new(view())));
    bed
}

// One step of every chunk here, with gradients of its own; what it made beside its answers.
fn step(bed: &mut Bed, step: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    for chunk in [0, 2] {
        for (who, block) in [(A, (0, 2)), (B, (2, 2))] {
            let value = (step + 1) as f32 * if chunk == 0 { 1.0 } else { 0.5 };
            effects.extend(bed.apply(Input::Push(push(who, chunk, step, block, value))));
        }
    }
    effects
}

// What was cut, by chunk.
fn contents(effects: Vec<Effect>) -> BTreeMap<u32, Content> {
    let content = |effect| match effect {
        Effect::CutChunk { chunk, values, slots, curve, counted, .. } => Some((chunk, Content { values, slots, curve, counted })),
        _ => None,
    };
    effects.into_iter().filter_map(content).collect()
}

fn begun(effects: &[Effect]) -> Vec<(u32, u64, u64, bool)> {
    let heads = |effect: &Effect| match effect {
        Effect::BeginCut { parts, .. } | Effect::Restore { parts, .. } => Some(parts.clone()),
        _ => None,
    };
    effects.iter().find_map(heads).unwrap_or_default().iter().map(|head| (head.id, head.chunk.len, head.slots, head.curve)).collect()
}

// Everything that a server holds.
fn state(bed: &mut Bed) -> (Vec<(u32, u64)>, BTreeMap<u32, Content>, ServerReport) {
    let at = bed.0.cursors()[0].1;
    let cut = bed.apply(asked(at, 1000 + at));
    (bed.0.cursors(), contents(cut), ServerReport { cut: None, ..bed.0.report() })
}

#[test]
fn a_cut_has_every_chunk_as_it_is_at_the_step_while_training_goes_on() {
    let mut bed = adam();
    step(&mut bed, 0);
    let mut cut = bed.apply(asked(2, 6));
    assert_eq!(begun(&cut), [(0, 4096, 2, false), (2, 3, 0, true)]);
    let after_two = {
        let mut quiet = adam();
        (0..2).for_each(|n| drop(step(&mut quiet, n)));
        state(&mut quiet).1
    };
    cut.extend(step(&mut bed, 1));
    cut.extend(step(&mut bed, 2));
    assert_eq!(contents(cut), after_two, "also what the third step has changed since");
    assert_eq!(after_two[&2].curve.len(), 2);
    assert_eq!(bed.0.report().cut, None, "it is not written yet");
    let outcome = CutOutcome::Written(PartFile { file: "f".into(), length: 1, crc32c: 1 });
    bed.apply(Input::CutDone { id: checkpoint(2, 5).id, outcome: CutOutcome::Missed });
    assert_eq!(bed.apply(Input::CutDone { id: checkpoint(2, 6).id, outcome: outcome.clone() }), [Effect::Report]);
    assert_eq!(bed.0.report().cut.unwrap().outcome, outcome);
    let gone = bed.apply(Input::View(Box::new(TaskView { revision: Revision(8), ..view() })));
    assert_eq!((&gone[0], bed.0.report().cut), (&Effect::DropCut { id: checkpoint(2, 6).id }, None));
}

#[test]
fn a_cut_behind_a_chunk_is_missed_as_a_whole() {
    let mut bed = adam();
    bed.push(push(A, 0, 0, (0, 2), 1.0));
    bed.push(push(B, 0, 0, (2, 2), 1.0));
    let effects = bed.apply(asked(0, 6));
    assert!(begun(&effects).is_empty() && contents(effects).is_empty(), "chunk 2 is there, chunk 0 is beyond");
    assert_eq!(bed.0.report().cut.unwrap().outcome, CutOutcome::Missed);
    assert_eq!(begun(&bed.apply(asked(1, 7))).len(), 2, "a later one is taken");
}

#[test]
fn a_generation_goes_on_from_a_checkpoint_with_the_same_bits() {
    let mut first = adam();
    let mut cut = first.apply(asked(1, 6));
    cut.extend(step(&mut first, 0));
    let mut second = Bed(Server::new(first.0.config.clone()));
    let restore = TaskView { generation: Generation(2), revision: Revision(9), restore: Some(checkpoint(1, 6)), ..view() };
    let asked = second.apply(Input::View(Box::new(restore.clone())));
    assert_eq!(begun(&asked), [(0, 4096, 2, false), (2, 3, 0, true)]);
    let early = Push { generation: Generation(2), ..push(A, 0, 1, (0, 2), 2.0) };
    assert_eq!(second.push(early.clone()), "NotYet { revision: Revision(9) }");
    assert_eq!(
        (second.0.report().reached, second.apply(Input::View(Box::new(restore)))),
        (None, vec![Effect::Applied { revision: Revision(9) }])
    );
    let other = Input::Restored { id: checkpoint(2, 7).id, contents: BTreeMap::new() };
    assert_eq!(second.apply(other), [], "nobody asked for it");
    let effects = second.apply(Input::Restored { id: checkpoint(1, 6).id, contents: contents(cut) });
    assert_eq!(effects, [Effect::Reached { step: 1 }, Effect::Report]);
    assert_eq!((second.0.cursors(), second.0.report().curve), (first.0.cursors(), first.0.report().curve));
    assert_eq!(second.push(early), "Held");
    for chunk in [0, 2] {
        for (who, block) in [(A, (0, 2)), (B, (2, 2))] {
            let next = push(who, chunk, 1, block, 2.0);
            second.push(Push { generation: Generation(2), ..next.clone() });
            first.push(next);
        }
    }
    let values = |bed: &Bed, chunk| bed.0.held.as_ref().unwrap().table.part(chunk).unwrap().values().clone();
    assert_eq!((values(&second, 0), values(&second, 2)), (values(&first, 0), values(&first, 2)));
    assert_eq!((second.0.cursors(), second.0.curve(0)), (first.0.cursors(), first.0.curve(0)));
}

#[test]
fn a_checkpoint_that_does_not_fit_is_reported_and_not_used() {
    let mut cut = BTreeMap::new();
    let mut first = adam();
    cut.extend(contents(first.apply(asked(0, 6))));
    let restore = TaskView { generation: Generation(2), revision: Revision(9), restore: Some(checkpoint(0, 6)), ..view() };
    let id = checkpoint(0, 6).id;
    let begin = || {
        let mut bed = Bed(Server::new(first.0.config.clone()));
        bed.apply(Input::View(Box::new(restore.clone())));
        bed
    };
    let short = Content { values: Bytes::from_static(&[0; 8]), ..cut[&0].clone() };
    let slotless = Content { slots: Slots::default(), ..cut[&0].clone() };
    for wrong in [None, Some(short), Some(slotless)] {
        let mut bed = begin();
        let mut contents = cut.clone();
        contents.remove(&0);
        contents.extend(wrong.map(|wrong| (0, wrong)));
        assert_eq!(bed.apply(Input::Restored { id, contents }), [Effect::Report]);
        let reason = "chunk 0 of checkpoint 1-0-6 is not of the length that it should have".to_owned();
        assert_eq!(bed.0.report().restore_fault, Some(RestoreFault { id, reason }));
    }
    let mut bed = begin();
    assert_eq!(bed.apply(Input::RestoreFailed { id, reason: "damaged".into() }), [Effect::Report]);
    assert_eq!(bed.0.report().restore_fault.unwrap().reason, "damaged");
    // The coordinator takes the one before, in a generation of its own.
    bed.apply(Input::View(Box::new(TaskView { generation: Generation(3), revision: Revision(12), ..view() })));
    assert_eq!((bed.0.report().restore_fault, bed.0.report().reached), (None, Some(0)));
}

// A cut at step 1 of a server whose epoch has two, each a shard: what it has cut, and the points that its curve may have.
fn within(bed: &mut Bed, revision: u64) -> (Vec<Effect>, u64) {
    let leases = [A, B].into_iter().zip(0..).map(|(owner, shard)| tfcoord_types::view::Lease { shard, owner: Some(owner) }).collect();
    let view = TaskView {
        revision: Revision(revision),
        cut: Some(checkpoint(1, revision)),
        owners: vec![None; 4],
        leases,
        run_until: 2,
        ..view()
    };
    let effects = bed.apply(Input::View(Box::new(view)));
    let points = effects.iter().find_map(|effect| if let Effect::BeginCut { points, .. } = effect { Some(*points) } else { None });
    (effects, points.unwrap_or(0))
}

fn restored_in(sync: &str, contents: BTreeMap<u32, Content>) -> Bed {
    let mut bed = Bed(Server::new(bed(sync).0.config.clone()));
    let view = TaskView { generation: Generation(2), restore: Some(checkpoint(1, 6)), owners: vec![None; 4], run_until: 2, ..view() };
    let leases = vec![tfcoord_types::view::Lease { shard: 0, owner: Some(A) }, tfcoord_types::view::Lease { shard: 1, owner: Some(A) }];
    let effects = bed.apply(Input::View(Box::new(TaskView { revision: Revision(9), leases, ..view })));
    let shards = |effect: &Effect| if let Effect::Restore { parts, .. } = effect { Some(parts[0].shards) } else { None };
    assert_eq!(effects.iter().find_map(shards), contents.values().next().map(|content| content.counted.len() as u32));
    bed.apply(Input::Restored { id: checkpoint(1, 6).id, contents });
    bed
}

#[test]
fn within_an_epoch_each_chunk_is_cut_with_what_counts_for_it() {
    let sync = r#"{"async": {}}"#;
    let mut first = bed(sync);
    said(&mut first, batch(B, 0, 1, 5.0));
    let (mut cut, points) = within(&mut first, 6);
    said(&mut first, batch(A, 0, 0, 8.0));
    cut.extend(first.apply(Input::Push(batch(A, 2, 0, 8.0))));
    let contents = contents(cut);
    let counted = |chunk: u32| contents[&chunk].counted.clone();
    assert_eq!((counted(0), counted(2), contents[&2].curve.len(), points), (vec![0, 1], vec![1, 0], 1, 1));
    let mut second = restored_in(sync, contents);
    assert_eq!((second.0.cursors(), second.0.report().reached), (vec![(0, 1), (2, 1)], Some(1)));
    let push = |chunk, step| Push { generation: Generation(2), ..batch(A, chunk, step, if step == 0 { 8.0 } else { 5.0 }) };
    assert_eq!(said(&mut second, push(0, 1)), "7 gets chunk 0 version 1: 0.5, 7: Counted { next: 2 }", "it has that one");
    assert!(said(&mut second, push(0, 0)).ends_with("7 gets chunk 0 version 2: 0, 7: Counted { next: 1 }"));
    assert!(said(&mut second, push(2, 0)).ends_with("Counted { next: 1 }") && second.0.curve(0).len() == 1);
    said(&mut second, push(2, 1));
    assert_eq!((second.0.cursors(), second.0.curve(0).len()), (vec![(0, 2), (2, 2)], 2));
}

#[test]
fn a_cut_within_an_epoch_is_missed_only_behind_the_epoch() {
    let sync = r#"{"async": {}}"#;
    let mut first = bed(sync);
    for push in [batch(A, 0, 0, 8.0), batch(B, 0, 1, 5.0), batch(A, 2, 0, 8.0)] {
        said(&mut first, push);
    }
    let contents = contents(within(&mut first, 6).0);
    assert_eq!([0, 2].map(|chunk| contents[&chunk].counted.clone()), [vec![1, 1], vec![1, 0]]);
    let second = restored_in(sync, contents.clone());
    assert_eq!((second.0.cursors(), second.0.report().done.shards), (vec![(0, 2), (2, 1)], vec![0]), "done before, and told at once");
    for wrong in [vec![2, 0], vec![0, 0], vec![1]] {
        let wrong = contents.iter().map(|(chunk, content)| (*chunk, Content { counted: wrong.clone(), ..content.clone() })).collect();
        let mut bed = Bed(Server::new(first.0.config.clone()));
        let restore = TaskView { generation: Generation(2), revision: Revision(9), restore: Some(checkpoint(1, 6)), ..view() };
        bed.apply(Input::View(Box::new(restore)));
        bed.apply(Input::Restored { id: checkpoint(1, 6).id, contents: wrong });
        assert!(bed.0.report().restore_fault.unwrap().reason.contains("counts steps that the job's shards do not have"));
    }
    said(&mut first, batch(B, 2, 1, 5.0));
    first.see_until(7, 4, &[Some(A), Some(B)]);
    said(&mut first, batch(A, 0, 2, 8.0));
    let (effects, _) = within(&mut first, 8);
    assert!(begun(&effects).is_empty() && first.0.report().cut.unwrap().outcome == CutOutcome::Missed);
}

#[test]
fn rounds_are_cut_whole() {
    let sync = r#"{"local": {"every": 2}}"#;
    let mut first = bed(sync);
    let (mut cut, points) = within(&mut first, 6);
    for chunk in [0, 2] {
        cut.extend(first.apply(Input::Push(Push { records: 13, ..batch(A, chunk, 0, 13.0) })));
    }
    let mut contents = contents(cut);
    assert_eq!([0, 2].map(|chunk| (contents[&chunk].counted.clone(), points)), [(vec![2], 2), (vec![2], 2)]);
    // The file had room for more.
    contents.get_mut(&2).unwrap().curve.push(CurvePoint { step: 2, loss_sum: 0.0, records: 0.0, correct: 0.0 });
    let second = restored_in(sync, contents);
    assert_eq!((second.0.cursors(), second.0.curve(0), second.0.report().done.shards), (vec![(0, 2), (2, 2)], first.0.curve(0), vec![0]));
}

// Of two chunks of other modes each is cut where it is, and what is `local` begins from whole rounds only.
#[test]
fn each_chunk_is_restored_in_its_mode() {
    let text = r#"{"batch_size": 8, "epochs": 3, "optimizer": {"sgd": {"learning_rate": 0.5}}, "sync": {"async": {}},
        "groups": [{"layers": ["w"], "sync": {"local": {"every": 2, "momentum": 0.5}}}]}"#;
    let config = Config { slot: 0, train: serde_json::from_str(text).unwrap() };
    let mut placement = view().placement.unwrap();
    placement.variables.iter_mut().for_each(|variable| variable.sync = config.train.sync_of(&variable.name));
    let restored = |counted: [u32; 2]| {
        let mut bed = Bed(Server::new(config.clone()));
        let view = TaskView { placement: Some(placement.clone()), restore: Some(checkpoint(1, 6)), revision: Revision(9), ..view() };
        let effects = bed.apply(Input::View(Box::new(TaskView { generation: Generation(2), run_until: 2, ..view })));
        let heads = effects.iter().find_map(|effect| if let Effect::Restore { parts, .. } = effect { Some(parts.clone()) } else { None });
        let heads = heads.unwrap();
        assert_eq!([heads[0].slots, heads[1].slots], [1, 0], "the outer momentum, and nothing beside the curve");
        let content = |head: &crate::table::Head, counted: u32| {
            let len = usize::try_from(head.chunk.len).unwrap();
            let slots = if head.slots > 0 { Slots::outer(0.5, len) } else { Slots::default() };
            Content { values: Bytes::from(vec![0; len * 4]), slots, curve: Vec::new(), counted: vec![counted] }
        };
        let contents = heads.iter().zip(counted).map(|(head, counted)| (head.id, content(head, counted))).collect();
        bed.apply(Input::Restored { id: checkpoint(1, 6).id, contents });
        bed.0.report().restore_fault.map_or(Ok(bed.0.cursors()), |fault| Err(fault.reason))
    };
    assert_eq!(restored([2, 1]), Ok(vec![(0, 2), (2, 1)]));
    assert!(restored([1, 2]).unwrap_err().contains("counts steps that the job's shards do not have"));
}
