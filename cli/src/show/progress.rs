//! The progress line: behind the bar on a terminal, by itself elsewhere.

use super::number::{clock, counted, epoch, rate, share};
use crate::job::{Plan, Progress};

/// Where it stands and its figures, on one line.
pub fn progress(progress: &Progress, plan: &Plan) -> String {
    format!("{}  {}", place(progress, plan), figures(progress, plan))
}

/// Epoch and step.
pub fn place(progress: &Progress, plan: &Plan) -> String {
    format!("{}  step {}/{}", epoch(progress.epoch, plan), progress.step, progress.steps)
}

/// Figures of the epoch so far, speed, time left, workers.
pub fn figures(progress: &Progress, plan: &Plan) -> String {
    let mut parts = Vec::new();
    parts.extend(progress.loss.map(|loss| format!("loss {}", share(loss))));
    parts.extend(progress.accuracy.map(|accuracy| format!("accuracy {}", share(accuracy))));
    if progress.records_per_s > 0.0 {
        parts.push(format!("{} samples/s", rate(progress.records_per_s)));
    }
    parts.extend(progress.seconds_left.map(|seconds| format!("{} left", clock(seconds))));
    parts.push(workers(progress.workers_alive, plan.workers));
    parts.join("  ")
}

/// `text` in lines of at most so many columns, broken only between two figures.
pub fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for figure in text.split("  ") {
        match lines.last_mut().filter(|line| line.chars().count() + 2 + figure.chars().count() <= columns) {
            Some(line) => *line = format!("{line}  {figure}"),
            None => lines.push(figure.to_owned()),
        }
    }
    lines.join("\n")
}

fn workers(alive: u32, all: u32) -> String {
    if alive < all { format!("{alive} of {}", counted(all, "worker")) } else { counted(alive, "worker") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::State;
    use crate::sample;

    #[test]
    fn a_narrow_terminal_shows_all_figures() {
        let text = "loss 0.4123  accuracy 0.8534  12,346 samples/s  0:13 left  2 workers";
        assert_eq!(wrapped(text, 68), text);
        assert_eq!(wrapped(text, 67), "loss 0.4123  accuracy 0.8534  12,346 samples/s  0:13 left\n2 workers");
        assert_eq!(wrapped(text, 30), "loss 0.4123  accuracy 0.8534\n12,346 samples/s  0:13 left\n2 workers");
        assert_eq!(wrapped(text, 1).lines().count(), 5);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let plan = sample::job(State::Running).plan;
        let full = sample::progress();
        assert_eq!(
            progress(&full, &plan),
            "epoch 3/10  step 150/630  loss 0.4123  accuracy 0.8534  12,346 samples/s  0:13 left  2 workers"
        );
        let early = Progress { loss: None, accuracy: None, seconds_left: None, records_per_s: 0.0, workers_alive: 1, ..full };
        assert_eq!(progress(&early, &plan), "epoch 3/10  step 150/630  1 of 2 workers");
    }
}
