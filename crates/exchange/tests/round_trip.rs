//! The exchange over real sockets, against a server that answers by rote.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "round_trip/server.rs"]
mod server;
#[path = "round_trip/silent.rs"]
mod silent;

use server::{Rote, TOKEN, layout, registration};
use std::time::Duration;
use tfcoord_client::Bearer;
use tfcoord_exchange::grpc::PATIENCE;
use tfcoord_exchange::transport::{Connection, Events, Pushes, Transport};
use tfcoord_exchange::{Chunk, Error, Event, Grpc, Push, numbers};
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::lane::Block;

const WITHIN: Duration = Duration::from_secs(20);

fn transport(host: &str) -> Grpc<Bearer> {
    Grpc { token: Bearer::new(TOKEN).unwrap(), job: "demo-1".into(), host: host.into(), patience: PATIENCE }
}

fn push(chunk: u32, value: f32) -> Push {
    let elements = usize::try_from(layout().chunks[chunk as usize].len).unwrap();
    Push {
        generation: Generation(1),
        placement_epoch: 1,
        worker: 0,
        incarnation: Incarnation(5),
        view_revision: Revision(3),
        step: 0,
        block: Block::lane(0),
        records: 1,
        chunk,
        payload: numbers::to_bytes(&vec![value; elements]),
    }
}

async fn event(events: &mut impl Events) -> Event {
    tokio::time::timeout(WITHIN, events.next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn four_mebibytes_go_both_ways_over_both_transports() {
    let rote = Rote::start("h").await;
    for (host, over) in [("h", "unix"), ("elsewhere", "tcp")] {
        let connection = transport(host).connect(&rote.address, WITHIN).await.unwrap();
        assert_eq!(connection.address().starts_with("unix:"), over == "unix");
        let mut opened = connection.open(registration()).await.unwrap();
        assert_eq!(opened.cursors.into_iter().collect::<Vec<_>>(), [(0, 0), (1, 0)]);
        for (chunk, value) in [(0, 1.5), (1, -2.0), (0, 3.0)] {
            let pushed = push(chunk, value);
            let payload = pushed.payload.clone();
            opened.pushes.push(pushed).await.unwrap();
            let answer = Event::Answer { generation: Generation(1), chunk, step: 0, block: Block::lane(0), answer: Answer::Held };
            assert_eq!(event(&mut opened.events).await, answer);
            let back = Event::Chunk(Chunk { generation: Generation(1), chunk, version: 1, payload });
            assert!(event(&mut opened.events).await == back, "chunk {chunk} comes back bit by bit over {over}");
        }
        assert_eq!(rote.last_peer(), over);
    }
}

#[tokio::test]
async fn pulls_and_the_curve() {
    let rote = Rote::start("h").await;
    let connection = transport("h").connect(&rote.address, WITHIN).await.unwrap();
    let pulled = connection.pull(&registration().layout, Generation(1), 4, &[1, 0]).await.unwrap();
    assert_eq!(
        pulled.iter().map(|chunk| (chunk.chunk, chunk.version, chunk.payload.len())).collect::<Vec<_>>(),
        [(1, 4, 16), (0, 4, 4 << 20)]
    );
    assert!(matches!(connection.pull(&registration().layout, Generation(2), 4, &[0]).await, Err(Error::Gone { .. })));
    let curve = connection.curve(Generation(1), 7).await.unwrap();
    assert_eq!(curve.iter().map(|point| point.step).collect::<Vec<_>>(), [7, 8]);
}

#[tokio::test]
async fn a_wrong_token_is_refused_for_good() {
    let rote = Rote::start("h").await;
    let stranger = Grpc { token: Bearer::new("beef").unwrap(), ..transport("h") };
    let connection = stranger.connect(&rote.address, WITHIN).await.unwrap();
    let refused = connection.open(registration()).await.unwrap_err();
    assert!(matches!(refused, Error::Failed { code: tonic::Code::Unauthenticated, .. }), "{refused}");
    assert!(refused.is_final());
}

#[tokio::test]
async fn damage_on_the_way_down_is_seen() {
    let rote = Rote::start("h").await;
    let connection = transport("h").connect(&rote.address, WITHIN).await.unwrap();
    for (step, what) in
        [(server::DAMAGED, "payload damaged"), (server::SHORT, "bytes of payload"), (server::EMPTY, "PushPullReply.reply is missing")]
    {
        let mut opened = connection.open(registration()).await.unwrap();
        opened.pushes.push(Push { step, ..push(1, 1.0) }).await.unwrap();
        let error = tokio::time::timeout(WITHIN, opened.events.next()).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains(what), "{error}");
    }
}

#[tokio::test]
async fn an_oversize_message_ends_its_stream_and_nothing_else() {
    let rote = Rote::start("h").await;
    let connection = transport("h").connect(&rote.address, WITHIN).await.unwrap();
    let mut quiet = connection.open(registration()).await.unwrap();
    // The generated client, without its limit.
    let mut client = transport("h").client(&rote.address, WITHIN).await.unwrap().max_encoding_message_size(usize::MAX);
    let mut oversize = push(1, 1.0).into_message("demo-1", &layout());
    oversize.payload = vec![0; 5 << 20].into();
    let mut replies = client.push_pull(tokio_stream::iter([oversize])).await.unwrap().into_inner();
    assert_eq!(replies.message().await.unwrap_err().code(), tonic::Code::OutOfRange);
    quiet.pushes.push(push(1, 1.0)).await.unwrap();
    assert!(matches!(event(&mut quiet.events).await, Event::Answer { .. }));
}

#[tokio::test]
async fn where_no_address_works_all_are_named() {
    let rote = Rote::start("h").await;
    let mut address = rote.address.clone();
    address.addresses = vec!["unix:/nowhere/s".into(), "not an address".into()];
    let error = transport("h").connect(&address, WITHIN).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot reach ps-0: unix:/nowhere/s: No such file"), "{error}");
    assert!(error.contains("; not an address: "), "{error}");
    address.addresses.truncate(1);
    let error = transport("elsewhere").connect(&address, WITHIN).await.unwrap_err().to_string();
    assert_eq!(error, "cannot reach ps-0: no address is good on elsewhere");
}

#[tokio::test]
async fn other_variables_are_not_taken() {
    let rote = Rote::start("h").await;
    let connection = transport("h").connect(&rote.address, WITHIN).await.unwrap();
    let mut other = registration();
    other.variables_digest[0] ^= 1;
    assert!(connection.open(other).await.unwrap_err().is_final());
    let mut early = registration();
    early.generation = Generation(2);
    assert!(matches!(connection.open(early).await, Err(Error::NotYet { .. })));
}
