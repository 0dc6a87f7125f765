//! `tfcoord list`.

use super::number::{duration, epoch, percent, share};
use super::plain;
use super::table::{Align, table};
use crate::job::{Evaluation, Job, State};

/// The longest reason in a row, in characters.
const REASON_CHARS_MAX: usize = 72;

/// A row a job; `now_ms` is the time since 1970.
pub fn list(jobs: &[Job], all: bool, now_ms: u64) -> String {
    if jobs.is_empty() {
        return if all { "no jobs yet".into() } else { "no jobs are active; `tfcoord list --all` shows those that ended too".into() };
    }
    let mut rows = vec![["job", "state", "age", "progress"].map(str::to_owned).to_vec()];
    rows.extend(jobs.iter().map(|job| {
        let age = duration(now_ms.saturating_sub(job.submitted_at_ms));
        vec![job.id.clone(), job.state.to_string(), age, how_far(job)]
    }));
    plain(&table(&[Align::Left, Align::Left, Align::Right, Align::Left], &rows)).into_owned()
}

fn how_far(job: &Job) -> String {
    match (job.state, &job.progress, job.evaluations.last()) {
        (State::Succeeded, _, Some(last)) => figure(last),
        (State::Running, Some(now), last) => {
            let place = format!("{}, step {}/{} ({})", epoch(now.epoch, &job.plan), now.step, now.steps, percent(now.step, now.steps));
            last.map_or(place.clone(), |last| format!("{place}, {}", figure(last)))
        }
        _ => short(job.reason.lines().next().unwrap_or_default()),
    }
}

// The one that says most.
fn figure(last: &Evaluation) -> String {
    match (last.accuracy, last.auc) {
        (_, Some(auc)) => format!("test AUC {}", share(auc)),
        (Some(accuracy), None) => format!("test accuracy {}", share(accuracy)),
        (None, None) => format!("test loss {}", share(last.loss)),
    }
}

fn short(reason: &str) -> String {
    match reason.char_indices().nth(REASON_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &reason[..at]),
        None if reason.is_empty() => "-".into(),
        None => reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_row_says_how_far_a_job_is() {
        let mut done = sample::job(State::Succeeded);
        done.evaluations = vec![sample::evaluation(10)];
        let evaluated = Job { evaluations: vec![sample::evaluation(2)], ..sample::job(State::Running) };
        let plain = Job { id: "m-9".into(), reason: "trained 10 epochs in 630 steps".into(), ..sample::job(State::Succeeded) };
        let failed = Job { id: "m-12".into(), reason: "worker-0: disk full\nlast lines".into(), ..sample::job(State::Failed) };
        let expected = "\
job              state       age  progress
fashion-mnist-7  running    12 s  epoch 3/10, step 150/630 (23 %)
fashion-mnist-7  running    12 s  epoch 3/10, step 150/630 (23 %), test accuracy 0.8710
fashion-mnist-7  succeeded  12 s  test accuracy 0.8710
m-9              succeeded  12 s  trained 10 epochs in 630 steps
m-12             failed     12 s  worker-0: disk full";
        assert_eq!(list(&[sample::job(State::Running), evaluated, done, plain, failed], true, 1_012_000), expected);
    }

    #[test]
    fn an_empty_list_says_so() {
        assert_eq!(list(&[], true, 0), "no jobs yet");
        assert!(list(&[], false, 0).contains("--all"));
    }

    #[test]
    fn long_reasons_are_cut() {
        assert_eq!(short(&"é".repeat(80)).chars().count(), 73);
    }
}
