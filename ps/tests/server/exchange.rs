//! Pushes from two workers, over the Unix socket and TCP.

use crate::fleet::{CURVE, Fleet, HOST, WITHIN, grpc, small};
use serde_json::json;
use tfcoord_client::Bearer;
use tfcoord_exchange::transport::{Connection, Transport};
use tfcoord_exchange::{Error, Grpc, numbers};
use tfcoord_proto::v1;
use tfcoord_types::id::{Generation, Incarnation};
use tfcoord_types::report::Body;

#[tokio::test]
async fn a_step_is_summed_updated_and_sent_to_all() {
    let fleet = Fleet::new(small(), json!({}));
    let _server = fleet.server(0, &[]);
    fleet.run(1).await;
    let (mut a, mut b) = (fleet.worker(0, 21, HOST).await, fleet.worker(0, 22, "elsewhere").await);
    assert_eq!(a.opened.cursors.iter().map(|(c, v)| (*c, *v)).collect::<Vec<_>>(), [(0, 0), (1, 0), (2, 0)]);
    let pulled = a.connection.pull(&fleet.layout(), Generation(1), 0, &[0, 1]).await.unwrap();
    assert!(pulled.iter().all(|chunk| numbers::to_vec(&chunk.payload).iter().all(|value| *value == 0.0)));

    a.push(0, 0, 1.0).await;
    assert_eq!(a.said().await, "Held 0 of step 0");
    a.push(0, 0, 1.0).await;
    assert_eq!(a.said().await, "Held 0 of step 0", "the same again changes nothing");
    b.push(0, 0, 3.0).await;
    // The rate is 1, four records: 0 - (1 + 3) / 4.
    assert_eq!(a.said().await, "chunk 0 version 1 is -1");
    assert_eq!(b.said().await, "chunk 0 version 1 is -1");
    a.push(0, 0, 1.0).await;
    assert_eq!(a.said().await, "Duplicate 0 of step 0");
    a.push(2, 0, 1.0).await;
    assert_eq!(a.said().await, "Ahead 0 of step 2");

    for chunk in [1, CURVE] {
        a.push(0, chunk, 2.0).await;
        b.push(0, chunk, 2.0).await;
    }
    fleet.reached(0, 1).await;
    let report = fleet.reported(0, |report| matches!(&report.body, Body::Server(server) if server.curve.is_some())).await;
    let Body::Server(server) = report.body else { panic!("a server reports as one") };
    assert_eq!((server.curve.unwrap().last.loss_sum, server.curve.unwrap().last.step), (4.0, 0));
    assert_eq!(a.connection.curve(Generation(1), 0).await.unwrap().len(), 1);
    assert!(matches!(a.connection.curve(Generation(2), 0).await, Err(Error::NotYet { .. })));

    // Both versions are held, others are not.
    for (version, value) in [(0, 0.0), (1, -1.0)] {
        let pulled = b.connection.pull(&fleet.layout(), Generation(1), version, &[0]).await.unwrap();
        assert_eq!(numbers::to_vec(&pulled[0].payload)[0], value);
    }
    assert!(matches!(b.connection.pull(&fleet.layout(), Generation(1), 2, &[0]).await, Err(Error::Gone { .. })));
}

#[tokio::test]
async fn a_worker_that_comes_early_waits_and_a_stranger_does_not_come_in() {
    let fleet = Fleet::new(small(), json!({}));
    let _server = fleet.server(0, &[]);
    fleet.reported(0, |report| report.applied.0 == 1).await;
    let connection = grpc(HOST).connect(&fleet.address(0), WITHIN).await.unwrap();
    let early = connection.open(fleet.registration(21)).await.unwrap_err();
    assert!(matches!(early, Error::NotYet { .. }), "{early}");

    fleet.run(1).await;
    assert!(connection.open(fleet.registration(21)).await.is_ok());
    let mut other = fleet.registration(21);
    other.variables_digest[0] ^= 1;
    assert!(connection.open(other).await.unwrap_err().is_final());
    let later = tfcoord_exchange::Registration { placement_epoch: 2, ..fleet.registration(21) };
    assert!(matches!(connection.open(later).await, Err(Error::NotYet { .. })));

    for host in [HOST, "elsewhere"] {
        let stranger = Grpc { token: Bearer::new("abce").unwrap(), ..grpc(host) };
        let connection = stranger.connect(&fleet.address(0), WITHIN).await.unwrap();
        let refused = connection.open(fleet.registration(21)).await.unwrap_err();
        assert!(matches!(refused, Error::Failed { code: tonic::Code::Unauthenticated, .. }), "{refused}");
    }
    let mistaken = Grpc { job: "other-2".into(), ..grpc(HOST) };
    let connection = mistaken.connect(&fleet.address(0), WITHIN).await.unwrap();
    assert!(connection.open(fleet.registration(21)).await.unwrap_err().is_final());
}

#[tokio::test]
async fn lanes_that_were_taken_away_do_not_count() {
    let fleet = Fleet::new(small(), json!({}));
    let _server = fleet.server(0, &[]);
    fleet.run(1).await;
    let (mut a, mut b) = (fleet.worker(0, 21, HOST).await, fleet.worker(0, 22, HOST).await);
    fleet.show(|view| {
        view.owners[0] = None;
        view.workers = vec![Incarnation(21)];
    });
    let revision = fleet.stage.view.borrow().revision;
    fleet.reported(0, |report| report.applied == revision).await;
    a.push(0, 0, 1.0).await;
    assert_eq!(a.said().await, "NotOwner 0 of step 0");
    b.push(0, 0, 1.0).await;
    assert_eq!(b.said().await, "Fenced 0 of step 0");
    let mut other_map = a.sum(0, 0, 1.0);
    other_map.placement_epoch = 2;
    tfcoord_exchange::Pushes::push(&mut a.opened.pushes, other_map).await.unwrap();
    assert_eq!(a.said().await, format!("NotYet {{ revision: {revision:?} }} 0 of step 0"));

    let mut client = grpc(HOST).client(&fleet.address(0), WITHIN).await.unwrap();
    let status = client.status(v1::StatusRequest { job: "demo-1".into() }).await.unwrap().into_inner();
    assert_eq!((status.incarnation, status.generation, status.view_revision, status.held_blocks), (10, 1, revision.0, 0));
    assert_eq!(status.cursors.len(), 3);
}
