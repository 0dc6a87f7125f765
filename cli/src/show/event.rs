//! One event, one line.

use super::number::{counted, share};
use super::{plain, plan, progress};
use crate::event::Event;
use crate::job::{Plan, State};

/// What is said where an embedded coordinator was lost.
pub const RESTARTED: &str = "the coordinator was gone and is started again";

/// The line for `event`; nothing for the end, which has a page of its own. `program` is what to type for this one.
pub fn line(event: &Event, program: &str) -> Option<String> {
    let line = match event {
        Event::Submitted { job, plan: size } => format!("{job}: {}", plan(size)),
        Event::State { job, state, reason, parameters } => state_line(job, *state, reason, *parameters),
        Event::Progress { progress: now, epochs, workers, .. } => {
            progress(now, &Plan { epochs: *epochs, workers: *workers, ..Plan::default() })
        }
        Event::Evaluated { evaluation, epochs, .. } => {
            let mut figures = Vec::new();
            figures.extend(evaluation.accuracy.map(|accuracy| format!("accuracy {}", share(accuracy))));
            figures.extend(evaluation.auc.map(|auc| format!("AUC {}", share(auc))));
            figures.push(format!("loss {}", share(evaluation.loss)));
            format!(
                "epoch {}/{epochs} evaluated on {}: test {}",
                evaluation.epoch,
                counted(evaluation.records, "record"),
                figures.join(", ")
            )
        }
        Event::TaskLost { task, attempt, exit, .. } => format!("{task} (attempt {attempt}) {}", ended(exit)),
        Event::TaskReplaced { task, attempt, exit, .. } => {
            format!("{task} is replaced: attempt {attempt}, since the one before {}", ended(exit))
        }
        Event::Resumed { job, checkpoint } => {
            format!("{job} goes on from step {}: checkpoint {} in {}", checkpoint.step, checkpoint.id, checkpoint.dir)
        }
        Event::WentBack { step: 0, .. } => "the parameters went back to the beginning: there is no checkpoint yet".to_owned(),
        Event::WentBack { step, .. } => format!("the parameters went back to the checkpoint at step {step}"),
        Event::CheckpointFailed { reason, .. } => reason.clone(),
        Event::HdfsTrouble { reason, .. } => reason.clone(),
        Event::CoordinatorRestarted { job } => format!("{RESTARTED}, {job} goes on"),
        Event::Chaos { target, pid, signal, sleeps_s, .. } => match (*signal, sleeps_s) {
            ("SIGCONT", _) => format!("chaos: {target} (pid {pid}) goes on with SIGCONT"),
            (signal, Some(s)) => format!("chaos: stopped {target} (pid {pid}) with {signal}, for {s:.1} s"),
            (signal, None) => format!("chaos: killed {target} (pid {pid}) with {signal}"),
        },
        Event::Scaled { job, workers } => format!("{job} is scaled to {}", counted(*workers, "worker")),
        Event::Detached { job } => format!("detached, {job} goes on; find it again with: {program} status {job}"),
        Event::Ended { .. } => return None,
    };
    Some(plain(&line).into_owned())
}

fn state_line(job: &str, state: State, reason: &str, parameters: u64) -> String {
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let size = if state == State::Running && parameters > 0 { format!(", {}", counted(parameters, "parameter")) } else { String::new() };
    format!("{job} {state}{size}{reason}")
}

fn ended(exit: &str) -> &str {
    if exit.is_empty() { "was lost" } else { exit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn check(event: Event, text: &str) {
        assert_eq!(line(&event, "tfcoord").as_deref(), Some(text));
    }

    #[test]
    fn each_event_has_its_line() {
        let job = || "m-7".to_owned();
        check(
            Event::State { job: job(), state: State::Pending, reason: "4 cpus needed".into(), parameters: 0 },
            "m-7 pending: 4 cpus needed",
        );
        check(Event::State { job: job(), state: State::Running, reason: "".into(), parameters: 5 }, "m-7 running, 5 parameters");
        check(
            Event::Evaluated { job: job(), evaluation: sample::evaluation(3), epochs: 10 },
            "epoch 3/10 evaluated on 2,000 records: test accuracy 0.8710, loss 0.3625",
        );
        let killed = || "was killed by signal 9 (SIGKILL)".to_owned();
        let task = || "worker-1".to_owned();
        check(
            Event::TaskLost { job: job(), task: task(), attempt: 1, exit: killed() },
            "worker-1 (attempt 1) was killed by signal 9 (SIGKILL)",
        );
        check(
            Event::TaskReplaced { job: job(), task: task(), attempt: 2, exit: killed() },
            "worker-1 is replaced: attempt 2, since the one before was killed by signal 9 (SIGKILL)",
        );
        check(Event::TaskLost { job: job(), task: task(), attempt: 3, exit: String::new() }, "worker-1 (attempt 3) was lost");
        let back = |step| Event::WentBack { job: job(), generation: 2, step, checkpoint: None };
        check(back(500), "the parameters went back to the checkpoint at step 500");
        check(back(0), "the parameters went back to the beginning: there is no checkpoint yet");
        check(Event::CheckpointFailed { job: job(), reason: "checkpoint 1-5-9: disk full".into() }, "checkpoint 1-5-9: disk full");
        check(Event::CoordinatorRestarted { job: job() }, "the coordinator was gone and is started again, m-7 goes on");
        let chaos = |signal, sleeps_s| Event::Chaos { job: job(), target: task(), pid: 123, signal, sleeps_s };
        check(chaos("SIGKILL", None), "chaos: killed worker-1 (pid 123) with SIGKILL");
        check(chaos("SIGSTOP", Some(3.0)), "chaos: stopped worker-1 (pid 123) with SIGSTOP, for 3.0 s");
        check(chaos("SIGCONT", None), "chaos: worker-1 (pid 123) goes on with SIGCONT");
        check(Event::Scaled { job: job(), workers: 4 }, "m-7 is scaled to 4 workers");
        check(Event::Detached { job: job() }, "detached, m-7 goes on; find it again with: tfcoord status m-7");
        assert_eq!(line(&Event::Ended { job: Box::new(sample::job(State::Failed)) }, "tfcoord"), None);
    }
}
