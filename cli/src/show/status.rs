//! `tfcoord status`.

use super::number::{duration, share};
use super::table::{Align, table};
use super::{plain, plan, progress};
use crate::job::{Evaluation, Job, Task};
use std::collections::BTreeSet;

/// State, reason, progress, tasks, evaluations; `now_ms` is the time since 1970.
pub fn status(job: &Job, now_ms: u64) -> String {
    let mut parts = vec![head(job, now_ms)];
    if !job.tasks.is_empty() {
        parts.push(tasks(&job.tasks));
    }
    if !job.evaluations.is_empty() {
        parts.push(evaluations(&job.evaluations));
    }
    plain(&parts.join("\n\n")).into_owned()
}

fn head(job: &Job, now_ms: u64) -> String {
    let since = |ms: u64| duration(now_ms.saturating_sub(ms));
    let when = match (job.ended_at_ms, job.started_at_ms) {
        (Some(end), _) => format!("{} ago, after {}", since(end), duration(end.saturating_sub(job.submitted_at_ms))),
        (None, Some(start)) => format!("started {} ago", since(start)),
        (None, None) => format!("submitted {} ago", since(job.submitted_at_ms)),
    };
    let mut rows = vec![vec![String::from("state"), format!("{}, {when}", job.state)]];
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    if !job.reason.is_empty() {
        row("reason", job.reason.replace('\n', "\n  "));
    }
    row("plan", plan(&job.plan));
    if let Some(now) = job.progress.as_ref().filter(|_| !job.state.is_ended()) {
        row("progress", progress(now, &job.plan));
    }
    if let Some(checkpoints) = &job.checkpoints {
        if let Some(newest) = checkpoints.committed.last() {
            row("checkpoint", format!("step {}, {} kept in {}", newest.step, checkpoints.committed.len(), newest.dir));
        }
        if !checkpoints.failure.is_empty() {
            row("failed", checkpoints.failure.replace('\n', "\n  "));
        }
    }
    if !job.hdfs.is_empty() {
        row("hdfs", job.hdfs.replace('\n', "\n  "));
    }
    for task in job.tasks.iter().filter(|task| !task.late.is_empty()) {
        row("straggler", format!("{}: {}", task.task, task.late));
    }
    row("file", job.file.clone());
    if let Some(outputs) = &job.outputs {
        row("model", outputs.model_dir.clone());
        if !outputs.tensorboard_dir.is_empty() {
            row("events", outputs.tensorboard_dir.clone());
        }
    }
    format!("{}\n{}", job.id, table(&[Align::Left, Align::Left], &rows))
}

fn tasks(tasks: &[Task]) -> String {
    use Align::{Left, Right};
    let heads = ["task", "state", "attempt", "incarnation", "lanes", "restarts", "last exit"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(tasks.iter().map(|task| {
        let exit = task.last_exit.lines().next().unwrap_or("-").to_owned();
        let Task { task, state, attempt, incarnation, lanes, restarts, .. } = task;
        vec![task.clone(), state.clone(), attempt.to_string(), incarnation.to_string(), lanes.to_string(), restarts.to_string(), exit]
    }));
    let mut aligns = vec![Left, Left, Right, Right, Right, Right, Left];
    let hosts: Vec<&str> = tasks.iter().map(|task| task.host.as_str()).collect();
    // Where all are on one machine its name says nothing.
    if hosts.iter().filter(|host| !host.is_empty()).collect::<BTreeSet<_>>().len() > 1 {
        aligns.push(Left);
        let shown = hosts.into_iter().map(|host| if host.is_empty() { "-" } else { host });
        rows.iter_mut().zip(std::iter::once("host").chain(shown)).for_each(|(row, host)| row.push(host.to_owned()));
    }
    table(&aligns, &rows)
}

fn evaluations(evaluations: &[Evaluation]) -> String {
    let heads = ["epoch", "step", "records", "test loss", "test accuracy", "test AUC"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    let known = |x: Option<f64>| x.map_or("-".to_owned(), share);
    rows.extend(evaluations.iter().map(|e| {
        let Evaluation { epoch, step, records, loss, accuracy, auc, .. } = e;
        vec![epoch.to_string(), step.to_string(), records.to_string(), share(*loss), known(*accuracy), known(*auc)]
    }));
    table(&[Align::Right; 6], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::State;
    use crate::sample;

    #[test]
    fn a_running_job_shows_tasks_and_evaluations() {
        let mut job = sample::job(State::Running);
        job.evaluations = vec![sample::evaluation(1), sample::evaluation(2)];
        job.tasks[2].state = "lost".into();
        job.tasks[2].last_exit = "was killed by signal 9 (SIGKILL)\nlast lines".into();
        let expected = "\
fashion-mnist-7
state     running, started 12 s ago
plan      2 workers, 1 server, 8,000 records + 2,000 for evaluation, batch 128 = 4 lanes x 32, 63 steps x 10 epochs, 203,530 parameters, worker 21 MB, server 12 MB of memory
progress  epoch 3/10  step 150/630  loss 0.4123  accuracy 0.8534  12,346 samples/s  0:13 left  2 workers
file      /srv/ann/job.json

task      state       attempt  incarnation  lanes  restarts  last exit
ps-0      registered        1            3      0         0  -
worker-0  registered        1            3      2         0  -
worker-1  lost              1            3      2         0  was killed by signal 9 (SIGKILL)

epoch  step  records  test loss  test accuracy  test AUC
    1    63     2000     0.3625         0.8710         -
    2   126     2000     0.3625         0.8710         -";
        assert_eq!(status(&job, 1_012_400), expected);
    }

    #[test]
    fn hosts_are_shown_where_there_are_several() {
        let mut job = sample::job(State::Running);
        job.tasks[1].host = "there".into();
        job.tasks[2].host = String::new();
        let text = status(&job, 1_012_400);
        let last: Vec<&str> =
            text.lines().skip_while(|line| !line.starts_with("task ")).filter_map(|line| line.split(' ').next_back()).collect();
        assert_eq!(last, ["host", "here", "there", "-"], "{text}");
    }

    #[test]
    fn stragglers_are_named() {
        let mut job = sample::job(State::Running);
        job.tasks[2].late = "late in 7 steps in a row, in the last one 130 ms behind all others".into();
        let text = status(&job, 1_012_400);
        let line = "\nstraggler  worker-1: late in 7 steps in a row, in the last one 130 ms behind all others\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn trouble_with_hdfs_is_told() {
        let mut job = sample::job(State::Running);
        job.hdfs = "its HDFS tokens are good until noon".into();
        let text = status(&job, 1_012_400);
        assert!(text.contains("\nhdfs      its HDFS tokens are good until noon\n"), "{text}");
    }

    #[test]
    fn an_ended_job_shows_its_reason() {
        let mut job = sample::job(State::Failed);
        (job.reason, job.tasks) = ("worker-0: disk full\nlast lines".into(), vec![]);
        let text = status(&job, 1_072_300);
        let start = "fashion-mnist-7\nstate   failed, 1 min 0 s ago, after 12 s\nreason  worker-0: disk full\n  last lines\nplan ";
        assert!(text.starts_with(start), "{text}");
        assert!(!text.contains("progress"), "{text}");
    }
}
