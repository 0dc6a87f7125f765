//! One driver, input by input. Faults and whole trainings: `worker/core/tests/exchange`.

use super::*;
use tfcoord_types::id::TaskId;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::{Evaluate, Placement, ServerAddress};

const ME: Incarnation = Incarnation(20);
const OTHER: Option<Incarnation> = Some(Incarnation(21));

/// Two chunks, one a server; four lanes of which this worker owns the first two; two records a lane and step.
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
        plan: TrainPlan { records: 80, batch_size: 8, micro_batches: 4, epochs: 1 },
        placement: Some(Placement { epoch: 1, variables: vec![variable], chunk_elements: 4096, servers: vec![0, 1] }),
        servers: vec![server(0), server(1)],
        owners: vec![Some(ME), Some(ME), OTHER, OTHER],
        workers: vec![ME, Incarnation(21)],
        leases: vec![],
        run_until: 10,
        evaluate: None,
        export: None,
        evaluations: vec![],
        restore: None,
        cut: None,
    }
}

struct Bed(Driver);

impl Bed {
    /// Connected; both chunks are at these cursors.
    fn new(cursors: [u64; 2]) -> Self {
        let mut bed = Bed(Driver::new(ME));
        assert_eq!(bed.see(view(1)), "applied revision 1, connect ps-0 incarnation 1, connect ps-1 incarnation 2");
        bed.connected(0, cursors[0]);
        bed.connected(1, cursors[1]);
        bed
    }

    /// At step 3, with its sums of both chunks sent.
    fn pushed() -> Self {
        let mut bed = Bed::new([3, 3]);
        bed.chunk(0, 3);
        bed.chunk(1, 3);
        bed.computed(3, 1);
        bed.computed(3, 0);
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

    fn connected(&mut self, slot: u32, next_step: u64) -> String {
        let incarnation = Incarnation(u64::from(slot) + 1);
        self.apply(Input::Connected { slot, incarnation, generation: Generation(1), cursors: vec![(slot, next_step)] })
    }

    fn chunk(&mut self, chunk: u32, version: u64) -> String {
        self.apply(Input::Chunk { generation: Generation(1), chunk, version })
    }

    fn computed(&mut self, step: u64, chunk: u32) -> String {
        self.apply(Input::Computed { step, block: Block::new(0, 2).unwrap(), chunk })
    }

    fn answer(&mut self, step: u64, chunk: u32, answer: Answer) -> String {
        let block = Block::new(0, 2).unwrap();
        self.apply(Input::Answer { generation: Generation(1), chunk, step, block, answer })
    }
}

#[test]
fn a_steady_step_pulls_nothing() {
    let mut bed = Bed(Driver::new(ME));
    bed.see(view(1));
    assert_eq!(bed.connected(0, 0), "");
    assert_eq!(bed.connected(1, 0), "pull chunk 0 version 0 from ps-0, pull chunk 1 version 0 from ps-1");
    assert_eq!(bed.chunk(1, 0), "keep chunk 1 version 0");
    assert_eq!(bed.chunk(0, 0), "keep chunk 0 version 0, use version 0, compute step 0 lanes 0..2");
    assert_eq!(bed.computed(0, 1), "push step 0 chunk 1 lanes 0..2 to ps-1");
    assert_eq!(bed.computed(0, 0), "push step 0 chunk 0 lanes 0..2 to ps-0");
    assert_eq!(bed.apply(Input::StepComputed { step: 0 }), "");
    assert_eq!(bed.answer(0, 1, Answer::Held), "");
    assert_eq!(bed.chunk(1, 1), "keep chunk 1 version 1, forget step 0 chunk 1 lanes 0..2");
    assert_eq!(bed.chunk(0, 1), "keep chunk 0 version 1, forget step 0 chunk 0 lanes 0..2, use version 1, compute step 1 lanes 0..2");
}

#[test]
fn all_chunks_of_a_server_are_pulled_at_once() {
    let mut bed = Bed(Driver::new(ME));
    let mut view = view(1);
    view.placement.as_mut().unwrap().servers = vec![1, 1];
    bed.see(view);
    let both = |next_step| Input::Connected {
        slot: 1,
        incarnation: Incarnation(2),
        generation: Generation(1),
        cursors: vec![(0, next_step), (1, next_step)],
    };
    assert_eq!(bed.apply(both(0)), "pull chunk 0 1 version 0 from ps-1");
    let gone = |chunk| Input::Gone { generation: Generation(1), chunk, version: 0 };
    assert_eq!(bed.apply(gone(1)), "pull chunk 0 1 version 1 from ps-1", "nothing of the older version is waited for");
}

#[test]
fn a_replacement_computes_the_lowest_step_for_the_chunks_that_wait_for_it() {
    let mut bed = Bed::new([4, 3]);
    assert_eq!(bed.0.step(), 3);
    bed.chunk(0, 3);
    assert_eq!(bed.chunk(1, 3), "keep chunk 1 version 3, use version 3, compute step 3 lanes 0..2");
    assert_eq!(bed.computed(3, 0), "forget step 3 chunk 0 lanes 0..2", "was counted");
    assert_eq!(bed.computed(3, 1), "push step 3 chunk 1 lanes 0..2 to ps-1");
    bed.apply(Input::StepComputed { step: 3 });
    assert_eq!(
        bed.answer(3, 1, Answer::Duplicate),
        "forget step 3 chunk 1 lanes 0..2, pull chunk 0 version 4 from ps-0, pull chunk 1 version 4 from ps-1"
    );
}

#[test]
fn what_is_not_settled_is_sent_again_on_a_new_stream() {
    let mut bed = Bed::pushed();
    bed.answer(3, 0, Answer::Held);
    assert_eq!(bed.apply(Input::Disconnected { slot: 0 }), "retry after 20 ms");
    assert_eq!(bed.apply(Input::Retry), "connect ps-0 incarnation 1");
    assert_eq!(bed.connected(0, 3), "push step 3 chunk 0 lanes 0..2 to ps-0");
    bed.apply(Input::Disconnected { slot: 1 });
    bed.apply(Input::Retry);
    assert_eq!(bed.connected(1, 4), "forget step 3 chunk 1 lanes 0..2", "the version was made while it was away");
    assert_eq!(bed.chunk(0, 4), "keep chunk 0 version 4, forget step 3 chunk 0 lanes 0..2, pull chunk 1 version 4 from ps-1");
}

#[test]
fn a_stream_that_does_not_open_is_tried_ever_more_seldom() {
    let mut bed = Bed(Driver::new(ME));
    bed.see(view(1));
    bed.connected(1, 0);
    let mut ticks = Vec::new();
    for _ in 0..8 {
        assert_eq!(bed.apply(Input::Disconnected { slot: 0 }), "retry after 20 ms");
        let waits = std::iter::repeat_with(|| bed.apply(Input::Retry)).take_while(|said| said == "retry after 20 ms").count();
        ticks.push(waits + 1);
    }
    assert_eq!(ticks, [1, 2, 4, 8, 16, 32, 32, 32]);
}

#[test]
fn a_stream_of_another_server_is_closed() {
    for (incarnation, generation, cursors) in [(9, 1, vec![(0, 0)]), (1, 2, vec![(0, 0)]), (1, 1, vec![])] {
        let mut bed = Bed(Driver::new(ME));
        bed.see(view(1));
        let connected = Input::Connected { slot: 0, incarnation: Incarnation(incarnation), generation: Generation(generation), cursors };
        assert_eq!(bed.apply(connected), "disconnect ps-0, retry after 20 ms");
    }
}

#[test]
fn lanes_that_were_lost_are_dropped_and_gained_ones_computed_alone() {
    let mut bed = Bed::pushed();
    assert_eq!(bed.answer(3, 0, Answer::NotOwner), "retry after 20 ms", "waits for a newer view");
    assert_eq!(
        bed.see(TaskView { owners: vec![None; 4], ..view(2) }),
        "applied revision 2, forget step 3 chunk 0 lanes 0..2, forget step 3 chunk 1 lanes 0..2"
    );
    let owners = vec![None, None, Some(ME), Some(ME)];
    assert_eq!(bed.see(TaskView { owners, ..view(3) }), "applied revision 3, compute step 3 lanes 2..4");
    assert_eq!(bed.see(TaskView { owners: vec![Some(ME); 4], ..view(4) }), "applied revision 4");
    assert_eq!(bed.apply(Input::StepComputed { step: 3 }), "compute step 3 lanes 0..2");
    assert_eq!(bed.see(TaskView { owners: vec![None; 4], ..view(5) }), "applied revision 5, abandon compute");
    assert_eq!(bed.computed(3, 0), "forget step 3 chunk 0 lanes 0..2");
}

#[test]
fn an_answer_that_was_about_an_older_view_is_no_answer() {
    let mut bed = Bed::pushed();
    bed.see(view(2));
    assert_eq!(bed.answer(3, 0, Answer::NotOwner), "push step 3 chunk 0 lanes 0..2 to ps-0");
    assert_eq!(bed.answer(3, 0, Answer::NotOwner), "retry after 20 ms");
    assert_eq!(bed.see(view(3)), "applied revision 3, push step 3 chunk 0 lanes 0..2 to ps-0");
    bed.answer(3, 0, Answer::NotYet { revision: Revision(2) });
    assert_eq!(bed.apply(Input::Retry), "push step 3 chunk 0 lanes 0..2 to ps-0");
}

#[test]
fn steps_end_at_run_until_and_evaluation_is_of_that_step() {
    let mut bed = Bed(Driver::new(ME));
    bed.see(TaskView { run_until: 5, ..view(1) });
    bed.connected(0, 5);
    assert_eq!(bed.connected(1, 5), "", "nothing to pull for: all wait");
    let evaluate = Evaluate { evaluation: 2, step: 5, shards: vec![(0, 0..10), (3, 30..40)] };
    let with = |revision| TaskView { run_until: 5, owners: vec![], evaluate: Some(evaluate.clone()), ..view(revision) };
    assert_eq!(bed.see(with(2)), "applied revision 2, pull chunk 0 version 5 from ps-0, pull chunk 1 version 5 from ps-1");
    bed.chunk(0, 5);
    assert_eq!(bed.chunk(1, 5), "keep chunk 1 version 5, use version 5, evaluate 2 shard 0 at step 5");
    assert_eq!(bed.see(with(3)), "applied revision 3");
    let next = "report shard 0 of evaluation 2, evaluate 2 shard 3 at step 5";
    assert_eq!(bed.apply(Input::Evaluated { evaluation: 2, shard: 0 }), next);
    assert_eq!(bed.apply(Input::Evaluated { evaluation: 2, shard: 3 }), "report shard 3 of evaluation 2");
    assert_eq!(bed.see(view(4)), "applied revision 4, compute step 5 lanes 0..2", "the model has these parameters");
}

#[test]
fn it_ends_when_it_is_told_to() {
    let mut bed = Bed::pushed();
    bed.see(TaskView { owners: vec![Some(ME); 4], ..view(2) });
    assert_eq!(bed.see(TaskView { directive: Directive::Stop { reason: "done".into() }, ..view(3) }), "abandon compute, stop: done");
    assert_eq!(bed.chunk(0, 4), "");
    assert_eq!(Bed::pushed().answer(3, 0, Answer::Fenced), "fenced");
    let refused = Answer::Refused { reason: "why".into() };
    assert_eq!(Bed::pushed().answer(3, 0, refused), "fail: the push of step 3, chunk 0, lanes 0..2 was refused: why");
}

#[test]
fn what_is_evaluated_of_an_earlier_generation_is_not_wanted() {
    let mut bed = Bed(Driver::new(ME));
    let evaluate = Evaluate { evaluation: 0, step: 5, shards: vec![(0, 0..10)] };
    let with = |revision, generation| TaskView { run_until: 5, generation, evaluate: Some(evaluate.clone()), ..view(revision) };
    bed.see(with(1, Generation(1)));
    bed.connected(0, 5);
    bed.connected(1, 5);
    bed.chunk(0, 5);
    assert!(bed.chunk(1, 5).ends_with("evaluate 0 shard 0 at step 5"));
    bed.see(with(2, Generation(2)));
    assert_eq!(bed.apply(Input::Evaluated { evaluation: 0, shard: 0 }), "", "it was of parameters that are gone");
}

#[test]
fn a_new_generation_forgets_everything() {
    let mut bed = Bed::pushed();
    let next = TaskView { generation: Generation(2), ..view(2) };
    assert_eq!(
        bed.see(next),
        "disconnect ps-0, disconnect ps-1, forget all, applied revision 2, connect ps-0 incarnation 1, connect ps-1 incarnation 2"
    );
    assert_eq!(bed.chunk(0, 4), "", "of the old generation");
}
