//! How a server ends.

use crate::fleet::{Fleet, HOST, small, variables};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::json;
use tfcoord_types::report::FaultKind;
use tfcoord_types::view::{Directive, Placement};
use tonic::Status;

#[tokio::test]
async fn told_to_stop_it_ends_with_0_and_leaves_no_socket() {
    let fleet = Fleet::new(small(), json!({}));
    let mut server = fleet.server(0, &[]);
    fleet.run(1).await;
    let mut worker = fleet.worker(0, 21, HOST).await;
    let socket = fleet.dir.path().join("1-ps-0-1.sock");
    assert!(socket.exists());
    fleet.show(|view| view.directive = Directive::Stop { reason: "done".into() });
    assert_eq!(server.exit_code().await, Some(0));
    assert!(!socket.exists());
    assert!(!matches!(worker.next().await, Ok(Some(_))), "its streams have ended");
}

#[tokio::test]
async fn fenced_it_ends_with_76() {
    let fleet = Fleet::new(small(), json!({}));
    let mut server = fleet.server(0, &[]);
    fleet.run(1).await;
    fleet.show(|view| view.directive = Directive::Fenced);
    assert_eq!(server.exit_code().await, Some(76));
}

#[tokio::test]
async fn refused_it_says_why() {
    let fleet = Fleet::new(small(), json!({}));
    for (status, code) in [(Status::failed_precondition("attempt 1 is over"), 76), (Status::not_found("no such job"), 1)] {
        *fleet.stage.refuse.lock().unwrap() = Some(status.clone());
        let mut server = fleet.server(0, &[]);
        assert_eq!(server.exit_code().await, Some(code));
        assert!(server.log().contains(status.message()), "{}", server.log());
    }
}

#[tokio::test]
async fn without_its_coordinator_it_ends_with_77() {
    let fleet = Fleet::new(small(), json!({}));
    let mut server = fleet.server(0, &[]);
    fleet.run(1).await;
    // Nobody listens any more, and the session breaks.
    fleet.coordinator.abort();
    fleet.stage.lost.send_replace(true);
    assert_eq!(server.exit_code().await, Some(77), "{}", server.log());
}

#[tokio::test]
async fn a_view_that_it_cannot_take_is_reported_as_a_fault() {
    let fleet = Fleet::new(small(), json!({}));
    let mut server = fleet.server(0, &[]);
    fleet.reported(0, |report| report.applied.0 == 1).await;
    fleet.show(|view| view.placement = Some(Placement { epoch: 1, variables: vec![], chunk_elements: 5, servers: vec![] }));
    let report = fleet.reported(0, |report| report.fault.is_some()).await;
    assert_eq!(report.fault.unwrap().kind, FaultKind::Job);
    assert_eq!(server.exit_code().await, Some(1));
}

#[tokio::test]
async fn chunks_that_memory_cannot_hold_are_reported_as_a_fault() {
    let (variables, chunk_elements) = (variables(1 << 30), 1 << 20);
    let fleet = Fleet::new((variables.clone(), chunk_elements), json!({}));
    let mut server = fleet.server(0, &[]);
    fleet.reported(0, |report| report.applied.0 == 1).await;
    let limit = Rlimit { current: Some(4 << 30), maximum: Some(4 << 30) };
    prlimit(Some(Pid::from_raw(server.pid().try_into().unwrap()).unwrap()), Resource::As, limit).unwrap();
    let servers = vec![0; fleet.layout().chunks.len()];
    fleet.show(|view| view.placement = Some(Placement { epoch: 1, variables, chunk_elements, servers }));
    let fault = fleet.reported(0, |report| report.fault.is_some()).await.fault.unwrap();
    let bytes = ((1u64 << 30) + 3) * 4 * 2;
    assert_eq!(fault.kind, FaultKind::Job);
    assert!(
        fault.message.contains(&format!("take {bytes} bytes of memory")) && fault.message.contains("parameter_server.count"),
        "{fault:?}"
    );
    assert_eq!(server.exit_code().await, Some(1));
}

#[tokio::test]
async fn terminated_it_leaves_no_socket() {
    let fleet = Fleet::new(small(), json!({}));
    let mut server = fleet.server(0, &[]);
    fleet.run(1).await;
    let pid = Pid::from_raw(server.pid().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(server.exit_code().await, Some(143));
    assert!(!fleet.dir.path().join("1-ps-0-1.sock").exists());
}
