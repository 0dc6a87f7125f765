//! `tfcoord cancel`.

use crate::args::{Cancel, Page};
use crate::connection::Connection;
use crate::failure::{Code, Failure};
use crate::job::{Job, State};
use crate::say;
use tfcoord_proto::v1;

/// Asks for the end of a job, and says what became of it.
///
/// # Errors
/// When there is no such job, or no coordinator.
pub async fn cancel(connection: &mut Connection, job: &str, reason: &str) -> Result<Job, Failure> {
    let request = v1::CancelRequest { job: job.to_owned(), reason: reason.to_owned() };
    Ok(connection.call(async |client| client.cancel(request.clone()).await).await?.into())
}

/// Cancels a job.
///
/// # Errors
/// As [`cancel`].
pub async fn run(args: &Cancel, mut connection: Connection) -> Result<Code, Failure> {
    let id = args.job.to_string();
    let request = v1::GetRequest { job: id.clone() };
    let before = Job::from(connection.call(async |client| client.get(request.clone()).await).await?);
    let already = before.state.is_ended();
    let job = if already { before } else { cancel(&mut connection, &id, &args.reason).await? };
    match args.output {
        Page::Text => say::line(&outcome(&job, already))?,
        Page::Json => say::json(&job)?,
    }
    Ok(Code::Success)
}

fn outcome(job: &Job, already: bool) -> String {
    match job.state {
        State::Cancelled if already => format!("{} has been cancelled already", job.id),
        State::Cancelled => format!("{} cancelled", job.id),
        state if state.is_ended() => format!("{} has {state} already, nothing was cancelled", job.id),
        state => format!("{} will be cancelled, it is still {state}", job.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_has_ended_is_not_cancelled() {
        assert_eq!(outcome(&sample::job(State::Cancelled), false), "fashion-mnist-7 cancelled");
        assert_eq!(outcome(&sample::job(State::Cancelled), true), "fashion-mnist-7 has been cancelled already");
        assert_eq!(outcome(&sample::job(State::Succeeded), true), "fashion-mnist-7 has succeeded already, nothing was cancelled");
    }
}
