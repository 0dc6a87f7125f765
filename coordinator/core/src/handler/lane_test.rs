use crate::outcome::Refusal;
use crate::test::fixture::{PS, W0, W1, World};
use crate::view::view_for;
use tfcoord_types::id::{Incarnation, TaskId};
use tfcoord_types::view::Directive;

// Two servers (2, 3), two workers (4, 5); entry 6 placed the chunks. worker-1 is lost with entry 7.
fn vacated() -> World {
    let mut world = World::running(2, 2, 2, true);
    assert_eq!(world.owners(), [4, 4, 4, 4, 5, 5, 5, 5]);
    world.done(world.lost(W1, 1));
    assert_eq!(world.owners(), [4, 4, 4, 4, 0, 0, 0, 0]);
    world
}

#[test]
fn lanes_are_granted_when_every_server_has_applied_and_the_replacement_is_there() {
    let mut world = vacated();
    world.done(world.applied(PS, 7));
    world.register(W1, 2);
    assert_eq!(world.owners()[4..], [0; 4], "ps-1 may still take pushes of the old owner");
    assert_eq!(world.job().reason(), "waiting for the servers to fence the lanes' old owners");
    world.done(world.applied(TaskId::server(1), 9));
    assert_eq!(world.owners(), [4, 4, 4, 4, 9, 9, 9, 9]);
}

#[test]
fn the_fence_may_be_complete_before_the_replacement_is_there() {
    let mut world = vacated();
    world.done(world.applied(PS, 7));
    world.done(world.applied(TaskId::server(1), 8));
    assert_eq!(world.owners()[4..], [0; 4]);
    assert_eq!(world.job().reason(), "waiting for worker-1 to register");
    world.register(W1, 2);
    assert_eq!(world.owners()[4..], [10; 4]);
}

#[test]
fn an_older_revision_is_no_fence() {
    let mut world = vacated();
    world.register(W1, 2);
    for server in [PS, TaskId::server(1)] {
        world.done(world.applied(server, 6));
    }
    assert_eq!(world.owners()[4..], [0; 4]);
}

#[test]
fn a_replacement_that_dies_again_needs_a_fence_only_if_it_was_granted() {
    let mut world = vacated();
    world.register(W1, 2);
    world.done(world.lost(W1, 2));
    assert_eq!(world.job().lanes[4].vacated_at.unwrap().0, 7, "it never owned them");
    for server in [PS, TaskId::server(1)] {
        world.done(world.applied(server, 9));
    }
    world.register(W1, 3);
    assert_eq!(world.owners()[4..], [12; 4]);
    world.done(world.lost(W1, 3));
    assert_eq!(world.job().lanes[4].vacated_at.unwrap().0, 13);
}

#[test]
fn revisions_from_the_future_and_from_strangers_are_refused() {
    let mut world = vacated();
    let future = world.applied(PS, 8);
    assert_eq!(world.refused(future), Refusal::Ahead { what: "revision", number: 8, newest: 7 });
    let worker = world.applied(W0, 7);
    assert_eq!(world.refused(worker), Refusal::Fenced { incarnation: Incarnation(4) });
    world.done(world.applied(PS, 7));
    let again = world.applied(PS, 7);
    world.unchanged(again);
}

#[test]
fn a_retired_incarnation_sees_that_it_is_fenced() {
    let mut world = vacated();
    let directive = |world: &World, incarnation| view_for(&world.cluster, &world.job, W1, Incarnation(incarnation)).unwrap().directive;
    assert_eq!(directive(&world, 5), Directive::Fenced);
    assert_eq!(crate::view::view(&world.cluster, &world.job, W1), None);
    world.register(W1, 2);
    assert_eq!((directive(&world, 5), directive(&world, 8)), (Directive::Fenced, Directive::Run));
    world.done(world.cancel());
    assert_eq!(directive(&world, 5), Directive::Fenced);
    assert_eq!(directive(&world, 8), Directive::Stop { reason: "the job cancelled: enough".into() });
}
