//! `tfcoord list`.

use super::now_ms;
use crate::args::{List, Page};
use crate::connection::Connection;
use crate::failure::{Code, Failure};
use crate::job::Job;
use crate::{say, show};
use serde::Serialize;
use tfcoord_proto::v1;

/// The JSON of `-o json`.
#[derive(Serialize)]
struct Jobs {
    /// In the order of their submission.
    jobs: Vec<Job>,
}

/// Lists jobs.
///
/// # Errors
/// When there is no coordinator.
pub async fn run(args: &List, mut connection: Connection) -> Result<Code, Failure> {
    let reply = connection.call(async |client| client.list(v1::ListRequest { all: args.all }).await).await?;
    let jobs: Vec<Job> = reply.jobs.into_iter().map(Into::into).collect();
    match args.output {
        Page::Text => say::line(&show::list(&jobs, args.all, now_ms()))?,
        Page::Json => say::json(&Jobs { jobs })?,
    }
    Ok(Code::Success)
}
