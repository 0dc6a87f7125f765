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
    // What to type for this program.
    program: String,
    // While somebody is asked: lines that would push the question away.
    held: Option<Vec<String>>,
    // What the last progress line said: steps and workers.
    said: Option<(u64, u32)>,
}

impl Screen {
    /// For this form of output; the bar where both outputs are a terminal.
    pub fn new(form: Stream, program: &str) -> Self {
        let live = form == Stream::Text && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self { form, live, bar: live.then(bar), program: program.to_owned(), held: None, said: None }
    }

    /// Tells of something that happened.
    pub fn event(&mut self, event: &Event) -> Result<(), Failure> {
        let line = match self.form {
            Stream::Text => show::event(event, &self.program),
            Stream::Jsonl => Some(say::as_json_line(event)),
            Stream::Json => None,
        };
        match (line, &mut self.held) {
            (Some(line), Some(held)) => held.push(line),
            (Some(line), None) => self.above_the_bar(|| say::line(&line))?,
            (None, _) => {}
        }
        Ok(())
    }

    /// Brings the bar to where the job is.
    pub fn draw(&self, job: &Job) {
        let Some(bar) = &self.bar else { return };
        match job.progress.as_ref().filter(|_| job.state == State::Running) {
            Some(progress) => {
                let columns = columns();
                let place = show::place(progress, &job.plan);
                bar.set_style(style(columns, &place));
                bar.set_message(show::wrapped(&show::figures(progress, &job.plan), columns));
                bar.set_prefix(place);
                bar.set_length(progress.steps);
                bar.set_position(progress.step);
            }
            None => {
                bar.set_message(show::plain(job.reason.lines().next().unwrap_or_default()).chars().take(columns()).collect::<String>());
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

    /// Somebody is about to be asked: no bar, and lines wait where they would come between question and answer.
    pub fn hold(&mut self) {
        self.hide();
        self.held = Some(Vec::new()).filter(|_| std::io::stdout().is_terminal());
    }

    /// There is an answer: the lines that waited.
    pub fn release(&mut self) -> Result<(), Failure> {
        self.held.take().into_iter().flatten().try_for_each(|line| say::line(&line))
    }

    /// Brings the bar back.
    pub fn show(&mut self) {
        self.bar = self.live.then(bar);
    }

    /// Takes the bar away for good, and an open question with it.
    pub fn close(&mut self) -> Result<(), Failure> {
        self.hide();
        if self.held.is_some() {
            // The question's own line has no end.
            eprintln!();
        }
        self.release()
    }

    fn hide(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn above_the_bar<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr()).with_style(style(columns(), ""))
}

/// The bar's own width, where there is room.
const BAR: usize = 40;

// Figures on lines of their own, so that all of it fits into 80 columns; into fewer, with a shorter bar.
fn style(columns: usize, prefix: &str) -> ProgressStyle {
    let narrow = columns <= BAR + 2 + prefix.chars().count();
    let template = if narrow { "{wide_bar:.cyan}  {prefix}\n{msg}" } else { "{bar:40.cyan}  {prefix}\n{msg}" };
    ProgressStyle::with_template(template).expect("the template is well-formed")
}

fn columns() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr()).map(|size| size.ws_col.into()).ok().filter(|columns| *columns > 0).unwrap_or(80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_while_somebody_is_asked() {
        let mut screen = Screen::new(Stream::Text, "./tfcoord");
        screen.held = Some(Vec::new());
        screen.event(&Event::Detached { job: "m-7".into() }).unwrap();
        assert_eq!(screen.held, Some(vec!["detached, m-7 goes on; find it again with: ./tfcoord status m-7".into()]));
        screen.release().unwrap();
        assert_eq!(screen.held, None);
    }
}
