//! Where a watched job is shown: a live bar on a terminal, lines elsewhere, or JSON.

use crate::args::Stream;
use crate::event::Event;
use crate::failure::Failure;
use crate::job::{Job, State};
use crate::{say, show};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Where a watched job is shown.
pub struct Screen {
    form: Stream,
    live: bool,
    bar: Option<ProgressBar>,
    // What the last progress line said: steps and workers.
    said: Option<(u64, u32)>,
}

impl Screen {
    /// For this form of output; the bar where both outputs are a terminal.
    pub fn new(form: Stream) -> Self {
        let live = form == Stream::Text && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self { form, live, bar: live.then(bar), said: None }
    }

    /// Tells of something that happened.
    pub fn event(&self, event: &Event) -> Result<(), Failure> {
        match (self.form, show::event(event)) {
            (Stream::Text, Some(line)) => self.above_the_bar(|| say::line(&line)),
            (Stream::Jsonl, _) => say::json_line(event),
            _ => Ok(()),
        }
    }

    /// Brings the bar to where the job is.
    pub fn draw(&self, job: &Job) {
        let Some(bar) = &self.bar else { return };
        match job.progress.as_ref().filter(|_| job.state == State::Running) {
            Some(progress) => {
                bar.set_message(show::figures(progress, &job.plan));
                bar.set_prefix(show::place(progress, &job.plan));
                bar.set_length(progress.steps);
                bar.set_position(progress.step);
            }
            None => {
                bar.set_message(show::plain(job.reason.lines().next().unwrap_or_default()).into_owned());
                bar.set_prefix(job.state.to_string());
            }
        }
        // The bar leaves out what comes too fast; but nothing may follow.
        bar.force_draw();
    }

    /// An interval is over: a line, where there is no bar and the job has moved.
    pub fn interval(&mut self, job: &Job) -> Result<(), Failure> {
        let Some(progress) = job.progress.clone().filter(|_| !self.live && job.state == State::Running) else { return Ok(()) };
        let now = Some((progress.step, progress.workers_alive));
        if self.said == now {
            return Ok(());
        }
        self.said = now;
        self.event(&Event::Progress { job: job.id.clone(), progress, epochs: job.plan.epochs, workers: job.plan.workers })
    }

    /// Takes the bar away: for good, or until it is shown again.
    pub fn hide(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Brings the bar back.
    pub fn show(&mut self) {
        self.bar = self.live.then(bar);
    }

    fn above_the_bar<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

// Two lines, so that all of it fits into 80 columns.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40.cyan}  {prefix}\n{wide_msg}").expect("the template is well-formed");
    ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr()).with_style(style)
}
