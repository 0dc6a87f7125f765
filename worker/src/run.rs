//! `tfcoord-worker run`: takes part in a job, from the registration to the exit code.
//!
//! ```text
//!  coordinator ◄═ session ═► run ── views ──► shell ── inputs ──► driver (pure)
//!  servers ◄═ links ═══════════════════════►    │ ◄── effects ──────┘
//!                      input ── batches ──► trainer ── sums, counts ──► shell
//! ```
//!
//! One thread runs the session, the links and the shell; the trainer and the input have a thread each.

mod kernel_path;
mod link;
mod shell;
mod state;

use crate::arguments::Run;
use crate::input::Input;
use crate::trainer::{Event, Parts, Trainer};
use anyhow::Context;
use shell::{End, Shell};
use state::State;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_client::Bearer;
use tfcoord_client::session::{Ended, FAULT, FENCED, Hello, STOPPED, Session, Welcome};
use tfcoord_data::{Order, Preprocessing, Reader};
use tfcoord_exchange::Grpc;
use tfcoord_exchange::grpc::PATIENCE;
use tfcoord_model::{Model, Options};
use tfcoord_telemetry::logs::{self, Format, Identity};
use tfcoord_telemetry::prometheus::{self, Role};
use tfcoord_types::id::Attempt;
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::{Label, Manifest};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::report::{Fault, FaultKind};
use tfcoord_types::view::{Directive, TaskView};
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
    code.inspect_err(|error| tracing::error!("{error:#}"))
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
        kernel_path: kernel_path::kernel_path().to_owned(),
    };
    let grace = Duration::from_millis(arguments.orphan_grace_ms);
    let (welcome, session) = match Session::open(&arguments.coordinator, &token, hello, grace).await {
        Ok(opened) => opened,
        Err(ended) => return Ok(exit_code(&ended)),
    };
    tracing::info!("registered as incarnation {}", welcome.incarnation);
    let (events_to, events) = mpsc::unbounded_channel();
    let (shell, messages) = match start(arguments, &welcome, &session, events_to) {
        Ok((trainer, preprocessing, state)) => {
            let transport = Grpc { token, job: arguments.job.to_string(), host: arguments.host(), patience: PATIENCE };
            Shell::new(welcome.incarnation, transport, trainer, preprocessing, state)
        }
        Err(error) => {
            let mut state = State::new(welcome.incarnation, arguments.task.index, Vec::new());
            tracing::error!("{error:#}");
            state.fault = Some(Fault { kind: FaultKind::Job, message: format!("{error:#}") });
            session.report(state.report());
            session.close(CLOSE_WITHIN).await;
            return Ok(ExitCode::FAILURE);
        }
    };
    let code = follow(shell, messages, events, &session).await;
    session.close(CLOSE_WITHIN).await;
    Ok(code)
}

// The trainer and what belongs to it.
fn start(
    arguments: &Run,
    welcome: &Welcome,
    session: &Session,
    events: mpsc::UnboundedSender<Event>,
) -> anyhow::Result<(Trainer, Preprocessing, State)> {
    let job: JobFile = serde_json::from_str(&welcome.job_file).context("the admitted job file")?;
    let manifest: Manifest = serde_json::from_slice(&welcome.manifest).context("the job's manifest")?;
    let plan: TrainPlan = session.views().borrow().plan;
    let preprocessing = Preprocessing::from(&manifest);
    let classes = u32::try_from(preprocessing.classes().len()).context("too many classes")?;
    let options = Options { threads: arguments.threads(), train_records: manifest.train.records };
    let model = Model::new(&job.model, &manifest.input, classes, options)?;
    let reader = Reader::open(&preprocessing, &manifest.train, arguments.scratch.as_path())?;
    let order = Order::new(&plan, job.train.seed, job.data.shuffle);
    let of_classes = matches!(manifest.label, Label::Class { .. });
    let eval = manifest.eval.as_ref().map(|set| Reader::open(&preprocessing, set, arguments.scratch.as_path())).transpose()?;
    let variables = model.variables().to_vec();
    let input = Input::start(reader, order, plan, &manifest.label)?;
    let parts = Parts { model, input, eval: eval.map(|reader| (reader, of_classes)), plan, seed: job.train.seed };
    let trainer = Trainer::start(parts, events)?;
    Ok((trainer, preprocessing, State::new(welcome.incarnation, arguments.task.index, variables)))
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
            event = events.recv() => match event {
                Some(event) => shell.event(event),
                None => shell.trainer_ended(),
            },
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
