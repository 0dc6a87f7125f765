//! `tfcoord-worker run`: takes part in a job, from the registration to the exit code.
//!
//! ```text
//!  coordinator ◄═ session ═► run ── views ──► shell ── inputs ──► driver (pure)
//!  servers ◄═ links ═══════════════════════►    │ ◄── effects ──────┘
//!                      input ── batches ──► trainer ── sums, counts ──► shell
//! ```
//!
//! One thread runs the session, the links and the shell; the trainer and the input have a thread each. They are started
//! beside the session: files may be large or slow, and a session that is silent for long is lost.

mod link;
mod shell;
mod state;

use crate::arguments::Run;
use crate::input::Input;
use crate::trainer::{Event, Parts, Trainer};
use anyhow::Context;
use shell::{End, Shell};
use state::State;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_client::Bearer;
use tfcoord_client::session::{Ended, FAULT, FENCED, Hello, STOPPED, Session, Welcome};
use tfcoord_data::{Files, Order, Preprocessing, Reader, Source};
use tfcoord_exchange::Grpc;
use tfcoord_exchange::grpc::PATIENCE;
use tfcoord_fs::{FileSystems, storage};
use tfcoord_model::{Isa, Model, Options, kernel};
use tfcoord_telemetry::causes;
use tfcoord_telemetry::logs::{self, Format, Identity};
use tfcoord_telemetry::prometheus::{self, Role};
use tfcoord_types::id::Attempt;
use tfcoord_types::job::{self, JobFile, Train};
use tfcoord_types::manifest::{Label, Manifest};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{Fault, FaultKind};
use tfcoord_types::variable::Variable;
use tfcoord_types::view::{Directive, TaskView};
use tfcoord_worker_core::Worker;
use tokio::sync::{mpsc, watch};

/// How long the last report may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Takes part in a job.
///
/// # Errors
/// What keeps it from starting.
pub fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    let job = arguments.job.to_string();
    let task = format!("{job}/{}", arguments.task);
    logs::init(Format::Text, &Identity::Task { job, task, attempt: arguments.attempt.into() })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(take_part(arguments));
    // What still computes is no reason to stay.
    runtime.shutdown_background();
    code.inspect_err(|error| tracing::error!("{}", causes::said(error.as_ref())))
}

async fn take_part(arguments: &Run) -> anyhow::Result<ExitCode> {
    let token = Bearer::from_file(&arguments.token_file)?;
    if let Some(listen) = arguments.metrics_listen {
        prometheus::listen(listen, Role::Worker, &arguments.dir).await?;
    }
    let hello = Hello {
        job: arguments.job.clone(),
        task: arguments.task,
        attempt: Attempt(arguments.attempt),
        addresses: Vec::new(),
        host: arguments.host(),
        kernel_path: kernel::BITS.to_owned(),
    };
    let grace = Duration::from_millis(arguments.orphan_grace_ms);
    let (welcome, session) = match Session::open(&arguments.coordinator, &token, hello, grace).await {
        Ok(opened) => opened,
        Err(ended) => return Ok(exit_code(&ended)),
    };
    tracing::info!("registered as incarnation {}", welcome.incarnation);
    tfcoord_fault::point!("worker.registered");
    let incarnation = welcome.incarnation;
    let (events_to, events) = mpsc::unbounded_channel();
    let plan = session.views().borrow().plan;
    let here = Here { threads: arguments.threads(), scratch: arguments.scratch.clone(), host: arguments.host() };
    let code = match beside(over(&session), move || start(&welcome, plan, here, events_to)).await {
        Ok(Ok(Started { trainer, preprocessing, variables, train })) => {
            let transport = Grpc { token, job: arguments.job.to_string(), host: arguments.host(), patience: PATIENCE };
            let state = State::new(incarnation, arguments.task.index, variables);
            let driver = Worker::new(incarnation, &train);
            let (mut shell, messages) = Shell::new(driver, transport, trainer, preprocessing, state);
            shell.scratch.clone_from(&arguments.dir);
            follow(shell, messages, events, &session).await
        }
        Ok(Err(error)) => {
            let mut state = State::new(incarnation, arguments.task.index, Vec::new());
            let message = causes::said(error.as_ref());
            tracing::error!("{message}");
            state.fault = Some(Fault { kind: kind(&error), message });
            session.report(state.report());
            ExitCode::FAILURE
        }
        Err(code) => code,
    };
    session.close(CLOSE_WITHIN).await;
    Ok(code)
}

// Does `work` on another thread, and waits for it unless `over` comes first.
async fn beside<T, W>(over: impl Future<Output = ExitCode>, work: W) -> Result<anyhow::Result<T>, ExitCode>
where
    T: Send + 'static,
    W: FnOnce() -> anyhow::Result<T> + Send + 'static,
{
    tokio::select! {
        code = over => Err(code),
        done = tokio::task::spawn_blocking(work) => Ok(done.context("the start panicked").flatten()),
    }
}

// The end of a worker that has not started: its session ends, or a view ends it.
async fn over(session: &Session) -> ExitCode {
    let mut views = session.views();
    tokio::select! {
        ended = session.ended() => exit_code(&ended),
        Ok(view) = views.wait_for(|view| matches!(view.directive, Directive::Stop { .. } | Directive::Fenced)) => {
            tracing::info!("told to stop before it had started");
            ExitCode::from(if view.directive == Directive::Fenced { FENCED } else { STOPPED })
        }
    }
}

// What this system or HDFS refuses now, such as a file that cannot be seen for a moment, it may grant to the next one.
fn kind(error: &anyhow::Error) -> FaultKind {
    let refused = |cause: &(dyn std::error::Error + 'static)| cause.is::<std::io::Error>() || cause.is::<storage::Error>();
    if error.chain().any(refused) { FaultKind::Task } else { FaultKind::Job }
}

// The trainer and what belongs to it.
struct Started {
    trainer: Trainer,
    preprocessing: Preprocessing,
    variables: Vec<Variable>,
    train: Train,
}

// What it has of this machine.
struct Here {
    threads: usize,
    scratch: PathBuf,
    host: String,
}

fn start(welcome: &Welcome, plan: TrainPlan, here: Here, events: mpsc::UnboundedSender<Event>) -> anyhow::Result<Started> {
    let Here { threads, scratch, host } = here;
    let job: JobFile = serde_json::from_str(&welcome.job_file).context("the admitted job file")?;
    let manifest: Manifest = serde_json::from_slice(&welcome.manifest).context("the job's manifest")?;
    let preprocessing = Preprocessing::from(&manifest);
    let options = Options { threads, train_records: manifest.train.records, isa: Isa::detect() };
    let model = Model::new(&job.model, &job::Input::from(&manifest), options)?;
    let files = Files::new(FileSystems::of_environment(), scratch.as_path());
    files.count_reads(host, Arc::new(count_read))?;
    let reader = Reader::open(&preprocessing, &manifest.train, &files)?;
    let order = Order::new(&plan, job.train.seed, job.data.shuffle);
    let of_classes = matches!(manifest.label, Label::Class { .. });
    let eval = manifest.eval.as_ref().map(|set| Reader::open(&preprocessing, set, &files)).transpose()?;
    let with_mode = |variable: &Variable| Variable { sync: job.train.sync_of(&variable.name), ..variable.clone() };
    let (variables, train) = (model.variables().iter().map(with_mode).collect(), job.train.clone());
    let input = Input::start(reader, order, plan, &manifest.label)?;
    let parts = Parts { model, input, eval: eval.map(|reader| (reader, of_classes)), plan, train: job.train };
    let trainer = Trainer::start(parts, events)?;
    Ok(Started { trainer, preprocessing, variables, train })
}

fn count_read(source: Source, bytes: u64) {
    let source = match source {
        Source::Local => "local",
        Source::Remote => "remote",
        Source::Unknown => "unknown",
    };
    metrics::counter!("tfcoord_worker_read_bytes_total", "source" => source).increment(bytes);
}

async fn follow<T: tfcoord_exchange::Transport>(
    mut shell: Shell<T>,
    mut messages: mpsc::Receiver<shell::Message>,
    mut events: mpsc::UnboundedReceiver<Event>,
    session: &Session,
) -> ExitCode {
    let mut views = session.views();
    see(&mut shell, &mut views);
    loop {
        session.report(shell.state.report());
        match shell.end() {
            None => {}
            Some(End::Stopped) => return ExitCode::from(STOPPED),
            Some(End::Fenced) => {
                tracing::error!("this incarnation is retired");
                return ExitCode::from(FENCED);
            }
            Some(End::Failed) => {
                // The coordinator decides what the fault means: its view says stop, or it is gone.
                let stopped = views.wait_for(|view| matches!(view.directive, Directive::Stop { .. } | Directive::Fenced));
                let _in_time = tokio::time::timeout(CLOSE_WITHIN, stopped).await;
                return ExitCode::from(FAULT);
            }
        }
        tokio::select! {
            biased;
            ended = session.ended() => return exit_code(&ended),
            Ok(()) = views.changed() => see(&mut shell, &mut views),
            Some(message) = messages.recv() => shell.message(message),
            // The trainer's last word is why it ended.
            Some(event) = events.recv() => shell.event(event),
        }
    }
}

fn see<T: tfcoord_exchange::Transport>(shell: &mut Shell<T>, views: &mut watch::Receiver<Arc<TaskView>>) {
    let view = views.borrow_and_update().clone();
    shell.view(TaskView::clone(&view));
}

fn exit_code(ended: &Ended) -> ExitCode {
    tracing::error!("{ended}");
    ExitCode::from(ended.exit_code())
}

#[cfg(test)]
mod tests;
