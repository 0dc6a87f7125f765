//! The ways up: what comes on a stream, checked and handed to the holder. While the holder's queue is full a stream is
//! not read, and HTTP/2's windows hold its sender back.

use crate::ask::Ask;
use crate::outbox::Outbox;
use tfcoord_exchange::message::{Malformed, Push};
use tfcoord_proto::v1;
use tfcoord_types::exchange::Answer;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

/// Refusals that may wait on a stream: more is flooding.
const REFUSALS_BYTES: usize = 1 << 20;

/// A worker's pushes, until its stream ends.
pub(super) async fn pushes(
    job: String,
    stream: u64,
    mut pushes: Streaming<v1::Push>,
    outbox: Outbox<v1::PushPullReply>,
    asks: mpsc::Sender<Ask>,
) {
    while let Some(message) = next(stream, &mut pushes).await {
        let of = key(&message);
        let sent = match Push::from_message(message, &job) {
            Ok((push, place)) => asks.send(Ask::Push { stream, push, place }).await.is_ok(),
            // Damaged on the way: the sender did no wrong, and sends what is not settled again on a new connection.
            Err(damaged @ Malformed::Checksum { .. }) => {
                tracing::warn!("stream {stream}: {damaged}");
                outbox.fail(Status::data_loss(damaged.to_string()));
                false
            }
            Err(malformed) => {
                metrics::counter!("tfcoord_pushes_total", "outcome" => "refused").increment(1);
                outbox.send(refusal(of, malformed.to_string()), 0, REFUSALS_BYTES).is_ok()
            }
        };
        if !sent {
            break;
        }
    }
    // Nobody to tell where the holder has ended.
    let _ = asks.send(Ask::StreamEnded { stream }).await;
}

/// Another server's norms, until its stream ends.
pub(super) async fn norms(
    job: String,
    stream: u64,
    mut parts: Streaming<v1::NormsPart>,
    outbox: Outbox<v1::NormScale>,
    asks: mpsc::Sender<Ask>,
) {
    while let Some(part) = next(stream, &mut parts).await {
        if part.job != job {
            outbox.fail(Status::invalid_argument(format!("this server is of job {job}")));
            break;
        }
        if asks.send(Ask::Norms { stream, outbox: outbox.clone(), part }).await.is_err() {
            break;
        }
    }
    let _ = asks.send(Ask::NormsEnded { stream }).await;
}

async fn next<T>(stream: u64, messages: &mut Streaming<T>) -> Option<T> {
    messages.message().await.unwrap_or_else(|status| {
        tracing::debug!("stream {stream} broke: {}", status.message());
        None
    })
}

/// What names a push in its answer; as it came, for it may make no sense.
fn key(push: &v1::Push) -> v1::PushAnswer {
    let v1::Push { chunk, step, first_lane, lanes, generation, .. } = *push;
    v1::PushAnswer { chunk, step, first_lane, lanes, generation, answer: None }
}

fn refusal(of: v1::PushAnswer, reason: String) -> v1::PushPullReply {
    let answer = v1::PushAnswer { answer: Some(Answer::Refused { reason }.into()), ..of };
    v1::PushPullReply { reply: Some(v1::push_pull_reply::Reply::Answer(answer)) }
}
