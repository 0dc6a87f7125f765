//! Pushes outside of `bsp`, message by message.

use super::*;
use tfcoord_types::exchange::NEWEST;
use tfcoord_types::report::ShardsDone;
use tfcoord_types::view::Lease;

/// Two steps of 8 and 5 records an epoch, each a shard; A holds the first one, B the second. In `local` every 2 they are one
/// shard and round, which A holds.
pub(super) fn bed(sync: &str) -> Bed {
    let train = format!(r#"{{"batch_size": 8, "epochs": 3, "optimizer": {{"sgd": {{"learning_rate": 0.5}}}}, "sync": {sync}}}"#);
    let mut bed = Bed(Server::new(Config { slot: 0, train: serde_json::from_str(&train).unwrap() }));
    bed.see(5, &[Some(A), Some(B)]);
    bed
}

impl Bed {
    fn see(&mut self, revision: u64, owners: &[Option<Incarnation>]) -> Vec<Effect> {
        self.see_until(revision, 2, owners)
    }

    pub(super) fn see_until(&mut self, revision: u64, run_until: u64, owners: &[Option<Incarnation>]) -> Vec<Effect> {
        let leases = (0..).zip(owners).map(|(shard, owner)| Lease { shard, owner: *owner }).collect();
        let view = TaskView { revision: Revision(revision), owners: vec![None; 4], leases, run_until, ..view() };
        self.apply(Input::View(Box::new(view)))
    }
}

pub(super) fn batch(who: Incarnation, chunk: u32, step: u64, value: f32) -> Push {
    push(who, chunk, step, (0, 4), value)
}

// What a push led to, without the values' bytes.
pub(super) fn said(bed: &mut Bed, push: Push) -> String {
    let said = |effect: Effect| match effect {
        Effect::Pulled { to, chunk, version, values, .. } => {
            format!("{to} gets chunk {chunk} version {version}: {}", f32::from_le_bytes(values[..4].try_into().unwrap()))
        }
        Effect::Answer { to, answer, .. } => format!("{to}: {answer:?}"),
        other => other.to_string(),
    };
    bed.apply(Input::Push(push)).into_iter().map(said).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_batch_is_applied_once_as_it_arrives() {
    let mut bed = bed(r#"{"async": {}}"#);
    assert_eq!(said(&mut bed, batch(B, 0, 1, 5.0)), "7 gets chunk 0 version 1: 0.5, 7: Counted { next: 2 }", "1 - 0.5 * 5 / 5");
    let late = Push { from: 9, ..batch(B, 0, 1, 5.0) };
    assert_eq!(said(&mut bed, late), "9 gets chunk 0 version 1: 0.5, 9: Counted { next: 2 }", "told again, not applied");
    assert_eq!(said(&mut bed, batch(A, 0, 0, 8.0)), "7 gets chunk 0 version 2: 0, 7: Counted { next: 1 }");
    let last = said(&mut bed, batch(B, 2, 1, 5.0));
    assert_eq!(last, "report, curve grew to step 0, reached step 1, 7 gets chunk 2 version 1: 1, 7: Counted { next: 2 }");
    assert_eq!(bed.0.report().done, ShardsDone { epoch: 0, shards: vec![1] });
    said(&mut bed, batch(A, 2, 0, 8.0));
    assert_eq!((bed.0.report().reached, bed.0.cursors()), (Some(2), vec![(0, 2), (2, 2)]));
    bed.see_until(6, 4, &[Some(B), None]);
    assert_eq!(bed.0.report().done, ShardsDone { epoch: 1, shards: vec![] });
    assert_eq!(said(&mut bed, batch(A, 0, 0, 8.0)), "7 gets chunk 0 version 2: 0, 7: Counted { next: 1 }", "of the epoch before");
    assert!(said(&mut bed, batch(B, 0, 2, 8.0)).ends_with("7: Counted { next: 3 }"));
    assert_eq!(said(&mut bed, batch(B, 0, 3, 8.0)), "7: NotOwner");
}

#[test]
fn who_holds_no_shard_or_is_too_early_is_not_taken() {
    let mut bed = bed(r#"{"async": {}}"#);
    assert_eq!(said(&mut bed, batch(B, 0, 0, 1.0)), "7: NotOwner");
    assert_eq!(said(&mut bed, Push { view_revision: Revision(6), ..batch(B, 0, 0, 1.0) }), "7: NotYet { revision: Revision(5) }");
    assert_eq!(said(&mut bed, batch(A, 0, 2, 1.0)), "7: Ahead", "of an epoch that is not there yet");
    assert_eq!(said(&mut bed, batch(Incarnation(9), 0, 0, 1.0)), "7: Fenced");
    bed.see(6, &[None, None]);
    assert_eq!(said(&mut bed, batch(A, 0, 0, 1.0)), "7: NotOwner", "fenced from this shard");
    for (bad, reason) in [
        (push(A, 0, 0, (0, 2), 1.0), "1 steps from step 0 on have 4 records, not 4"),
        (Push { records: 3, ..batch(A, 0, 0, 1.0) }, "1 steps from step 0 on have 8 records, not 3"),
        (Push { step: u64::MAX, ..batch(A, 0, 0, 1.0) }, "records, not 8 from step 18446744073709551615 on"),
        (Push { step: u64::MAX, records: 0, ..batch(A, 0, 0, 1.0) }, "Ahead"),
    ] {
        let said = said(&mut bed, bad);
        assert!(said.contains(reason), "{said}");
    }
    assert_eq!((bed.0.cursors(), bed.0.held_blocks()), (vec![(0, 0), (2, 0)], 0));
}

#[test]
fn whatever_is_newest_can_be_pulled() {
    let mut bed = bed(r#"{"async": {}}"#);
    said(&mut bed, batch(A, 0, 0, 8.0));
    let pull = Input::Pull { from: 3, generation: Generation(1), chunk: 0, step: NEWEST };
    assert!(matches!(bed.apply(pull)[..], [Effect::Pulled { to: 3, version: 1, .. }]));
}

#[test]
fn in_ssp_the_answer_waits_for_the_slow_ones() {
    let plan = TrainPlan { records: 8 * 96, ..view().plan };
    let mut bed = bed(r#"{"ssp": {"staleness": 1}}"#);
    let see = |bed: &mut Bed, revision: u64, owners: &[Incarnation]| {
        let leases = (0..).zip(owners).map(|(shard, owner)| Lease { shard, owner: Some(*owner) }).collect();
        let view = TaskView { revision: Revision(revision), generation: Generation(2), plan, leases, run_until: 96, ..view() };
        bed.apply(Input::View(Box::new(view)))
    };
    let next = |bed: &mut Bed, who, step| said(bed, Push { generation: Generation(2), records: 8, ..batch(who, 2, step, 1.0) });
    see(&mut bed, 6, &[A, B]);
    assert!(next(&mut bed, A, 0).ends_with("7: Held"), "A would be ahead by two with the next one");
    assert_eq!(next(&mut bed, A, 0), "", "again: it still waits");
    assert!(next(&mut bed, B, 3).ends_with("7: Counted { next: 1 }, 7 gets chunk 2 version 2: 1, 7: Counted { next: 4 }"));
    assert!(next(&mut bed, A, 1).ends_with("7: Held"));
    let freed = see(&mut bed, 7, &[A]);
    assert!(
        freed.iter().any(|effect| matches!(effect, Effect::Answer { answer: Answer::Counted { next: 2 }, .. })),
        "B has left: {freed:?}"
    );
}

#[test]
fn in_local_a_share_of_a_round_s_changes_is_added() {
    let mut bed = bed(r#"{"local": {"every": 2, "momentum": 0.5}}"#);
    let round = |chunk, value| Push { records: 13, ..batch(A, chunk, 0, value) };
    assert!(said(&mut bed, batch(A, 0, 0, 1.0)).contains("2 steps from step 0 on have 13 records, not 8"));
    assert_eq!(said(&mut bed, round(0, 3.0)), "7 gets chunk 0 version 2: 2.5, 7: Counted { next: 2 }", "1 + 3 / 2 workers");
    let curve = said(&mut bed, round(2, 13.0));
    assert!(curve.contains("curve grew to step 0, curve grew to step 1, reached step 2"), "{curve}");
    let point = |step, of: f32| CurvePoint { step, loss_sum: of, records: of, correct: of };
    assert_eq!(bed.0.curve(0), [point(0, 8.0), point(1, 5.0)]);
    bed.see_until(6, 4, &[Some(A)]);
    let second = Push { step: 2, ..round(0, 0.0) };
    assert_eq!(said(&mut bed, second), "7 gets chunk 0 version 4: 3.25, 7: Counted { next: 4 }", "half of what was added before");
}

/// As [`bed`] in `async` with two steps a round, but that the parameters are `local` and the curve is not. A holds the only shard.
fn mixed_bed(revision: u64, run_until: u64, bed: Option<Bed>) -> Bed {
    let text = r#"{"batch_size": 8, "epochs": 3, "optimizer": {"sgd": {"learning_rate": 0.5}},
        "sync": {"ssp": {"staleness": 3}}, "groups": [{"layers": ["w"], "sync": {"local": {"every": 2}}}]}"#;
    let train: Train = serde_json::from_str(text).unwrap();
    let mut bed = bed.unwrap_or_else(|| Bed(Server::new(Config { slot: 0, train: train.clone() })));
    let mut placement = view().placement.unwrap();
    placement.variables.iter_mut().for_each(|variable| variable.sync = train.sync_of(&variable.name));
    let leases = vec![Lease { shard: 0, owner: Some(A) }];
    let view = TaskView { revision: Revision(revision), placement: Some(placement), owners: vec![None; 4], leases, run_until, ..view() };
    bed.apply(Input::View(Box::new(view)));
    bed
}

#[test]
fn each_push_is_judged_by_the_mode_of_its_chunk() {
    let mut bed = mixed_bed(5, 2, None);
    let round = |chunk, value| Push { records: 13, ..batch(A, chunk, 0, value) };
    assert!(said(&mut bed, batch(A, 0, 0, 1.0)).contains("2 steps from step 0 on have 13 records, not 8"));
    assert!(said(&mut bed, round(2, 1.0)).contains("1 steps from step 0 on have 8 records, not 13"));
    let first = said(&mut bed, batch(A, 2, 0, 8.0));
    assert!(
        first.starts_with("curve grew to step 0, 7: Held, 7 gets chunk 2 version 1") && first.ends_with("Counted { next: 1 }"),
        "{first}"
    );
    assert_eq!(bed.0.clocks(), [(A, 1)], "a clock counts batches");
    assert!(said(&mut bed, batch(A, 2, 1, 5.0)).ends_with("Counted { next: 2 }"));
    assert_eq!(
        said(&mut bed, batch(A, 0, 1, 1.0)),
        "7: Refused { reason: \"2 steps from step 0 on have 13 records, not 5 from step 1 on\" }"
    );
    assert_eq!(bed.0.report().done.shards, [] as [u32; 0], "the parameters lack it");
    // One of two workers.
    assert_eq!(said(&mut bed, round(0, 3.0)), "report, reached step 2, 7 gets chunk 0 version 2: 2.5, 7: Counted { next: 2 }");
    assert_eq!((bed.0.report().done.shards, bed.0.cursors()), (vec![0], vec![(0, 2), (2, 2)]));
    let mut bed = mixed_bed(6, 4, Some(bed));
    assert!(said(&mut bed, batch(A, 2, 2, 8.0)).ends_with("Counted { next: 3 }"));
    assert_eq!(said(&mut bed, Push { step: 2, ..round(0, 1.0) }), "reached step 3, 7 gets chunk 0 version 4: 3, 7: Counted { next: 4 }");
}
