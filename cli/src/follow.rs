//! A job's states as they come, over broken connections and restarted coordinators.

use crate::connection::Connection;
use crate::failure::Failure;
use crate::job::Job;
use tfcoord_proto::v1;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

/// Follows a job from `after_revision` on, until it has ended or the coordinator stays away: the last message.
/// States wait here when nobody takes them; the coordinator leaves out those in between.
pub fn follow(connection: Connection, job: String, after_revision: u64) -> mpsc::Receiver<Result<Job, Failure>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut follower = Follower { connection, job, after_revision, stream: None };
        loop {
            let next = follower.next().await.map(Job::from);
            let last = next.as_ref().map_or(true, |job| job.state.is_ended());
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
    async fn next(&mut self) -> Result<v1::Job, Failure> {
        loop {
            match self.message().await {
                Ok(Ok(job)) => {
                    self.connection.answered();
                    self.after_revision = self.after_revision.max(job.revision);
                    return Ok(job);
                }
                Ok(Err(status)) => {
                    self.stream = None;
                    self.connection.again(status).await?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn message(&mut self) -> Result<Result<v1::Job, Status>, Failure> {
        if self.stream.is_none() {
            let mut client = self.connection.client().await?;
            let request = v1::WatchRequest { job: self.job.clone(), after_revision: self.after_revision };
            match client.watch(request).await {
                Ok(response) => self.stream = Some(response.into_inner()),
                Err(status) => return Ok(Err(status)),
            }
        }
        let stream = self.stream.as_mut().expect("made above");
        let ended = || Status::unavailable("the coordinator ended the stream of states");
        Ok(stream.message().await.and_then(|job| job.ok_or_else(ended)))
    }
}
