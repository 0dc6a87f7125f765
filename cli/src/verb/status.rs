//! `tfcoord status`.

use super::now_ms;
use crate::args::{Page, Status};
use crate::connection::Connection;
use crate::failure::{Code, Failure};
use crate::job::Job;
use crate::{say, show};
use tfcoord_proto::v1;

/// Shows a job.
///
/// # Errors
/// When there is no such job, or no coordinator.
pub async fn run(args: &Status, mut connection: Connection) -> Result<Code, Failure> {
    let request = v1::GetRequest { job: args.job.to_string() };
    let job = Job::from(connection.call(async |client| client.get(request.clone()).await).await?);
    match args.output {
        Page::Text => say::line(&show::status(&job, now_ms()))?,
        Page::Json => say::json(&job)?,
    }
    Ok(Code::Success)
}
