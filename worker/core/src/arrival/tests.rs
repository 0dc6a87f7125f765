//! One driver, input by input. Faults and whole trainings: `worker/core/tests/exchange`.

use super::*;
use tfcoord_types::id::TaskId;
use tfcoord_types::job::Sync;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::{Evaluate, Lease, Placement, ServerAddress};

const ME: Incarnation = Incarnation(20);

fn train(sync: Sync) -> Train {
    serde_json::from_value(serde_json::json!({"batch_size": 8, "epochs": 2, "optimizer": {"add": {}}, "sync": sync})).unwrap()
}

/// Two chunks, one a server; 96 steps an epoch in shards of 3, of which this worker holds the second and the fourth.
fn view(revision: u64) -> TaskView {
    let variable = Variable { name: "w".into(), shape: vec![5000], initializer: Initializer::Ones, group: Group::Train, sync: None };
    let server = |index: u32| ServerAddress {
        task: TaskId::server(index),
        incarnation: Incarnation(u64::from(index) + 1),
        addresses: vec![],
        host: String::new(),
    };
    TaskView {
        revision: Revision(revision),
        incarnation: ME,
        directive: Directive::Run,
        generation: Generation(1),
        plan: TrainPlan { records: 96 * 8, batch_size: 8, micro_batches: 4, epochs: 2 },
        placement: Some(Placement { epoch: 1, variables: vec![variable], chunk_elements: 4096, servers: vec![0, 1] }),
        servers: vec![server(0), server(1)],
        owners: vec![None; 4],
        workers: vec![ME, Incarnation(21)],
        leases: leases(&[1, 3]),
        run_until: 96,
        evaluate: None,
        export: None,
        evaluations: vec![],
        restore: None,
        cut: None,
    }
}

fn leases(mine: &[u32]) -> Vec<Lease> {
    mine.iter().map(|shard| Lease { shard: *shard, owner: Some(ME) }).collect()
}

struct Bed(Arrival);

impl Bed {
    /// Connected, with chunks at the versions 7 and 9, and at step 3.
    fn new() -> Self {
        Self::seeing(train(Sync::Async {}), view(1))
    }

    /// The second chunk is `local`, and each shard is a round of it.
    fn mixed() -> Self {
        let group = serde_json::json!({"layers": ["v"], "sync": {"local": {"every": 3}}});
        let train = Train { groups: vec![serde_json::from_value(group).unwrap()], ..train(Sync::Async {}) };
        let mut view = view(1);
        let placement = view.placement.as_mut().unwrap();
        let [w] = &placement.variables[..] else { panic!() };
        let w = Variable { shape: vec![4096], ..w.clone() };
        placement.variables = vec![w.clone(), Variable { name: "v".into(), sync: train.sync_of("v"), ..w }];
        Self::seeing(train, view)
    }

    fn seeing(train: Train, view: TaskView) -> Self {
        let mut bed = Bed(Arrival::new(ME, train));
        bed.see(view);
        assert_eq!(bed.connected(0), "pull chunk 0 version 18446744073709551615 from ps-0");
        assert_eq!(bed.connected(1), "pull chunk 1 version 18446744073709551615 from ps-1");
        assert_eq!(bed.chunk(0, 7), "keep chunk 0 version 7");
        assert_eq!(bed.chunk(1, 9), "keep chunk 1 version 9, use what is kept, compute step 3 lanes 0..4");
        bed
    }

    /// With the sums of step 3 sent.
    fn pushed() -> Self {
        let mut bed = Self::new();
        assert_eq!(bed.computed(3, 1), "push step 3 chunk 1 lanes 0..4 to ps-1");
        assert_eq!(bed.computed(3, 0), "push step 3 chunk 0 lanes 0..4 to ps-0");
        assert_eq!(bed.apply(Input::StepComputed { step: 3 }), "");
        bed
    }

    fn apply(&mut self, input: Input) -> String {
        let mut effects = Vec::new();
        self.0.apply(input, &mut effects);
        effects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    fn see(&mut self, view: TaskView) -> String {
        self.apply(Input::View(Box::new(view)))
    }

    fn connected(&mut self, slot: u32) -> String {
        let incarnation = Incarnation(u64::from(slot) + 1);
        self.apply(Input::Connected { slot, incarnation, generation: Generation(1), cursors: vec![(slot, 0)] })
    }

    fn chunk(&mut self, chunk: u32, version: u64) -> String {
        self.apply(Input::Chunk { generation: Generation(1), chunk, version })
    }

    fn computed(&mut self, step: u64, chunk: u32) -> String {
        self.apply(Input::Computed { step, block: Block::root(4), chunk })
    }

    fn answer(&mut self, step: u64, chunk: u32, answer: Answer) -> String {
        self.apply(Input::Answer { generation: Generation(1), chunk, step, block: Block::root(4), answer })
    }

    fn counted(&mut self, step: u64, chunk: u32, next: u64) -> String {
        self.answer(step, chunk, Answer::Counted { next })
    }
}

#[test]
fn a_batch_follows_when_every_chunk_has_answered_with_its_values() {
    let mut bed = Bed::pushed();
    bed.chunk(0, 8);
    assert_eq!(bed.counted(3, 0, 4), "forget step 3 chunk 0 lanes 0..4");
    assert_eq!(bed.answer(3, 1, Answer::Held), "", "held back for the sake of others");
    assert_eq!(bed.chunk(1, 12), "keep chunk 1 version 12");
    assert_eq!(bed.counted(3, 1, 4), "forget step 3 chunk 1 lanes 0..4, use what is kept, compute step 4 lanes 0..4");
}

#[test]
fn who_takes_a_shard_over_computes_what_some_chunks_lack_for_these_alone() {
    let mut bed = Bed::pushed();
    bed.counted(3, 0, 5);
    assert!(bed.counted(3, 1, 4).ends_with("compute step 4 lanes 0..4"));
    assert_eq!(bed.computed(4, 0), "forget step 4 chunk 0 lanes 0..4", "it has that one");
    assert_eq!(bed.computed(4, 1), "push step 4 chunk 1 lanes 0..4 to ps-1");
    bed.apply(Input::StepComputed { step: 4 });
    assert!(bed.counted(4, 1, 6).ends_with("compute step 5 lanes 0..4"));
    bed.computed(5, 0);
    bed.computed(5, 1);
    bed.apply(Input::StepComputed { step: 5 });
    assert!(bed.counted(5, 0, 6).ends_with("compute step 9 lanes 0..4"), "the next shard");
}

#[test]
fn what_is_local_is_pushed_once_a_round_and_all_else_with_each_step() {
    let mut bed = Bed::mixed();
    for (step, then) in [(3, "compute step 4 lanes 0..4"), (4, "compute step 5 lanes 0..4")] {
        assert_eq!(bed.computed(step, 0), format!("push step {step} chunk 0 lanes 0..4 to ps-0"));
        assert_eq!(bed.apply(Input::StepComputed { step }), "");
        assert!(bed.counted(step, 0, step + 1).ends_with(then), "with no answer for chunk 1");
    }
    bed.computed(5, 0);
    assert_eq!(bed.computed(5, 1), "forget step 5 chunk 1 lanes 0..4", "it is of another step");
    assert_eq!(bed.computed(3, 1), "push step 3 chunk 1 lanes 0..4 to ps-1");
    bed.apply(Input::StepComputed { step: 5 });
    assert_eq!(bed.counted(5, 0, 6), "forget step 5 chunk 0 lanes 0..4");
    assert_eq!(bed.counted(3, 1, 6), "forget step 3 chunk 1 lanes 0..4, compute step 9 lanes 0..4", "the next shard");
}

#[test]
fn who_takes_a_round_over_computes_all_of_it_for_what_is_local() {
    let mut bed = Bed::mixed();
    bed.computed(3, 0);
    bed.apply(Input::StepComputed { step: 3 });
    assert!(bed.counted(3, 0, 6).ends_with("compute step 4 lanes 0..4"), "chunk 0 has the whole shard");
    assert_eq!(bed.computed(4, 0), "forget step 4 chunk 0 lanes 0..4");
    assert_eq!(bed.apply(Input::StepComputed { step: 4 }), "compute step 5 lanes 0..4");
    assert_eq!(bed.see(TaskView { leases: leases(&[3]), ..view(2) }), "applied revision 2, abandon compute");
    assert_eq!(bed.apply(Input::StepComputed { step: 5 }), "compute step 9 lanes 0..4");
    // There it is the other way round.
    bed.computed(9, 0);
    bed.apply(Input::StepComputed { step: 9 });
    assert!(bed.counted(9, 0, 10).ends_with("compute step 10 lanes 0..4"));
    bed.computed(10, 0);
    bed.apply(Input::StepComputed { step: 10 });
    bed.counted(10, 0, 11);
    bed.computed(11, 0);
    bed.computed(9, 1);
    bed.apply(Input::StepComputed { step: 11 });
    bed.counted(11, 0, 12);
    assert_eq!(bed.counted(9, 1, 12), "forget step 9 chunk 1 lanes 0..4", "all is done");
}

#[test]
fn a_shard_that_is_lost_is_dropped_and_one_that_is_done_is_not_begun_again() {
    let mut bed = Bed::pushed();
    assert_eq!(bed.answer(3, 0, Answer::NotOwner), "retry after 20 ms");
    let said = bed.see(TaskView { leases: leases(&[3]), ..view(2) });
    assert!(said.starts_with("applied revision 2, forget step 3 chunk 0") && said.ends_with("compute step 9 lanes 0..4"), "{said}");
    assert_eq!(bed.see(TaskView { leases: vec![], ..view(3) }), "applied revision 3, abandon compute");
    assert_eq!(bed.computed(9, 0), "forget step 9 chunk 0 lanes 0..4");
    assert_eq!(bed.apply(Input::StepComputed { step: 9 }), "");
    assert_eq!(bed.see(view(4)), "applied revision 4, compute step 3 lanes 0..4");
}

#[test]
fn what_has_no_answer_is_sent_again_on_a_new_stream() {
    let mut bed = Bed::pushed();
    bed.answer(3, 0, Answer::Held);
    assert_eq!(bed.apply(Input::Disconnected { slot: 0 }), "retry after 20 ms");
    assert_eq!(bed.apply(Input::Retry), "connect ps-0 incarnation 1");
    assert_eq!(bed.connected(0), "push step 3 chunk 0 lanes 0..4 to ps-0");
}

#[test]
fn evaluation_is_of_exactly_one_version() {
    let mut bed = Bed::pushed();
    let evaluate = Evaluate { evaluation: 0, step: 96, shards: vec![(2, 0..10)] };
    bed.chunk(0, 96);
    let said = bed.see(TaskView { leases: vec![], evaluate: Some(evaluate), ..view(2) });
    assert!(said.ends_with("pull chunk 1 version 96 from ps-1"), "{said}");
    assert_eq!(bed.apply(Input::Gone { generation: Generation(1), chunk: 1, version: 96 }), "retry after 20 ms");
    assert_eq!(bed.apply(Input::Retry), "pull chunk 1 version 96 from ps-1");
    assert_eq!(bed.chunk(1, 95), "keep chunk 1 version 95, pull chunk 1 version 96 from ps-1");
    let said = bed.chunk(1, 96);
    assert_eq!(said, "discard chunk 1 version 95, keep chunk 1 version 96, use what is kept, evaluate 0 shard 2 at step 96");
    assert_eq!(bed.apply(Input::Evaluated { evaluation: 0, shard: 2 }), "report shard 2 of evaluation 0");
    let next = TaskView { run_until: 192, leases: leases(&[0]), ..view(3) };
    assert_eq!(bed.see(next), "applied revision 3, compute step 96 lanes 0..4");
}

#[test]
fn it_ends_when_it_is_told_to_and_begins_anew_in_a_new_generation() {
    assert_eq!(Bed::pushed().see(TaskView { directive: Directive::Stop { reason: "done".into() }, ..view(3) }), "stop: done");
    assert_eq!(Bed::pushed().answer(3, 0, Answer::Fenced), "fenced");
    let refused = Answer::Refused { reason: "why".into() };
    assert_eq!(Bed::pushed().answer(3, 0, refused), "fail: the push from step 3 on of chunk 0 was refused: why");
    let mut bed = Bed::new();
    let said = bed.see(TaskView { generation: Generation(2), ..view(2) });
    assert!(said.starts_with("disconnect ps-0, disconnect ps-1, abandon compute, forget all, applied revision 2, connect"), "{said}");
    assert_eq!(bed.chunk(0, 8), "", "of the old generation");
}
