//! `tfcoord submit`.
//!
//! The request id is drawn once; whatever gets lost on the way, the same id always gets the same job.

mod question;
mod screen;
mod watch;

use crate::args::{Stream, Submit};
use crate::chaos::{Chaos, Striker};
use crate::connection::Connection;
use crate::event::Event;
use crate::failure::{Code, Failure};
use crate::job::Job;
use crate::place::Place;
use crate::verb::file::Checked;
use crate::{PATIENCE, say, site};
use screen::Screen;
use std::path::Path;
use std::time::Duration;
use tfcoord_proto::v1;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// Submits a job, and watches it to its end unless told otherwise; `program` is what to type for this one.
///
/// # Errors
/// When it is refused, when it does not succeed, or when the coordinator stays away.
pub async fn run(args: &Submit, file: Checked, place: &Place, patience: Option<Duration>, program: &str) -> Result<Code, Failure> {
    let chaos = args.chaos.as_ref().map(|chaos| Ok::<_, Failure>((chaos, embedded(place)?))).transpose()?;
    let mut connection = Connection::new(place.clone(), patience.unwrap_or(PATIENCE));
    let cannot = |error| Failure::new(Code::Engine, format!("cannot wait for signals: {error}"));
    let mut waits = Waits {
        interrupts: signal(SignalKind::interrupt()).map_err(cannot)?,
        terminated: None,
        deadline: args.wait_timeout.map(|timeout| Instant::now() + timeout),
    };
    let unanswered = |code, what: &str| {
        let failure = Failure::new(code, format!("{what} before the coordinator had answered"));
        Err(failure.help(format_args!("`{program} list` shows whether the job was admitted")))
    };
    let job = tokio::select! {
        job = submit(args, &mut connection, &file) => job.map_err(|failure| file.placed(failure))?,
        _ = waits.interrupts.recv() => return unanswered(Code::Interrupted, "interrupted"),
        () = until(waits.deadline) => return unanswered(Code::TimedOut, "the waiting time was over"),
    };
    if args.detach {
        return detach(args.output, &mut connection, &job, program).await;
    }
    let begin = |(chaos, state_dir): (&Chaos, &Path)| {
        let id = job.parse().map_err(|error| Failure::new(Code::Engine, format!("the job's id {job:?} makes no sense: {error}")))?;
        Ok::<_, Failure>(Striker::new(chaos, state_dir, id, file.job.timing().lease))
    };
    let striker = chaos.map(begin).transpose()?;
    // Before anybody is stopped: whoever ends then must let them go on.
    waits.terminated = striker.as_ref().map(|_| signal(SignalKind::terminate())).transpose().map_err(cannot)?;
    watch::watch(args, place, patience, &job, waits, striker, program).await
}

// Where chaos finds the processes.
fn embedded(place: &Place) -> Result<&Path, Failure> {
    match place {
        Place::Embedded { state_dir } => Ok(state_dir),
        Place::Standing { .. } => {
            Err(Failure::new(Code::File, "--chaos: a standing coordinator and its tasks are not this client's to kill")
                .help("leave out --chaos, or unset TFCOORD_COORDINATOR to use an embedded coordinator on this machine"))
        }
    }
}

/// What ends the watching before the job does.
struct Waits {
    interrupts: Signal,
    // Only where that takes more than to be gone.
    terminated: Option<Signal>,
    deadline: Option<Instant>,
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn submit(args: &Submit, connection: &mut Connection, file: &Checked) -> Result<String, Failure> {
    let site = site::find(&file.job, &|name| std::env::var(name).ok()).await?;
    let request = v1::SubmitRequest {
        request_id: request_id()?,
        job_file: serde_json::to_string(&file.job).expect("a job file that was read can be written"),
        file_name: file.path.clone(),
        resume: args.resume,
        site,
    };
    Ok(connection.call(async |client| client.submit(request.clone()).await).await?.job)
}

fn request_id() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(Code::Engine, format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn detach(form: Stream, connection: &mut Connection, job: &str, program: &str) -> Result<Code, Failure> {
    let request = v1::GetRequest { job: job.to_owned() };
    let job = Job::from(connection.call(async |client| client.get(request.clone()).await).await?);
    let mut screen = Screen::new(form, program);
    screen.event(&Event::Submitted { job: job.id.clone(), plan: job.plan.clone() })?;
    screen.event(&Event::Detached { job: job.id.clone() })?;
    if form == Stream::Json {
        say::json(&job)?;
    }
    Ok(Code::Success)
}
