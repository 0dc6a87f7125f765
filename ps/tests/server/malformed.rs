//! Pushes that make no sense, or came damaged.

use crate::fleet::{Fleet, HOST, WITHIN, grpc, small};
use serde_json::json;
use tfcoord_proto::v1;
use tfcoord_proto::v1::push_answer::Answer;
use tfcoord_proto::v1::push_pull_reply::Reply;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

type Change = fn(&mut v1::Push);

#[tokio::test]
async fn malformed_pushes_are_refused_and_harm_nothing() {
    let fleet = Fleet::new(small(), json!({}));
    let mut server = fleet.server(0, &[]);
    fleet.run(1).await;
    let (mut a, mut b) = (fleet.worker(0, 21, HOST).await, fleet.worker(0, 22, HOST).await);
    a.push(0, 0, 1.0).await;
    assert_eq!(a.said().await, "Held 0 of step 0");

    let mut client = grpc(HOST).client(&fleet.address(0), WITHIN).await.unwrap();
    let (pushes, stream) = mpsc::channel(4);
    let mut replies = client.push_pull(ReceiverStream::new(stream)).await.unwrap().into_inner();
    let good = || a.sum(0, 0, 9.0).into_message("demo-1", &fleet.layout());
    let wrong: [(&str, Change); 9] = [
        ("job \"x\" instead", |m| m.job = "x".into()),
        ("no block", |m| (m.first_lane, m.lanes) = (1, 2)),
        ("no block", |m| m.lanes = 0),
        ("bytes of payload", |m| m.length = u64::MAX),
        ("dtype 9", |m| m.dtype = 9),
        ("is not at element", |m| m.offset = 4096),
        ("is not at element", |m| m.chunk = u32::MAX),
        ("lanes 2..4 are not among", |m| (m.first_lane, m.lanes) = (2, 2)),
        ("records", |m| m.records = u32::MAX),
    ];
    for (reason, change) in wrong {
        let mut message = good();
        change(&mut message);
        pushes.send(message).await.unwrap();
        let reply = tokio::time::timeout(WITHIN, replies.message()).await.unwrap().unwrap().unwrap().reply;
        let Some(Reply::Answer(v1::PushAnswer { answer: Some(Answer::Refused(refused)), .. })) = reply else {
            panic!("{reason}: {reply:?}")
        };
        assert!(refused.reason.contains(reason), "{refused:?} for {reason}");
    }
    // Damage ends the stream: its sender connects again, and sends again.
    let mut damaged = good();
    damaged.crc32c ^= 1;
    pushes.send(damaged).await.unwrap();
    let broken = tokio::time::timeout(WITHIN, replies.message()).await.unwrap().unwrap_err();
    assert_eq!(broken.code(), tonic::Code::DataLoss);

    // A sender who floods without reading is cut off, and so is one whose message is too long.
    let mut oversize = good();
    oversize.payload = vec![0; 5 << 20].into();
    let mut careless = grpc(HOST).client(&fleet.address(0), WITHIN).await.unwrap().max_encoding_message_size(usize::MAX);
    let mut replies = careless.push_pull(tokio_stream::iter([oversize])).await.unwrap().into_inner();
    assert!(!matches!(tokio::time::timeout(WITHIN, replies.message()).await.unwrap(), Ok(Some(_))));

    b.push(0, 0, 3.0).await;
    assert_eq!(a.said().await, "chunk 0 version 1 is -1", "what was held is what it was");
    assert_eq!(b.said().await, "chunk 0 version 1 is -1");
    fleet.show(|view| view.directive = tfcoord_types::view::Directive::Stop { reason: "done".into() });
    assert_eq!(server.exit_code().await, Some(0));
}
