//! The page at a job's end.

use super::confusion::confusion;
use super::number::{count, duration, share};
use super::plain;
use super::table::{Align, table};
use crate::job::{Evaluation, Job};
use std::path::{Component, Path, PathBuf};
use tfcoord_types::job::{JobFile, ModelKind, OneOrMany};

/// What a job that succeeded has found and made.
pub fn result(job: &Job) -> String {
    let mut parts = vec![format!("{} {} {}", job.id, job.state, took(job)).trim_end().to_owned()];
    if let Some(last) = job.evaluations.last() {
        parts.push(indented(&figures(last)));
        if let Some(matrix) = confusion(&last.confusion, &job.classes) {
            parts.push(format!("confusion matrix (rows are labels, columns predictions)\n{}", indented(&matrix)));
        }
    }
    if let Some(outputs) = &job.outputs {
        let mut rows = vec![vec!["model".to_owned(), outputs.model_dir.clone()]];
        rows.extend(curve(&outputs.model_dir).map(|path| vec!["curve".to_owned(), path]));
        rows.push(vec!["TensorBoard".into(), outputs.tensorboard_dir.clone()]);
        rows.retain(|row| !row[1].is_empty());
        parts.push(indented(&table(&[Align::Left, Align::Left], &rows)));
    }
    plain(&parts.join("\n\n")).into_owned()
}

/// What to try once a job has succeeded; `program` is what to type for this one.
pub fn next_commands(job: &Job, program: &str) -> String {
    let mut commands = Vec::new();
    if let Some(outputs) = &job.outputs {
        let file = job_file(job);
        if file.as_ref().is_none_or(|file| file.model.kind != ModelKind::Counting) {
            commands.push(format!("{program} predict {} {}", short(&outputs.model_dir), evaluation_data(file)));
        }
        if !outputs.tensorboard_dir.is_empty() {
            commands.push(format!("tensorboard --logdir {}", short(&outputs.tensorboard_dir)));
        }
    }
    commands.push(format!("{program} list --all"));
    commands.push(format!("{program} logs {}", job.id));
    format!("next:\n{}", indented(&plain(&commands.join("\n"))))
}

/// Why a job has not succeeded, with the tasks that did not end well; `program` is what to type for this one.
pub fn failure(job: &Job, program: &str) -> String {
    let reason = if job.reason.is_empty() { String::new() } else { format!(": {}", job.reason) };
    let mut lines = vec![format!("{} {}{reason}", job.id, job.state)];
    let faulty = job.tasks.iter().filter(|task| !task.last_exit.is_empty() && task.last_exit != "exited with code 0");
    lines.extend(faulty.map(|task| format!("  {} (attempt {}) {}", task.task, task.last_exit_attempt, task.last_exit)));
    let blamed = blamed(job).map(|task| format!(" --task {task}"));
    lines.push(format!("  help: `{program} logs {}{}` shows what was printed", job.id, blamed.unwrap_or_default()));
    if let Some(newest) = job.checkpoints.as_ref().and_then(|checkpoints| checkpoints.committed.last()) {
        let file = if job.file.is_empty() { "FILE".to_owned() } else { quoted(&job.file) };
        lines.push(format!("  help: `{program} submit {file} --resume` goes on from the checkpoint at step {}", newest.step));
    }
    plain(&lines.join("\n")).into_owned()
}

// The arguments that give the job's own figures again.
fn evaluation_data(file: Option<JobFile>) -> String {
    let Some(source) = file.and_then(|file| file.data.eval) else { return "--data FILE".into() };
    let list = |option: &str, paths: &Option<OneOrMany>| {
        let paths: Vec<String> = paths.iter().flat_map(OneOrMany::iter).map(|path| short(path)).collect();
        (!paths.is_empty()).then(|| format!("{option} {}", paths.join(" ")))
    };
    let records = source.records.map(|[from, to]| format!("--records {from}..{to}"));
    let data = list("--data", &source.images).or_else(|| list("--data", &source.files));
    data.into_iter().chain(list("--labels", &source.labels)).chain(records).collect::<Vec<_>>().join(" ")
}

fn job_file(job: &Job) -> Option<JobFile> {
    job.job_file.clone().and_then(|json| serde_json::from_value(json).ok())
}

fn took(job: &Job) -> String {
    job.ended_at_ms.map(|end| format!("in {}", duration(end.saturating_sub(job.submitted_at_ms)))).unwrap_or_default()
}

fn figures(last: &Evaluation) -> String {
    let mut rows = Vec::new();
    if let Some(accuracy) = last.accuracy {
        rows.push(vec!["test accuracy".to_owned(), share(accuracy), format!("{} of {} right", count(last.correct), count(last.records))]);
    }
    rows.extend(last.auc.map(|auc| vec!["test AUC".to_owned(), share(auc)]));
    rows.push(vec!["test loss".into(), share(last.loss)]);
    table(&[Align::Left, Align::Right, Align::Left], &rows)
}

// It lies beside the model.
fn curve(model_dir: &str) -> Option<String> {
    let parent = Path::new(model_dir).parent().filter(|parent| !parent.as_os_str().is_empty())?;
    Some(parent.join("curve.csv").display().to_string())
}

// A path for a shell, without the way back that a job file's `../` leaves in it: what comes before that is the job file's
// directory, in which symbolic links are resolved. An address has none, and slashes that count.
fn short(path: &str) -> String {
    if path.contains("://") {
        return quoted(path);
    }
    let mut parts = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir if parts.file_name().is_some() => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    quoted(&parts.display().to_string())
}

/// So that a person can paste it into a shell.
pub fn quoted(path: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !path.is_empty() && path.chars().all(safe) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

// The task that the reason begins with, or else names first. Log lines that it quotes below name others, and the job's own
// name, or a path, may have a task's name in it.
fn blamed(job: &Job) -> Option<&str> {
    let first = job.reason.lines().next()?.replace(&format!("{}/", job.id), "");
    let mut words = first.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    words.find_map(|word| job.tasks.iter().map(|task| task.task.as_str()).find(|task| *task == word))
}

#[cfg(test)]
mod tests;
