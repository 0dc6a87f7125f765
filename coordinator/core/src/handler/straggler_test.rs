use crate::command::Command;
use crate::outcome::Refusal;
use crate::proposals::proposals;
use crate::test::fixture::{PS, W0, W1, World, file};
use tfcoord_types::id::{Generation, Incarnation, TaskId};
use tfcoord_types::job::Straggler;
use tfcoord_types::report::{Body, Late, Report, ServerReport};

// A server, two workers (3, 4) with 4 lanes each; entry 5 placed the chunks.
fn running(straggler: Straggler) -> World {
    let mut file = file(1, 2, 2, true);
    file.worker.straggler = straggler;
    World::running_file(file)
}

fn says(world: &World, worker: Incarnation, steps: u32) -> Vec<Command> {
    let late = Some(Late { worker, steps, behind_ms: 90 });
    let body = Body::Server(ServerReport { late, ..ServerReport::default() });
    let report = Report { incarnation: world.incarnation(PS), applied: world.job().revision, generation: Generation(1), body, fault: None };
    proposals(&world.cluster, &world.job, PS, &report)
}

fn fence(world: &mut World) {
    world.done(world.applied(PS, world.job().revision.0));
}

#[test]
fn the_lanes_of_a_straggler_move_where_the_job_wants_that() {
    assert_eq!(says(&running(Straggler::Report), Incarnation(4), 9), []);
    let mut world = running(Straggler::Move);
    assert_eq!(says(&world, Incarnation(4), 4), []);
    let commands = says(&world, Incarnation(4), 5);
    let text = "MoveLanes fashion-1 of incarnation 4: its sums came after all others' in 5 steps in a row, the last ones 90 ms after";
    assert_eq!(commands.iter().map(Command::to_string).collect::<Vec<_>>(), [text]);
    world.done(commands[0].clone());
    assert_eq!(world.owners(), [3, 3, 3, 3, 0, 0, 0, 0]);
    fence(&mut world);
    assert_eq!(world.owners(), [3; 8]);
    let again = world.apply(commands[0].clone());
    assert_eq!(again.outcome, crate::outcome::Outcome::Unchanged);
    assert_eq!(says(&world, Incarnation(3), 9), [], "somebody must have lanes");
    assert!(world.job().tasks[&W1].relieved.as_ref().unwrap().contains("90 ms"));
    let join = world.join(W1);
    world.unchanged(join);
    // It evaluates no shards either.
    world.done(world.reach(PS, 4));
    assert_eq!((world.view(W0).evaluate.unwrap().shards.len(), world.view(W1).evaluate), (3, None));
}

#[test]
fn it_has_lanes_again_once_the_job_is_scaled() {
    let mut world = running(Straggler::Move);
    world.done(says(&world, Incarnation(4), 5)[0].clone());
    fence(&mut world);
    // To the same number, too.
    world.done(world.scale(2));
    world.done(world.join(W1));
    fence(&mut world);
    assert_eq!(world.owners(), [3, 3, 3, 3, 4, 4, 4, 4]);
    world.done(says(&world, Incarnation(3), 5)[0].clone());
    fence(&mut world);
    assert_eq!(world.owners(), [4; 8]);
    world.done(world.scale(1));
    assert_eq!(world.owners(), [0; 8]);
    fence(&mut world);
    assert_eq!(world.owners(), [3; 8], "the first one never leaves");
}

#[test]
fn it_has_lanes_again_once_it_is_replaced() {
    let mut world = running(Straggler::Move);
    world.done(says(&world, Incarnation(4), 5)[0].clone());
    fence(&mut world);
    world.done(world.lost(W1, 1));
    world.at_ms = 2000;
    world.done(Command::Tick {});
    let w1 = world.register(W1, 2).0;
    assert_eq!(world.owners(), [3; 8]);
    world.done(world.join(W1));
    fence(&mut world);
    assert_eq!(world.owners(), [3, 3, 3, 3, w1, w1, w1, w1]);
}

#[test]
fn retired_and_leaving_workers_are_no_stragglers() {
    let mut world = running(Straggler::Move);
    assert_eq!(says(&world, Incarnation(99), 5), []);
    let late = |world: &World, incarnation| Command::MoveLanes { job: world.job.clone(), incarnation, reason: "late".into() };
    let stranger = late(&world, Incarnation(99));
    assert_eq!(world.refused(stranger), Refusal::Fenced { incarnation: Incarnation(99) });
    let server = late(&world, world.incarnation(PS));
    assert!(matches!(world.refused(server), Refusal::Fenced { .. }));
    world.done(world.scale(3));
    world.register(TaskId::worker(2), 1);
    assert_eq!(says(&world, world.incarnation(TaskId::worker(2)), 5), [], "it has no lanes yet");
}
