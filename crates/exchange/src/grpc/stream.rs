//! The two halves of a push-pull stream.

use super::connection::failed;
use crate::message::{Chunk, Malformed, Push};
use crate::transport::{Error, Event, Events, Pushes};
use std::sync::Arc;
use tfcoord_proto::v1;
use tfcoord_proto::v1::push_pull_reply::Reply;
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::{Generation, TaskId};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::Layout;
use tokio::sync::mpsc;
use tonic::Streaming;

/// Pushes that may wait for the transport.
pub(super) const CREDIT: usize = 4;

/// The way up.
#[derive(Debug)]
pub struct GrpcPushes {
    pub(super) server: TaskId,
    pub(super) job: String,
    pub(super) layout: Arc<Layout>,
    pub(super) up: mpsc::Sender<v1::Push>,
}

impl Pushes for GrpcPushes {
    async fn push(&mut self, push: Push) -> Result<(), Error> {
        let message = push.into_message(&self.job, &self.layout);
        self.up.send(message).await.map_err(|_| Error::Ended { server: self.server })
    }
}

/// The way down.
#[derive(Debug)]
pub struct GrpcEvents {
    pub(super) server: TaskId,
    pub(super) layout: Arc<Layout>,
    pub(super) down: Streaming<v1::PushPullReply>,
}

impl Events for GrpcEvents {
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        let Some(message) = self.down.message().await.map_err(|status| failed(self.server, &status))? else { return Ok(None) };
        match event(message, &self.layout) {
            Ok(event) => Ok(Some(event)),
            Err(source) => Err(Error::Malformed { server: self.server, source }),
        }
    }
}

fn event(message: v1::PushPullReply, layout: &Layout) -> Result<Event, Malformed> {
    let missing = tfcoord_proto::Malformed { field: "PushPullReply.reply", problem: "is missing" };
    match message.reply.ok_or(missing)? {
        Reply::Chunk(chunk) => Chunk::from_message(chunk, layout).map(Event::Chunk),
        Reply::Answer(answer) => {
            let (first, lanes) = (answer.first_lane, answer.lanes);
            let block = Block::new(first, lanes).ok_or(Malformed::Lanes { first, lanes })?;
            let (generation, chunk, step) = (Generation(answer.generation), answer.chunk, answer.step);
            Ok(Event::Answer { generation, chunk, step, block, answer: Answer::try_from(answer)? })
        }
    }
}
