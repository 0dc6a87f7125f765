//! A job's states as they come, over broken connections and restarted coordinators.

use crate::connection::Connection;
use crate::failure::Failure;
use crate::job::Job;
use tfcoord_proto::v1;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

/// What is seen of a job that is followed.
#[derive(Debug)]
pub enum Seen {
    /// A state of it.
    Job(Box<Job>),
    /// The coordinator was lost, and this client has started it again.
    Restarted,
}

/// Follows a job from `after_revision` on, until it has ended or the coordinator stays away: the last message.
/// States wait here when nobody takes them; the coordinator leaves out those in between.
pub fn follow(connection: Connection, job: String, after_revision: u64) -> mpsc::Receiver<Result<Seen, Failure>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut follower = Follower { connection, job, after_revision, stream: None };
        loop {
            let next = follower.next().await;
            let last = next.as_ref().map_or(true, |seen| matches!(seen, Seen::Job(job) if job.state.is_ended()));
            if sender.send(next).await.is_err() || last {
                return;
            }
        }
    });
    receiver
}

struct Follower {
    connection: Connection,
    job: String,
    after_revision: u64,
    stream: Option<Streaming<v1::Job>>,
}

impl Follower {
    async fn next(&mut self) -> Result<Seen, Failure> {
        loop {
            let heard = match self.open().await? {
                Ok(()) if self.connection.was_restarted() => return Ok(Seen::Restarted),
                Ok(()) => self.message().await,
                Err(status) => Err(status),
            };
            match heard {
                Ok(job) => {
                    self.connection.answered();
                    self.after_revision = self.after_revision.max(job.revision);
                    return Ok(Seen::Job(Box::new(job.into())));
                }
                Err(status) => {
                    self.stream = None;
                    self.connection.again(status).await?;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<Result<(), Status>, Failure> {
        if self.stream.is_some() {
            return Ok(Ok(()));
        }
        let mut client = self.connection.client().await?;
        let request = v1::WatchRequest { job: self.job.clone(), after_revision: self.after_revision };
        Ok(client.watch(request).await.map(|response| self.stream = Some(response.into_inner())))
    }

    async fn message(&mut self) -> Result<v1::Job, Status> {
        let ended = || Status::unavailable("the coordinator ended the stream of states");
        let stream = self.stream.as_mut().ok_or_else(ended)?;
        stream.message().await.and_then(|job| job.ok_or_else(ended))
    }
}
