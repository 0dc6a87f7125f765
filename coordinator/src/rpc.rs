//! The services `Coordinator` and `TaskSession`, on Unix sockets and on TCP of the loopback interface.
//!
//! Every call carries a bearer token: the client's for `Coordinator`, the job's join token for `TaskSession`. Ids are
//! parsed before anything is built from them, messages and connections are bounded, and nothing here holds state.

mod coordinator;
pub mod incoming;
mod lines;
mod logs;
mod session;
mod status;
#[cfg(test)]
mod tests;

use crate::errand::Errands;
use crate::leader::Handle;
use crate::prepare::Preparer;
use crate::state_dir::StateDir;
use crate::tokens::{Caller, Keeper};
use incoming::Connection;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_client::Bearer;
use tfcoord_launch::Launcher;
use tfcoord_proto::CONTROL_MESSAGE_BYTES_MAX;
use tfcoord_proto::v1::coordinator_server::CoordinatorServer;
use tfcoord_proto::v1::task_session_server::TaskSessionServer;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;

/// Calls and streams of one connection at the same time.
const STREAMS_MAX: u32 = 64;
/// A silent peer is asked for a sign of life this often.
const PING_EVERY: Duration = Duration::from_secs(10);

/// What the services work with.
#[derive(Clone)]
pub struct Services {
    /// The leader.
    pub leader: Handle,
    /// Looks at data.
    pub preparer: Arc<Preparer>,
    /// What reaches files in HDFS.
    pub errands: Errands,
    /// Reads what tasks print.
    pub launcher: Arc<dyn Launcher>,
    /// Where tokens and manifests lie.
    pub state: StateDir,
    /// The client's token.
    pub token: Bearer,
    /// Gets tokens for jobs on HDFS.
    pub tokens: Caller,
    /// Keeps them.
    pub keeper: Keeper,
    /// Of how many jobs that ended the files are kept, for those who ask in vain.
    pub ended_jobs_kept: usize,
}

/// Serves connections as they come, until `stop` is ready and the calls under way have ended.
///
/// # Errors
/// What tonic reports.
pub async fn serve(
    services: Services,
    connections: mpsc::Receiver<Connection>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let guard = services.token.guard();
    let coordinator = CoordinatorServer::new(services.clone()).max_decoding_message_size(CONTROL_MESSAGE_BYTES_MAX);
    let session = TaskSessionServer::new(services).max_decoding_message_size(CONTROL_MESSAGE_BYTES_MAX);
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .concurrency_limit_per_connection(STREAMS_MAX as usize)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_EVERY))
        .add_service(InterceptedService::new(coordinator, guard))
        .add_service(session)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections).map(Ok::<_, std::io::Error>), stop)
        .await
}
