//! Attempts to reach the coordinator, and what their failures mean.

use super::{Ended, Hello, Welcome};
use crate::auth::Bearer;
use crate::backoff::Backoff;
use crate::channel::Pulse;
use crate::endpoint::Endpoint;
use std::error::Error as _;
use std::time::Duration;
use tfcoord_proto::CONTROL_MESSAGE_BYTES_MAX;
use tfcoord_proto::v1;
use tfcoord_proto::v1::task_session_client::TaskSessionClient;
use tfcoord_types::id::Incarnation;
use tfcoord_types::timing::Timing;
use tokio::time::Instant;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Status};

const WAIT_FIRST: Duration = Duration::from_millis(50);
const WAIT_CAP: Duration = Duration::from_secs(1);
/// One attempt, from connecting to the answer.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(3);

pub(super) type Client = TaskSessionClient<InterceptedService<Channel, Bearer>>;

/// The way to one coordinator.
pub(super) struct Reach {
    endpoint: Endpoint,
    token: Bearer,
    grace: Duration,
    nonce: [u8; 16],
    backoff: Backoff,
}

impl Reach {
    pub(super) fn new(endpoint: &Endpoint, token: &Bearer, grace: Duration) -> Self {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).expect("the system has random numbers");
        let backoff = Backoff::new(WAIT_FIRST, WAIT_CAP, seed(nonce));
        Self { endpoint: endpoint.clone(), token: token.clone(), grace, nonce, backoff }
    }

    /// Registers under the same nonce until there is an answer.
    pub(super) async fn register(&mut self, hello: Hello) -> Result<Welcome, Ended> {
        let Hello { job, task, attempt, addresses, host, kernel_path } = hello;
        let message = v1::Hello {
            job: job.to_string(),
            task: task.to_string(),
            attempt: attempt.0,
            nonce: self.nonce.to_vec().into(),
            addresses,
            host,
            kernel_path,
        };
        let v1::Welcome { incarnation, job_file, manifest, lease_ms } =
            self.repeat(Duration::ZERO, async |mut client| Ok(client.register(message.clone()).await?.into_inner())).await?;
        // Any that a job file may name.
        let lease = Timing::new(Duration::from_millis(lease_ms).as_secs_f64(), None).lease;
        self.backoff = within(lease, self.nonce);
        Ok(Welcome { incarnation: Incarnation(incarnation), job_file, manifest, lease })
    }

    /// So long the coordinator may have been silent when that is seen.
    pub(super) fn silence(&self) -> Duration {
        Pulse::of(self.grace).silence()
    }

    /// Repeats `call` with backoff until it succeeds, is refused for good, or the grace time is over. Of that, `silence`
    /// is over already if the coordinator can be connected to and gives no answer: it took so long to see that it was lost.
    /// One that has ended was seen to be lost at once.
    pub(super) async fn repeat<T, F>(&mut self, silence: Duration, call: impl Fn(Client) -> F) -> Result<T, Ended>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let begun = Instant::now();
        let mut deadline = begun + self.grace;
        loop {
            let attempt = async {
                let client = self.client().await.map_err(|status| (status, false))?;
                // What it answers has no source.
                call(client).await.map_err(|status| (status.clone(), status.source().is_some()))
            };
            let tried = tokio::time::timeout_at(deadline.min(Instant::now() + ATTEMPT_WITHIN), attempt).await;
            let (status, silent) = match tried {
                Ok(Ok(value)) => {
                    self.backoff.reset();
                    return Ok(value);
                }
                Ok(Err((status, _))) if is_final(status.code()) => return Err(self.refused(&status)),
                Ok(Err(failed)) => failed,
                Err(_) => (Status::deadline_exceeded("no answer"), true),
            };
            if silent {
                deadline = begun + self.grace.saturating_sub(silence);
            }
            let next = Instant::now() + self.backoff.next_wait();
            if next >= deadline {
                tokio::time::sleep_until(deadline).await;
                return Err(self.orphaned(&status));
            }
            tokio::time::sleep_until(next).await;
        }
    }

    async fn client(&self) -> Result<Client, Status> {
        // A fresh connection each time: what is left of the last one may be half dead. The attempt as a whole ends sooner.
        let channel = self
            .endpoint
            .connect_with(2 * ATTEMPT_WITHIN, Pulse::of(self.grace))
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let client = TaskSessionClient::with_interceptor(channel, self.token.clone());
        Ok(client.max_decoding_message_size(CONTROL_MESSAGE_BYTES_MAX))
    }

    /// The wait before a session that broke is opened again.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.backoff.next_wait()).await;
    }

    pub(super) fn refused(&self, status: &Status) -> Ended {
        Ended::Refused { endpoint: self.endpoint.clone(), code: status.code(), message: status.message().to_owned() }
    }

    fn orphaned(&self, status: &Status) -> Ended {
        let grace_ms = u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX);
        Ended::Orphaned { endpoint: self.endpoint.clone(), grace_ms, cause: status.message().to_owned() }
    }
}

// Waits so short that a coordinator that has come back hears of the task within a lease.
fn within(lease: Duration, nonce: [u8; 16]) -> Backoff {
    Backoff::new(WAIT_FIRST, Timing::reconnect(lease), seed(nonce))
}

// Different processes wait differently.
fn seed(nonce: [u8; 16]) -> u64 {
    u64::from_le_bytes(nonce[..8].try_into().expect("8 bytes"))
}

/// Whether the same call would be refused again.
pub(super) fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::InvalidArgument
            | Code::Unimplemented
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registered_task_never_waits_longer_than_a_part_of_its_lease() {
        for ms in [500, 2000, 600_000] {
            let lease = Duration::from_millis(ms);
            let mut backoff = within(lease, [7; 16]);
            let longest = (0..100).map(|_| backoff.next_wait()).max().unwrap();
            assert!(longest <= lease / 4 && longest <= Duration::from_secs(1), "{lease:?}: {longest:?}");
        }
    }
}
