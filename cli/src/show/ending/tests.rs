use super::*;
use crate::job::{Checkpoint, Checkpoints, Outputs, State};
use crate::sample;

fn succeeded() -> Job {
    let mut job = sample::job(State::Succeeded);
    job.evaluations = vec![sample::evaluation(1), sample::evaluation(10)];
    let outputs = Outputs { model_dir: "/out/fashion-mnist-7/model".into(), tensorboard_dir: "/out/my runs/tb".into(), files: vec![] };
    Job { outputs: Some(outputs), ..job }
}

#[test]
fn a_success_shows_figures_matrix_and_places() {
    let expected = "\
fashion-mnist-7 succeeded in 12 s

  test accuracy  0.8710  1,742 of 2,000 right
  test loss      0.3625

confusion matrix (rows are labels, columns predictions)
       cat  dog
  cat  900  100
  dog  158  842

  model        /out/fashion-mnist-7/model
  curve        /out/fashion-mnist-7/curve.csv
  TensorBoard  /out/my runs/tb";
    assert_eq!(result(&succeeded()), expected);
}

#[test]
fn the_area_stands_for_what_binary_outputs_have() {
    let mut job = succeeded();
    job.evaluations[1].auc = Some(0.91234);
    job.evaluations[1].accuracy = None;
    job.evaluations[1].confusion.clear();
    let text = result(&job);
    assert!(text.contains("\n\n  test AUC   0.9123\n  test loss  0.3625\n\n  model"), "{text}");
}

#[test]
fn a_job_without_evaluation_has_no_figures() {
    let mut job = succeeded();
    job.evaluations.clear();
    assert!(result(&job).starts_with("fashion-mnist-7 succeeded in 12 s\n\n  model "), "{}", result(&job));
}

#[test]
fn the_next_commands_can_be_pasted() {
    let expected = "\
next:
  tfcoord predict /out/fashion-mnist-7/model --data FILE
  tensorboard --logdir '/out/my runs/tb'
  tfcoord list --all
  tfcoord logs fashion-mnist-7";
    assert_eq!(next_commands(&succeeded(), "tfcoord"), expected);
}

#[test]
fn addresses_are_shown_as_they_are() {
    let mut job = succeeded();
    job.outputs.as_mut().unwrap().model_dir = "hdfs:///out/fashion-mnist-7/model".into();
    job.outputs.as_mut().unwrap().tensorboard_dir = "hdfs://nn:8020/out/tb".into();
    let text = next_commands(&job, "tfcoord");
    assert!(text.contains(" predict hdfs:///out/fashion-mnist-7/model ") && text.contains("--logdir hdfs://nn:8020/out/tb\n"), "{text}");
}

#[test]
fn predict_is_shown_with_the_jobs_own_evaluation_data() {
    let mut job = succeeded();
    let source = serde_json::json!({"images": "/d/i.gz", "labels": "/e/f/../.././d/the labels.gz", "records": [8000, 10000]});
    job.job_file = Some(serde_json::json!({
        "name": "m", "model": {"layers": [], "loss": "mse"}, "output": {"dir": "/out"},
        "data": {"format": "idx", "train": source, "eval": source},
        "train": {"batch_size": 1, "epochs": 1, "optimizer": {"add": {}}},
    }));
    let expected = "  tfcoord predict /out/fashion-mnist-7/model --data /d/i.gz --labels '/d/the labels.gz' --records 8000..10000\n";
    assert!(next_commands(&job, "tfcoord").contains(expected), "{}", next_commands(&job, "tfcoord"));
}

#[test]
fn a_counting_job_has_nothing_to_predict_with_nor_to_plot() {
    let mut job = succeeded();
    job.outputs.as_mut().unwrap().tensorboard_dir.clear();
    job.job_file = Some(serde_json::json!({
        "name": "m", "model": {"kind": "counting"}, "output": {"dir": "/out"},
        "data": {"format": "idx", "train": {"images": "/d/i.gz", "labels": "/d/l.gz"}},
        "train": {"batch_size": 1, "epochs": 1, "optimizer": {"add": {}}},
    }));
    assert_eq!(next_commands(&job, "tfcoord"), "next:\n  tfcoord list --all\n  tfcoord logs fashion-mnist-7");
    assert!(!result(&job).contains("TensorBoard"), "{}", result(&job));
}

#[test]
fn a_failure_names_the_task() {
    let mut job = sample::job(State::Failed);
    job.reason = "worker-1 failed 9 times".into();
    job.tasks[1].last_exit = "exited with code 0".into();
    job.tasks[2].attempt = 10;
    (job.tasks[2].last_exit, job.tasks[2].last_exit_attempt) = ("exited with code 101".into(), 9);
    let expected = "\
fashion-mnist-7 failed: worker-1 failed 9 times
  worker-1 (attempt 9) exited with code 101
  help: `tfcoord logs fashion-mnist-7 --task worker-1` shows what was printed";
    assert_eq!(failure(&job, "tfcoord"), expected);
}

#[test]
fn the_task_that_failed_is_blamed_and_not_those_that_its_log_names() {
    let mut job = sample::job(State::Failed);
    let mut blames = |id: &str, reason: &str| {
        (job.id, job.reason) = (id.into(), reason.into());
        blamed(&job).map(str::to_owned)
    };
    let killed = "s-2/worker-0 was killed by signal 9 (SIGKILL)\nlast lines of s-2/worker-0:\n  connected to ps-0";
    assert_eq!(blames("s-2", killed).unwrap(), "worker-0");
    assert_eq!(blames("s-2", "worker-1: cannot reach ps-0").unwrap(), "worker-1");
    assert_eq!(blames("s-2", "it did not start: waiting for worker-0, worker-1 to register").unwrap(), "worker-0");
    // Names of jobs may look like those of tasks.
    assert_eq!(blames("ps-0-7", "ps-0-7/worker-0 was lost").unwrap(), "worker-0");
    assert_eq!(blames("worker-1", "worker-1/ps-0 was lost").unwrap(), "ps-0");
    for reason in ["", "worker-10: disk full", "cannot read /data/worker-1/a.csv", "the coordinator ended\nps-0"] {
        assert_eq!(blames("s-2", reason), None, "{reason}");
    }
}

#[test]
fn a_failed_job_with_checkpoints_can_go_on() {
    let mut job = sample::job(State::Failed);
    let checkpoint = |step| Checkpoint { id: format!("1-{step}-1"), step, dir: "/out/fashion-mnist-7/checkpoints".into() };
    job.checkpoints = Some(Checkpoints { committed: vec![checkpoint(100), checkpoint(150)], ..Checkpoints::default() });
    let text = failure(&job, "tfcoord");
    assert!(text.ends_with("\n  help: `tfcoord submit /srv/ann/job.json --resume` goes on from the checkpoint at step 150"), "{text}");
    job.checkpoints = Some(Checkpoints::default());
    assert!(!failure(&job, "tfcoord").contains("--resume"));
}
